//! `btf relocs`: the CO-RE relocations of a program, resolved for a kernel.

use std::{
    io::{self, Write},
    path::PathBuf,
};

use btf_relocate::{Outcome, Relocated, Relocation, Verdict};
use btf_types::Type;
use clap::Args;

use crate::{
    Result,
    json::Json,
    output::{Output, Stdout},
    target::{Target, open_object},
};

/// Arguments of `btf relocs`.
#[derive(Args)]
#[command(
    after_help = "Columns, separated by tabs: section, byte offset of the instruction, kind, local type, access string, number of candidates, ok|poison|error N, local value, target value, type of the field in the target.\n\nExamples:\n  btf relocs prog.bpf.o\n  btf relocs prog.bpf.o --target vmlinux-5.4.btf --explain"
)]
pub(crate) struct Arguments {
    /// A BPF object file.
    object: PathBuf,
    /// Print a sentence for each relocation, with the result and the reason.
    #[arg(long, conflicts_with = "json")]
    explain: bool,
    /// Print JSON, one array of all relocations with their candidates.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: Target,
}

pub(crate) fn run(arguments: &Arguments, out: &mut Stdout) -> Result {
    let object = open_object(&arguments.object)?;
    let relocated = arguments.target.relocate(&object)?;
    let mut relocations = relocated.iter().flatten();
    if arguments.json {
        let mut json = Json::new(out);
        json.begin_array()?;
        relocations.try_for_each(|relocation| write_json(relocation, &mut json))?;
        json.end_array()?;
        json.end()?;
    } else if arguments.explain {
        for relocation in relocations {
            let (section, insn) = (relocation.section(), relocation.insn_offset() / 8);
            writeln!(out, "{section}, instruction {insn}: {}: {}", relocation.kind(), relocation.explain())?;
        }
    } else {
        relocations.try_for_each(|relocation| write_row(relocation, out))?;
    }
    faults(relocated.as_ref())
}

fn write_row(relocation: Relocation<'_>, out: &mut Output<impl Write>) -> io::Result<()> {
    write!(
        out,
        "{}\t{}\t{}\t{}\t{}\t{}\t",
        relocation.section(),
        relocation.insn_offset(),
        relocation.kind(),
        relocation.local_type().name(),
        relocation.access_string(),
        relocation.candidate_count()
    )?;
    match relocation.outcome() {
        Outcome::Value { .. } => write!(out, "ok")?,
        Outcome::Fault(fault) => write!(out, "error {}", fault.errno())?,
        _ => write!(out, "poison")?,
    }
    let (local, target) = (relocation.local_value(), relocation.target_value());
    writeln!(out, "\t{local}\t{target}\t{}", relocation.target_type().map_or(0, Type::id))
}

fn write_json(relocation: Relocation<'_>, json: &mut Json<'_, impl Write>) -> io::Result<()> {
    json.begin_object()?;
    json.key("section")?;
    json.name(relocation.section())?;
    json.key("insn_offset")?;
    json.number(relocation.insn_offset())?;
    json.key("kind")?;
    json.display(relocation.kind())?;
    json.key("local_type")?;
    json.name(relocation.local_type().name())?;
    json.key("local_type_id")?;
    json.number(relocation.local_type().id())?;
    json.key("access")?;
    json.name(relocation.access_string())?;
    json.key("outcome")?;
    match relocation.outcome() {
        Outcome::Value { .. } => json.str("ok")?,
        Outcome::Fault(fault) => {
            json.str("error")?;
            json.key("errno")?;
            json.number(fault.errno())?;
        }
        _ => json.str("poison")?,
    }
    json.key("local_value")?;
    json.number(relocation.local_value())?;
    json.key("target_value")?;
    json.number(relocation.target_value())?;
    json.key("target_type_id")?;
    json.maybe(relocation.target_type().map(Type::id))?;
    json.key("candidate_count")?;
    json.number(relocation.candidate_count())?;
    json.key("candidates")?;
    json.begin_array()?;
    for candidate in relocation.candidates() {
        json.begin_object()?;
        json.key("type_id")?;
        json.number(candidate.ty().id())?;
        json.key("type")?;
        json.name(candidate.ty().name())?;
        json.key("module")?;
        match candidate.module() {
            Some(module) => json.str(module)?,
            None => json.null()?,
        }
        json.key("verdict")?;
        json.str(verdict(candidate.verdict()))?;
        json.end_object()?;
    }
    json.end_array()?;
    json.key("explanation")?;
    json.display(relocation.explain())?;
    json.end_object()
}

fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Match => "match",
        Verdict::Dropped => "dropped_earlier",
        Verdict::NoMember { .. } => "no_member",
        Verdict::MemberType { .. } => "incompatible_member",
        Verdict::NotComposite { .. } => "not_composite",
        Verdict::NotArray { .. } => "not_array",
        Verdict::TooFewElements { .. } => "too_few_elements",
        Verdict::NotEnum => "not_enum",
        Verdict::NoEnumerator => "no_enumerator",
        Verdict::Incompatible => "incompatible",
        _ => "no_match",
    }
}

/// Returns an error if relocations cannot be resolved.
fn faults(relocated: Option<&Relocated>) -> Result {
    let faults = relocated.into_iter().flatten().filter(|relocation| matches!(relocation.outcome(), Outcome::Fault(_)));
    match faults.count() {
        0 => Ok(()),
        1 => Err("1 relocation cannot be resolved; --explain says why".into()),
        count => Err(format!("{count} relocations cannot be resolved; --explain says why").into()),
    }
}

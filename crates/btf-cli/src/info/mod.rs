//! `btf info`: what a file is, and what its BTF holds.

mod object;

use std::io::{self, Write};

use btf_elf::{BtfFile, Elf, Section};
use btf_types::{Btf, Kind, Type};
use clap::Args;
use serde_json::json;

use crate::{
    Result,
    source::{Opened, Source},
};

/// What `btf info` takes.
#[derive(Args, Default)]
#[command(
    after_help = "Examples:\n  btf info\n  btf info /boot/vmlinuz\n  btf info --json prog.bpf.o\n  btf info --module veth"
)]
pub(crate) struct Arguments {
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    source: Source,
}

/// How many of the largest types are told of.
const LARGEST: usize = 5;

pub(crate) fn run(arguments: &Arguments) -> Result {
    let opened = arguments.source.open_file()?;
    let mut out = io::BufWriter::new(io::stdout().lock());
    if arguments.json {
        writeln!(out, "{}", as_json(opened)?)?;
    } else {
        write_text(&opened, &mut out)?;
    }
    out.flush()?;
    Ok(())
}

/// The kinds that there are, each with the number of its types.
fn counts(btf: &Btf) -> Vec<(&'static str, usize)> {
    let mut counts = [0usize; 128];
    for ty in btf.types() {
        let number = ty.kind().map_or(0, Kind::number);
        if let Some(count) = counts.get_mut(usize::from(number)) {
            *count += 1;
        }
    }
    let unknown = counts.first().copied().unwrap_or(0);
    let known = Kind::ALL.iter().map(|&kind| {
        let count = counts.get(usize::from(kind.number())).copied().unwrap_or(0);
        (kind.as_str(), count)
    });
    known.chain([("UNKNOWN", unknown)]).filter(|(_, count)| *count > 0).collect()
}

/// The largest structs and unions with a name.
fn largest(btf: &Btf) -> Vec<(u64, Type<'_>)> {
    let mut sizes: Vec<_> = btf
        .types()
        .filter(|ty| matches!(ty, Type::Struct(_) | Type::Union(_)) && !ty.is_anonymous())
        .filter_map(|ty| ty.size_of().ok().map(|size| (size, ty)))
        .collect();
    sizes.sort_by_key(|(size, ty)| (std::cmp::Reverse(*size), ty.id()));
    sizes.truncate(LARGEST);
    sizes
}

/// The sections of an ELF file that have BTF or refer to it.
fn btf_sections(elf: &Elf) -> impl Iterator<Item = Section<'_>> {
    elf.sections().filter(|section| section.name().as_bytes().starts_with(b".BTF"))
}

/// What a file is, from the outside in.
fn layers(file: &BtfFile) -> Vec<String> {
    file.layers().iter().map(ToString::to_string).collect()
}

fn write_text(opened: &Opened, out: &mut impl Write) -> Result {
    let btf = &opened.btf;
    let header = btf.header();
    writeln!(out, "source       {}", opened.name)?;
    if let Some(file) = &opened.file {
        writeln!(out, "file         {}", layers(file).join(" > "))?;
        let sections = file.elf().into_iter().flat_map(btf_sections);
        let sections: Vec<_> =
            sections.map(|section| format!("{} ({} bytes)", section.name(), section.size())).collect();
        if !sections.is_empty() {
            writeln!(out, "sections     {}", sections.join(", "))?;
        }
    }
    writeln!(out, "byte order   {}", btf.byte_order())?;
    writeln!(out, "pointers     {} bytes", btf.pointer_size())?;
    writeln!(out, "header       {} bytes", header.hdr_len())?;
    let own = btf.own_ids();
    if own.is_empty() {
        writeln!(out, "types        none")?;
    } else {
        let (first, last) = (own.start, own.end - 1);
        writeln!(out, "types        {} ({first} to {last}), {} bytes", own.len(), header.types().len())?;
    }
    writeln!(out, "name-sorted  {}", if btf.is_name_sorted() { "yes" } else { "no" })?;
    writeln!(out, "strings      {} bytes", header.strings().len())?;
    if !header.layout().is_empty() {
        writeln!(out, "layout       {} kinds", header.layout().len() / 4)?;
    }
    if let Some(base) = btf.base() {
        writeln!(out, "base         {} types", base.type_count())?;
    }
    let counts = counts(btf);
    if !counts.is_empty() {
        writeln!(out)?;
    }
    for (kind, count) in counts {
        writeln!(out, "{kind:<12}{count:>8}")?;
    }
    let largest = largest(btf);
    if !largest.is_empty() {
        writeln!(out, "\nlargest, in bytes")?;
    }
    for (size, ty) in largest {
        writeln!(out, "{size:>12}  {ty}")?;
    }
    Ok(())
}

fn as_json(opened: Opened) -> Result<serde_json::Value> {
    let Opened { btf, file, name } = opened;
    let header = btf.header();
    let largest =
        largest(&btf).into_iter().map(|(size, ty)| json!({"id": ty.id(), "type": ty.to_string(), "size": size}));
    let (mut file_layers, mut sections, mut object) = (json!(null), json!(null), json!(null));
    if let Some(file) = file {
        file_layers = layers(&file).into();
        if let Some(elf) = file.into_elf() {
            let own = elf.sections().skip(1);
            sections = own.map(|section| json!({"name": section.name().to_string(), "size": section.size()})).collect();
            if elf.is_bpf() && elf.is_relocatable() {
                object = object::as_json(elf)?;
            }
        }
    }
    Ok(json!({
        "source": name,
        "file": file_layers,
        "sections": sections,
        "object": object,
        "byte_order": btf.byte_order().to_string(),
        "pointer_size": btf.pointer_size(),
        "header_bytes": header.hdr_len(),
        "first_id": btf.own_ids().start,
        "types": btf.own_ids().len(),
        "type_bytes": header.types().len(),
        "name_sorted": btf.is_name_sorted(),
        "string_bytes": header.strings().len(),
        "layout_kinds": header.layout().len() / 4,
        "base_types": btf.base().map(Btf::type_count),
        "kinds": counts(&btf).into_iter().collect::<std::collections::BTreeMap<_, _>>(),
        "largest": largest.collect::<Vec<_>>(),
    }))
}

//! `btf info`: the format of a file, and a summary of its BTF.

mod object;

use std::{
    cmp::Reverse,
    io::{self, Write},
};

use btf_elf::{BtfFile, Elf, Section};
use btf_types::{Btf, Kind, Type};
use clap::Args;

use crate::{
    Result,
    json::Json,
    output::{Output, Stdout},
    source::{Opened, Source, SourceName, Unopened},
};

/// Arguments of `btf info`.
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

/// Number of largest types to print.
const LARGEST: usize = 5;

pub(crate) fn run(arguments: &Arguments, out: &mut Stdout) -> Result {
    let opened = match arguments.source.open_file_or_say_what() {
        Ok(opened) => opened,
        Err(unopened) => {
            let Unopened { file, name, error } = *unopened;
            // A file with split BTF is described even without its base.
            if let Some(file) = file.filter(|_| !arguments.json) {
                write_file(&name, Some(&file), out)?;
            }
            return Err(error.into());
        }
    };
    if arguments.json {
        let mut json = Json::new(out);
        write_json(opened, &mut json)?;
        Ok(json.end()?)
    } else {
        write_text(opened, out)
    }
}

/// Returns the kinds in the BTF, each with its number of types.
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

/// Returns the largest named structs and unions.
fn largest(btf: &Btf) -> Vec<(u64, Type<'_>)> {
    let mut sizes: Vec<_> = btf
        .types()
        .filter(|ty| matches!(ty, Type::Struct(_) | Type::Union(_)) && !ty.is_anonymous())
        .filter_map(|ty| ty.size_of().ok().map(|size| (size, ty)))
        .collect();
    sizes.sort_by_key(|(size, ty)| (Reverse(*size), ty.id()));
    sizes.truncate(LARGEST);
    sizes
}

/// Number of types of a base and the layers below, without `void`.
fn base_types(base: &Btf) -> u32 {
    base.type_count().saturating_sub(1)
}

/// Iterates over the sections of an ELF file that contain BTF or refer to it.
fn btf_sections(elf: &Elf) -> impl Iterator<Item = Section<'_>> {
    elf.sections().filter(|section| section.name().as_bytes().starts_with(b".BTF"))
}

/// Describes a file whose BTF was not opened.
fn write_file<W: Write>(name: &SourceName, file: Option<&BtfFile>, out: &mut Output<W>) -> io::Result<()> {
    writeln!(out, "source       {name}")?;
    let Some(file) = file else { return Ok(()) };
    for (index, layer) in file.layers().iter().enumerate() {
        write!(out, "{}{layer}", if index == 0 { "file         " } else { " > " })?;
    }
    out.text("\n")?;
    let mut sections = file.elf().into_iter().flat_map(btf_sections).enumerate().peekable();
    let any = sections.peek().is_some();
    for (index, section) in sections {
        let before = if index == 0 { "sections     " } else { ", " };
        write!(out, "{before}{} ({} bytes)", section.name(), section.size())?;
    }
    if any { out.text("\n") } else { Ok(()) }
}

fn write_text<W: Write>(opened: Opened, out: &mut Output<W>) -> Result {
    let Opened { btf, file, name } = opened;
    write_file(&name, file.as_ref(), out)?;
    writeln!(out, "byte order   {}", btf.byte_order())?;
    writeln!(out, "pointers     {} bytes", btf.pointer_size())?;
    writeln!(out, "header       {} bytes", btf.hdr_len())?;
    let own = btf.own_ids();
    if own.is_empty() {
        writeln!(out, "types        none")?;
    } else {
        let (first, last) = (own.start, own.end - 1);
        writeln!(out, "types        {} ({first} to {last}), {} bytes", own.len(), btf.type_section().len())?;
    }
    writeln!(out, "name-sorted  {}", if btf.is_name_sorted() { "yes" } else { "no" })?;
    writeln!(out, "strings      {} bytes", btf.string_section().len())?;
    if !btf.layout_section().is_empty() {
        writeln!(out, "layout       {} kinds", btf.layout_section().len() / 4)?;
    }
    if let Some(base) = btf.base() {
        writeln!(out, "base         {} types", base_types(base))?;
    }
    let counts = counts(&btf);
    if !counts.is_empty() {
        out.text("\n")?;
    }
    for (kind, count) in counts {
        writeln!(out, "{kind:<12}{count:>8}")?;
    }
    let largest = largest(&btf);
    if !largest.is_empty() {
        out.text("\nlargest, in bytes\n")?;
    }
    for (size, ty) in largest {
        writeln!(out, "{size:>12}  {ty}")?;
    }
    match file.and_then(object) {
        Some(elf) => object::write_text(elf, out),
        None => Ok(()),
    }
}

/// Returns the BPF object in a file.
fn object(file: BtfFile) -> Option<Elf> {
    file.into_elf().filter(|elf| elf.is_bpf() && elf.is_relocatable())
}

fn write_json<W: Write>(opened: Opened, json: &mut Json<'_, W>) -> Result {
    let Opened { btf, file, name } = opened;
    json.begin_object()?;
    json.key("source")?;
    json.str(name.as_str())?;
    json.key("file")?;
    match &file {
        None => json.null()?,
        Some(file) => {
            json.begin_array()?;
            file.layers().iter().try_for_each(|layer| json.display(layer))?;
            json.end_array()?;
        }
    }
    json.key("sections")?;
    match file.as_ref().and_then(BtfFile::elf) {
        None => json.null()?,
        Some(elf) => {
            json.begin_array()?;
            for section in elf.sections().skip(1) {
                json.begin_object()?;
                json.key("name")?;
                json.name(section.name())?;
                json.key("size")?;
                json.number(section.size())?;
                json.end_object()?;
            }
            json.end_array()?;
        }
    }
    json.key("object")?;
    match file.and_then(object) {
        None => json.null()?,
        Some(elf) => object::write_json(elf, json)?,
    }
    json.key("byte_order")?;
    json.display(btf.byte_order())?;
    let numbers = [
        ("pointer_size", btf.pointer_size().into()),
        ("header_bytes", u64::from(btf.hdr_len())),
        ("first_id", btf.own_ids().start.into()),
        ("types", btf.own_ids().len() as u64),
        ("type_bytes", btf.type_section().len() as u64),
        ("string_bytes", btf.string_section().len() as u64),
        ("layout_kinds", btf.layout_section().len() as u64 / 4),
    ];
    for (key, number) in numbers {
        json.key(key)?;
        json.number(number)?;
    }
    json.key("name_sorted")?;
    json.bool(btf.is_name_sorted())?;
    json.key("base_types")?;
    json.maybe(btf.base().map(base_types))?;
    json.key("kinds")?;
    json.begin_object()?;
    for (kind, count) in counts(&btf) {
        json.key(kind)?;
        json.number(count)?;
    }
    json.end_object()?;
    json.key("largest")?;
    json.begin_array()?;
    for (size, ty) in largest(&btf) {
        json.begin_object()?;
        json.key("id")?;
        json.number(ty.id())?;
        json.key("type")?;
        json.display(ty)?;
        json.key("size")?;
        json.number(size)?;
        json.end_object()?;
    }
    json.end_array()?;
    Ok(json.end_object()?)
}

//! `btf dump`: all own types, in one of several formats.
//!
//! Text and JSON have the same contents, which a walk over the types writes to
//! a [`Writer`].

mod c;
mod code;
mod json;
mod raw;
mod rust;

use std::io;

use btf_types::{Btf, EnumValues, Kind, Members, Name, Type};
use clap::{Args, ValueEnum};

use crate::{Result, json::Json, output::Stdout, source::Source};

/// Arguments of `btf dump`.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  btf dump --format c > vmlinux.h\n  btf dump --format c --root-type task_struct --root-type 'struct sock'\n  btf dump --format rust --root-type task_struct > types.rs\n  btf dump --format rust --globals prog.bpf.o\n  btf dump --format json vmlinux.btf\n  btf dump --base vmlinux.btf veth.ko.xz\n  btf dump --fixup prog.bpf.o"
)]
pub(crate) struct Arguments {
    /// The output format.
    #[arg(long, value_enum, default_value_t = Format::Raw)]
    format: Format,
    /// For an object, print DATASECs as a loader computes them, with the sizes
    /// and offsets that the compiler leaves open.
    #[arg(long)]
    fixup: bool,
    /// Of C and Rust, write only this type, and what it needs; repeatable. `struct NAME`,
    /// `union NAME`, `enum NAME` and `typedef NAME` are of that kind only.
    #[arg(long, value_name = "NAME|ID")]
    root_type: Vec<code::RootType>,
    #[command(flatten, next_help_heading = "Options of a C header")]
    header: c::HeaderArguments,
    #[command(flatten, next_help_heading = "Options of Rust types")]
    types: rust::TypesArguments,
    #[command(flatten)]
    source: Source,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    /// One line for each type and each of its elements, as in bpftool.
    Raw,
    /// One JSON document with the same contents.
    Json,
    /// A C header: vmlinux.h.
    C,
    /// Rust types, with assertions of their layout.
    Rust,
}

pub(crate) fn run(arguments: &Arguments, out: &mut Stdout) -> Result {
    if !matches!(arguments.format, Format::C) {
        arguments.header.check_unused()?;
    }
    if !matches!(arguments.format, Format::Rust) {
        arguments.types.check_unused()?;
    }
    let roots = arguments.root_type.as_slice();
    if !matches!(arguments.format, Format::C | Format::Rust) && !roots.is_empty() {
        return Err("--root-type needs --format c or --format rust".into());
    }
    let mut opened = arguments.source.open_file()?;
    if arguments.fixup || arguments.types.globals {
        let elf = opened.file.as_ref().and_then(btf_elf::BtfFile::elf);
        let elf = elf.ok_or_else(|| {
            let option = if arguments.fixup { "--fixup" } else { "--globals" };
            format!("{}: {option} is for BPF objects, and this is not one", opened.name)
        })?;
        let fixups = elf.datasec_fixups(&opened.btf)?;
        // With --globals, DATASECs that cannot be fixed up, such as `.maps`, do
        // not matter.
        opened.btf = if arguments.types.globals { fixups.btf_lenient()? } else { fixups.btf()? };
    }
    match arguments.format {
        Format::Raw => write(&opened.btf, &mut raw::Raw::new(out))?,
        Format::Json => {
            let mut json = Json::new(out);
            write(&opened.btf, &mut json)?;
            json.end()?;
        }
        Format::C => c::write(&arguments.header, roots, &opened, out)?,
        Format::Rust => rust::write(&arguments.types, roots, &opened, out)?,
    }
    Ok(())
}

/// Format of the output. Methods are called in the order of the output.
trait Writer {
    /// Called before all types.
    fn begin(&mut self) -> io::Result<()> {
        Ok(())
    }
    /// Called after all types.
    fn finish(&mut self) -> io::Result<()> {
        Ok(())
    }

    /// Begins a type.
    fn ty(&mut self, id: u32, kind: &str, name: Name<'_>) -> io::Result<()>;
    /// Ends a type.
    fn end_ty(&mut self) -> io::Result<()>;

    /// Writes a number of a type or an element.
    fn number(&mut self, key: &str, value: i128) -> io::Result<()>;
    /// Writes a word that needs no escaping.
    fn word(&mut self, key: &str, value: &str) -> io::Result<()>;
    /// Writes the comma that only bpftool's text has between the type and the
    /// linkage of a VAR.
    fn comma(&mut self) -> io::Result<()> {
        Ok(())
    }

    /// Begins the elements of a type.
    fn parts(&mut self, key: &str) -> io::Result<()>;
    /// Begins an element, with its name if its kind has one.
    fn part(&mut self, name: Option<Name<'_>>) -> io::Result<()>;
    /// Writes the value of an enumerator, with its C suffix.
    fn value(&mut self, value: i128, suffix: &str) -> io::Result<()>;
    /// Writes the entry of a DATASEC, after its id.
    fn entry(&mut self, ty: Type<'_>) -> io::Result<()>;
    /// Ends an element.
    fn end_part(&mut self) -> io::Result<()>;
    /// Ends the elements.
    fn end_parts(&mut self) -> io::Result<()>;
}

fn write(btf: &Btf, to: &mut impl Writer) -> io::Result<()> {
    to.begin()?;
    for ty in btf.types() {
        to.ty(ty.id(), ty.kind().map_or("UNKNOWN", Kind::as_str), ty.name())?;
        write_type(ty, to)?;
        to.end_ty()?;
    }
    to.finish()
}

fn write_type(ty: Type<'_>, to: &mut impl Writer) -> io::Result<()> {
    match ty {
        Type::Int(int) => {
            to.number("size", int.size().into())?;
            to.number("bits_offset", int.bit_offset().into())?;
            to.number("nr_bits", int.bits().into())?;
            to.word("encoding", &int.encoding().to_string())?;
        }
        Type::Array(array) => {
            to.number("type_id", array.element().id().into())?;
            to.number("index_type_id", array.index().id().into())?;
            to.number("nr_elems", array.nelems().into())?;
        }
        Type::Struct(s) => write_members(s.size(), s.members(), to)?,
        Type::Union(u) => write_members(u.size(), u.members(), to)?,
        Type::Enum(e) => write_values(e.is_signed(), e.size(), e.values(), "", to)?,
        Type::Enum64(e) => {
            let suffix = if e.is_signed() { "LL" } else { "ULL" };
            write_values(e.is_signed(), e.size(), e.values(), suffix, to)?;
        }
        Type::Fwd(fwd) => to.word("fwd_kind", &fwd.declares().to_string())?,
        Type::Func(func) => {
            to.number("type_id", func.proto().id().into())?;
            to.word("linkage", &func.linkage().to_string())?;
        }
        Type::FuncProto(proto) => {
            to.number("ret_type_id", proto.return_type().id().into())?;
            to.number("vlen", proto.params().len() as i128)?;
            to.parts("params")?;
            for param in proto.params() {
                to.part(Some(param.name()))?;
                to.number("type_id", param.ty().id().into())?;
                to.end_part()?;
            }
            to.end_parts()?;
        }
        Type::Var(var) => {
            to.number("type_id", var.ty().id().into())?;
            to.comma()?;
            to.word("linkage", &var.linkage().to_string())?;
        }
        Type::Datasec(section) => {
            to.number("size", section.size().into())?;
            to.number("vlen", section.entries().len() as i128)?;
            to.parts("vars")?;
            for entry in section.entries() {
                to.part(None)?;
                to.number("type_id", entry.ty().id().into())?;
                to.number("offset", entry.offset().into())?;
                to.number("size", entry.size().into())?;
                to.entry(entry.ty())?;
                to.end_part()?;
            }
            to.end_parts()?;
        }
        Type::Float(float) => to.number("size", float.size().into())?,
        Type::DeclTag(tag) => {
            to.number("type_id", tag.target().id().into())?;
            to.number("component_idx", tag.component_idx().map_or(-1, Into::into))?;
        }
        Type::Unknown(_) => {}
        _ => to.number("type_id", ty.target().map_or(0, Type::id).into())?,
    }
    Ok(())
}

fn write_members(size: u32, members: Members<'_>, to: &mut impl Writer) -> io::Result<()> {
    to.number("size", size.into())?;
    to.number("vlen", members.len() as i128)?;
    to.parts("members")?;
    for member in members {
        let (bit_offset, bitfield_size) = member.encoded();
        to.part(Some(member.name()))?;
        to.number("type_id", member.ty().id().into())?;
        to.number("bits_offset", bit_offset.into())?;
        if let Some(size) = bitfield_size {
            to.number("bitfield_size", size.into())?;
        }
        to.end_part()?;
    }
    to.end_parts()
}

fn write_values(
    is_signed: bool,
    size: u32,
    values: EnumValues<'_>,
    suffix: &str,
    to: &mut impl Writer,
) -> io::Result<()> {
    to.word("encoding", if is_signed { "SIGNED" } else { "UNSIGNED" })?;
    to.number("size", size.into())?;
    to.number("vlen", values.len() as i128)?;
    to.parts("values")?;
    for value in values {
        to.part(Some(value.name()))?;
        to.value(value.value(), suffix)?;
        to.end_part()?;
    }
    to.end_parts()
}

//! `btf show`: types as C declares them, and how they lie in memory.

mod declare;
mod gaps;
mod layout;
mod name;

use std::{
    io,
    path::{Path, PathBuf},
};

use btf_types::{Btf, Error, Kind, Linkage, Name, Type, Typedef};
use clap::Args;

use self::{
    layout::Style,
    name::{Query, Word},
};
use crate::{
    Result, failures,
    output::Stdout,
    pattern::Pattern,
    similar,
    source::{Options, Source},
    tag::Tagged,
};

/// What `btf show` takes.
#[derive(Args)]
#[command(
    after_help = "A NAME is one of\n  sk_buff, struct sk_buff    a type, of any kind or of this one\n  'tcp_*', 'struct *'        all types that a pattern matches\n  task_struct.mm->pgd        a member, through pointers and arrays\n  #1234                      the type with this id\n\nComments have offset and size of members in bytes, as pahole's do; of bitfields\nthe offset of the storage unit, the bit in it, and the size of the unit.\n\nExamples:\n  btf show sk_buff\n  btf show 'struct list_head' tcp_sendmsg\n  btf show task_struct.mm ./vmlinux.btf"
)]
pub(crate) struct Arguments {
    /// Names of types; the last may be a file with BTF, if there is a `/` in it
    /// or it is the name of such a file.
    #[arg(required = true, value_name = "NAME")]
    names: Vec<String>,
    /// Show members that are structs with their own members, through typedefs.
    #[arg(long)]
    expand: bool,
    /// Print offsets and sizes in hexadecimal.
    #[arg(long)]
    hex: bool,
    #[command(flatten)]
    options: Options,
}

pub(crate) fn run(arguments: &Arguments, out: &mut Stdout) -> Result {
    let (names, file) = split_off_file(&arguments.names);
    let btf = Source::of(file.as_deref(), &arguments.options).open()?;
    let style = Style { expand: arguments.expand, hex: arguments.hex };
    let mut failed = Vec::new();
    for name in name::joined(names) {
        match show(&btf, &name, style, out) {
            Ok(()) => {}
            Err(error) if crate::is_closed_pipe(&*error) => return Err(error),
            // What else was asked for is shown all the same.
            Err(error) => failed.push(error),
        }
    }
    failures(failed)
}

/// The names, and the file, if the last is one.
fn split_off_file(names: &[String]) -> (&[String], Option<PathBuf>) {
    match names {
        [names @ .., last] if !names.is_empty() && is_file(last) => (names, Some(last.into())),
        names => (names, None),
    }
}

/// Whether a file is meant. A file that is named like a type is one only if
/// there is BTF in it.
fn is_file(name: &str) -> bool {
    let could_be_type = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    name == "-"
        || name.contains('/')
        || Path::new(name).is_file() && (!could_be_type || btf_elf::BtfFile::open(name).is_ok())
}

/// Shows all that a name means.
fn show(btf: &Btf, name: &str, style: Style, out: &mut Stdout) -> Result {
    match Query::parse(name)? {
        Query::Id(id) => Ok(show_type(btf, btf.type_by_id(id)?, style, out)?),
        Query::Path(path) => show_path(btf, path, style, out),
        Query::Name { word, name: bare } => {
            let pattern = Pattern::glob(bare)?;
            let mut first = None;
            let mut count = 0u32;
            for ty in pattern.types(btf).filter(|ty| word.is_before(*ty)) {
                // That there are several is known with the second.
                match (count, pattern.is_exact()) {
                    (0, true) => first = Some(ty),
                    (_, true) => {
                        if let Some(first) = first.take() {
                            show_with_id(btf, first, style, out)?;
                        }
                        show_with_id(btf, ty, style, out)?;
                    }
                    (_, false) => {
                        if count > 0 {
                            out.text("\n")?;
                        }
                        show_type(btf, ty, style, out)?;
                    }
                }
                count += 1;
            }
            match (count, first) {
                (0, _) => Err(not_found(btf, name, bare, word).into()),
                (_, Some(ty)) => Ok(show_type(btf, ty, style, out)?),
                _ => Ok(()),
            }
        }
    }
}

fn show_with_id(btf: &Btf, ty: Type<'_>, style: Style, out: &mut Stdout) -> io::Result<()> {
    out.comment(format_args!("#{} {}", ty.id(), ty.kind().map_or("type", Kind::as_str)))?;
    out.text("\n")?;
    show_type(btf, ty, style, out)
}

/// The error for a name that nothing has, with those that are like it.
fn not_found(btf: &Btf, name: &str, bare: &str, word: Word<'_>) -> String {
    let others: Vec<_> = match word {
        Word::Any => Vec::new(),
        _ => btf.find_all::<Type<'_>>(bare).iter().map(ToString::to_string).take(3).collect(),
    };
    match others.as_slice() {
        [] => format!("no type is named {name}{}", similar::types(btf, bare)),
        others => format!("no type is named {name}; there is {}", others.join(", ")),
    }
}

fn show_path(btf: &Btf, path: &str, style: Style, out: &mut Stdout) -> Result {
    let found = btf.path(path).map_err(|error| path_error(btf, path, error))?;
    out.comment(format_args!("{path}"))?;
    out.text("\n")?;
    for step in found.steps() {
        write!(out, "{} at offset {}", step.to, style.number(step.bit_offset / 8))?;
        if let Some(bits) = step.bitfield_size {
            write!(out, ", bit {}, {bits} bits", step.bit_offset % 8)?;
        }
        writeln!(out, " of {}", step.from)?;
    }
    match found.ty().peel_modifiers() {
        ty @ (Type::Struct(_) | Type::Union(_) | Type::Enum(_) | Type::Enum64(_)) => {
            Ok(show_type(btf, ty, style, out)?)
        }
        _ => Ok(()),
    }
}

/// Says of a path where it ends, and what could have been meant.
fn path_error(btf: &Btf, path: &str, error: Error) -> String {
    match error {
        Error::NoSuchName { .. } => {
            let root = path.split(['.', '[', '-']).next().unwrap_or(path);
            not_found(btf, root, root, Word::Any)
        }
        Error::NoSuchMember { id, rest, .. } => {
            let rest = rest.as_name();
            let ty = btf.type_by_id(id).unwrap_or(Type::Void);
            let hint =
                name::first_member(rest.as_bytes()).map_or_else(String::new, |member| similar_members(ty, member));
            format!("{path}: {ty} has no {rest}{hint}")
        }
        error => format!("{path}: {error}"),
    }
}

/// A hint to the members that are named like this.
fn similar_members(ty: Type<'_>, name: &str) -> String {
    let mut similar = similar::Similar::to(name);
    name::each_member(ty, |member| similar.add(member.name()));
    similar.hint()
}

fn show_type(btf: &Btf, ty: Type<'_>, style: Style, out: &mut Stdout) -> io::Result<()> {
    match ty {
        Type::Struct(_) | Type::Union(_) | Type::Enum(_) | Type::Enum64(_) => layout::show(out, style, ty),
        Type::Typedef(typedef) => show_typedef(typedef, style, out),
        Type::Func(func) => {
            for tag in btf.decl_tags_of(ty) {
                out.comment(format_args!("{}", tag.name()))?;
                out.text("\n")?;
            }
            write!(out, "{ty};")?;
            // All functions of a kernel are static, whatever they were.
            if func.linkage() != Linkage::Static {
                out.text(" ")?;
                out.comment(format_args!("{}", func.linkage()))?;
            }
            out.text("\n")
        }
        Type::Var(var) => layout::declaration(out, style, "", var.ty(), var.name()),
        Type::Datasec(section) => layout::section(out, style, section),
        Type::DeclTag(tag) => {
            write!(out, "{ty}; ")?;
            out.comment(format_args!("of {}", Tagged(tag)))?;
            out.text("\n")
        }
        ty => layout::declaration(out, style, "", ty, Name::EMPTY),
    }
}

/// Shows a typedef, and those that it is made of.
fn show_typedef(typedef: Typedef<'_>, style: Style, out: &mut Stdout) -> io::Result<()> {
    /// As many as the types of a chain that are followed.
    const STEPS: usize = 64;
    let mut next = Some(typedef);
    for _ in 0..STEPS {
        let Some(typedef) = next else { break };
        layout::declaration(out, style, "typedef ", typedef.target(), typedef.name())?;
        next = Typedef::try_from(typedef.target().peel_qualifiers()).ok();
    }
    Ok(())
}

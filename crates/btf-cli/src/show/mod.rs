//! `btf show`: types as C declares them, and how they lie in memory.

mod layout;

use std::{
    fmt::Write as _,
    io::{self, IsTerminal, Write},
    path::{Path, PathBuf},
};

use btf_types::{Btf, Datasec, EnumValues, Error, Kind, Type};
use clap::Args;
use regex::bytes::Regex;

use crate::{
    Result,
    source::{Options, Source},
};

/// What `btf show` takes.
#[derive(Args)]
#[command(after_help = "A NAME is `sk_buff`, `struct sk_buff`, `task_struct.mm.pgd`, or an id: `#1234`.\n\n\
Examples:\n  btf show sk_buff\n  btf show 'struct list_head' tcp_sendmsg\n  btf show task_struct.mm ./vmlinux.btf")]
pub(crate) struct Arguments {
    /// Names of types; the last may be a file of raw BTF, if it has a `/` in it
    /// or is the name of a file that is there.
    #[arg(required = true, value_name = "NAME")]
    names: Vec<String>,
    /// Show members that are structs with their own members.
    #[arg(long)]
    expand: bool,
    #[command(flatten)]
    options: Options,
}

pub(crate) fn run(arguments: &Arguments) -> Result {
    let (names, file) = match arguments.names.as_slice() {
        [names @ .., last] if !names.is_empty() && (last.contains('/') || Path::new(last).is_file()) => {
            (names, Some(PathBuf::from(last)))
        }
        names => (names, None),
    };
    let source = Source::of(file.as_deref(), &arguments.options);
    let btf = source.open()?;
    let mut text = String::new();
    // What was found before an error is shown all the same.
    let result = names.iter().try_for_each(|name| show(&btf, name, arguments.expand, &mut text));
    let mut out = io::stdout().lock();
    if io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()) {
        text = with_dim_comments(&text);
    }
    out.write_all(text.as_bytes())?;
    out.flush()?;
    result
}

/// The text with its comments dimmed, for a terminal.
fn with_dim_comments(text: &str) -> String {
    text.replace("/*", "\x1b[2m/*").replace("*/", "*/\x1b[0m")
}

/// Shows all that a name means.
fn show(btf: &Btf, name: &str, expand: bool, text: &mut String) -> Result {
    if let Some(id) = name.strip_prefix('#') {
        let ty = btf.type_by_id(id.parse().map_err(|_| format!("{name}: expected a number after #"))?)?;
        return show_type(ty, expand, text);
    }
    if name.contains(['.', '[']) && !name.starts_with('.') {
        return show_path(btf, name, expand, text);
    }
    let (kind, bare) = match name.split_once(' ') {
        Some((kind, bare)) => (Some(kind), bare),
        None => (None, name),
    };
    let found: Vec<Type<'_>> = btf.find_all::<Type<'_>>(bare).into_iter().filter(|ty| is_declared(*ty, kind)).collect();
    if found.is_empty() {
        return Err(not_found(btf, name, bare).into());
    }
    for ty in &found {
        if found.len() > 1 {
            let kind = ty.kind().map_or("type", Kind::as_str);
            writeln!(text, "/* #{} {kind} */", ty.id())?;
        }
        show_type(*ty, expand, text)?;
    }
    Ok(())
}

/// Whether a type is declared with this word before its name.
fn is_declared(ty: Type<'_>, word: Option<&str>) -> bool {
    match word {
        None => true,
        Some("struct") => matches!(ty, Type::Struct(_) | Type::Fwd(_)),
        Some("union") => matches!(ty, Type::Union(_) | Type::Fwd(_)),
        Some("enum") => matches!(ty, Type::Enum(_) | Type::Enum64(_)),
        Some(word) => ty.kind().is_some_and(|kind| word.parse() == Ok(kind)),
    }
}

/// The error for a name that nothing has, with those that are like it.
fn not_found(btf: &Btf, name: &str, bare: &str) -> String {
    // Everything, but for names that are too long for anyone to mean them.
    let Ok(everything) = Regex::new("") else { return format!("no type is named {name}") };
    let mut like: Vec<(f64, String)> = btf
        .find_matching(&everything)
        .map(|ty| ty.name().to_string())
        .filter(|other| other.len().abs_diff(bare.len()) < 4)
        .map(|other| (strsim::jaro_winkler(bare, &other), other))
        .filter(|(likeness, _)| *likeness > 0.9)
        .collect();
    like.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    like.dedup_by(|a, b| a.1 == b.1);
    let names: Vec<_> = like.into_iter().take(3).map(|(_, name)| name).collect();
    match names.as_slice() {
        [] => format!("no type is named {name}"),
        names => format!("no type is named {name}; there is {}", names.join(", ")),
    }
}

fn show_path(btf: &Btf, name: &str, expand: bool, text: &mut String) -> Result {
    let path = btf.path(name).map_err(|error| match error {
        Error::NoSuchName { .. } => {
            let root = name.split(['.', '[']).next().unwrap_or(name);
            not_found(btf, root, root)
        }
        error => error.to_string(),
    })?;
    writeln!(text, "/* {name} */")?;
    for step in path.steps() {
        write!(text, "{} at offset {}", step.to, step.bit_offset / 8)?;
        if let Some(bits) = step.bitfield_size {
            write!(text, ", bit {}, {bits} bits", step.bit_offset % 8)?;
        }
        writeln!(text, " of {}", step.from)?;
    }
    match path.ty().peel_modifiers() {
        ty @ (Type::Struct(_) | Type::Union(_) | Type::Enum(_) | Type::Enum64(_)) => show_type(ty, expand, text),
        _ => Ok(()),
    }
}

fn show_type(ty: Type<'_>, expand: bool, text: &mut String) -> Result {
    match ty {
        Type::Struct(_) | Type::Union(_) => layout::show(ty, expand, text)?,
        Type::Enum(e) => show_values(ty, e.size(), e.values(), text)?,
        Type::Enum64(e) => show_values(ty, e.size(), e.values(), text)?,
        Type::Typedef(typedef) => {
            let target = typedef.target();
            let is_anonymous = target.peel_modifiers().is_anonymous();
            match target.peel_modifiers() {
                Type::Struct(_) | Type::Union(_) if is_anonymous => {
                    let mut body = String::new();
                    layout::show(target.peel_modifiers(), expand, &mut body)?;
                    writeln!(text, "typedef {} {};", body.trim_end().trim_end_matches(';'), ty.name())?;
                }
                _ => writeln!(text, "typedef {};", target.declare(ty.name()))?,
            }
        }
        Type::Func(func) => {
            for tag in ty.decl_tags() {
                writeln!(text, "/* {} */", tag.name())?;
            }
            writeln!(text, "{ty}; /* {} */", func.linkage())?;
        }
        Type::Datasec(section) => show_section(section, text)?,
        ty => {
            let size = ty.size_of().map_or_else(|_| String::new(), |size| format!(" /* size: {size} */"));
            writeln!(text, "{ty};{size}")?;
        }
    }
    Ok(())
}

fn show_values(ty: Type<'_>, size: u32, values: EnumValues<'_>, text: &mut String) -> Result {
    let name = ty.name();
    writeln!(text, "enum {name}{}{{", if name.is_empty() { "" } else { " " })?;
    let count = values.len();
    for value in values {
        writeln!(text, "\t{} = {},", value.name(), value.value())?;
    }
    writeln!(text, "\n\t/* size: {size}, values: {count} */\n}};")?;
    Ok(())
}

fn show_section(section: Datasec<'_>, text: &mut String) -> Result {
    writeln!(text, "SEC(\"{}\") {{", section.name())?;
    for entry in section.entries() {
        layout::line(text, 1, &format!("{};", entry.ty()), &format!("{:>5} {:>5}", entry.offset(), entry.size()));
    }
    writeln!(text, "\n\t/* size: {}, variables: {} */\n}};", section.size(), section.entries().len())?;
    Ok(())
}

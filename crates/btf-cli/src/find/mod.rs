//! `btf find`: types and enumerators by name, exactly, by pattern, or by
//! regular expression.

mod kinds;

use std::{
    io::{self, Write},
    path::PathBuf,
};

use btf_types::{Btf, EnumValue, EnumValues, Kind, Type, format::Escaped};
use clap::Args;

use self::kinds::{What, parser};
use crate::{
    Result,
    json::Json,
    output::{Output, Stdout},
    pattern::Pattern,
    similar,
    source::{Opened, Options, Source, SourceName},
    tag::{self, Tagged},
};

/// What `btf find` takes.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  btf find task_struct\n  btf find 'tcp_*' --kind func\n  btf find TCP_ESTABLISHED\n  btf find --regex '^bpf_.*_ops$' vmlinux.btf"
)]
pub(crate) struct Arguments {
    /// A name, in which `*` stands for anything and `?` for any one byte.
    pattern: String,
    /// A file with BTF: raw, ELF, a module or a kernel image, also compressed;
    /// `-` for standard input; without one, the running kernel's.
    source: Option<PathBuf>,
    /// The pattern is a regular expression, to be found anywhere in a name.
    #[arg(long)]
    regex: bool,
    /// Only types of these kinds; more than once, or with commas.
    #[arg(long, value_parser = parser(), ignore_case = true, value_delimiter = ',')]
    kind: Vec<What>,
    /// Print JSON, one array of all that was found.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    options: Options,
}

impl Arguments {
    fn wants(&self, what: What) -> bool {
        self.kind.is_empty() || self.kind.contains(&what)
    }

    fn wants_type(&self, ty: Type<'_>) -> bool {
        self.kind.is_empty() || ty.kind().is_some_and(|kind| self.kind.contains(&What::Type(kind)))
    }
}

pub(crate) fn run(arguments: &Arguments, out: &mut Stdout) -> Result {
    let source = Source::of(arguments.source.as_deref(), &arguments.options);
    let Opened { btf, name, .. } = source.open_file()?;
    let pattern = match arguments.regex {
        true => Pattern::regex(&arguments.pattern)?,
        false => Pattern::glob(&arguments.pattern)?,
    };
    let object = Object { btf: &btf, name: &name };
    let found = match arguments.json {
        true => {
            let mut json = Json::new(out);
            json.begin_array()?;
            let found = search(object, &pattern, arguments, |found| found.write_json(object, &mut json))?;
            json.end_array()?;
            json.end()?;
            found
        }
        false => search(object, &pattern, arguments, |found| found.write_text(object, out))?,
    };
    if found > 0 {
        return Ok(());
    }
    let hint = if pattern.is_exact() { similar::types(&btf, &arguments.pattern) } else { String::new() };
    Err(format!("{name}: nothing is named {}{hint}", arguments.pattern).into())
}

/// BTF that is searched, and what it is called.
#[derive(Clone, Copy)]
struct Object<'btf> {
    btf: &'btf Btf,
    name: &'btf SourceName,
}

impl Object<'_> {
    /// Whose type it is: the source's, or its base's.
    fn of(&self, ty: Type<'_>) -> &str {
        match self.btf.layer_of(ty) {
            Some(layer) if !layer.is_same(self.btf) => "base",
            _ => self.name.as_str(),
        }
    }
}

/// Something that was found.
enum Found<'btf> {
    Type(Type<'btf>),
    Enumerator { of: Type<'btf>, value: EnumValue<'btf> },
}

/// Hands out all types and enumerators that are wanted; returns their number.
fn search<'btf>(
    object: Object<'btf>,
    pattern: &Pattern,
    arguments: &Arguments,
    mut each: impl FnMut(Found<'btf>) -> io::Result<()>,
) -> io::Result<u64> {
    let mut count = 0;
    for ty in pattern.types(object.btf).filter(|ty| arguments.wants_type(*ty)) {
        each(Found::Type(ty))?;
        count += 1;
    }
    if !arguments.wants(What::Enumerator) {
        return Ok(count);
    }
    for ty in object.btf.layers().flat_map(Btf::types) {
        for value in values(ty).into_iter().flatten().filter(|value| pattern.matches(value.name())) {
            each(Found::Enumerator { of: ty, value })?;
            count += 1;
        }
    }
    Ok(count)
}

fn values(ty: Type<'_>) -> Option<EnumValues<'_>> {
    match ty {
        Type::Enum(e) => Some(e.values()),
        Type::Enum64(e) => Some(e.values()),
        _ => None,
    }
}

impl Found<'_> {
    fn write_text<W: Write>(&self, object: Object<'_>, out: &mut Output<W>) -> io::Result<()> {
        let ty = match *self {
            Self::Type(ty) => {
                let kind = ty.kind().map_or("UNKNOWN", Kind::as_str);
                let size = ty.size_of().map_or_else(|_| "-".into(), |size| size.to_string());
                write!(out, "{:>8} {kind:<10} {size:>8} {}", format_args!("#{}", ty.id()).to_string(), ty.name())?;
                if let Type::DeclTag(tag) = ty {
                    write!(out, "  of {}", Tagged(tag))?;
                }
                ty
            }
            Self::Enumerator { of, value } => {
                let (id, name, value) = (format_args!("#{}", of.id()).to_string(), value.name(), value.value());
                write!(out, "{id:>8} ENUMERATOR        - {name} = {value}  of {of}")?;
                of
            }
        };
        match object.btf.is_split() {
            true => writeln!(out, "  ({})", Escaped::new(object.of(ty))),
            false => out.text("\n"),
        }
    }

    fn write_json<W: Write>(&self, object: Object<'_>, json: &mut Json<'_, W>) -> io::Result<()> {
        json.begin_object()?;
        let ty = match *self {
            Self::Type(ty) => {
                write_type(ty, json)?;
                if let Type::DeclTag(tag) = ty {
                    json.key("target")?;
                    json.begin_object()?;
                    write_type(tag.target(), json)?;
                    json.end_object()?;
                    json.key("component")?;
                    json.maybe(tag.component_idx())?;
                    json.key("component_name")?;
                    match tag::component(tag) {
                        Some(name) => json.name(name)?,
                        None => json.null()?,
                    }
                }
                ty
            }
            Self::Enumerator { of, value } => {
                json.key("id")?;
                json.number(of.id())?;
                json.key("kind")?;
                json.str("ENUMERATOR")?;
                json.key("name")?;
                json.name(value.name())?;
                json.key("value")?;
                json.number(value.value())?;
                json.key("enum")?;
                json.name(of.name())?;
                of
            }
        };
        json.key("size")?;
        json.maybe(ty.size_of().ok())?;
        json.key("object")?;
        json.str(object.of(ty))?;
        json.end_object()
    }
}

fn write_type<W: Write>(ty: Type<'_>, json: &mut Json<'_, W>) -> io::Result<()> {
    json.key("id")?;
    json.number(ty.id())?;
    json.key("kind")?;
    json.str(ty.kind().map_or("UNKNOWN", Kind::as_str))?;
    json.key("name")?;
    json.name(ty.name())
}

//! `btf find`: types and enumerators by exact name, pattern or regular
//! expression.

mod contains;
mod kinds;
mod uses;

use std::{
    borrow::Cow,
    io::{self, Write},
    path::{Path, PathBuf},
};

use btf_types::{Btf, DeclTag, EnumValue, Kind, Name, Type, format::Escaped};
use clap::Args;

use self::{
    contains::{Contains, Inside, Step},
    kinds::{What, parser},
    uses::{Part, Use, Uses},
};
use crate::{
    Result,
    json::Json,
    output::{Output, Stdout},
    pattern::Pattern,
    similar,
    source::{Options, Source, SourceName, is_file},
    tag::{self, Tagged},
    word::{Word, is_keyword},
};

/// Arguments of `btf find`.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  btf find task_struct\n  btf find 'tcp_*' --kind func\n  btf find TCP_ESTABLISHED\n  btf find --uses mm_struct\n  btf find --uses sk_buff --kind func\n  btf find --contains spinlock_t\n  btf find --kind decl_tag\n  btf find --kfuncs 'bpf_*'\n  btf find --modules nft_chain\n  btf find --regex '^bpf_.*_ops$' vmlinux.btf"
)]
pub(crate) struct Arguments {
    /// A name, in which `*` stands for any bytes and `?` for one; `struct` or
    /// another keyword before it selects a kind. May be omitted with --kind or
    /// --kfuncs, to find all; a single argument is then the file if it contains
    /// a `/` or names a file with BTF.
    #[arg(required_unless_present_any = ["kind", "kfuncs"])]
    pattern: Option<String>,
    /// A file with BTF: raw, ELF, a module or a kernel image, also compressed;
    /// `-` for standard input. Default: the running kernel.
    source: Option<PathBuf>,
    /// Treat the pattern as a regular expression that matches anywhere in a
    /// name.
    #[arg(long, requires = "pattern")]
    regex: bool,
    /// Find only these kinds. May be repeated, or separated by commas.
    #[arg(long, value_parser = parser(), ignore_case = true, value_delimiter = ',')]
    kind: Vec<What>,
    /// Find uses of the type: members, functions that take or return it,
    /// variables and typedefs, also through pointers and arrays.
    #[arg(long, requires = "pattern", conflicts_with = "contains")]
    uses: bool,
    /// Find structs and unions that contain the type by value, with the path to
    /// it and its offset in bytes.
    #[arg(long, requires = "pattern")]
    contains: bool,
    /// Find only kernel functions that BPF programs may call (kfuncs): those
    /// tagged bpf_kfunc.
    #[arg(long, conflicts_with_all = ["uses", "contains", "kind"])]
    kfuncs: bool,
    /// Also search all modules of the kernel.
    #[arg(long, conflicts_with_all = ["base", "module", "member", "id", "prog", "map", "source"])]
    modules: bool,
    /// Print JSON: one array of all results.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    options: Options,
}

impl Arguments {
    /// Returns the source options if the command searches for this name.
    pub(crate) fn is_for(&self, name: &str) -> Option<&Options> {
        let last = self.source.as_deref().map_or(self.pattern.as_deref(), std::path::Path::to_str);
        let is_word = |word: &String| is_keyword(word);
        let is_name = self.source.is_none() || self.pattern.as_ref().is_some_and(is_word);
        last.filter(|last| is_name && *last == name).map(|_| &self.options)
    }

    fn wants(&self, what: What) -> bool {
        self.kind.is_empty() || self.kind.contains(&what)
    }

    fn wants_type(&self, ty: Type<'_>) -> bool {
        if self.kfuncs {
            return matches!(ty, Type::Func(_)) && ty.decl_tags().any(|tag| tag.name() == "bpf_kfunc");
        }
        self.kind.is_empty() || ty.kind().is_some_and(|kind| self.wants(What::Type(kind)))
    }

    /// Returns the name and the file. An ambiguous argument is the file if the
    /// name may be omitted.
    fn name_and_file(&self) -> (Option<Cow<'_, str>>, Option<&Path>) {
        let needs_name = self.regex || self.uses || self.contains || self.modules;
        match (self.pattern.as_deref(), self.source.as_deref()) {
            (Some(file), None) if !needs_name && (self.kfuncs || !self.kind.is_empty()) && is_file(file) => {
                (None, Some(file.as_ref()))
            }
            // The shell has split `struct sk_buff` into two arguments.
            (Some(word), Some(name)) if is_keyword(word) && !name.to_str().is_none_or(is_file) => {
                (Some(format!("{word} {}", name.display()).into()), None)
            }
            (name, file) => (name.map(Cow::Borrowed), file),
        }
    }

    /// Returns the message for no results.
    fn nothing(&self, name: Option<&str>) -> String {
        let nothing = if self.kind.is_empty() { "nothing" } else { "nothing of this kind" };
        match (name, self.uses, self.contains) {
            (None, ..) if self.kfuncs => "there are no kfuncs".into(),
            (None, ..) => "there is nothing of this kind".into(),
            (Some(name), true, _) => format!("{nothing} uses a type named {name}"),
            (Some(name), _, true) => format!("{nothing} contains a type named {name}"),
            (Some(name), ..) if self.kfuncs => format!("no kfunc is named {name}"),
            (Some(name), ..) => format!("{nothing} is named {name}"),
        }
    }
}

/// Types to find by name.
struct Named<'n> {
    word: Word<'n>,
    bare: &'n str,
    pattern: Pattern,
}

impl<'n> Named<'n> {
    fn parse(name: Option<&'n str>, is_regex: bool) -> Result<Self> {
        let (word, bare) = match name {
            Some(name) if !is_regex => Word::split(name),
            name => (Word::Any, name.unwrap_or_default()),
        };
        let pattern = match name {
            None => Pattern::All,
            Some(_) if is_regex => Pattern::regex(bare)?,
            Some(_) => Pattern::glob(bare),
        };
        Ok(Self { word, bare, pattern })
    }

    fn types<'btf>(&self, btf: &'btf Btf) -> impl Iterator<Item = Type<'btf>> + use<'_, 'n, 'btf> {
        self.pattern.types(btf).filter(|ty| self.word.is_before(*ty))
    }

    /// Returns a hint for no results: other items of this name, or similar
    /// names.
    fn hint(&self, btf: &Btf, source: &Source) -> String {
        if !self.pattern.is_exact() {
            return String::new();
        }
        let others = btf.find_all::<Type<'_>>(self.bare);
        let others: Vec<_> = others.into_iter().take(OTHERS).map(|ty| format!("{} {}", kind(ty), ty.name())).collect();
        match others.as_slice() {
            [] => source.hint_to_modules(self.bare) + &similar::types(btf, self.bare),
            others => format!("; there is {}", others.join(", ")),
        }
    }
}

/// Maximum number of types in a hint.
const OTHERS: usize = 3;

pub(crate) fn run(arguments: &Arguments, out: &mut Stdout) -> Result {
    let (name, file) = arguments.name_and_file();
    let (name, source) = (name.as_deref(), Source::of(file, &arguments.options));
    let named = Named::parse(name, arguments.regex)?;
    if arguments.modules {
        let modules = source.open_modules()?;
        let objects = modules.collection().objects();
        let names: Vec<_> = objects.map(|object| (SourceName::from(object.name()), object.btf())).collect();
        let found = search_all(&names, &named, arguments, out)?;
        for (_, error) in modules.faults() {
            crate::warn(error);
        }
        return match found {
            0 => Err(format!("the kernel and its modules: {}", arguments.nothing(name)).into()),
            _ => Ok(()),
        };
    }
    let opened = source.open_file()?;
    let (btf, objects) = (&opened.btf, [(opened.name, &opened.btf)]);
    if search_all(&objects, &named, arguments, out)? > 0 {
        return Ok(());
    }
    // The type may exist without any uses.
    let is_there = (arguments.uses || arguments.contains) && named.types(btf).next().is_some();
    let hint = if is_there { String::new() } else { named.hint(btf, &source) };
    let [(source, _)] = objects;
    Err(format!("{source}: {}{hint}", arguments.nothing(name)).into())
}

/// Prints all results, and returns their number.
fn search_all(
    objects: &[(SourceName, &Btf)],
    named: &Named<'_>,
    arguments: &Arguments,
    out: &mut Stdout,
) -> io::Result<u64> {
    // With several objects, the base of the modules is one of them.
    let is_whole = objects.len() == 1;
    let objects = objects.iter().map(|(name, btf)| Object { btf, name, is_whole });
    if !arguments.json {
        return objects
            .map(|object| object.search(named, arguments, |found| found.write_text(object, out)))
            .try_fold(0, |sum, count| Ok(sum + count?));
    }
    let mut json = Json::new(out);
    json.begin_array()?;
    let mut count = 0;
    for object in objects {
        count += object.search(named, arguments, |found| found.write_json(object, &mut json))?;
    }
    json.end_array()?;
    json.end()?;
    Ok(count)
}

/// BTF to search, with its name.
#[derive(Clone, Copy)]
struct Object<'btf> {
    btf: &'btf Btf,
    name: &'btf SourceName,
    /// True if its base is searched too.
    is_whole: bool,
}

impl<'btf> Object<'btf> {
    /// Returns the name of a type's owner: the source or its base.
    fn of(&self, ty: Type<'_>) -> &str {
        match self.is_own(ty) {
            true => self.name.as_str(),
            false => "base",
        }
    }

    fn is_own(&self, ty: Type<'_>) -> bool {
        !self.btf.is_split() || self.btf.own_ids().contains(&ty.id())
    }

    fn is_wanted(&self, ty: Type<'_>) -> bool {
        self.is_whole || self.is_own(ty)
    }

    /// Number of layers to search: only one if the base is not searched.
    fn layers(self) -> usize {
        if self.is_whole { usize::MAX } else { 1 }
    }

    fn types(self) -> impl Iterator<Item = Type<'btf>> {
        self.btf.layers().take(self.layers()).flat_map(Btf::types)
    }

    /// Yields all results, and returns their number.
    fn search(
        self,
        named: &Named<'_>,
        arguments: &Arguments,
        mut each: impl FnMut(Found<'btf>) -> io::Result<()>,
    ) -> io::Result<u64> {
        let mut count = 0;
        let mut found = |found| {
            count += 1;
            each(found)
        };
        let types = named.types(self.btf);
        let wanted = self.types().filter(|ty| arguments.wants_type(*ty));
        if arguments.uses {
            let mut uses = Uses::of(types.map(Type::id).collect());
            wanted.into_iter().try_for_each(|ty| uses.each(ty, |part| found(Found::Use(part))))?;
        } else if arguments.contains {
            let mut contains = Contains::of(types.map(Type::id).collect());
            let wanted = wanted.filter(|ty| !ty.is_anonymous());
            wanted.into_iter().try_for_each(|ty| contains.each(ty, |inside| found(Found::Inside(inside))))?;
        } else {
            let wanted = types.filter(|ty| self.is_wanted(*ty) && arguments.wants_type(*ty));
            wanted.into_iter().try_for_each(|ty| found(Found::Type(ty)))?;
            if matches!(named.word, Word::Any) && !arguments.kfuncs && arguments.wants(What::Enumerator) {
                let mut values = named.pattern.enumerators(self.btf, self.layers());
                values.try_for_each(|value| found(Found::Enumerator(value)))?;
            }
        }
        Ok(count)
    }
}

/// Result of the search.
enum Found<'btf> {
    Type(Type<'btf>),
    Enumerator(EnumValue<'btf>),
    Use(Use<'btf>),
    Inside(Inside<'btf>),
}

fn kind(ty: Type<'_>) -> &'static str {
    ty.kind().map_or("UNKNOWN", Kind::as_str)
}

/// Returns a name, or `(anon)` if it is empty.
fn or_anonymous(name: Name<'_>) -> Name<'_> {
    if name.is_empty() { "(anon)".into() } else { name }
}

impl Found<'_> {
    /// Returns the type that was found, or that contains the result.
    fn of(&self) -> Type<'_> {
        match self {
            Self::Type(ty) => *ty,
            Self::Enumerator(value) => value.enumeration().into(),
            Self::Use(used) => used.of,
            Self::Inside(inside) => inside.of,
        }
    }

    /// Writes a line: id, kind, size in bytes (or the offset of a contained
    /// type), name and details.
    fn write_text<W: Write>(&self, object: Object<'_>, out: &mut Output<W>) -> io::Result<()> {
        let ty = self.of();
        let id = format!("#{}", ty.id());
        let number = match self {
            Self::Type(ty) => ty.size_of().ok(),
            Self::Use(Use { part: Part::Member(member), .. }) => Some(u64::from(member.bit_offset()) / 8),
            Self::Inside(inside) => Some(inside.bit_offset / 8),
            _ => None,
        };
        let number = number.map_or_else(|| "-".into(), |number| number.to_string());
        let kind = if matches!(self, Self::Enumerator(_)) { "ENUMERATOR" } else { kind(ty) };
        write!(out, "{id:>8} {kind:<10} {number:>8} ")?;
        match self {
            Self::Type(ty) => {
                match ty.is_anonymous() {
                    true => write!(out, "{ty}")?,
                    false => write!(out, "{}", ty.name())?,
                }
                if let Type::DeclTag(tag) = ty {
                    write!(out, "  of {}", Tagged(*tag))?;
                }
            }
            Self::Enumerator(value) => write!(out, "{} = {}  of {ty}", value.name(), value.value())?,
            Self::Use(Use { of, part, ty }) => {
                let name = or_anonymous(of.name());
                match part {
                    Part::Member(member) => write!(out, "{name}.{}  {ty}", or_anonymous(member.name()))?,
                    Part::Parameter { name: param, index } => {
                        write!(out, "{name}  parameter {index}: {}", ty.declare(*param))?;
                    }
                    Part::Return => write!(out, "{name}  returns {ty}")?,
                    Part::Whole => write!(out, "{name}  {ty}")?,
                }
            }
            Self::Inside(inside) => {
                write!(out, "{}", inside.of.name())?;
                for Step { name, is_array } in inside.steps.iter().filter(|step| !step.name.is_empty()) {
                    write!(out, ".{name}{}", if *is_array { "[]" } else { "" })?;
                }
                write!(out, "  {}", inside.ty)?;
            }
        }
        match object.btf.is_split() || !object.is_whole {
            true => writeln!(out, "  ({})", Escaped::new(object.of(ty))),
            false => out.text("\n"),
        }
    }

    fn write_json<W: Write>(&self, object: Object<'_>, json: &mut Json<'_, W>) -> io::Result<()> {
        json.begin_object()?;
        match self {
            Self::Type(ty) => {
                write_type(*ty, json)?;
                json.key("size")?;
                json.maybe(ty.size_of().ok())?;
                if let Type::DeclTag(tag) = ty {
                    write_tagged(*tag, json)?;
                }
            }
            Self::Enumerator(value) => {
                let of = value.enumeration();
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
                json.key("size")?;
                json.maybe(of.size_of().ok())?;
            }
            Self::Use(used) => {
                write_type(used.of, json)?;
                json.key("use")?;
                json.str(used.part.as_str())?;
                match used.part {
                    Part::Member(member) => {
                        json.key("member")?;
                        json.name(member.name())?;
                        json.key("index")?;
                        json.number(member.index())?;
                        json.key("bit_offset")?;
                        json.number(member.bit_offset())?;
                    }
                    Part::Parameter { index, name } => {
                        json.key("parameter")?;
                        json.name(name)?;
                        json.key("index")?;
                        json.number(index)?;
                    }
                    Part::Return | Part::Whole => {}
                }
                write_used(used.ty, json)?;
            }
            Self::Inside(inside) => {
                write_type(inside.of, json)?;
                json.key("path")?;
                json.begin_array()?;
                inside.steps.iter().try_for_each(|step| json.name(step.name))?;
                json.end_array()?;
                json.key("bit_offset")?;
                json.number(inside.bit_offset)?;
                write_used(inside.ty, json)?;
            }
        }
        json.key("object")?;
        json.str(object.of(self.of()))?;
        json.end_object()
    }
}

/// Writes the type as it is used.
fn write_used<W: Write>(ty: Type<'_>, json: &mut Json<'_, W>) -> io::Result<()> {
    json.key("type")?;
    json.display(ty)?;
    json.key("type_id")?;
    json.number(ty.id())
}

/// Writes the tagged declaration of a decl tag.
fn write_tagged<W: Write>(tag: DeclTag<'_>, json: &mut Json<'_, W>) -> io::Result<()> {
    json.key("target")?;
    json.begin_object()?;
    write_type(tag.target(), json)?;
    json.end_object()?;
    json.key("component")?;
    json.maybe(tag.component_idx())?;
    json.key("component_name")?;
    match tag::component(tag) {
        Some(name) => json.name(name),
        None => json.null(),
    }
}

fn write_type<W: Write>(ty: Type<'_>, json: &mut Json<'_, W>) -> io::Result<()> {
    json.key("id")?;
    json.number(ty.id())?;
    json.key("kind")?;
    json.str(kind(ty))?;
    json.key("name")?;
    json.name(ty.name())
}

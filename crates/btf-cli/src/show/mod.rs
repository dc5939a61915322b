//! `btf show`: types in C syntax with their layout in memory.

mod at;
mod declare;
mod gaps;
mod json;
mod layout;
mod name;
mod text;

use std::{io, path::PathBuf};

use btf_types::{Btf, Error, Kind, Type};
use clap::Args;

pub(crate) use self::name::each_member;
use self::{json::Show, layout::Style, name::Query, text::Text};
use crate::{
    Result, failures,
    json::Json,
    output::Stdout,
    pattern::Pattern,
    similar,
    source::{Options, Source, is_file},
    word::Word,
};

/// Arguments of `btf show`.
#[derive(Args)]
#[command(
    after_help = "A NAME is one of\n  sk_buff, struct sk_buff    a type, of any kind or of this one\n  'tcp_*', 'struct *'        all types that a pattern matches\n  task_struct.mm->pgd        a member, through pointers and arrays\n  task_struct+0x7a8          the members that hold this byte\n  #1234                      the type with this id\n\nComments have offset and size of members in bytes, as pahole's do; of bitfields the offset of the storage unit, the bit in it, and the size of the unit.\n\nExamples:\n  btf show sk_buff\n  btf show 'struct list_head' tcp_sendmsg\n  btf show task_struct.mm ./vmlinux.btf"
)]
pub(crate) struct Arguments {
    /// Names of types. The last one may be a file with BTF, if it contains a
    /// `/` or names such a file.
    #[arg(required = true, value_name = "NAME")]
    names: Vec<String>,
    /// Show the members of members that are structs, also through typedefs.
    #[arg(long)]
    expand: bool,
    /// Print offsets and sizes in hexadecimal.
    #[arg(long)]
    hex: bool,
    /// Print JSON: one array with an object for each type. Offsets are in bits.
    #[arg(long, conflicts_with = "hex")]
    json: bool,
    #[command(flatten)]
    options: Options,
}

impl Arguments {
    /// Returns the source options if the last name is this one.
    pub(crate) fn ends_with(&self, name: &str) -> Option<&Options> {
        self.names.last().filter(|last| *last == name).map(|_| &self.options)
    }
}

pub(crate) fn run(arguments: &Arguments, out: &mut Stdout) -> Result {
    let (names, file) = split_off_file(&arguments.names);
    let source = Source::of(file.as_deref(), &arguments.options);
    let btf = source.open()?;
    let style = Style { expand: arguments.expand, hex: arguments.hex };
    if !arguments.json {
        return Lookup { source: &source, btf: &btf, form: Text::new(out, style) }.all(names);
    }
    let mut json = Json::new(out);
    json.begin_array()?;
    let result = Lookup { source: &source, btf: &btf, form: Show::new(&mut json, style) }.all(names);
    json.end_array()?;
    json.end()?;
    result
}

/// Format of the output.
trait Form {
    /// Called between types that match a pattern.
    fn separate(&mut self) -> io::Result<()>;
    /// Called before each of several types of a name.
    fn id(&mut self, ty: Type<'_>) -> io::Result<()>;
    fn ty(&mut self, btf: &Btf, ty: Type<'_>) -> io::Result<()>;
    fn path(&mut self, btf: &Btf, text: &str, path: &btf_types::Path<'_>) -> io::Result<()>;
    /// Writes the members at an offset of a type.
    fn at(&mut self, text: &str, ty: Type<'_>, offset: u64) -> io::Result<()>;
}

/// Splits off the file, if the last name is one.
fn split_off_file(names: &[String]) -> (&[String], Option<PathBuf>) {
    match names {
        [names @ .., last] if !names.is_empty() && is_file(last) => (names, Some(last.into())),
        names => (names, None),
    }
}

/// Shows the types that names refer to.
struct Lookup<'a, F> {
    source: &'a Source,
    btf: &'a Btf,
    form: F,
}

impl<'a, F: Form> Lookup<'a, F> {
    /// Shows all names. An error for one does not affect the others.
    fn all(&mut self, names: &[String]) -> Result {
        let mut failed = Vec::new();
        for name in name::joined(names) {
            match self.show(&name) {
                Ok(()) => {}
                // Of the output, not of the name.
                Err(error) if error.is::<io::Error>() => return Err(error),
                Err(error) => failed.push(error),
            }
        }
        failures(failed)
    }

    fn show(&mut self, name: &str) -> Result {
        match Query::parse(name)? {
            Query::Id(id) => Ok(self.form.ty(self.btf, self.btf.type_by_id(id)?)?),
            Query::Path(path) => {
                let found = self.path(path)?;
                Ok(self.form.path(self.btf, path, &found)?)
            }
            Query::At { name: bare, offset } => self.at(name, bare, offset),
            Query::Name { word, name: bare } => match Pattern::glob(bare) {
                pattern if pattern.is_exact() => self.exact(name, word, bare),
                pattern => self.matching(name, word, &pattern),
            },
        }
    }

    /// Shows all types of a name.
    fn exact(&mut self, name: &str, word: Word<'_>, bare: &str) -> Result {
        let found = self.btf.find_all::<Type<'_>>(bare);
        let mut found = found.into_iter().filter(|ty| word.is_before(*ty)).peekable();
        let first = found.next().ok_or_else(|| self.not_found(name, bare, word))?;
        let is_only = found.peek().is_none();
        for ty in [first].into_iter().chain(found) {
            if !is_only {
                self.form.id(ty)?;
            }
            self.form.ty(self.btf, ty)?;
        }
        Ok(())
    }

    /// Shows all types that match a pattern.
    fn matching(&mut self, name: &str, word: Word<'_>, pattern: &Pattern) -> Result {
        let mut is_first = true;
        for ty in pattern.types(self.btf).filter(|ty| word.is_before(*ty)) {
            if !std::mem::replace(&mut is_first, false) {
                self.form.separate()?;
            }
            self.form.ty(self.btf, ty)?;
        }
        if is_first { Err(format!("no type is named {name}{}", self.place()).into()) } else { Ok(()) }
    }

    /// Shows the members at an offset of a type, or of the target of a path.
    fn at(&mut self, name: &str, bare: &str, offset: u64) -> Result {
        let ty = self.path(bare)?.ty();
        let size = ty.size_of()?;
        if offset >= size {
            return Err(format!("{name}: {ty} has only {size} bytes").into());
        }
        Ok(self.form.at(bare, ty, offset)?)
    }

    fn path(&self, path: &str) -> Result<btf_types::Path<'a>> {
        Ok(self.btf.path(path).map_err(|error| self.path_error(path, error))?)
    }

    /// Returns the error for an unknown name, with similar ones, and with the
    /// modules that have it.
    fn not_found(&self, name: &str, bare: &str, word: Word<'_>) -> String {
        let others: Vec<_> = match word {
            Word::Any => Vec::new(),
            _ => self.btf.find_all::<Type<'_>>(bare).iter().map(ToString::to_string).take(3).collect(),
        };
        let hint = match others.as_slice() {
            [] => self.what_else(bare),
            others => format!("; there is {}", others.join(", ")),
        };
        format!("no type is named {name}{}{hint}", self.place())
    }

    /// Returns ` in FILE`; nothing for the kernel.
    fn place(&self) -> String {
        match self.source.name() {
            name if name.as_str().is_empty() => String::new(),
            name => format!(" in {name}"),
        }
    }

    /// Returns a hint: another item of this name, or types with similar names.
    fn what_else(&self, name: &str) -> String {
        if let Some(value) = self.btf.find_all_enumerators(name).first() {
            let of = value.enumeration();
            return format!("; there is an enumerator of {of}, '#{}'", of.id());
        }
        if name.parse().is_ok_and(|id| self.btf.type_by_id(id).is_ok()) {
            return format!("; the type with this id is '#{name}'");
        }
        self.source.hint_to_modules(name) + &similar::types(self.btf, name)
    }

    /// Returns the error of a path, with similar names.
    fn path_error(&self, path: &str, error: Error) -> String {
        match error {
            Error::NoSuchName { .. } => {
                let root = path.split(['.', '[', '-']).next().unwrap_or(path);
                match self.btf.find_first::<Type<'_>>(root) {
                    Some(ty) => format!("{path}: {root} is of kind {}, which has no members", kind(ty)),
                    None => self.not_found(root, root, Word::Any),
                }
            }
            Error::NoSuchMember { ty, rest, .. } => {
                let rest = rest.as_name();
                let ty = self.btf.type_by_id(ty.id()).unwrap_or(Type::Void);
                if matches!(rest.as_bytes(), b"." | b"->") {
                    return format!("{path}: expected the name of a member of {ty} at the end");
                }
                let member = name::first_member(rest.as_bytes());
                let hint = member.map_or_else(String::new, |member| similar_members(ty, member));
                format!("{path}: {ty} has no {rest}{hint}")
            }
            error => format!("{path}: {error}"),
        }
    }
}

/// Returns the name of a type's kind.
fn kind(ty: Type<'_>) -> &'static str {
    ty.kind().map_or("UNKNOWN", Kind::as_str)
}

/// Returns a hint to members with similar names.
fn similar_members(ty: Type<'_>, name: &str) -> String {
    let mut similar = similar::Similar::to(name);
    name::each_member(ty, |member| similar.add(member.name_start(similar::LENGTH + 1)));
    similar.hint()
}

//! Declarations of members, with the name in a column of its own as pahole has
//! them, or around the members of a type that is shown in its place.

use std::{
    fmt::{self, Write as _},
    io::{self, Write},
};

use btf_types::{Name, Type};

use crate::output::Output;

/// Stands for the name while a declaration is written; Unicode promises that no
/// text has this character.
const MARK: &str = "\u{ffff}";
/// The width of the types of members; less by a tab for each level of nesting.
const TYPES: usize = 26;
/// The width of a tab.
const TAB: usize = 8;

/// Writes a declaration, `depth` tabs from the left, with the name in its
/// column.
pub(super) fn in_columns<W: Write>(out: &mut Output<W>, ty: Type<'_>, name: Name<'_>, depth: usize) -> io::Result<()> {
    out.tabs(depth)?;
    if name.is_empty() {
        return write!(out, "{}", ty.declare(name));
    }
    let start = depth * TAB;
    let column = start + TYPES.saturating_sub(depth.saturating_sub(1) * TAB);
    write(out, ty, |text, out, state: &mut Columns| state.write(text, name, column, out))
}

/// Writes what a declaration has behind its base: ` *name[3]` of
/// `struct {...} *name[3]`.
pub(super) fn behind_base<W: Write>(
    out: &mut Output<W>,
    ty: Type<'_>,
    base: Type<'_>,
    name: Name<'_>,
) -> io::Result<()> {
    let mut before = Counter(0);
    let _ = qualifiers(ty).try_for_each(|qualifier| write!(before, "{qualifier} "));
    let _ = write!(before, "{base}");
    if name.is_empty() {
        let mut skip = before.0;
        return Pieces::write(out, ty.declare(name), |text, out| out.text(skipped(text, &mut skip)));
    }
    write(out, ty, |text, out, skip: &mut Skip| skip.write(text, name, before.0, out))
}

/// The qualifiers of the base of a declaration, as they stand before it.
pub(super) fn qualifiers(ty: Type<'_>) -> impl Iterator<Item = &'static str> {
    let mut own: Vec<&'static str> = Vec::new();
    for ty in std::iter::once(ty).chain(ty.chain()) {
        match ty {
            Type::Const(_) => own.push("const"),
            Type::Volatile(_) => own.push("volatile"),
            Type::Restrict(_) => own.push("restrict"),
            Type::TypeTag(_) => {}
            Type::Ptr(_) | Type::Array(_) | Type::FuncProto(_) => own.clear(),
            _ => break,
        }
    }
    own.into_iter()
}

/// The base of a declaration, and whether a pointer leads to it: what it is
/// made of, without pointers, arrays and qualifiers. `None` for a function.
pub(super) fn base(ty: Type<'_>) -> Option<(Type<'_>, bool)> {
    let mut is_behind_pointer = false;
    for ty in std::iter::once(ty).chain(ty.chain()) {
        match ty {
            Type::Ptr(_) => is_behind_pointer = true,
            Type::Array(_) | Type::Const(_) | Type::Volatile(_) | Type::Restrict(_) | Type::TypeTag(_) => {}
            Type::FuncProto(_) => return None,
            ty => return Some((ty, is_behind_pointer)),
        }
    }
    None
}

fn write<W: Write, S: Default>(
    out: &mut Output<W>,
    ty: Type<'_>,
    piece: impl Fn(&str, &mut Output<W>, &mut S) -> io::Result<()>,
) -> io::Result<()> {
    let mut state = S::default();
    Pieces::write(out, ty.declare(MARK), |text, out| piece(text, out, &mut state))
}

/// Text that comes in pieces, as `Display` hands it out.
struct Pieces<'o, W: Write, F> {
    out: &'o mut Output<W>,
    piece: F,
    result: io::Result<()>,
}

impl<'o, W: Write, F: FnMut(&str, &mut Output<W>) -> io::Result<()>> Pieces<'o, W, F> {
    fn write(out: &'o mut Output<W>, text: impl fmt::Display, piece: F) -> io::Result<()> {
        let mut pieces = Self { out, piece, result: Ok(()) };
        match write!(pieces, "{text}") {
            Ok(()) => Ok(()),
            Err(_) => pieces.result.and(Err(io::Error::other("formatter error"))),
        }
    }
}

impl<W: Write, F: FnMut(&str, &mut Output<W>) -> io::Result<()>> fmt::Write for Pieces<'_, W, F> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.result = (self.piece)(text, self.out);
        self.result.as_ref().map_err(|_| fmt::Error).copied()
    }
}

/// What is held back until the name comes.
#[derive(Default)]
struct Columns {
    held: String,
    has_name: bool,
}

impl Columns {
    fn write<W: Write>(&mut self, text: &str, name: Name<'_>, column: usize, out: &mut Output<W>) -> io::Result<()> {
        /// Bytes that are held at most of what stands before the name in
        /// parentheses.
        const HELD: usize = 256;
        if self.has_name {
            return out.text(text);
        }
        if text == MARK {
            self.has_name = true;
            out.pad_to(column, 0)?;
            return write!(out, " {}{name}", self.held.trim_start());
        }
        if self.held.starts_with(" (") && self.held.len() + text.len() <= HELD {
            self.held.push_str(text);
            return Ok(());
        }
        // The space was between words.
        out.text(&std::mem::take(&mut self.held))?;
        match text {
            " (" | "(" => self.held.push_str(" ("),
            " " => self.held.push_str(text),
            text => out.text(text)?,
        }
        Ok(())
    }
}

#[derive(Default)]
struct Skip(usize);

impl Skip {
    fn write<W: Write>(&mut self, text: &str, name: Name<'_>, skip: usize, out: &mut Output<W>) -> io::Result<()> {
        let mut left = skip.saturating_sub(self.0);
        self.0 += text.chars().count();
        match skipped(text, &mut left) {
            MARK => write!(out, "{name}"),
            text => out.text(text),
        }
    }
}

/// Text without so many characters from its start.
fn skipped<'t>(text: &'t str, skip: &mut usize) -> &'t str {
    let Some(taken) = skip.checked_sub(1) else { return text };
    match text.char_indices().nth(taken) {
        None => {
            *skip -= text.chars().count();
            ""
        }
        Some((at, c)) => {
            *skip = 0;
            text.get(at + c.len_utf8()..).unwrap_or_default()
        }
    }
}

/// Counts characters.
struct Counter(usize);

impl fmt::Write for Counter {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0 += text.chars().count();
        Ok(())
    }
}

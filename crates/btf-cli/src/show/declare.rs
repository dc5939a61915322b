//! Declarations of members, with the name in a column of its own as pahole has
//! them, or around the members of a type that is shown in its place.

use std::{
    fmt::{self, Write as _},
    io::{self, Write},
};

use btf_types::{Budget, Group, Name, Param, Type};

use crate::output::Output;

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
    let column = depth * TAB + TYPES.saturating_sub(depth.saturating_sub(1) * TAB);
    Style::write(out, Some(column), |style| ty.declarator().write(name, style))
}

/// Writes what a declaration has behind its base: ` *name[3]` of
/// `struct {...} *name[3]`.
pub(super) fn behind_base<W: Write>(out: &mut Output<W>, ty: Type<'_>, name: Name<'_>) -> io::Result<()> {
    Style::write(out, None, |style| ty.declarator().write_after_base(name, style))
}

/// The base of a declaration, and whether a pointer leads to it: what it is
/// made of, without pointers, arrays and qualifiers. `None` for a function.
pub(super) fn base(ty: Type<'_>) -> Option<(Type<'_>, bool)> {
    let declarator = ty.declarator();
    let has = |is: fn(&Type<'_>) -> bool| declarator.chain().iter().any(is);
    let is_function = has(|ty| matches!(ty, Type::FuncProto(_)));
    let is_behind_pointer = has(|ty| matches!(ty, Type::Ptr(_)));
    declarator.base().filter(|_| !is_function).map(|base| (base, is_behind_pointer))
}

/// The style of members.
struct Style<'o, W: Write> {
    out: &'o mut Output<W>,
    budget: Budget,
    /// Where the name begins, until it does.
    column: Option<usize>,
    result: io::Result<()>,
}

impl<'o, W: Write> Style<'o, W> {
    fn write(
        out: &'o mut Output<W>,
        column: Option<usize>,
        write: impl FnOnce(&mut Self) -> fmt::Result,
    ) -> io::Result<()> {
        let mut style = Self { out, budget: Budget::default(), column, result: Ok(()) };
        match write(&mut style) {
            Ok(()) => Ok(()),
            Err(_) => style.result.and(Err(io::Error::other("formatter error"))),
        }
    }

    fn written(&mut self, result: io::Result<()>) -> fmt::Result {
        self.result = result;
        self.result.as_ref().map_err(|_| fmt::Error).copied()
    }

    /// Goes to the column of the name; whether that has separated it from what is
    /// before it.
    fn pad_to_column(&mut self) -> Result<bool, fmt::Error> {
        let Some(column) = self.column.take() else { return Ok(false) };
        let result = self.out.pad_to(column, 0).and_then(|()| self.out.text(" "));
        self.written(result).map(|()| true)
    }
}

impl<W: Write> fmt::Write for Style<'_, W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let result = self.out.text(text);
        self.written(result)
    }
}

impl<'btf, W: Write> btf_types::Style<'btf> for Style<'_, W> {
    fn type_name(&mut self, ty: Type<'btf>) -> Name<'btf> {
        self.budget.spend_name(|| ty.name())
    }

    fn param_name(&mut self, param: Param<'btf>) -> Name<'btf> {
        self.budget.spend_name(|| param.name())
    }

    fn declared(&mut self, name: Name<'_>, needs_space: bool) -> fmt::Result {
        let needs_space = !self.pad_to_column()? && needs_space && !name.is_empty();
        write!(self, "{}{name}", if needs_space { " " } else { "" })
    }

    fn open(&mut self, group: Group<'btf>) -> fmt::Result {
        let is_apart = group.is_outermost && self.pad_to_column()?;
        self.write_str(if group.needs_space && !is_apart { " (" } else { "(" })
    }

    fn spend(&mut self) -> bool {
        self.budget.spend_type()
    }
}

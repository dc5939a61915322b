//! Declarations of members with the name in a column, as in pahole, or around
//! the members of a nested type.

use std::{
    fmt::{self, Write as _},
    io::{self, Write},
};

use btf_types::{Budget, Group, Name, Param, Type};

use crate::output::Output;

/// Width of the types of members, reduced by a tab for each level of nesting.
const TYPES: usize = 26;
/// Width of a tab.
const TAB: usize = 8;

/// Writes a declaration, indented by `depth` tabs, with the name in its column.
pub(super) fn in_columns<W: Write>(out: &mut Output<W>, ty: Type<'_>, name: Name<'_>, depth: usize) -> io::Result<()> {
    out.tabs(depth)?;
    if name.is_empty() {
        return write!(out, "{}", ty.declare(name));
    }
    let column = depth * TAB + TYPES.saturating_sub(depth.saturating_sub(1) * TAB);
    Style::write(out, Some(column), |style| ty.declarator().write(name, style))
}

/// Writes the part of a declaration after its base: ` *name[3]` of `struct
/// {...} *name[3]`.
pub(super) fn behind_base<W: Write>(out: &mut Output<W>, ty: Type<'_>, name: Name<'_>) -> io::Result<()> {
    Style::write(out, None, |style| ty.declarator().write_after_base(name, style))
}

/// Returns the base of a declaration, without pointers, arrays and qualifiers,
/// and `true` if it is behind a pointer. `None` for a function.
pub(super) fn base(ty: Type<'_>) -> Option<(Type<'_>, bool)> {
    let declarator = ty.declarator();
    let has = |is: fn(&Type<'_>) -> bool| declarator.chain().iter().any(is);
    let is_function = has(|ty| matches!(ty, Type::FuncProto(_)));
    let is_behind_pointer = has(|ty| matches!(ty, Type::Ptr(_)));
    declarator.base().filter(|_| !is_function).map(|base| (base, is_behind_pointer))
}

/// Style of a member's declaration, which aligns the name to a column.
struct Style<'o, W: Write> {
    out: &'o mut Output<W>,
    budget: Budget,
    /// Column of the name, until it is written.
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

    /// Moves to the column of the name. Returns `true` if that separated it
    /// from the type.
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

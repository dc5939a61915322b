//! `btf show` as text.

use std::io::{self, Write};

use btf_types::{Btf, Kind, Linkage, Name, Path, Type, Typedef};

use super::{
    Form, at,
    layout::{self, Style},
};
use crate::{output::Output, tag::Tagged};

/// Streaming text output.
pub(super) struct Text<'o, W: Write> {
    out: &'o mut Output<W>,
    style: Style,
}

impl<'o, W: Write> Text<'o, W> {
    pub(super) fn new(out: &'o mut Output<W>, style: Style) -> Self {
        Self { out, style }
    }
}

impl<W: Write> Form for Text<'_, W> {
    fn separate(&mut self) -> io::Result<()> {
        self.out.text("\n")
    }

    fn id(&mut self, ty: Type<'_>) -> io::Result<()> {
        self.out.comment(format_args!("#{} {}", ty.id(), ty.kind().map_or("type", Kind::as_str)))?;
        self.out.text("\n")
    }

    fn ty(&mut self, btf: &Btf, ty: Type<'_>) -> io::Result<()> {
        show_type(btf, ty, self.style, self.out)
    }

    fn path(&mut self, btf: &Btf, text: &str, path: &Path<'_>) -> io::Result<()> {
        let Self { out, style } = self;
        out.comment(format_args!("{}", Name::from(text)))?;
        out.text("\n")?;
        for step in path.steps() {
            write!(out, "{} at offset {}", step.to, style.number(step.bit_offset / 8))?;
            if let Some(bits) = step.bitfield_size {
                write!(out, ", bit {}, {bits} bits", step.bit_offset % 8)?;
            }
            writeln!(out, " of {}", step.from)?;
        }
        match path.ty().peel_modifiers() {
            ty @ (Type::Struct(_) | Type::Union(_) | Type::Enum(_) | Type::Enum64(_)) => self.ty(btf, ty),
            _ => Ok(()),
        }
    }

    fn at(&mut self, text: &str, ty: Type<'_>, offset: u64) -> io::Result<()> {
        at::show(self.out, self.style, text, ty, offset)
    }
}

fn show_type(btf: &Btf, ty: Type<'_>, style: Style, out: &mut Output<impl Write>) -> io::Result<()> {
    match ty {
        Type::Struct(_) | Type::Union(_) | Type::Enum(_) | Type::Enum64(_) => layout::show(out, style, ty),
        Type::Typedef(typedef) => show_typedef(typedef, style, out),
        Type::Func(func) => {
            for tag in btf.decl_tags_of(ty) {
                out.comment(format_args!("{}", tag.name()))?;
                out.text("\n")?;
            }
            write!(out, "{ty};")?;
            // All functions of a kernel's BTF are static.
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

/// Shows a typedef, and those that it refers to.
fn show_typedef(typedef: Typedef<'_>, style: Style, out: &mut Output<impl Write>) -> io::Result<()> {
    /// Maximum number of types of a chain.
    const STEPS: usize = 64;
    let mut next = Some(typedef);
    for _ in 0..STEPS {
        let Some(typedef) = next else { break };
        layout::declaration(out, style, "typedef ", typedef.target(), typedef.name())?;
        next = Typedef::try_from(typedef.target().peel_qualifiers()).ok();
    }
    Ok(())
}

//! Definitions of DATASEC.

use btf_types::format::VarSecinfo;

use crate::{Error, pending::Pending};

/// Definition of a DATASEC: see [`Builder::datasec`].
///
/// The first error is stored until [`DatasecBuilder::finish`].
///
/// ```
/// # fn main() -> Result<(), btf_build::Error> {
/// use btf_build::{Builder, IntEncoding};
/// use btf_types::{Datasec, Linkage};
///
/// let mut b = Builder::new();
/// let int = b.int("int", 4, IntEncoding::SIGNED)?;
/// let [a, c] = [b.var("a", int, Linkage::Global)?, b.var("c", int, Linkage::Static)?];
/// b.datasec(".bss", 8).var(a, 0, 4).var(c, 4, 4).finish()?;
/// let btf = b.finish()?;
/// let bss: Datasec<'_> = btf.find(".bss")?;
/// let entries: Vec<_> = bss.entries().map(|e| (e.ty().name().to_string(), e.offset(), e.size())).collect();
/// assert_eq!(entries, [("a".into(), 0, 4), ("c".into(), 4, 4)]);
/// # Ok(())
/// # }
/// ```
///
/// [`Builder::datasec`]: crate::Builder::datasec
#[derive(Debug)]
#[must_use = "nothing is defined before `finish`"]
pub struct DatasecBuilder<'b> {
    pending: Pending<'b>,
}

impl<'b> DatasecBuilder<'b> {
    pub(crate) fn new(pending: Pending<'b>) -> Self {
        Self { pending }
    }

    /// Adds a variable of `size` bytes, `offset` **bytes** from the start of
    /// the section. (`var` is the id of a VAR, or of a FUNC in an object's
    /// `.ksyms`.)
    pub fn var(mut self, var: u32, offset: u32, size: u32) -> Self {
        let secinfo = VarSecinfo::new(self.pending.id(var), offset, size);
        self.pending.element(secinfo.as_bytes());
        self
    }

    /// Defines the type, and returns its id.
    ///
    /// # Errors
    ///
    /// The first of: [`Error::NameMissing`]; [`Error::NoSuchId`],
    /// [`Error::NulInName`], [`Error::TooManyElements`], [`Error::TooLarge`],
    /// [`Error::NotDeclared`], [`Error::AlreadyDefined`]. The builder is then
    /// unchanged.
    pub fn finish(self) -> Result<u32, Error> {
        self.pending.finish(false)
    }
}

//! Definitions of FUNC_PROTO.

use btf_types::format::Param;

use crate::{Error, pending::Pending};

/// Definition of a FUNC_PROTO: see [`Builder::func_proto`].
///
/// The first error is stored until [`FuncProtoBuilder::finish`].
///
/// ```
/// # fn main() -> Result<(), btf_build::Error> {
/// use btf_build::{Builder, IntEncoding};
/// use btf_types::{Func, Linkage};
///
/// let mut b = Builder::new();
/// let int = b.int("int", 4, IntEncoding::SIGNED)?;
/// let char = b.int("char", 1, IntEncoding::NONE)?;
/// let constant = b.const_(char)?;
/// let text = b.ptr(constant)?;
/// let proto = b.func_proto(int).param("fmt", text).vararg().finish()?;
/// b.func("printf", Linkage::Global, proto)?;
/// let btf = b.finish()?;
/// let printf: Func<'_> = btf.find("printf")?;
/// assert_eq!(printf.to_string(), "int printf(const char *fmt, ...)");
/// # Ok(())
/// # }
/// ```
///
/// [`Builder::func_proto`]: crate::Builder::func_proto
#[derive(Debug)]
#[must_use = "nothing is defined before `finish`"]
pub struct FuncProtoBuilder<'b> {
    pending: Pending<'b>,
}

impl<'b> FuncProtoBuilder<'b> {
    pub(crate) fn new(pending: Pending<'b>) -> Self {
        Self { pending }
    }

    /// Adds a parameter, which may have no name.
    pub fn param(mut self, name: impl AsRef<[u8]>, ty: u32) -> Self {
        let param = Param::new(self.pending.name(name.as_ref()), self.pending.id(ty));
        self.pending.element(param.as_bytes());
        self
    }

    /// Adds `...`, which comes last.
    pub fn vararg(self) -> Self {
        self.param("", 0)
    }

    /// Defines the type, and returns its id.
    ///
    /// # Errors
    ///
    /// The first of: [`Error::NoSuchId`], [`Error::NulInName`],
    /// [`Error::TooManyElements`], [`Error::TooLarge`], [`Error::NotDeclared`],
    /// [`Error::AlreadyDefined`]. The builder is then unchanged.
    pub fn finish(self) -> Result<u32, Error> {
        self.pending.finish(false)
    }
}

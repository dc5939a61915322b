//! Options for opening BTF.

use alloc::vec::Vec;

use btf_format::{ByteOrder, Header};
use bytes::Bytes;

use crate::{Btf, Error};

/// Options for opening BTF: see [`Btf::options`].
///
/// ```
/// # fn main() -> Result<(), btf_types::Error> {
/// # use btf_types::Btf;
/// # let bytes = std::fs::read("doc/point.btf").unwrap();
/// let btf = Btf::options().pointer_size(4).parse(bytes)?;
/// assert_eq!(btf.pointer_size(), 4);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct ParseOptions<'b> {
    base: Option<&'b Btf>,
    pointer_size: Option<u8>,
}

impl<'b> ParseOptions<'b> {
    /// Sets the base of split BTF.
    #[must_use]
    pub fn base(self, base: &'b Btf) -> Self {
        self.maybe_base(Some(base))
    }

    /// Sets the base of split BTF, or none.
    #[must_use]
    pub fn maybe_base(self, base: Option<&'b Btf>) -> Self {
        Self { base, ..self }
    }

    /// Sets the size of a pointer in bytes, 4 or 8, for example from the class
    /// of an ELF file. It takes precedence over the size of `long` in the BTF.
    #[must_use]
    pub fn pointer_size(self, bytes: u8) -> Self {
        Self { pointer_size: Some(bytes), ..self }
    }

    /// Opens BTF, with the checks of [`Btf::parse`].
    ///
    /// # Errors
    ///
    /// [`Error::Format`] if the bytes are not BTF, or are damaged;
    /// [`Error::SplitWithoutBase`]; [`Error::ByteOrderOfBase`] if the base is
    /// of the other byte order; [`Error::IdOutOfRange`],
    /// [`Error::NameOutOfRange`] and [`Error::FuncWithoutProto`] for an invalid
    /// reference, as with a wrong base; [`Error::TooLarge`];
    /// [`Error::PointerSize`] if it was set to neither 4 nor 8.
    pub fn parse(self, bytes: impl Into<Bytes>) -> Result<Btf, Error> {
        let mut blob = bytes.into();
        let byte_order = Header::parse(&blob)?.byte_order();
        if !byte_order.is_native() {
            let mut native = Vec::from(blob);
            btf_format::convert(&mut native, ByteOrder::NATIVE)?;
            blob = native.into();
        }
        Btf::from_native(blob, self.base, byte_order, self.pointer_size)
    }
}

//! Integers and floating-point numbers: INT and FLOAT.
//!
//! Source: `Documentation/bpf/btf.rst`, "`BTF_KIND_INT`" and "`BTF_KIND_FLOAT`".

use btf_format::{self as raw, IntEncoding};

use crate::view::{sized, views};

views! {
    /// An integer, boolean or character.
    ///
    /// ```
    /// # fn main() -> Result<(), btf_types::Error> {
    /// use btf_types::{Btf, Int};
    ///
    /// # let vmlinux = Btf::parse(std::fs::read("doc/kernel.btf").unwrap())?;
    /// let long: Int<'_> = vmlinux.find("long")?;
    /// assert_eq!((long.size(), long.bits(), long.is_signed(), long.is_bool()), (8, 64, true, false));
    /// # Ok(())
    /// # }
    /// ```
    Int;
    /// A floating-point number.
    Float;
}

sized!(Int Float);

impl Int<'_> {
    fn data(self) -> raw::IntData {
        let data = raw::IntData::first(self.0.rest());
        debug_assert!(data.is_some(), "records lie within the type section");
        data.copied().unwrap_or(raw::IntData::new(0))
    }

    /// Width of the value in **bits**: 8 x [`Int::size`], except for bitfields
    /// from before Linux 5.0.
    #[must_use]
    pub fn bits(self) -> u8 {
        self.data().bits()
    }

    /// Offset of the value within its bytes in **bits**: 0, except for
    /// bitfields from before Linux 5.0.
    #[must_use]
    pub fn bit_offset(self) -> u8 {
        self.data().offset()
    }

    /// The encoding: signed, character, boolean or none of these.
    #[must_use]
    pub fn encoding(self) -> IntEncoding {
        self.data().encoding()
    }

    /// Returns `true` if the value is signed. (clang marks `char` as signed,
    /// pahole does not.)
    #[must_use]
    pub fn is_signed(self) -> bool {
        self.encoding().contains(IntEncoding::SIGNED)
    }

    /// Returns `true` if the integer is marked as a character. Few producers do
    /// so.
    #[must_use]
    pub fn is_char(self) -> bool {
        self.encoding().contains(IntEncoding::CHAR)
    }

    /// Returns `true` for a boolean.
    #[must_use]
    pub fn is_bool(self) -> bool {
        self.encoding().contains(IntEncoding::BOOL)
    }

    /// Returns `true` if the value fills its bytes, as in all BTF since Linux
    /// 5.0. Members of other INTs are bitfields.
    #[must_use]
    pub fn is_regular(self) -> bool {
        self.data().is_regular(self.size())
    }
}

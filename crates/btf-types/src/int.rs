//! INT and FLOAT: what is made of bits.

use btf_format as raw;

use crate::view::{sized, views};

views! {
    /// An integer, boolean or character.
    Int;
    /// A floating-point number.
    Float;
}

sized!(Int Float);

impl Int<'_> {
    fn data(self) -> raw::IntData {
        raw::IntData::first(self.0.rest()).copied().unwrap_or(raw::IntData::new(0))
    }

    /// Bits of the value: 8 x size, but in bitfields as they were written
    /// before Linux 5.0.
    #[must_use]
    pub fn bits(self) -> u8 {
        self.data().bits()
    }

    /// Where the value begins within its bytes, in bits: 0, but in bitfields
    /// as they were written before Linux 5.0.
    #[must_use]
    pub fn bit_offset(self) -> u8 {
        self.data().offset()
    }

    /// A set of bits: 1 signed, 2 character, 4 boolean.
    #[must_use]
    pub fn encoding(self) -> u8 {
        self.data().encoding()
    }
}

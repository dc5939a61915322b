//! Encodings of integers.
//!
//! Source: `BTF_INT_SIGNED` and its neighbors in `include/uapi/linux/btf.h`.

use core::fmt;

/// Encoding of an INT: a set of four flags, three of them defined.
///
/// Kernels accept at most one of them.
///
/// ```
/// # fn main() -> Result<(), btf_format::Error> {
/// use btf_format::IntEncoding;
///
/// assert_eq!(IntEncoding::from_bits(1), IntEncoding::SIGNED);
/// assert!(!IntEncoding::BOOL.contains(IntEncoding::SIGNED));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct IntEncoding(u8);

impl IntEncoding {
    /// No flag: an unsigned integer.
    pub const NONE: Self = Self(0);
    /// A signed integer.
    pub const SIGNED: Self = Self(1);
    /// A character. Few producers set this flag.
    pub const CHAR: Self = Self(2);
    /// A boolean.
    pub const BOOL: Self = Self(4);

    /// Returns the encoding with these flags. Bits beyond the lower 4 are
    /// dropped.
    #[must_use]
    pub const fn from_bits(bits: u8) -> Self {
        Self(bits & 0xf)
    }

    /// The flags, 0 to 15.
    #[must_use]
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// Returns `true` if all flags of `other` are set.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

impl fmt::Display for IntEncoding {
    /// Writes the encoding as `bpftool` does: `SIGNED`, `CHAR`, `BOOL`,
    /// `(none)`, or `UNKN` for anything else.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match *self {
            Self::NONE => "(none)",
            Self::SIGNED => "SIGNED",
            Self::CHAR => "CHAR",
            Self::BOOL => "BOOL",
            _ => "UNKN",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_flags() {
        assert_eq!(IntEncoding::from_bits(0xf1), IntEncoding::SIGNED);
        let both = IntEncoding::from_bits(5);
        assert!(both.contains(IntEncoding::BOOL) && both.contains(IntEncoding::NONE));
        assert!(!both.contains(IntEncoding::CHAR) && !both.contains(IntEncoding::from_bits(7)));
        assert_eq!(format!("{both} {}", IntEncoding::SIGNED), "UNKN SIGNED");
    }
}

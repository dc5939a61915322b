//! Byte orders, which the magic distinguishes.

use core::{fmt, str::FromStr};

/// Byte order of a blob.
///
/// The enum is exhaustive: there are no other byte orders.
///
/// ```
/// # fn main() -> Result<(), btf_format::Error> {
/// use btf_format::ByteOrder;
///
/// assert_eq!(ByteOrder::of_magic([0x9f, 0xeb]), Some(ByteOrder::Little));
/// assert!(ByteOrder::NATIVE.is_native() && !ByteOrder::NATIVE.swapped().is_native());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ByteOrder {
    /// Least significant byte first: x86, most arm, riscv, loongarch.
    Little,
    /// Most significant byte first: s390x, and some mips and powerpc.
    Big,
}

impl ByteOrder {
    /// Byte order of the machine that this code runs on.
    pub const NATIVE: Self = if cfg!(target_endian = "big") { Self::Big } else { Self::Little };

    /// Detects the byte order from the first two bytes of a `.BTF` or
    /// `.BTF.ext` section: `9f eb` is little-endian, `eb 9f` big-endian.
    /// Returns `None` for other bytes, which are not BTF.
    #[must_use]
    pub const fn of_magic(bytes: [u8; 2]) -> Option<Self> {
        match bytes {
            [0x9f, 0xeb] => Some(Self::Little),
            [0xeb, 0x9f] => Some(Self::Big),
            _ => None,
        }
    }

    /// Returns `true` for the byte order of the machine that this code runs on.
    #[must_use]
    #[inline]
    pub const fn is_native(self) -> bool {
        matches!((self, Self::NATIVE), (Self::Little, Self::Little) | (Self::Big, Self::Big))
    }

    /// The other byte order.
    #[must_use]
    pub const fn swapped(self) -> Self {
        match self {
            Self::Little => Self::Big,
            Self::Big => Self::Little,
        }
    }

    /// Converts a word that was read natively from data of this order.
    #[must_use]
    #[inline]
    pub(crate) const fn fix(self, word: u32) -> u32 {
        if self.is_native() { word } else { word.swap_bytes() }
    }
}

impl ByteOrder {
    /// The name: `little-endian` or `big-endian`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Little => "little-endian",
            Self::Big => "big-endian",
        }
    }
}

impl fmt::Display for ByteOrder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for ByteOrder {
    type Err = ParseByteOrderError;

    /// Reads a name as [`ByteOrder::as_str`] writes it, or without its second half,
    /// in upper or lower case.
    fn from_str(s: &str) -> Result<Self, ParseByteOrderError> {
        let is = |order: Self| {
            let name = order.as_str();
            let short = name.split('-').next().unwrap_or(name);
            name.eq_ignore_ascii_case(s) || short.eq_ignore_ascii_case(s)
        };
        [Self::Little, Self::Big].into_iter().find(|&order| is(order)).ok_or(ParseByteOrderError(()))
    }
}

/// Error of parsing a [`ByteOrder`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a byte order, expected little-endian or big-endian")]
pub struct ParseByteOrderError(());

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_parse_back() {
        for order in [ByteOrder::Little, ByteOrder::Big] {
            assert_eq!(order.to_string().parse(), Ok(order));
        }
        assert_eq!("LITTLE".parse(), Ok(ByteOrder::Little));
        assert_eq!("big".parse(), Ok(ByteOrder::Big));
        for no in ["", "-endian", "endian", "bigendian", "little-", "big-endian "] {
            assert_eq!(no.parse::<ByteOrder>(), Err(ParseByteOrderError(())), "{no}");
        }
    }
}

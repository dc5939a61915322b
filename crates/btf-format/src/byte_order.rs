//! Byte orders, which the magic distinguishes.

use core::fmt;

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

    /// Returns the byte order by the first two bytes of a `.BTF` or `.BTF.ext`
    /// section: `9f eb` is little-endian, `eb 9f` big-endian. `None` if it is
    /// neither, and so not BTF.
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

//! The info word of a type record: kind, vlen and `kind_flag`.
//!
//! Source: `struct btf_type` in `include/uapi/linux/btf.h`.

use core::fmt;

use crate::{Error, Kind};

/// Second word of a type record.
///
/// | bits | contents |
/// |---|---|
/// | 0 to 23 | vlen: number of elements, or linkage of a FUNC |
/// | 24 to 30 | kind |
/// | 31 | `kind_flag` |
///
/// Linux before 7.2 has 16 bits of vlen (0 to 15) and 5 bits of kind (24 to
/// 28), and requires the bits between to be zero. The same decoding therefore
/// reads both formats.
///
/// ```
/// # fn main() -> Result<(), btf_format::Error> {
/// use btf_format::{Info, Kind};
///
/// let info = Info::of(Kind::Struct).with_vlen(3)?.with_kind_flag(true);
/// assert_eq!(info.word(), 0x8400_0003);
/// assert_eq!((info.kind(), info.vlen(), info.kind_flag()), (Some(Kind::Struct), 3, true));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Info(u32);

impl Info {
    /// Maximum vlen of the word.
    pub const MAX_VLEN: u32 = 0x00ff_ffff;
    /// Maximum vlen that Linux before 7.2 reads.
    pub const MAX_VLEN_16: u32 = 0xffff;
    /// Maximum kind number of the word.
    pub const MAX_KIND: u8 = 0x7f;

    /// Returns the word of a kind, with vlen 0 and without `kind_flag`.
    #[must_use]
    pub const fn of(kind: Kind) -> Self {
        Self((kind.number() as u32) << 24)
    }

    /// Makes the word from its parts.
    ///
    /// # Errors
    ///
    /// [`Error::KindTooLarge`] and [`Error::VlenTooLarge`] if one of them does
    /// not fit ([`Info::MAX_KIND`], [`Info::MAX_VLEN`]).
    pub const fn new(kind: u8, vlen: u32, kind_flag: bool) -> Result<Self, Error> {
        if kind > Self::MAX_KIND {
            return Err(Error::KindTooLarge { kind });
        }
        Self((kind as u32) << 24).with_kind_flag(kind_flag).with_vlen(vlen)
    }

    /// Returns the word with another vlen.
    ///
    /// # Errors
    ///
    /// [`Error::VlenTooLarge`] if it does not fit ([`Info::MAX_VLEN`]).
    pub const fn with_vlen(self, vlen: u32) -> Result<Self, Error> {
        if vlen > Self::MAX_VLEN {
            return Err(Error::VlenTooLarge { vlen });
        }
        Ok(Self(self.0 & !Self::MAX_VLEN | vlen))
    }

    /// Returns the word with or without `kind_flag`.
    #[must_use]
    pub const fn with_kind_flag(self, kind_flag: bool) -> Self {
        Self(self.0 & !(1 << 31) | (kind_flag as u32) << 31)
    }

    /// Decodes the word of a record of native byte order.
    #[must_use]
    #[inline]
    pub const fn from_word(word: u32) -> Self {
        Self(word)
    }

    /// Returns the word as stored in a record of native byte order.
    #[must_use]
    #[inline]
    pub const fn word(self) -> u32 {
        self.0
    }

    /// The number of the kind, 0 to 127, known or not.
    #[must_use]
    #[inline]
    pub const fn kind_number(self) -> u8 {
        (self.0 >> 24) as u8 & Self::MAX_KIND
    }

    /// The kind; `None` if this library does not model it.
    #[must_use]
    #[inline]
    pub const fn kind(self) -> Option<Kind> {
        Kind::from_number(self.kind_number())
    }

    /// The number of elements after the fixed part of the record: members,
    /// values, parameters or variables. For a FUNC, its linkage.
    #[must_use]
    #[inline]
    pub const fn vlen(self) -> u32 {
        self.0 & Self::MAX_VLEN
    }

    /// The flag (`kflag`), whose meaning depends on the kind: bitfield encoding
    /// of members (STRUCT, UNION), a union (FWD), signed values (ENUM, ENUM64),
    /// an attribute instead of a tag (DECL_TAG, TYPE_TAG). Always clear for
    /// other kinds.
    #[must_use]
    #[inline]
    pub const fn kind_flag(self) -> bool {
        self.0 >> 31 != 0
    }
}

impl fmt::Debug for Info {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Info")
            .field("kind", &self.kind_number())
            .field("vlen", &self.vlen())
            .field("kind_flag", &self.kind_flag())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes_24_bit_vlen_and_7_bit_kind() {
        let info = Info::from_word(0xff12_3456);
        assert_eq!(info.kind_number(), 0x7f);
        assert_eq!(info.kind(), None);
        assert_eq!(info.vlen(), 0x12_3456);
        assert!(info.kind_flag());
    }

    #[test]
    fn decodes_the_older_encoding() {
        let info = Info::from_word(0x8400_ffff);
        assert_eq!(info.kind(), Some(Kind::Struct));
        assert_eq!(info.vlen(), Info::MAX_VLEN_16);
        assert!(info.kind_flag());
    }

    #[test]
    fn parts_that_do_not_fit_are_refused() {
        assert_eq!(Info::new(128, 0, false), Err(Error::KindTooLarge { kind: 128 }));
        assert_eq!(Info::new(1, Info::MAX_VLEN + 1, false), Err(Error::VlenTooLarge { vlen: 0x100_0000 }));
        let info = Info::new(127, Info::MAX_VLEN, true).unwrap();
        assert_eq!(info.word(), u32::MAX);
        assert_eq!(Info::from_word(info.word()), info);
    }

    #[test]
    fn parts_are_exchanged_one_by_one() {
        let info = Info::of(Kind::Struct).with_kind_flag(true).with_vlen(7).unwrap();
        assert_eq!(Ok(info), Info::new(4, 7, true));
        assert_eq!(info.with_kind_flag(false).with_vlen(Info::MAX_VLEN), Info::new(4, Info::MAX_VLEN, false));
        assert_eq!(Info::of(Kind::Enum64), Info::new(19, 0, false).unwrap());
        assert!(info.with_vlen(u32::MAX).is_err());
    }
}

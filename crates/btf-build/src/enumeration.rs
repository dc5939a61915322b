//! Definitions of ENUM and ENUM64.

use btf_types::{
    Kind,
    format::{Enum64Value, EnumValue},
};

use crate::{Error, pending::Pending};

/// Definition of an ENUM or ENUM64: see [`Builder::enumeration`] and
/// [`Builder::enumeration64`].
///
/// The first error is stored until [`EnumBuilder::finish`].
///
/// ```
/// # fn main() -> Result<(), btf_build::Error> {
/// use btf_build::Builder;
/// use btf_types::{Enum, Enum64};
///
/// let mut b = Builder::new();
/// b.enumeration("state", 4).value("GONE", -1).value("RUNNING", 0).finish()?;
/// b.enumeration64("flags", 8).value("ALL", u64::MAX).finish()?;
/// let error = b.enumeration("narrow", 4).value("WIDE", 1u64 << 32).finish().unwrap_err();
/// assert_eq!(error.to_string(), "enumerator `WIDE` = 4294967296 does not fit an unsigned ENUM");
///
/// let btf = b.finish()?;
/// let state: Enum<'_> = btf.find("state")?;
/// assert!(state.is_signed() && state.values().map(|v| v.value()).eq([-1, 0]));
/// let flags: Enum64<'_> = btf.find("flags")?;
/// assert_eq!(flags.values().next().unwrap().value(), u64::MAX.into());
/// # Ok(())
/// # }
/// ```
///
/// [`Builder::enumeration`]: crate::Builder::enumeration
/// [`Builder::enumeration64`]: crate::Builder::enumeration64
#[derive(Debug)]
#[must_use = "nothing is defined before `finish`"]
pub struct EnumBuilder<'b> {
    pending: Pending<'b>,
    signed: bool,
    /// The smallest and the largest value, each with the place of its record
    /// among all: which one does not fit is known only at the end.
    smallest: Extreme,
    largest: Extreme,
}

/// The value that is farthest to one side.
#[derive(Debug, Clone, Copy, Default)]
struct Extreme {
    value: i128,
    name_off: u32,
}

impl<'b> EnumBuilder<'b> {
    pub(crate) fn new(pending: Pending<'b>) -> Self {
        Self { pending, signed: false, smallest: Extreme::default(), largest: Extreme::default() }
    }

    /// Sets whether the values are signed (`kind_flag`); they always are if one
    /// is negative. Since Linux 6.0.
    pub fn signed(mut self, signed: bool) -> Self {
        self.signed |= signed;
        self
    }

    /// Adds an enumerator, in the range of `i32` or `u32` for ENUM, of `i64` or
    /// `u64` for ENUM64.
    pub fn value(mut self, name: impl AsRef<[u8]>, value: impl Into<i128>) -> Self {
        let value = value.into();
        let name_off = self.pending.name(name.as_ref());
        if name.as_ref().is_empty() {
            self.pending.fail(Error::NameMissing { kind: self.pending.kind() });
        }
        if value < self.smallest.value {
            self.smallest = Extreme { value, name_off };
        }
        if value > self.largest.value {
            self.largest = Extreme { value, name_off };
        }
        // Of what does not fit there is an error at the end.
        if self.pending.kind() == Kind::Enum {
            self.pending.element(EnumValue::new(name_off, value as i32).as_bytes());
        } else {
            let raw = Enum64Value::new(name_off, value as u32, (value >> 32) as u32);
            self.pending.element(raw.as_bytes());
        }
        self
    }

    /// Defines the type, and returns its id.
    ///
    /// # Errors
    ///
    /// The first of: [`Error::Size`]; [`Error::NulInName`],
    /// [`Error::NameMissing`] of an enumerator; [`Error::TooManyElements`];
    /// [`Error::EnumValue`]; [`Error::TooLarge`]; [`Error::NotDeclared`],
    /// [`Error::AlreadyDefined`]. The builder is then unchanged.
    pub fn finish(mut self) -> Result<u32, Error> {
        let signed = self.signed || self.smallest.value < 0;
        let range = match (self.pending.kind(), signed) {
            (Kind::Enum, true) => i32::MIN.into()..=i32::MAX.into(),
            (Kind::Enum, false) => 0..=u32::MAX.into(),
            (_, true) => i64::MIN.into()..=i64::MAX.into(),
            (_, false) => 0..=u64::MAX.into(),
        };
        for Extreme { value, name_off } in [self.smallest, self.largest] {
            if !range.contains(&value) {
                let (kind, name) = (self.pending.kind(), self.pending.string(name_off));
                self.pending.fail(Error::EnumValue { kind, name, value, signed });
            }
        }
        self.pending.finish(signed)
    }
}

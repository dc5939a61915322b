//! ENUM and ENUM64, and their values.

use core::fmt;

use btf_format as raw;

use crate::{
    Name,
    btf::Inner,
    view::{elements, sized, views},
};

views! {
    /// An enumeration with 32-bit values.
    Enum;
    /// An enumeration with 64-bit values.
    Enum64;
}

sized!(Enum Enum64);

impl<'btf> Enum<'btf> {
    /// The values, in the order of their declaration.
    #[must_use]
    #[inline]
    pub fn values(self) -> EnumValues<'btf> {
        EnumValues::of(self.0)
    }
}

impl<'btf> Enum64<'btf> {
    /// The values, in the order of their declaration.
    #[must_use]
    #[inline]
    pub fn values(self) -> EnumValues64<'btf> {
        EnumValues64::of(self.0)
    }
}

elements! {
    /// Iterator over the values of an enumeration.
    EnumValues over EnumValue of raw::EnumValue
}

elements! {
    /// Iterator over the values of an enumeration with 64-bit values.
    EnumValues64 over EnumValue of raw::Enum64Value
}

/// A value of an enumeration.
#[derive(Clone, Copy)]
pub struct EnumValue<'btf> {
    btf: &'btf Inner,
    raw: RawValue<'btf>,
    kind_flag: bool,
}

#[derive(Clone, Copy)]
enum RawValue<'btf> {
    Bits32(&'btf raw::EnumValue),
    Bits64(&'btf raw::Enum64Value),
}

impl<'btf> From<&'btf raw::EnumValue> for RawValue<'btf> {
    fn from(raw: &'btf raw::EnumValue) -> Self {
        Self::Bits32(raw)
    }
}

impl<'btf> From<&'btf raw::Enum64Value> for RawValue<'btf> {
    fn from(raw: &'btf raw::Enum64Value) -> Self {
        Self::Bits64(raw)
    }
}

impl<'btf> EnumValue<'btf> {
    /// The name.
    #[must_use]
    pub fn name(self) -> Name<'btf> {
        self.btf.name_at(match self.raw {
            RawValue::Bits32(raw) => raw.name_off(),
            RawValue::Bits64(raw) => raw.name_off(),
        })
    }

    /// The value, signed or unsigned as its enumeration is.
    #[must_use]
    pub fn value(self) -> i128 {
        match (self.raw, self.kind_flag) {
            (RawValue::Bits32(raw), true) => raw.val().into(),
            (RawValue::Bits32(raw), false) => (raw.val() as u32).into(),
            (RawValue::Bits64(raw), true) => (raw.val() as i64).into(),
            (RawValue::Bits64(raw), false) => raw.val().into(),
        }
    }
}

impl fmt::Debug for EnumValue<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} = {}", self.name(), self.value())
    }
}

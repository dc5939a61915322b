//! ENUM and ENUM64, and their values.
//!
//! Source: `Documentation/bpf/btf.rst`, "`BTF_KIND_ENUM`" and
//! "`BTF_KIND_ENUM64`".

use core::{fmt, iter::FusedIterator, slice};

use btf_format as raw;

use crate::{
    Name,
    layer::Layer,
    view::{Handle, ShortName, debug_first, sized, views},
};

views! {
    /// An enumeration with 32-bit values. Without values it is the forward
    /// declaration of one.
    Enum;
    /// An enumeration with 64-bit values. Since Linux 6.0.
    Enum64;
}

sized!(Enum Enum64);

macro_rules! enumeration {
    ($($kind:ident of $raw:ty as $values:path;)*) => {$(
        impl<'btf> $kind<'btf> {
            /// Whether the values are signed. (Before Linux 6.0 nothing said
            /// so: all are taken for unsigned.)
            #[must_use]
            pub fn is_signed(self) -> bool {
                self.0.record().info().kind_flag()
            }

            /// The values, in the order of their declaration.
            #[must_use]
            #[inline]
            pub fn values(self) -> EnumValues<'btf> {
                let raw = <$raw>::list(self.0.rest(), self.0.record().info().vlen());
                EnumValues::new(self.0, $values(raw.iter()))
            }
        }
    )*};
}

enumeration! {
    Enum of raw::EnumValue as RawValues::Bits32;
    Enum64 of raw::Enum64Value as RawValues::Bits64;
}

/// Iterator over the values of an enumeration, of either width.
#[derive(Clone)]
pub struct EnumValues<'btf> {
    btf: &'btf Layer,
    is_signed: bool,
    raw: RawValues<'btf>,
}

#[derive(Clone)]
enum RawValues<'btf> {
    Bits32(slice::Iter<'btf, raw::EnumValue>),
    Bits64(slice::Iter<'btf, raw::Enum64Value>),
}

impl<'btf> EnumValues<'btf> {
    fn new(handle: Handle<'btf>, raw: RawValues<'btf>) -> Self {
        Self { btf: handle.btf, is_signed: handle.record().info().kind_flag(), raw }
    }

    fn of32(&self, raw: &raw::EnumValue) -> EnumValue<'btf> {
        let value = if self.is_signed { raw.val().into() } else { i128::from(raw.val() as u32) };
        EnumValue { btf: self.btf, name_off: raw.name_off(), value }
    }

    fn of64(&self, raw: &raw::Enum64Value) -> EnumValue<'btf> {
        let value = if self.is_signed { i128::from(raw.val() as i64) } else { raw.val().into() };
        EnumValue { btf: self.btf, name_off: raw.name_off(), value }
    }
}

impl<'btf> Iterator for EnumValues<'btf> {
    type Item = EnumValue<'btf>;

    fn next(&mut self) -> Option<Self::Item> {
        match &mut self.raw {
            RawValues::Bits32(raw) => raw.next().map(|raw| self.of32(raw)),
            RawValues::Bits64(raw) => raw.next().map(|raw| self.of64(raw)),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        match &self.raw {
            RawValues::Bits32(raw) => raw.size_hint(),
            RawValues::Bits64(raw) => raw.size_hint(),
        }
    }
}

impl DoubleEndedIterator for EnumValues<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        match &mut self.raw {
            RawValues::Bits32(raw) => raw.next_back().map(|raw| self.of32(raw)),
            RawValues::Bits64(raw) => raw.next_back().map(|raw| self.of64(raw)),
        }
    }
}

impl ExactSizeIterator for EnumValues<'_> {}
impl FusedIterator for EnumValues<'_> {}

impl fmt::Debug for EnumValues<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        debug_first(f, self.clone())
    }
}

/// A value of an enumeration.
#[derive(Clone, Copy)]
pub struct EnumValue<'btf> {
    btf: &'btf Layer,
    name_off: u32,
    value: i128,
}

impl<'btf> EnumValue<'btf> {
    /// The name.
    #[must_use]
    pub fn name(self) -> Name<'btf> {
        self.btf.name_at(self.name_off)
    }

    /// The value, signed or unsigned as its enumeration is: in the range of
    /// `i32` or `u32` for ENUM, of `i64` or `u64` for ENUM64.
    #[must_use]
    pub fn value(self) -> i128 {
        self.value
    }
}

impl fmt::Debug for EnumValue<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} = {}", ShortName(self.btf, self.name_off), self.value())
    }
}

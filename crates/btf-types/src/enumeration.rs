//! Enumerations: ENUM and ENUM64, and their values.
//!
//! Source: `Documentation/bpf/btf.rst`, "`BTF_KIND_ENUM`" and
//! "`BTF_KIND_ENUM64`".

use alloc::vec::Vec;
use core::{fmt, iter::FusedIterator, slice};

use btf_format as raw;

use crate::{
    Btf, Error, Kind, Name, Type, View,
    layer::Layer,
    names::Sought,
    view::{Handle, ShortName, converting, debug_first, sized, views},
};

views! {
    /// An enumeration with 32-bit values. Without values it is a forward
    /// declaration.
    Enum;
    /// An enumeration with 64-bit values. Since Linux 6.0.
    Enum64;
    /// An enumeration, with values of 32 or 64 bits.
    ///
    /// ```
    /// # fn main() -> Result<(), btf_types::Error> {
    /// use btf_types::{AnyEnum, Btf};
    ///
    /// # let vmlinux = Btf::parse(std::fs::read("doc/kernel.btf").unwrap())?;
    /// let reasons: AnyEnum<'_> = vmlinux.find("skb_drop_reason")?;
    /// assert_eq!((reasons.is_enum64(), reasons.is_signed(), reasons.values().len()), (false, false, 4));
    /// let mask = vmlinux.find_enumerator("BPF_F_CTXLEN_MASK")?;
    /// assert!(mask.enumeration().is_enum64());
    /// # Ok(())
    /// # }
    /// ```
    AnyEnum;
}

sized!(Enum Enum64 AnyEnum);

converting! {
    AnyEnum of [Enum Enum64] as [Kind::Enum, Kind::Enum64];
}

impl<'btf> From<AnyEnum<'btf>> for Type<'btf> {
    fn from(view: AnyEnum<'btf>) -> Self {
        if view.is_enum64() { Enum64(view.0).into() } else { Enum(view.0).into() }
    }
}

impl<'btf> From<Enum<'btf>> for AnyEnum<'btf> {
    fn from(view: Enum<'btf>) -> Self {
        Self(view.0)
    }
}

impl<'btf> From<Enum64<'btf>> for AnyEnum<'btf> {
    fn from(view: Enum64<'btf>) -> Self {
        Self(view.0)
    }
}

impl AnyEnum<'_> {
    /// Returns `true` for ENUM64.
    #[must_use]
    pub fn is_enum64(self) -> bool {
        self.0.record().info().kind() == Some(Kind::Enum64)
    }
}

macro_rules! enumeration {
    ($($kind:ident)*) => {$(
        impl<'btf> $kind<'btf> {
            /// Returns `true` if the values are signed. (BTF from before Linux
            /// 6.0 does not record it: all are unsigned.)
            #[must_use]
            pub fn is_signed(self) -> bool {
                self.0.record().info().kind_flag()
            }

            /// Iterates over the values (enumerators), in the order of
            /// declaration.
            #[inline]
            pub fn values(self) -> EnumValues<'btf> {
                EnumValues::new(self.0)
            }
        }
    )*};
}

enumeration!(Enum Enum64 AnyEnum);

/// Iterator over the values of an enumeration, of either width.
#[derive(Clone)]
#[must_use = "iterators are lazy"]
pub struct EnumValues<'btf> {
    owner: Handle<'btf>,
    is_signed: bool,
    raw: RawValues<'btf>,
    /// Index of the next value from the front.
    index: u32,
}

#[derive(Clone)]
enum RawValues<'btf> {
    Bits32(slice::Iter<'btf, raw::EnumValue>),
    Bits64(slice::Iter<'btf, raw::Enum64Value>),
}

impl<'btf> EnumValues<'btf> {
    #[inline]
    fn new(owner: Handle<'btf>) -> Self {
        let (record, rest) = owner.parts();
        let info = record.info();
        let raw = match info.kind() {
            Some(Kind::Enum64) => RawValues::Bits64(raw::Enum64Value::list(rest, info.vlen()).iter()),
            _ => RawValues::Bits32(raw::EnumValue::list(rest, info.vlen()).iter()),
        };
        Self { owner, is_signed: info.kind_flag(), raw, index: 0 }
    }

    #[inline]
    fn of32(&self, raw: &raw::EnumValue, index: u32) -> EnumValue<'btf> {
        let value = if self.is_signed { raw.val().into() } else { i128::from(raw.val() as u32) };
        EnumValue { owner: self.owner, name_off: raw.name_off(), value, index }
    }

    #[inline]
    fn of64(&self, raw: &raw::Enum64Value, index: u32) -> EnumValue<'btf> {
        let value = if self.is_signed { i128::from(raw.val() as i64) } else { raw.val().into() };
        EnumValue { owner: self.owner, name_off: raw.name_off(), value, index }
    }
}

impl<'btf> Iterator for EnumValues<'btf> {
    type Item = EnumValue<'btf>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let index = self.index;
        let next = match &mut self.raw {
            RawValues::Bits32(raw) => raw.next().map(|raw| self.of32(raw, index)),
            RawValues::Bits64(raw) => raw.next().map(|raw| self.of64(raw, index)),
        };
        self.index += u32::from(next.is_some());
        next
    }

    /// Takes constant time, like [`next`](Iterator::next).
    fn nth(&mut self, n: usize) -> Option<Self::Item> {
        self.index += n.min(self.len()) as u32;
        match &mut self.raw {
            RawValues::Bits32(raw) => *raw = raw.as_slice().get(n..).unwrap_or_default().iter(),
            RawValues::Bits64(raw) => *raw = raw.as_slice().get(n..).unwrap_or_default().iter(),
        }
        self.next()
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
        let last = self.index + (self.len() as u32).saturating_sub(1);
        match &mut self.raw {
            RawValues::Bits32(raw) => raw.next_back().map(|raw| self.of32(raw, last)),
            RawValues::Bits64(raw) => raw.next_back().map(|raw| self.of64(raw, last)),
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

/// A value of an enumeration: an enumerator.
#[derive(Clone, Copy)]
pub struct EnumValue<'btf> {
    owner: Handle<'btf>,
    name_off: u32,
    value: i128,
    index: u32,
}

impl<'btf> EnumValue<'btf> {
    /// The name.
    #[must_use]
    #[inline]
    pub fn name(self) -> Name<'btf> {
        self.owner.btf.name_at(self.name_off)
    }

    /// The name, or its first `limit` bytes: see
    /// [`Type::name_start`](crate::Type::name_start).
    #[must_use]
    pub fn name_start(self, limit: usize) -> Name<'btf> {
        self.owner.btf.name_start(self.name_off, limit)
    }

    /// The value, signed or unsigned as its enumeration is: in the range of
    /// `i32` or `u32` for ENUM, of `i64` or `u64` for ENUM64.
    ///
    /// ```
    /// # fn main() -> Result<(), btf_types::Error> {
    /// use btf_types::{Btf, Enum};
    ///
    /// # let vmlinux = Btf::parse(std::fs::read("doc/kernel.btf").unwrap())?;
    /// // The name of a number that was found in a trace.
    /// let reasons: Enum<'_> = vmlinux.find("skb_drop_reason")?;
    /// let reason = reasons.values().find(|reason| reason.value() == 3).unwrap();
    /// assert_eq!(reason.name(), "SKB_DROP_REASON_NO_SOCKET");
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    #[inline]
    pub fn value(self) -> i128 {
        self.value
    }

    /// Index among the values of its enumeration, from 0.
    #[must_use]
    pub fn index(self) -> u32 {
        self.index
    }

    /// The enumeration that declares the value.
    #[must_use]
    pub fn enumeration(self) -> AnyEnum<'btf> {
        AnyEnum(self.owner)
    }
}

/// Equal if it is the same value of the same enumeration.
impl PartialEq for EnumValue<'_> {
    fn eq(&self, other: &Self) -> bool {
        (self.owner, self.index) == (other.owner, other.index)
    }
}

impl Eq for EnumValue<'_> {}

impl core::hash::Hash for EnumValue<'_> {
    fn hash<H: core::hash::Hasher>(&self, state: &mut H) {
        (self.owner, self.index).hash(state);
    }
}

impl fmt::Display for EnumValue<'_> {
    /// Writes the enumerator as C declares it: `NAME = 1`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = {}", self.name(), self.value())
    }
}

impl fmt::Debug for EnumValue<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} = {}", ShortName(self.owner.btf, self.name_off), self.value())
    }
}

impl Btf {
    /// Finds the enumerator of this name in any enumeration, nearest layer
    /// first. [`EnumValue::enumeration`] is its type.
    ///
    /// ```
    /// # fn main() -> Result<(), btf_types::Error> {
    /// use btf_types::{Btf, Error};
    ///
    /// # let vmlinux = Btf::parse(std::fs::read("doc/kernel.btf").unwrap())?;
    /// let consumed = vmlinux.find_enumerator("SKB_CONSUMED")?;
    /// assert_eq!((consumed.value(), consumed.enumeration().to_string()), (1, "enum skb_drop_reason".into()));
    /// assert!(matches!(vmlinux.find_enumerator("SKB_LOST"), Err(Error::NoSuchEnumerator { .. })));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Cost: each enumerator is visited.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchEnumerator`]; [`Error::AmbiguousEnumerator`] if several
    /// are in the nearest layer that has any.
    pub fn find_enumerator(&self, name: impl AsRef<[u8]>) -> Result<EnumValue<'_>, Error> {
        let name = name.as_ref();
        for layer in self.layer().layers() {
            let found: Vec<_> = layer.enumerators(name).collect();
            match found.as_slice() {
                [] => {}
                [one] => return Ok(*one),
                several => {
                    let ids = several.iter().map(|value| value.owner.id).collect();
                    return Err(Error::AmbiguousEnumerator { name: name.into(), ids });
                }
            }
        }
        Err(Error::NoSuchEnumerator { name: name.into() })
    }

    /// Finds all enumerators of this name: own ones, then those of the base,
    /// each by ascending id of their enumeration.
    ///
    /// ```
    /// # fn main() -> Result<(), btf_types::Error> {
    /// use btf_types::Btf;
    ///
    /// # let vmlinux = Btf::parse(std::fs::read("doc/kernel.btf").unwrap())?;
    /// let all = vmlinux.find_all_enumerators("SKB_CONSUMED");
    /// assert_eq!(all.len(), 1);
    /// assert_eq!((all[0].value(), all[0].enumeration().name().to_string()), (1, "skb_drop_reason".into()));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn find_all_enumerators(&self, name: impl AsRef<[u8]>) -> Vec<EnumValue<'_>> {
        self.layer().layers().flat_map(|layer| layer.enumerators(name.as_ref())).collect()
    }
}

impl Layer {
    /// Iterates over the enumerators of own types with this name.
    fn enumerators<'btf, 'n>(&'btf self, name: &'n [u8]) -> impl Iterator<Item = EnumValue<'btf>> + use<'btf, 'n> {
        let mut sought = Sought::new(name);
        let values = self.types().filter_map(AnyEnum::of).flat_map(AnyEnum::values);
        values.filter(move |value| !name.is_empty() && sought.is_name(self, value.name_off))
    }
}

//! The view of each kind: its record's fields, decoded as they are asked for.

use core::{fmt, iter::FusedIterator, slice};

use btf_format::{self as raw, Name};

use crate::{Type, btf::Inner, ty::Handle};

macro_rules! views {
    ($($(#[$doc:meta])* $kind:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash)]
        pub struct $kind<'btf>(pub(crate) Handle<'btf>);

        impl<'btf> $kind<'btf> {
            /// The id.
            #[must_use]
            #[inline]
            pub fn id(self) -> u32 {
                self.0.id
            }

            /// The name; empty for what has none.
            #[must_use]
            #[inline]
            pub fn name(self) -> Name<'btf> {
                self.0.name()
            }
        }

        impl fmt::Debug for $kind<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )*};
}

views! {
    /// An integer, boolean or character.
    Int;
    /// A pointer.
    Ptr;
    /// An array.
    Array;
    /// A structure.
    Struct;
    /// A union.
    Union;
    /// An enumeration with 32-bit values.
    Enum;
    /// A forward declaration of a structure or union.
    Fwd;
    /// A `typedef`.
    Typedef;
    /// The qualifier `volatile`.
    Volatile;
    /// The qualifier `const`.
    Const;
    /// The qualifier `restrict`.
    Restrict;
    /// A function.
    Func;
    /// Return type and parameters of a function.
    FuncProto;
    /// A variable.
    Var;
    /// The variables, and in an object's `.ksyms` the functions, of an ELF
    /// section.
    Datasec;
    /// A floating-point number.
    Float;
    /// A tag of a declaration, member or parameter.
    DeclTag;
    /// A tag of a type.
    TypeTag;
    /// An enumeration with 64-bit values.
    Enum64;
    /// A type of a kind that this library does not model.
    Unknown;
}

macro_rules! sized {
    ($($kind:ident)*) => {$(
        impl $kind<'_> {
            /// Size in bytes.
            #[must_use]
            #[inline]
            pub fn size(self) -> u32 {
                self.0.record().size_or_type()
            }
        }
    )*};
}

sized!(Int Struct Union Enum Enum64 Float Datasec);

macro_rules! referring {
    ($($(#[$doc:meta])* $kind:ident.$method:ident;)*) => {$(
        impl<'btf> $kind<'btf> {
            $(#[$doc])*
            #[must_use]
            #[inline]
            pub fn $method(self) -> Type<'btf> {
                self.0.referred()
            }
        }
    )*};
}

referring! {
    /// What it points to.
    Ptr.target;
    /// The type that it is a name for.
    Typedef.target;
    /// The type that it qualifies.
    Volatile.target;
    /// The type that it qualifies.
    Const.target;
    /// The type that it qualifies.
    Restrict.target;
    /// The type that it tags.
    TypeTag.target;
    /// The declaration that it tags, or that has the member or parameter that
    /// it tags.
    DeclTag.target;
    /// The type of the variable.
    Var.ty;
    /// What the function returns.
    FuncProto.return_type;
}

/// An iterator over the elements of a record: exact, from both ends.
macro_rules! elements {
    ($(#[$doc:meta])* $iter:ident over $element:ident of $raw:ty) => {
        $(#[$doc])*
        #[derive(Clone)]
        pub struct $iter<'btf> {
            btf: &'btf Inner,
            kind_flag: bool,
            raw: slice::Iter<'btf, $raw>,
        }

        impl<'btf> $iter<'btf> {
            #[inline]
            fn of(handle: Handle<'btf>) -> Self {
                let info = handle.record().info();
                Self { btf: handle.btf, kind_flag: info.kind_flag(), raw: <$raw>::list(handle.rest(), info.vlen()).iter() }
            }

            #[inline]
            fn view(&self, raw: &'btf $raw) -> $element<'btf> {
                $element { btf: self.btf, kind_flag: self.kind_flag, raw: raw.into() }
            }
        }

        impl<'btf> Iterator for $iter<'btf> {
            type Item = $element<'btf>;

            #[inline]
            fn next(&mut self) -> Option<Self::Item> {
                self.raw.next().map(|raw| self.view(raw))
            }

            #[inline]
            fn size_hint(&self) -> (usize, Option<usize>) {
                self.raw.size_hint()
            }

            #[inline]
            fn nth(&mut self, n: usize) -> Option<Self::Item> {
                self.raw.nth(n).map(|raw| self.view(raw))
            }
        }

        impl DoubleEndedIterator for $iter<'_> {
            #[inline]
            fn next_back(&mut self) -> Option<Self::Item> {
                self.raw.next_back().map(|raw| self.view(raw))
            }
        }

        impl ExactSizeIterator for $iter<'_> {}
        impl FusedIterator for $iter<'_> {}

        impl fmt::Debug for $iter<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_list().entries(self.clone()).finish()
            }
        }
    };
}

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

impl<'btf> Array<'btf> {
    fn data(self) -> raw::Array {
        raw::Array::first(self.0.rest()).copied().unwrap_or(raw::Array::new(0, 0, 0))
    }

    /// The type of the elements.
    #[must_use]
    pub fn element(self) -> Type<'btf> {
        self.0.btf.type_of(self.data().type_id())
    }

    /// The type of the index.
    #[must_use]
    pub fn index(self) -> Type<'btf> {
        self.0.btf.type_of(self.data().index_type_id())
    }

    /// The number of elements; 0 for a flexible array.
    #[must_use]
    pub fn count(self) -> u32 {
        self.data().nelems()
    }
}

macro_rules! composite {
    ($($kind:ident)*) => {$(
        impl<'btf> $kind<'btf> {
            /// The members, in the order of their declaration.
            #[must_use]
            #[inline]
            pub fn members(self) -> Members<'btf> {
                Members::of(self.0)
            }
        }
    )*};
}

composite!(Struct Union);

elements! {
    /// Iterator over the members of a struct or union.
    Members over Member of raw::Member
}

/// A member of a struct or union.
#[derive(Clone, Copy)]
pub struct Member<'btf> {
    btf: &'btf Inner,
    raw: &'btf raw::Member,
    kind_flag: bool,
}

impl<'btf> Member<'btf> {
    /// The name; empty for an anonymous struct or union, or a bitfield that
    /// only pads.
    #[must_use]
    #[inline]
    pub fn name(self) -> Name<'btf> {
        self.btf.name_at(self.raw.name_off())
    }

    /// The type.
    #[must_use]
    #[inline]
    pub fn ty(self) -> Type<'btf> {
        self.btf.type_of(self.raw.type_id())
    }

    /// Offset from the start of the struct in **bits**.
    #[must_use]
    #[inline]
    pub fn bit_offset(self) -> u32 {
        self.raw.bit_offset(self.kind_flag)
    }

    /// Size of a bitfield in **bits**, as the member's record gives it; 0 for
    /// an ordinary member.
    #[must_use]
    #[inline]
    pub fn bitfield_size(self) -> u8 {
        self.raw.bitfield_size(self.kind_flag)
    }
}

impl fmt::Debug for Member<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} type={} bit_offset={}", self.name(), self.raw.type_id(), self.bit_offset())
    }
}

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

impl<'btf> Func<'btf> {
    /// Return type and parameters.
    #[must_use]
    #[inline]
    pub fn proto(self) -> FuncProto<'btf> {
        match self.0.referred() {
            Type::FuncProto(proto) => proto,
            // Not so after the checks at opening; and a FUNC's record, read
            // as a FUNC_PROTO without parameters, harms nobody.
            _ => FuncProto(self.0),
        }
    }
}

impl<'btf> FuncProto<'btf> {
    /// The parameters, in the order of their declaration.
    #[must_use]
    #[inline]
    pub fn params(self) -> Params<'btf> {
        Params::of(self.0)
    }
}

elements! {
    /// Iterator over the parameters of a function.
    Params over Param of raw::Param
}

/// A parameter of a function.
#[derive(Clone, Copy)]
pub struct Param<'btf> {
    btf: &'btf Inner,
    raw: &'btf raw::Param,
    #[expect(dead_code, reason = "of no meaning in a FUNC_PROTO")]
    kind_flag: bool,
}

impl<'btf> Param<'btf> {
    /// The name; may be empty.
    #[must_use]
    #[inline]
    pub fn name(self) -> Name<'btf> {
        self.btf.name_at(self.raw.name_off())
    }

    /// The type; `void` with no name, in the last parameter, means `...`.
    #[must_use]
    #[inline]
    pub fn ty(self) -> Type<'btf> {
        self.btf.type_of(self.raw.type_id())
    }
}

impl fmt::Debug for Param<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} type={}", self.name(), self.raw.type_id())
    }
}

impl<'btf> Datasec<'btf> {
    /// What lies in the section, in the order of the record.
    #[must_use]
    pub fn entries(self) -> DatasecEntries<'btf> {
        DatasecEntries::of(self.0)
    }
}

elements! {
    /// Iterator over what lies in a section.
    DatasecEntries over DatasecEntry of raw::VarSecinfo
}

/// A variable, or an extern function, in a section.
#[derive(Clone, Copy)]
pub struct DatasecEntry<'btf> {
    btf: &'btf Inner,
    raw: &'btf raw::VarSecinfo,
    #[expect(dead_code, reason = "of no meaning in a DATASEC")]
    kind_flag: bool,
}

impl<'btf> DatasecEntry<'btf> {
    /// The VAR or FUNC.
    #[must_use]
    pub fn ty(self) -> Type<'btf> {
        self.btf.type_of(self.raw.type_id())
    }

    /// Offset from the start of the section in bytes.
    #[must_use]
    pub fn offset(self) -> u32 {
        self.raw.offset()
    }

    /// Size in bytes.
    #[must_use]
    pub fn size(self) -> u32 {
        self.raw.size()
    }
}

impl fmt::Debug for DatasecEntry<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "type={} offset={} size={}", self.raw.type_id(), self.offset(), self.size())
    }
}

impl Unknown<'_> {
    /// The number of the kind.
    #[must_use]
    pub fn kind_number(self) -> u8 {
        self.0.record().info().kind_number()
    }
}

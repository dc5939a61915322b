//! STRUCT and UNION, and their members.

use core::fmt;

use btf_format as raw;

use crate::{
    Name, Type,
    btf::Inner,
    view::{elements, sized, views},
};

views! {
    /// A structure.
    Struct;
    /// A union.
    Union;
}

sized!(Struct Union);

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

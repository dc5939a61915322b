//! Structs and unions: STRUCT and UNION, and their members.
//!
//! Source: `Documentation/bpf/btf.rst`, "`BTF_KIND_STRUCT`"; `btf_member_*` in
//! `include/linux/btf.h`.

use alloc::{collections::BTreeSet, vec::Vec};
use core::fmt;

use btf_format as raw;

use crate::{
    DeclTags, Kind, LeafMembers, Type, View,
    layer::Layer,
    names::Sought,
    peel::HOPS,
    view::{ShortName, converting, elements, named, sized, views},
};

views! {
    /// A structure.
    ///
    /// ```
    /// # fn main() -> Result<(), btf_types::Error> {
    /// use btf_types::{Btf, Struct};
    ///
    /// # let vmlinux = Btf::parse(std::fs::read("doc/kernel.btf").unwrap())?;
    /// let list_head: Struct<'_> = vmlinux.find("list_head")?;
    /// let members: Vec<_> = list_head.members().map(|m| (m.bit_offset() / 8, m.to_string())).collect();
    /// assert_eq!(members, [(0, "struct list_head *next".into()), (8, "struct list_head *prev".into())]);
    ///
    /// let sk_buff: Struct<'_> = vmlinux.find("sk_buff")?;
    /// assert_eq!((sk_buff.size(), sk_buff.holes().len(), sk_buff.padding()), (56, 1, 32));
    /// // The size, 20, is not a multiple of the alignment of the u64 members.
    /// assert!(vmlinux.find::<Struct<'_>>("boot_e820_entry")?.is_packed()?);
    /// # Ok(())
    /// # }
    /// ```
    Struct;
    /// A union.
    ///
    /// ```
    /// # fn main() -> Result<(), btf_types::Error> {
    /// use btf_types::{Btf, Type};
    ///
    /// # let vmlinux = Btf::parse(std::fs::read("doc/kernel.btf").unwrap())?;
    /// let sk_buff: Type<'_> = vmlinux.find("sk_buff")?;
    /// let Type::Struct(sk_buff) = sk_buff else { panic!("it is a struct") };
    /// let Type::Union(first) = sk_buff.members().next().unwrap().ty() else { panic!("a union comes first") };
    /// assert!(first.name().is_empty());
    /// assert!(first.members().all(|member| member.bit_offset() == 0));
    /// # Ok(())
    /// # }
    /// ```
    Union;
    /// A structure or a union.
    ///
    /// ```
    /// # fn main() -> Result<(), btf_types::Error> {
    /// use btf_types::{Btf, Composite};
    ///
    /// # let vmlinux = Btf::parse(std::fs::read("doc/kernel.btf").unwrap())?;
    /// let sk_buff: Composite<'_> = vmlinux.find("sk_buff")?;
    /// assert_eq!((sk_buff.is_union(), sk_buff.members().len()), (false, 9));
    /// # Ok(())
    /// # }
    /// ```
    Composite;
}

sized!(Struct Union Composite);

converting! {
    Composite of [Struct Union] as [Kind::Struct, Kind::Union];
}

impl<'btf> From<Composite<'btf>> for Type<'btf> {
    #[inline]
    fn from(view: Composite<'btf>) -> Self {
        if view.is_union() { Union(view.0).into() } else { Struct(view.0).into() }
    }
}

impl<'btf> From<Struct<'btf>> for Composite<'btf> {
    #[inline]
    fn from(view: Struct<'btf>) -> Self {
        Self(view.0)
    }
}

impl<'btf> From<Union<'btf>> for Composite<'btf> {
    #[inline]
    fn from(view: Union<'btf>) -> Self {
        Self(view.0)
    }
}

impl Composite<'_> {
    /// Returns `true` for a union.
    #[must_use]
    #[inline]
    pub fn is_union(self) -> bool {
        self.0.record().info().kind() == Some(Kind::Union)
    }
}

macro_rules! composite {
    ($($kind:ident)*) => {$(
        impl<'btf> $kind<'btf> {
            /// Iterates over the members, in the order of declaration.
            #[inline]
            pub fn members(self) -> Members<'btf> {
                Members::new(self.0)
            }

            /// Returns the direct member with this name.
            #[must_use]
            pub fn member(self, name: impl AsRef<[u8]>) -> Option<Member<'btf>> {
                let mut sought = Sought::new(name.as_ref());
                self.members().find(|member| member.is_named(&mut sought))
            }

            /// Iterates over the members, with those of anonymous structs and
            /// unions in place of these. Each has its offset from the start of
            /// this type.
            pub fn leaf_members(self) -> LeafMembers<'btf> {
                LeafMembers::new(Composite(self.0))
            }
        }
    )*};
}

composite!(Struct Union Composite);

elements! {
    /// Iterator over the members of a struct or union.
    Members over
    /// A member of a struct or union.
    Member of raw::Member
}

named! {
    Member: "an anonymous struct or union, or a bitfield that only pads", "";
}

impl<'btf> Member<'btf> {
    /// Returns `true` if the member has the sought name.
    #[inline]
    pub(crate) fn is_named(self, sought: &mut Sought<'_>) -> bool {
        sought.is_name(self.owner.btf, self.raw.name_off())
    }

    /// Returns the struct or union of an unnamed member, whose members C treats
    /// as its own.
    #[inline]
    pub(crate) fn anonymous(self) -> Option<Composite<'btf>> {
        if self.is_anonymous() { Composite::of(self.ty().peel_modifiers()) } else { None }
    }

    /// Offset from the start of the struct in **bits**; 0 in a union.
    ///
    /// Bits are counted from the least significant one on little-endian
    /// machines, and from the most significant one on big-endian machines. The
    /// bitfields of BTF from before Linux 5.0, each with an integer type of its
    /// own, are converted.
    #[must_use]
    #[inline]
    pub fn bit_offset(self) -> u32 {
        let offset = self.raw.bit_offset(self.kind_flag);
        if self.may_be_legacy() { offset.saturating_add(self.legacy_bitfield().0) } else { offset }
    }

    /// Width in **bits** if the member is a bitfield, in either encoding.
    ///
    /// ```
    /// # fn main() -> Result<(), btf_types::Error> {
    /// use btf_types::{Btf, Struct};
    ///
    /// # let vmlinux = Btf::parse(std::fs::read("doc/kernel.btf").unwrap())?;
    /// let sk_buff: Struct<'_> = vmlinux.find("sk_buff")?;
    /// let nohdr = sk_buff.member("nohdr").unwrap();
    /// assert_eq!((nohdr.bit_offset(), nohdr.bitfield_size()), (273, Some(1)));
    /// assert_eq!(sk_buff.member("len").unwrap().bitfield_size(), None);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    #[inline]
    pub fn bitfield_size(self) -> Option<u8> {
        match self.raw.bitfield_size(self.kind_flag) {
            0 if self.may_be_legacy() => self.legacy_bitfield().1,
            0 => None,
            size => Some(size),
        }
    }

    /// Offset and, for a bitfield, width in **bits**, as stored in the record
    /// and printed by `bpftool`. Bitfields from before Linux 5.0 are not
    /// converted.
    #[must_use]
    #[inline]
    pub fn encoded(self) -> (u32, Option<u8>) {
        let size = self.raw.bitfield_size(self.kind_flag);
        (self.raw.bit_offset(self.kind_flag), (size > 0).then_some(size))
    }

    /// DECL_TAGs of this member (`btf_decl_tag`).
    pub fn decl_tags(self) -> DeclTags<'btf> {
        self.owner.btf.decl_tags(self.owner.id, Some(self.index))
    }

    /// Returns `true` if the integer type of the member may make it a bitfield,
    /// as before `kind_flag`: one that does not fill its bytes. The check at
    /// opening determines whether there is any.
    #[inline]
    fn may_be_legacy(self) -> bool {
        !self.kind_flag && self.owner.btf.has_irregular_ints()
    }

    /// Returns the bits that such an integer type adds to the offset, and the
    /// width of the bitfield.
    #[inline]
    fn legacy_bitfield(self) -> (u32, Option<u8>) {
        legacy_bitfield(self.owner.btf, self.raw.type_id())
    }
}

/// Returns the bits that an integer type adds to the offset of a member, and
/// its width, if it does not fill its bytes.
///
/// Not a method: passing `self` would force every member into memory, for a
/// rare call.
#[cold]
#[inline(never)]
fn legacy_bitfield(btf: &Layer, type_id: u32) -> (u32, Option<u8>) {
    match btf.type_of(type_id).peel_modifiers() {
        Type::Int(int) if !int.is_regular() => (int.bit_offset().into(), Some(int.bits())),
        _ => (0, None),
    }
}

/// Error: the limit of visited members was reached.
pub(crate) struct TooMany;

impl<'btf> Type<'btf> {
    /// Finds a member of this struct or union, or of an anonymous one inside it
    /// (up to 64 levels), with its offset from the start of this type in
    /// **bits**. The first in the order of declaration wins. Typedefs and
    /// qualifiers of this type are skipped.
    ///
    /// ```
    /// # fn main() -> Result<(), btf_types::Error> {
    /// use btf_types::{Btf, Struct};
    ///
    /// # let vmlinux = Btf::parse(std::fs::read("doc/kernel.btf").unwrap())?;
    /// let sk_buff: Struct<'_> = vmlinux.find("sk_buff")?;
    /// // `prev` is in a struct in a union, neither of which has a name.
    /// assert!(sk_buff.member("prev").is_none());
    /// let (prev, bit_offset) = sk_buff.as_type().find_member("prev").unwrap();
    /// assert_eq!((prev.to_string(), bit_offset), ("struct sk_buff *prev".into(), 64));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Cost: each member is visited once, and each anonymous type is searched
    /// once, however often it occurs.
    #[must_use]
    pub fn find_member(self, name: impl AsRef<[u8]>) -> Option<(Member<'btf>, u64)> {
        let mut steps = u64::MAX;
        self.search_member(name.as_ref(), &mut steps).unwrap_or_default()
    }

    /// Finds a member as [`Type::find_member`] does, and subtracts the number
    /// of visited members from `steps`.
    pub(crate) fn search_member(self, name: &[u8], steps: &mut u64) -> Result<Option<(Member<'btf>, u64)>, TooMany> {
        let Some(composite) = Composite::of(self.peel_modifiers()).filter(|_| !name.is_empty()) else {
            return Ok(None);
        };
        let mut sought = Sought::new(name);
        let mut searched = BTreeSet::new();
        let mut open = Vec::from([(composite.members(), 0u64)]);
        loop {
            let depth = open.len();
            let Some((members_left, start)) = open.last_mut() else { return Ok(None) };
            let Some(member) = members_left.next() else {
                open.pop();
                continue;
            };
            *steps = steps.checked_sub(1).ok_or(TooMany)?;
            let offset = *start + u64::from(member.bit_offset());
            if member.is_named(&mut sought) {
                return Ok(Some((member, offset)));
            }
            if depth < HOPS as usize
                && let Some(inner) = member.anonymous()
                && searched.insert(inner.id())
            {
                open.push((inner.members(), offset));
            }
        }
    }
}

impl fmt::Display for Member<'_> {
    /// Writes the member as C declares it: `unsigned int flags:3`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.ty().declare(self.name()).fmt(f)?;
        match self.bitfield_size() {
            Some(bits) => write!(f, ":{bits}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Member<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = ShortName(self.owner.btf, self.raw.name_off());
        write!(f, "{name:?} type={} bit_offset={}", self.raw.type_id(), self.bit_offset())?;
        match self.bitfield_size() {
            Some(size) => write!(f, " bitfield_size={size}"),
            None => Ok(()),
        }
    }
}

//! STRUCT and UNION, and their members.
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
    fn from(view: Composite<'btf>) -> Self {
        if view.is_union() { Union(view.0).into() } else { Struct(view.0).into() }
    }
}

impl<'btf> From<Struct<'btf>> for Composite<'btf> {
    fn from(view: Struct<'btf>) -> Self {
        Self(view.0)
    }
}

impl<'btf> From<Union<'btf>> for Composite<'btf> {
    fn from(view: Union<'btf>) -> Self {
        Self(view.0)
    }
}

impl Composite<'_> {
    /// Whether it is a union.
    #[must_use]
    pub fn is_union(self) -> bool {
        self.0.record().info().kind() == Some(Kind::Union)
    }
}

macro_rules! composite {
    ($($kind:ident)*) => {$(
        impl<'btf> $kind<'btf> {
            /// The members, in the order of their declaration.
            #[inline]
            pub fn members(self) -> Members<'btf> {
                Members::new(self.0)
            }

            /// The member of this name, among the direct members only.
            #[must_use]
            pub fn member(self, name: impl AsRef<[u8]>) -> Option<Member<'btf>> {
                let mut sought = Sought::new(name.as_ref());
                self.members().find(|member| member.is_named(&mut sought))
            }

            /// The members, and in place of anonymous structs and unions the
            /// members of these, each with its offset from the start of this.
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
    /// Whether this has the name that is looked for.
    #[inline]
    pub(crate) fn is_named(self, sought: &mut Sought<'_>) -> bool {
        sought.is_name(self.owner.btf, self.raw.name_off())
    }

    /// The struct or union whose members are this one's, as this has no name.
    #[inline]
    pub(crate) fn anonymous(self) -> Option<Composite<'btf>> {
        let is_anonymous = self.owner.btf.string_at(self.raw.name_off()).first() == Some(&0);
        if is_anonymous { Composite::of(self.ty().peel_modifiers()) } else { None }
    }

    /// Offset from the start of the struct in **bits**; 0 in a union.
    ///
    /// Bits are counted from the least significant one on little-endian, and
    /// from the most significant one on big-endian. What BTF from before Linux
    /// 5.0 says with an integer type of its own for each bitfield is folded in.
    #[must_use]
    #[inline]
    pub fn bit_offset(self) -> u32 {
        let offset = self.raw.bit_offset(self.kind_flag);
        if self.may_be_legacy() { offset.saturating_add(self.legacy_bitfield().0) } else { offset }
    }

    /// Width in **bits** if the member is a bitfield, by either encoding.
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

    /// Offset and, if it is a bitfield, width in **bits**, as the record gives
    /// both: nothing of an integer type folded in. What `bpftool` prints.
    #[must_use]
    pub fn encoded(self) -> (u32, Option<u8>) {
        let size = self.raw.bitfield_size(self.kind_flag);
        (self.raw.bit_offset(self.kind_flag), (size > 0).then_some(size))
    }

    /// The tags that were put on this member (`btf_decl_tag`).
    pub fn decl_tags(self) -> DeclTags<'btf> {
        self.owner.btf.decl_tags(self.owner.id, Some(self.index))
    }

    /// Whether an integer type of its own may make this member a bitfield, as
    /// before `kind_flag`: one that does not fill its bytes. Few BTF has any such
    /// integer, and that is known from opening.
    #[inline]
    fn may_be_legacy(self) -> bool {
        !self.kind_flag && self.owner.btf.has_irregular_ints()
    }

    /// What that integer adds to the offset, and the width if there is one.
    #[inline]
    fn legacy_bitfield(self) -> (u32, Option<u8>) {
        legacy_bitfield(self.owner.btf, self.raw.type_id())
    }
}

/// The bits that an integer type adds to the offset of a member, and its width,
/// if it does not fill its bytes.
///
/// Not a method: a member would have to be in memory, and be put there before
/// each question, for a call that hardly ever comes.
#[cold]
#[inline(never)]
fn legacy_bitfield(btf: &Layer, type_id: u32) -> (u32, Option<u8>) {
    match btf.type_of(type_id).peel_modifiers() {
        Type::Int(int) if !int.is_regular() => (int.bit_offset().into(), Some(int.bits())),
        _ => (0, None),
    }
}

/// More members had to be looked at than were allowed.
pub(crate) struct TooMany;

impl<'btf> Type<'btf> {
    /// The member of this name, of this struct or union or of an anonymous one
    /// inside it (64 of them inside each other), and its offset from the start of
    /// this one in **bits**. The first in the order of declaration; typedefs and
    /// qualifiers are seen through.
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
    /// Cost: a look at each member on the way; each anonymous type is searched
    /// once, however often it stands there.
    #[must_use]
    pub fn find_member(self, name: impl AsRef<[u8]>) -> Option<(Member<'btf>, u64)> {
        let mut steps = u64::MAX;
        self.search_member(name.as_ref(), &mut steps).unwrap_or_default()
    }

    /// Looks for a member as [`Type::find_member`] does, at no more than so many
    /// members; of these it takes off how many it looked at.
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

//! STRUCT and UNION, and their members.
//!
//! Source: `Documentation/bpf/btf.rst`, "`BTF_KIND_STRUCT`"; `btf_member_*` in
//! `include/linux/btf.h`.

use core::fmt;

use btf_format as raw;

use crate::{
    DeclTags, Int, Type,
    names::Sought,
    view::{ShortName, elements, named, sized, views},
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
                Members::new(self.0, self.0)
            }

            /// The member of this name, among the direct members only.
            #[must_use]
            pub fn member(self, name: impl AsRef<[u8]>) -> Option<Member<'btf>> {
                let mut sought = Sought::new(name.as_ref());
                self.members().find(|member| member.is_named(&mut sought))
            }
        }
    )*};
}

composite!(Struct Union);

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

    /// Whether this has no name: without looking for the end of one.
    #[inline]
    pub(crate) fn is_anonymous(self) -> bool {
        self.owner.btf.string_at(self.raw.name_off()).first() == Some(&0)
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
        match self.legacy_bitfield() {
            Some(int) => offset.saturating_add(int.bit_offset().into()),
            None => offset,
        }
    }

    /// Width in **bits** if the member is a bitfield, by either encoding.
    #[must_use]
    #[inline]
    pub fn bitfield_size(self) -> Option<u8> {
        match self.raw.bitfield_size(self.kind_flag) {
            0 => self.legacy_bitfield().map(Int::bits),
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
    #[must_use]
    pub fn decl_tags(self) -> DeclTags<'btf> {
        self.owner.btf.decl_tags(self.owner.id, Some(self.index))
    }

    /// The integer that makes this member a bitfield, as it was before
    /// `kind_flag`: one that does not fill its bytes. Few BTF has any such
    /// integer, and that is known from opening.
    #[inline]
    fn legacy_bitfield(self) -> Option<Int<'btf>> {
        if self.kind_flag || !self.owner.btf.has_irregular_ints() { None } else { self.irregular_int() }
    }

    #[cold]
    fn irregular_int(self) -> Option<Int<'btf>> {
        match self.ty().peel_modifiers() {
            Type::Int(int) if !int.is_regular() => Some(int),
            _ => None,
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

//! Holes: parts of a struct that belong to no member.

use alloc::vec::Vec;

use crate::{Composite, Member, Struct, Union};

/// Unused bits between the members of a struct or before the first one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Hole {
    /// Index of the member before it, from 0; `None` at the start.
    pub after: Option<u32>,
    /// Offset from the start of the struct in **bits**.
    pub bit_offset: u64,
    /// Size in **bits**, not necessarily a multiple of 8 next to a bitfield.
    pub bits: u64,
}

/// Returns the start and end of a member in bits. A member without a size, such
/// as a flexible array, is empty.
fn extent(member: Member<'_>) -> (u64, u64) {
    let start = u64::from(member.bit_offset());
    let bits = match member.bitfield_size() {
        Some(bits) => bits.into(),
        None => member.ty().size_of().map_or(0, |size| size * 8),
    };
    (start, start.saturating_add(bits))
}

impl Struct<'_> {
    /// Returns the holes, by ascending offset, without the padding at the end.
    ///
    /// ```
    /// # fn main() -> Result<(), btf_types::Error> {
    /// use btf_types::{Btf, Struct};
    ///
    /// # let vmlinux = Btf::parse(std::fs::read("doc/kernel.btf").unwrap())?;
    /// let sk_buff: Struct<'_> = vmlinux.find("sk_buff")?;
    /// let holes = sk_buff.holes();
    /// assert_eq!(holes.len(), 1);
    /// let before = sk_buff.members().nth(holes[0].after.unwrap() as usize).unwrap();
    /// assert_eq!((before.name().to_string(), holes[0].bit_offset, holes[0].bits), ("nohdr".into(), 274, 46));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn holes(self) -> Vec<Hole> {
        let mut extents: Vec<_> = self.members().map(|member| (extent(member), member.index())).collect();
        // In C, members are in order of their offsets; in Rust, they need not
        // be.
        extents.sort_by_key(|&((start, _), _)| start);
        let mut holes = Vec::new();
        let (mut end, mut after) = (0, None);
        for ((start, member_end), index) in extents {
            if start > end {
                holes.push(Hole { after, bit_offset: end, bits: start - end });
            }
            if member_end >= end {
                (end, after) = (member_end, Some(index));
            }
        }
        holes
    }
}

macro_rules! padding {
    ($($kind:ident)*) => {$(
        impl $kind<'_> {
            /// Size of the padding after the last member, in **bits**.
            #[must_use]
            pub fn padding(self) -> u64 {
                let end = self.members().map(|member| extent(member).1).max().unwrap_or(0);
                (u64::from(self.size()) * 8).saturating_sub(end)
            }
        }
    )*};
}

padding!(Struct Union Composite);

impl Composite<'_> {
    /// Returns the holes: see [`Struct::holes`]. A union has none.
    #[must_use]
    pub fn holes(self) -> Vec<Hole> {
        if self.is_union() { Vec::new() } else { Struct(self.0).holes() }
    }
}

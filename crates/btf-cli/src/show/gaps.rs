//! Holes and padding as counted by pahole: in bytes, and for bitfields in
//! unused bits of their storage units.

use btf_types::{Member, Members, Type};

/// Space that belongs to no member.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Gap {
    pub(super) bytes: u64,
    /// Unused bits of a storage unit of bitfields.
    pub(super) bits: u64,
}

/// Position of a member, in bits from the start of its struct.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) start: u64,
    pub(super) end: u64,
    /// Start and size of the storage unit of a bitfield.
    pub(super) unit: Option<(u64, u64)>,
}

impl Place {
    pub(super) fn of(member: Member<'_>) -> Self {
        let start = u64::from(member.bit_offset());
        let size = member.ty().size_of().unwrap_or(0).saturating_mul(8);
        match member.bitfield_size() {
            None => Self { start, end: start.saturating_add(size), unit: None },
            Some(bits) => {
                let unit = start.checked_div(size).map(|units| (units * size, size));
                Self { start, end: start + u64::from(bits), unit: Some(unit.unwrap_or((start, 0))) }
            }
        }
    }
}

/// Gaps of a struct, and the space of its members.
#[derive(Debug, Default)]
pub(super) struct Gaps {
    /// Holes by ascending index of the preceding member; `None` at the start.
    holes: Vec<(Option<u32>, Gap)>,
    pub(super) padding: Gap,
    /// Bytes of members that are not bitfields.
    pub(super) member_bytes: u64,
    /// Bits of bitfields.
    pub(super) bitfield_bits: u64,
}

impl Gaps {
    pub(super) fn of(size: u64, members: Members<'_>) -> Self {
        let mut gaps = Self::default();
        let mut walk = Walk::default();
        let is_in_order = members.clone().map(Member::bit_offset).is_sorted();
        if is_in_order {
            members.for_each(|member| walk.member(member, &mut gaps));
        } else {
            // Members are in order of their offsets in C, but not in Rust.
            let mut sorted: Vec<_> = members.collect();
            sorted.sort_by_key(|member| member.bit_offset());
            sorted.into_iter().for_each(|member| walk.member(member, &mut gaps));
            gaps.holes.sort_by_key(|(after, _)| *after);
        }
        gaps.padding = walk.padding(size * 8);
        gaps
    }

    /// Returns the gaps of a union, which has only padding.
    pub(super) fn of_union(size: u64, members: Members<'_>) -> Self {
        let end = members.map(|member| Place::of(member).end).max().unwrap_or(0);
        let padding = Gap { bytes: size.saturating_sub(end.div_ceil(8)), bits: 0 };
        Self { padding, ..Self::default() }
    }

    /// Returns the hole after a member, or at the start. Must be called by
    /// ascending index.
    pub(super) fn after(&self, member: Option<u32>) -> Gap {
        let found = self.holes.binary_search_by_key(&member, |(after, _)| *after);
        found.ok().and_then(|at| self.holes.get(at)).map_or(Gap::default(), |(_, gap)| *gap)
    }

    /// Returns the number of holes in bytes and their sum, and the same in
    /// bits.
    pub(super) fn sums(&self) -> ((usize, u64), (usize, u64)) {
        let sum = |part: fn(&Gap) -> u64| {
            let parts = self.holes.iter().map(|(_, gap)| part(gap)).filter(|part| *part > 0);
            (parts.clone().count(), parts.sum())
        };
        (sum(|gap| gap.bytes), sum(|gap| gap.bits))
    }
}

/// Walk over members by ascending offset.
#[derive(Default)]
struct Walk {
    /// End of the visited members, in bits.
    end: u64,
    last: Option<u32>,
    /// End and size of the storage unit after a bitfield.
    unit: Option<(u64, u64)>,
}

impl Walk {
    fn member(&mut self, member: Member<'_>, gaps: &mut Gaps) {
        let place = Place::of(member);
        let mut hole = Gap::default();
        if let Some((unit_end, _)) = self.unit {
            hole.bits = self.skip_to(place.start.min(unit_end));
        }
        match place.unit {
            None => {
                gaps.member_bytes += (place.end - place.start) / 8;
                hole.bytes = (place.start / 8).saturating_sub(self.end / 8);
            }
            Some((unit_start, _)) => {
                gaps.bitfield_bits += place.end - place.start;
                hole.bytes = self.skip_to(unit_start) / 8;
                hole.bits += self.skip_to(place.start);
            }
        }
        if hole != Gap::default() {
            gaps.holes.push((self.last, hole));
        }
        if place.end >= self.end {
            (self.end, self.last) = (place.end, Some(member.index()));
        }
        self.unit = place.unit.map(|unit| self.unit_after(place, unit));
    }

    /// Returns the end and size of the storage unit in which a bitfield ends.
    fn unit_after(&self, place: Place, (start, size): (u64, u64)) -> (u64, u64) {
        match self.unit {
            Some((end, before)) if place.end <= end && size <= before => (end, before),
            // A bitfield that straddles two units ends in the second.
            _ if place.end > start + size => (start + 2 * size, size),
            _ => (start + size, size),
        }
    }

    /// Moves to a bit, and returns the number of skipped bits.
    fn skip_to(&mut self, bit: u64) -> u64 {
        let skipped = bit.saturating_sub(self.end);
        self.end = self.end.max(bit);
        skipped
    }

    fn padding(&mut self, size: u64) -> Gap {
        let bits = self.unit.map_or(0, |(end, _)| self.skip_to(end.min(size)));
        Gap { bytes: (size / 8).saturating_sub(self.end / 8), bits }
    }
}

/// Returns the padding in bytes of a member's struct; not for a typedef.
pub(super) fn padding_within(ty: Type<'_>) -> u64 {
    match ty.peel_qualifiers() {
        Type::Struct(s) => Gaps::of(s.size().into(), s.members()).padding.bytes,
        _ => 0,
    }
}

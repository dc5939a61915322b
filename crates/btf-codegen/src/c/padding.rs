//! Padding by unnamed bitfields: `long: 64`, `int: 0`.

/// A type of padding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    Long,
    Int,
    Short,
    Char,
}

impl Unit {
    /// All units, largest first.
    const ALL: [Self; 4] = [Self::Long, Self::Int, Self::Short, Self::Char];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Long => "long",
            Self::Int => "int",
            Self::Short => "short",
            Self::Char => "char",
        }
    }

    /// Returns the width in bits, which is also the alignment.
    pub(super) fn bits(self, pointer_size: u8) -> u64 {
        match self {
            Self::Long => u64::from(pointer_size) * 8,
            Self::Int => 32,
            Self::Short => 16,
            Self::Char => 8,
        }
    }
}

/// Unnamed bitfield; one of 0 bits aligns the next member to the unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pad {
    pub(super) unit: Unit,
    pub(super) bits: u64,
}

/// The padding of one gap.
///
/// Source: `btf_dump_emit_bit_padding` in `tools/lib/bpf/btf_dump.c`.
#[derive(Debug, Clone)]
pub(super) struct Padding {
    /// The next bit to pad, and the end of the gap.
    at: u64,
    end: u64,
    unit: Unit,
    pointer_size: u8,
    /// Padding to yield first.
    mark: Option<Pad>,
    /// Maximum size of a unit in bits.
    largest: u64,
    /// True if the gap is filled to its end, without relying on alignment.
    fills: bool,
}

impl Padding {
    /// Pads from bit `at` to bit `end` as libbpf does, before a member aligned to `align`
    /// bytes. `in_bitfield` is true between two bitfields.
    pub(super) fn as_libbpf(at: u64, end: u64, align: u64, in_bitfield: bool, pointer_size: u8) -> Self {
        let rounded = |unit: Unit| at.next_multiple_of(unit.bits(pointer_size));
        // The largest unit that has a boundary in the gap closes the most by alignment.
        let fits = |unit: &Unit| rounded(*unit) <= end;
        let unit = Unit::ALL.into_iter().find(fits).unwrap_or(Unit::Char);
        let mut padding = Self { at, end, unit, pointer_size, mark: None, largest: u64::MAX, fills: false };
        let aligned = rounded(unit);
        if at < end && aligned > at && aligned <= end {
            let is_needed = in_bitfield
                || aligned == end && at.next_multiple_of(align.max(1) * 8) != aligned
                || aligned != end && end - aligned <= aligned - at;
            padding.mark = is_needed.then_some(Pad { unit, bits: if in_bitfield { aligned - at } else { 0 } });
            padding.at = aligned;
        }
        padding
    }

    /// Fills bits `at` to `end` with units of at most `largest` bits, without relying on
    /// alignment.
    pub(super) fn filling(at: u64, end: u64, largest: u64, pointer_size: u8) -> Self {
        Self { at, end, unit: Unit::Char, pointer_size, mark: None, largest, fills: true }
    }

    fn next_filling(&self) -> Pad {
        let left = self.end - self.at;
        let is_aligned = |unit: &Unit| {
            let bits = unit.bits(self.pointer_size);
            bits <= self.largest && self.at.is_multiple_of(bits) && bits <= left
        };
        match Unit::ALL.into_iter().find(is_aligned) {
            Some(unit) => Pad { unit, bits: unit.bits(self.pointer_size) },
            None => Pad { unit: Unit::Char, bits: left.min(8 - self.at % 8) },
        }
    }

    fn next_as_libbpf(&self) -> Pad {
        let (full, left) = (self.unit.bits(self.pointer_size), self.end - self.at);
        if left >= full {
            return Pad { unit: self.unit, bits: full };
        }
        let fits = |unit: &Unit| unit.bits(self.pointer_size) >= left;
        let unit = Unit::ALL.into_iter().rev().find(fits).unwrap_or(self.unit);
        Pad { unit, bits: left }
    }
}

impl Iterator for Padding {
    type Item = Pad;

    fn next(&mut self) -> Option<Pad> {
        if let Some(mark) = self.mark.take() {
            return Some(mark);
        }
        if self.at >= self.end {
            return None;
        }
        let pad = if self.fills { self.next_filling() } else { self.next_as_libbpf() };
        self.at += pad.bits;
        Some(pad)
    }
}

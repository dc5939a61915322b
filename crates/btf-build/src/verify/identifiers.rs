//! Identifiers among the strings of a section, found for all strings at once.

use super::{limits::Limits, names};

/// Bytes that a word of a bitmap tells of.
const WORD: usize = 64;

/// A bit for each byte of a string section at which an identifier begins. So
/// whether a string is one takes a look at one bit, however long it is, and however
/// many types share it.
pub(crate) struct Identifiers(Vec<u64>);

impl Identifiers {
    pub(crate) fn new(strings: &[u8], limits: &Limits) -> Self {
        let (chunks, rest) = strings.as_chunks();
        let mut bits = vec![0; chunks.len() + 1];
        let mut last = [0; WORD];
        last.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
        // From the end, for the end of each string to be known where it begins.
        let mut end = None;
        for ((index, word), bytes) in
            bits.iter_mut().enumerate().rev().zip([&last].into_iter().chain(chunks.iter().rev()))
        {
            let classes = Classes::of(bytes, limits.dots);
            let within;
            (within, end) = classes.within_identifiers(index * WORD, end, limits.name_len);
            *word = within & !bitmap(bytes, |byte| byte.is_ascii_digit());
        }
        Self(bits)
    }

    /// Returns whether an identifier begins at an offset of the strings.
    #[inline]
    pub(crate) fn contains(&self, offset: usize) -> bool {
        self.0.get(offset / WORD).is_some_and(|bits| bits >> (offset % WORD) & 1 != 0)
    }
}

/// A bit for each byte, of what it can be.
struct Classes {
    nuls: u64,
    /// Those that identifiers contain.
    inner: u64,
}

impl Classes {
    #[inline]
    fn of(bytes: &[u8; WORD], dots: bool) -> Self {
        let nuls = bitmap(bytes, |byte| byte == 0);
        // There are seldom others, and they are counted in fewer steps.
        let known = bytes.iter().fold(true, |known, &byte| known & (byte == 0 || names::can_contain(byte, dots)));
        let inner = if known { !nuls } else { bitmap(bytes, |byte| names::can_contain(byte, dots)) };
        Self { nuls, inner }
    }

    /// The bytes from which on there are only those of an identifier, to a NUL that
    /// is at most so far away. The bytes begin at an offset; `end` is that of the NUL
    /// behind them, if no other byte comes before it. Returned, too, is where a NUL
    /// is for what comes before these.
    #[inline]
    fn within_identifiers(&self, offset: usize, end: Option<usize>, name_len: usize) -> (u64, Option<usize>) {
        let is_near = end.is_none_or(|end| end - offset <= name_len);
        if self.inner | self.nuls != u64::MAX || self.nuls == 0 || !is_near {
            return self.within_any(offset, end, name_len);
        }
        // What is not yet in reach of a NUL are the bytes above the last one here.
        let unknown = if end.is_some() { 0 } else { u64::MAX << self.nuls.ilog2() };
        (self.inner & !unknown, Some(offset + self.nuls.trailing_zeros() as usize))
    }

    /// Tests any bytes in the same way.
    #[cold]
    fn within_any(&self, offset: usize, mut end: Option<usize>, name_len: usize) -> (u64, Option<usize>) {
        let (mut within, mut above, mut ends) = (0, WORD, !self.inner);
        loop {
            // Of the bytes below `above`, the last one that ends a string.
            let at = ends.checked_ilog2();
            if let Some(end) = end {
                let first = at.map_or(0, |at| at as usize + 1);
                let first = first.max(end.saturating_sub(name_len).saturating_sub(offset)).min(above);
                within |= up_to(above) & !up_to(first);
            }
            let Some(at) = at else { return (within, end) };
            let is_nul = self.nuls >> at & 1 != 0;
            (end, above) = (is_nul.then_some(offset + at as usize), at as usize);
            ends &= !(1 << at);
        }
    }
}

/// The lowest bits, so many.
const fn up_to(bits: usize) -> u64 {
    if bits < WORD { (1 << bits) - 1 } else { u64::MAX }
}

/// A bit for each byte, whether it is of a class.
#[inline]
fn bitmap(bytes: &[u8; WORD], is: impl Fn(u8) -> bool) -> u64 {
    let mut flags = [0; WORD];
    for (flag, &byte) in flags.iter_mut().zip(bytes) {
        *flag = u8::from(is(byte));
    }
    let (eights, _) = flags.as_chunks::<8>();
    eights.iter().rev().fold(0, |word, eight| word << 8 | bits(*eight))
}

/// The lowest bits of eight bytes, one after the other.
fn bits(bytes: [u8; 8]) -> u64 {
    // Byte k is moved to bit 56 + k, and no other product gets there.
    u64::from_le_bytes(bytes).wrapping_mul(0x0102_0408_1020_4080) >> 56
}

#[cfg(test)]
mod tests {
    use btf_types::format::{FeatureSet, KernelVersion};

    use super::*;
    use crate::verify::NameRule;

    #[test]
    fn all_bits_are_kept() {
        for byte in 0..=u8::MAX {
            let flags = std::array::from_fn(|bit| byte >> bit & 1);
            assert_eq!(bits(flags), u64::from(byte));
        }
    }

    #[test]
    fn each_offset_is_judged_as_one_by_one() {
        let mut strings = vec![0];
        // Each byte as the first, in the middle, and as the last.
        for byte in 1..=u8::MAX {
            for name in [&[byte][..], &[b'a', byte, b'b'], &[b'_', byte]] {
                strings.extend([name, &[0]].concat());
            }
        }
        for len in [63, 64, 65, 127, 128, 129, 130, 511, 512, 513, 514, 700] {
            strings.extend(std::iter::repeat_n(b'x', len).chain([0]));
        }
        for version in [KernelVersion::new(5, 4), KernelVersion::new(6, 1), KernelVersion::new(6, 18)] {
            let limits = Limits::new(version, FeatureSet::of(version));
            for cut in 0..WORD {
                let strings = &strings[cut..];
                let identifiers = Identifiers::new(strings, &limits);
                for offset in 0..strings.len() {
                    let expected = NameRule::Identifier.accepts(&strings[offset..], &limits);
                    assert_eq!(identifiers.contains(offset), expected, "{version}, {offset} after {cut}");
                }
                assert!(!identifiers.contains(strings.len()));
            }
        }
    }
}

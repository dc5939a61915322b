//! Identifiers among the strings of a section, found for all strings at once.

use super::{
    bitmap::{self, bitmap},
    limits::Limits,
    names,
};

/// Bytes of a block, for each of which a bitmap has a bit.
const BLOCK: usize = 128;

/// The identifiers of a string section. Whether one begins at a byte is looked up in
/// constant time, however long it is and however many types share it.
///
/// In most blocks all strings are identifiers, so that the byte itself has the answer.
/// The others have a bitmap.
pub(crate) struct Identifiers<'a> {
    strings: &'a [u8],
    /// For each value of a byte, true if an identifier can begin with it.
    can_begin: [bool; 256],
    /// 0 for each block in which an identifier begins at each byte that it can begin
    /// with; otherwise the number of its bitmap, from 1.
    blocks: Vec<u32>,
    /// A bit for each byte of the other blocks: set if an identifier begins there.
    bitmaps: Vec<u128>,
}

impl<'a> Identifiers<'a> {
    pub(crate) fn new(strings: &'a [u8], limits: &Limits) -> Self {
        let dots = limits.dots;
        let (chunks, rest) = strings.as_chunks();
        let mut last = [0; BLOCK];
        last.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
        let mut blocks = vec![0; chunks.len() + 1];
        let mut bitmaps = Vec::new();
        // From the end, for the end of each string to be known where it begins.
        let mut end = End::None;
        for ((index, block), bytes) in
            blocks.iter_mut().enumerate().rev().zip([&last].into_iter().chain(chunks.iter().rev()))
        {
            let offset = index * BLOCK;
            if is_plain(bytes, dots) && end.is_near(bytes, offset, limits.name_len) {
                end = End::In(bytes);
            } else {
                let (bitmap, before) = Classes::of(bytes, dots).identifiers(offset, end.of(offset), limits.name_len);
                end = before.map_or(End::None, End::At);
                bitmaps.push(bitmap);
                *block = bitmaps.len() as u32;
            }
        }
        let can_begin = std::array::from_fn(|byte| names::can_begin(byte as u8, dots));
        Self { strings, can_begin, blocks, bitmaps }
    }

    /// Returns whether an identifier begins at an offset of the strings.
    #[inline]
    pub(crate) fn contains(&self, offset: usize) -> bool {
        match self.blocks.get(offset / BLOCK) {
            Some(0) => self.can_begin_at(offset),
            Some(&number) => {
                let bitmap = self.bitmaps.get(number as usize - 1);
                bitmap.is_some_and(|bitmap| bitmap >> (offset % BLOCK) & 1 != 0)
            }
            None => false,
        }
    }

    /// Returns whether an identifier begins at an offset and can be told by its first byte, as
    /// most can.
    #[inline]
    pub(super) fn contains_plain(&self, offset: usize) -> bool {
        (self.blocks.get(offset / BLOCK) == Some(&0)) & self.can_begin_at(offset)
    }

    #[inline]
    fn can_begin_at(&self, offset: usize) -> bool {
        self.strings.get(offset).and_then(|byte| self.can_begin.get(usize::from(*byte))) == Some(&true)
    }
}

/// Returns whether a block has only NULs, at least one of them, and such bytes of
/// identifiers as are in ASCII. If not, it may still be that all its strings are
/// identifiers.
#[inline]
fn is_plain(bytes: &[u8; BLOCK], dots: bool) -> bool {
    let dot = if dots { b'.' } else { b'_' };
    let (mut least, mut excess) = (u8::MAX, 0);
    for &byte in bytes {
        // How far the byte is from each class: 0 if it is in the class. This takes fewer
        // vector instructions than comparing, and all bytes take them.
        let letter = (byte | 0x20).wrapping_sub(b'a').saturating_sub(25);
        let digit = byte.wrapping_sub(b'0').saturating_sub(9);
        excess = excess.max(letter.min(digit).min(byte ^ b'_').min(byte ^ dot).min(byte));
        least = least.min(byte);
    }
    (least == 0) & (excess == 0)
}

/// The first NUL behind a block.
#[derive(Clone, Copy)]
enum End<'a> {
    /// Other bytes that no identifier contains come before it, or there is none.
    None,
    /// At this offset.
    At(usize),
    /// In the next block, which is a plain one.
    In(&'a [u8; BLOCK]),
}

impl End<'_> {
    /// Returns whether there is one, for a string that begins in the block at an offset
    /// to end with.
    #[inline]
    fn is_near(self, block: &[u8; BLOCK], offset: usize, name_len: usize) -> bool {
        match self {
            Self::None => false,
            Self::In(_) if 2 * BLOCK <= name_len => true,
            _ => self.is_near_last(block, offset, name_len),
        }
    }

    #[cold]
    fn is_near_last(self, block: &[u8; BLOCK], offset: usize, name_len: usize) -> bool {
        let start = offset + memchr::memrchr(0, block).map_or(0, |nul| nul + 1);
        self.of(offset).is_some_and(|end| end - start <= name_len)
    }

    /// Returns the offset, behind the block at another.
    fn of(self, offset: usize) -> Option<usize> {
        match self {
            Self::None => None,
            Self::At(end) => Some(end),
            Self::In(bytes) => Some(offset + BLOCK + memchr::memchr(0, bytes)?),
        }
    }
}

/// A bit for each byte, of what it can be.
struct Classes {
    nuls: u128,
    /// Those that identifiers contain.
    inner: u128,
    digits: u128,
}

impl Classes {
    fn of(bytes: &[u8; BLOCK], dots: bool) -> Self {
        Self {
            nuls: classified(bytes, |byte| byte == 0),
            inner: classified(bytes, |byte| names::can_contain(byte, dots)),
            digits: classified(bytes, |byte| byte.is_ascii_digit()),
        }
    }

    /// The bytes at which an identifier begins. The bytes begin at an offset; `end` is
    /// that of the NUL behind them, if only bytes of identifiers come before it. Also
    /// returned is where such a NUL is for what comes before these bytes.
    fn identifiers(&self, offset: usize, mut end: Option<usize>, name_len: usize) -> (u128, Option<usize>) {
        let (mut within, mut above, mut ends) = (0, BLOCK, !self.inner);
        loop {
            // Of the bytes below `above`, the last one that ends a string.
            let at = ends.checked_ilog2();
            if let Some(end) = end {
                let first = at.map_or(0, |at| at as usize + 1);
                let first = first.max(end.saturating_sub(name_len).saturating_sub(offset)).min(above);
                within |= up_to(above) & !up_to(first);
            }
            let Some(at) = at else { return (within & !self.digits, end) };
            let is_nul = self.nuls >> at & 1 != 0;
            (end, above) = (is_nul.then_some(offset + at as usize), at as usize);
            ends &= !(1 << at);
        }
    }
}

/// The lowest bits, so many.
const fn up_to(bits: usize) -> u128 {
    if bits < BLOCK { (1 << bits) - 1 } else { u128::MAX }
}

/// A bit for each byte, whether it is of a class.
fn classified(bytes: &[u8; BLOCK], is: impl Fn(u8) -> bool + Copy) -> u128 {
    let halves = bytes.chunks(bitmap::ELEMENTS).rev();
    halves.fold(0, |bits, half| bits << bitmap::ELEMENTS | u128::from(bitmap(half, is)))
}

#[cfg(test)]
mod tests {
    use btf_types::format::{FeatureSet, KernelVersion};

    use super::*;
    use crate::verify::NameRule;

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
            for cut in 0..BLOCK {
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

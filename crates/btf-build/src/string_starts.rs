//! Starts of the strings of a string section.

use std::ops::Range;

/// The strings of a section, numbered from 0: a bit for each byte, set where a
/// string begins.
#[derive(Debug)]
pub(crate) struct StringStarts {
    blocks: Vec<Block>,
    count: u32,
    /// Bytes of the section.
    end: u32,
}

impl StringStarts {
    pub(crate) fn new(strings: &[u8]) -> Self {
        let mut blocks = Vec::with_capacity(strings.len().div_ceil(64));
        let (mut before, mut last, mut begins) = (0, 0, 1);
        for (index, chunk) in strings.chunks(64).enumerate() {
            let ends = nuls(chunk);
            // None begins where the section ends.
            let starts = (ends << 1 | begins) & (u64::MAX >> (64 - chunk.len()));
            begins = ends >> 63;
            blocks.push(Block { starts, before, last });
            before += starts.count_ones();
            last = starts.checked_ilog2().map_or(last, |bit| index as u32 * 64 + bit);
        }
        Self { blocks, count: before, end: strings.len() as u32 }
    }

    /// The number of strings.
    pub(crate) fn len(&self) -> usize {
        self.count as usize
    }

    /// The number of the string that a byte belongs to, and where it begins.
    #[inline(always)]
    pub(crate) fn string_at(&self, own: u32) -> (usize, u32) {
        let index = own / 64;
        let Some(block) = self.blocks.get(index as usize) else {
            return (usize::MAX, own);
        };
        let up_to = block.starts & (u64::MAX >> (63 - own % 64));
        let number = (block.before + up_to.count_ones()).wrapping_sub(1) as usize;
        (number, up_to.checked_ilog2().map_or(block.last, |bit| index * 64 + bit))
    }

    /// The length of the string that begins at a byte, if the next one begins in
    /// the same block.
    #[inline]
    pub(crate) fn len_at(&self, start: u32) -> Option<usize> {
        let block = self.blocks.get(start as usize / 64)?;
        let after = block.starts & (u64::MAX - 1) << (start % 64);
        (after != 0).then(|| (after.trailing_zeros() - start % 64 - 1) as usize)
    }

    /// The strings, each with its NUL.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Range<u32>> {
        let mut starts =
            self.blocks.iter().enumerate().flat_map(|(index, block)| bits(block.starts, index as u32 * 64));
        let mut start = starts.next();
        std::iter::from_fn(move || {
            let string = start?..starts.next().unwrap_or(self.end);
            start = Some(string.end).filter(|&start| start < self.end);
            Some(string)
        })
    }
}

/// 64 bytes of strings.
#[derive(Debug)]
struct Block {
    /// A bit for each byte: set if a string begins there.
    starts: u64,
    /// Number of strings that begin before the block.
    before: u32,
    /// Start of the last of those.
    last: u32,
}

/// A bit for each of up to 64 bytes: set if it is NUL.
#[inline]
fn nuls(bytes: &[u8]) -> u64 {
    const LOW: u64 = 0x7f7f_7f7f_7f7f_7f7f;
    let words = bytes.chunks_exact(8);
    let rest = words.remainder().iter().enumerate();
    let rest = rest.fold(0, |mask, (bit, &byte)| mask | u64::from(byte == 0) << bit);
    let whole = bytes.len() / 8 * 8;
    let mask = words.enumerate().fold(0, |mask, (index, word)| {
        let word = word.try_into().map_or(0, u64::from_le_bytes);
        // The high bit of each byte that is NUL; then these eight bits together.
        let high = !((word & LOW).wrapping_add(LOW) | word | LOW);
        let bits = (high >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56;
        mask | bits << (index * 8)
    });
    if whole < 64 { mask | rest << whole } else { mask }
}

/// The numbers of the bits that are set, counted from `first`.
fn bits(mut word: u64, first: u32) -> impl Iterator<Item = u32> {
    std::iter::from_fn(move || {
        let bit = (word != 0).then(|| word.trailing_zeros())?;
        word &= word - 1;
        Some(first + bit)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bit_for_each_nul() {
        for len in 0..=64 {
            let bytes: Vec<u8> = (0..len).map(|at| if at % 5 == 3 || at % 7 == 0 { 0 } else { at + 0x7d }).collect();
            let expected = bytes.iter().enumerate().fold(0, |mask, (at, &byte)| mask | u64::from(byte == 0) << at);
            assert_eq!(nuls(&bytes), expected, "{len}");
        }
        assert_eq!(nuls(&[0; 64]), u64::MAX);
        assert_eq!(nuls(&[1, 0x80, 0, 1, 0, 0x80, 0x81, 0xff]), 0b10100);
    }

    #[test]
    fn strings_are_what_ends_with_a_nul() {
        for len in [0, 1, 5, 63, 64, 65, 128, 200] {
            let mut bytes: Vec<u8> = (0..len).map(|at| u8::from(at % 7 != 0)).collect();
            bytes.extend((len > 0).then_some(0));
            let starts = StringStarts::new(&bytes);
            let strings: Vec<_> = starts.iter().collect();
            assert_eq!(starts.len(), strings.len());
            let expected: Vec<_> = bytes.split_inclusive(|&byte| byte == 0).collect();
            assert!(strings.iter().map(|range| &bytes[range.start as usize..range.end as usize]).eq(expected));
            for (number, range) in strings.iter().enumerate() {
                assert!(range.clone().all(|at| starts.string_at(at) == (number, range.start)), "{len} {number}");
            }
        }
    }
}

//! Where the strings of a BTF go when its types are put into another.

use std::ops::Range;

use btf_types::Btf;

use crate::{
    Error,
    layers::{own_strings, terminated},
    string_table::StringTable,
};

/// The new offset of each own string of one layer, as far as it was asked for.
///
/// Each string is looked up once, however many types share it. An offset into
/// the middle of a string becomes one into the middle of the same string, so
/// that many that share their bytes still do.
#[derive(Debug)]
pub(crate) struct StringMap {
    /// The offset of the first own string.
    first: u32,
    blocks: Vec<Block>,
    /// The new offset of each string; 0 if it was not asked for.
    to: Vec<u32>,
}

impl StringMap {
    /// Takes a layer, and the offset of its first own string.
    pub(crate) fn new(layer: &Btf, first: u32) -> Self {
        let strings = own_strings(layer);
        let mut blocks = Vec::with_capacity(strings.len().div_ceil(64));
        let (mut before, mut last, mut begins) = (0, 0, 1);
        for (index, chunk) in strings.chunks(64).enumerate() {
            let ends = nuls(chunk);
            let starts = ends << 1 | begins;
            begins = ends >> 63;
            blocks.push(Block { starts, before, last });
            before += starts.count_ones();
            last = starts.checked_ilog2().map_or(last, |bit| index as u32 * 64 + bit);
        }
        Self { first, blocks, to: vec![0; before as usize] }
    }

    /// The number of own strings.
    pub(crate) fn len(&self) -> usize {
        self.to.len()
    }

    /// The offset of the first own string.
    pub(crate) fn first(&self) -> u32 {
        self.first
    }

    /// The new offset of an own string of `layer`, of which this was made.
    #[inline]
    pub(crate) fn map(&mut self, layer: &Btf, offset: u32, table: &mut StringTable) -> Result<u32, Error> {
        if offset == 0 {
            // Most types, members and parameters without a name.
            return Ok(0);
        }
        let own = offset.wrapping_sub(self.first);
        let (number, start) = self.string_at(own);
        match self.to.get(number) {
            Some(&to) if to != 0 => Ok(to + (own - start)),
            Some(_) => Ok(self.add(layer, number, start, table)? + (own - start)),
            None => Ok(0),
        }
    }

    /// Looks a string up that was not asked for before.
    #[inline(never)]
    fn add(&mut self, layer: &Btf, number: usize, start: u32, table: &mut StringTable) -> Result<u32, Error> {
        let tail = own_strings(layer).get(start as usize..).unwrap_or_default();
        let len = self.len_at(start).unwrap_or_else(|| terminated(tail).len());
        let new = table.intern_checked(tail.get(..len).unwrap_or_default())?;
        if let Some(to) = self.to.get_mut(number) {
            *to = new;
        }
        Ok(new)
    }

    /// The length of the string that begins at a byte, if the next one begins in
    /// the same block.
    #[inline]
    fn len_at(&self, start: u32) -> Option<usize> {
        let block = self.blocks.get(start as usize / 64)?;
        let after = block.starts & (u64::MAX - 1) << (start % 64);
        (after != 0).then(|| (after.trailing_zeros() - start % 64 - 1) as usize)
    }

    /// Forgets the strings that went to an offset from `first` on: they are not
    /// there any more.
    pub(crate) fn forget(&mut self, first: u32) {
        self.to.iter_mut().filter(|to| **to >= first).for_each(|to| *to = 0);
    }

    /// Calls `mapped` with the strings that were asked for, those that moved
    /// together as one: with the range of their old offsets, the NUL included, and
    /// the first new one.
    pub(crate) fn for_each(&self, layer: &Btf, mut mapped: impl FnMut(Range<u32>, u32)) {
        let strings = own_strings(layer);
        let starts = self.blocks.iter().zip(0..).flat_map(|(block, index)| bits(block.starts, index * 64));
        let mut run: Option<(u32, u32)> = None;
        for (start, &to) in starts.zip(&self.to) {
            // The empty string, asked for or not, is where it always is.
            let is_mapped = to != 0 || strings.get(start as usize) == Some(&0);
            if let Some((first, new)) = run
                && !(is_mapped && new + (start - first) == to)
            {
                mapped(self.first + first..self.first + start, new);
                run = None;
            }
            if is_mapped {
                run = run.or(Some((start, to)));
            }
        }
        if let Some((first, new)) = run {
            mapped(self.first + first..self.first + strings.len() as u32, new);
        }
    }

    /// The number of the string that a byte belongs to, and where it begins.
    #[inline(always)]
    fn string_at(&self, own: u32) -> (usize, u32) {
        let index = own / 64;
        let Some(block) = self.blocks.get(index as usize) else {
            return (usize::MAX, own);
        };
        let up_to = block.starts & (u64::MAX >> (63 - own % 64));
        let number = (block.before + up_to.count_ones()).wrapping_sub(1) as usize;
        (number, up_to.checked_ilog2().map_or(block.last, |bit| index * 64 + bit))
    }
}

/// 64 bytes of strings.
#[derive(Debug)]
struct Block {
    /// A bit for each byte: set if a string begins there.
    starts: u64,
    /// How many strings begin before the block.
    before: u32,
    /// Where the last of those begins.
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
    fn offsets_into_strings_stay_so() {
        let mut strings = b"\0int\0".to_vec();
        strings.extend([b'x'; 200]);
        strings.extend(b"\0\0z\0");
        let mut blob = Vec::new();
        btf_types::format::Assembly::new(&[], &strings).write(|part| blob.extend_from_slice(part)).unwrap();
        let btf = Btf::parse(blob).unwrap();
        let mut map = StringMap::new(&btf, 0);
        let mut table = StringTable::new(None);
        let mut mapped = |offset| map.map(&btf, offset, &mut table).unwrap();
        assert_eq!([0, 5 + 100, 5 + 198, 5].map(&mut mapped), [0, 101, 199, 1]);
        assert_eq!([207, 3, 206, 205, 1].map(&mut mapped), [202, 206, 0, 201, 204]);
        assert_eq!(table.as_bytes().len(), 1 + 201 + 2 + 4);
    }
}

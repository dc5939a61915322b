//! Map of the strings of a BTF to their offsets in another one.

use std::ops::Range;

use btf_types::Btf;

use crate::{
    Error,
    layers::{own_strings, terminated},
    string_starts::StringStarts,
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
    starts: StringStarts,
    /// The new offset of each string; 0 if it was not asked for.
    to: Vec<u32>,
}

impl StringMap {
    /// Takes a layer, and the offset of its first own string.
    pub(crate) fn new(layer: &Btf, first: u32) -> Self {
        let starts = StringStarts::new(own_strings(layer));
        let to = vec![0; starts.len()];
        Self { first, starts, to }
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
        let (number, start) = self.starts.string_at(own);
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
        let len = self.starts.len_at(start).unwrap_or_else(|| terminated(tail).len());
        let new = table.intern_checked(tail.get(..len).unwrap_or_default())?;
        if let Some(to) = self.to.get_mut(number) {
            *to = new;
        }
        Ok(new)
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
        let mut run: Option<(u32, u32)> = None;
        for (start, &to) in self.starts.iter().map(|string| string.start).zip(&self.to) {
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
}

#[cfg(test)]
mod tests {
    use super::*;

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

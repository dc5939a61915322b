//! Strings of a BTF and of the layers below, while they are moved to another
//! one.

use std::{collections::BTreeMap, ops::Range};

use btf_types::Btf;

use crate::{
    Error,
    hash_table::Table,
    layers::{Layers, own_strings, terminated},
    string_map::StringMap,
    string_table::StringTable,
};

/// New offsets of the strings of all layers of a BTF: of most own ones, and of
/// few of those below.
#[derive(Debug)]
pub(crate) struct SourceStrings {
    layers: Layers,
    /// The offset of the first own string.
    first: u32,
    own: StringMap,
    below: FewStrings,
}

impl SourceStrings {
    pub(crate) fn new(btf: &Btf) -> Self {
        let layers = Layers::new(btf);
        let first = btf.base().map_or(0, Btf::string_len);
        Self { layers, first, own: StringMap::new(btf, first), below: FewStrings::default() }
    }

    /// The new offset of a string of `btf`, of which this was made.
    #[inline]
    pub(crate) fn map(&mut self, btf: &Btf, offset: u32, table: &mut StringTable) -> Result<u32, Error> {
        if offset >= self.first {
            return self.own.map(btf, offset, table);
        }
        self.below.map(&self.layers, offset, table)
    }

    /// Calls `mapped` with each string that was asked for, as the range of its
    /// old offsets with the NUL, and its new offset.
    pub(crate) fn for_each(&self, btf: &Btf, mut mapped: impl FnMut(Range<u32>, u32)) {
        for (old, new) in &self.below.found {
            mapped(old.clone(), *new);
        }
        self.own.for_each(btf, mapped);
    }
}

/// New offsets of few strings of a section. The others are not read.
///
/// As in a [`StringMap`], each string is looked up once, and offsets into the
/// middle of it follow.
#[derive(Debug, Default)]
pub(crate) struct FewStrings {
    /// The new offset of each string, plus 1, by where it begins: the hashes are
    /// different already.
    to: Table,
    /// Each string that was asked for: its old offsets with the NUL, and the new
    /// one.
    found: Vec<(Range<u32>, u32)>,
    /// Bounds of strings that were looked up by an offset inside them, so that
    /// none is scanned for each of its bytes.
    by_middle: BTreeMap<u32, u32>,
}

/// Hashes an offset. No two offsets share a hash, and those that meet in a slot of a
/// table are at least as far apart as the table is large: the number of collisions is
/// bounded by the bytes of the strings.
fn hash(offset: u32) -> u32 {
    offset.wrapping_mul(0x9e37_79b1)
}

impl FewStrings {
    #[inline]
    pub(crate) fn map(&mut self, layers: &Layers, offset: u32, table: &mut StringTable) -> Result<u32, Error> {
        if offset == 0 {
            return Ok(0);
        }
        match self.to.find(hash(offset), |_| true) {
            Ok(new) => Ok(new - 1),
            Err(_) => self.find(layers, offset, table),
        }
    }

    /// The new offset of a string that was not asked for by where it begins.
    #[inline(never)]
    fn find(&mut self, layers: &Layers, offset: u32, table: &mut StringTable) -> Result<u32, Error> {
        let Some((first, layer)) = layers.get(layers.of_string(offset)) else { return Ok(0) };
        let strings = own_strings(layer);
        let before = strings.get(..(offset - first) as usize).unwrap_or_default();
        let start = match before.last() {
            None | Some(0) => offset,
            Some(_) => self.start_of(strings, first, before),
        };
        self.to.reserve(1);
        let place = match self.to.find(hash(start), |_| true) {
            Ok(new) => return Ok(new - 1 + (offset - start)),
            Err(place) => place,
        };
        let string = terminated(strings.get((start - first) as usize..).unwrap_or_default());
        let new = table.intern_checked(string)?;
        self.to.insert(place, hash(start), new + 1);
        self.found.push((start..start + string.len() as u32 + 1, new));
        Ok(new + (offset - start))
    }

    /// Returns the start of the string that contains an offset. `before` are
    /// the strings before it, and `first` is the first offset of the layer.
    fn start_of(&mut self, strings: &[u8], first: u32, before: &[u8]) -> u32 {
        let offset = first + before.len() as u32;
        if let Some((&start, &end)) = self.by_middle.range(..offset).next_back()
            && offset < end
        {
            return start;
        }
        let start = memchr::memrchr(0, before).map_or(0, |nul| nul + 1);
        let len = terminated(strings.get(start..).unwrap_or_default()).len();
        let start = first + start as u32;
        self.by_middle.insert(start, start + len as u32 + 1);
        start
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_of_all_layers_and_parts_of_them_are_found() {
        let btf = |strings: &[u8], base: Option<&Btf>| {
            let mut blob = Vec::new();
            btf_types::format::Assembly::new(&[], strings).write(|part| blob.extend_from_slice(part)).unwrap();
            Btf::options().maybe_base(base).parse(blob).unwrap()
        };
        let lowest = btf(b"\0int\0long long\0", None);
        let middle = btf(b"short\0\0", Some(&lowest));
        let top = btf(b"own\0", Some(&middle));
        let mut strings = SourceStrings::new(&top);
        let mut table = StringTable::new(None);
        let mut map = |offset: u32| strings.map(&top, offset, &mut table).unwrap();
        // "long", "int", its NUL, "long long", "" and "".
        assert_eq!([10, 1, 4, 5, 0].map(&mut map), [6, 11, 14, 1, 0]);
        assert_eq!([15, 18, 20, 21, 22, 24].map(&mut map), [15, 18, 20, 0, 21, 23]);
        assert_eq!(table.as_bytes(), b"\0long long\0int\0short\0own\0");
        let mut all = Vec::new();
        strings.for_each(&top, |old, new| all.push((old, new)));
        all.sort_by_key(|(old, _)| old.start);
        assert_eq!(all, [(1..5, 11), (5..15, 1), (15..21, 15), (21..22, 0), (22..26, 21)]);
    }
}

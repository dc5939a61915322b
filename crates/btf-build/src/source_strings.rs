//! The strings of a BTF and of those below it, on their way into another.

use std::{collections::BTreeMap, ops::Range};

use btf_types::Btf;

use crate::{
    Error,
    layers::{Layers, own_strings, terminated},
    string_map::StringMap,
    string_table::StringTable,
};

/// Where the strings of all layers of a BTF go: most of its own, and few of those
/// below.
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
        for (&start, to) in &self.below.to {
            mapped(start..to.end, to.new);
        }
        self.own.for_each(btf, mapped);
    }
}

/// Where strings go of which few are asked for: the others are not looked at.
///
/// As in a [`StringMap`], each string is looked up once, and offsets into the
/// middle of it follow.
#[derive(Debug, Default)]
pub(crate) struct FewStrings {
    /// By where the string begins.
    to: BTreeMap<u32, To>,
    /// Offsets that were asked for lately, each with the new one, at the place
    /// that its bits say: most are asked for again and again.
    recent: Vec<(u32, u32)>,
}

/// How many offsets are kept as recent.
const RECENT: usize = 1024;

/// Where a string goes.
#[derive(Debug)]
struct To {
    /// Where it ends, after its NUL.
    end: u32,
    new: u32,
}

impl FewStrings {
    #[inline]
    pub(crate) fn map(&mut self, layers: &Layers, offset: u32, table: &mut StringTable) -> Result<u32, Error> {
        if offset == 0 {
            return Ok(0);
        }
        let place = offset as usize % RECENT;
        if let Some(&(old, new)) = self.recent.get(place)
            && old == offset
        {
            return Ok(new);
        }
        let new = self.find(layers, offset, table)?;
        self.recent.resize(RECENT, (0, 0));
        if let Some(recent) = self.recent.get_mut(place) {
            *recent = (offset, new);
        }
        Ok(new)
    }

    #[inline(never)]
    fn find(&mut self, layers: &Layers, offset: u32, table: &mut StringTable) -> Result<u32, Error> {
        if let Some((start, to)) = self.to.range(..=offset).next_back()
            && offset < to.end
        {
            return Ok(to.new + (offset - start));
        }
        let Some((first, layer)) = layers.get(layers.of_string(offset)) else { return Ok(0) };
        let (strings, own) = (own_strings(layer), (offset - first) as usize);
        let start = memchr::memrchr(0, strings.get(..own).unwrap_or_default()).map_or(0, |nul| nul + 1);
        let string = terminated(strings.get(start..).unwrap_or_default());
        let (start, end) = (first + start as u32, first + (start + string.len()) as u32 + 1);
        let new = table.intern_checked(string)?;
        self.to.insert(start, To { end, new });
        Ok(new + (offset - start))
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
        assert_eq!(all, [(1..5, 11), (5..15, 1), (15..21, 15), (21..22, 0), (22..26, 21)]);
    }
}

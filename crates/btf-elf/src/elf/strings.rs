//! String tables of an ELF file.
//!
//! A million sections or symbols can share a name of megabytes, or have
//! suffixes of it as names. The end of a name is therefore found without
//! reading all of it ([`StringTable`]), and names for lookup are hashed once
//! per offset in the table, within a budget ([`NameIndex`]).

use std::{collections::hash_map::RandomState, hash::BuildHasher, sync::OnceLock};

use btf_types::{Bytes, Name, OwnedName, Type};

use crate::{DatasecFault, Error};

/// String table. A name ends at its NUL, or at the end of the table.
#[derive(Debug, Default)]
pub(crate) struct StringTable {
    bytes: Bytes,
    /// For each block of [`BLOCK`] bytes, the first NUL in or after it.
    ends: OnceLock<Box<[usize]>>,
}

const BLOCK: usize = 64;

impl StringTable {
    pub(crate) fn new(bytes: Bytes) -> Self {
        Self { bytes, ends: OnceLock::new() }
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Returns the name at an offset, or an empty one outside the table, in
    /// constant time.
    pub(crate) fn get(&self, offset: u32) -> Name<'_> {
        let start = offset as usize;
        let rest = self.bytes.get(start..).unwrap_or_default();
        let near = rest.get(..BLOCK).unwrap_or(rest);
        let len = match memchr::memchr(0, near) {
            Some(len) => len,
            None if near.len() == rest.len() => rest.len(),
            // There is no NUL before this block.
            None => self.ends().get((start + BLOCK) / BLOCK).map_or(rest.len(), |end| end.saturating_sub(start)),
        };
        Name::new(rest.get(..len).unwrap_or_default())
    }

    /// Returns `true` if this is the name at an offset, in O(`name.len()`).
    pub(crate) fn is(&self, offset: u32, name: &[u8]) -> bool {
        let rest = self.bytes.get(offset as usize..).unwrap_or_default();
        let ends = |rest: &[u8]| rest.first().is_none_or(|&byte| byte == 0);
        !name.contains(&0) && rest.strip_prefix(name).is_some_and(ends)
    }

    fn ends(&self) -> &[usize] {
        self.ends.get_or_init(|| {
            let mut end = self.bytes.len();
            let mut ends: Box<[usize]> = self.bytes.chunks(BLOCK).map(|_| end).collect();
            for (index, block) in self.bytes.chunks(BLOCK).enumerate().rev() {
                if let Some(first) = memchr::memchr(0, block) {
                    end = index * BLOCK + first;
                }
                if let Some(place) = ends.get_mut(index) {
                    *place = end;
                }
            }
            ends
        })
    }
}

/// Budget for names that are read, in bytes.
#[derive(Debug)]
pub(crate) struct NameBudget {
    limit: u64,
    left: u64,
}

impl NameBudget {
    /// Maximum ratio of the bytes of names to the bytes of their table.
    /// (Linkers merge names with a common end, which adds a few percent.)
    const TIMES: u64 = 16;
    /// Minimum budget for any table.
    const LEAST: u64 = 1 << 20;

    /// Returns the limit for a table of this many bytes.
    fn limit(len: usize) -> u64 {
        Self::LEAST.max(Self::TIMES * len as u64)
    }

    /// Makes the budget for a table of this many bytes.
    pub(crate) fn new(len: usize) -> Self {
        let limit = Self::limit(len);
        Self { limit, left: limit }
    }

    /// Charges a name that is read.
    pub(crate) fn spend(&mut self, name: Name<'_>) -> Result<(), NamesShared> {
        let left = self.left.checked_sub(name.as_bytes().len() as u64);
        self.left = left.ok_or(NamesShared { limit: self.limit })?;
        Ok(())
    }

    /// Returns the name of a type and charges it. Reads no further than the
    /// budget allows.
    pub(crate) fn name<'btf>(&mut self, ty: Type<'btf>) -> Result<Name<'btf>, NamesShared> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).saturating_add(1);
        let name = ty.name_start(most);
        match self.left.checked_sub(name.as_bytes().len() as u64) {
            Some(left) => {
                self.left = left;
                Ok(name)
            }
            None => {
                self.left = 0;
                Err(NamesShared { limit: self.limit })
            }
        }
    }
}

/// Error: the limit on the bytes of names was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NamesShared {
    pub(crate) limit: u64,
}

impl From<NamesShared> for Error {
    fn from(NamesShared { limit }: NamesShared) -> Self {
        Self::NamesShared { limit }
    }
}

impl From<NamesShared> for DatasecFault {
    fn from(NamesShared { limit }: NamesShared) -> Self {
        Self::NamesShared { limit }
    }
}

/// Index of sections or symbols by name.
#[derive(Debug)]
pub(crate) struct NameIndex {
    hasher: RandomState,
    /// The limit that was reached, if any.
    limit: Option<u64>,
    /// Hash and table offset of each name, and the index of the first item with
    /// it; sorted.
    places: Vec<(u64, u32, u32)>,
}

impl NameIndex {
    /// Indexes items by the offsets of their names in the table.
    pub(crate) fn new(table: &StringTable, names: impl Iterator<Item = (u32, u32)>) -> Self {
        let mut firsts: Vec<(u32, u32)> = names.collect();
        firsts.sort_unstable();
        firsts.dedup_by_key(|&mut (offset, _)| offset);
        let mut budget = NameBudget::new(table.len());
        let mut index = Self { hasher: RandomState::new(), limit: None, places: Vec::with_capacity(firsts.len()) };
        for (offset, number) in firsts {
            let name = table.get(offset);
            if budget.spend(name).is_err() {
                index.limit = Some(budget.limit);
                return index;
            }
            index.places.push((index.hasher.hash_one(name.as_bytes()), offset, number));
        }
        index.places.sort_unstable_by_key(|&(hash, _, number)| (hash, number));
        index
    }

    /// Returns the first item with this name.
    ///
    /// # Errors
    ///
    /// [`NamesShared`] if the names of the table overlap so much that reading
    /// them would exceed the limit.
    pub(crate) fn get(&self, table: &StringTable, name: &[u8]) -> Result<Option<u32>, NamesShared> {
        if let Some(limit) = self.limit {
            return Err(NamesShared { limit });
        }
        let hash = self.hasher.hash_one(name);
        let start = self.places.partition_point(|&(of, ..)| of < hash);
        let mut those = self.places.iter().skip(start).take_while(|&&(of, ..)| of == hash);
        Ok(those.find(|&&(_, offset, _)| table.is(offset, name)).map(|&(_, _, number)| number))
    }
}

/// Maximum number of bytes of a name in an error.
const SHORT: usize = 128;

/// Returns the name of a type for an error: see [`short`].
pub(crate) fn short_name(ty: Type<'_>) -> OwnedName {
    short(ty.name_start(SHORT + 1))
}

/// Shortens a name for an error: a million errors could hold a name of
/// megabytes.
pub(crate) fn short(name: Name<'_>) -> OwnedName {
    match name.as_bytes().get(..SHORT).filter(|start| start.len() < name.as_bytes().len()) {
        Some(start) => [start, b"..."].concat().into(),
        None => name.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_end_with_a_nul_or_the_table() {
        let mut bytes = b"\0one\0".to_vec();
        bytes.extend([b'x'; 5000]);
        bytes.extend(b"\0end");
        let table = StringTable::new(bytes.clone().into());
        for offset in 0..=bytes.len() {
            let name = table.get(offset as u32);
            let expected = bytes[offset..].split(|&byte| byte == 0).next().unwrap();
            assert_eq!(name.as_bytes(), expected, "{offset}");
            assert!(table.is(offset as u32, expected), "{offset}");
            assert!(!table.is(offset as u32, &[expected, b"x"].concat()), "{offset}");
        }
        assert_eq!(table.get(u32::MAX), "");
        assert!(!table.is(1, b"on") && !table.is(1, b"one\0"));
        assert_eq!(StringTable::default().get(0), "");
    }

    #[test]
    fn the_first_of_a_name_is_found_and_names_that_share_too_much_are_an_error() {
        let table = StringTable::new(b"\0ab\0b\0".as_slice().into());
        let index = NameIndex::new(&table, [(4, 3), (1, 0), (2, 1), (1, 2), (0, 4)].into_iter());
        let found = ["ab", "b", "", "a"].map(|name| index.get(&table, name.as_bytes()));
        assert_eq!(found, [Ok(Some(0)), Ok(Some(1)), Ok(Some(4)), Ok(None)]);

        let long = StringTable::new(vec![b'x'; 1 << 16].into());
        let one = NameIndex::new(&long, (0..1 << 20).map(|number| (7, number)));
        assert_eq!(one.get(&long, &[b'x'; (1 << 16) - 7]), Ok(Some(0)), "one place is one name, however many have it");
        let suffixes = NameIndex::new(&long, (0..1 << 16).map(|number| (number, number)));
        assert_eq!(suffixes.get(&long, b"x"), Err(NamesShared { limit: 1 << 20 }));
    }
}

//! The strings of a BTF in the making, each stored once.

use std::hash::{BuildHasher, RandomState};

use btf_types::{Btf, format::Strings};

use crate::{
    Error,
    layers::{Layers, own_strings, terminated},
};

/// Own strings, and those of the base, found by their contents.
#[derive(Debug)]
pub(crate) struct StringTable {
    base: Option<BaseStrings>,
    /// The first own string offset: the length of the base's strings.
    first: u32,
    /// Own strings, each terminated.
    bytes: Vec<u8>,
    own: Table,
    hash: Hash,
}

impl StringTable {
    pub(crate) fn new(base: Option<&Btf>) -> Self {
        let base = base.map(|base| BaseStrings { layers: Layers::new(base), table: None });
        let first = base.as_ref().map_or(0, |base| base.layers.strings_len());
        let bytes = if base.is_none() { vec![0] } else { Vec::new() };
        Self { base, first, bytes, own: Table::default(), hash: Hash::new() }
    }

    /// Own strings, as the string section holds them.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Own strings, as the string section holds them.
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// The string at an offset.
    pub(crate) fn get(&self, offset: u32) -> &[u8] {
        match offset.checked_sub(self.first) {
            Some(own) => terminated(self.bytes.get(own as usize..).unwrap_or_default()),
            None => self.base.as_ref().map_or(&[], |base| base.layers.string(offset)),
        }
    }

    /// The offset of the next string.
    pub(crate) fn end(&self) -> u32 {
        self.first.saturating_add(self.bytes.len() as u32)
    }

    /// Makes room for `count` more strings of `bytes` bytes.
    pub(crate) fn reserve(&mut self, count: usize, bytes: usize) {
        self.bytes.reserve(bytes);
        self.own.reserve(count);
    }

    /// The offset of a string, which is added if it is not there.
    pub(crate) fn intern(&mut self, string: &[u8]) -> Result<u32, Error> {
        if string.is_empty() {
            return Ok(0);
        }
        if memchr::memchr(0, string).is_some() {
            return Err(Error::NulInName { name: string.into() });
        }
        self.intern_checked(string)
    }

    /// [`StringTable::intern`] of a string that is known to have no NUL.
    pub(crate) fn intern_checked(&mut self, string: &[u8]) -> Result<u32, Error> {
        if string.is_empty() {
            return Ok(0);
        }
        let hash = self.hash.of(string);
        if let Some(base) = &mut self.base
            && let Some(offset) = base.find(hash, string, &self.hash)
        {
            return Ok(offset);
        }
        self.own.reserve(1);
        let (bytes, first) = (&self.bytes, self.first);
        let slot = match self
            .own
            .find(hash, |offset| bytes.get((offset - first) as usize..).is_some_and(|tail| begins_with(tail, string)))
        {
            Ok(offset) => return Ok(offset),
            Err(slot) => slot,
        };
        let offset = self.first as usize + self.bytes.len();
        let end = offset as u64 + string.len() as u64 + 1;
        if u32::try_from(end).is_err() {
            return Err(Error::TooLarge { what: "strings" });
        }
        self.bytes.extend_from_slice(string);
        self.bytes.push(0);
        self.own.insert(slot, hash, offset as u32);
        Ok(offset as u32)
    }

    /// Removes the strings that were added since there were `len` bytes of
    /// them.
    pub(crate) fn truncate(&mut self, len: usize) {
        if len >= self.bytes.len() {
            return;
        }
        for (offset, string) in Strings::new(self.bytes.get(len..).unwrap_or_default(), 0).unwrap_or_default() {
            let offset = self.first + len as u32 + offset;
            self.own.remove(self.hash.of(string.as_bytes()), offset);
        }
        self.bytes.truncate(len);
    }
}

/// Returns whether terminated strings begin with this one.
fn begins_with(tail: &[u8], string: &[u8]) -> bool {
    tail.get(string.len()) == Some(&0) && tail.starts_with(string)
}

/// The strings of the layers below.
#[derive(Debug)]
struct BaseStrings {
    layers: Layers,
    /// Made when the first string is looked up.
    table: Option<Table>,
}

impl BaseStrings {
    fn find(&mut self, hash: u32, string: &[u8], hasher: &Hash) -> Option<u32> {
        let layers = &self.layers;
        let table = self.table.get_or_insert_with(|| Self::table(layers, hasher));
        table.find(hash, |offset| begins_with(layers.tail(offset), string)).ok()
    }

    /// Each string of the layers by its first offset.
    fn table(layers: &Layers, hasher: &Hash) -> Table {
        let mut table = Table::default();
        for (first, layer) in layers.iter() {
            for (offset, string) in Strings::new(own_strings(layer), 0).unwrap_or_default() {
                let string = string.as_bytes();
                if string.is_empty() {
                    continue;
                }
                let hash = hasher.of(string);
                table.reserve(1);
                if let Err(slot) = table.find(hash, |offset| begins_with(layers.tail(offset), string)) {
                    table.insert(slot, hash, first + offset);
                }
            }
        }
        table
    }
}

/// A hash table of string offsets, with open addressing.
#[derive(Debug, Default)]
struct Table {
    /// A power of two of them, or none.
    slots: Vec<Slot>,
    used: usize,
}

/// A slot of the table; empty if the offset is 0, which no string of the table
/// has.
#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    hash: u32,
    offset: u32,
}

impl Table {
    /// The offset of the entry with this hash for which `is_it` holds, or the
    /// slot where it would be.
    fn find(&self, hash: u32, is_it: impl Fn(u32) -> bool) -> Result<u32, usize> {
        let mask = self.slots.len().wrapping_sub(1);
        let mut at = hash as usize & mask;
        while let Some(slot) = self.slots.get(at)
            && slot.offset != 0
        {
            if slot.hash == hash && is_it(slot.offset) {
                return Ok(slot.offset);
            }
            at = (at + 1) & mask;
        }
        Err(at)
    }

    /// Fills an empty slot.
    fn insert(&mut self, at: usize, hash: u32, offset: u32) {
        self.put(at, Slot { hash, offset });
        self.used += 1;
    }

    fn put(&mut self, at: usize, slot: Slot) {
        if let Some(place) = self.slots.get_mut(at) {
            *place = slot;
        }
    }

    /// Makes room for `count` more entries.
    #[inline]
    fn reserve(&mut self, count: usize) {
        if (self.used + count) * 4 > self.slots.len() * 3 {
            self.grow(self.used + count);
        }
    }

    /// Makes room for `count` entries: a quarter of the slots stays empty.
    #[cold]
    fn grow(&mut self, count: usize) {
        let larger = vec![Slot::default(); (count * 4).div_ceil(3).next_power_of_two().max(16)];
        let entries = std::mem::replace(&mut self.slots, larger);
        for slot in entries.into_iter().filter(|slot| slot.offset != 0) {
            if let Err(at) = self.find(slot.hash, |_| false) {
                self.put(at, slot);
            }
        }
    }

    /// Removes an entry, and moves those after it that it kept from their
    /// place.
    fn remove(&mut self, hash: u32, offset: u32) {
        let mask = self.slots.len().wrapping_sub(1);
        let mut hole = hash as usize & mask;
        loop {
            match self.slots.get(hole) {
                Some(slot) if slot.offset == offset => break,
                Some(slot) if slot.offset != 0 => hole = (hole + 1) & mask,
                _ => return,
            }
        }
        let mut next = (hole + 1) & mask;
        while let Some(&slot) = self.slots.get(next)
            && slot.offset != 0
        {
            // How far each is from where it belongs.
            let belongs = slot.hash as usize & mask;
            if next.wrapping_sub(belongs) & mask >= next.wrapping_sub(hole) & mask {
                self.put(hole, slot);
                hole = next;
            }
            next = (next + 1) & mask;
        }
        self.put(hole, Slot::default());
        self.used -= 1;
    }
}

/// A hash of all bytes of a string, with a key that nobody can know: strings
/// cannot be made to collide.
#[derive(Debug)]
struct Hash {
    key: u64,
}

impl Hash {
    fn new() -> Self {
        Self { key: RandomState::new().hash_one(0) }
    }

    fn of(&self, string: &[u8]) -> u32 {
        const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
        let mut hash = self.key ^ string.len() as u64;
        let mut words = string.chunks_exact(8);
        for word in &mut words {
            hash = fold(hash ^ word.try_into().map_or(0, u64::from_le_bytes), FACTOR ^ self.key);
        }
        let rest = words.remainder().iter().rev().fold(0, |word, &byte| word << 8 | u64::from(byte));
        hash = fold(hash ^ rest, FACTOR);
        (hash ^ hash >> 32) as u32
    }
}

/// Both halves of a product, folded into one.
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    product as u64 ^ (product >> 64) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(strings: &[&str]) -> StringTable {
        let mut table = StringTable::new(None);
        for string in strings {
            table.intern(string.as_bytes()).unwrap();
        }
        table
    }

    #[test]
    fn strings_are_stored_once_in_order_of_first_use() {
        let mut table = table(&["int", "", "char", "int", "a", "char"]);
        assert_eq!(table.as_bytes(), b"\0int\0char\0a\0");
        assert_eq!(table.intern(b"char").unwrap(), 5);
        assert_eq!(table.intern(b"").unwrap(), 0);
        assert_eq!(table.intern(b"cha").unwrap(), 12, "no prefix of another");
        assert_eq!(table.intern(b"har").unwrap(), 16, "and no suffix");
        assert!(matches!(table.intern(b"a\0b"), Err(Error::NulInName { .. })));
    }

    #[test]
    fn what_is_removed_is_not_found_and_the_rest_is() {
        let names: Vec<String> = (0..5000).map(|number| format!("name_{}", number * 7)).collect();
        let mut table = StringTable::new(None);
        let mut offsets = Vec::new();
        for name in &names {
            offsets.push(table.intern(name.as_bytes()).unwrap());
        }
        let len = offsets[2000] as usize;
        table.truncate(len);
        assert_eq!((table.as_bytes().len(), table.own.used), (len, 2000));
        for (name, &offset) in names.iter().zip(&offsets).take(2000) {
            assert_eq!(table.intern(name.as_bytes()).unwrap(), offset);
        }
        for (name, &offset) in names.iter().zip(&offsets).skip(2000) {
            assert_eq!(table.intern(name.as_bytes()).unwrap(), offset, "added again");
        }
    }

    #[test]
    fn strings_of_the_base_are_found_there() {
        let mut builder = crate::Builder::new();
        builder.int("int", 4, Default::default()).unwrap();
        let base = builder.finish().unwrap();
        let mut builder = crate::Builder::on(&base);
        builder.int("long", 8, Default::default()).unwrap();
        let split = builder.finish().unwrap();
        let mut table = StringTable::new(Some(&split));
        assert_eq!(["int", "long", "x", "int"].map(|s| table.intern(s.as_bytes()).unwrap()), [1, 5, 10, 1]);
        assert_eq!(table.as_bytes(), b"x\0");
    }
}

//! String table of a builder, with each string stored once.

use btf_types::{Btf, format::Strings};

use crate::{
    Error,
    hash_table::{Hash, Table},
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
            return Err(Error::TooLarge { what: "bytes of strings" });
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
        assert_eq!((table.as_bytes().len(), table.own.len()), (len, 2000));
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

//! Equal names.

use std::{collections::HashMap, ops::Range};

use btf_types::Btf;

use crate::{
    Error,
    hash_table::{Hash, Table},
    layers::{Layers, own_strings},
    string_starts::StringStarts,
};

/// The strings of a BTF and of the layers below, by their contents: each offset is
/// replaced by that of the first string that is equal, so that names are equal if
/// their offsets are.
#[derive(Debug)]
pub(super) struct Names {
    layers: Layers,
    /// Of each layer.
    strings: Vec<LayerStrings>,
    /// The offset of the first own string.
    first_own: u32,
    /// The first of equal strings, by their contents.
    table: Table,
    /// Offsets into the middle of a string that were asked for.
    middles: HashMap<u32, u32>,
    /// Remaining number of bytes to hash, as strings may share bytes.
    budget: u64,
    limit: u64,
}

/// The strings of one layer.
#[derive(Debug)]
struct LayerStrings {
    starts: StringStarts,
    /// The first offset that an equal string has, of each string.
    equal: Vec<u32>,
}

impl Names {
    pub(super) fn new(btf: &Btf, hash: &Hash) -> Self {
        let layers = Layers::new(btf);
        let starts: Vec<_> = layers.iter().map(|(_, layer)| StringStarts::new(own_strings(layer))).collect();
        let mut table = Table::with_capacity(starts.iter().map(StringStarts::len).sum());
        let mut strings = Vec::with_capacity(starts.len());
        for ((first, layer), starts) in layers.iter().zip(starts) {
            let own = own_strings(layer);
            let mut equal = Vec::with_capacity(starts.len());
            for range in starts.iter() {
                let string = own.get(range.start as usize..range.end as usize - 1).unwrap_or_default();
                equal.push(intern(&mut table, &layers, string, first + range.start, hash));
            }
            strings.push(LayerStrings { starts, equal });
        }
        let limit = 8 * u64::from(layers.strings_len());
        let first_own = layers.iter().last().map_or(0, |(first, _)| first);
        Self { layers, strings, first_own, table, middles: HashMap::new(), budget: limit, limit }
    }

    /// The first offset that the string at `offset` has.
    #[inline]
    pub(super) fn first_equal(&mut self, offset: u32, hash: &Hash) -> Result<u32, Error> {
        if offset == 0 {
            return Ok(0);
        }
        let (first, strings) = match (offset.checked_sub(self.first_own), self.strings.last()) {
            (Some(_), Some(own)) => (self.first_own, own),
            _ => {
                let layer = self.layers.of_string(offset);
                let (Some((first, _)), Some(strings)) = (self.layers.get(layer), self.strings.get(layer)) else {
                    return Ok(0);
                };
                (first, strings)
            }
        };
        let (number, start) = strings.starts.string_at(offset - first);
        match strings.equal.get(number) {
            Some(&equal) if first + start == offset => Ok(equal),
            _ => self.middle(offset, hash),
        }
    }

    /// The first offset of what begins in the middle of a string.
    #[cold]
    fn middle(&mut self, offset: u32, hash: &Hash) -> Result<u32, Error> {
        if let Some(&equal) = self.middles.get(&offset) {
            return Ok(equal);
        }
        let string = self.layers.string(offset);
        let left = self.budget.checked_sub(string.len() as u64);
        self.budget = left.ok_or(Error::NamesShared { limit: self.limit })?;
        let equal = intern(&mut self.table, &self.layers, string, offset, hash);
        self.middles.insert(offset, equal);
        Ok(equal)
    }

    /// Frees what is needed to look names up.
    pub(super) fn freeze(&mut self) {
        self.table = Table::default();
        self.middles = HashMap::new();
    }

    /// The offset of the first own string.
    pub(super) fn first_own(&self) -> u32 {
        self.first_own
    }
}

/// The offset of a string that the table has, or else this one, which it then has.
fn intern(table: &mut Table, layers: &Layers, string: &[u8], offset: u32, hash: &Hash) -> u32 {
    if string.is_empty() {
        return 0;
    }
    let key = hash.of(string);
    table.reserve(1);
    let is_it = |other| {
        let tail = layers.tail(other);
        tail.get(string.len()) == Some(&0) && tail.starts_with(string)
    };
    match table.find(key, is_it) {
        Ok(equal) => equal,
        Err(slot) => {
            table.insert(slot, key, offset);
            offset
        }
    }
}

/// In place of the new offset of a string that is not used yet. (New pages of 0 that are
/// read before they are written are mapped twice.)
const UNUSED: u32 = u32::MAX;

/// The own strings of the result.
#[derive(Debug)]
pub(super) struct NewStrings<'a> {
    first_own: u32,
    /// The own strings that there were.
    own: &'a [u8],
    strings: Option<&'a LayerStrings>,
    bytes: Vec<u8>,
    /// The new offset of each own string; [`UNUSED`] before its first use.
    to: Vec<u32>,
    /// Representatives of strings that begin inside others.
    middles: HashMap<u32, u32>,
}

impl<'a> NewStrings<'a> {
    pub(super) fn new(names: &'a Names) -> Self {
        let strings = names.strings.last();
        let first_own = names.first_own();
        let mut bytes = Vec::with_capacity((names.layers.strings_len() - first_own) as usize);
        bytes.extend((names.strings.len() == 1).then_some(0));
        let to = vec![UNUSED; strings.map_or(0, |strings| strings.starts.len())];
        let own = names.layers.iter().last().map_or(&[][..], |(_, layer)| own_strings(layer));
        Self { first_own, own, strings, bytes, to, middles: HashMap::new() }
    }

    /// The new offset of a string, given the first offset that it had.
    #[inline]
    pub(super) fn map(&mut self, equal: u32) -> u32 {
        let Some(own) = equal.checked_sub(self.first_own).filter(|_| equal != 0) else {
            return equal;
        };
        let Some(strings) = self.strings else {
            return equal;
        };
        let (number, start) = strings.starts.string_at(own);
        let to = match self.to.get_mut(number) {
            Some(to) if start == own => to,
            _ => self.middles.entry(equal).or_insert(UNUSED),
        };
        if *to == UNUSED {
            *to = self.first_own + self.bytes.len() as u32;
            let tail = self.own.get(own as usize..).unwrap_or_default();
            let len = strings.starts.len_at(own).or_else(|| memchr::memchr(0, tail)).unwrap_or(tail.len());
            // With its NUL, but for one that begins beyond the end.
            match tail.get(..=len) {
                Some(string) => self.bytes.extend_from_slice(string),
                None => self.bytes.push(0),
            }
        }
        *to
    }

    /// Adds the strings that no type has, and returns all own strings; calls `moved`
    /// with the old offsets of each, its NUL included, and its new one.
    pub(super) fn finish(mut self, mut moved: impl FnMut(Range<u32>, u32)) -> Result<Vec<u8>, Error> {
        if let Some(strings) = self.strings {
            for (range, &equal) in strings.starts.iter().zip(&strings.equal) {
                let new = self.map(equal);
                moved(self.first_own + range.start..self.first_own + range.end, new);
            }
        }
        let end = u64::from(self.first_own) + self.bytes.len() as u64;
        u32::try_from(end).map_err(|_| Error::TooLarge { what: "bytes of strings" })?;
        Ok(self.bytes)
    }
}

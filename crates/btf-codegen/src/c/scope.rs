//! Names of members, which must be unique in a struct and its anonymous
//! members. C compilers ensure that, producers for other languages may not.

use std::{collections::HashMap, hash::BuildHasher};

use super::{
    hash::Keyed,
    names::{Written, without_number},
};

/// Maximum capacity of a map that is kept from one struct to the next.
const KEPT: usize = 256;
/// Number of 64-bit words in a filter.
const WORDS: usize = 16;

/// Names of members of the nested structs that are being written.
#[derive(Debug, Default)]
pub(super) struct Scopes<'btf> {
    scopes: Vec<Scope<'btf>>,
    depth: usize,
}

/// Names of members of one struct. They enter the map only once one may be a duplicate,
/// which is rare.
#[derive(Debug, Default)]
struct Scope<'btf> {
    keyed: Keyed,
    /// Bloom filter with one bit per name.
    filter: [u64; WORDS],
    /// Names that are not in the map yet; none ends in a number.
    names: Vec<Written<'btf>>,
    /// Last number used for each name.
    numbers: HashMap<Written<'btf>, u32, Keyed>,
}

impl<'btf> Scopes<'btf> {
    /// Enters a struct that has its own scope.
    pub(super) fn open(&mut self) {
        match self.scopes.get_mut(self.depth) {
            Some(scope) => scope.clear(),
            None => self.scopes.push(Scope::default()),
        }
        self.depth += 1;
    }

    pub(super) fn close(&mut self) {
        self.depth = self.depth.saturating_sub(1);
    }

    /// Returns a unique name for a member.
    pub(super) fn claim(&mut self, name: Written<'btf>) -> Written<'btf> {
        match self.depth.checked_sub(1).and_then(|index| self.scopes.get_mut(index)) {
            Some(scope) => scope.claim(name),
            None => name,
        }
    }
}

impl<'btf> Scope<'btf> {
    fn clear(&mut self) {
        self.filter = [0; WORDS];
        self.names.clear();
        if self.numbers.capacity() > KEPT {
            // Clearing a map takes time in proportion to its capacity.
            self.numbers = HashMap::default();
        }
        self.numbers.clear();
    }

    fn claim(&mut self, name: Written<'btf>) -> Written<'btf> {
        if self.is_new(&name) && without_number(&name).is_none() {
            self.names.push(name.clone());
            return name;
        }
        self.numbers.extend(self.names.drain(..).map(|name| (name, 1)));
        let count = match self.numbers.get(&name) {
            Some(&count) => count,
            None if !self.is_numbered(&name) => {
                self.numbers.insert(name.clone(), 1);
                return name;
            }
            None => 1,
        };
        let mut number = count;
        let numbered: Written<'btf> = loop {
            number += 1;
            let numbered = [&name, format!("___{number}").as_bytes()].concat();
            if !self.numbers.contains_key(numbered.as_slice()) {
                break numbered.into();
            }
        };
        self.numbers.insert(name, number);
        numbered
    }

    /// Adds a name to the filter. Returns `true` if it is certainly new.
    fn is_new(&mut self, name: &[u8]) -> bool {
        let hash = self.keyed.hash_one(name);
        let bit = 1 << (hash % 64);
        match self.filter.get_mut((hash >> 6) as usize % WORDS) {
            Some(word) if *word & bit == 0 => {
                *word |= bit;
                true
            }
            _ => false,
        }
    }

    /// Returns `true` for a name that a member got by adding a number. Such names
    /// are not stored, as many may begin with one long name.
    fn is_numbered(&self, name: &[u8]) -> bool {
        let count = without_number(name).and_then(|(name, number)| Some((self.numbers.get(name)?, number)));
        count.is_some_and(|(&count, number)| number <= count)
    }
}

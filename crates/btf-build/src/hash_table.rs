//! Hash tables of numbers.

use std::hash::{BuildHasher, RandomState};

/// A hash table of numbers other than 0, with open addressing.
///
/// The caller knows what a number means (the string at an offset, a type), and
/// compares.
#[derive(Debug, Default)]
pub(crate) struct Table {
    /// A power of two of them, or none.
    slots: Vec<Slot>,
    used: usize,
}

/// A slot of the table; empty if the value is 0.
#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    hash: u32,
    value: u32,
}

impl Table {
    /// A table with room for this many entries.
    pub(crate) fn with_capacity(count: usize) -> Self {
        let mut table = Self::default();
        table.reserve(count);
        table
    }

    /// The number of entries.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.used
    }

    /// The value of the entry with this hash for which `is_it` holds, or the
    /// slot where it would be.
    pub(crate) fn find(&self, hash: u32, mut is_it: impl FnMut(u32) -> bool) -> Result<u32, usize> {
        let mask = self.slots.len().wrapping_sub(1);
        let mut at = hash as usize & mask;
        while let Some(slot) = self.slots.get(at)
            && slot.value != 0
        {
            if slot.hash == hash && is_it(slot.value) {
                return Ok(slot.value);
            }
            at = (at + 1) & mask;
        }
        Err(at)
    }

    /// Fills an empty slot.
    pub(crate) fn insert(&mut self, at: usize, hash: u32, value: u32) {
        self.put(at, Slot { hash, value });
        self.used += 1;
    }

    fn put(&mut self, at: usize, slot: Slot) {
        if let Some(place) = self.slots.get_mut(at) {
            *place = slot;
        }
    }

    /// Makes room for `count` more entries.
    #[inline]
    pub(crate) fn reserve(&mut self, count: usize) {
        if (self.used + count) * 4 > self.slots.len() * 3 {
            self.grow(self.used + count);
        }
    }

    /// Makes room for `count` entries: a quarter of the slots stays empty.
    #[cold]
    fn grow(&mut self, count: usize) {
        let larger = vec![Slot::default(); (count * 4).div_ceil(3).next_power_of_two().max(16)];
        let entries = std::mem::replace(&mut self.slots, larger);
        for slot in entries.into_iter().filter(|slot| slot.value != 0) {
            if let Err(at) = self.find(slot.hash, |_| false) {
                self.put(at, slot);
            }
        }
    }

    /// Removes an entry, and moves those after it that it kept from their
    /// place.
    pub(crate) fn remove(&mut self, hash: u32, value: u32) {
        let mask = self.slots.len().wrapping_sub(1);
        let mut hole = hash as usize & mask;
        loop {
            match self.slots.get(hole) {
                Some(slot) if slot.value == value => break,
                Some(slot) if slot.value != 0 => hole = (hole + 1) & mask,
                _ => return,
            }
        }
        let mut next = (hole + 1) & mask;
        while let Some(&slot) = self.slots.get(next)
            && slot.value != 0
        {
            // Distances from the slot where the number belongs.
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

/// Keyed hash of bytes or words. The key is random, so that collisions cannot
/// be provoked.
#[derive(Debug)]
pub(crate) struct Hash {
    key: u64,
    /// The bits that count.
    mask: u32,
}

const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;

impl Hash {
    pub(crate) fn new() -> Self {
        Self { key: RandomState::new().hash_one(0), mask: u32::MAX }
    }

    /// A hash that is the same of everything, as no result may depend on it.
    #[cfg(test)]
    pub(crate) fn colliding() -> Self {
        Self { key: 0, mask: 0 }
    }

    /// The hash of all bytes of a string.
    pub(crate) fn of(&self, string: &[u8]) -> u32 {
        let mut hash = self.key ^ string.len() as u64;
        let mut words = string.chunks_exact(8);
        for word in &mut words {
            hash = fold(hash ^ word.try_into().map_or(0, u64::from_le_bytes), FACTOR ^ self.key);
        }
        let rest = words.remainder().iter().rev().fold(0, |word, &byte| word << 8 | u64::from(byte));
        hash = fold(hash ^ rest, FACTOR);
        (hash ^ hash >> 32) as u32 & self.mask
    }

    /// The hash of a list of numbers.
    pub(crate) fn of_words(&self, words: impl Iterator<Item = u32>) -> u32 {
        let hash = self.fold_all(words.map(u64::from));
        (hash ^ hash >> 32) as u32 & self.mask
    }

    /// The hash of a list of numbers, with so many bits that no two lists have the same one
    /// by chance.
    pub(crate) fn wide(&self, words: impl Iterator<Item = u64>) -> u64 {
        let mask = u64::from(self.mask);
        self.fold_all(words) & (mask << 32 | mask)
    }

    fn fold_all(&self, words: impl Iterator<Item = u64>) -> u64 {
        words.fold(self.key, |hash, word| fold(hash ^ word, FACTOR ^ self.key))
    }
}

/// Both halves of a product, folded into one.
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    product as u64 ^ (product >> 64) as u64
}

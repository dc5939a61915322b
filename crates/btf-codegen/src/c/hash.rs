//! Keyed hashes of names. The key is random, so that collisions cannot be
//! provoked.

use std::hash::{BuildHasher, Hasher, RandomState};

/// Builder of hashers that share one random key.
#[derive(Debug, Clone)]
pub(super) struct Keyed(u64);

impl Default for Keyed {
    fn default() -> Self {
        Self(RandomState::new().hash_one(0))
    }
}

impl BuildHasher for Keyed {
    type Hasher = Folding;

    #[inline]
    fn build_hasher(&self) -> Folding {
        Folding { hash: self.0, factor: FACTOR ^ self.0 }
    }
}

const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;

/// Hash that folds the halves of 128-bit products. Made for short inputs such as names.
#[derive(Debug, Clone)]
pub(super) struct Folding {
    hash: u64,
    factor: u64,
}

impl Folding {
    #[inline]
    fn add(&mut self, word: u64) {
        let product = u128::from(self.hash ^ word) * u128::from(self.factor);
        self.hash = product as u64 ^ (product >> 64) as u64;
    }
}

impl Hasher for Folding {
    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        // The last word may overlap the one before it; the length keeps such inputs distinct.
        let words = bytes.len().saturating_sub(1) / 8;
        for word in bytes.chunks_exact(8).take(words) {
            self.add(word.try_into().map_or(0, u64::from_le_bytes));
        }
        let half = |bytes: &[u8; 4]| u64::from(u32::from_le_bytes(*bytes));
        let last = match (bytes.last_chunk(), bytes.first_chunk(), bytes.last_chunk()) {
            (Some(last), ..) => u64::from_le_bytes(*last),
            (None, Some(first), Some(last)) => half(first) << 32 | half(last),
            _ => bytes.iter().fold(0, |word, &byte| word << 8 | u64::from(byte)),
        };
        self.add(last);
        self.add(bytes.len() as u64);
    }

    /// Ignores lengths, which [`Folding::write`] already includes.
    #[inline]
    fn write_usize(&mut self, _: usize) {}

    #[inline]
    fn write_u32(&mut self, number: u32) {
        self.add(number.into());
    }

    #[inline]
    fn finish(&self) -> u64 {
        self.hash
    }
}

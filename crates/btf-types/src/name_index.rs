//! Index of names.
//!
//! Types are stored in buckets by a hash of the first bytes of their names. The
//! buckets are consecutive:
//!
//! ```text
//! starts    0  3  3  7 ...         one for each bucket
//! entries   [5 9 30][2 4 8 31] ... indices of own types, ascending in each bucket
//! ```
//!
//! An entry also has the high bits of the hash, as far as the type's index
//! leaves room. Types of overfull buckets are stored in a [`Crowd`] instead, by
//! a hash of the whole name: those whose names have a common start or were
//! chosen to collide, and many types of one name.

use alloc::{boxed::Box, vec, vec::Vec};
use core::slice;

use crate::{Kind, layer::Layer, view::Handle};

/// Selection of the own types in an index, and their key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keys {
    /// Functions, by name.
    Functions,
    /// All types except functions, by name.
    Others,
    /// Types that have a flavor, by essential name.
    Flavors,
}

impl Keys {
    /// Returns the indices of the selected own types, ascending, each with the
    /// hash of its key.
    fn hashed(self, layer: &Layer) -> Vec<(u32, u32)> {
        let mut keyed = match self {
            Self::Functions => named::<true>(layer),
            Self::Others => named::<false>(layer),
            Self::Flavors => {
                let hashed = |own: usize, offset| {
                    let end = layer.flavor_at(offset)?;
                    let text = layer.string_at(offset);
                    Some((own as u32, hash(text.get(..(end - offset) as usize)?)))
                };
                let records = layer.own_records().enumerate();
                return records.filter_map(|(own, record)| hashed(own, record.name_off())).collect();
            }
        };
        hash_each(layer, &mut keyed);
        keyed
    }

    /// Returns the length of the key at an offset, if it is below `limit`.
    fn len_below(self, layer: &Layer, offset: u32, limit: usize) -> Option<usize> {
        let len = match self {
            Self::Flavors => (layer.flavor_at(offset)? - offset) as usize,
            _ => {
                let text = layer.string_at(offset);
                memchr::memchr(0, text.get(..limit).unwrap_or(text))?
            }
        };
        (len < limit).then_some(len)
    }
}

/// Returns the indices of the own types with a name, either functions or all
/// others, each with the offset of its name.
///
/// Not inlined, like [`hash_each`], so that the loop has all registers.
#[inline(never)]
fn named<const FUNCTIONS: bool>(layer: &Layer) -> Vec<(u32, u32)> {
    // Without branches, which could not be predicted: every type is written,
    // and an unwanted one is overwritten by the next.
    let mut named = vec![(0, 0); layer.own_count() as usize + 1];
    let mut count = 0;
    for (own, record) in layer.own_records().enumerate() {
        if let Some(place) = named.get_mut(count) {
            *place = (own as u32, record.name_off());
        }
        let is_function = record.info().kind_number() == Kind::Func.number();
        count += usize::from((record.name_off() != 0) & (is_function == FUNCTIONS));
    }
    named.truncate(count);
    named
}

/// Replaces the offset of each name by its hash.
#[inline(never)]
fn hash_each(layer: &Layer, named: &mut [(u32, u32)]) {
    let (first, own) = layer.own_strings();
    for (_, name) in named {
        let text = own.get(name.wrapping_sub(first) as usize..);
        *name = hash_terminated(text.unwrap_or_else(|| layer.string_at(*name)));
    }
}

/// Own types of a layer by name.
pub(crate) struct NameIndex {
    /// Start of each bucket in `entries`, followed by the end of the last.
    starts: Box<[u32]>,
    /// Index of the own type in the low bits, and above it the high bits of the
    /// hash, which rule out most other names.
    entries: Box<[u32]>,
    /// Number of bits of an entry for the index of the type.
    number_bits: u32,
    crowd: Option<Crowd>,
}

/// Maximum number of types in a bucket.
const FULL: u32 = 64;

/// Marks the start of an overfull bucket while an index is made. (No BTF has
/// that many types.)
const CROWDED: u32 = 1 << 31;

impl NameIndex {
    pub(crate) fn new(layer: &Layer, keys: Keys) -> Self {
        let count = layer.own_count();
        let number_bits = (u32::BITS - count.leading_zeros()).clamp(1, u32::BITS - 1);
        let named = keys.hashed(layer);
        let buckets = (named.len() / 4).next_power_of_two();
        let mask = buckets - 1;
        let mut starts = vec![0u32; buckets + 1];
        for &(_, hash) in &named {
            if let Some(start) = starts.get_mut(bucket(hash, mask)) {
                *start += 1;
            }
        }
        let mut end = 0;
        for start in &mut starts {
            if *start > FULL {
                *start = end | CROWDED;
            } else {
                end += *start;
                *start = end;
            }
        }
        // At first, each start is the end of its bucket. Filling the bucket
        // backwards moves it to the start.
        let mut entries = vec![0u32; end as usize];
        let mut crowded = Vec::new();
        for &(own, hash) in named.iter().rev() {
            let Some(start) = starts.get_mut(bucket(hash, mask)) else { continue };
            if *start & CROWDED != 0 {
                crowded.push(own);
                continue;
            }
            *start -= 1;
            if let Some(entry) = entries.get_mut(*start as usize) {
                *entry = own | tag(hash, number_bits);
            }
        }
        starts.iter_mut().for_each(|start| *start &= !CROWDED);
        drop(named);
        let crowd = (!crowded.is_empty()).then(|| Crowd::new(layer, keys, crowded));
        Self { starts: starts.into_boxed_slice(), entries: entries.into_boxed_slice(), number_bits, crowd }
    }

    /// Iterates over the indices of the own types that may have this name,
    /// ascending. May skip types that are not of `kinds`, unless `kinds` is
    /// empty.
    #[inline]
    pub(crate) fn candidates(&self, name: &[u8], kinds: &[Kind]) -> Candidates<'_> {
        let hash = hash(name);
        let number_bits = self.number_bits;
        let bucket = bucket(hash, self.starts.len().wrapping_sub(2));
        let range = match (self.starts.get(bucket), self.starts.get(bucket + 1)) {
            (Some(&start), Some(&end)) => start as usize..end as usize,
            _ => 0..0,
        };
        let crowds = match &self.crowd {
            Some(crowd) if range.is_empty() => crowd.find(name, kinds),
            _ => Vec::new(),
        };
        Candidates {
            entries: self.entries.get(range).unwrap_or_default().iter(),
            wanted: tag(hash, number_bits),
            numbers: (1u32 << number_bits) - 1,
            crowds,
        }
    }
}

/// Iterator over the indices of the own types that may have a name, ascending.
pub(crate) struct Candidates<'i> {
    entries: slice::Iter<'i, u32>,
    /// High bits of the hash of the name.
    wanted: u32,
    /// Mask for the bits of an entry that hold the index.
    numbers: u32,
    /// Types of an overfull bucket, each list ascending.
    crowds: Vec<&'i [u32]>,
}

impl Iterator for Candidates<'_> {
    type Item = u32;

    #[inline]
    fn next(&mut self) -> Option<u32> {
        let numbers = self.numbers;
        match self.entries.find(|&&entry| entry & !numbers == self.wanted) {
            Some(entry) => Some(entry & numbers),
            None if self.crowds.is_empty() => None,
            None => self.next_crowded(),
        }
    }
}

impl Candidates<'_> {
    /// Number of types from an overfull bucket.
    pub(crate) fn crowd_len(&self) -> usize {
        self.crowds.iter().map(|crowd| crowd.len()).sum()
    }

    #[cold]
    fn next_crowded(&mut self) -> Option<u32> {
        let nearest = self.crowds.iter_mut().filter(|crowd| !crowd.is_empty()).min_by_key(|crowd| crowd.first())?;
        let (&own, rest) = nearest.split_first()?;
        *nearest = rest;
        Some(own)
    }
}

/// Returns the bucket of a hash: its low bits.
fn bucket(hash: u32, mask: usize) -> usize {
    hash as usize & mask
}

/// Returns the high bits of a hash, as far as an entry has room for them.
fn tag(hash: u32, number_bits: u32) -> u32 {
    hash & !((1 << number_bits) - 1)
}

/// Own types of overfull buckets, by kind and by a keyed hash of the whole
/// name. Queries stay fast if many names have a common start, or many types
/// share a name.
struct Crowd {
    /// A [`group`] for each name and kind, ascending.
    groups: Box<[u64]>,
    /// Start of each group in `types`, followed by the end of the last.
    starts: Box<[u32]>,
    /// Indices of own types by group, ascending in each.
    types: Box<[u32]>,
    key: u64,
}

/// Combines the hash of a name with a kind in the low byte.
fn group(hash: u64, kind: u8) -> u64 {
    hash << 8 | u64::from(kind)
}

impl Crowd {
    fn new(layer: &Layer, keys: Keys, crowded: Vec<u32>) -> Self {
        let key = random(layer);
        let grouped = Self::grouped(layer, keys, crowded, key);
        let chunks = || grouped.chunk_by(|a, b| a.0 == b.0);
        let groups = chunks().filter_map(|chunk| chunk.first()).map(|&(group, _)| group);
        let mut start = 0;
        let starts = chunks().map(|chunk| {
            start += chunk.len() as u32;
            start
        });
        Self {
            groups: exactly(chunks().count(), groups),
            starts: exactly(chunks().count() + 1, [0].into_iter().chain(starts)),
            types: exactly(grouped.len(), grouped.iter().map(|&(_, own)| own)),
            key,
        }
    }

    /// Returns the group and the index of each type, sorted.
    fn grouped(layer: &Layer, keys: Keys, crowded: Vec<u32>, key: u64) -> Vec<(u64, u32)> {
        let record = |own| layer.own(own).map(Handle::record);
        let name_off = |own| record(own).map_or(0, |record| record.name_off());
        let kind = |own| record(own).map_or(0, |record| record.info().kind_number());
        let mut by_offset: Vec<(u32, u32)> = crowded.into_iter().map(|own| (name_off(own), own)).collect();
        by_offset.sort_unstable();
        // Names with a common end can share its bytes. From the last name to
        // the first, each byte is hashed once.
        let mut grouped = Vec::with_capacity(by_offset.len());
        let (mut next, mut hash) = (None, 0);
        for (offset, own) in by_offset.into_iter().rev() {
            let text = layer.string_at(offset);
            let gap = next.map_or(usize::MAX, |next| (next - offset) as usize);
            hash = match keys.len_below(layer, offset, gap) {
                Some(len) => whole_hash(text.get(..len).unwrap_or_default(), 0, key),
                None => whole_hash(text.get(..gap).unwrap_or_default(), hash, key),
            };
            next = Some(offset);
            grouped.push((group(hash, kind(own)), own));
        }
        grouped.sort_unstable();
        grouped
    }

    /// Returns the types that may have this name, one list for each kind.
    fn find(&self, name: &[u8], kinds: &[Kind]) -> Vec<&[u32]> {
        let hash = whole_hash(name, 0, self.key);
        let start = self.groups.partition_point(|&other| other < group(hash, 0));
        let end = self.groups.partition_point(|&other| other <= group(hash, u8::MAX));
        let types = |index: usize| {
            let (start, end) = (*self.starts.get(index)?, *self.starts.get(index + 1)?);
            self.types.get(start as usize..end as usize)
        };
        let is_wanted = |kind: u8| kinds.is_empty() || kinds.iter().any(|wanted| wanted.number() == kind);
        let wanted = (start..end).filter(|&index| self.groups.get(index).is_some_and(|&group| is_wanted(group as u8)));
        wanted.filter_map(types).collect()
    }
}

/// Collects exactly `count` elements, without spare capacity.
fn exactly<T>(count: usize, elements: impl Iterator<Item = T>) -> Box<[T]> {
    let mut exact = Vec::with_capacity(count);
    exact.extend(elements);
    exact.into_boxed_slice()
}

/// Returns the hash of the name `text` followed by bytes with the hash `rest`:
/// a polynomial, so that it can be extended at the front.
fn whole_hash(text: &[u8], rest: u64, key: u64) -> u64 {
    const PRIME: u64 = (1 << 61) - 1;
    text.iter().rev().fold(rest, |hash, &byte| {
        let product = u128::from(hash) * u128::from(key) + u128::from(byte);
        let folded = (product as u64 & PRIME) + (product >> 61) as u64;
        if folded >= PRIME { folded - PRIME } else { folded }
    })
}

/// Returns a number below 2^60 that the producer of the BTF cannot predict.
fn random(layer: &Layer) -> u64 {
    #[cfg(feature = "std")]
    let random = {
        use core::hash::BuildHasher;
        let _ = layer;
        std::hash::RandomState::new().hash_one(0)
    };
    // Without an operating system, only addresses are unpredictable.
    #[cfg(not(feature = "std"))]
    let random = (core::ptr::from_ref(layer) as usize as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (random >> 4) | 1 << 32
}

/// Number of 8-byte words of a name that are hashed. Few names have a common
/// start of this length.
const WORDS: usize = 4;

/// Hashes the start of a name. (Names that are chosen to collide do no harm:
/// see [`Crowd`].)
fn hash(name: &[u8]) -> u32 {
    let mut words = [0; WORDS];
    let mut rest = name;
    for word in &mut words {
        let Some((bytes, after)) = rest.split_first_chunk() else {
            *word = last_bytes(name, rest.len());
            break;
        };
        *word = u64::from_le_bytes(*bytes);
        rest = after;
    }
    mix(words)
}

/// Returns the last `count` bytes of a name, fewer than 8, as the low bytes of
/// a word. Avoids a loop, as most names end within a word.
fn last_bytes(name: &[u8], count: usize) -> u64 {
    let bits = 8 * count as u32;
    if let Some(bytes) = name.last_chunk() {
        return u64::from_le_bytes(*bytes).checked_shr(u64::BITS - bits).unwrap_or(0);
    }
    // A name of 4 to 7 bytes is read as two words that overlap, a shorter one
    // byte by byte.
    match (name.first_chunk(), name.last_chunk()) {
        (Some(first), Some(last)) => {
            u64::from(u32::from_le_bytes(*first)) | u64::from(u32::from_le_bytes(*last)) << (bits - u32::BITS)
        }
        _ => name.iter().rev().fold(0, |word, &byte| word << 8 | u64::from(byte)),
    }
}

/// Hashes the name at the start of `text`, which ends at its first NUL.
///
/// Without branches on the length of the name, which could not be predicted.
fn hash_terminated(text: &[u8]) -> u32 {
    let Some(text) = text.first_chunk::<{ 8 * WORDS }>() else {
        // The last names of a section: fewer bytes are left.
        return hash(text.split(|&byte| byte == 0).next().unwrap_or_default());
    };
    let mut words = [0; WORDS];
    let mut going_on = u64::MAX;
    for (word, bytes) in words.iter_mut().zip(text.chunks_exact(8)) {
        let bytes = bytes.try_into().map_or(0, u64::from_le_bytes) & going_on;
        // The high bit of each NUL; only the lowest one is exact.
        let nul = bytes.wrapping_sub(0x0101_0101_0101_0101) & !bytes & 0x8080_8080_8080_8080;
        let before_nul = ((nul & nul.wrapping_neg()) >> 7).wrapping_sub(1);
        *word = bytes & before_nul;
        going_on &= u64::from(nul != 0).wrapping_sub(1);
    }
    mix(words)
}

#[inline(always)]
fn mix(words: [u64; WORDS]) -> u32 {
    // Each word is multiplied separately, so that none waits for the previous
    // one.
    const KEYS: [u64; WORDS] =
        [0x9e37_79b9_7f4a_7c15, 0xbf58_476d_1ce4_e5b9, 0x94d0_49bb_1331_11eb, 0xd6e8_feb8_6659_fd93];
    let hash = words.into_iter().zip(KEYS).fold(0, |hash, (word, key)| {
        let product = word.wrapping_mul(key);
        hash ^ product ^ product >> 32
    });
    (hash.wrapping_mul(KEYS[0]) >> 32) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_of_the_name_alone() {
        let mut seen = alloc::collections::BTreeSet::new();
        for len in 0..=8 * WORDS {
            let name = &b"abcdefghijklmnopqrstuvwxyz0123456789"[..len];
            let expected = hash(name);
            for rest in [&b""[..], b"x", b"\0\0\0\0", &[0x80; 40], &[1; 40], &[0xff; 40]] {
                assert_eq!(hash_terminated(&[name, b"\0", rest].concat()), expected, "{len} {rest:?}");
            }
            seen.insert(expected);
        }
        assert_eq!(seen.len(), 8 * WORDS + 1, "all different");
        for name in [&b"\x80\x01"[..], b"\x01\x80", b"\xff\xff\xff\xff\xff\xff\xff\xff\x01"] {
            assert_eq!(hash_terminated(&[name, &[0; 40]].concat()), hash(name));
            assert_ne!(hash(name), hash(&name[..name.len() - 1]));
        }
    }
}

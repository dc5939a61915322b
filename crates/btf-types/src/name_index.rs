//! An index of names.
//!
//! Types lie in buckets by a hash of the first bytes of their names, one bucket
//! after the other:
//!
//! ```text
//! starts    0  3  3  7 ...         one for each bucket
//! entries   [5 9 30][2 4 8 31] ... numbers of own types, rising in each bucket
//! ```
//!
//! An entry has the first bits of the hash as well, where the number leaves room
//! for them. What too many share goes to a [`Crowd`] instead, by a hash of the
//! whole name: names that begin alike, or that were chosen to collide, and types
//! of one name.

use alloc::{boxed::Box, vec, vec::Vec};
use core::slice;

use crate::{Kind, layer::Layer, view::Handle};

/// Which own types are in an index, and by what.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keys {
    /// Functions by their name.
    Functions,
    /// Everything but functions by its name.
    Others,
    /// Types that have a flavor by their essential name.
    Flavors,
}

impl Keys {
    /// The numbers of the own types, rising, each with the hash of its key.
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

    /// The length of the key at an offset, if it is less than `limit`.
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

/// The numbers of the own types that have a name, functions or all others, each
/// with the offset of its name.
///
/// A function of its own, like [`hash_each`], for the loop to have all registers.
#[inline(never)]
fn named<const FUNCTIONS: bool>(layer: &Layer) -> Vec<(u32, u32)> {
    // Most are not wanted, and no branch could foresee which: all are written,
    // and the next over those that are not.
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

/// Puts the hash of each name in the place of its offset.
#[inline(never)]
fn hash_each(layer: &Layer, named: &mut [(u32, u32)]) {
    let (first, own) = layer.own_strings();
    for (_, name) in named {
        let text = own.get(name.wrapping_sub(first) as usize..);
        *name = hash_terminated(text.unwrap_or_else(|| layer.string_at(*name)));
    }
}

/// The own types of a layer by a name.
pub(crate) struct NameIndex {
    /// Where each bucket begins in `entries`; one more for the end.
    starts: Box<[u32]>,
    /// The number of the own type, and in the bits that it leaves the first
    /// bits of the hash, which spare most looks at names that are others.
    entries: Box<[u32]>,
    /// Bits of an entry that number the type.
    number_bits: u32,
    crowd: Option<Crowd>,
}

/// Up to how many types share a bucket.
const FULL: u32 = 64;

/// Marks where a bucket begins that more types share, while an index is made. (No
/// BTF has so many types.)
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
        // Each start is an end now; filled backwards, it becomes a start.
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

    /// The numbers of the own types that may have this name, rising. Those that
    /// are of other kinds, if some are given, may be passed over.
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

/// Iterator over the numbers of the own types that may have a name, rising.
pub(crate) struct Candidates<'i> {
    entries: slice::Iter<'i, u32>,
    /// The first bits of the hash.
    wanted: u32,
    /// The bits of an entry that are the number.
    numbers: u32,
    /// Those of a full bucket, rising each by itself.
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
    /// How many are of a full bucket.
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

/// The bucket of a hash: its low bits.
fn bucket(hash: u32, mask: usize) -> usize {
    hash as usize & mask
}

/// The high bits of a hash, where an entry has room for them.
fn tag(hash: u32, number_bits: u32) -> u32 {
    hash & !((1 << number_bits) - 1)
}

/// Own types of full buckets, by a hash of the whole name that nobody can
/// foresee, and by kind: so that neither names that begin alike nor types that
/// share a name make a question long.
struct Crowd {
    /// A [`group`] for each name and kind, rising.
    groups: Box<[u64]>,
    /// Where the types of each begin; one more for the end.
    starts: Box<[u32]>,
    /// The numbers of own types, one group after the other, rising in each.
    types: Box<[u32]>,
    key: u64,
}

/// The hash of a name, and as its last byte a kind.
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

    /// The group of each type, and its number, sorted.
    fn grouped(layer: &Layer, keys: Keys, crowded: Vec<u32>, key: u64) -> Vec<(u64, u32)> {
        let record = |own| layer.own(own).map(Handle::record);
        let name_off = |own| record(own).map_or(0, |record| record.name_off());
        let kind = |own| record(own).map_or(0, |record| record.info().kind_number());
        let mut by_offset: Vec<(u32, u32)> = crowded.into_iter().map(|own| (name_off(own), own)).collect();
        by_offset.sort_unstable();
        // Names that end alike share their bytes, and each of these is hashed
        // once: from the last name to the first.
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

    /// The types that may have this name, those of each kind by themselves.
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

/// As many elements, and no room for more.
fn exactly<T>(count: usize, elements: impl Iterator<Item = T>) -> Box<[T]> {
    let mut exact = Vec::with_capacity(count);
    exact.extend(elements);
    exact.into_boxed_slice()
}

/// The hash of a name that begins with `text` and goes on with what `rest` is the
/// hash of: a polynomial, so that it grows at the front.
fn whole_hash(text: &[u8], rest: u64, key: u64) -> u64 {
    const PRIME: u64 = (1 << 61) - 1;
    text.iter().rev().fold(rest, |hash, &byte| {
        let product = u128::from(hash) * u128::from(key) + u128::from(byte);
        let folded = (product as u64 & PRIME) + (product >> 61) as u64;
        if folded >= PRIME { folded - PRIME } else { folded }
    })
}

/// A number that who made the BTF cannot know, below 2^60.
fn random(layer: &Layer) -> u64 {
    #[cfg(feature = "std")]
    let random = {
        use core::hash::BuildHasher;
        let _ = layer;
        std::hash::RandomState::new().hash_one(0)
    };
    // Without an operating system there is no more than where things lie.
    #[cfg(not(feature = "std"))]
    let random = (core::ptr::from_ref(layer) as usize as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (random >> 4) | 1 << 32
}

/// How many words of a name are hashed, of 8 bytes: few names agree in so much
/// and go on differently.
const WORDS: usize = 4;

/// A hash of what a name begins with. (That names can be chosen to collide does
/// no harm: see [`Crowd`].)
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

/// The last bytes of a name, fewer than 8, as the first ones of a word. Not one
/// by one: most names end within a word.
fn last_bytes(name: &[u8], count: usize) -> u64 {
    let bits = 8 * count as u32;
    if let Some(bytes) = name.last_chunk() {
        return u64::from_le_bytes(*bytes).checked_shr(u64::BITS - bits).unwrap_or(0);
    }
    // These are all that there are.
    match (name.first_chunk(), name.last_chunk()) {
        (Some(first), Some(last)) => {
            u64::from(u32::from_le_bytes(*first)) | u64::from(u32::from_le_bytes(*last)) << (bits - u32::BITS)
        }
        _ => name.iter().rev().fold(0, |word, &byte| word << 8 | u64::from(byte)),
    }
}

/// The hash of the name that `text` begins with, which ends with its first NUL.
///
/// Without a branch, as those that the length of a name decides cannot be
/// foreseen.
fn hash_terminated(text: &[u8]) -> u32 {
    let Some(text) = text.first_chunk::<{ 8 * WORDS }>() else {
        // The last names of a section.
        return hash(text.split(|&byte| byte == 0).next().unwrap_or_default());
    };
    let mut words = [0; WORDS];
    let mut going_on = u64::MAX;
    for (word, bytes) in words.iter_mut().zip(text.chunks_exact(8)) {
        let bytes = bytes.try_into().map_or(0, u64::from_le_bytes) & going_on;
        // The high bit of each NUL, the lowest of which is right.
        let nul = bytes.wrapping_sub(0x0101_0101_0101_0101) & !bytes & 0x8080_8080_8080_8080;
        let before_nul = ((nul & nul.wrapping_neg()) >> 7).wrapping_sub(1);
        *word = bytes & before_nul;
        going_on &= u64::from(nul != 0).wrapping_sub(1);
    }
    mix(words)
}

#[inline(always)]
fn mix(words: [u64; WORDS]) -> u32 {
    // Each word is multiplied by itself, for none to wait for the one before.
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

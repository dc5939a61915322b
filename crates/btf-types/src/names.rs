//! Own types of one layer by their name.
//!
//! A layer whose types are sorted by name (kernels since 7.0) is searched by
//! halving. Nothing in the file says that it is sorted: it is looked at once,
//! all over, on the first question. For any other layer an index is made on
//! the first question, and kept: one of functions, which are most of the names
//! in a kernel, and one of everything else. Few ask for both.

use alloc::{boxed::Box, collections::BTreeMap, vec, vec::Vec};
use core::{
    cmp::Ordering,
    ops::ControlFlow,
    sync::atomic::{AtomicU32, Ordering::Relaxed},
};

use once_cell::race::OnceBox;

use crate::{Kind, btf::Inner, view::Handle};

/// What is known of the order of names, and what was made to find them.
#[derive(Default)]
pub(crate) struct Names {
    /// [`UNKNOWN`], [`UNSORTED`], or [`SORTED`] and the number of own types
    /// without a name.
    order: AtomicU32,
    functions: OnceBox<Index>,
    others: OnceBox<Index>,
}

/// Up to how many bytes a name is short: cheaper to compare than to remember.
const SHORT: usize = 64;

const UNKNOWN: u32 = 0;
const UNSORTED: u32 = 1;
const SORTED: u32 = 2;

impl Inner {
    /// Whether own types are sorted by name: those without one first, then
    /// those with one in the order of its bytes.
    ///
    /// If so, how many have no name.
    pub(crate) fn sorted(&self) -> Option<u32> {
        let order = match self.names.order.load(Relaxed) {
            // Whoever else looks at the same time sees the same.
            UNKNOWN => {
                let order = self.look_whether_sorted().map_or(UNSORTED, |unnamed| SORTED + unnamed);
                self.names.order.store(order, Relaxed);
                order
            }
            order => order,
        };
        order.checked_sub(SORTED)
    }

    fn look_whether_sorted(&self) -> Option<u32> {
        // Names of megabytes, each compared with the next, could take hours.
        // What is sorted by such names is none the worse for an index.
        let mut budget = 4 * (u64::from(self.strings_len()) + u64::from(self.own_count()));
        let mut unnamed = 0;
        let (mut last, mut last_offset) = (&[0][..], 0);
        for record in self.own_records() {
            let offset = record.name_off();
            let name = if offset == 0 { &[0][..] } else { self.string_at(offset) };
            if offset != last_offset {
                let (order, compared) = compare_terminated(last, name);
                budget = budget.checked_sub(compared)?;
                if order == Ordering::Greater {
                    return None;
                }
            }
            unnamed += u32::from(name.first() == Some(&0));
            (last, last_offset) = (name, offset);
        }
        // All of it unnamed: there is nothing to find either way.
        (unnamed < self.own_count()).then_some(unnamed)
    }

    /// Calls `found` with each own type of this name, by rising id, until it
    /// breaks. Those that are not of the kind, if one is given, may be passed
    /// over.
    pub(crate) fn named<'btf>(
        &'btf self,
        name: &[u8],
        kind: Option<Kind>,
        mut found: impl FnMut(Handle<'btf>) -> ControlFlow<()>,
    ) {
        if name.is_empty() {
            return;
        }
        // Many types may share a long name: it is compared once for each place
        // where it stands.
        let mut known = BTreeMap::new();
        let mut is_named = |handle: Handle<'_>| match name.len() {
            0..=SHORT => self.is_named(handle, name),
            // What ends elsewhere need not be remembered.
            len if self.string_at(handle.record().name_off()).get(len) != Some(&0) => false,
            _ => *known.entry(handle.record().name_off()).or_insert_with(|| self.is_named(handle, name)),
        };
        if let Some(unnamed) = self.sorted() {
            let first = self.first_not_before(unnamed, name);
            let named = (first..self.own_count()).map_while(|own| self.own(own));
            for handle in named.take_while(|handle| is_named(*handle)) {
                if found(handle).is_break() {
                    return;
                }
            }
            return;
        }
        let hash = hash(name);
        let candidates = |index: &'btf OnceBox<Index>, functions| {
            index.get_or_init(|| Box::new(Index::new(self, functions))).candidates(hash)
        };
        let functions = matches!(kind, None | Some(Kind::Func)).then(|| candidates(&self.names.functions, true));
        let others = (kind != Some(Kind::Func)).then(|| candidates(&self.names.others, false));
        let (mut functions, mut others) =
            (functions.into_iter().flatten().peekable(), others.into_iter().flatten().peekable());
        loop {
            let next = match (functions.peek(), others.peek()) {
                (Some(function), Some(other)) if function < other => functions.next(),
                (Some(_), None) => functions.next(),
                _ => others.next(),
            };
            let Some(handle) = next.and_then(|own| self.own(own)) else { return };
            if is_named(handle) && found(handle).is_break() {
                return;
            }
        }
    }

    /// The first own type, of those that are sorted by name, whose name does not
    /// sort before this one.
    fn first_not_before(&self, unnamed: u32, name: &[u8]) -> u32 {
        let (mut low, mut high) = (unnamed, self.own_count());
        while low < high {
            let middle = low + (high - low) / 2;
            match self.own(middle) {
                Some(handle) if self.is_before(handle, name) => low = middle + 1,
                _ => high = middle,
            }
        }
        low
    }

    /// Whether the type's name sorts before this one. Its end need not be
    /// looked for, as a NUL is less than all that names consist of.
    #[inline]
    fn is_before(&self, handle: Handle<'_>, name: &[u8]) -> bool {
        let tail = self.string_at(handle.record().name_off());
        tail.get(..name.len()).unwrap_or(tail) < name
    }

    /// Whether this is the type's name: without looking for the end of it.
    #[inline]
    fn is_named(&self, handle: Handle<'_>, name: &[u8]) -> bool {
        let tail = self.string_at(handle.record().name_off());
        // What ends elsewhere need not be compared; that no name has a NUL in it
        // is looked at last, as few ask for one.
        tail.get(name.len()) == Some(&0) && tail.get(..name.len()) == Some(name) && !name.contains(&0)
    }
}

/// The order of the names that two texts begin with, each up to its first NUL,
/// and how many bytes of them had to be compared.
fn compare_terminated(a: &[u8], b: &[u8]) -> (Ordering, u64) {
    for (at, (a, b)) in (1..).zip(a.iter().zip(b)) {
        if a != b || *a == 0 {
            return (a.cmp(b), at);
        }
    }
    (Ordering::Equal, a.len().min(b.len()) as u64)
}

/// The named own types of a layer, functions or others, by a hash of their
/// name.
///
/// Buckets lie one after the other, each with its types by rising id. So
/// nothing is slow that many types share: equal names only make their bucket
/// longer.
struct Index {
    /// Where each bucket begins in `entries`; one more for the end.
    starts: Box<[u32]>,
    /// The number of the own type, and in the bits that it leaves the first
    /// bits of the hash, which spare most looks at names that are others.
    entries: Box<[u32]>,
    /// Bits of an entry that number the type.
    number_bits: u32,
}

impl Index {
    fn new(layer: &Inner, functions: bool) -> Self {
        let count = layer.own_count();
        let number_bits = (u32::BITS - count.leading_zeros()).clamp(1, u32::BITS - 1);
        let named = Self::hashed(layer, functions);
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
            end += *start;
            *start = end;
        }
        // Each start is an end now; filled backwards, it becomes a start.
        let mut entries = vec![0u32; named.len()];
        for &(own, hash) in named.iter().rev() {
            if let Some(start) = starts.get_mut(bucket(hash, mask)) {
                *start -= 1;
                if let Some(entry) = entries.get_mut(*start as usize) {
                    *entry = own | tag(hash, number_bits);
                }
            }
        }
        Self { starts: starts.into_boxed_slice(), entries: entries.into_boxed_slice(), number_bits }
    }

    /// The numbers of own types with a name, rising, each with its hash.
    fn hashed(layer: &Inner, functions: bool) -> Vec<(u32, u32)> {
        // Most are not wanted, and no branch could foresee which: all are
        // written, and the next over those that are not.
        let mut named = vec![(0, 0); layer.own_count() as usize + 1];
        let mut count = 0;
        for (own, record) in layer.own_records().enumerate() {
            if let Some(place) = named.get_mut(count) {
                *place = (own as u32, record.name_off());
            }
            let is_function = record.info().kind_number() == Kind::Func.number();
            count += usize::from((record.name_off() != 0) & (is_function == functions));
        }
        named.truncate(count);
        for (_, name) in &mut named {
            *name = hash_terminated(layer.string_at(*name));
        }
        named
    }

    /// The numbers of the own types whose name may have this hash, rising.
    fn candidates(&self, hash: u32) -> impl Iterator<Item = u32> {
        let number_bits = self.number_bits;
        let bucket = bucket(hash, self.starts.len().wrapping_sub(2));
        let range = match (self.starts.get(bucket), self.starts.get(bucket + 1)) {
            (Some(&start), Some(&end)) => start as usize..end as usize,
            _ => 0..0,
        };
        let numbers = (1u32 << number_bits) - 1;
        let wanted = tag(hash, number_bits);
        self.entries
            .get(range)
            .unwrap_or_default()
            .iter()
            .filter(move |&&entry| entry & !numbers == wanted)
            .map(move |entry| entry & numbers)
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

/// How many words of a name are hashed, of 8 bytes: few names agree in so much
/// and go on differently.
const WORDS: usize = 4;

/// A hash of a name. (That names can be chosen to collide does no harm: see
/// [`Index`].)
fn hash(name: &[u8]) -> u32 {
    let mut words = [0; WORDS];
    for (word, bytes) in words.iter_mut().zip(name.chunks(8)) {
        *word = match bytes.try_into() {
            Ok(bytes) => u64::from_le_bytes(bytes),
            Err(_) => bytes.iter().rev().fold(0, |word, &byte| word << 8 | u64::from(byte)),
        };
    }
    mix(words)
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

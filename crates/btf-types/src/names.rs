//! Own types of one layer by their name: three ways, and when which.
//!
//! * A layer whose types are sorted by name (kernels since 7.0) is searched by
//!   halving. Nothing in the file says that it is sorted: it is looked at once,
//!   all over, on the first question.
//! * Otherwise the first questions are answered by a scan: where in the strings
//!   does the name stand, and which types have one of those offsets.
//! * Once [`SCANS`] have been paid for, an index is made, about as expensive as
//!   that many scans together, and kept.

use alloc::{boxed::Box, vec, vec::Vec};
use core::{
    ops::ControlFlow,
    sync::atomic::{AtomicU32, Ordering::Relaxed},
};

use memchr::memmem::Finder;
use once_cell::race::OnceBox;

use crate::{btf::Inner, view::Handle};

/// How many questions are answered by a scan before the index is made.
const SCANS: u32 = 16;

/// In how many places a name may end in the strings, as the end of a longer
/// one, for a scan to be worth its while.
const PLACES: usize = 64;

/// What is known of the order of names, and what was made to find them.
#[derive(Default)]
pub(crate) struct Names {
    /// [`UNKNOWN`], [`UNSORTED`], or [`SORTED`] and the number of own types
    /// without a name.
    order: AtomicU32,
    scans: AtomicU32,
    index: OnceBox<Index>,
}

const UNKNOWN: u32 = 0;
const UNSORTED: u32 = 1;
const SORTED: u32 = 2;

impl Inner {
    /// Whether own types are sorted by name, those without one first; with
    /// one, ties aside, in the order of their bytes.
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
        let mut unnamed = 0;
        let mut last = crate::Name::EMPTY;
        for index in 0..self.own_count() {
            let name = self.own(index).map_or(last, Handle::name);
            if name < last {
                return None;
            }
            unnamed += u32::from(name.is_empty());
            last = name;
        }
        // All of it unnamed: there is nothing to find either way.
        (unnamed < self.own_count()).then_some(unnamed)
    }

    /// Calls `found` with each own type of this name, by rising id, until it
    /// breaks.
    pub(crate) fn named<'btf>(&'btf self, name: &[u8], mut found: impl FnMut(Handle<'btf>) -> ControlFlow<()>) {
        // No name is no name, and none has a NUL in it.
        if name.is_empty() || memchr::memchr(0, name).is_some() {
            return;
        }
        if let Some(unnamed) = self.sorted() {
            return self.named_by_halving(unnamed, name, found);
        }
        if self.names.index.get().is_none() && self.names.scans.fetch_add(1, Relaxed) < SCANS {
            if let Some(places) = self.places_of(name) {
                if !places.is_empty() {
                    self.named_at(&places, found);
                }
                return;
            }
        }
        let index = self.names.index.get_or_init(|| Box::new(Index::new(self)));
        for handle in index.candidates(name).filter_map(|own| self.own(own)) {
            if handle.has_name(name) && found(handle).is_break() {
                return;
            }
        }
    }

    fn named_by_halving<'btf>(
        &'btf self,
        unnamed: u32,
        name: &[u8],
        mut found: impl FnMut(Handle<'btf>) -> ControlFlow<()>,
    ) {
        let (mut low, mut high) = (unnamed, self.own_count());
        while low < high {
            let middle = low + (high - low) / 2;
            match self.own(middle) {
                Some(handle) if handle.name() < name.into() => low = middle + 1,
                _ => high = middle,
            }
        }
        for handle in (low..self.own_count()).map_while(|own| self.own(own)) {
            if !handle.has_name(name) || found(handle).is_break() {
                return;
            }
        }
    }

    /// The offsets at which `name` stands in the strings of this layer and all
    /// below, by rising offset; `None` if there are too many. It may be the
    /// end of a longer string, which is a name as good as any.
    fn places_of(&self, name: &[u8]) -> Option<Vec<u32>> {
        let mut terminated = Vec::with_capacity(name.len() + 1);
        terminated.extend_from_slice(name);
        terminated.push(0);
        let finder = Finder::new(&terminated);
        let mut places = Vec::new();
        for layer in self.layers() {
            let first = layer.first_string();
            for at in finder.find_iter(layer.strings()) {
                if places.len() == PLACES {
                    return None;
                }
                places.push(first + at as u32);
            }
        }
        places.sort_unstable();
        Some(places)
    }

    /// Calls `found` with each own type whose name stands at one of these
    /// offsets.
    fn named_at<'btf>(&'btf self, places: &[u32], mut found: impl FnMut(Handle<'btf>) -> ControlFlow<()>) {
        let (Some(&first), Some(&last)) = (places.first(), places.last()) else { return };
        for handle in (0..self.own_count()).map_while(|own| self.own(own)) {
            let name = handle.record().name_off();
            let is_it = first <= name && name <= last && (first == last || places.binary_search(&name).is_ok());
            if is_it && found(handle).is_break() {
                return;
            }
        }
    }
}

impl Handle<'_> {
    /// Whether this is its name; `name` has no NUL.
    fn has_name(self, name: &[u8]) -> bool {
        self.name() == *name
    }
}

/// The named own types of a layer by a hash of their name.
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
    fn new(layer: &Inner) -> Self {
        let count = layer.own_count();
        let number_bits = (u32::BITS - count.leading_zeros()).clamp(1, u32::BITS - 1);
        // Hashes are kept while it is made, as to find the end of a name and to
        // hash it is what costs. 0 stands for no name.
        let hashes: Vec<u32> = (0..count)
            .map(|own| match layer.own(own).map(Handle::name) {
                Some(name) if !name.is_empty() => hash(name.as_bytes()) | 1,
                _ => 0,
            })
            .collect();
        let named = hashes.iter().filter(|&&hash| hash != 0).count();
        let buckets = (named / 2).next_power_of_two().max(1);
        let mut starts = vec![0u32; buckets + 1];
        let mask = buckets - 1;
        for &hash in hashes.iter().filter(|&&hash| hash != 0) {
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
        let mut entries = vec![0u32; named];
        for (own, &hash) in hashes.iter().enumerate().rev().filter(|&(_, &hash)| hash != 0) {
            if let Some(start) = starts.get_mut(bucket(hash, mask)) {
                *start -= 1;
                if let Some(entry) = entries.get_mut(*start as usize) {
                    *entry = own as u32 | tag(hash, number_bits);
                }
            }
        }
        Self { starts: starts.into_boxed_slice(), entries: entries.into_boxed_slice(), number_bits }
    }

    /// The numbers of the own types that may have this name, rising.
    fn candidates(&self, name: &[u8]) -> impl Iterator<Item = u32> {
        let hash = hash(name) | 1;
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

/// The bucket of a hash: its low bits, but for the lowest, which is always set.
fn bucket(hash: u32, mask: usize) -> usize {
    (hash >> 1) as usize & mask
}

/// The high bits of a hash, where an entry has room for them.
fn tag(hash: u32, number_bits: u32) -> u32 {
    hash & !((1 << number_bits) - 1)
}

/// A hash of a name: eight bytes at a step, as most names have fewer than 24.
/// (That names can be chosen to collide does no harm: see [`Index`].)
fn hash(name: &[u8]) -> u32 {
    const K: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut hash = name.len() as u64;
    let mut chunks = name.chunks_exact(8);
    for chunk in &mut chunks {
        let word = chunk.try_into().map_or(0, u64::from_le_bytes);
        hash = (hash.rotate_left(23) ^ word).wrapping_mul(K);
    }
    let mut last = [0; 8];
    for (to, from) in last.iter_mut().zip(chunks.remainder()) {
        *to = *from;
    }
    hash = (hash.rotate_left(23) ^ u64::from_le_bytes(last)).wrapping_mul(K);
    (hash ^ hash >> 29).wrapping_mul(K).wrapping_shr(32) as u32
}

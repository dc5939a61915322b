//! Index of `.BTF.ext`: the blocks of each program section.
//!
//! Blocks refer to their section by the offset of its name. The name at each
//! offset is read once, however many blocks refer to it, and all names are
//! charged to one budget. The cost is thus proportional to the size of the
//! file, even if thousands of blocks share a long name.

use alloc::{vec, vec::Vec};
use core::cmp::Ordering;

use btf_format::{RawBtfExt, Section};

use crate::{Error, layer::Layer};

/// Kind of the records of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum InfoKind {
    Func,
    Line,
    Relo,
}

/// The number of kinds.
const KINDS: usize = 3;

/// End of a chain of blocks.
const NONE: u32 = u32::MAX;

/// Index of `.BTF.ext`, made when it is opened.
#[derive(Debug)]
pub(crate) struct Index {
    /// All blocks in file order, which groups them by kind.
    blocks: Vec<Block>,
    /// All records of each kind.
    all: [Chain; KINDS],
    /// Size of a record of each kind in bytes.
    rec_sizes: [usize; KINDS],
    /// Program sections in the order in which the file first names them.
    sections: Vec<SectionEntry>,
    /// Indices of the sections, sorted by name.
    by_name: Vec<u32>,
}

#[derive(Debug)]
struct Block {
    /// Index of the section.
    section: u32,
    /// Index of the next block of the same section and kind, or [`NONE`].
    next: u32,
    /// Position of the records in the blob.
    start: usize,
    /// Number of records.
    count: u32,
}

#[derive(Debug, Clone)]
struct SectionEntry {
    name_off: u32,
    chains: [Chain; KINDS],
}

/// Linked list of blocks of one kind, with the total number of records.
#[derive(Debug, Clone, Copy)]
struct Chain {
    first: u32,
    count: u32,
}

impl Chain {
    const EMPTY: Self = Self { first: NONE, count: 0 };
}

impl Index {
    /// Makes the index of a blob whose name offsets were checked.
    pub(crate) fn new(raw: &RawBtfExt<'_>, btf: &Layer) -> Result<Self, Error> {
        let mut rec_sizes = [0; KINDS];
        let mut all = [Chain::EMPTY; KINDS];
        let count = raw.blocks().count();
        let mut name_offs = Vec::with_capacity(count);
        let mut blocks: Vec<Block> = Vec::with_capacity(count);
        for block in raw.blocks() {
            let kind = kind_of(block.section) as usize;
            let count = (block.records.len() / block.rec_size) as u32;
            if let (Some(size), Some(all)) = (rec_sizes.get_mut(kind), all.get_mut(kind)) {
                *size = block.rec_size;
                *all = Chain { first: all.first.min(blocks.len() as u32), count: all.count + count };
            }
            name_offs.push(block.sec_name_off);
            blocks.push(Block { section: 0, next: NONE, start: block.records.start, count });
        }
        let names = Names::new(&name_offs, btf, raw.as_bytes().len())?;
        let (mut sections, by_name) = names.number(&name_offs, &mut blocks);
        // In reverse order, so that each block can be linked to the next one of
        // its section.
        for (number, block) in blocks.iter_mut().enumerate().rev() {
            let kind = all.iter().rposition(|chain| chain.first <= number as u32).unwrap_or_default();
            let section = sections.get_mut(block.section as usize);
            if let Some(chain) = section.and_then(|section| section.chains.get_mut(kind)) {
                block.next = chain.first;
                *chain = Chain { first: number as u32, count: chain.count + block.count };
            }
        }
        Ok(Self { blocks, all, rec_sizes, sections, by_name })
    }

    /// The number of sections.
    pub(crate) fn section_count(&self) -> u32 {
        self.sections.len() as u32
    }

    /// Offset of the name of a section.
    pub(crate) fn name_off(&self, section: u32) -> u32 {
        self.sections.get(section as usize).map_or(0, |section| section.name_off)
    }

    /// Returns the section with this name.
    pub(crate) fn section(&self, name: &[u8], btf: &Layer) -> Option<u32> {
        let compare = |&section: &u32| compare_name(btf.string_at(self.name_off(section)), name);
        let place = self.by_name.binary_search_by(compare).ok()?;
        self.by_name.get(place).copied()
    }

    /// Iterates over the records of a kind, of one section or of all.
    pub(crate) fn records(&self, kind: InfoKind, section: Option<u32>) -> Records<'_> {
        let chains = match section {
            Some(section) => self.sections.get(section as usize).map_or(&self.all, |section| &section.chains),
            None => &self.all,
        };
        let chain = chains.get(kind as usize).copied().unwrap_or(Chain::EMPTY);
        Records {
            blocks: &self.blocks,
            rec_size: self.rec_sizes.get(kind as usize).copied().unwrap_or_default(),
            is_one_section: section.is_some(),
            block: chain.first,
            within: 0,
            left: chain.count,
        }
    }
}

fn kind_of(section: Section) -> InfoKind {
    match section {
        Section::FuncInfo => InfoKind::Func,
        Section::LineInfo => InfoKind::Line,
        _ => InfoKind::Relo,
    }
}

/// Iterator over the positions of records. Yields the index of the section and
/// the position in the blob.
#[derive(Debug, Clone)]
pub(crate) struct Records<'a> {
    blocks: &'a [Block],
    rec_size: usize,
    is_one_section: bool,
    block: u32,
    /// Number of records of the block that were yielded.
    within: u32,
    left: u32,
}

impl Iterator for Records<'_> {
    type Item = (u32, usize);

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let block = self.blocks.get(self.block as usize)?;
        let at = block.start + self.within as usize * self.rec_size;
        self.within += 1;
        if self.within == block.count {
            self.within = 0;
            self.block = if self.is_one_section { block.next } else { self.block + 1 };
        }
        Some((block.section, at))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left as usize, Some(self.left as usize))
    }
}

/// Names of sections.
struct Names<'a> {
    /// Distinct offsets, ascending.
    offsets: Vec<u32>,
    /// Name at each offset.
    names: Vec<&'a [u8]>,
}

impl<'a> Names<'a> {
    /// Reads the names, within a budget in proportion to the size of the blob.
    fn new(name_offs: &[u32], btf: &'a Layer, blob_len: usize) -> Result<Self, Error> {
        let mut offsets = name_offs.to_vec();
        offsets.sort_unstable();
        offsets.dedup();
        let limit = 4 * (u64::from(btf.strings_len()) + blob_len as u64);
        let mut budget = limit;
        let mut names = Vec::with_capacity(offsets.len());
        for &offset in &offsets {
            let tail = btf.string_at(offset);
            let within_budget = tail.get(..usize::try_from(budget).unwrap_or(usize::MAX)).unwrap_or(tail);
            let len = memchr::memchr(0, within_budget).ok_or(Error::ExtNames { limit })?;
            budget = budget.saturating_sub(len as u64 + 1);
            names.push(tail.get(..len).unwrap_or_default());
        }
        Ok(Self { offsets, names })
    }

    /// Numbers the sections in the order in which the blocks first name them,
    /// and stores in each block the number of its section. Returns the
    /// sections, and their numbers sorted by name.
    fn number(&self, name_offs: &[u32], blocks: &mut [Block]) -> (Vec<SectionEntry>, Vec<u32>) {
        let name = |place: u32| self.names.get(place as usize).copied().unwrap_or_default();
        let mut by_name: Vec<u32> = (0..self.offsets.len() as u32).collect();
        by_name.sort_unstable_by(|&a, &b| name(a).cmp(name(b)));
        // Of several offsets with equal names, one represents all.
        let mut first_of = vec![0; self.offsets.len()];
        let mut previous = None;
        by_name.retain(|&place| {
            let is_equal = previous.is_some_and(|previous| name(previous) == name(place));
            if !is_equal {
                previous = Some(place);
            }
            if let (Some(first), Some(previous)) = (first_of.get_mut(place as usize), previous) {
                *first = previous;
            }
            !is_equal
        });
        let mut numbers = vec![NONE; self.offsets.len()];
        let mut sections: Vec<SectionEntry> = Vec::with_capacity(by_name.len());
        for (block, &name_off) in blocks.iter_mut().zip(name_offs) {
            let place = self.offsets.binary_search(&name_off);
            debug_assert!(place.is_ok(), "the offsets are those of the blocks");
            let place = place.unwrap_or_default();
            let first = first_of.get(place).copied().unwrap_or_default();
            let Some(number) = numbers.get_mut(first as usize) else { continue };
            if *number == NONE {
                *number = sections.len() as u32;
                sections.push(SectionEntry { name_off, chains: [Chain::EMPTY; KINDS] });
            }
            block.section = *number;
        }
        let by_name = by_name.into_iter().filter_map(|place| numbers.get(place as usize).copied()).collect();
        (sections, by_name)
    }
}

/// Compares the string at the start of `tail` to a name without NUL, in time
/// bounded by the length of the name.
fn compare_name(tail: &[u8], name: &[u8]) -> Ordering {
    let start = tail.get(..name.len() + 1).unwrap_or(tail);
    let len = memchr::memchr(0, start).unwrap_or(start.len());
    start.get(..len).unwrap_or_default().cmp(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_compare_as_whole_strings() {
        for (tail, name, expected) in [
            (&b"xdp\0tc\0"[..], &b"xdp"[..], Ordering::Equal),
            (b"xdp\0", b"xd", Ordering::Greater),
            (b"xdp\0", b"xdpx", Ordering::Less),
            (b"\0", b"", Ordering::Equal),
            (b"b\0", b"abc", Ordering::Greater),
            (b"abd", b"abc", Ordering::Greater),
        ] {
            assert_eq!(compare_name(tail, name), expected, "{tail:?} {name:?}");
        }
    }
}

//! The floor: a walk without any checks but slice bounds.

use std::{
    cell::OnceCell,
    fs::File,
    path::Path,
    time::{Duration, Instant},
};

use memmap2::{Mmap, MmapOptions};

use crate::measure::Peer;

enum Bytes {
    Mapped(Mmap),
    Owned(Vec<u8>),
}

impl Bytes {
    fn get(&self) -> &[u8] {
        match self {
            Self::Mapped(map) => map,
            Self::Owned(bytes) => bytes,
        }
    }
}

/// BTF as bytes, with the offsets of the sections and of each type.
pub struct Floor {
    /// Index of names, made on first use.
    table: OnceCell<Table>,
    bytes: Bytes,
    types: usize,
    strings: usize,
    offsets: Vec<u32>,
}

/// Maps a file privately, as sysfs requires.
pub fn map(path: &Path) -> Mmap {
    let file = File::open(path).expect("the file can be opened");
    let len = file.metadata().expect("it has a size").len() as usize;
    // SAFETY: nobody writes to the files that are measured.
    unsafe { MmapOptions::new().len(len).map_copy_read_only(&file) }.expect("the file can be mapped")
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_ne_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

impl Floor {
    fn open(bytes: Bytes) -> Self {
        let blob = bytes.get();
        let header = word(blob, 4) as usize;
        let types = header + word(blob, 8) as usize;
        let end = types + word(blob, 12) as usize;
        let strings = header + word(blob, 16) as usize;
        let mut offsets = Vec::with_capacity((end - types) / 24);
        let mut at = types;
        while at < end {
            offsets.push(at as u32);
            let info = word(blob, at + 4);
            let vlen = (info & 0xff_ffff) as usize;
            at += match info >> 24 & 0x7f {
                1 | 14 | 17 => 16,
                3 => 24,
                4 | 5 | 15 | 19 => 12 + 12 * vlen,
                6 | 13 => 12 + 8 * vlen,
                _ => 12,
            };
        }
        Self { table: OnceCell::new(), types, strings, offsets, bytes }
    }

    fn name(&self, at: usize) -> &[u8] {
        let blob = self.bytes.get();
        let name = &blob[self.strings + word(blob, at) as usize..];
        &name[..memchr::memchr(0, name).expect("it ends")]
    }

    fn make_table(&self) -> Table {
        let mut table = Table { slots: vec![0; (self.offsets.len() * 2).next_power_of_two()] };
        for (index, &at) in self.offsets.iter().enumerate() {
            let name = self.name(at as usize);
            if !name.is_empty() {
                let mut slot = table.slot(name);
                while table.slots[slot] != 0 {
                    slot = (slot + 1) & (table.slots.len() - 1);
                }
                table.slots[slot] = index as u32 + 1;
            }
        }
        table
    }

    fn struct_of(&self, name: &[u8]) -> u64 {
        let blob = self.bytes.get();
        let table = self.table.get_or_init(|| self.make_table());
        let mut slot = table.slot(name);
        while let id @ 1.. = table.slots[slot] {
            let at = self.offsets[id as usize - 1] as usize;
            if word(blob, at + 4) >> 24 & 0x7f == 4 && self.name(at) == name {
                return id.into();
            }
            slot = (slot + 1) & (table.slots.len() - 1);
        }
        0
    }
}

/// Hash table of ids by name, with linear probing.
struct Table {
    slots: Vec<u32>,
}

impl Table {
    fn slot(&self, name: &[u8]) -> usize {
        let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
        let hash = name.iter().fold(0xcbf2_9ce4_8422_2325, step);
        (hash ^ hash >> 32) as usize & (self.slots.len() - 1)
    }
}

impl Peer for Floor {
    fn open_file(path: &Path) -> Self {
        Self::open(Bytes::Mapped(map(path)))
    }

    fn open_bytes(bytes: Vec<u8>) -> Option<Self> {
        Some(Self::open(Bytes::Owned(bytes)))
    }

    fn open_split(&self, bytes: Vec<u8>) -> Option<Self> {
        // The walk is the same, as it does not need the base. (Without the base,
        // names cannot be looked up.)
        Some(Self::open(Bytes::Owned(bytes)))
    }

    fn find_in_split(&self, _: &[&str]) -> Option<u64> {
        None
    }

    fn find(&self, names: &[&str]) -> Option<u64> {
        Some(names.iter().map(|name| self.struct_of(name.as_bytes())).sum())
    }

    fn make_index(&self) -> Option<Duration> {
        let start = Instant::now();
        std::hint::black_box(self.make_table());
        Some(start.elapsed())
    }

    fn by_id(&self, ids: &[u32]) -> Option<u64> {
        let blob = self.bytes.get();
        let one = |id: u32| {
            let at = self.offsets[id as usize - 1] as usize;
            let kind = word(blob, at + 4) >> 24 & 0x7f;
            match kind {
                4 => u64::from(word(blob, at + 8)),
                _ => 1,
            }
        };
        Some(ids.iter().map(|&id| one(id)).sum())
    }

    fn types(&self) -> Option<u64> {
        let blob = self.bytes.get();
        Some(self.offsets.iter().map(|&at| u64::from(word(blob, at as usize + 4) >> 24 & 0x7f)).sum())
    }

    fn names(&self) -> Option<u64> {
        Some(self.offsets.iter().map(|&at| self.name(at as usize).len() as u64).sum())
    }

    fn members(&self) -> Option<u64> {
        let blob = self.bytes.get();
        let of = |at: usize| {
            let info = word(blob, at + 4);
            if !matches!(info >> 24 & 0x7f, 4 | 5) {
                return 0;
            }
            let mask = if info >> 31 != 0 { 0xff_ffff } else { u32::MAX };
            let members = blob[at + 12..].chunks_exact(12).take((info & 0xff_ffff) as usize);
            members.map(|member| u64::from(word(member, 8) & mask)).sum()
        };
        Some(self.offsets.iter().map(|&at| of(at as usize)).sum())
    }

    fn protos(&self) -> Option<u64> {
        let blob = self.bytes.get();
        let of = |at: usize| {
            if word(blob, at + 4) >> 24 & 0x7f != 12 {
                return 0;
            }
            let proto = self.offsets[word(blob, at + 8) as usize - 1] as usize;
            u64::from(word(blob, proto + 4) & 0xff_ffff)
        };
        debug_assert!(self.types > 0);
        Some(self.offsets.iter().map(|&at| of(at as usize)).sum())
    }
}

//! What cannot be avoided: a walk that checks nothing but slice bounds.

use std::{fs::File, path::Path};

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

/// The bytes, where types and strings begin, and the offset of each type.
pub struct Floor {
    bytes: Bytes,
    types: usize,
    strings: usize,
    offsets: Vec<u32>,
}

/// Maps a file privately, which sysfs wants.
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
        Self { types, strings, offsets, bytes }
    }

    fn name_len(&self, at: usize) -> u64 {
        let blob = self.bytes.get();
        let name = &blob[self.strings + word(blob, at) as usize..];
        memchr::memchr(0, name).expect("it ends") as u64
    }
}

impl Peer for Floor {
    fn open_file(path: &Path) -> Self {
        Self::open(Bytes::Mapped(map(path)))
    }

    fn open_bytes(bytes: Vec<u8>) -> Option<Self> {
        Some(Self::open(Bytes::Owned(bytes)))
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
        Some(self.offsets.iter().map(|&at| self.name_len(at as usize)).sum())
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

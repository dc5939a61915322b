//! Interprets bytes as the description of an input, so that a fuzzer without
//! knowledge of BTF, ELF or tar makes nearly valid files: with shared names and
//! sections, repeated records and members, and links.
//!
//! Any bytes are a description, and are followed by zeros without end.

use std::sync::Arc;

use btf_format::{ByteOrder, Kind};

use crate::{
    blob::Blob,
    elf_blob::{self, ElfBlob, SectionBlob, SymbolBlob},
};

/// Approximate maximum size of a described input, in bytes.
const LEN: usize = 1 << 16;

/// Returns a `.BTF.ext` with the CO-RE relocations of one section, four words each.
#[must_use]
pub fn core_relos(section: u32, records: &[u32]) -> Vec<u8> {
    let words = records.len() as u32;
    let header = [32, 0, 0, 0, 0, 0, 12 + 4 * words, 16, section, words / 4];
    let words = header.iter().chain(records).flat_map(|word| word.to_ne_bytes());
    0xeb9fu16.to_ne_bytes().into_iter().chain([1, 0]).chain(words).collect()
}

/// BPF program with CO-RE relocations, and the BTF of a kernel.
#[derive(Debug)]
pub struct Program {
    /// `.BTF` of the program.
    pub local: Vec<u8>,
    /// `.BTF.ext` of the program.
    pub ext: Vec<u8>,
    /// BTF of the kernel.
    pub target: Vec<u8>,
    /// Instructions of the program.
    pub code: Vec<u8>,
}

/// Unread part of a description.
#[derive(Debug, Clone, Copy)]
pub struct Description<'a>(&'a [u8]);

impl<'a> Description<'a> {
    /// Interprets bytes as a description.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    fn byte(&mut self) -> u8 {
        let Some((&first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        first
    }

    fn is_used_up(&self) -> bool {
        self.0.is_empty()
    }

    fn below(&mut self, end: u32) -> u32 {
        let number = u32::from(self.byte()) | if end > 256 { u32::from(self.byte()) << 8 } else { 0 };
        number.checked_rem(end).unwrap_or(0)
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> Option<T> {
        from.get(self.below(from.len() as u32) as usize).copied()
    }

    /// Reads a number of repetitions: mostly 1 to 4, sometimes up to 2048.
    fn times(&mut self) -> u32 {
        match self.byte() {
            few @ 0..200 => u32::from(few) % 4 + 1,
            many => 1 << (many % 12),
        }
    }

    /// Reads a name: mostly a few bytes, sometimes many.
    fn text(&mut self) -> String {
        let (first, len) = (char::from(b'a' + self.byte() % 4), self.times() as usize);
        let middle = self.byte();
        format!("{}{}", String::from(first).repeat(len), if middle < 128 { String::new() } else { middle.to_string() })
    }

    /// Makes BTF with repeated records and shared names.
    pub fn btf(&mut self, strings_before: u32, types_before: u32) -> Vec<u8> {
        let blob = if types_before == 1 { Blob::new() } else { Blob::split() };
        self.types(blob, strings_before, types_before).0.build()
    }

    /// Adds types to a blob until the description ends. Also returns the
    /// number of types, including `types_before`.
    fn types(&mut self, mut blob: Blob, strings_before: u32, types_before: u32) -> (Blob, u32) {
        let mut names = vec![0];
        for name in [".maps", ".data", ".ksyms", ".kconfig", "type", "values", "a___b"] {
            names.push(strings_before + blob.string(name));
        }
        for _ in 0..self.below(8) {
            let text = self.text();
            names.push(strings_before + blob.string(text));
        }
        // `count` is the id of the next record.
        let (mut count, mut len) = (types_before, 0);
        while !self.is_used_up() && len < LEN {
            let Some(kind) = self.pick(Kind::ALL) else { break };
            let (times, vlen) = (self.times().min(512), self.times().min(512));
            let (flag, third) = (self.byte() & 1 == 1, self.third(kind, count));
            let (fixed, element) = (kind.shape().fixed.len(), kind.shape().element.len());
            let vlen = if element == 0 { vlen & 1 } else { vlen };
            let pattern: Vec<u32> = (0..fixed + 2 * element).map(|_| self.word(&names, count)).collect();
            let words = fixed + vlen as usize * element;
            let rest = pattern.iter().copied().skip(fixed).cycle();
            let rest: Vec<u32> = pattern.iter().copied().take(fixed).chain(rest).take(words).collect();
            let name = self.pick(&names).unwrap_or(0);
            for _ in 0..times {
                blob.record(name, kind.number(), vlen, flag, third, &rest);
                count += 1;
                len += 12 + 4 * words;
                if len > LEN {
                    break;
                }
            }
        }
        blob.int();
        (blob, count + 1)
    }

    /// Makes a program with CO-RE relocations, and a kernel's BTF, which is often
    /// the program's own.
    pub fn program(&mut self) -> Program {
        let (relocations, types) = self.0.split_at(self.0.len() / 4);
        let (local, target) = types.split_at(types.len() / 2);
        let mut relocations = Description(relocations);
        let is_own = relocations.byte() < 128;
        let mut blob = Blob::new();
        let section = blob.string("section");
        let access: Vec<u32> = (0..8).map(|_| blob.string(relocations.access())).collect();
        let (blob, count) = Description(local).types(blob, 0, 1);
        let (mut records, mut code) = (Vec::new(), Vec::new());
        while !relocations.is_used_up() && records.len() < LEN / 4 {
            let (ty, kind) = (relocations.id(count), relocations.below(14));
            let access = relocations.pick(&access).unwrap_or(0);
            let insn = [relocations.byte(), 1, relocations.byte(), 0, relocations.byte(), 0, 0, 0];
            for _ in 0..relocations.times().min(512) {
                records.extend([code.len() as u32, ty, access, kind]);
                code.extend([insn, [0; 8]].concat());
            }
        }
        let local = blob.build();
        let target = if is_own { local.clone() } else { Description(target).btf(0, 1) };
        Program { local, ext: core_relos(section, &records), target, code }
    }

    /// Reads an access string, mostly well-formed.
    fn access(&mut self) -> String {
        let len = self.times().min(64);
        let numbers: Vec<String> = (0..len).map(|_| (self.byte() % 5).to_string()).collect();
        if self.byte() < 250 { numbers.join(":") } else { self.text() }
    }

    /// Reads the third word of a record: a size, or the id of a type, often that
    /// of a neighbor.
    fn third(&mut self, kind: Kind, count: u32) -> u32 {
        match kind {
            Kind::Int | Kind::Enum | Kind::Enum64 | Kind::Float => 1 << self.below(5),
            _ => self.id(count),
        }
    }

    fn id(&mut self, count: u32) -> u32 {
        match self.byte() {
            0..64 => count.saturating_sub(1),
            64..96 => count + 1,
            96..112 => count,
            112..120 => 0,
            other => u32::from(other) % count.max(1),
        }
    }

    fn word(&mut self, names: &[u32], count: u32) -> u32 {
        match self.byte() % 4 {
            0 => self.pick(names).unwrap_or(0),
            1 => self.id(count),
            2 => self.below(256) * 8,
            _ => 0,
        }
    }

    /// Makes a BPF object or another ELF file, with overlapping sections, shared
    /// section names, relocation tables and symbols.
    pub fn object(&mut self) -> Vec<u8> {
        let mut elf = ElfBlob { is_64: self.byte() < 200, ..ElfBlob::bpf(ByteOrder::NATIVE) };
        if self.byte() > 200 {
            elf.machine = 62;
        }
        let half = self.0.len() / 2;
        let (types, rest) = self.0.split_at(half);
        elf.section(".BTF", Self(types).btf(0, 1));
        self.0 = rest;
        let names: Vec<Arc<str>> = [".maps", ".data", ".bss", "kprobe", ".BTF.ext", ".BTF_ids", ".rel", "license"]
            .into_iter()
            .map(Into::into)
            .chain([self.text().into(), self.text().into()])
            .collect();
        let symbols: Vec<&'static str> = vec![
            "a",
            "b",
            "__BTF_ID__set__a__1",
            "__BTF_ID__struct__a__2",
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        ];
        let mut len = 0;
        while !self.is_used_up() && len < LEN {
            let times = self.times().min(256);
            if self.byte() < 100 {
                let (section, value) = (self.below(16) as u16, u64::from(self.below(1 << 12)));
                let info = self.pick(&[0x11, 0x12, 0x02, 0x01, 0x03, 0x10]).unwrap_or(0);
                let (name, other) = (self.pick(&symbols).unwrap_or(""), self.byte() & 2);
                for at in 0..u64::from(times) {
                    elf.symbol(SymbolBlob { name, section, value: value + 8 * at, info, other });
                }
                len += 24 * times as usize;
                continue;
            }
            let mut section = self.section(&elf);
            section.name = names.get(self.below(names.len() as u32) as usize).cloned().unwrap_or_default();
            len += (64 + section.data.len()) * times as usize;
            (0..times).for_each(|_| _ = elf.add(section.clone()));
        }
        elf.build()
    }

    fn section(&mut self, elf: &ElfBlob) -> SectionBlob {
        let kind = self.pick(&[elf_blob::PROGBITS, elf_blob::REL, elf_blob::NOBITS, elf_blob::SYMTAB]).unwrap_or(1);
        let flags = self.pick(&[0, elf_blob::EXECUTABLE]).unwrap_or(0);
        let data = match kind {
            elf_blob::REL => {
                let (times, symbol, step) = (self.times(), self.below(8), u64::from(self.below(2)) * 8);
                (0..u64::from(times)).flat_map(|at| elf.relocation(at * step, symbol, 1)).collect()
            }
            _ => vec![self.byte() & 3; self.times() as usize * 8],
        };
        let (offset, size) = match self.byte() {
            0..200 => (None, None),
            other => (Some(64), Some(u64::from(other) << self.below(8))),
        };
        let (link, info) = (self.below(16) + elf.sections.len() as u32, self.below(16));
        SectionBlob { kind, flags, data, offset, size, link, info, ..SectionBlob::default() }
    }

    /// Makes a tar of kernels, other files, folders, and links to all of them.
    #[cfg(target_os = "linux")]
    pub fn tar(&mut self) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        let mut folders = vec!["debian/10".to_owned(), "debian".into(), "..".into(), "x86_64".into(), String::new()];
        let btf = Blob::new().int().build();
        let mut number = 0;
        while !self.is_used_up() && number < 256 {
            let times = self.times().min(64);
            let folder = folders.get(self.below(folders.len() as u32) as usize).cloned().unwrap_or_default();
            let (what, text) = (self.byte() % 8, self.text());
            for _ in 0..times {
                number += 1;
                let mut header = tar::Header::new_gnu();
                header.set_mode(0o755);
                let contents: &[u8] = if what < 2 { &btf } else { &[] };
                header.set_size(contents.len() as u64);
                // Members that a tar cannot hold are left out.
                let _ = match what {
                    0 | 1 => builder.append_data(&mut header, format!("{folder}/x86_64/{number}.btf"), contents),
                    2 | 3 => builder.append_data(&mut header, format!("{folder}/{text}{number}.btf"), contents),
                    4 => {
                        header.set_entry_type(tar::EntryType::Directory);
                        builder.append_data(&mut header, format!("{folder}/{text}/"), contents)
                    }
                    5 => {
                        header.set_entry_type(tar::EntryType::Link);
                        builder.append_link(&mut header, format!("{folder}/{text}{number}"), &folder)
                    }
                    _ => {
                        header.set_entry_type(tar::EntryType::Symlink);
                        let target = folders.get(usize::from(what) % folders.len()).cloned().unwrap_or_default();
                        builder.append_link(&mut header, format!("{folder}/{text}{number}"), target)
                    }
                };
            }
            if text.len() < 32 && folders.len() < 32 {
                folders.push(format!("{folder}/{text}"));
            }
        }
        builder.into_inner().expect("memory can be written to")
    }
}

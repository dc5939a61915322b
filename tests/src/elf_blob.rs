//! Builder of small ELF files for tests, valid or not.

use std::{collections::HashMap, sync::Arc};

use btf_types::ByteOrder;

/// ELF file under construction. Nothing is checked, so that tests can make any
/// invalid file.
#[derive(Debug, Clone)]
pub struct ElfBlob {
    /// `true` for ELFCLASS64, `false` for ELFCLASS32.
    pub is_64: bool,
    /// Byte order of the file.
    pub order: ByteOrder,
    /// `e_type`: 1 relocatable, 2 executable.
    pub elf_type: u16,
    /// `e_machine`: 247 is BPF.
    pub machine: u16,
    /// Sections, without the null section and the section name table.
    pub sections: Vec<SectionBlob>,
    /// Symbols, without the null symbol.
    pub symbols: Vec<SymbolBlob>,
}

/// Section under construction.
#[derive(Debug, Clone, Default)]
pub struct SectionBlob {
    /// Name of the section.
    pub name: Arc<str>,
    /// `sh_type`.
    pub kind: u32,
    /// `sh_flags`.
    pub flags: u64,
    /// `sh_addr`.
    pub address: u64,
    /// `sh_link`.
    pub link: u32,
    /// `sh_info`.
    pub info: u32,
    /// Contents of the section.
    pub data: Vec<u8>,
    /// `sh_offset`, if a test needs a wrong one.
    pub offset: Option<u64>,
    /// `sh_size`, if a test needs a wrong one.
    pub size: Option<u64>,
}

/// Symbol under construction.
#[derive(Debug, Clone, Copy)]
pub struct SymbolBlob {
    /// Name of the symbol.
    pub name: &'static str,
    /// `st_shndx`.
    pub section: u16,
    /// `st_value`.
    pub value: u64,
    /// `st_info`: the binding (0 local, 1 global, 2 weak) times 16, and the
    /// type (1 variable, 2 function, 3 section).
    pub info: u8,
    /// `st_other`: the visibility (0 default, 2 hidden).
    pub other: u8,
}

/// `SHT_PROGBITS`.
pub const PROGBITS: u32 = 1;
/// `SHT_SYMTAB`.
pub const SYMTAB: u32 = 2;
/// `SHT_STRTAB`.
pub const STRTAB: u32 = 3;
/// `SHT_NOBITS`.
pub const NOBITS: u32 = 8;
/// `SHT_REL`.
pub const REL: u32 = 9;
/// `SHF_ALLOC | SHF_EXECINSTR`.
pub const EXECUTABLE: u64 = 6;
/// `SHF_COMPRESSED`.
pub const COMPRESSED: u64 = 0x800;
/// `st_info` of a global variable.
pub const GLOBAL_OBJECT: u8 = 0x11;

/// String table under construction. Like a linker, it stores equal names once.
struct Names<'a> {
    bytes: Vec<u8>,
    offsets: HashMap<&'a str, u32>,
    /// Offsets by address and length of the name, as comparing long names is slow.
    places: HashMap<(*const u8, usize), u32>,
}

impl Default for Names<'_> {
    fn default() -> Self {
        Self { bytes: vec![0], offsets: HashMap::new(), places: HashMap::new() }
    }
}

impl<'a> Names<'a> {
    fn add(&mut self, name: &'a str) -> u32 {
        *self.places.entry((name.as_ptr(), name.len())).or_insert_with(|| {
            *self.offsets.entry(name).or_insert_with(|| {
                let offset = self.bytes.len() as u32;
                self.bytes.extend_from_slice(name.as_bytes());
                self.bytes.push(0);
                offset
            })
        })
    }
}

impl ElfBlob {
    /// Creates a BPF object of this byte order without sections.
    #[must_use]
    pub fn bpf(order: ByteOrder) -> Self {
        Self { is_64: true, order, elf_type: 1, machine: 247, sections: Vec::new(), symbols: Vec::new() }
    }

    /// Adds a section with contents; returns its number.
    pub fn section(&mut self, name: &str, data: impl Into<Vec<u8>>) -> u16 {
        self.add(SectionBlob { name: name.into(), kind: PROGBITS, data: data.into(), ..SectionBlob::default() })
    }

    /// Adds a section; returns its number.
    pub fn add(&mut self, section: SectionBlob) -> u16 {
        self.sections.push(section);
        self.sections.len() as u16
    }

    /// Adds a symbol; returns its number.
    pub fn symbol(&mut self, symbol: SymbolBlob) -> u32 {
        self.symbols.push(symbol);
        self.symbols.len() as u32
    }

    /// Adds a global variable by section and value; returns the symbol's number.
    pub fn variable(&mut self, name: &'static str, section: u16, value: u64) -> u32 {
        self.symbol(SymbolBlob { name, section, value, info: GLOBAL_OBJECT, other: 0 })
    }

    fn u16(&self, value: u16) -> [u8; 2] {
        match self.order {
            ByteOrder::Little => value.to_le_bytes(),
            ByteOrder::Big => value.to_be_bytes(),
        }
    }

    /// Encodes a 4-byte word in the file's byte order.
    #[must_use]
    pub fn u32(&self, value: u32) -> [u8; 4] {
        match self.order {
            ByteOrder::Little => value.to_le_bytes(),
            ByteOrder::Big => value.to_be_bytes(),
        }
    }

    /// Encodes a word of the file's class and byte order: 8 bytes in ELFCLASS64,
    /// 4 in ELFCLASS32.
    #[must_use]
    pub fn word(&self, value: u64) -> Vec<u8> {
        match (self.is_64, self.order) {
            (false, _) => self.u32(value as u32).to_vec(),
            (true, ByteOrder::Little) => value.to_le_bytes().to_vec(),
            (true, ByteOrder::Big) => value.to_be_bytes().to_vec(),
        }
    }

    /// Encodes the header of a compressed section. `ch_type` is 1 for zlib, 2 for
    /// zstd; `size` is the decompressed size in bytes.
    #[must_use]
    pub fn compression_header(&self, ch_type: u32, size: u64) -> Vec<u8> {
        let mut header = self.u32(ch_type).to_vec();
        if self.is_64 {
            header.extend(self.u32(0));
        }
        header.extend(self.word(size));
        header.extend(self.word(1));
        header
    }

    /// Encodes an entry of a relocation table (`SHT_REL`).
    #[must_use]
    pub fn relocation(&self, offset: u64, symbol: u32, kind: u32) -> Vec<u8> {
        let info = if self.is_64 { u64::from(symbol) << 32 | u64::from(kind) } else { u64::from(symbol << 8 | kind) };
        [self.word(offset), self.word(info)].concat()
    }

    fn symbol_table(&self) -> (Vec<u8>, Vec<u8>) {
        let mut table = vec![0; if self.is_64 { 24 } else { 16 }];
        let mut names = Names::default();
        for symbol in &self.symbols {
            table.extend(self.u32(names.add(symbol.name)));
            let place = [&[symbol.info, symbol.other][..], &self.u16(symbol.section)].concat();
            let sizes = [self.word(symbol.value), self.word(8)].concat();
            table.extend(if self.is_64 { [place, sizes].concat() } else { [sizes, place].concat() });
        }
        (table, names.bytes)
    }

    /// Returns the bytes: header, contents, section header table.
    #[must_use]
    pub fn build(&self) -> Vec<u8> {
        let mut sections = vec![SectionBlob::default()];
        sections.extend(self.sections.iter().cloned());
        if !self.symbols.is_empty() {
            let (table, names) = self.symbol_table();
            let link = sections.len() as u32 + 1;
            let symtab = SectionBlob { name: ".symtab".into(), kind: SYMTAB, link, data: table, ..Default::default() };
            let strtab = SectionBlob { name: ".strtab".into(), kind: STRTAB, data: names, ..Default::default() };
            sections.extend([symtab, strtab]);
        }
        let names_index = sections.len() as u16;
        sections.push(SectionBlob { name: ".shstrtab".into(), kind: STRTAB, ..Default::default() });
        let mut names = Names::default();
        let name_offsets: Vec<u32> = sections.iter().map(|section| names.add(&section.name)).collect();
        let names = names.bytes;
        if let Some(last) = sections.last_mut() {
            last.data = names;
        }

        let header_len = if self.is_64 { 64u16 } else { 52 };
        let mut contents = Vec::new();
        let mut table = Vec::new();
        for (section, name) in sections.iter().zip(name_offsets) {
            let offset = u64::from(header_len) + contents.len() as u64;
            contents.extend_from_slice(&section.data);
            contents.resize(contents.len().next_multiple_of(8), 0);
            table.extend(self.u32(name));
            table.extend(self.u32(section.kind));
            table.extend(self.word(section.flags));
            table.extend(self.word(section.address));
            table.extend(self.word(section.offset.unwrap_or(offset)));
            table.extend(self.word(section.size.unwrap_or(section.data.len() as u64)));
            table.extend(self.u32(section.link));
            table.extend(self.u32(section.info));
            table.extend(self.word(1));
            table.extend(self.word(if section.kind == SYMTAB { 24 } else { 0 }));
        }

        let class = if self.is_64 { 2 } else { 1 };
        let data = if self.order == ByteOrder::Little { 1 } else { 2 };
        let mut file = vec![0x7f, b'E', b'L', b'F', class, data, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        file.extend(self.u16(self.elf_type));
        file.extend(self.u16(self.machine));
        file.extend(self.u32(1));
        file.extend(self.word(0));
        file.extend(self.word(0));
        file.extend(self.word(u64::from(header_len) + contents.len() as u64));
        file.extend(self.u32(0));
        for half in [header_len, 0, 0, if self.is_64 { 64 } else { 40 }, sections.len() as u16, names_index] {
            file.extend(self.u16(half));
        }
        file.extend(contents);
        file.extend(table);
        file
    }
}

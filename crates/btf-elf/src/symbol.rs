//! Symbols of an ELF file.

use std::fmt;

use btf_types::{Bytes, Name};
use object::{Endianness, elf, pod, read::elf::Sym};

use crate::{Elf, Error, Section, elf::endian, strings};

/// The table of symbols, of either class and byte order.
#[derive(Debug, Default)]
pub(crate) struct SymbolTable {
    symbols: Vec<RawSymbol>,
    names: Bytes,
}

#[derive(Debug, Clone, Copy)]
struct RawSymbol {
    name: u32,
    section: SymbolSection,
    value: u64,
    size: u64,
    info: u8,
    other: u8,
}

/// Where a symbol is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SymbolSection {
    /// In another file (`SHN_UNDEF`).
    Undefined,
    /// In the section of this number, which need not exist.
    Index(u32),
    /// Nowhere: its value is just a number (`SHN_ABS`).
    Absolute,
    /// To be given a place by the linker (`SHN_COMMON`).
    Common,
    /// Another number that is none of a section's.
    Reserved(u16),
}

impl SymbolTable {
    /// Reads the table of an ELF file; if it has several, the first.
    pub(crate) fn read(elf: &Elf) -> Result<Self, Error> {
        let of_kind = |kind: elf::SectionType| elf.sections().filter(move |section| section.kind() == kind.0);
        let Some(section) = of_kind(elf::SHT_SYMTAB).next() else { return Ok(Self::default()) };
        let names = match elf.section_by_index(section.header().link) {
            Some(names) if names.has_contents() => names.data()?,
            _ => Bytes::new(),
        };
        // With 65,280 sections or more, their numbers stand in a table beside.
        let extended = of_kind(elf::SHT_SYMTAB_SHNDX).find(|extended| extended.header().link == section.index());
        let extended = extended.map(Section::data).transpose()?.unwrap_or_default();
        let symbols = match elf.is_64() {
            true => raw_symbols::<elf::Sym64<Endianness>>(elf, &section.data()?, &extended),
            false => raw_symbols::<elf::Sym32<Endianness>>(elf, &section.data()?, &extended),
        };
        Ok(Self { symbols, names })
    }

    pub(crate) fn get<'elf>(&'elf self, elf: &'elf Elf, index: u32) -> Option<Symbol<'elf>> {
        self.symbols.get(index as usize).map(|raw| Symbol { elf, names: &self.names, index, raw })
    }
}

fn raw_symbols<S: Sym<Endian = Endianness>>(elf: &Elf, table: &[u8], extended: &[u8]) -> Vec<RawSymbol> {
    let endian = endian(elf.byte_order());
    let count = table.len() / size_of::<S>();
    let (symbols, _) = pod::slice_from_bytes::<S>(table, count).unwrap_or_default();
    let (extended, _) = extended.as_chunks::<4>();
    let section = |index: usize, symbol: &S| match symbol.st_shndx(endian) {
        elf::SHN_UNDEF => SymbolSection::Undefined,
        elf::SHN_ABS => SymbolSection::Absolute,
        elf::SHN_COMMON => SymbolSection::Common,
        elf::SHN_XINDEX => match (extended.get(index), elf.byte_order()) {
            (Some(&word), btf_types::ByteOrder::Little) => SymbolSection::Index(u32::from_le_bytes(word)),
            (Some(&word), btf_types::ByteOrder::Big) => SymbolSection::Index(u32::from_be_bytes(word)),
            (None, _) => SymbolSection::Reserved(elf::SHN_XINDEX.0),
        },
        reserved if reserved.0 >= elf::SHN_LORESERVE => SymbolSection::Reserved(reserved.0),
        index => SymbolSection::Index(index.0.into()),
    };
    let raw = |(index, symbol): (usize, &S)| RawSymbol {
        name: symbol.st_name(endian),
        section: section(index, symbol),
        value: symbol.st_value(endian).into(),
        size: symbol.st_size(endian).into(),
        info: symbol.st_info().0,
        other: symbol.st_other().0,
    };
    symbols.iter().enumerate().map(raw).collect()
}

/// A symbol of an ELF file.
#[derive(Clone, Copy)]
pub struct Symbol<'elf> {
    elf: &'elf Elf,
    names: &'elf [u8],
    index: u32,
    raw: &'elf RawSymbol,
}

impl<'elf> Symbol<'elf> {
    /// Its number.
    #[must_use]
    pub fn index(self) -> u32 {
        self.index
    }

    /// Its name; that of a symbol for a section is empty.
    #[must_use]
    pub fn name(self) -> Name<'elf> {
        strings::get(self.names, self.raw.name)
    }

    /// Where it is.
    #[must_use]
    pub fn place(self) -> SymbolSection {
        self.raw.section
    }

    /// The section that it is in, if it is in one that exists.
    #[must_use]
    pub fn section(self) -> Option<Section<'elf>> {
        match self.raw.section {
            SymbolSection::Index(index) => self.elf.section_by_index(index),
            _ => None,
        }
    }

    /// Its value: in a relocatable file its offset in its section in **bytes**,
    /// in others its address.
    #[must_use]
    pub fn value(self) -> u64 {
        self.raw.value
    }

    /// Its offset in its section in **bytes**, in files of any type; `None` if
    /// it is in none, or before its start.
    #[must_use]
    pub fn offset(self) -> Option<u64> {
        let section = self.section()?;
        if self.elf.is_relocatable() { Some(self.value()) } else { self.value().checked_sub(section.address()) }
    }

    /// Its size in **bytes**, 0 if it is not known.
    #[must_use]
    pub fn size(self) -> u64 {
        self.raw.size
    }

    fn info(self) -> elf::SymbolInfo {
        elf::SymbolInfo(self.raw.info)
    }

    /// Whether it is a function.
    #[must_use]
    pub fn is_function(self) -> bool {
        self.info().st_type() == elf::STT_FUNC
    }

    /// Whether it is a variable.
    #[must_use]
    pub fn is_object(self) -> bool {
        self.info().st_type() == elf::STT_OBJECT
    }

    /// Whether it stands for a section.
    #[must_use]
    pub fn is_section(self) -> bool {
        self.info().st_type() == elf::STT_SECTION
    }

    /// Whether it is known in its file only.
    #[must_use]
    pub fn is_local(self) -> bool {
        self.info().st_bind() == elf::STB_LOCAL
    }

    /// Whether another definition goes before it, or, where it is not defined,
    /// there need be none.
    #[must_use]
    pub fn is_weak(self) -> bool {
        self.info().st_bind() == elf::STB_WEAK
    }

    /// Whether it is known to other files, but not outside what they are
    /// linked to (`STV_HIDDEN`, `STV_INTERNAL`).
    #[must_use]
    pub fn is_hidden(self) -> bool {
        let visibility = elf::SymbolOther(self.raw.other).visibility();
        matches!(visibility, elf::STV_HIDDEN | elf::STV_INTERNAL)
    }
}

impl fmt::Debug for Symbol<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Symbol")
            .field("index", &self.index)
            .field("name", &self.name())
            .field("place", &self.place())
            .field("value", &self.value())
            .field("size", &self.size())
            .finish()
    }
}

/// Iterator over the symbols of an ELF file.
#[derive(Debug, Clone)]
pub struct Symbols<'elf> {
    elf: &'elf Elf,
    table: &'elf SymbolTable,
    indices: std::ops::Range<u32>,
}

impl<'elf> Symbols<'elf> {
    pub(crate) fn new(elf: &'elf Elf, table: &'elf SymbolTable) -> Self {
        Self { elf, table, indices: 0..table.symbols.len() as u32 }
    }
}

impl<'elf> Iterator for Symbols<'elf> {
    type Item = Symbol<'elf>;

    fn next(&mut self) -> Option<Self::Item> {
        self.table.get(self.elf, self.indices.next()?)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.indices.size_hint()
    }
}

impl ExactSizeIterator for Symbols<'_> {}
impl std::iter::FusedIterator for Symbols<'_> {}

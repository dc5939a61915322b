//! Symbols of an ELF file.

use std::{fmt, ops::Range};

use btf_types::{Bytes, Name};
use object::{Endianness, elf, read::elf::Sym};

use super::{
    raw::{endian, record, word},
    strings::StringTable,
};
use crate::{Elf, Error, Machine, Section, SectionType};

/// Symbol table, as stored in the file.
#[derive(Debug)]
pub(crate) struct SymbolTable {
    machine: Machine,
    table: Bytes,
    /// Section indices that do not fit into the table.
    extended: Bytes,
    names: StringTable,
    count: u32,
}

/// Entry of the symbol table.
#[derive(Debug, Clone, Copy)]
struct RawSymbol {
    name: u32,
    section: SymbolSection,
    value: u64,
    size: u64,
    info: elf::SymbolInfo,
    other: elf::SymbolOther,
}

/// Section of a symbol, `st_shndx`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SymbolSection {
    /// Defined in another file (`SHN_UNDEF`).
    Undefined,
    /// The section with this index, which may not exist.
    Index(u32),
    /// No section: the value is absolute (`SHN_ABS`).
    Absolute,
    /// Allocated by the linker (`SHN_COMMON`).
    Common,
    /// Another reserved index.
    Reserved(u16),
}

impl SymbolTable {
    /// Reads the first symbol table of an ELF file.
    pub(crate) fn read(elf: &Elf) -> Result<Self, Error> {
        let of_type = |ty: SectionType| elf.sections().filter(move |section| section.section_type() == ty);
        let mut whole = Self {
            machine: elf.machine(),
            table: Bytes::new(),
            extended: Bytes::new(),
            names: StringTable::default(),
            count: 0,
        };
        let Some(section) = of_type(SectionType::SYMTAB).next() else { return Ok(whole) };
        if let Some(names) = elf.section_by_index(section.header().link).filter(|names| names.has_contents()) {
            whole.names = StringTable::new(names.data()?);
        }
        // Section indices of 65,280 and more are stored in another table.
        let extended = of_type(SectionType::SYMTAB_SHNDX).find(|extended| extended.header().link == section.index());
        whole.extended = extended.map(Section::data).transpose()?.unwrap_or_default();
        whole.table = section.data()?;
        let size = if elf.is_64() { size_of::<elf::Sym64<Endianness>>() } else { size_of::<elf::Sym32<Endianness>>() };
        whole.count = u32::try_from(whole.table.len() / size)
            .map_err(|_| Error::Elf { what: "too many symbols", offset: section.offset() })?;
        Ok(whole)
    }

    pub(crate) fn len(&self) -> u32 {
        self.count
    }

    pub(crate) fn names(&self) -> &StringTable {
        &self.names
    }

    fn raw(&self, index: u32) -> Option<RawSymbol> {
        match self.machine.is_64() {
            true => self.decode::<elf::Sym64<Endianness>>(index as usize),
            false => self.decode::<elf::Sym32<Endianness>>(index as usize),
        }
    }

    fn decode<S: Sym<Endian = Endianness>>(&self, index: usize) -> Option<RawSymbol> {
        let endian = endian(self.machine.byte_order());
        let symbol = record::<S>(&self.table, index)?;
        let section = match symbol.st_shndx(endian) {
            elf::SHN_UNDEF => SymbolSection::Undefined,
            elf::SHN_ABS => SymbolSection::Absolute,
            elf::SHN_COMMON => SymbolSection::Common,
            elf::SHN_XINDEX => match self.extended.as_chunks::<4>().0.get(index) {
                Some(&bytes) => SymbolSection::Index(word(bytes, self.machine.byte_order())),
                None => SymbolSection::Reserved(elf::SHN_XINDEX.0),
            },
            reserved if reserved.0 >= elf::SHN_LORESERVE => SymbolSection::Reserved(reserved.0),
            index => SymbolSection::Index(index.0.into()),
        };
        Some(RawSymbol {
            name: symbol.st_name(endian),
            section,
            value: symbol.st_value(endian).into(),
            size: symbol.st_size(endian).into(),
            info: symbol.st_info(),
            other: symbol.st_other(),
        })
    }

    pub(crate) fn get<'elf>(&'elf self, elf: &'elf Elf, index: u32) -> Option<Symbol<'elf>> {
        (index < self.count).then_some(Symbol { elf, table: self, index })
    }
}

/// Symbol of an ELF file.
///
/// ```
/// # fn main() -> Result<(), btf_elf::Error> {
/// use btf_elf::BpfObject;
///
/// let object = BpfObject::open("doc/probe.bpf.o")?;
/// let function = object.elf().symbols()?.find(|symbol| symbol.name() == "on_switch").unwrap();
/// assert!(function.is_function() && !function.is_local());
/// assert_eq!(function.section().unwrap().name(), "tp_btf/sched_switch");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy)]
pub struct Symbol<'elf> {
    elf: &'elf Elf,
    table: &'elf SymbolTable,
    index: u32,
}

impl<'elf> Symbol<'elf> {
    fn raw(self) -> RawSymbol {
        let raw = self.table.raw(self.index);
        debug_assert!(raw.is_some(), "the table was measured when it was read");
        raw.unwrap_or(RawSymbol {
            name: 0,
            section: SymbolSection::Undefined,
            value: 0,
            size: 0,
            info: elf::SymbolInfo(0),
            other: elf::SymbolOther(0),
        })
    }

    /// Index of the symbol.
    #[must_use]
    pub fn index(self) -> u32 {
        self.index
    }

    /// Name; empty for a section symbol.
    #[must_use]
    pub fn name(self) -> Name<'elf> {
        self.table.names.get(self.name_offset())
    }

    /// Offset of the name in the string table.
    pub(crate) fn name_offset(self) -> u32 {
        self.raw().name
    }

    /// Section that defines the symbol, or the reason why there is none.
    #[must_use]
    pub fn symbol_section(self) -> SymbolSection {
        self.raw().section
    }

    /// Section that defines the symbol, if it exists.
    #[must_use]
    pub fn section(self) -> Option<Section<'elf>> {
        match self.symbol_section() {
            SymbolSection::Index(index) => self.elf.section_by_index(index),
            _ => None,
        }
    }

    /// Value (`st_value`): the offset in the section in **bytes** in a
    /// relocatable file, else the address.
    #[must_use]
    pub fn value(self) -> u64 {
        self.raw().value
    }

    /// Offset in the section in **bytes**, in files of any type; `None` for a
    /// symbol without a section, or before its start.
    #[must_use]
    pub fn offset(self) -> Option<u64> {
        let section = self.section()?;
        if self.elf.is_relocatable() { Some(self.value()) } else { self.value().checked_sub(section.address()) }
    }

    /// Size in **bytes**; 0 if unknown.
    #[must_use]
    pub fn size(self) -> u64 {
        self.raw().size
    }

    /// Returns `true` for a function (`STT_FUNC`).
    #[must_use]
    pub fn is_function(self) -> bool {
        self.raw().info.st_type() == elf::STT_FUNC
    }

    /// Returns `true` for a variable (`STT_OBJECT`).
    #[must_use]
    pub fn is_object(self) -> bool {
        self.raw().info.st_type() == elf::STT_OBJECT
    }

    /// Returns `true` for the symbol of a section (`STT_SECTION`).
    #[must_use]
    pub fn is_section(self) -> bool {
        self.raw().info.st_type() == elf::STT_SECTION
    }

    /// Returns `true` for a symbol that is local to the file (`STB_LOCAL`).
    #[must_use]
    pub fn is_local(self) -> bool {
        self.raw().info.st_bind() == elf::STB_LOCAL
    }

    /// Returns `true` for a weak symbol (`STB_WEAK`): another definition takes
    /// precedence, and it may stay undefined.
    #[must_use]
    pub fn is_weak(self) -> bool {
        self.raw().info.st_bind() == elf::STB_WEAK
    }

    /// Returns `true` for a hidden symbol (`STV_HIDDEN`, `STV_INTERNAL`):
    /// visible to other files at link time, but not outside the linked object.
    #[must_use]
    pub fn is_hidden(self) -> bool {
        matches!(self.raw().other.visibility(), elf::STV_HIDDEN | elf::STV_INTERNAL)
    }
}

impl PartialEq for Symbol<'_> {
    /// Equal if they have the same index in the same file.
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.elf, other.elf) && self.index == other.index
    }
}

impl Eq for Symbol<'_> {}

impl std::hash::Hash for Symbol<'_> {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        (std::ptr::from_ref(self.elf), self.index).hash(state);
    }
}

impl fmt::Debug for Symbol<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Symbol")
            .field("index", &self.index)
            .field("name", &self.name())
            .field("section", &self.symbol_section())
            .field("value", &self.value())
            .field("size", &self.size())
            .finish()
    }
}

/// Iterator over the symbols of an ELF file.
#[derive(Debug, Clone)]
#[must_use = "iterators do nothing unless consumed"]
pub struct Symbols<'elf> {
    elf: &'elf Elf,
    table: &'elf SymbolTable,
    indices: Range<u32>,
}

impl<'elf> Symbols<'elf> {
    pub(crate) fn new(elf: &'elf Elf, table: &'elf SymbolTable) -> Self {
        Self { elf, table, indices: 0..table.len() }
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

//! Relocations of an ELF file: references from a section to symbols.

use std::ops::Range;

use btf_types::{Bytes, Name};
use object::{
    Endianness, elf,
    read::elf::{Rel, Rela},
};

use super::{
    raw::{endian, numbers, record},
    strings::short,
    symbol::SymbolTable,
};
use crate::{Elf, Error, Machine, Section, SectionType, Symbol};

numbers! {
    /// `r_type` of a relocation, whose meaning depends on the machine. The
    /// constants are BPF's (`Documentation/bpf/llvm_reloc.rst`).
    RelocationType(u32) {
        /// `R_BPF_64_64`: address in a `ld_imm64`.
        BPF_64_64 = elf::R_BPF_64_64.0,
        /// `R_BPF_64_ABS64`: 64-bit data.
        BPF_64_ABS64 = 2,
        /// `R_BPF_64_ABS32`: 32-bit data.
        BPF_64_ABS32 = 3,
        /// `R_BPF_64_NODYLD32`: 32-bit data in `.BTF` and `.BTF.ext`, which no
        /// loader changes.
        BPF_64_NODYLD32 = 4,
        /// `R_BPF_64_32`: a call.
        BPF_64_32 = elf::R_BPF_64_32.0,
    }
}

impl std::fmt::Display for RelocationType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// Relocation: a reference from a section to a symbol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Relocation<'elf> {
    offset: u64,
    r_type: RelocationType,
    addend: Option<i64>,
    symbol: Symbol<'elf>,
}

impl<'elf> Relocation<'elf> {
    /// Offset in the section in **bytes**; in a linked file, an address.
    #[must_use]
    pub fn offset(self) -> u64 {
        self.offset
    }

    /// `r_type`.
    #[must_use]
    pub fn r_type(self) -> RelocationType {
        self.r_type
    }

    /// Addend for the symbol's value; `None` if it is stored in the relocated
    /// field.
    #[must_use]
    pub fn addend(self) -> Option<i64> {
        self.addend
    }

    /// Symbol of the relocation.
    #[must_use]
    pub fn symbol(self) -> Symbol<'elf> {
        self.symbol
    }

    /// Name of the symbol, or that of the section for a section symbol.
    #[must_use]
    pub fn name(self) -> Name<'elf> {
        match self.symbol.section() {
            Some(section) if self.symbol.is_section() => section.name(),
            _ => self.symbol.name(),
        }
    }
}

/// Relocations of a section, by ascending offset.
///
/// They are decoded on access, from the tables of the file.
///
/// ```
/// # fn main() -> Result<(), btf_elf::Error> {
/// use btf_elf::{BpfObject, RelocationType};
///
/// let object = BpfObject::open("doc/probe.bpf.o")?;
/// let relocations = object.program("fentry/consume_skb").unwrap().relocations()?;
/// let names: Vec<_> = relocations.iter().map(|r| (r.offset(), r.name().to_string())).collect();
/// assert_eq!(names, [(8, "target_pid".into()), (56, "bytes_sent".into()), (112, "total".into())]);
/// assert_eq!(relocations.get(0).unwrap().r_type(), RelocationType::BPF_64_64);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Relocations<'elf> {
    elf: &'elf Elf,
    symbols: &'elf SymbolTable,
    tables: Vec<Table>,
    len: usize,
    /// Indices of the relocations by ascending offset, if the tables have
    /// another order.
    order: Option<Box<[u32]>>,
}

#[derive(Debug, Clone)]
struct Table {
    bytes: Bytes,
    is_rela: bool,
    /// Index of the first relocation of the table.
    first: usize,
}

struct RawRelocation {
    offset: u64,
    r_type: u32,
    addend: Option<i64>,
    symbol: u32,
}

impl Table {
    fn record_size(is_rela: bool, is_64: bool) -> usize {
        match (is_rela, is_64) {
            (false, true) => size_of::<elf::Rel64<Endianness>>(),
            (false, false) => size_of::<elf::Rel32<Endianness>>(),
            (true, true) => size_of::<elf::Rela64<Endianness>>(),
            (true, false) => size_of::<elf::Rela32<Endianness>>(),
        }
    }

    fn get(&self, machine: Machine, index: usize) -> Option<RawRelocation> {
        match (self.is_rela, machine.is_64()) {
            (false, true) => self.rel::<elf::Rel64<Endianness>>(machine, index),
            (false, false) => self.rel::<elf::Rel32<Endianness>>(machine, index),
            (true, true) => self.rela::<elf::Rela64<Endianness>>(machine, index),
            (true, false) => self.rela::<elf::Rela32<Endianness>>(machine, index),
        }
    }

    fn rel<R: Rel<Endian = Endianness>>(&self, machine: Machine, index: usize) -> Option<RawRelocation> {
        let (raw, endian) = (record::<R>(&self.bytes, index)?, endian(machine.byte_order()));
        Some(RawRelocation {
            offset: raw.r_offset(endian).into(),
            r_type: raw.r_type(endian).0,
            addend: None,
            symbol: raw.r_sym(endian),
        })
    }

    fn rela<R: Rela<Endian = Endianness>>(&self, machine: Machine, index: usize) -> Option<RawRelocation> {
        let (raw, endian) = (record::<R>(&self.bytes, index)?, endian(machine.byte_order()));
        let is_mips64el = machine == Machine::MIPS64EL;
        Some(RawRelocation {
            offset: raw.r_offset(endian).into(),
            r_type: raw.r_type(endian, is_mips64el).0,
            addend: Some(raw.r_addend(endian).into()),
            symbol: raw.r_sym(endian, is_mips64el),
        })
    }
}

/// Returns the relocation tables of a file: the section of each, and the index
/// of the table.
pub(crate) fn tables(elf: &Elf) -> Vec<(u32, u32)> {
    let is_table = |section: &Section<'_>| matches!(section.section_type(), SectionType::REL | SectionType::RELA);
    let tables = elf.sections().filter(is_table).map(|table| (table.header().info, table.index()));
    // Index 0 is not a section: in linked files, such a table applies to the
    // whole file.
    let mut tables: Vec<_> = tables.filter(|&(of, _)| of != 0).collect();
    tables.sort_unstable();
    tables
}

impl<'elf> Relocations<'elf> {
    /// Reads the relocations of a section.
    pub(crate) fn of(section: Section<'elf>, elf: &'elf Elf) -> Result<Self, Error> {
        let mut all = Self { elf, symbols: elf.symbol_table()?, tables: Vec::new(), len: 0, order: None };
        for section in elf.relocation_tables(section.index()) {
            let is_rela = section.section_type() == SectionType::RELA;
            let bytes = section.data()?;
            let count = bytes.len() / Table::record_size(is_rela, elf.is_64());
            all.tables.push(Table { bytes, is_rela, first: all.len });
            all.len += count;
        }
        all.check(section)?;
        Ok(all)
    }

    /// Checks that all symbols exist, and sorts the relocations if needed.
    fn check(&mut self, section: Section<'_>) -> Result<(), Error> {
        let mut before = 0;
        let mut is_sorted = true;
        let count = self.symbols.len();
        for raw in (0..self.len).filter_map(|number| self.raw(number)) {
            if raw.symbol >= count {
                let (offset, symbol) = (raw.offset, raw.symbol);
                let section = short(section.name());
                return Err(Error::RelocationSymbol { section, offset, symbol, count: count as usize });
            }
            is_sorted &= before <= raw.offset;
            before = raw.offset;
        }
        if !is_sorted {
            let len = u32::try_from(self.len);
            let len = len.map_err(|_| Error::Elf { what: "too many relocations", offset: section.offset() })?;
            let mut order: Box<[u32]> = (0..len).collect();
            // Several relocations at one offset are applied in the order of the
            // table.
            order.sort_by_key(|&number| self.raw(number as usize).map(|raw| raw.offset));
            self.order = Some(order);
        }
        Ok(())
    }

    fn raw(&self, number: usize) -> Option<RawRelocation> {
        let of = self.tables.partition_point(|table| table.first <= number).checked_sub(1)?;
        let table = self.tables.get(of)?;
        table.get(self.elf.machine(), number - table.first)
    }

    /// Number of relocations.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Returns `true` if there are no relocations.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Returns the relocation with this index, by ascending offset.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<Relocation<'elf>> {
        let number = match &self.order {
            Some(order) => *order.get(index)? as usize,
            None => index,
        };
        let RawRelocation { offset, r_type, addend, symbol } = self.raw(number)?;
        let symbol = self.symbols.get(self.elf, symbol)?;
        Some(Relocation { offset, r_type: RelocationType(r_type), addend, symbol })
    }

    /// Iterates over all relocations, by ascending offset.
    pub fn iter(&self) -> RelocationIter<'_, 'elf> {
        RelocationIter { of: self, indices: 0..self.len }
    }

    /// Iterates over the relocations at a range of offsets in **bytes**.
    pub fn within(&self, offsets: Range<u64>) -> RelocationIter<'_, 'elf> {
        let start = self.first_at(offsets.start);
        RelocationIter { of: self, indices: start..self.first_at(offsets.end).max(start) }
    }

    /// Index of the first relocation at or after an offset.
    fn first_at(&self, offset: u64) -> usize {
        let (mut start, mut end) = (0, self.len);
        while start < end {
            let middle = start + (end - start) / 2;
            if self.get(middle).is_some_and(|relocation| relocation.offset < offset) {
                start = middle + 1;
            } else {
                end = middle;
            }
        }
        start
    }
}

/// Iterator over relocations of a section.
#[derive(Debug, Clone)]
#[must_use = "iterators do nothing unless consumed"]
pub struct RelocationIter<'a, 'elf> {
    of: &'a Relocations<'elf>,
    indices: Range<usize>,
}

impl<'elf> Iterator for RelocationIter<'_, 'elf> {
    type Item = Relocation<'elf>;

    fn next(&mut self) -> Option<Self::Item> {
        self.of.get(self.indices.next()?)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.indices.size_hint()
    }
}

impl ExactSizeIterator for RelocationIter<'_, '_> {}
impl std::iter::FusedIterator for RelocationIter<'_, '_> {}

impl<'a, 'elf> IntoIterator for &'a Relocations<'elf> {
    type Item = Relocation<'elf>;
    type IntoIter = RelocationIter<'a, 'elf>;

    fn into_iter(self) -> RelocationIter<'a, 'elf> {
        self.iter()
    }
}

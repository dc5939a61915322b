//! Relocations of an ELF file: which places in a section stand for symbols.

use btf_types::Name;
use object::{
    Endianness, elf, pod,
    read::elf::{Rel, Rela},
};

use crate::{Elf, Error, Machine, Section, Symbol, elf::endian};

/// A place in a section that stands for a symbol.
#[derive(Debug, Clone, Copy)]
pub struct Relocation<'elf> {
    offset: u64,
    kind: u32,
    addend: Option<i64>,
    symbol: Symbol<'elf>,
}

impl<'elf> Relocation<'elf> {
    /// Where the place is, in **bytes** from the start of the section (in a
    /// linked file, an address).
    #[must_use]
    pub fn offset(self) -> u64 {
        self.offset
    }

    /// How it stands for it, by machine; for BPF 1 is an address in a
    /// `ld_imm64`, 10 a call, 2 and 3 data.
    #[must_use]
    pub fn kind(self) -> u32 {
        self.kind
    }

    /// What is to be added; `None`: what stands in the place already.
    #[must_use]
    pub fn addend(self) -> Option<i64> {
        self.addend
    }

    /// The symbol.
    #[must_use]
    pub fn symbol(self) -> Symbol<'elf> {
        self.symbol
    }

    /// The name of the symbol, or if it stands for a section, of that.
    #[must_use]
    pub fn name(self) -> Name<'elf> {
        match self.symbol.section() {
            Some(section) if self.symbol.is_section() => section.name(),
            _ => self.symbol.name(),
        }
    }
}

/// The tables of relocations of a file: the section of each, and the number of
/// the table.
pub(crate) fn tables(elf: &Elf) -> Vec<(u32, u32)> {
    let is_table = |section: &Section<'_>| matches!(elf::SectionType(section.kind()), elf::SHT_REL | elf::SHT_RELA);
    let tables = elf.sections().filter(is_table).map(|table| (table.header().info, table.index()));
    // No section is number 0; in linked files, that is for the whole file.
    let mut tables: Vec<_> = tables.filter(|&(of, _)| of != 0).collect();
    tables.sort_unstable();
    tables
}

/// The relocations of a section, by rising offset.
pub(crate) fn of<'elf>(section: Section<'elf>, elf: &'elf Elf) -> Result<Vec<Relocation<'elf>>, Error> {
    let mut relocations = Vec::new();
    let mut bytes = 0u64;
    for table in elf.relocations_of(section.index()) {
        // All tables together are no longer than the file, unless they overlap.
        bytes = bytes.saturating_add(table.size());
        if bytes > elf.input().len() {
            return Err(Error::Elf { what: "tables of relocations overlap", offset: table.offset() });
        }
        match (elf::SectionType(table.kind()), elf.is_64()) {
            (elf::SHT_REL, true) => read_rel::<elf::Rel64<Endianness>>(section, table, &mut relocations)?,
            (elf::SHT_REL, false) => read_rel::<elf::Rel32<Endianness>>(section, table, &mut relocations)?,
            (_, true) => read_rela::<elf::Rela64<Endianness>>(section, table, &mut relocations)?,
            (_, false) => read_rela::<elf::Rela32<Endianness>>(section, table, &mut relocations)?,
        }
    }
    relocations.sort_by_key(|relocation: &Relocation<'_>| relocation.offset);
    Ok(relocations)
}

fn read_rel<'elf, R: Rel<Endian = Endianness>>(
    section: Section<'elf>,
    table: Section<'elf>,
    relocations: &mut Vec<Relocation<'elf>>,
) -> Result<(), Error> {
    let endian = endian(section.elf().byte_order());
    for raw in records::<R>(&table.data()?) {
        let (offset, symbol) = (raw.r_offset(endian).into(), raw.r_sym(endian));
        let symbol = symbol_of(section, offset, symbol)?;
        relocations.push(Relocation { offset, kind: raw.r_type(endian).0, addend: None, symbol });
    }
    Ok(())
}

fn read_rela<'elf, R: Rela<Endian = Endianness>>(
    section: Section<'elf>,
    table: Section<'elf>,
    relocations: &mut Vec<Relocation<'elf>>,
) -> Result<(), Error> {
    let elf = section.elf();
    let endian = endian(elf.byte_order());
    let is_mips64el = elf.machine() == Machine::MIPS64EL;
    for raw in records::<R>(&table.data()?) {
        let (offset, symbol) = (raw.r_offset(endian).into(), raw.r_sym(endian, is_mips64el));
        let symbol = symbol_of(section, offset, symbol)?;
        let (kind, addend) = (raw.r_type(endian, is_mips64el).0, Some(raw.r_addend(endian).into()));
        relocations.push(Relocation { offset, kind, addend, symbol });
    }
    Ok(())
}

fn records<T: pod::Pod>(bytes: &[u8]) -> &[T] {
    pod::slice_from_bytes(bytes, bytes.len() / size_of::<T>()).map_or(&[], |(records, _)| records)
}

fn symbol_of(section: Section<'_>, offset: u64, symbol: u32) -> Result<Symbol<'_>, Error> {
    let elf = section.elf();
    let count = elf.symbols()?.len();
    let found = elf.symbol_by_index(symbol)?;
    found.ok_or_else(|| Error::RelocationSymbol { section: section.name().into(), offset, symbol, count })
}

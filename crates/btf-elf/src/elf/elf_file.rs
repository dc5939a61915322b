//! ELF files: the header, and access to sections and symbols.
//!
//! Source: the System V ABI, "Object Files"; for BTF, `btf_parse_elf` in
//! `tools/lib/bpf/btf.c`.

use std::{ops::Range, sync::OnceLock};

use btf_types::{Btf, BtfExt, ByteOrder, Bytes};
use object::{Endianness, elf, pod, read::elf::FileHeader};

use super::{
    raw::{self, display_names, endian, numbers},
    relocation,
    section::SectionHeader,
    strings::{NameIndex, NamesShared, StringTable},
    symbol::SymbolTable,
};
use crate::{
    BtfIds, DatasecFixups, Error, FilePart, Limits, Machine, Section, Sections, Symbol, Symbols,
    container::{input::Input, limits::Budget},
};

numbers! {
    /// `e_type` of an ELF file.
    ElfType(u16) {
        /// Relocatable: object files, kernel modules.
        REL = elf::ET_REL.0,
        /// Executable: kernels.
        EXEC = elf::ET_EXEC.0,
        /// Shared objects and position-independent executables.
        DYN = elf::ET_DYN.0,
        /// Core dumps.
        CORE = elf::ET_CORE.0,
    }
}

display_names! {
    ElfType:
    REL => "ET_REL",
    EXEC => "ET_EXEC",
    DYN => "ET_DYN",
    CORE => "ET_CORE",
}

/// ELF file of 32 or 64 bits and either byte order: a kernel, a module, a BPF
/// object, a library with debug information.
///
/// Opening reads the header, the table of sections and their names. Contents of
/// sections are read on demand.
///
/// ```
/// # fn main() -> Result<(), btf_elf::Error> {
/// use btf_elf::{Elf, ElfType, Machine};
///
/// let elf = Elf::open("doc/veth.ko")?;
/// assert_eq!((elf.machine(), elf.elf_type()), (Machine::X86_64, ElfType::REL));
/// let sections: Vec<_> = elf.sections().map(|section| section.name().to_string()).collect();
/// assert_eq!(sections[..4], ["", ".BTF", ".BTF.base", ".BTF_ids"]);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Elf {
    input: Input,
    elf_type: ElfType,
    machine: Machine,
    section_table: Range<u64>,
    sections: Vec<SectionHeader>,
    section_names: StringTable,
    sections_by_name: OnceLock<NameIndex>,
    symbols: OnceLock<SymbolTable>,
    relocations: OnceLock<Vec<(u32, u32)>>,
    budget: Budget,
}

/// Offset of the class (32 or 64 bits) in the ELF header.
const EI_CLASS: usize = 4;
/// Offset of the byte order in the ELF header.
const EI_DATA: usize = 5;

impl Elf {
    /// The first bytes of every ELF file.
    pub const MAGIC: [u8; 4] = elf::ELFMAG;

    pub(crate) fn with_limits(input: Input, limits: Limits) -> Result<Self, Error> {
        let budget = Budget::new(limits, input.len());
        Self::new(input, budget)
    }

    pub(crate) fn new(input: Input, budget: Budget) -> Result<Self, Error> {
        let start = input.start(size_of::<elf::FileHeader64<Endianness>>())?;
        let damaged = |what, offset| Error::Elf { what, offset };
        if !start.starts_with(&Self::MAGIC) {
            return Err(Error::NotElf);
        }
        let byte_order = match start.get(EI_DATA) {
            Some(1) => ByteOrder::Little,
            Some(2) => ByteOrder::Big,
            _ => return Err(damaged("no such byte order", EI_DATA as u64)),
        };
        match start.get(EI_CLASS) {
            Some(1) => Self::with_class::<elf::FileHeader32<Endianness>>(input, &start, byte_order, budget),
            Some(2) => Self::with_class::<elf::FileHeader64<Endianness>>(input, &start, byte_order, budget),
            _ => Err(damaged("no such class", EI_CLASS as u64)),
        }
    }

    fn with_class<H: FileHeader<Endian = Endianness>>(
        input: Input,
        start: &[u8],
        byte_order: ByteOrder,
        budget: Budget,
    ) -> Result<Self, Error> {
        let damaged = |what, offset| Error::Elf { what, offset };
        let endian = endian(byte_order);
        let (header, _) = pod::from_bytes::<H>(start).map_err(|()| damaged("header is cut off", start.len() as u64))?;
        let (section_table, sections, names) = section_headers(&input, header, endian)?;
        let section_names = match sections.get(names as usize) {
            Some(section) if names != 0 => input.read(section.offset, section.size, || FilePart::SectionNames)?,
            None if names != 0 => return Err(damaged("no such section of section names", 0)),
            _ => Bytes::new(),
        };
        check_overlap(&input, &sections)?;
        Ok(Self {
            elf_type: ElfType(header.e_type(endian).0),
            machine: Machine::new(header.e_machine(endian).0, header.is_type_64(), byte_order),
            input,
            section_table,
            sections,
            section_names: StringTable::new(section_names),
            sections_by_name: OnceLock::new(),
            symbols: OnceLock::new(),
            relocations: OnceLock::new(),
            budget,
        })
    }

    /// Returns `true` if addresses and offsets have 64 bits, `false` if 32.
    #[must_use]
    pub fn is_64(&self) -> bool {
        self.machine.is_64()
    }

    /// Returns the ranges of the ELF header and the table of sections in the
    /// file, in **bytes**. Without sections, the second range is empty.
    #[must_use]
    pub fn headers(&self) -> [Range<u64>; 2] {
        let header = match self.is_64() {
            true => size_of::<elf::FileHeader64<Endianness>>(),
            false => size_of::<elf::FileHeader32<Endianness>>(),
        };
        [0..header as u64, self.section_table.clone()]
    }

    /// Byte order of the file.
    #[must_use]
    pub fn byte_order(&self) -> ByteOrder {
        self.machine.byte_order()
    }

    /// Type of the file (`e_type`).
    #[must_use]
    pub fn elf_type(&self) -> ElfType {
        self.elf_type
    }

    /// Returns `true` for a relocatable file: values of symbols are offsets in
    /// their section, not addresses.
    #[must_use]
    pub fn is_relocatable(&self) -> bool {
        self.elf_type == ElfType::REL
    }

    /// Machine of the file.
    #[must_use]
    pub fn machine(&self) -> Machine {
        self.machine
    }

    /// Returns `true` if the machine is BPF.
    #[must_use]
    pub fn is_bpf(&self) -> bool {
        self.machine.is_bpf()
    }

    /// Iterates over the sections by ascending index. The first one is the null
    /// section, which has no contents.
    pub fn sections(&self) -> Sections<'_> {
        Sections::new(self, &self.sections)
    }

    /// Returns the section with this index.
    #[must_use]
    pub fn section_by_index(&self, index: u32) -> Option<Section<'_>> {
        self.sections.get(index as usize).map(|header| Section::new(self, index, header))
    }

    /// Returns the first section with this name.
    pub fn section(&self, name: impl AsRef<[u8]>) -> Option<Section<'_>> {
        let name = name.as_ref();
        self.sections().find(|section| section.is_named(name))
    }

    /// Returns the index of the first section with this name. Suited to many
    /// lookups, as all names are indexed once.
    ///
    /// # Errors
    ///
    /// Those of [`NameIndex::get`].
    pub(crate) fn indexed_section(&self, name: &[u8]) -> Result<Option<u32>, NamesShared> {
        let index = self.sections_by_name.get_or_init(|| {
            let names = self.sections.iter().zip(0..).map(|(header, index)| (header.name_offset(), index));
            NameIndex::new(&self.section_names, names)
        });
        index.get(&self.section_names, name)
    }

    /// Returns the only section with this name.
    fn only_section(&self, name: &str) -> Result<Option<Section<'_>>, Error> {
        let mut sections = self.sections().filter(|section| section.is_named(name.as_bytes()));
        match (sections.next(), sections.next()) {
            (_, Some(_)) => Err(Error::SeveralSections { name: name.as_bytes().into() }),
            (section, None) => Ok(section),
        }
    }

    /// Iterates over the symbols by ascending index. The first one is the null
    /// symbol. Empty without a symbol table.
    ///
    /// # Errors
    ///
    /// [`Error::OutsideFile`] and [`Error::Io`] if the table, which is read on
    /// first use, cannot be read.
    pub fn symbols(&self) -> Result<Symbols<'_>, Error> {
        Ok(Symbols::new(self, self.symbol_table()?))
    }

    /// Returns the symbol with this index.
    ///
    /// # Errors
    ///
    /// Those of [`Elf::symbols`].
    pub fn symbol_by_index(&self, index: u32) -> Result<Option<Symbol<'_>>, Error> {
        Ok(self.symbol_table()?.get(self, index))
    }

    pub(crate) fn symbol_table(&self) -> Result<&SymbolTable, Error> {
        if let Some(symbols) = self.symbols.get() {
            return Ok(symbols);
        }
        let table = SymbolTable::read(self)?;
        Ok(self.symbols.get_or_init(|| table))
    }

    /// Iterates over the relocation tables of a section.
    pub(crate) fn relocation_tables(&self, index: u32) -> impl Iterator<Item = Section<'_>> {
        let tables = self.relocations.get_or_init(|| relocation::tables(self));
        let start = tables.partition_point(|&(of, _)| of < index);
        let those = tables.iter().skip(start).take_while(move |&&(of, _)| of == index);
        those.filter_map(|&(_, table)| self.section_by_index(table))
    }

    /// Returns `true` if there is a `.BTF` section.
    #[must_use]
    pub fn has_btf(&self) -> bool {
        self.section(".BTF").is_some()
    }

    /// Returns the contents of `.BTF`, as stored in the file.
    ///
    /// # Errors
    ///
    /// [`Error::NoBtf`] if there is none; [`Error::SeveralSections`]; those of
    /// [`Section::data`].
    pub fn btf_bytes(&self) -> Result<Bytes, Error> {
        let section = self.only_section(".BTF")?.ok_or(Error::NoBtf)?;
        section.data_alone()
    }

    /// Opens the BTF. If there is a `.BTF.base` section, it is the base.
    ///
    /// For a module without one, use [`Elf::split_btf`]: its BTF is split from
    /// the kernel's.
    ///
    /// # Errors
    ///
    /// Those of [`Elf::btf_bytes`]; [`Error::ByteOrder`] if it has another byte
    /// order than this file; [`Error::Btf`] if it is damaged, or its base is
    /// not in this file.
    pub fn btf(&self) -> Result<Btf, Error> {
        let base = self.base_btf()?;
        self.parse_btf(".BTF", self.btf_bytes()?, base.as_ref())
    }

    /// Opens the BTF of a module, with that of its kernel as the base. If the
    /// module has a distilled base in `.BTF.base`, made when it was built
    /// against another kernel, the BTF is rebased.
    ///
    /// # Errors
    ///
    /// As for [`Elf::btf`]; [`Error::Types`] with the errors of
    /// [`Btf::rebase`].
    pub fn split_btf(&self, base: &Btf) -> Result<Btf, Error> {
        match self.base_btf()? {
            None => self.parse_btf(".BTF", self.btf_bytes()?, Some(base)),
            Some(distilled) => Ok(self.parse_btf(".BTF", self.btf_bytes()?, Some(&distilled))?.rebase(base)?),
        }
    }

    /// Opens the distilled base of a module in `.BTF.base`, if it has one.
    ///
    /// ```
    /// # fn main() -> Result<(), btf_elf::Error> {
    /// use btf_elf::Elf;
    ///
    /// let elf = Elf::open("doc/veth.ko")?;
    /// let base = elf.base_btf()?.expect("it was built apart from its kernel");
    /// assert_eq!(base.type_by_id(4)?.to_string(), "struct sk_buff");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`Elf::btf`].
    pub fn base_btf(&self) -> Result<Option<Btf>, Error> {
        match self.only_section(".BTF.base")? {
            Some(section) => self.parse_btf(".BTF.base", section.data_alone()?, None).map(Some),
            None => Ok(None),
        }
    }

    fn parse_btf(&self, section: &'static str, bytes: Bytes, base: Option<&Btf>) -> Result<Btf, Error> {
        let btf = Btf::options()
            .maybe_base(base)
            .pointer_size(self.machine.pointer_size())
            .parse(bytes)
            .map_err(|error| Error::Btf { section, error })?;
        if btf.byte_order() != self.byte_order() {
            return Err(Error::ByteOrder { section, btf: btf.byte_order(), elf: self.byte_order() });
        }
        Ok(btf)
    }

    /// Opens the `.BTF.ext` of a BPF object, if there is one, with the BTF of
    /// this file, to which it refers.
    ///
    /// # Errors
    ///
    /// [`Error::Btf`] if it is damaged; those of [`Section::data`].
    pub fn btf_ext(&self, btf: &Btf) -> Result<Option<BtfExt>, Error> {
        let Some(section) = self.only_section(".BTF.ext")? else { return Ok(None) };
        let ext = BtfExt::parse(section.data_alone()?, btf);
        ext.map(Some).map_err(|error| Error::Btf { section: ".BTF.ext", error })
    }

    /// Reads `.BTF_ids`, if there is one.
    ///
    /// # Errors
    ///
    /// Those of [`Section::data`] and [`Elf::symbols`].
    pub fn btf_ids(&self) -> Result<Option<BtfIds<'_>>, Error> {
        match self.only_section(".BTF_ids")? {
            Some(section) => BtfIds::read(self, section).map(Some),
            None => Ok(None),
        }
    }

    /// Returns DATASEC sizes and offsets of this file's BTF as a loader would
    /// compute them.
    ///
    /// # Errors
    ///
    /// Those of [`Elf::symbols`]. Errors of a single DATASEC are returned with
    /// it.
    pub fn datasec_fixups(&self, btf: &Btf) -> Result<DatasecFixups, Error> {
        DatasecFixups::new(self, btf)
    }

    pub(crate) fn input(&self) -> &Input {
        &self.input
    }

    pub(crate) fn into_budget(self) -> Budget {
        self.budget
    }

    pub(crate) fn budget(&self) -> &Budget {
        &self.budget
    }

    pub(crate) fn section_names(&self) -> &StringTable {
        &self.section_names
    }

    pub(crate) fn section_count(&self) -> usize {
        self.sections.len()
    }
}

/// Reads the table of sections. Returns its range in the file, the headers, and
/// the index of the section with the names of sections.
fn section_headers<H: FileHeader<Endian = Endianness>>(
    input: &Input,
    header: &H,
    endian: Endianness,
) -> Result<(Range<u64>, Vec<SectionHeader>, u32), Error> {
    let offset: u64 = header.e_shoff(endian).into();
    if offset == 0 {
        return Ok((0..0, Vec::new(), 0));
    }
    let size = size_of::<H::SectionHeader>() as u64;
    if u64::from(header.e_shentsize(endian)) != size {
        return Err(Error::Elf { what: "section headers of an unknown size", offset });
    }
    // With 65,280 sections or more, the first section header holds the number
    // of sections and the index of the one with their names.
    let first = input.read(offset, size, || FilePart::FirstSectionHeader)?;
    let first = SectionHeader::read(raw::first::<H::SectionHeader>(&first, offset)?, endian);
    let count = match header.e_shnum(endian) {
        0 => first.size,
        count => count.into(),
    };
    let names = match header.e_shstrndx(endian) {
        elf::SHN_XINDEX => first.link,
        index => index.0.into(),
    };
    let len = count.checked_mul(size).ok_or(Error::Elf { what: "too many sections", offset })?;
    let table = input.read(offset, len, || FilePart::SectionTable)?;
    let headers = pod::slice_from_all_bytes::<H::SectionHeader>(&table).unwrap_or_default();
    let sections = headers.iter().map(|header| SectionHeader::read(header, endian)).collect();
    Ok((offset..offset.saturating_add(len), sections, names))
}

/// Checks that sections do not overlap too much: a million sections of a small
/// file could each cover the whole file. (In valid files, some are inside
/// others, such as notes in loaded segments. Sections that exceed the file are
/// errors when they are read.)
fn check_overlap(input: &Input, sections: &[SectionHeader]) -> Result<(), Error> {
    const TIMES: u64 = 4;
    let is_inside =
        |section: &&SectionHeader| section.offset.checked_add(section.size).is_some_and(|end| end <= input.len());
    let inside = sections.iter().filter(|section| section.has_contents()).filter(is_inside);
    let sum = inside.map(|section| section.size).fold(0, u64::saturating_add);
    match sum > input.len().saturating_mul(TIMES) {
        true => Err(Error::SectionsOverlap { sum, len: input.len() }),
        false => Ok(()),
    }
}

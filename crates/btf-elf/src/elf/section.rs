//! Sections of an ELF file.

use std::fmt;

use btf_types::{Bytes, Name};
use object::{
    Endianness, elf,
    read::elf::{CompressionHeader, SectionHeader as Raw},
};

use super::{
    raw::{display_names, endian, first, numbers},
    strings::short,
};
use crate::{Compression, Elf, Error, FilePart, Relocations};

numbers! {
    /// `sh_type` of a section.
    SectionType(u32) {
        /// Unused header (null section).
        NULL = elf::SHT_NULL.0,
        /// Contents defined by the program.
        PROGBITS = elf::SHT_PROGBITS.0,
        /// Symbol table.
        SYMTAB = elf::SHT_SYMTAB.0,
        /// String table.
        STRTAB = elf::SHT_STRTAB.0,
        /// Relocations with addends.
        RELA = elf::SHT_RELA.0,
        /// No contents in the file; zeros in memory.
        NOBITS = elf::SHT_NOBITS.0,
        /// Relocations without addends.
        REL = elf::SHT_REL.0,
        /// Section indices that do not fit into the symbol table.
        SYMTAB_SHNDX = elf::SHT_SYMTAB_SHNDX.0,
    }
    /// `sh_flags` of a section.
    SectionFlags(u64) {
        /// Occupies memory at run time.
        ALLOC = elf::SHF_ALLOC.0,
        /// Contains instructions.
        EXECINSTR = elf::SHF_EXECINSTR.0,
        /// Contains compressed data.
        COMPRESSED = elf::SHF_COMPRESSED.0,
    }
}

display_names! {
    SectionType:
    NULL => "SHT_NULL",
    PROGBITS => "SHT_PROGBITS",
    SYMTAB => "SHT_SYMTAB",
    STRTAB => "SHT_STRTAB",
    RELA => "SHT_RELA",
    NOBITS => "SHT_NOBITS",
    REL => "SHT_REL",
    SYMTAB_SHNDX => "SHT_SYMTAB_SHNDX",
}

impl SectionFlags {
    /// Returns `true` if all of these flags are set.
    #[must_use]
    pub const fn contains(self, flags: Self) -> bool {
        self.0 & flags.0 == flags.0
    }
}

/// Header of a section, of either class and byte order.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SectionHeader {
    name: u32,
    section_type: SectionType,
    flags: SectionFlags,
    address: u64,
    pub(crate) offset: u64,
    pub(crate) size: u64,
    pub(crate) link: u32,
    pub(crate) info: u32,
}

impl SectionHeader {
    pub(crate) fn has_contents(&self) -> bool {
        !matches!(self.section_type, SectionType::NOBITS | SectionType::NULL)
    }

    /// Offset of the name in the string table.
    pub(crate) fn name_offset(&self) -> u32 {
        self.name
    }

    pub(crate) fn read<R: Raw<Endian = Endianness>>(raw: &R, endian: Endianness) -> Self {
        Self {
            name: raw.sh_name(endian),
            section_type: SectionType(raw.sh_type(endian).0),
            flags: SectionFlags(raw.sh_flags(endian).0),
            address: raw.sh_addr(endian).into(),
            offset: raw.sh_offset(endian).into(),
            size: raw.sh_size(endian).into(),
            link: raw.sh_link(endian),
            info: raw.sh_info(endian),
        }
    }
}

/// Section of an ELF file.
///
/// ```
/// # fn main() -> Result<(), btf_elf::Error> {
/// use btf_elf::{BpfObject, SectionType};
///
/// let object = BpfObject::open("doc/probe.bpf.o")?;
/// let license = object.elf().section("license").unwrap();
/// assert_eq!((license.section_type(), license.size()), (SectionType::PROGBITS, 13));
/// assert_eq!(license.data()?, "Dual MIT/GPL\0");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy)]
pub struct Section<'elf> {
    elf: &'elf Elf,
    index: u32,
    header: &'elf SectionHeader,
}

impl<'elf> Section<'elf> {
    pub(crate) fn new(elf: &'elf Elf, index: u32, header: &'elf SectionHeader) -> Self {
        Self { elf, index, header }
    }

    /// Index of the section.
    #[must_use]
    pub fn index(self) -> u32 {
        self.index
    }

    /// Name; empty if it is outside the string table.
    #[must_use]
    pub fn name(self) -> Name<'elf> {
        self.elf.section_names().get(self.header.name)
    }

    /// Returns `true` if the section has this name, in O(`name.len()`).
    #[must_use]
    pub fn is_named(self, name: &[u8]) -> bool {
        self.elf.section_names().is(self.header.name, name)
    }

    /// Type of the section (`sh_type`).
    #[must_use]
    pub fn section_type(self) -> SectionType {
        self.header.section_type
    }

    /// Flags (`sh_flags`).
    #[must_use]
    pub fn flags(self) -> SectionFlags {
        self.header.flags
    }

    /// Returns `true` if the section contains instructions (`SHF_EXECINSTR`).
    #[must_use]
    pub fn is_executable(self) -> bool {
        self.header.flags.contains(SectionFlags::EXECINSTR)
    }

    /// Returns `true` if the section has contents in the file.
    #[must_use]
    pub fn has_contents(self) -> bool {
        self.header.has_contents()
    }

    /// Returns `true` if the contents are compressed (`SHF_COMPRESSED`).
    #[must_use]
    pub fn is_compressed(self) -> bool {
        self.header.flags.contains(SectionFlags::COMPRESSED)
    }

    /// Address of the section; 0 in relocatable files.
    #[must_use]
    pub fn address(self) -> u64 {
        self.header.address
    }

    /// Size in **bytes**; for a compressed section, the compressed size.
    #[must_use]
    pub fn size(self) -> u64 {
        self.header.size
    }

    /// Offset of the contents in the file, in **bytes**.
    #[must_use]
    pub fn offset(self) -> u64 {
        self.header.offset
    }

    /// Returns the contents, decoded if they are compressed. Contents of a file
    /// are read on every call, those of bytes in memory are shared.
    ///
    /// # Errors
    ///
    /// [`Error::NoBits`] if the section has no contents in the file;
    /// [`Error::OutsideFile`]; [`Error::Io`]; [`Error::TooLarge`] for more than
    /// [`Limits::max_output`](crate::Limits::max_output); [`Error::Section`]
    /// with the reason if the contents cannot be decoded, such as
    /// [`Error::FileOutputLimit`] if all decoded sections together exceed the
    /// limit.
    pub fn data(self) -> Result<Bytes, Error> {
        let SectionHeader { section_type, offset, size, .. } = *self.header;
        match section_type {
            SectionType::NOBITS => return Err(Error::NoBits { name: short(self.name()) }),
            SectionType::NULL => return Ok(Bytes::new()),
            _ => {}
        }
        let bytes = self.elf.input().read(offset, size, || FilePart::Section(short(self.name())))?;
        match self.is_compressed() {
            false => Ok(bytes),
            true => self.decode(&bytes).map(Into::into).map_err(|error| {
                let name = short(self.name());
                Error::Section { name, error: error.into() }
            }),
        }
    }

    /// Returns the contents, copied if they would otherwise keep a much larger
    /// buffer in memory, such as a whole kernel.
    pub(crate) fn data_alone(self) -> Result<Bytes, Error> {
        let data = self.data()?;
        let is_small = (data.len() as u64) < self.elf.input().len() / 2;
        Ok(if is_small && self.elf.input().is_in_memory() { Bytes::copy_from_slice(&data) } else { data })
    }

    fn decode(self, bytes: &[u8]) -> Result<Vec<u8>, Error> {
        let (ch_type, expected, header) = match self.elf.is_64() {
            true => self.compression_header::<elf::CompressionHeader64<Endianness>>(bytes)?,
            false => self.compression_header::<elf::CompressionHeader32<Endianness>>(bytes)?,
        };
        let compression = match elf::CompressionType(ch_type) {
            elf::ELFCOMPRESS_ZLIB => Compression::Zlib,
            elf::ELFCOMPRESS_ZSTD => Compression::Zstd,
            _ => return Err(Error::UnknownCompression { ch_type }),
        };
        let budget = self.elf.budget();
        let limits = budget.section(self.index);
        if expected > limits.max_output() {
            return Err(budget.refuse_section(compression, expected));
        }
        // Decodes no further than the expected end.
        let within = limits.output(expected);
        let mut decoder = compression.decoder(bytes.get(header..).unwrap_or_default(), &within)?;
        let mut decoded = Vec::new();
        let result = decoder.read_rest(&mut decoded);
        let found = decoder.produced();
        budget.spend_section(self.index, found);
        match result {
            Ok(()) if found == expected => Ok(decoded),
            Ok(()) | Err(Error::OutputLimit { .. }) => Err(Error::DecodedLength { found, expected }),
            Err(error) => Err(error),
        }
    }

    /// Returns the compression, the decoded length, and the length of the
    /// compression header.
    fn compression_header<H: CompressionHeader<Endian = Endianness>>(
        self,
        bytes: &[u8],
    ) -> Result<(u32, u64, usize), Error> {
        let endian = endian(self.elf.byte_order());
        let header = first::<H>(bytes, self.header.offset)?;
        Ok((header.ch_type(endian).0, header.ch_size(endian).into(), size_of::<H>()))
    }

    /// Returns the relocations of this section, by ascending offset.
    ///
    /// # Errors
    ///
    /// Those of [`Section::data`] and of [`Elf::symbols`];
    /// [`Error::RelocationSymbol`].
    pub fn relocations(self) -> Result<Relocations<'elf>, Error> {
        Relocations::of(self, self.elf)
    }

    pub(crate) fn name_offset(self) -> u32 {
        self.header.name_offset()
    }

    pub(crate) fn header(self) -> &'elf SectionHeader {
        self.header
    }
}

impl PartialEq for Section<'_> {
    /// Equal if they have the same index in the same file.
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.elf, other.elf) && self.index == other.index
    }
}

impl Eq for Section<'_> {}

impl std::hash::Hash for Section<'_> {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        (std::ptr::from_ref(self.elf), self.index).hash(state);
    }
}

impl fmt::Debug for Section<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Section")
            .field("index", &self.index)
            .field("name", &self.name())
            .field("section_type", &self.section_type())
            .field("flags", &self.flags())
            .field("offset", &self.offset())
            .field("size", &self.size())
            .finish()
    }
}

/// Iterator over the sections of an ELF file.
#[derive(Debug, Clone)]
#[must_use = "iterators do nothing unless consumed"]
pub struct Sections<'elf> {
    elf: &'elf Elf,
    headers: std::iter::Enumerate<std::slice::Iter<'elf, SectionHeader>>,
}

impl<'elf> Sections<'elf> {
    pub(crate) fn new(elf: &'elf Elf, headers: &'elf [SectionHeader]) -> Self {
        Self { elf, headers: headers.iter().enumerate() }
    }
}

impl<'elf> Iterator for Sections<'elf> {
    type Item = Section<'elf>;

    fn next(&mut self) -> Option<Self::Item> {
        let (index, header) = self.headers.next()?;
        Some(Section::new(self.elf, index as u32, header))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.headers.size_hint()
    }
}

impl ExactSizeIterator for Sections<'_> {}
impl std::iter::FusedIterator for Sections<'_> {}

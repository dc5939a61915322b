//! Sections of an ELF file.

use std::fmt;

use btf_types::{Bytes, Name};
use object::{
    Endianness, elf,
    read::elf::{CompressionHeader, SectionHeader as Raw},
};

use crate::{
    Compression, Elf, Error,
    elf::{endian, first_of},
    relocation::{self, Relocation},
    strings,
};

/// What the table of sections says of one, of either class and byte order.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SectionHeader {
    name: u32,
    pub(crate) kind: u32,
    flags: u64,
    address: u64,
    pub(crate) offset: u64,
    pub(crate) size: u64,
    pub(crate) link: u32,
    pub(crate) info: u32,
}

impl SectionHeader {
    pub(crate) fn read<R: Raw<Endian = Endianness>>(raw: &R, endian: Endianness) -> Self {
        Self {
            name: raw.sh_name(endian),
            kind: raw.sh_type(endian).0,
            flags: raw.sh_flags(endian).0,
            address: raw.sh_addr(endian).into(),
            offset: raw.sh_offset(endian).into(),
            size: raw.sh_size(endian).into(),
            link: raw.sh_link(endian),
            info: raw.sh_info(endian),
        }
    }
}

/// A section of an ELF file.
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

    /// Its number.
    #[must_use]
    pub fn index(self) -> u32 {
        self.index
    }

    /// Its name, empty if the file does not have it.
    #[must_use]
    pub fn name(self) -> Name<'elf> {
        strings::get(self.elf.section_names(), self.header.name)
    }

    /// Whether it has this name.
    #[must_use]
    pub fn is_named(self, name: &[u8]) -> bool {
        strings::is(self.elf.section_names(), self.header.name, name)
    }

    /// What kind of section it is: 1 has contents (`SHT_PROGBITS`), 8 has none
    /// in the file (`SHT_NOBITS`), 2 is a table of symbols.
    #[must_use]
    pub fn kind(self) -> u32 {
        self.header.kind
    }

    /// Its flags: 2 is loaded (`SHF_ALLOC`), 4 is executed (`SHF_EXECINSTR`),
    /// 0x800 is compressed (`SHF_COMPRESSED`).
    #[must_use]
    pub fn flags(self) -> u64 {
        self.header.flags
    }

    /// Whether it has instructions that are executed.
    #[must_use]
    pub fn is_executable(self) -> bool {
        self.header.flags & elf::SHF_EXECINSTR.0 != 0
    }

    /// Whether it has contents in the file.
    #[must_use]
    pub fn has_contents(self) -> bool {
        self.header.kind != elf::SHT_NOBITS.0 && self.header.kind != elf::SHT_NULL.0
    }

    /// Whether its contents are compressed (`SHF_COMPRESSED`).
    #[must_use]
    pub fn is_compressed(self) -> bool {
        self.header.flags & elf::SHF_COMPRESSED.0 != 0
    }

    /// The address that it is linked to, 0 in relocatable files.
    #[must_use]
    pub fn address(self) -> u64 {
        self.header.address
    }

    /// Its size in **bytes**; of a compressed one, that in the file.
    #[must_use]
    pub fn size(self) -> u64 {
        self.header.size
    }

    /// Where its contents are in the file, in **bytes**.
    #[must_use]
    pub fn offset(self) -> u64 {
        self.header.offset
    }

    /// Its contents, decoded if they are compressed. Of a file they are read
    /// anew each time, of bytes in memory they are a part.
    ///
    /// # Errors
    ///
    /// [`Error::NoBits`] if it has none in the file; [`Error::OutsideFile`];
    /// [`Error::Io`]; [`Error::Section`] with what is wrong, if it is
    /// compressed.
    pub fn data(self) -> Result<Bytes, Error> {
        let SectionHeader { kind, offset, size, .. } = *self.header;
        if kind == elf::SHT_NOBITS.0 {
            return Err(Error::NoBits { name: self.name().into() });
        }
        if kind == elf::SHT_NULL.0 {
            return Ok(Bytes::new());
        }
        let input = self.elf.input();
        let bytes = match size <= input.len() {
            true => input.read(offset, size, format!("section {}", self.name()))?,
            false => return Err(self.outside()),
        };
        match self.is_compressed() {
            false => Ok(bytes),
            true => self.decode(&bytes).map(Into::into).map_err(|error| {
                let name = self.name().into();
                Error::Section { name, source: error.into() }
            }),
        }
    }

    fn outside(self) -> Error {
        let SectionHeader { offset, size: len, .. } = *self.header;
        Error::OutsideFile { what: format!("section {}", self.name()), offset, len, file_len: self.elf.input().len() }
    }

    /// The same, but never a small part of many bytes that it would keep in
    /// memory: those of a whole kernel.
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
        let limits = *self.elf.limits();
        if expected > limits.output {
            return Err(Error::OutputLimit { compression, limit: limits.output });
        }
        let decoded = compression.decode(bytes.get(header..).unwrap_or_default(), &limits)?;
        let found = decoded.len() as u64;
        if found == expected { Ok(decoded) } else { Err(Error::DecodedLength { found, expected }) }
    }

    /// How it is compressed, how long it is when decoded, and how long the
    /// header is that says so.
    fn compression_header<H: CompressionHeader<Endian = Endianness>>(
        self,
        bytes: &[u8],
    ) -> Result<(u32, u64, usize), Error> {
        let endian = endian(self.elf.byte_order());
        let header = first_of::<H>(bytes, self.header.offset)?;
        Ok((header.ch_type(endian).0, header.ch_size(endian).into(), size_of::<H>()))
    }

    /// The relocations of this section, by rising offset.
    ///
    /// # Errors
    ///
    /// Those of [`Section::data`] and of [`Elf::symbols`];
    /// [`Error::RelocationSymbol`].
    pub fn relocations(self) -> Result<Vec<Relocation<'elf>>, Error> {
        relocation::of(self, self.elf)
    }

    pub(crate) fn elf(self) -> &'elf Elf {
        self.elf
    }

    pub(crate) fn header(self) -> &'elf SectionHeader {
        self.header
    }
}

impl fmt::Debug for Section<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Section")
            .field("index", &self.index)
            .field("name", &self.name())
            .field("kind", &self.kind())
            .field("flags", &self.flags())
            .field("offset", &self.offset())
            .field("size", &self.size())
            .finish()
    }
}

/// Iterator over the sections of an ELF file.
#[derive(Debug, Clone)]
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

//! Why there is no BTF in a file, or why it cannot be had.

use std::{
    fmt, io,
    path::{Path, PathBuf},
};

use btf_types::{ByteOrder, Kind, OwnedName, format::Escaped};

use crate::{Compression, ElfType, ImageKind, Machine};

/// Why a file could not be read, or an object does not say what was asked.
///
/// Each message stands alone: the reason is part of it, and not to be had again
/// from [`source`](std::error::Error::source).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// What is wrong with a file.
    #[error("{}", OfFile(.path, .error))]
    #[non_exhaustive]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        error: Box<Self>,
    },
    /// It could not be opened or read.
    #[error("cannot be read: {0}")]
    Io(io::Error),
    /// It is larger than what is read whole.
    #[error("{len} bytes, more than the limit of {limit}")]
    #[non_exhaustive]
    TooLarge {
        /// Its length in bytes.
        len: u64,
        /// The most bytes that are read.
        limit: u64,
    },
    /// It is nothing that could have BTF in it.
    #[error("neither BTF nor ELF, nor compressed, nor an image with BTF in it (begins with {})", Hex(.start))]
    #[non_exhaustive]
    NotRecognized {
        /// Its first bytes, at most 8.
        start: Vec<u8>,
    },
    /// It is a kernel image, and no BTF was found in it.
    #[error("{kind}: no BTF in it{}", Tried(.tried))]
    #[non_exhaustive]
    NotInImage {
        /// Kind of the image.
        kind: ImageKind,
        /// The compressed payloads that were tried.
        tried: Vec<Payload>,
    },
    /// It is compressed, and inside that again, more often than is followed.
    #[error("compressed more than {limit} times over")]
    #[non_exhaustive]
    TooDeep {
        /// How often is followed.
        limit: usize,
    },

    /// The feature of this crate that could decode it is off.
    #[error("compressed with {compression}, for which btf-elf needs its feature `{}`", .compression.feature())]
    #[non_exhaustive]
    FeatureOff {
        /// What it is compressed with.
        compression: Compression,
    },
    /// It is compressed in a way that is known, but not decoded.
    #[error("compressed with {what}, which is not supported")]
    #[non_exhaustive]
    NotSupported {
        /// What it is compressed with.
        what: &'static str,
    },
    /// Compressed bytes are damaged, or end early.
    #[error("damaged {compression}: {error}")]
    #[non_exhaustive]
    Decode {
        /// What they are compressed with.
        compression: Compression,
        /// What their decoder says.
        error: io::Error,
    },
    /// More comes out than is allowed.
    #[error("{compression} decodes to more than the limit of {limit} bytes")]
    #[non_exhaustive]
    OutputLimit {
        /// What it is compressed with.
        compression: Compression,
        /// The limit in bytes.
        limit: u64,
    },
    /// To decode it takes more memory than is allowed.
    #[error("{compression} with a window of more than the limit of {limit} bytes")]
    #[non_exhaustive]
    WindowLimit {
        /// What it is compressed with.
        compression: Compression,
        /// The limit in bytes.
        limit: u64,
    },
    /// More comes out of a file, all its layers and compressed sections
    /// together, than is allowed for one of its length.
    #[error(
        "decodes to more than the limit of {limit} bytes in all for a file of {len} bytes (raise it with `Limits`)"
    )]
    #[non_exhaustive]
    FileOutputLimit {
        /// The limit in bytes.
        limit: u64,
        /// The length of the file in bytes.
        len: u64,
    },
    /// So much more comes out than goes in that it was made to.
    #[error("{compression} decodes to more than {limit} times its size")]
    #[non_exhaustive]
    RatioLimit {
        /// What it is compressed with.
        compression: Compression,
        /// The limit.
        limit: u64,
    },

    /// Not an ELF file.
    #[error("not an ELF file")]
    NotElf,
    /// A damaged ELF file.
    #[error("damaged ELF: {what} at offset {offset}")]
    #[non_exhaustive]
    Elf {
        /// What is damaged.
        what: &'static str,
        /// Where it is, or should be, in bytes.
        offset: u64,
    },
    /// A part is outside the file, which was cut off, or is damaged.
    #[error("damaged ELF: {part} of {len} bytes at offset {offset} is outside the file, which has {file_len}")]
    #[non_exhaustive]
    OutsideFile {
        /// The part.
        part: FilePart,
        /// Where it begins, in bytes.
        offset: u64,
        /// Its length in bytes.
        len: u64,
        /// The length of the file in bytes.
        file_len: u64,
    },
    /// Sections are the same bytes over and over.
    #[error("damaged ELF: sections overlap, with {sum} bytes in all in a file of {len}")]
    #[non_exhaustive]
    SectionsOverlap {
        /// The bytes of all sections together.
        sum: u64,
        /// The length of the file in bytes.
        len: u64,
    },
    /// Names are the same bytes over and over, so that to look at each would
    /// take much more than the length of the file.
    #[error("names that overlap have more than the limit of {limit} bytes in all")]
    #[non_exhaustive]
    NamesShared {
        /// The limit in bytes.
        limit: u64,
    },
    /// The file is sound, and has no BTF.
    #[error("no .BTF section: built without BTF, or stripped of it")]
    NoBtf,
    /// A section is there, and has no contents in the file.
    #[error("section {name} has no contents in the file (SHT_NOBITS)")]
    #[non_exhaustive]
    NoBits {
        /// The section's name.
        name: OwnedName,
    },
    /// There are several sections of a name that there can be one of.
    #[error("there are several sections {name}")]
    #[non_exhaustive]
    SeveralSections {
        /// The name.
        name: OwnedName,
    },
    /// A compressed section is damaged.
    #[error("section {name}: {error}")]
    #[non_exhaustive]
    Section {
        /// The section's name.
        name: OwnedName,
        /// What is wrong with it.
        error: Box<Self>,
    },
    /// A section is compressed in a way that is not known.
    #[error("compressed in way {ch_type}, expected 1 (zlib) or 2 (zstd)")]
    #[non_exhaustive]
    UnknownCompression {
        /// What the section's header says.
        ch_type: u32,
    },
    /// A compressed section is not as long as it says.
    #[error("{found} bytes when decoded, expected {expected}")]
    #[non_exhaustive]
    DecodedLength {
        /// As many there are, or at least, as decoding stops behind those expected.
        found: u64,
        /// As many there should be.
        expected: u64,
    },
    /// BTF has another byte order than the ELF file around it.
    #[error("{section} is {btf}, but the ELF file around it {elf}")]
    #[non_exhaustive]
    ByteOrder {
        /// The section of the BTF.
        section: &'static str,
        /// The BTF's byte order.
        btf: ByteOrder,
        /// The ELF file's.
        elf: ByteOrder,
    },
    /// A section with BTF is there, and cannot be opened.
    #[error("section {section}: {error}")]
    #[non_exhaustive]
    Btf {
        /// The section.
        section: &'static str,
        /// What is wrong with it.
        error: btf_types::Error,
    },
    /// Raw BTF cannot be opened; or sound BTF not rebased or rewritten.
    #[error(transparent)]
    Types(#[from] btf_types::Error),

    /// A DATASEC cannot be filled in.
    #[error("DATASEC {id} {name}: {fault}")]
    #[non_exhaustive]
    Datasec {
        /// The id of the DATASEC.
        id: u32,
        /// Its name.
        name: OwnedName,
        /// Why.
        fault: DatasecFault,
    },
    /// A relocation's symbol does not exist.
    #[error("a relocation at offset {offset} of {section} is of symbol {symbol}, but there are only {count}")]
    #[non_exhaustive]
    RelocationSymbol {
        /// The section that is relocated.
        section: OwnedName,
        /// Where in it, in bytes.
        offset: u64,
        /// The number of the symbol.
        symbol: u32,
        /// The number of symbols.
        count: usize,
    },

    /// An ELF file that is not a relocatable BPF object.
    #[error("not a BPF object: machine {machine}, ELF type {elf_type}")]
    #[non_exhaustive]
    NotBpf {
        /// The machine that it is for.
        machine: Machine,
        /// The ELF type.
        elf_type: ElfType,
    },
    /// A name that no machine has.
    #[error("unknown machine {name:?}")]
    #[non_exhaustive]
    UnknownMachine {
        /// The name.
        name: String,
    },
    /// A program section is not made of whole instructions.
    #[error("program section {name} has {len} bytes, which is no multiple of 8")]
    #[non_exhaustive]
    ProgramLength {
        /// The section's name.
        name: OwnedName,
        /// Its length in bytes.
        len: u64,
    },
    /// Maps are defined as they were before BTF, which loaders have given up.
    #[error("maps are defined in a section `maps`, without BTF; it should be `.maps`")]
    LegacyMaps,
    /// A map's definition is none.
    #[error("map {map}: {fault}")]
    #[non_exhaustive]
    Map {
        /// The map.
        map: OwnedName,
        /// What is wrong with its definition.
        fault: MapFault,
    },
}

/// Why a DATASEC cannot be filled in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DatasecFault {
    /// Its size is to be filled in, and the object has no such section, or an
    /// empty one.
    #[error("missing size: the object has no such section, or it is empty")]
    NoSection,
    /// Something in it cannot be there.
    #[error("type {id} in it is {}, expected {expected}", .kind.map_or("void or unknown", Kind::as_str))]
    #[non_exhaustive]
    Entry {
        /// The id of what is there.
        id: u32,
        /// Its kind.
        kind: Option<Kind>,
        /// What can be there.
        expected: &'static str,
    },
    /// A variable's offset is to be filled in, and it has no symbol.
    #[error("missing offset: no symbol for the variable {variable}")]
    #[non_exhaustive]
    NoSymbol {
        /// The variable.
        variable: OwnedName,
    },
    /// A variable's symbol is in a section that does not exist.
    #[error("the symbol {variable} is in section {section}, but there are only {count}")]
    #[non_exhaustive]
    SymbolSection {
        /// The variable.
        variable: OwnedName,
        /// The number of the section.
        section: u32,
        /// The number of sections.
        count: usize,
    },
    /// A variable's symbol lies in another section.
    #[error("the variable {variable} lies in {found}")]
    #[non_exhaustive]
    Elsewhere {
        /// The variable.
        variable: OwnedName,
        /// Where its symbol lies.
        found: OwnedName,
    },
    /// A number that is to be filled in has more than 32 bits.
    #[error("{what} {value} has more than 32 bits")]
    #[non_exhaustive]
    TooLarge {
        /// What it is.
        what: &'static str,
        /// The number, in bytes.
        value: u64,
    },
    /// The kernel wants a 4-byte integer in place of what is in `.ksyms`, and
    /// the object has none.
    #[error("the object has no integer of 4 bytes")]
    NoInt,
    /// Names of types are the same bytes over and over, so that to look at each
    /// would take much more than the length of the BTF.
    #[error("names that overlap have more than the limit of {limit} bytes in all")]
    #[non_exhaustive]
    NamesShared {
        /// The limit in bytes.
        limit: u64,
    },
    /// A variable has no size.
    #[error(transparent)]
    Unsized(#[from] btf_types::Error),
}

/// What is wrong with the definition of a map.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MapFault {
    /// It is no struct.
    #[error("type {id} is no struct")]
    #[non_exhaustive]
    NotAStruct {
        /// The id of the type.
        id: u32,
    },
    /// A map cannot be extern.
    #[error("its linkage is {0}, expected static or global")]
    Linkage(btf_types::Linkage),
    /// It lies outside its section.
    #[error("{size} bytes at offset {offset} are outside its section, which has {section}")]
    #[non_exhaustive]
    Outside {
        /// Its offset in bytes.
        offset: u32,
        /// Its size in bytes.
        size: u32,
        /// The section's size in bytes.
        section: u64,
    },
    /// It lies where another one does.
    #[error("it overlaps the map {0}")]
    Overlaps(OwnedName),
    /// Its variable is smaller than the struct that defines it.
    #[error("{found} bytes, too few for its definition of {expected}")]
    #[non_exhaustive]
    Truncated {
        /// The variable's size in bytes.
        found: u32,
        /// The struct's size in bytes.
        expected: u32,
    },
    /// More members than a definition can have.
    #[error("{found} fields, there are only {limit}")]
    #[non_exhaustive]
    TooManyFields {
        /// As many it has.
        found: usize,
        /// As many there are.
        limit: usize,
    },
    /// A member that no definition has.
    #[error("unknown field {0}")]
    UnknownField(OwnedName),
    /// A member is not made as such a member is.
    #[error("field {field}: type {id} is not {expected}")]
    #[non_exhaustive]
    Field {
        /// The member.
        field: &'static str,
        /// The id of its type.
        id: u32,
        /// What it should be.
        expected: &'static str,
    },
    /// Two members say two sizes.
    #[error("field {field}: {found} bytes, but elsewhere in it {expected}")]
    #[non_exhaustive]
    Sizes {
        /// The member.
        field: &'static str,
        /// What it says.
        found: u64,
        /// What was said before.
        expected: u64,
    },
    /// How it is pinned is a number that nothing is known of.
    #[error("field pinning: {0}, expected 0 or 1")]
    Pinning(u32),
    /// It has values that are maps or programs, and its type has none such.
    #[error("field values: a map of type {0} holds neither maps nor programs")]
    ValuesOf(crate::MapType),
    /// A map in a map cannot be pinned, or hold maps itself.
    #[error("the map inside it {0}")]
    Inner(&'static str),
    /// It has no type.
    #[error("it has no type")]
    NoType,
}

impl Error {
    pub(crate) fn of_file(self, path: impl Into<PathBuf>) -> Self {
        Self::File { path: path.into(), error: self.into() }
    }

    /// What is wrong with the BTF itself, if that is it: with a section of BTF, or
    /// with raw BTF.
    #[must_use]
    pub fn btf_error(&self) -> Option<&btf_types::Error> {
        match self.without_file() {
            Self::Btf { error, .. } | Self::Types(error) => Some(error),
            _ => None,
        }
    }

    /// What is wrong, without the file that it is wrong with.
    #[must_use]
    pub fn without_file(&self) -> &Self {
        match self {
            Self::File { error, .. } => error.without_file(),
            other => other,
        }
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// What is wrong with a file, in a text.
struct OfFile<'a>(&'a Path, &'a Error);

impl fmt::Display for OfFile<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = Escaped::new(self.0.as_os_str().as_encoded_bytes());
        match self.1 {
            Error::Io(error) => write!(f, "cannot read {path}: {error}"),
            error => write!(f, "{path}: {error}"),
        }
    }
}

/// Bytes, in a text.
struct Hex<'a>(&'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("nothing, it is empty");
        }
        for (index, byte) in self.0.iter().enumerate() {
            write!(f, "{}{byte:02x}", if index == 0 { "" } else { " " })?;
        }
        Ok(())
    }
}

/// Payloads that were tried, in a text.
struct Tried<'a>(&'a [Payload]);

impl fmt::Display for Tried<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, Payload { offset, compression, fault }) in self.0.iter().enumerate() {
            write!(f, "{}{compression} at offset {offset}: {fault}", if index == 0 { "; " } else { ", " })?;
        }
        Ok(())
    }
}

/// A part of a file.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FilePart {
    /// The first bytes.
    Start,
    /// All bytes.
    Whole,
    /// The first section header, which has what does not fit into the file's.
    FirstSectionHeader,
    /// The table of sections.
    SectionTable,
    /// The section with the names of sections.
    SectionNames,
    /// A section of this name, which may be abbreviated.
    Section(OwnedName),
}

impl fmt::Display for FilePart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start => f.write_str("start"),
            Self::Whole => f.write_str("file"),
            Self::FirstSectionHeader => f.write_str("first section header"),
            Self::SectionTable => f.write_str("table of sections"),
            Self::SectionNames => f.write_str("section of section names"),
            Self::Section(name) => write!(f, "section {name}"),
        }
    }
}

/// A compressed payload of an image, without BTF.
#[derive(Debug)]
#[non_exhaustive]
pub struct Payload {
    /// Offset in the image in **bytes**.
    pub offset: u64,
    /// Compression.
    pub compression: Compression,
    /// The reason why there is no BTF.
    pub fault: PayloadFault,
}

/// Reason why a payload of an image has no BTF.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PayloadFault {
    /// It cannot be decoded, or is a damaged ELF file.
    #[error("{0}")]
    Damaged(Box<Error>),
    /// It is too short for a kernel.
    #[error("{len} bytes, too few for a kernel")]
    #[non_exhaustive]
    TooShort {
        /// Its length in bytes.
        len: u64,
    },
    /// It is ELF, and has no `.BTF` section.
    #[error("ELF without a .BTF section")]
    ElfWithoutBtf,
    /// It is not ELF, and no BTF is found in it.
    #[error("{len} bytes without BTF")]
    #[non_exhaustive]
    WithoutBtf {
        /// Its length in bytes.
        len: u64,
    },
}

impl From<Error> for PayloadFault {
    fn from(error: Error) -> Self {
        Self::Damaged(error.into())
    }
}

impl PayloadFault {
    /// Tests for a fault that reads alike.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        self.to_string() == other.to_string()
    }
}

//! Why there is no BTF in a file, or why it cannot be had.

use std::{io, path::PathBuf};

use btf_types::{ByteOrder, Kind, OwnedName};

use crate::{Compression, ElfType, Machine};

/// Why a file could not be read, or an object does not say what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// What is wrong with a file.
    #[error("{}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: Box<Self>,
    },
    /// It could not be opened or read.
    #[error("cannot be read")]
    Io(#[from] io::Error),
    /// It is larger than what is read whole.
    #[error("{len} bytes, more than the limit of {limit}")]
    TooLarge {
        /// Its length in bytes.
        len: u64,
        /// The most bytes that are read.
        limit: u64,
    },
    /// It is nothing that could have BTF in it.
    #[error("neither BTF nor ELF, nor compressed, nor an image with BTF in it (begins with {})", Hex(.start))]
    NotRecognized {
        /// Its first bytes, at most 8.
        start: Vec<u8>,
    },
    /// It is a kernel image, and no BTF was found in it.
    #[error("{what}: no BTF in it{}", Tried(.tried))]
    NotInImage {
        /// What it was taken for.
        what: String,
        /// The compressed payloads that were tried: where each begins, and
        /// what it turned out to be.
        tried: Vec<(u64, Compression, String)>,
    },
    /// It is compressed, and inside that again, more often than is followed.
    #[error("compressed more than {limit} times over")]
    TooDeep {
        /// How often is followed.
        limit: usize,
    },

    /// The feature of this crate that could decode it is off.
    #[error("compressed with {compression}, for which btf-elf needs its feature `{}`", .compression.feature())]
    FeatureOff {
        /// What it is compressed with.
        compression: Compression,
    },
    /// It is compressed in a way that is known, but not decoded.
    #[error("compressed with {what}, which is not supported")]
    NotSupported {
        /// What it is compressed with.
        what: &'static str,
    },
    /// Compressed bytes are damaged, or end early.
    #[error("damaged {compression}")]
    Decode {
        /// What they are compressed with.
        compression: Compression,
        /// What their decoder says.
        source: io::Error,
    },
    /// More comes out than is allowed.
    #[error("{compression} decodes to more than the limit of {limit} bytes")]
    OutputLimit {
        /// What it is compressed with.
        compression: Compression,
        /// The limit in bytes.
        limit: u64,
    },
    /// To decode it takes more memory than is allowed.
    #[error("{compression} with a window of more than the limit of {limit} bytes")]
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
    FileOutputLimit {
        /// The limit in bytes.
        limit: u64,
        /// The length of the file in bytes.
        len: u64,
    },
    /// So much more comes out than goes in that it was made to.
    #[error("{compression} decodes to more than {limit} times its size")]
    RatioLimit {
        /// What it is compressed with.
        compression: Compression,
        /// The limit.
        limit: u64,
    },

    /// It is not ELF, or damaged.
    #[error("damaged ELF: {what} at offset {offset}")]
    Elf {
        /// What is damaged.
        what: &'static str,
        /// Where it is, or should be, in bytes.
        offset: u64,
    },
    /// Something lies outside the file, which was cut off, or is damaged.
    #[error("damaged ELF: {what} of {len} bytes at offset {offset} is outside the file, which has {file_len}")]
    OutsideFile {
        /// What lies there.
        what: String,
        /// Where it begins, in bytes.
        offset: u64,
        /// Its length in bytes.
        len: u64,
        /// The length of the file in bytes.
        file_len: u64,
    },
    /// Sections are the same bytes over and over.
    #[error("damaged ELF: sections overlap, with {sum} bytes in all in a file of {len}")]
    SectionsOverlap {
        /// The bytes of all sections together.
        sum: u64,
        /// The length of the file in bytes.
        len: u64,
    },
    /// Names are the same bytes over and over, so that to look at each would
    /// take much more than the length of the file.
    #[error("names that overlap have more than the limit of {limit} bytes in all")]
    NamesShared {
        /// The limit in bytes.
        limit: u64,
    },
    /// The file is sound, and has no BTF.
    #[error("no .BTF section: built without BTF, or stripped of it")]
    NoBtf,
    /// A section is there, and has no contents in the file.
    #[error("section {name} has no contents in the file (SHT_NOBITS)")]
    NoBits {
        /// The section's name.
        name: OwnedName,
    },
    /// There are several sections of a name that there can be one of.
    #[error("there are several sections {name}")]
    SeveralSections {
        /// The name.
        name: OwnedName,
    },
    /// A compressed section is damaged.
    #[error("section {name}")]
    Section {
        /// The section's name.
        name: OwnedName,
        /// What is wrong with it.
        source: Box<Self>,
    },
    /// A section is compressed in a way that is not known.
    #[error("compressed in way {ch_type}, expected 1 (zlib) or 2 (zstd)")]
    UnknownCompression {
        /// What the section's header says.
        ch_type: u32,
    },
    /// A compressed section is not as long as it says.
    #[error("{found} bytes when decoded, expected {expected}")]
    DecodedLength {
        /// As many there are, or at least, as decoding stops behind those expected.
        found: u64,
        /// As many there should be.
        expected: u64,
    },
    /// BTF has another byte order than the ELF file around it.
    #[error("{section} is {btf}, but the ELF file around it {elf}")]
    ByteOrder {
        /// The section of the BTF.
        section: &'static str,
        /// The BTF's byte order.
        btf: ByteOrder,
        /// The ELF file's.
        elf: ByteOrder,
    },
    /// A section with BTF is there, and cannot be opened.
    #[error("{section}")]
    Btf {
        /// The section.
        section: &'static str,
        /// What is wrong with it.
        source: btf_types::Error,
    },
    /// Raw BTF cannot be opened; or sound BTF not rebased or rewritten.
    #[error(transparent)]
    Types(#[from] btf_types::Error),

    /// A DATASEC cannot be filled in.
    #[error("DATASEC {id} {name}: {fault}")]
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
    NotBpf {
        /// The machine that it is for.
        machine: Machine,
        /// The ELF type.
        elf_type: ElfType,
    },
    /// A name that no machine has.
    #[error("unknown machine {name:?}")]
    UnknownMachine {
        /// The name.
        name: String,
    },
    /// A program section is not made of whole instructions.
    #[error("program section {name} has {len} bytes, which is no multiple of 8")]
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
    NoSymbol {
        /// The variable.
        variable: OwnedName,
    },
    /// A variable's symbol is in a section that does not exist.
    #[error("the symbol {variable} is in section {section}, but there are only {count}")]
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
    Elsewhere {
        /// The variable.
        variable: OwnedName,
        /// Where its symbol lies.
        found: OwnedName,
    },
    /// A number that is to be filled in has more than 32 bits.
    #[error("{what} {value} has more than 32 bits")]
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
    NotAStruct {
        /// The id of the type.
        id: u32,
    },
    /// A map cannot be extern.
    #[error("its linkage is {0}, expected static or global")]
    Linkage(btf_types::Linkage),
    /// It lies outside its section.
    #[error("{size} bytes at offset {offset} are outside its section, which has {section}")]
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
    Truncated {
        /// The variable's size in bytes.
        found: u32,
        /// The struct's size in bytes.
        expected: u32,
    },
    /// More members than a definition can have.
    #[error("{found} fields, there are only {limit}")]
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
        Self::File { path: path.into(), source: self.into() }
    }

    /// What is wrong, without the file that it is wrong with.
    #[must_use]
    pub fn without_file(&self) -> &Self {
        match self {
            Self::File { source, .. } => source.without_file(),
            other => other,
        }
    }
}

/// Bytes, in a text.
struct Hex<'a>(&'a [u8]);

impl std::fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
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
struct Tried<'a>(&'a [(u64, Compression, String)]);

impl std::fmt::Display for Tried<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (index, (offset, compression, result)) in self.0.iter().enumerate() {
            write!(f, "{}{compression} at offset {offset}: {result}", if index == 0 { "; " } else { ", " })?;
        }
        Ok(())
    }
}

//! Errors of reading files and BPF objects.

use std::{
    fmt, io,
    path::{Path, PathBuf},
};

use btf_types::{ByteOrder, OwnedName, TypeRef, format::Escaped};

use crate::{Compression, ElfType, ImageKind, Machine};

/// Error of reading a file, an ELF section or a BPF object.
///
/// Each message is complete: [`source`](std::error::Error::source) has nothing to
/// add.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Any other error, with the path of the file.
    #[error("{}", OfFile(.path, .error))]
    #[non_exhaustive]
    File {
        /// The file.
        path: PathBuf,
        /// The error.
        error: Box<Self>,
    },
    /// The file cannot be opened or read.
    #[error("cannot read the file: {0}")]
    Io(io::Error),
    /// The file is larger than the limit for files that are read whole.
    #[error("the file has {len} bytes, more than the limit of {limit} (raise it with `Limits`)")]
    #[non_exhaustive]
    TooLarge {
        /// Length of the file in bytes.
        len: u64,
        /// Maximum length in bytes.
        limit: u64,
    },
    /// The format of the file is not recognized.
    #[error("neither BTF nor ELF, nor compressed, nor an image that contains BTF ({})", Start(.start))]
    #[non_exhaustive]
    NotRecognized {
        /// The first bytes, at most 8.
        start: Vec<u8>,
    },
    /// The file is a kernel image in which no BTF was found.
    #[error("no BTF in the {kind}{}", Tried(.tried))]
    #[non_exhaustive]
    NotInImage {
        /// Kind of the image.
        kind: ImageKind,
        /// The compressed payloads that were tried.
        tried: Vec<Payload>,
    },
    /// The file has too many layers of compression.
    #[error("nested in more than {limit} layers of compression")]
    #[non_exhaustive]
    TooDeep {
        /// Maximum number of layers.
        limit: usize,
    },

    /// The feature of this crate that decodes the compression is disabled.
    #[error("compressed with {compression}: enable the feature `{}` of btf-elf", .compression.feature())]
    #[non_exhaustive]
    FeatureOff {
        /// The compression.
        compression: Compression,
    },
    /// The compression is known but not supported.
    #[error("compressed with {what}, which is not supported")]
    #[non_exhaustive]
    NotSupported {
        /// The compression.
        what: &'static str,
    },
    /// Compressed data is damaged or truncated.
    #[error("damaged {compression}: {error}")]
    #[non_exhaustive]
    Decode {
        /// The compression.
        compression: Compression,
        /// The error of the decoder.
        error: io::Error,
    },
    /// The decoded data exceeds the limit.
    #[error("{compression} decodes to more than the limit of {limit} bytes (raise it with `Limits`)")]
    #[non_exhaustive]
    OutputLimit {
        /// The compression.
        compression: Compression,
        /// The limit in bytes.
        limit: u64,
    },
    /// The decoder would need more memory than the limit.
    #[error("{compression} with a window of more than the limit of {limit} bytes (raise it with `Limits`)")]
    #[non_exhaustive]
    WindowLimit {
        /// The compression.
        compression: Compression,
        /// The limit in bytes.
        limit: u64,
    },
    /// All layers and compressed sections of a file together exceed the limit for
    /// its length.
    #[error("a file of {len} bytes decodes to more than the limit of {limit} bytes (raise it with `Limits`)")]
    #[non_exhaustive]
    FileOutputLimit {
        /// The limit in bytes.
        limit: u64,
        /// The length of the file in bytes.
        len: u64,
    },
    /// The compression ratio exceeds the limit: probably a decompression bomb.
    #[error("{compression} decodes to more than the limit of {limit} times its size (raise it with `Limits`)")]
    #[non_exhaustive]
    RatioLimit {
        /// The compression.
        compression: Compression,
        /// The limit.
        limit: u64,
    },

    /// The file is not ELF.
    #[error("not an ELF file")]
    NotElf,
    /// The ELF file is damaged.
    #[error("damaged ELF: {what} at offset {offset}")]
    #[non_exhaustive]
    Elf {
        /// The damage.
        what: &'static str,
        /// Offset in bytes.
        offset: u64,
    },
    /// A part lies outside the file, which is truncated or damaged.
    #[error("damaged ELF: {part} of {len} bytes at offset {offset} exceeds the file of {file_len} bytes")]
    #[non_exhaustive]
    OutsideFile {
        /// The part.
        part: FilePart,
        /// Offset in bytes.
        offset: u64,
        /// Length in bytes.
        len: u64,
        /// The length of the file in bytes.
        file_len: u64,
    },
    /// Sections overlap so much that together they are many times as long as the file.
    #[error("damaged ELF: sections overlap and have {sum} bytes in all, in a file of {len}")]
    #[non_exhaustive]
    SectionsOverlap {
        /// The bytes of all sections together.
        sum: u64,
        /// The length of the file in bytes.
        len: u64,
    },
    /// Names overlap so much that together they are many times as long as the file.
    #[error("names that overlap have more than the limit of {limit} bytes in all")]
    #[non_exhaustive]
    NamesShared {
        /// The limit in bytes.
        limit: u64,
    },
    /// The ELF file has no `.BTF` section.
    #[error("no .BTF section: built without BTF, or stripped of it")]
    NoBtf,
    /// A section has no contents in the file.
    #[error("section {name} has no contents in the file (SHT_NOBITS)")]
    #[non_exhaustive]
    NoBits {
        /// The section's name.
        name: OwnedName,
    },
    /// Several sections have a name that must be unique.
    #[error("several sections are named {name}, expected one")]
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
        /// The error.
        error: Box<Self>,
    },
    /// A section has an unknown compression type (ch_type).
    #[error("unknown compression, ch_type {ch_type}, expected 1 (zlib) or 2 (zstd)")]
    #[non_exhaustive]
    UnknownCompression {
        /// The number in the compression header.
        ch_type: u32,
    },
    /// A compressed section decodes to another length than its header gives.
    #[error("decodes to {found} bytes, expected {expected}")]
    #[non_exhaustive]
    DecodedLength {
        /// Number of bytes found; decoding stops beyond the expected length.
        found: u64,
        /// Number of bytes by the header.
        expected: u64,
    },
    /// BTF and the ELF file that contains it have different byte orders.
    #[error("section {section} is {btf}, but the ELF file is {elf}")]
    #[non_exhaustive]
    ByteOrder {
        /// The section that contains the BTF.
        section: &'static str,
        /// The BTF's byte order.
        btf: ByteOrder,
        /// The ELF file's byte order.
        elf: ByteOrder,
    },
    /// A BTF section cannot be opened.
    #[error("section {section}: {error}")]
    #[non_exhaustive]
    Btf {
        /// The section.
        section: &'static str,
        /// The error.
        error: btf_types::Error,
    },
    /// BTF cannot be opened, rebased or rewritten.
    #[error(transparent)]
    Types(#[from] btf_types::Error),

    /// A DATASEC cannot be fixed up.
    #[error("DATASEC {name} (type {id}): {fault}")]
    #[non_exhaustive]
    Datasec {
        /// The id of the DATASEC.
        id: u32,
        /// Name of the DATASEC.
        name: OwnedName,
        /// The reason.
        fault: DatasecFault,
    },
    /// A relocation refers to a symbol that does not exist.
    #[error("relocation at offset {offset} of section {section} refers to symbol {symbol}, but there are only {count}")]
    #[non_exhaustive]
    RelocationSymbol {
        /// The section that is relocated.
        section: OwnedName,
        /// Offset in the section in bytes.
        offset: u64,
        /// The number of the symbol.
        symbol: u32,
        /// The number of symbols.
        count: usize,
    },

    /// The ELF file is not a relocatable BPF object.
    #[error("not a BPF object: machine {machine}, ELF type {elf_type}")]
    #[non_exhaustive]
    NotBpf {
        /// The machine.
        machine: Machine,
        /// The ELF type.
        elf_type: ElfType,
    },
    /// The name of a machine is unknown.
    #[error("unknown machine `{}`", Escaped::new(.name))]
    #[non_exhaustive]
    UnknownMachine {
        /// The name.
        name: String,
    },
    /// The name of a map type is unknown.
    #[error("unknown map type {name:?}, expected a name such as prog_array, or a number")]
    #[non_exhaustive]
    UnknownMapType {
        /// The name.
        name: String,
    },
    /// The length of a program section is not a multiple of 8.
    #[error("program section {name} has {len} bytes, expected a multiple of 8")]
    #[non_exhaustive]
    ProgramLength {
        /// The section's name.
        name: OwnedName,
        /// Length of the section in bytes.
        len: u64,
    },
    /// Maps are defined in the legacy section `maps`, which loaders no longer
    /// support.
    #[error("legacy map definitions in section `maps` are not supported: define maps with BTF in `.maps`")]
    LegacyMaps,
    /// The definition of a map is invalid.
    #[error("map {map}: {fault}")]
    #[non_exhaustive]
    Map {
        /// The map.
        map: OwnedName,
        /// The reason.
        fault: MapFault,
    },
}

/// Reason why a DATASEC cannot be fixed up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DatasecFault {
    /// The DATASEC has no size, and the section of its name is missing or
    /// empty.
    #[error("missing size: the object has no such section, or it is empty")]
    NoSection,
    /// An entry of the DATASEC has the wrong kind.
    #[error("it contains {ty}, expected {expected}")]
    #[non_exhaustive]
    Entry {
        /// The type of the entry.
        ty: TypeRef,
        /// The expected kind.
        expected: &'static str,
    },
    /// A variable has no offset, and the object has no symbol for it.
    #[error("missing offset: no symbol for variable `{variable}`")]
    #[non_exhaustive]
    NoSymbol {
        /// The variable.
        variable: OwnedName,
    },
    /// The symbol of a variable refers to a section that does not exist.
    #[error("the symbol of variable `{variable}` refers to section {section}, but there are only {count}")]
    #[non_exhaustive]
    SymbolSection {
        /// The variable.
        variable: OwnedName,
        /// The number of the section.
        section: u32,
        /// The number of sections.
        count: usize,
    },
    /// The symbol of a variable is in another section.
    #[error("wrong section for the symbol of variable `{variable}`: {found}")]
    #[non_exhaustive]
    Elsewhere {
        /// The variable.
        variable: OwnedName,
        /// The section of its symbol.
        found: OwnedName,
    },
    /// A size or offset exceeds 32 bits.
    #[error("{what} {value} exceeds 32 bits")]
    #[non_exhaustive]
    TooLarge {
        /// The quantity: `size` or `offset`.
        what: &'static str,
        /// The value in bytes.
        value: u64,
    },
    /// The object has no 4-byte INT to replace the types of the entries of
    /// `.ksyms`.
    #[error("the object has no INT of 4 bytes to replace the entries with")]
    NoInt,
    /// Names of types overlap so much that together they are many times as long as
    /// the BTF.
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

/// Reason why the definition of a map is invalid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MapFault {
    /// The definition is not a struct.
    #[error("defined by {ty}, expected a STRUCT")]
    #[non_exhaustive]
    NotAStruct {
        /// The type.
        ty: TypeRef,
    },
    /// The variable of the map has the wrong linkage.
    #[error("linkage {0}, expected static or global")]
    Linkage(btf_types::Linkage),
    /// The map lies outside its section.
    #[error("{size} bytes at offset {offset} exceed the section of {section} bytes")]
    #[non_exhaustive]
    Outside {
        /// Offset of the map in bytes.
        offset: u32,
        /// Size of the map in bytes.
        size: u32,
        /// Size of the section in bytes.
        section: u64,
    },
    /// The map overlaps another one.
    #[error("overlaps map {0}")]
    Overlaps(OwnedName),
    /// The variable is smaller than the struct that defines the map.
    #[error("the variable has {found} bytes, its definition {expected}")]
    #[non_exhaustive]
    Truncated {
        /// Size of the variable in bytes.
        found: u32,
        /// Size of the struct in bytes.
        expected: u32,
    },
    /// The definition has too many members.
    #[error("{found} fields, expected at most {limit}")]
    #[non_exhaustive]
    TooManyFields {
        /// Number of members.
        found: usize,
        /// Maximum number of members.
        limit: usize,
    },
    /// A member has an unknown name.
    #[error("unknown field `{0}`")]
    UnknownField(OwnedName),
    /// A member has the wrong type.
    #[error("field `{field}`: found {ty}, expected {expected}")]
    #[non_exhaustive]
    Field {
        /// The member.
        field: &'static str,
        /// Type of the member.
        ty: TypeRef,
        /// The expected type.
        expected: &'static str,
    },
    /// Two members give different sizes.
    #[error("field `{field}` gives {found} bytes, another field {expected}")]
    #[non_exhaustive]
    Sizes {
        /// The member.
        field: &'static str,
        /// The size that it gives, in bytes.
        found: u64,
        /// The size that another member gives, in bytes.
        expected: u64,
    },
    /// The pinning is unknown.
    #[error("field `pinning` is {0}, expected 0 or 1")]
    Pinning(u32),
    /// The map has `values`, but its type holds neither maps nor programs.
    #[error("field `values`: a map of type {0} holds neither maps nor programs")]
    ValuesOf(crate::MapType),
    /// An inner map is pinned or holds maps itself.
    #[error("the inner map {0}, which is not allowed")]
    Inner(&'static str),
    /// The definition has no map type.
    #[error("missing field `type`")]
    NoType,
}

impl Error {
    pub(crate) fn of_file(self, path: impl Into<PathBuf>) -> Self {
        Self::File { path: path.into(), error: self.into() }
    }

    /// Returns the error of the BTF itself, whether raw or in a section, if it is one.
    #[must_use]
    pub fn btf_error(&self) -> Option<&btf_types::Error> {
        match self.without_file() {
            Self::Btf { error, .. } | Self::Types(error) => Some(error),
            _ => None,
        }
    }

    /// Returns the error without the path of the file.
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

/// Error with the path of the file, in a message.
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

/// The first bytes of a file, in a message.
struct Start<'a>(&'a [u8]);

impl fmt::Display for Start<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("the file is empty");
        }
        for (index, byte) in self.0.iter().enumerate() {
            write!(f, "{}{byte:02x}", if index == 0 { "the first bytes are " } else { " " })?;
        }
        Ok(())
    }
}

/// Payloads that were tried, in a message.
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
    /// The first section header, which holds numbers that do not fit into the
    /// ELF header.
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
    /// The payload cannot be decoded, or is a damaged ELF file.
    #[error("{0}")]
    Damaged(Box<Error>),
    /// The payload is too short for a kernel.
    #[error("{len} bytes are too few for a kernel")]
    #[non_exhaustive]
    TooShort {
        /// Length of the payload in bytes.
        len: u64,
    },
    /// The payload is an ELF file without a `.BTF` section.
    #[error("ELF without a .BTF section")]
    ElfWithoutBtf,
    /// The payload is not ELF and contains no BTF.
    #[error("no BTF in {len} bytes")]
    #[non_exhaustive]
    WithoutBtf {
        /// Length of the payload in bytes.
        len: u64,
    },
}

impl From<Error> for PayloadFault {
    fn from(error: Error) -> Self {
        Self::Damaged(error.into())
    }
}

impl PayloadFault {
    /// Returns `true` if both faults have the same message.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        self.to_string() == other.to_string()
    }
}

#[cfg(test)]
mod tests {
    use btf_messages::{Messages, examples};
    use btf_types::{Btf, Type};

    use super::*;
    use crate::{MapType, ParseCompressionError};

    #[test]
    fn messages_stand_alone() {
        let btf = Btf::parse(&include_bytes!("../../btf-types/doc/point.btf")[..]).unwrap();
        let ty = || TypeRef::from(btf.find_first::<Type<'_>>("point").unwrap());
        let io = || io::Error::from(io::ErrorKind::UnexpectedEof);
        let (section, compression) = (|| OwnedName::from(".debug_info"), Compression::Gzip);
        let mut messages = Messages::new(env!("CARGO_MANIFEST_DIR"));
        examples!(messages: Error {
            File => Error::NoBtf.of_file("/boot/vmlinux"),
            Io => Error::Io(io()),
            TooLarge => Error::TooLarge { len: 1 << 32, limit: 1 << 30 },
            NotRecognized => Error::NotRecognized { start: b"#!/bin/".into() },
            NotInImage => Error::NotInImage {
                kind: ImageKind::BzImage,
                tried: vec![Payload { offset: 16, compression, fault: PayloadFault::ElfWithoutBtf }],
            },
            TooDeep => Error::TooDeep { limit: 4 },
            FeatureOff => Error::FeatureOff { compression },
            NotSupported => Error::NotSupported { what: "lzo" },
            Decode => Error::Decode { compression, error: io() },
            OutputLimit => Error::OutputLimit { compression, limit: 1 << 26 },
            WindowLimit => Error::WindowLimit { compression, limit: 1 << 26 },
            FileOutputLimit => Error::FileOutputLimit { limit: 1 << 26, len: 1000 },
            RatioLimit => Error::RatioLimit { compression, limit: 1000 },
            NotElf => Error::NotElf,
            Elf => Error::Elf { what: "too many sections", offset: 64 },
            OutsideFile => Error::OutsideFile { part: FilePart::SectionTable, offset: 64, len: 640, file_len: 100 },
            SectionsOverlap => Error::SectionsOverlap { sum: 1 << 30, len: 1000 },
            NamesShared => Error::NamesShared { limit: 65_536 },
            NoBtf => Error::NoBtf,
            NoBits => Error::NoBits { name: section() },
            SeveralSections => Error::SeveralSections { name: section() },
            Section => Error::Section { name: section(), error: Error::UnknownCompression { ch_type: 3 }.into() },
            UnknownCompression => Error::UnknownCompression { ch_type: 3 },
            DecodedLength => Error::DecodedLength { found: 100, expected: 200 },
            ByteOrder => Error::ByteOrder { section: ".BTF", btf: ByteOrder::Big, elf: ByteOrder::Little },
            Btf => Error::Btf { section: ".BTF", error: btf_types::Error::SplitWithoutBase },
            Types => Error::Types(btf_types::Error::SplitWithoutBase),
            Datasec => Error::Datasec { id: 7, name: ".bss".into(), fault: DatasecFault::NoSection },
            RelocationSymbol => Error::RelocationSymbol { section: section(), offset: 16, symbol: 99, count: 9 },
            NotBpf => Error::NotBpf { machine: Machine::X86_64, elf_type: ElfType::DYN },
            UnknownMachine => "vax".parse::<Machine>().unwrap_err(),
            UnknownMapType => Error::UnknownMapType { name: "arrays".into() },
            ProgramLength => Error::ProgramLength { name: "kprobe/tcp_sendmsg".into(), len: 20 },
            LegacyMaps => Error::LegacyMaps,
            Map => Error::Map { map: "events".into(), fault: MapFault::NoType },
        });
        examples!(messages: DatasecFault {
            NoSection => DatasecFault::NoSection,
            Entry => DatasecFault::Entry { ty: ty(), expected: "VAR" },
            NoSymbol => DatasecFault::NoSymbol { variable: "counter".into() },
            SymbolSection => DatasecFault::SymbolSection { variable: "counter".into(), section: 99, count: 9 },
            Elsewhere => DatasecFault::Elsewhere { variable: "counter".into(), found: ".data".into() },
            TooLarge => DatasecFault::TooLarge { what: "size", value: 1 << 32 },
            NoInt => DatasecFault::NoInt,
            NamesShared => DatasecFault::NamesShared { limit: 65_536 },
            Unsized => DatasecFault::Unsized(Type::Void.size_of().unwrap_err()),
        });
        examples!(messages: MapFault {
            NotAStruct => MapFault::NotAStruct { ty: ty() },
            Linkage => MapFault::Linkage(btf_types::Linkage::Extern),
            Outside => MapFault::Outside { offset: 12, size: 8, section: 16 },
            Overlaps => MapFault::Overlaps("events".into()),
            Truncated => MapFault::Truncated { found: 7, expected: 8 },
            TooManyFields => MapFault::TooManyFields { found: 12, limit: 11 },
            UnknownField => MapFault::UnknownField("color".into()),
            Field => MapFault::Field { field: "key", ty: ty(), expected: "a pointer to a type" },
            Sizes => MapFault::Sizes { field: "key_size", found: 8, expected: 4 },
            Pinning => MapFault::Pinning(3),
            ValuesOf => MapFault::ValuesOf(MapType(1)),
            Inner => MapFault::Inner("is pinned"),
            NoType => MapFault::NoType,
        });
        examples!(messages: PayloadFault {
            Damaged => PayloadFault::Damaged(Error::Decode { compression, error: io() }.into()),
            TooShort => PayloadFault::TooShort { len: 100 },
            ElfWithoutBtf => PayloadFault::ElfWithoutBtf,
            WithoutBtf => PayloadFault::WithoutBtf { len: 100 },
        });
        let unknown: Result<Compression, ParseCompressionError> = "rar".parse();
        messages.add("ParseCompressionError", &unknown.unwrap_err());
        messages.check(true);
    }
}

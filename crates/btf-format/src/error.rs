//! Errors of decoding and encoding.

use crate::{ByteOrder, Section};

/// Error while decoding or encoding BTF or `.BTF.ext`. Offsets are in bytes from
/// the start of the blob.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The first two bytes are not the magic of either byte order.
    #[error("not BTF: the first bytes are {:02x} {:02x}, expected 9f eb (little-endian) or eb 9f (big-endian)", .found[0], .found[1])]
    #[non_exhaustive]
    NotBtf {
        /// The first two bytes.
        found: [u8; 2],
    },
    /// The version is not 1.
    #[error("BTF version {found} at offset 2, expected 1: newer than this library")]
    #[non_exhaustive]
    UnsupportedVersion {
        /// The version.
        found: u8,
    },
    /// A flag is set, and none is defined.
    #[error("BTF header flags {found:#x} at offset 3, expected 0: newer than this library")]
    #[non_exhaustive]
    UnsupportedFlags {
        /// The flags.
        found: u8,
    },
    /// `hdr_len` is below the minimum.
    #[error("header length {hdr_len} at offset 4, expected at least {min_len}")]
    #[non_exhaustive]
    HeaderTooShort {
        /// The length that the header gives, in bytes.
        hdr_len: u32,
        /// The minimum, in bytes.
        min_len: u32,
    },
    /// The blob ends inside the header.
    #[error("header of {hdr_len} bytes in only {size} bytes")]
    #[non_exhaustive]
    HeaderTruncated {
        /// Bytes that the header says it has, or must at least have.
        hdr_len: u32,
        /// Size of the blob in bytes.
        size: u64,
    },
    /// A section reaches beyond the end of the blob.
    #[error("{section} from offset {start} to {end}, but there are only {size} bytes")]
    #[non_exhaustive]
    SectionOutOfBounds {
        /// The section.
        section: Section,
        /// Its start.
        start: u64,
        /// Its end.
        end: u64,
        /// Size of the blob in bytes.
        size: u64,
    },
    /// A section of a blob that is being assembled ends beyond 4 GiB, which no
    /// header can say.
    #[error("{section} would end {end} bytes after the header, at most {} are possible", u32::MAX)]
    #[non_exhaustive]
    SectionTooLarge {
        /// The section.
        section: Section,
        /// Its end, in bytes from the end of the header.
        end: u64,
    },
    /// The number of a kind does not fit an info word.
    #[error("kind {kind} does not fit the info word of a type record, which has 7 bits for it")]
    #[non_exhaustive]
    KindTooLarge {
        /// The number.
        kind: u8,
    },
    /// A number of elements does not fit an info word.
    #[error("vlen {vlen} does not fit the info word of a type record, at most 16777215 does")]
    #[non_exhaustive]
    VlenTooLarge {
        /// The number of elements.
        vlen: u32,
    },
    /// A section of 32-bit words does not begin at a multiple of 4.
    #[error("{section} at {off} bytes after the header, expected a multiple of 4")]
    #[non_exhaustive]
    SectionMisaligned {
        /// The section.
        section: Section,
        /// Its start, in bytes from the end of the header.
        off: u32,
    },
    /// Two sections share bytes.
    #[error("{first} and {second} overlap at offset {offset}")]
    #[non_exhaustive]
    SectionsOverlap {
        /// One of the two.
        first: Section,
        /// The other.
        second: Section,
        /// The first byte that they share.
        offset: u64,
    },
    /// The layout section is not an array of 4-byte entries.
    #[error("layout section of {len} bytes, expected a multiple of 4")]
    #[non_exhaustive]
    LayoutLength {
        /// Its length in bytes.
        len: u32,
    },
    /// A layout entry gives sizes that are not those of 32-bit words.
    #[error(
        "record at offset {offset} of kind {kind}, for which the layout section says {info_sz} + vlen x {elem_sz} bytes, expected multiples of 4"
    )]
    #[non_exhaustive]
    LayoutEntry {
        /// Position of the record.
        offset: u64,
        /// The number of its kind.
        kind: u8,
        /// Bytes of the fixed part.
        info_sz: u8,
        /// Bytes of an element.
        elem_sz: u8,
    },
    /// The string section does not end with NUL.
    #[error("string section ends with byte {found:#04x} at offset {offset}, expected NUL")]
    #[non_exhaustive]
    StringsUnterminated {
        /// Position of the last byte.
        offset: u64,
        /// The last byte.
        found: u8,
    },
    /// A record reaches beyond the end of the type section.
    #[error("type record at offset {offset} needs {needed} bytes, but the type section has only {available} left")]
    #[non_exhaustive]
    RecordTruncated {
        /// Position of the record.
        offset: u64,
        /// Bytes of the record.
        needed: u64,
        /// Bytes up to the end of the section.
        available: u64,
    },
    /// A record has a kind that neither this library nor a layout section
    /// knows the size of.
    #[error(
        "type record at offset {offset} has the unknown kind {kind}, expected 1 to 22 or one that a layout section sizes: newer than this library, or damaged"
    )]
    #[non_exhaustive]
    UnknownKind {
        /// Position of the record.
        offset: u64,
        /// The number of its kind.
        kind: u8,
    },
    /// The operation needs the meaning of each word of the records, and of this
    /// one's kind only the size is known.
    #[error("type record at offset {offset} has kind {kind}, whose words cannot be interpreted")]
    #[non_exhaustive]
    OpaqueKind {
        /// Position of the record.
        offset: u64,
        /// The number of its kind.
        kind: u8,
    },
    /// The header has data beyond what this library knows, so that it cannot
    /// be rewritten.
    #[error("header of {hdr_len} bytes has unknown data, expected zeros after the known fields")]
    #[non_exhaustive]
    UnknownHeaderData {
        /// The length of the header in bytes.
        hdr_len: u32,
    },
    /// The blob is not in native byte order; convert it first.
    #[error("the data is {found}, expected this machine's byte order")]
    #[non_exhaustive]
    ForeignByteOrder {
        /// The order that the data has.
        found: ByteOrder,
    },
    /// A `.BTF.ext` section has an invalid record size.
    #[error("{section} at offset {offset} has record size {rec_size}, expected a multiple of 4 of at least {min}")]
    #[non_exhaustive]
    ExtRecordSize {
        /// The section.
        section: Section,
        /// Its start.
        offset: u64,
        /// Bytes of a record.
        rec_size: u32,
        /// The minimum, in bytes.
        min: u32,
    },
    /// A `.BTF.ext` section ends in the middle of something.
    #[error("{section}: {needed} bytes needed at offset {offset}, but the section has only {available} left")]
    #[non_exhaustive]
    ExtTruncated {
        /// The section.
        section: Section,
        /// Position of the block's head or records.
        offset: u64,
        /// Bytes of them.
        needed: u64,
        /// Bytes up to the end of the section.
        available: u64,
    },
    /// A `.BTF.ext` section has a block without records.
    #[error("{section}: no records for the ELF section named at offset {offset}, expected at least one")]
    #[non_exhaustive]
    ExtEmpty {
        /// The section.
        section: Section,
        /// Position of the block.
        offset: u64,
    },
    /// A `.BTF.ext` record of another byte order is longer than what this
    /// library knows, and has data there.
    #[error("{section}: the record at offset {offset} has unknown data, expected zeros after the known fields")]
    #[non_exhaustive]
    ExtUnknownData {
        /// The section.
        section: Section,
        /// Position of the record.
        offset: u64,
    },
}

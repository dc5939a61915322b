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
    #[error("BTF version {found} at offset 2, expected 1: the BTF is newer than this library")]
    #[non_exhaustive]
    UnsupportedVersion {
        /// The version.
        found: u8,
    },
    /// A header flag is set, although none is defined.
    #[error("BTF header flags {found:#x} at offset 3, expected 0: the BTF is newer than this library")]
    #[non_exhaustive]
    UnsupportedFlags {
        /// The flags.
        found: u8,
    },
    /// `hdr_len` is below the minimum.
    #[error("BTF header length {hdr_len} at offset 4, expected at least {min_len}")]
    #[non_exhaustive]
    HeaderTooShort {
        /// The length that the header gives, in bytes.
        hdr_len: u32,
        /// The minimum, in bytes.
        min_len: u32,
    },
    /// The blob ends inside the header.
    #[error("truncated BTF: the header has {hdr_len} bytes, the data only {size}")]
    #[non_exhaustive]
    HeaderTruncated {
        /// Length of the header in bytes: `hdr_len`, or the minimum.
        hdr_len: u32,
        /// Size of the blob in bytes.
        size: u64,
    },
    /// A section reaches beyond the end of the blob.
    #[error("{section} from offset {start} to {end} exceeds the {size} bytes of data")]
    #[non_exhaustive]
    SectionOutOfBounds {
        /// The section.
        section: Section,
        /// Start of the section.
        start: u64,
        /// End of the section.
        end: u64,
        /// Size of the blob in bytes.
        size: u64,
    },
    /// A section of a blob that is being assembled ends beyond 4 GiB, the maximum
    /// of the header's 32-bit fields.
    #[error("{section} would end {end} bytes after the header, more than the limit of {}", u32::MAX)]
    #[non_exhaustive]
    SectionTooLarge {
        /// The section.
        section: Section,
        /// End of the section, in bytes from the end of the header.
        end: u64,
    },
    /// The number of a kind does not fit an info word.
    #[error("kind {kind} does not fit the 7 bits that the info word of a type record has for it")]
    #[non_exhaustive]
    KindTooLarge {
        /// The number.
        kind: u8,
    },
    /// A number of elements does not fit an info word.
    #[error("vlen {vlen} exceeds 16777215, the maximum of the info word of a type record")]
    #[non_exhaustive]
    VlenTooLarge {
        /// The number of elements.
        vlen: u32,
    },
    /// A section of 32-bit words does not begin at a multiple of 4.
    #[error("{section} begins {off} bytes after the header, expected a multiple of 4")]
    #[non_exhaustive]
    SectionMisaligned {
        /// The section.
        section: Section,
        /// Start of the section, in bytes from the end of the header.
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
        /// Offset of the first byte that they share.
        offset: u64,
    },
    /// The layout section is not an array of 4-byte entries.
    #[error("layout section of {len} bytes, expected a multiple of 4")]
    #[non_exhaustive]
    LayoutLength {
        /// Length of the section in bytes.
        len: u32,
    },
    /// A layout entry gives sizes that are not multiples of 4 bytes.
    #[error(
        "the layout section gives records of kind {kind} (at offset {offset}) {info_sz} + vlen x {elem_sz} bytes, expected multiples of 4"
    )]
    #[non_exhaustive]
    LayoutEntry {
        /// Position of the record.
        offset: u64,
        /// The number of its kind.
        kind: u8,
        /// Size of the fixed part in bytes.
        info_sz: u8,
        /// Size of an element in bytes.
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
    #[error("type record at offset {offset} needs {needed} bytes, the type section has only {available} left")]
    #[non_exhaustive]
    RecordTruncated {
        /// Position of the record.
        offset: u64,
        /// Size of the record in bytes.
        needed: u64,
        /// Bytes up to the end of the section.
        available: u64,
    },
    /// A record has a kind of unknown size, which is neither known to this
    /// library nor in a layout section.
    #[error(
        "type record at offset {offset} has the unknown kind {kind}, expected 1 to 22 or one in the layout section: the BTF is newer than this library, or damaged"
    )]
    #[non_exhaustive]
    UnknownKind {
        /// Position of the record.
        offset: u64,
        /// The number of its kind.
        kind: u8,
    },
    /// The operation needs the meaning of every word of a record, but only the
    /// size of this kind is known.
    #[error(
        "type record at offset {offset} has kind {kind}, whose fields are unknown: it cannot be converted or rewritten"
    )]
    #[non_exhaustive]
    OpaqueKind {
        /// Position of the record.
        offset: u64,
        /// The number of its kind.
        kind: u8,
    },
    /// The header has fields that this library does not know. It cannot be
    /// rewritten.
    #[error("BTF header of {hdr_len} bytes has unknown fields that are not zero: it cannot be rewritten")]
    #[non_exhaustive]
    UnknownHeaderData {
        /// The length of the header in bytes.
        hdr_len: u32,
    },
    /// The blob is not in native byte order; convert it first.
    #[error("the BTF is {found}, expected native byte order: convert it first")]
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
        /// Start of the section.
        offset: u64,
        /// Size of a record in bytes.
        rec_size: u32,
        /// The minimum, in bytes.
        min: u32,
    },
    /// A `.BTF.ext` section ends inside a block.
    #[error("{section} is truncated: {needed} bytes needed at offset {offset}, only {available} left")]
    #[non_exhaustive]
    ExtTruncated {
        /// The section.
        section: Section,
        /// Position of the head or the records of the block.
        offset: u64,
        /// Their size in bytes.
        needed: u64,
        /// Bytes up to the end of the section.
        available: u64,
    },
    /// A `.BTF.ext` section has a block without records.
    #[error("{section}: the block at offset {offset} has no records, expected at least one")]
    #[non_exhaustive]
    ExtEmpty {
        /// The section.
        section: Section,
        /// Position of the block.
        offset: u64,
    },
    /// A `.BTF.ext` record has fields that this library does not know. Its byte
    /// order cannot be converted.
    #[error(
        "{section}: the record at offset {offset} has unknown fields that are not zero: its byte order cannot be converted"
    )]
    #[non_exhaustive]
    ExtUnknownData {
        /// The section.
        section: Section,
        /// Position of the record.
        offset: u64,
    },
}

#[cfg(test)]
mod tests {
    extern crate std;

    use btf_messages::{Messages, examples};

    use super::*;
    use crate::{ByteOrder, Feature, KernelVersion, Kind, UnknownKind};

    #[test]
    fn messages_stand_alone() {
        let mut messages = Messages::new(env!("CARGO_MANIFEST_DIR"));
        examples!(messages: Error {
            NotBtf => Error::NotBtf { found: *b"\x7fE" },
            UnsupportedVersion => Error::UnsupportedVersion { found: 2 },
            UnsupportedFlags => Error::UnsupportedFlags { found: 0x80 },
            HeaderTooShort => Error::HeaderTooShort { hdr_len: 8, min_len: 24 },
            HeaderTruncated => Error::HeaderTruncated { hdr_len: 24, size: 20 },
            SectionOutOfBounds => Error::SectionOutOfBounds { section: Section::Types, start: 24, end: 124, size: 100 },
            SectionTooLarge => Error::SectionTooLarge { section: Section::Strings, end: 1 << 33 },
            KindTooLarge => Error::KindTooLarge { kind: 128 },
            VlenTooLarge => Error::VlenTooLarge { vlen: 1 << 24 },
            SectionMisaligned => Error::SectionMisaligned { section: Section::Types, off: 2 },
            SectionsOverlap => Error::SectionsOverlap { first: Section::Types, second: Section::Strings, offset: 36 },
            LayoutLength => Error::LayoutLength { len: 6 },
            LayoutEntry => Error::LayoutEntry { offset: 24, kind: 23, info_sz: 3, elem_sz: 0 },
            StringsUnterminated => Error::StringsUnterminated { offset: 99, found: b'x' },
            RecordTruncated => Error::RecordTruncated { offset: 24, needed: 16, available: 12 },
            UnknownKind => Error::UnknownKind { offset: 24, kind: 60 },
            OpaqueKind => Error::OpaqueKind { offset: 24, kind: 23 },
            UnknownHeaderData => Error::UnknownHeaderData { hdr_len: 40 },
            ForeignByteOrder => Error::ForeignByteOrder { found: ByteOrder::Big },
            ExtRecordSize => Error::ExtRecordSize { section: Section::FuncInfo, offset: 32, rec_size: 6, min: 8 },
            ExtTruncated => Error::ExtTruncated { section: Section::LineInfo, offset: 48, needed: 16, available: 8 },
            ExtEmpty => Error::ExtEmpty { section: Section::CoreRelo, offset: 48 },
            ExtUnknownData => Error::ExtUnknownData { section: Section::CoreRelo, offset: 56 },
        });
        messages.add("UnknownKind", &UnknownKind(23));
        messages.add("ParseKindError", &"no kind".parse::<Kind>().unwrap_err());
        messages.add("ParseByteOrderError", &"middle-endian".parse::<ByteOrder>().unwrap_err());
        messages.add("ParseFeatureError", &"no feature".parse::<Feature>().unwrap_err());
        messages.add("ParseKernelVersionError", &"none".parse::<KernelVersion>().unwrap_err());
        messages.check(true);
    }
}

//! The header of `.BTF`: byte order, version, and positions of the sections.
//!
//! Source: `struct btf_header` in `include/uapi/linux/btf.h`; the checks of
//! `btf_parse_hdr` in `tools/lib/bpf/btf.c` and `btf_parse_hdr` in
//! `kernel/bpf/btf.c`.

use core::ops::Range;

use crate::{
    ByteOrder, Error, HeaderRecord, LayoutHeader, Preamble, Section,
    section::{self, Extent},
};

/// The magic number of `.BTF` and `.BTF.ext`.
pub const MAGIC: u16 = 0xeb9f;
/// Version of the format. There is no other.
pub const VERSION: u8 = 1;

/// Header of a blob, checked against the blob.
///
/// Guarantees:
///
/// * The blob begins with the magic in one of the two byte orders, version 1
///   and flags 0.
/// * The header has at least 24 bytes and lies inside the blob.
/// * The type, string and layout sections lie inside the blob and do not
///   overlap, in any order, with or without gaps. The type and layout sections
///   begin at multiples of 4 from the end of the header.
///
/// ```
/// # fn main() -> Result<(), btf_format::Error> {
/// use btf_format::{ByteOrder, Header};
///
/// # let bytes = std::fs::read("doc/kernel.btf").unwrap();
/// let header = Header::parse(&bytes)?; // of either byte order
/// assert_eq!((header.byte_order(), header.hdr_len()), (ByteOrder::Little, 24));
/// assert_eq!(header.types().end, header.strings().start);
/// assert_eq!(header.strings().end, bytes.len());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Header {
    byte_order: ByteOrder,
    hdr_len: u32,
    types: Extent,
    strings: Extent,
    layout: Extent,
    unknown_data: bool,
}

impl Header {
    /// Size of a header without the layout fields in bytes.
    pub const SIZE: u32 = size_of::<HeaderRecord>() as u32;
    /// Size of a header with the layout fields in bytes. Since Linux 7.1.
    pub const SIZE_WITH_LAYOUT: u32 = Self::SIZE + size_of::<LayoutHeader>() as u32;

    /// Reads the header of a blob of either byte order.
    ///
    /// Unknown fields at the end of a longer header are ignored:
    /// [`Header::has_unknown_data`] is true if they are not zero.
    ///
    /// # Errors
    ///
    /// If the blob is not BTF, or a guarantee of [`Header`] does not hold.
    pub fn parse(blob: &[u8]) -> Result<Self, Error> {
        let start = Start::parse(blob, Self::SIZE)?;
        let order = start.byte_order;
        let word = |word: u32| order.fix(word);
        let record = HeaderRecord::first(start.header).ok_or(start.truncated())?;
        // Missing fields of a shorter header are zero.
        let layout = start.header.get(Self::SIZE as usize..).and_then(LayoutHeader::first);
        let extent = |section, off, len| Extent { section, off: word(off), len: word(len) };
        let header = Self {
            byte_order: order,
            hdr_len: start.hdr_len,
            types: extent(Section::Types, record.type_off(), record.type_len()),
            strings: extent(Section::Strings, record.str_off(), record.str_len()),
            layout: extent(
                Section::Layout,
                layout.map_or(0, LayoutHeader::layout_off),
                layout.map_or(0, LayoutHeader::layout_len),
            ),
            unknown_data: start.unknown_data(&[Self::SIZE, Self::SIZE_WITH_LAYOUT]),
        };
        section::check(&[header.types, header.strings, header.layout], header.hdr_len, blob.len() as u64)?;
        if !header.layout.len.is_multiple_of(4) {
            return Err(Error::LayoutLength { len: header.layout.len });
        }
        Ok(header)
    }

    /// Returns the byte order of the blob.
    #[must_use]
    pub const fn byte_order(&self) -> ByteOrder {
        self.byte_order
    }

    /// Length of the header in bytes: 24, 32, or more from a later producer.
    #[must_use]
    pub const fn hdr_len(&self) -> u32 {
        self.hdr_len
    }

    /// Returns `true` if the header has unknown fields that are not zero. Such
    /// a blob can be read, but not rewritten or converted, which could
    /// invalidate them. (libbpf does the same; kernels refuse such a header.)
    #[must_use]
    pub const fn has_unknown_data(&self) -> bool {
        self.unknown_data
    }

    /// Checks that the header has no unknown fields, so that the blob can be
    /// rewritten.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownHeaderData`] if it has.
    pub const fn check_known(&self) -> Result<(), Error> {
        match self.unknown_data {
            true => Err(Error::UnknownHeaderData { hdr_len: self.hdr_len }),
            false => Ok(()),
        }
    }

    /// Position of the type section in the blob, in bytes.
    #[must_use]
    pub fn types(&self) -> Range<usize> {
        self.types.indices(self.hdr_len).unwrap_or_default()
    }

    /// Position of the string section in the blob, in bytes.
    #[must_use]
    pub fn strings(&self) -> Range<usize> {
        self.strings.indices(self.hdr_len).unwrap_or_default()
    }

    /// Position of the layout section in the blob, in bytes; empty if there is
    /// none.
    #[must_use]
    pub fn layout(&self) -> Range<usize> {
        self.layout.indices(self.hdr_len).unwrap_or_default()
    }
}

/// Checked start of a header, which `.BTF` and `.BTF.ext` share.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Start<'a> {
    pub(crate) byte_order: ByteOrder,
    pub(crate) hdr_len: u32,
    /// The whole header, `hdr_len` bytes.
    pub(crate) header: &'a [u8],
}

impl<'a> Start<'a> {
    /// Reads the start of a header that has at least `min_len` bytes.
    pub(crate) fn parse(blob: &'a [u8], min_len: u32) -> Result<Self, Error> {
        let size = blob.len() as u64;
        let Some(preamble) = Preamble::first(blob) else {
            // A truncated file is distinguished from one that is not BTF.
            return Err(match blob.get(..2) {
                Some(&[a, b]) if ByteOrder::of_magic([a, b]).is_none() => Error::NotBtf { found: [a, b] },
                _ => Error::HeaderTruncated { hdr_len: min_len, size },
            });
        };
        let magic = preamble.magic().to_ne_bytes();
        let byte_order = ByteOrder::of_magic(magic).ok_or(Error::NotBtf { found: magic })?;
        if preamble.version() != VERSION {
            return Err(Error::UnsupportedVersion { found: preamble.version() });
        }
        if preamble.flags() != 0 {
            return Err(Error::UnsupportedFlags { found: preamble.flags() });
        }
        let hdr_len = byte_order.fix(preamble.hdr_len());
        if hdr_len < min_len {
            return Err(Error::HeaderTooShort { hdr_len, min_len });
        }
        let header = usize::try_from(hdr_len)
            .ok()
            .and_then(|len| blob.get(..len))
            .ok_or(Error::HeaderTruncated { hdr_len, size })?;
        Ok(Self { byte_order, hdr_len, header })
    }

    pub(crate) fn truncated(&self) -> Error {
        Error::HeaderTruncated { hdr_len: self.hdr_len, size: self.header.len() as u64 }
    }

    /// Returns `true` if bytes beyond the known fields are not zero.
    /// `known_ends` are the ascending offsets at which known headers end.
    pub(crate) fn unknown_data(&self, known_ends: &[u32]) -> bool {
        let known = known_ends.iter().rev().find(|&&end| end <= self.hdr_len);
        let known = known.map_or(0, |&end| end as usize);
        self.header.iter().skip(known).any(|&byte| byte != 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns a header of `hdr_len` bytes followed by `body` zero bytes.
    fn blob(hdr_len: u32, fields: [u32; 4], body: usize) -> Vec<u8> {
        let [type_off, type_len, str_off, str_len] = fields;
        let preamble = Preamble::new(MAGIC, VERSION, 0, hdr_len);
        let mut blob = HeaderRecord::new(preamble, type_off, type_len, str_off, str_len).as_bytes().to_vec();
        blob.resize(hdr_len as usize + body, 0);
        blob
    }

    fn error(blob: &[u8]) -> Error {
        Header::parse(blob).unwrap_err()
    }

    #[test]
    fn sections_are_relative_to_the_end_of_the_header() {
        for hdr_len in [24, 25, 31, 32, 40, 4096] {
            let header = Header::parse(&blob(hdr_len, [4, 16, 20, 1], 21)).unwrap();
            let end = hdr_len as usize;
            assert_eq!(header.types(), end + 4..end + 20);
            assert_eq!(header.strings(), end + 20..end + 21);
            assert!(header.layout().is_empty());
            assert!(!header.has_unknown_data());
        }
    }

    #[test]
    fn either_byte_order_is_told_by_the_bytes() {
        let native = blob(24, [0, 16, 16, 1], 17);
        let mut foreign = native.clone();
        foreign[..2].reverse();
        for word in foreign[4..24].chunks_exact_mut(4) {
            word.reverse();
        }
        let (native, foreign) = (Header::parse(&native).unwrap(), Header::parse(&foreign).unwrap());
        assert_eq!(native.byte_order(), ByteOrder::NATIVE);
        assert_eq!(foreign.byte_order(), ByteOrder::NATIVE.swapped());
        assert_eq!(native.types(), foreign.types());
        assert_eq!(native.strings(), foreign.strings());
    }

    #[test]
    fn a_layout_section_needs_32_bytes_of_header() {
        let mut with = blob(32, [0, 16, 24, 1], 25);
        with[24..28].copy_from_slice(&16u32.to_ne_bytes());
        with[28..32].copy_from_slice(&8u32.to_ne_bytes());
        assert_eq!(Header::parse(&with).unwrap().layout(), 48..56);
        with[28..32].copy_from_slice(&6u32.to_ne_bytes());
        assert_eq!(error(&with), Error::LayoutLength { len: 6 });
        with[24..28].copy_from_slice(&18u32.to_ne_bytes());
        assert!(matches!(error(&with), Error::SectionMisaligned { section: Section::Layout, off: 18 }));
    }

    #[test]
    fn unknown_header_bytes_are_noticed() {
        for (hdr_len, at) in [(25, 24), (31, 30), (33, 32), (40, 39)] {
            let mut blob = blob(hdr_len, [0, 0, 0, 1], 1);
            assert!(!Header::parse(&blob).unwrap().has_unknown_data());
            blob[at] = 1;
            assert!(Header::parse(&blob).unwrap().has_unknown_data(), "{hdr_len}");
        }
    }

    #[test]
    fn other_bytes_are_refused() {
        assert!(matches!(error(b""), Error::HeaderTruncated { size: 0, .. }));
        assert!(matches!(error(b"\x9f\xeb\x01"), Error::HeaderTruncated { size: 3, .. }));
        assert_eq!(error(b"\x7fELF"), Error::NotBtf { found: *b"\x7fE" });
        assert_eq!(error(&[0; 24]), Error::NotBtf { found: [0, 0] });
        let good = blob(24, [0, 16, 16, 1], 17);
        for len in 0..good.len() {
            assert!(Header::parse(&good[..len]).is_err(), "{len}");
        }
        let mut version = good.clone();
        version[2] = 2;
        assert_eq!(error(&version), Error::UnsupportedVersion { found: 2 });
        let mut flags = good.clone();
        flags[3] = 1;
        assert_eq!(error(&flags), Error::UnsupportedFlags { found: 1 });
        let mut short = good;
        short[4..8].copy_from_slice(&23u32.to_ne_bytes());
        assert_eq!(error(&short), Error::HeaderTooShort { hdr_len: 23, min_len: 24 });
        short[4..8].copy_from_slice(&u32::MAX.to_ne_bytes());
        assert!(matches!(error(&short), Error::HeaderTruncated { hdr_len: u32::MAX, .. }));
    }

    #[test]
    fn sections_stay_inside_and_apart() {
        let size = 24 + 16;
        for (fields, section) in [
            ([0, 17, 0, 0], Section::Types),
            ([0, u32::MAX, 0, 0], Section::Types),
            ([u32::MAX - 3, u32::MAX, 0, 0], Section::Types),
            ([0, 0, 20, 0], Section::Strings),
            ([0, 0, 15, 2], Section::Strings),
            ([0, 0, 0, u32::MAX], Section::Strings),
        ] {
            match error(&blob(24, fields, 16)) {
                Error::SectionOutOfBounds { section: found, size: in_error, .. } => {
                    assert_eq!((found, in_error), (section, size));
                }
                other => panic!("{fields:?}: {other}"),
            }
        }
        assert!(matches!(error(&blob(24, [2, 4, 8, 1], 16)), Error::SectionMisaligned { off: 2, .. }));
        assert!(matches!(error(&blob(24, [0, 12, 11, 1], 16)), Error::SectionsOverlap { offset: 35, .. }));
        assert!(Header::parse(&blob(24, [4, 12, 0, 1], 16)).is_ok(), "strings before types");
        assert!(Header::parse(&blob(24, [0, 12, 4, 0], 16)).is_ok(), "nothing overlaps nothing");
    }
}

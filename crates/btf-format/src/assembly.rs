//! Assembly of a blob from its sections: the header and the order of the
//! sections.

use crate::{
    ByteOrder, Error, Header, HeaderRecord, LayoutHeader, MAGIC, Preamble, Section, VERSION,
    convert::{Swap, put_swapped, swap_header, swap_layout, swap_words},
};

/// Assembles a `.BTF` blob from its sections.
///
/// The sections follow each other without gaps, as the kernel requires: types,
/// layout (if any), strings. The header has 24 bytes without a layout section,
/// so that all kernels since 4.18 read it, and 32 bytes with one. The contents
/// of the sections are not checked.
///
/// ```
/// # fn main() -> Result<(), btf_format::Error> {
/// use btf_format::{Assembly, Info, IntData, IntEncoding, Kind, RawBtf, TypeRecord};
///
/// let mut types = TypeRecord::new(1, Info::of(Kind::Int).word(), 4).as_bytes().to_vec();
/// types.extend_from_slice(IntData::encode(IntEncoding::SIGNED, 0, 32).as_bytes());
///
/// let mut blob = Vec::new();
/// Assembly::new(&types, b"\0int\0").write(|part| blob.extend_from_slice(part))?;
/// assert_eq!(RawBtf::parse(&blob)?.strings().get(1).unwrap(), "int");
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Assembly<'a> {
    types: &'a [u8],
    layout: &'a [u8],
    strings: &'a [u8],
    hdr_len: u32,
    byte_order: ByteOrder,
}

impl<'a> Assembly<'a> {
    /// Takes the contents of the type section and of the string section, in
    /// native byte order.
    #[must_use]
    pub const fn new(types: &'a [u8], strings: &'a [u8]) -> Self {
        Self { types, layout: &[], strings, hdr_len: 0, byte_order: ByteOrder::NATIVE }
    }

    /// Adds a layout section with these contents, or none if they are empty.
    #[must_use]
    pub const fn layout(self, layout: &'a [u8]) -> Self {
        Self { layout, ..self }
    }

    /// Sets the minimum size of the header in bytes. Unused fields are zero:
    /// libbpf 1.8 writes 32 bytes even without a layout section.
    #[must_use]
    pub const fn hdr_len(self, hdr_len: u32) -> Self {
        Self { hdr_len, ..self }
    }

    /// Sets the byte order of the blob. The default is native order; for the
    /// other order, the sections are swapped while they are written.
    ///
    /// For the other order, all types must be of kinds that
    /// [`Shape::of`](crate::Shape::of) knows, as the fields of other kinds are
    /// unknown.
    #[must_use]
    pub const fn byte_order(self, byte_order: ByteOrder) -> Self {
        Self { byte_order, ..self }
    }

    /// Calls `put` with each part of the blob in order: the header, then the
    /// sections in pieces.
    ///
    /// # Errors
    ///
    /// [`Error::SectionTooLarge`] if a section ends beyond 4 GiB;
    /// [`Error::SectionMisaligned`] if a layout section follows types whose
    /// length is not a multiple of 4 bytes; [`Error::LayoutLength`] if the
    /// length of the layout section is not. After an error, `put` was not
    /// called.
    pub fn write(self, mut put: impl FnMut(&[u8])) -> Result<(), Error> {
        self.write_header(&mut put)?;
        self.part(self.types, swap_words, &mut put);
        self.part(self.layout, swap_layout, &mut put);
        put(self.strings);
        Ok(())
    }

    /// Calls `put` with each part of the header in order: the bytes that
    /// [`Assembly::write`] writes before the sections, for callers that write
    /// the sections themselves.
    ///
    /// # Errors
    ///
    /// Those of [`Assembly::write`].
    pub fn write_header(self, mut put: impl FnMut(&[u8])) -> Result<(), Error> {
        let type_len = end_of(Section::Types, 0, self.types)?;
        let layout_end = end_of(Section::Layout, type_len, self.layout)?;
        let str_end = end_of(Section::Strings, layout_end, self.strings)?;
        let has_layout = !self.layout.is_empty();
        let needed = if has_layout { Header::SIZE_WITH_LAYOUT } else { Header::SIZE };
        let hdr_len = self.hdr_len.max(needed);
        if has_layout && !type_len.is_multiple_of(4) {
            return Err(Error::SectionMisaligned { section: Section::Layout, off: type_len });
        }
        let layout_len = layout_end - type_len;
        if !layout_len.is_multiple_of(4) {
            return Err(Error::LayoutLength { len: layout_len });
        }
        let preamble = Preamble::new(MAGIC, VERSION, 0, hdr_len);
        let record = HeaderRecord::new(preamble, 0, type_len, layout_end, str_end - layout_end);
        self.part(record.as_bytes(), swap_header, &mut put);
        if has_layout {
            self.part(LayoutHeader::new(type_len, layout_len).as_bytes(), swap_words, &mut put);
        }
        let mut unneeded = (hdr_len - needed) as usize;
        while unneeded > 0 {
            let zeros = [0; 64].get(..unneeded.min(64)).unwrap_or_default();
            put(zeros);
            unneeded -= zeros.len();
        }
        Ok(())
    }

    /// Calls `put` with a part of the blob, swapped with `swap` if the byte
    /// order is not native.
    fn part(self, bytes: &[u8], swap: Swap, put: &mut impl FnMut(&[u8])) {
        match self.byte_order.is_native() {
            true => put(bytes),
            false => put_swapped(bytes, swap, put),
        }
    }
}

/// Returns the end of a section that begins at `start`, in bytes from the end
/// of the header.
fn end_of(section: Section, start: u32, contents: &[u8]) -> Result<u32, Error> {
    let end = u64::from(start) + contents.len() as u64;
    u32::try_from(end).map_err(|_| Error::SectionTooLarge { section, end })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{LayoutEntry, RawBtf};

    fn assemble(assembly: Assembly<'_>) -> Result<Vec<u8>, Error> {
        let mut blob = Vec::new();
        assembly.write(|part| blob.extend_from_slice(part)).map(|()| blob)
    }

    #[test]
    fn what_was_put_together_is_taken_apart() {
        let types = [7; 16];
        let layout: Vec<u8> = LayoutEntry::known().flat_map(|entry| entry.as_bytes().to_vec()).collect();
        for (layout, hdr_len) in [(&[][..], 24), (&layout, 32)] {
            for strings in [&b""[..], b"\0", b"\0int\0"] {
                let blob = assemble(Assembly::new(&types, strings).layout(layout)).unwrap();
                let raw = RawBtf::parse(&blob).unwrap();
                assert_eq!(raw.header().hdr_len(), hdr_len);
                assert_eq!((raw.types(), raw.strings().as_bytes()), (&types[..], strings));
                assert_eq!(blob.get(raw.header().layout()).unwrap_or_default(), layout);
                assert_eq!(blob.len(), hdr_len as usize + types.len() + layout.len() + strings.len());
            }
        }
    }

    #[test]
    fn a_header_is_as_long_as_asked_for_or_needed() {
        let layout: Vec<u8> = LayoutEntry::known().flat_map(|entry| entry.as_bytes().to_vec()).collect();
        for (asked, without, with) in [(0, 24, 32), (24, 24, 32), (31, 31, 32), (32, 32, 32), (300, 300, 300)] {
            for (layout, expected) in [(&[][..], without), (&layout, with)] {
                let assembly = Assembly::new(&[7; 16], b"\0int\0").layout(layout).hdr_len(asked);
                let blob = assemble(assembly).unwrap();
                let raw = RawBtf::parse(&blob).unwrap();
                assert_eq!(raw.header().hdr_len(), expected);
                assert!(!raw.header().has_unknown_data());
                assert_eq!((raw.types(), raw.strings().as_bytes()), (&[7; 16][..], &b"\0int\0"[..]));
            }
        }
    }

    #[test]
    fn sections_that_no_header_can_place_are_refused() {
        let layout = [0; 8];
        let misaligned = Error::SectionMisaligned { section: Section::Layout, off: 13 };
        assert_eq!(assemble(Assembly::new(&[0; 13], b"\0").layout(&layout)), Err(misaligned));
        assert_eq!(assemble(Assembly::new(&[], b"\0").layout(&layout[..5])), Err(Error::LayoutLength { len: 5 }));
        assert!(assemble(Assembly::new(&[0; 13], b"\0")).is_ok(), "nothing after it is aligned");
    }

    #[test]
    fn sections_end_where_32_bits_do() {
        let end = |start| end_of(Section::Strings, start, &[0; 3]);
        assert_eq!(end(u32::MAX - 3), Ok(u32::MAX));
        let error = Error::SectionTooLarge { section: Section::Strings, end: 1 << 32 };
        assert_eq!(end(u32::MAX - 2), Err(error));
    }
}

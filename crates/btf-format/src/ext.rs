//! `.BTF.ext`: what a BPF object knows about its instructions.
//!
//! Each of its three sections begins with the size of its records, and then
//! holds a block for each ELF section that has any: the name of the ELF
//! section, the number of records, the records. The names are offsets into
//! the strings of `.BTF`.
//!
//! Source: `Documentation/bpf/btf.rst`, ".BTF.ext section"; `btf_ext_parse` in
//! `tools/lib/bpf/btf.c`.

use core::{iter::FusedIterator, marker::PhantomData};

use crate::{
    ByteOrder, CoreRelo, CoreReloHeader, Error, ExtHeaderRecord, ExtSectionRecord, FuncInfo, LineInfo, Section,
    header::Start,
    section::{self, Extent},
};

/// The header of `.BTF.ext`, checked against the blob it came from: its
/// sections lie inside the blob, apart from each other and 4-aligned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExtHeader {
    byte_order: ByteOrder,
    hdr_len: u32,
    /// Function infos, line infos, CO-RE relocations.
    pub(crate) extents: [Extent; 3],
    unknown_data: bool,
}

impl ExtHeader {
    /// Bytes of a header without the CO-RE fields, the least there is.
    pub const SIZE: u32 = size_of::<ExtHeaderRecord>() as u32;
    /// Bytes of a header with the CO-RE fields.
    pub const SIZE_WITH_CORE: u32 = Self::SIZE + size_of::<CoreReloHeader>() as u32;

    /// Reads the header of a blob of either byte order.
    ///
    /// # Errors
    ///
    /// If the blob is not `.BTF.ext`, or what is said above does not hold.
    pub fn parse(blob: &[u8]) -> Result<Self, Error> {
        let start = Start::parse(blob, Self::SIZE)?;
        let order = start.byte_order;
        let record = ExtHeaderRecord::first(start.header).ok_or(start.truncated())?;
        let core = start.header.get(Self::SIZE as usize..).and_then(CoreReloHeader::first);
        let extent = |section, off, len| Extent { section, off: order.fix(off), len: order.fix(len) };
        let extents = [
            extent(Section::FuncInfo, record.func_info_off(), record.func_info_len()),
            extent(Section::LineInfo, record.line_info_off(), record.line_info_len()),
            extent(
                Section::CoreRelo,
                core.map_or(0, CoreReloHeader::core_relo_off),
                core.map_or(0, CoreReloHeader::core_relo_len),
            ),
        ]
        // Length 0 means absent, whatever the offset.
        .map(|extent| if extent.len == 0 { Extent { off: 0, ..extent } } else { extent });
        section::check(&extents, start.hdr_len, blob.len() as u64)?;
        Ok(Self {
            byte_order: order,
            hdr_len: start.hdr_len,
            extents,
            unknown_data: start.unknown_data(&[Self::SIZE, Self::SIZE_WITH_CORE]),
        })
    }

    /// The byte order of the blob.
    #[must_use]
    pub const fn byte_order(&self) -> ByteOrder {
        self.byte_order
    }

    /// Bytes of the header: 24, 32, or what a later producer made it.
    #[must_use]
    pub const fn hdr_len(&self) -> u32 {
        self.hdr_len
    }

    /// Whether the header has bytes beyond those this library knows that are
    /// not zero. Such a blob can be read, but not be rewritten or converted.
    #[must_use]
    pub const fn has_unknown_data(&self) -> bool {
        self.unknown_data
    }
}

/// A `.BTF.ext` blob of native byte order, checked to the last record: every
/// iterator over it goes through.
#[derive(Debug, Clone, Copy)]
pub struct RawBtfExt<'a> {
    blob: &'a [u8],
    header: ExtHeader,
}

impl<'a> RawBtfExt<'a> {
    /// Takes a blob apart.
    ///
    /// Records that are longer than what this library knows are accepted; the
    /// part beyond is passed over. A header without the CO-RE fields, as
    /// compilers wrote it before 2019, means no relocations.
    ///
    /// # Errors
    ///
    /// Those of [`ExtHeader::parse`]; if a record size is no multiple of 4 or
    /// less than what is known; if a block has no records or reaches beyond
    /// its section; and [`Error::ForeignByteOrder`] if the blob has to be
    /// converted first.
    pub fn parse(blob: &'a [u8]) -> Result<Self, Error> {
        let header = ExtHeader::parse(blob)?;
        if !header.byte_order.is_native() {
            return Err(Error::ForeignByteOrder { found: header.byte_order });
        }
        for extent in header.extents {
            check(extent, blob, &header, |_, _| Ok(()))?;
        }
        Ok(Self { blob, header })
    }

    /// Takes a blob apart that was parsed before, and of which the header was
    /// kept; nothing is checked again. With any other blob the iterators end
    /// early or show records that are none, and that is all.
    #[must_use]
    pub const fn again(blob: &'a [u8], header: ExtHeader) -> Self {
        Self { blob, header }
    }

    /// The header.
    #[must_use]
    pub const fn header(&self) -> &ExtHeader {
        &self.header
    }

    /// The whole blob.
    #[must_use]
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.blob
    }

    /// Which function begins where.
    #[must_use]
    pub fn func_infos(&self) -> ExtBlocks<'a, FuncInfo> {
        self.blocks()
    }

    /// Which source line each instruction comes from.
    #[must_use]
    pub fn line_infos(&self) -> ExtBlocks<'a, LineInfo> {
        self.blocks()
    }

    /// The CO-RE relocations.
    #[must_use]
    pub fn core_relos(&self) -> ExtBlocks<'a, CoreRelo> {
        self.blocks()
    }

    fn blocks<T: ExtRecord>(&self) -> ExtBlocks<'a, T> {
        let extent = self.header.extents.iter().find(|extent| extent.section == T::SECTION);
        let bytes = extent.map_or(&[][..], |extent| extent.of(self.blob, self.header.hdr_len));
        let (rec_size, rest) = bytes.split_at_checked(4).unwrap_or_default();
        ExtBlocks { rec_size: word(rec_size) as usize, rest, records: PhantomData }
    }
}

/// The records of a section of `.BTF.ext`.
pub trait ExtRecord: sealed::Sealed + 'static {
    /// The section that holds them.
    const SECTION: Section;
}

mod sealed {
    pub trait Sealed: Sized {
        fn first(bytes: &[u8]) -> Option<&Self>;
    }
}

macro_rules! ext_records {
    ($($record:ident)*) => {$(
        impl sealed::Sealed for $record {
            fn first(bytes: &[u8]) -> Option<&Self> {
                Self::first(bytes)
            }
        }
        impl ExtRecord for $record {
            const SECTION: Section = Section::$record;
        }
    )*};
}

ext_records!(FuncInfo LineInfo CoreRelo);

/// Bytes of what is known of a section's records.
const fn known_size(section: Section) -> u32 {
    match section {
        Section::FuncInfo => size_of::<FuncInfo>() as u32,
        Section::LineInfo => size_of::<LineInfo>() as u32,
        _ => size_of::<CoreRelo>() as u32,
    }
}

/// Iterator over the blocks of a section, one for each ELF section that it
/// says anything about.
#[derive(Debug, Clone)]
pub struct ExtBlocks<'a, T> {
    rec_size: usize,
    rest: &'a [u8],
    records: PhantomData<&'a T>,
}

impl<'a, T: ExtRecord> Iterator for ExtBlocks<'a, T> {
    type Item = ExtBlock<'a, T>;

    fn next(&mut self) -> Option<Self::Item> {
        let head = ExtSectionRecord::first(self.rest)?;
        let rest = self.rest.get(size_of::<ExtSectionRecord>()..)?;
        let len = self.rec_size.checked_mul(head.num_info() as usize)?;
        let (bytes, rest) = rest.split_at_checked(len)?;
        self.rest = rest;
        Some(ExtBlock {
            sec_name_off: head.sec_name_off(),
            records: ExtRecords { rec_size: self.rec_size, rest: bytes, records: PhantomData },
        })
    }
}

impl<T: ExtRecord> FusedIterator for ExtBlocks<'_, T> {}

/// The records that concern one ELF section.
#[derive(Debug, Clone)]
pub struct ExtBlock<'a, T> {
    sec_name_off: u32,
    records: ExtRecords<'a, T>,
}

impl<'a, T: ExtRecord> ExtBlock<'a, T> {
    /// Offset of the ELF section's name in `.BTF`'s strings, in bytes.
    #[must_use]
    pub const fn sec_name_off(&self) -> u32 {
        self.sec_name_off
    }

    /// The records, in the order they lie: by rising instruction offset.
    #[must_use]
    pub fn records(&self) -> ExtRecords<'a, T> {
        ExtRecords { rec_size: self.records.rec_size, rest: self.records.rest, records: PhantomData }
    }
}

/// Iterator over the records of a block.
#[derive(Debug, Clone)]
pub struct ExtRecords<'a, T> {
    rec_size: usize,
    rest: &'a [u8],
    records: PhantomData<&'a T>,
}

impl<'a, T: ExtRecord> Iterator for ExtRecords<'a, T> {
    type Item = &'a T;

    fn next(&mut self) -> Option<Self::Item> {
        let (record, rest) = self.rest.split_at_checked(self.rec_size)?;
        let record = T::first(record)?;
        self.rest = rest;
        Some(record)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.rest.len().checked_div(self.rec_size).unwrap_or(0);
        (left, Some(left))
    }
}

impl<T: ExtRecord> ExactSizeIterator for ExtRecords<'_, T> {}
impl<T: ExtRecord> FusedIterator for ExtRecords<'_, T> {}

/// The word that `bytes` begin with, 0 where they are too few.
fn word(bytes: &[u8]) -> u32 {
    bytes.first_chunk().map_or(0, |word| u32::from_ne_bytes(*word))
}

/// Checks a section to its last record, in whatever byte order it is, and
/// hands each block's records, and where they begin, to `each`.
pub(crate) fn check(
    extent: Extent,
    blob: &[u8],
    header: &ExtHeader,
    mut each: impl FnMut(&[u8], BlockAt) -> Result<(), Error>,
) -> Result<(), Error> {
    let Extent { section, len, .. } = extent;
    let order = header.byte_order;
    if len == 0 {
        return Ok(());
    }
    let mut offset = extent.range(header.hdr_len).start;
    let mut rest = extent.of(blob, header.hdr_len);
    let mut take = |rest: &mut &[u8], needed: u64| -> Result<(u64, usize), Error> {
        let available = rest.len() as u64;
        if needed > available {
            return Err(Error::ExtTruncated { section, offset, needed, available });
        }
        let at = offset;
        offset += needed;
        Ok((at, needed as usize))
    };
    let min = known_size(section);
    let (at, size) = take(&mut rest, 4)?;
    let rec_size = order.fix(word(rest));
    rest = rest.get(size..).unwrap_or_default();
    if rec_size < min || !rec_size.is_multiple_of(4) {
        return Err(Error::ExtRecordSize { section, offset: at, rec_size, min });
    }
    loop {
        let (at, size) = take(&mut rest, size_of::<ExtSectionRecord>() as u64)?;
        let num_info = ExtSectionRecord::first(rest).map_or(0, |head| order.fix(head.num_info()));
        rest = rest.get(size..).unwrap_or_default();
        if num_info == 0 {
            return Err(Error::ExtEmpty { section, offset: at });
        }
        let (offset, size) = take(&mut rest, u64::from(rec_size) * u64::from(num_info))?;
        let (bytes, after) = rest.split_at_checked(size).unwrap_or((rest, &[]));
        each(bytes, BlockAt { section, offset, rec_size: rec_size as usize, known: min as usize })?;
        rest = after;
        if rest.is_empty() {
            return Ok(());
        }
    }
}

/// Where the records of a block lie in the blob, and how large they are, in
/// bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BlockAt {
    pub(crate) section: Section,
    pub(crate) offset: u64,
    pub(crate) rec_size: usize,
    pub(crate) known: usize,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{MAGIC, Preamble, VERSION};

    /// A blob with these words in its three sections, one after the other.
    fn blob(hdr_len: u32, sections: [&[u32]; 3]) -> Vec<u8> {
        let len = |index: usize| sections[index].len() as u32 * 4;
        let preamble = Preamble::new(MAGIC, VERSION, 0, hdr_len);
        let mut blob = ExtHeaderRecord::new(preamble, 0, len(0), len(0), len(1)).as_bytes().to_vec();
        if hdr_len >= 32 {
            blob.extend(CoreReloHeader::new(len(0) + len(1), len(2)).as_bytes());
        }
        blob.resize(hdr_len as usize, 0);
        blob.extend(sections.concat().into_iter().flat_map(u32::to_ne_bytes));
        blob
    }

    const FUNCS: &[u32] = &[8, /**/ 1, 2, 0, 7, 64, 8, /**/ 9, 1, 0, 3];
    const LINES: &[u32] = &[16, 1, 1, 0, 5, 6, 3 << 10 | 4];
    const RELOS: &[u32] = &[16, 1, 1, 8, 5, 6, 0];

    #[test]
    fn blocks_and_records() {
        let blob = blob(32, [FUNCS, LINES, RELOS]);
        let ext = RawBtfExt::parse(&blob).unwrap();
        let funcs: Vec<_> = ext
            .func_infos()
            .map(|block| (block.sec_name_off(), block.records().copied().collect::<Vec<_>>()))
            .collect();
        assert_eq!(funcs, [(1, vec![FuncInfo::new(0, 7), FuncInfo::new(64, 8)]), (9, vec![FuncInfo::new(0, 3)])]);
        assert_eq!(ext.func_infos().next().unwrap().records().len(), 2);
        let line = ext.line_infos().next().unwrap().records().next().unwrap();
        assert_eq!((line.line(), line.column()), (3, 4));
        assert_eq!(ext.core_relos().count(), 1);
    }

    #[test]
    fn a_header_of_24_bytes_has_no_relocations() {
        let blob = blob(24, [FUNCS, LINES, &[]]);
        let ext = RawBtfExt::parse(&blob).unwrap();
        assert_eq!(ext.line_infos().count(), 1);
        assert_eq!(ext.core_relos().count(), 0);
    }

    #[test]
    fn longer_records_are_read_as_far_as_they_are_known() {
        let blob = blob(40, [&[12, 1, 2, 0, 7, 99, 64, 8, 99], &[], &[]]);
        let ext = RawBtfExt::parse(&blob).unwrap();
        let funcs: Vec<_> = ext.func_infos().flat_map(|block| block.records()).copied().collect();
        assert_eq!(funcs, [FuncInfo::new(0, 7), FuncInfo::new(64, 8)]);
    }

    #[test]
    fn damage_is_told_with_its_place() {
        let error = |sections: [&[u32]; 3]| RawBtfExt::parse(&blob(32, sections)).unwrap_err();
        let section = Section::FuncInfo;
        assert_eq!(error([&[4, 1, 1, 0], &[], &[]]), Error::ExtRecordSize { section, offset: 32, rec_size: 4, min: 8 });
        assert_eq!(
            error([&[10, 1, 1, 0, 0, 0], &[], &[]]),
            Error::ExtRecordSize { section, offset: 32, rec_size: 10, min: 8 }
        );
        assert_eq!(error([&[8, 1, 0], &[], &[]]), Error::ExtEmpty { section, offset: 36 });
        assert_eq!(error([&[8], &[], &[]]), Error::ExtTruncated { section, offset: 36, needed: 8, available: 0 });
        assert_eq!(
            error([&[8, 1, u32::MAX, 0, 0], &[], &[]]),
            Error::ExtTruncated { section, offset: 44, needed: 8 * u64::from(u32::MAX), available: 8 }
        );
        assert!(matches!(
            error([&[], &[], &[u32::MAX - 3, 1, u32::MAX, 0]]),
            Error::ExtTruncated { section: Section::CoreRelo, .. }
        ));
    }

    #[test]
    fn no_sections_are_no_error() {
        let blob = blob(32, [&[], &[], &[]]);
        assert_eq!(RawBtfExt::parse(&blob).unwrap().func_infos().count(), 0);
    }
}

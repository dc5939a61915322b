//! `.BTF.ext`: func_info, line_info and CO-RE relocations for the instructions
//! of a BPF object.
//!
//! Each of its three sections begins with the size of its records. A block
//! follows for each ELF section that has any: the name of the ELF section, the
//! number of records, the records. Names are offsets into the strings of
//! `.BTF`.
//!
//! The check and the walks over ids and names use [`Blocks`], which finds the
//! blocks, and one table of the roles of the words. [`ExtBlocks`] reads blocks
//! that were checked.
//!
//! Source: `Documentation/bpf/btf.rst`, ".BTF.ext section"; `btf_ext_parse` in
//! `tools/lib/bpf/btf.c`.

use core::{iter::FusedIterator, marker::PhantomData, ops::Range};

use crate::{
    ByteOrder, CoreRelo, CoreReloHeader, Error, ExtHeaderRecord, ExtSectionRecord, FuncInfo, LineInfo, Section, Word,
    header::Start,
    section::{self, Extent},
};

/// Header of `.BTF.ext`, checked against its blob: its sections lie inside the
/// blob, do not overlap, and are aligned to 4 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ExtHeader {
    byte_order: ByteOrder,
    hdr_len: u32,
    /// func_info, line_info, CO-RE relocations.
    pub(crate) extents: [Extent; 3],
    unknown_data: bool,
}

impl ExtHeader {
    /// Size of a header without the CO-RE fields in bytes, which is the
    /// minimum.
    pub const SIZE: u32 = size_of::<ExtHeaderRecord>() as u32;
    /// Size of a header with the CO-RE fields in bytes.
    pub const SIZE_WITH_CORE: u32 = Self::SIZE + size_of::<CoreReloHeader>() as u32;

    /// Reads the header of a blob of either byte order.
    ///
    /// # Errors
    ///
    /// If the blob does not begin with the magic, version 1 and no flags; if
    /// the header is too short or longer than the blob; if a section is
    /// outside the blob, overlaps another, or is not 4-aligned.
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
    /// a blob can be read, but not rewritten or converted.
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
}

/// A `.BTF.ext` blob of native byte order whose records are all checked.
///
/// ```
/// # fn main() -> Result<(), btf_format::Error> {
/// # use btf_format::{CoreReloHeader, ExtHeader, ExtHeaderRecord, MAGIC, Preamble, RawBtfExt, VERSION};
/// # let preamble = Preamble::new(MAGIC, VERSION, 0, ExtHeader::SIZE_WITH_CORE);
/// # let mut blob = ExtHeaderRecord::new(preamble, 0, 20, 20, 0).as_bytes().to_vec();
/// # blob.extend_from_slice(CoreReloHeader::new(20, 0).as_bytes());
/// # blob.extend([8, 1, 1, 64, 7].map(u32::to_ne_bytes).concat());
/// let ext = RawBtfExt::parse(&blob)?;
/// for block in ext.func_infos() {
///     for info in block.records() {
///         assert_eq!((block.sec_name_off(), info.insn_off(), info.type_id()), (1, 64, 7));
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy)]
pub struct RawBtfExt<'a> {
    blob: &'a [u8],
    header: ExtHeader,
}

impl<'a> RawBtfExt<'a> {
    /// Checks a blob.
    ///
    /// Records that are longer than the known fields are accepted, and unknown
    /// fields are skipped. A header without the CO-RE fields, as compilers
    /// wrote it before 2019, means that there are no relocations.
    ///
    /// # Errors
    ///
    /// Those of [`ExtHeader::parse`]; if a record size is not a multiple of 4
    /// or is below the minimum; if a block has no records or exceeds its
    /// section; [`Error::ForeignByteOrder`] if the blob must be converted
    /// first.
    pub fn parse(blob: &'a [u8]) -> Result<Self, Error> {
        Ok(Self { blob, header: parse_native(blob)? })
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

    /// Iterates over the blocks of all three sections, in the order func_info,
    /// line_info, CO-RE relocations.
    pub fn blocks(&self) -> impl Iterator<Item = ExtBlockRange> + use<'a> {
        let (blob, header) = (self.blob, self.header);
        header.extents.into_iter().flat_map(move |extent| {
            let mut blocks = Blocks::new(extent, &header);
            core::iter::from_fn(move || {
                let block = blocks.next_of(blob)?.ok()?;
                Some(ExtBlockRange {
                    section: block.section,
                    sec_name_off: word(blob, block.head),
                    records: block.records,
                    rec_size: block.rec_size,
                })
            })
        })
    }

    /// The functions, by ELF section.
    pub fn func_infos(&self) -> ExtBlocks<'a, FuncInfo> {
        self.blocks_of()
    }

    /// The source lines, by ELF section.
    pub fn line_infos(&self) -> ExtBlocks<'a, LineInfo> {
        self.blocks_of()
    }

    /// Calls `visit` with each word that is a type id or a string offset, by
    /// section and position. Stops at the first error.
    ///
    /// # Errors
    ///
    /// The first error of `visit`.
    pub fn try_for_each_field<E>(&self, mut visit: impl FnMut(ExtField, u32) -> Result<(), E>) -> Result<(), E> {
        try_for_each_position(self.blob, &self.header, |field| visit(field, word(self.blob, field.at)))
    }

    /// The CO-RE relocations, by ELF section.
    pub fn core_relos(&self) -> ExtBlocks<'a, CoreRelo> {
        self.blocks_of()
    }

    fn blocks_of<T: ExtRecord>(&self) -> ExtBlocks<'a, T> {
        let extent = self.header.extents.iter().find(|extent| extent.section == T::SECTION);
        let bytes = extent.map_or(&[][..], |extent| extent.of(self.blob, self.header.hdr_len));
        let rest = bytes.get(4..).unwrap_or_default();
        ExtBlocks { rec_size: word(bytes, 0) as usize, rest, records: PhantomData }
    }
}

/// A `.BTF.ext` blob of native byte order whose ids and string offsets can be
/// changed in place. All records are checked.
///
/// ```
/// # fn main() -> Result<(), btf_format::Error> {
/// use btf_format::{ByteOrder, RawBtfExt, RawBtfExtMut, Word, convert_ext};
///
/// # let mut bytes = std::fs::read("doc/probe.btf.ext").unwrap();
/// # convert_ext(&mut bytes, ByteOrder::NATIVE)?;
/// let before = RawBtfExt::parse(&bytes)?.func_infos().next().unwrap().records().next().unwrap().type_id();
/// // The types of the object were moved by 100.
/// RawBtfExtMut::parse(&mut bytes)?.try_for_each_field(|field, value| {
///     *value += if field.holds == Word::Id { 100 } else { 0 };
///     Ok::<_, btf_format::Error>(())
/// })?;
/// let after = RawBtfExt::parse(&bytes)?.func_infos().next().unwrap().records().next().unwrap().type_id();
/// assert_eq!(after, before + 100);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct RawBtfExtMut<'a> {
    blob: &'a mut [u8],
    header: ExtHeader,
}

impl<'a> RawBtfExtMut<'a> {
    /// Checks a blob.
    ///
    /// # Errors
    ///
    /// Those of [`RawBtfExt::parse`].
    pub fn parse(blob: &'a mut [u8]) -> Result<Self, Error> {
        let header = parse_native(blob)?;
        Ok(Self { blob, header })
    }

    /// The header.
    #[must_use]
    pub const fn header(&self) -> &ExtHeader {
        &self.header
    }

    /// Calls `change` with each word that is a type id or a string offset, by
    /// section and position. Stops at the first error.
    ///
    /// All other bytes are unchanged, including unknown fields at the end of
    /// records.
    ///
    /// # Errors
    ///
    /// The first error of `change`. The words before that one are already
    /// changed.
    pub fn try_for_each_field<E>(
        &mut self,
        mut change: impl FnMut(ExtField, &mut u32) -> Result<(), E>,
    ) -> Result<(), E> {
        for extent in self.header.extents {
            let mut blocks = Blocks::new(extent, &self.header);
            // The blob was checked: there are no errors.
            while let Some(Ok(block)) = blocks.next_of(self.blob) {
                for field in block.fields() {
                    if let Some(place) = self.blob.get_mut(field.at..).and_then(<[u8]>::first_chunk_mut) {
                        let mut value = u32::from_ne_bytes(*place);
                        change(field, &mut value)?;
                        *place = value.to_ne_bytes();
                    }
                }
            }
        }
        Ok(())
    }
}

/// Position of a block in a blob: see [`RawBtfExt::blocks`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct ExtBlockRange {
    /// The section that the block is in.
    pub section: Section,
    /// Offset of the ELF section's name in `.BTF`'s strings, in bytes.
    pub sec_name_off: u32,
    /// The records, in bytes from the start of the blob.
    pub records: Range<usize>,
    /// Size of a record in bytes.
    pub rec_size: usize,
}

/// A word of `.BTF.ext` that is a type id or a string offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct ExtField {
    /// The section that the word is in.
    pub section: Section,
    /// The field's name in the kernel's headers and libbpf: `type_id`,
    /// `sec_name_off`, `access_str_off`.
    pub name: &'static str,
    /// [`Word::Id`] or [`Word::Name`].
    pub holds: Word,
    /// Position of the word, in bytes from the start of the blob.
    pub at: usize,
}

/// Names and roles of the words of a record.
type Roles = &'static [(&'static str, Word)];

/// Roles of the words before the records of a block.
const BLOCK_HEAD: Roles = &[("sec_name_off", Word::Name), ("num_info", Word::Data)];

/// Roles of the known words of a section's records.
const fn roles(section: Section) -> Roles {
    use Word::{Data, Id, Name};
    match section {
        Section::FuncInfo => &[("insn_off", Data), ("type_id", Id)],
        Section::LineInfo => &[("insn_off", Data), ("file_name_off", Name), ("line_off", Name), ("line_col", Data)],
        Section::CoreRelo => &[("insn_off", Data), ("type_id", Id), ("access_str_off", Name), ("kind", Data)],
        Section::Types | Section::Strings | Section::Layout => &[],
    }
}

/// Checks a blob of native byte order.
fn parse_native(blob: &[u8]) -> Result<ExtHeader, Error> {
    let header = ExtHeader::parse(blob)?;
    if !header.byte_order.is_native() {
        return Err(Error::ForeignByteOrder { found: header.byte_order });
    }
    for extent in header.extents {
        check(extent, blob, &header, |_| Ok(()))?;
    }
    Ok(header)
}

/// Calls `visit` with each field of a checked blob.
fn try_for_each_position<E>(
    blob: &[u8],
    header: &ExtHeader,
    mut visit: impl FnMut(ExtField) -> Result<(), E>,
) -> Result<(), E> {
    for extent in header.extents {
        let mut blocks = Blocks::new(extent, header);
        while let Some(Ok(block)) = blocks.next_of(blob) {
            block.fields().try_for_each(&mut visit)?;
        }
    }
    Ok(())
}

/// Record of a section of `.BTF.ext`.
pub trait ExtRecord: sealed::Sealed + 'static {
    /// The section that contains these records.
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

/// Iterator over the blocks of a section, one for each ELF section with
/// records.
#[derive(Debug, Clone)]
#[must_use]
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

/// Records for one ELF section.
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

    /// Iterates over the records, by ascending instruction offset as compilers
    /// write them.
    pub fn records(&self) -> ExtRecords<'a, T> {
        ExtRecords { rec_size: self.records.rec_size, rest: self.records.rest, records: PhantomData }
    }
}

/// Iterator over the records of a block.
#[derive(Debug, Clone)]
#[must_use]
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

/// Returns the word at `at`, or 0 beyond the end of `bytes`.
fn word(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |word| u32::from_ne_bytes(*word))
}

/// Checks all records of a section of either byte order, and calls `each` with
/// each block.
pub(crate) fn check(
    extent: Extent,
    blob: &[u8],
    header: &ExtHeader,
    mut each: impl FnMut(Block) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut blocks = Blocks::new(extent, header);
    while let Some(block) = blocks.next_of(blob) {
        each(block?)?;
    }
    Ok(())
}

/// Cursor over the blocks of a section. It holds only positions, so that a
/// block can be changed before the next one is read.
#[derive(Debug)]
struct Blocks {
    section: Section,
    order: ByteOrder,
    /// Remaining range of the blob in bytes.
    left: Range<usize>,
    /// Size of a record in bytes; 0 before the first block.
    rec_size: usize,
}

impl Blocks {
    fn new(extent: Extent, header: &ExtHeader) -> Self {
        let left = if extent.len == 0 { 0..0 } else { extent.indices(header.hdr_len).unwrap_or_default() };
        Self { section: extent.section, order: header.byte_order, left, rec_size: 0 }
    }

    /// Returns the next block. An error is the last item.
    fn next_of(&mut self, blob: &[u8]) -> Option<Result<Block, Error>> {
        if self.left.is_empty() {
            return None;
        }
        Some(self.step(blob).inspect_err(|_| self.left = 0..0))
    }

    fn step(&mut self, blob: &[u8]) -> Result<Block, Error> {
        if self.rec_size == 0 {
            self.rec_size = self.record_size(blob)?;
        }
        let head = self.take(size_of::<ExtSectionRecord>() as u64)?;
        let num_info = self.order.fix(word(blob, head.start + 4));
        if num_info == 0 {
            return Err(Error::ExtEmpty { section: self.section, offset: head.start as u64 });
        }
        let records = self.take(self.rec_size as u64 * u64::from(num_info))?;
        Ok(Block { section: self.section, head: head.start, records, rec_size: self.rec_size })
    }

    fn record_size(&mut self, blob: &[u8]) -> Result<usize, Error> {
        let section = self.section;
        let at = self.take(4)?.start;
        let rec_size = self.order.fix(word(blob, at));
        let min = (roles(section).len() * 4) as u32;
        if rec_size < min || !rec_size.is_multiple_of(4) {
            return Err(Error::ExtRecordSize { section, offset: at as u64, rec_size, min });
        }
        Ok(rec_size as usize)
    }

    fn take(&mut self, needed: u64) -> Result<Range<usize>, Error> {
        let start = self.left.start;
        let available = self.left.len() as u64;
        if needed > available {
            return Err(Error::ExtTruncated { section: self.section, offset: start as u64, needed, available });
        }
        self.left.start += needed as usize;
        Ok(start..self.left.start)
    }
}

/// Position of a block in the blob, and the size of its records, in bytes.
#[derive(Debug, Clone)]
pub(crate) struct Block {
    pub(crate) section: Section,
    head: usize,
    pub(crate) records: Range<usize>,
    pub(crate) rec_size: usize,
}

impl Block {
    /// Size of the known fields of a record in bytes.
    pub(crate) const fn known(&self) -> usize {
        roles(self.section).len() * 4
    }

    /// Iterates over the fields of the head and the records of the block.
    fn fields(&self) -> impl Iterator<Item = ExtField> + use<> {
        let section = self.section;
        let fields_of = move |roles: Roles, start: usize| {
            let positions = (start..).step_by(4);
            let fields = roles.iter().zip(positions).filter(|((_, holds), _)| *holds != Word::Data);
            fields.map(move |(&(name, holds), at)| ExtField { section, name, holds, at })
        };
        let records = self.records.clone().step_by(self.rec_size.max(1));
        fields_of(BLOCK_HEAD, self.head).chain(records.flat_map(move |start| fields_of(roles(section), start)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{MAGIC, Preamble, VERSION};

    /// Returns a blob with these words in its three sections.
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
        let blocks: Vec<_> = ext.blocks().map(|block| (block.section, block.sec_name_off, block.records)).collect();
        let expected = [
            (Section::FuncInfo, 1, 44..60),
            (Section::FuncInfo, 9, 68..76),
            (Section::LineInfo, 1, 88..104),
            (Section::CoreRelo, 1, 116..132),
        ];
        assert_eq!(blocks, expected);
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

    #[test]
    fn fields_are_the_ids_and_string_offsets() {
        let blob = blob(32, [FUNCS, LINES, RELOS]);
        let ext = RawBtfExt::parse(&blob).unwrap();
        let mut fields = Vec::new();
        ext.try_for_each_field(|field, value| {
            assert_eq!(word(&blob, field.at), value);
            fields.push((field.name, field.holds == Word::Id, value));
            Ok::<_, ()>(())
        })
        .unwrap();
        let expected = [
            ("sec_name_off", false, 1),
            ("type_id", true, 7),
            ("type_id", true, 8),
            ("sec_name_off", false, 9),
            ("type_id", true, 3),
            ("sec_name_off", false, 1),
            ("file_name_off", false, 5),
            ("line_off", false, 6),
            ("sec_name_off", false, 1),
            ("type_id", true, 5),
            ("access_str_off", false, 6),
        ];
        assert_eq!(fields, expected);
        let mut left = 4;
        let fail = |_, _| {
            left -= 1;
            if left == 0 { Err("enough") } else { Ok(()) }
        };
        assert_eq!((ext.try_for_each_field(fail), left), (Err("enough"), 0));
    }

    #[test]
    fn fields_change_in_place_and_tails_stay() {
        let longer: &[u32] = &[12, 1, 2, 0, 7, 99, 64, 8, 98, /**/ 9, 1, 0, 3, 97];
        let mut blob = blob(40, [longer, LINES, RELOS]);
        let before = blob.clone();
        let mut ext = RawBtfExtMut::parse(&mut blob).unwrap();
        ext.try_for_each_field(|_, _| Ok::<_, ()>(())).unwrap();
        let mut positions = Vec::new();
        ext.try_for_each_field(|field, value| {
            *value += 100;
            positions.push(field.at);
            Ok::<_, ()>(())
        })
        .unwrap();
        assert_eq!(positions.len(), 11);
        for at in (0..before.len()).step_by(4) {
            let added = if positions.contains(&at) { 100 } else { 0 };
            assert_eq!(word(&blob, at), word(&before, at) + added, "at {at}");
        }
        let failed = RawBtfExtMut::parse(&mut blob).unwrap().try_for_each_field(|field, _| Err(field.name));
        assert_eq!(failed, Err("sec_name_off"));
    }
}

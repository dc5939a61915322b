//! Type records: 12 bytes each, and the data that follows them.
//!
//! Source: `Documentation/bpf/btf.rst`, "Type Encoding"; `btf_parse_type_sec`
//! in `tools/lib/bpf/btf.c`.

use core::convert::Infallible;

use crate::{
    Array, ByteOrder, DeclTag, Enum64Value, EnumValue, Error, Field, Info, IntData, Kind, Layout, Member, Param, Shape,
    TypeRecord, Var, VarSecinfo, Words, shape,
};

/// A type record, borrowed from its blob: the 12 bytes that every record has,
/// and the data that follows them.
///
/// ```
/// # fn main() -> Result<(), btf_format::Error> {
/// use btf_format::{Data, RawBtf, Word};
///
/// # let mut bytes = std::fs::read("doc/kernel.btf").unwrap();
/// # btf_format::convert(&mut bytes, btf_format::ByteOrder::NATIVE)?;
/// let btf = RawBtf::parse(&bytes)?;
/// let list_head = btf.records().nth(11).unwrap()?; // type 12
/// let Data::Members(members) = list_head.data() else { panic!("{list_head:?}") };
/// assert_eq!((members.len(), members[1].offset()), (2, 64));
///
/// let mut ids = Vec::new();
/// list_head.for_each_field(|field, value| if field.holds == Word::Id { ids.push(value) });
/// assert_eq!(ids, [13, 13]); // both members are pointers to it
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    head: &'a TypeRecord,
    bytes: &'a [u8],
    offset: u64,
}

impl<'a> Record<'a> {
    /// Takes the record at the start of `bytes`, in native byte order. `offset`
    /// is its position in its blob in bytes, and `layout` gives the sizes of
    /// unknown kinds.
    ///
    /// # Errors
    ///
    /// If the record exceeds `bytes`, or its size is unknown.
    #[inline]
    pub fn first(bytes: &'a [u8], offset: u64, layout: Layout<'_>) -> Result<Self, Error> {
        let (head, size) = measure(bytes, offset, ByteOrder::NATIVE, layout)?;
        Ok(Self { head, bytes: bytes.get(..size).unwrap_or_default(), offset })
    }

    /// The first 12 bytes.
    #[must_use]
    #[inline]
    pub const fn head(&self) -> &'a TypeRecord {
        self.head
    }

    /// The kind; `None` if this library does not model it.
    #[must_use]
    #[inline]
    pub fn kind(&self) -> Option<Kind> {
        self.head.info().kind()
    }

    /// All bytes of the record.
    #[must_use]
    #[inline]
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Position of the record in its blob, in bytes.
    #[must_use]
    #[inline]
    pub const fn offset(&self) -> u64 {
        self.offset
    }

    /// The data after the first 12 bytes, by kind.
    #[must_use]
    #[inline]
    pub fn data(&self) -> Data<'a> {
        let rest = self.bytes.get(size_of::<TypeRecord>()..).unwrap_or_default();
        Data::of(self.head.info(), rest)
    }

    /// Calls `visit` with each word of the record that is a type id or a name
    /// offset, in ascending order of positions.
    ///
    /// The third word of a FWD is not a reference. If
    /// [`Shape::of`](crate::Shape::of) does not know the kind, only the name is
    /// visited.
    #[inline]
    pub fn for_each_field(&self, mut visit: impl FnMut(Field, u32)) {
        let info = self.head.info();
        match info.kind() {
            Some(kind) => {
                shape::walk(kind, info.vlen(), self.bytes, &mut visit);
            }
            None => walk_other(self.head, self.bytes, &mut visit),
        }
    }

    /// Iterates over all words of the record with their roles, including the
    /// first three.
    ///
    /// Use it to compare or hash records without their ids and names.
    #[inline]
    pub fn words(&self) -> Words<'a> {
        Words::new(self.head.info().kind_number(), self.bytes)
    }

    /// Checks that the roles of all words are known, so that all ids and names
    /// are found.
    ///
    /// # Errors
    ///
    /// [`Error::OpaqueKind`] if only the size of the record is known.
    pub fn check_roles(&self) -> Result<(), Error> {
        check_roles(self.head.info().kind_number(), self.offset)
    }
}

/// Visits the fields of a record whose kind is not modeled, if `bytes` contain
/// the whole record.
#[cold]
fn walk_other(head: &TypeRecord, bytes: &[u8], visit: &mut dyn FnMut(Field, u32)) {
    let info = head.info();
    let size = match Layout::NONE.record_size(info, 0) {
        Ok(size) => usize::try_from(size).ok(),
        // Only the name of an unknown kind is known.
        Err(_) => Some(size_of::<TypeRecord>()),
    };
    if let Some(record) = size.and_then(|size| bytes.get(..size)) {
        shape::walk_any(info.kind_number(), record, visit);
    }
}

fn check_roles(kind: u8, offset: u64) -> Result<(), Error> {
    if Shape::of(kind).is_some() { Ok(()) } else { Err(Error::OpaqueKind { offset, kind }) }
}

/// A type record whose ids and names can be changed in place.
#[derive(Debug)]
pub struct RecordMut<'a> {
    info: Info,
    bytes: &'a mut [u8],
    offset: u64,
}

impl RecordMut<'_> {
    /// The kind; `None` if this library does not model it.
    #[must_use]
    pub const fn kind(&self) -> Option<Kind> {
        self.info.kind()
    }

    /// Kind, vlen and `kind_flag`.
    #[must_use]
    pub const fn info(&self) -> Info {
        self.info
    }

    /// Position of the record in its blob, in bytes.
    #[must_use]
    pub const fn offset(&self) -> u64 {
        self.offset
    }

    /// Checks that the roles of all words are known, so that all ids and names
    /// can be changed.
    ///
    /// # Errors
    ///
    /// [`Error::OpaqueKind`] if only the size of the record is known.
    pub fn check_roles(&self) -> Result<(), Error> {
        check_roles(self.info.kind_number(), self.offset)
    }

    /// Replaces each word that is a type id or a name offset by the result of
    /// `change`, in ascending order of positions. These are the fields that
    /// [`Record::for_each_field`] visits.
    ///
    /// A record with unknown words may have other ids and names: before you
    /// renumber types or strings, call [`RecordMut::check_roles`].
    pub fn for_each_field(&mut self, mut change: impl FnMut(Field, u32) -> u32) {
        let Ok(()) = self.try_for_each_field(|field, value| {
            *value = change(field, *value);
            Ok::<_, Infallible>(())
        });
    }

    /// Calls `change` with each word that is a type id or a name offset, as
    /// [`RecordMut::for_each_field`] does. Stops at the first error.
    ///
    /// # Errors
    ///
    /// The first error of `change`. The words before that one are already
    /// changed.
    pub fn try_for_each_field<E>(&mut self, change: impl FnMut(Field, &mut u32) -> Result<(), E>) -> Result<(), E> {
        shape::walk_mut(self.info.kind_number(), self.bytes, change)
    }
}

/// Data after the first 12 bytes of a record.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Data<'a> {
    /// No data: PTR, FWD, TYPEDEF, VOLATILE, CONST, RESTRICT, FUNC, FLOAT,
    /// TYPE_TAG.
    None,
    /// Data of an INT.
    Int(&'a IntData),
    /// Data of an ARRAY.
    Array(&'a Array),
    /// Members of a STRUCT or UNION.
    Members(&'a [Member]),
    /// Values of an ENUM.
    Values(&'a [EnumValue]),
    /// Values of an ENUM64.
    Values64(&'a [Enum64Value]),
    /// Parameters of a FUNC_PROTO.
    Params(&'a [Param]),
    /// Data of a VAR.
    Var(&'a Var),
    /// Entries of a DATASEC.
    Secinfos(&'a [VarSecinfo]),
    /// Data of a DECL_TAG.
    DeclTag(&'a DeclTag),
    /// Data of a kind that this library does not model.
    Unknown(&'a [u8]),
}

impl<'a> Data<'a> {
    #[inline]
    fn of(info: Info, rest: &'a [u8]) -> Self {
        let count = info.vlen();
        let Some(kind) = info.kind() else {
            return Self::Unknown(rest);
        };
        match kind {
            Kind::Int => IntData::first(rest).map_or(Self::None, Self::Int),
            Kind::Array => Array::first(rest).map_or(Self::None, Self::Array),
            Kind::Struct | Kind::Union => Self::Members(Member::list(rest, count)),
            Kind::Enum => Self::Values(EnumValue::list(rest, count)),
            Kind::Enum64 => Self::Values64(Enum64Value::list(rest, count)),
            Kind::FuncProto => Self::Params(Param::list(rest, count)),
            Kind::Var => Var::first(rest).map_or(Self::None, Self::Var),
            Kind::Datasec => Self::Secinfos(VarSecinfo::list(rest, count)),
            Kind::DeclTag => DeclTag::first(rest).map_or(Self::None, Self::DeclTag),
            Kind::Ptr
            | Kind::Fwd
            | Kind::Typedef
            | Kind::Volatile
            | Kind::Const
            | Kind::Restrict
            | Kind::Func
            | Kind::Float
            | Kind::TypeTag => Self::None,
        }
    }
}

/// Iterator over the records of a type section. The first record has the first
/// own id (1 if the BTF is not split), the next one the id after that, and so
/// on.
///
/// Yields an error for a record that exceeds the section or has an unknown
/// size, and nothing after it.
#[derive(Debug, Clone)]
pub struct Records<'a> {
    rest: &'a [u8],
    offset: u64,
    layout: Layout<'a>,
}

impl<'a> Records<'a> {
    /// Takes the contents of a type section in native byte order. `offset` is
    /// its position in its blob in bytes.
    #[must_use]
    pub const fn new(section: &'a [u8], offset: u64, layout: Layout<'a>) -> Self {
        Self { rest: section, offset, layout }
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<Record<'a>, Error>;

    /// Uses the table of sizes, as nothing else depends on the kind here.
    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let offset = self.offset;
        let record = measure(self.rest, offset, ByteOrder::NATIVE, self.layout).map(|(head, size)| {
            let (bytes, rest) = self.rest.split_at(size);
            (self.rest, self.offset) = (rest, offset + size as u64);
            Record { head, bytes, offset }
        });
        Some(record.inspect_err(|_| self.rest = &[]))
    }
}

impl core::iter::FusedIterator for Records<'_> {}

/// Iterator over the records of a type section that changes them in place.
///
/// Yields an error for a record that exceeds the section or has an unknown
/// size, and nothing after it.
///
/// ```
/// # fn main() -> Result<(), btf_format::Error> {
/// use btf_format::{Header, Layout, RawBtf, RecordsMut, Word};
///
/// # let mut bytes = std::fs::read("doc/kernel.btf").unwrap();
/// # btf_format::convert(&mut bytes, btf_format::ByteOrder::NATIVE)?;
/// // All ids one higher, to make room for a type in front.
/// let header = Header::parse(&bytes)?;
/// let (types, offset) = (header.types(), header.types().start as u64);
/// for record in RecordsMut::new(&mut bytes[types], offset, Layout::NONE) {
///     record?.for_each_field(|field, value| match field.holds {
///         Word::Id if value != 0 => value + 1,
///         _ => value,
///     });
/// }
/// let pointer = RawBtf::parse(&bytes)?.records().nth(12).unwrap()?;
/// assert_eq!(pointer.head().size_or_type(), 13); // was 12
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct RecordsMut<'a> {
    rest: &'a mut [u8],
    offset: u64,
    layout: Layout<'a>,
}

impl<'a> RecordsMut<'a> {
    /// Takes the contents of a type section in native byte order. `offset` is
    /// its position in its blob in bytes, and `layout` gives the sizes of
    /// unknown kinds.
    #[must_use]
    pub const fn new(section: &'a mut [u8], offset: u64, layout: Layout<'a>) -> Self {
        Self { rest: section, offset, layout }
    }

    fn take(&mut self) -> Result<RecordMut<'a>, Error> {
        let rest = core::mem::take(&mut self.rest);
        let offset = self.offset;
        let (head, size) = measure(rest, offset, ByteOrder::NATIVE, self.layout)?;
        let info = head.info();
        let (bytes, rest) = rest.split_at_mut(size);
        self.rest = rest;
        self.offset += size as u64;
        Ok(RecordMut { info, bytes, offset })
    }
}

impl<'a> Iterator for RecordsMut<'a> {
    type Item = Result<RecordMut<'a>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        (!self.rest.is_empty()).then(|| self.take())
    }
}

impl core::iter::FusedIterator for RecordsMut<'_> {}

/// Returns the first 12 bytes of the record at the start of `rest`, and its
/// size in bytes, after checking that it does not exceed `rest`. The byte order
/// need not be native.
#[inline]
pub(crate) fn measure<'a>(
    rest: &'a [u8],
    offset: u64,
    order: ByteOrder,
    layout: Layout<'_>,
) -> Result<(&'a TypeRecord, usize), Error> {
    let available = rest.len() as u64;
    let head = TypeRecord::first(rest).ok_or(Error::RecordTruncated {
        offset,
        needed: size_of::<TypeRecord>() as u64,
        available,
    })?;
    let info = Info::from_word(order.fix(head.info_word()));
    let needed = layout.record_size(info, offset)?;
    if needed > available {
        return Err(Error::RecordTruncated { offset, needed, available });
    }
    Ok((head, needed as usize))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{LayoutEntry, Word};

    fn record(kind: u8, vlen: u32, third: u32, rest: &[u32]) -> Vec<u8> {
        let info = Info::new(kind, vlen, false).unwrap();
        let mut bytes = TypeRecord::new(1, info.word(), third).as_bytes().to_vec();
        bytes.extend(rest.iter().flat_map(|word| word.to_ne_bytes()));
        bytes
    }

    #[test]
    fn records_follow_each_other() {
        let mut section = record(1, 0, 4, &[0x0100_0020]);
        section.extend(record(4, 2, 8, &[5, 1, 0, 7, 2, 32]));
        section.extend(record(12, 1, 9, &[]));
        let records: Vec<_> = Records::new(&section, 100, Layout::NONE).map(Result::unwrap).collect();
        assert_eq!(records.iter().map(Record::offset).collect::<Vec<_>>(), [100, 116, 152]);
        assert!(matches!(records[0].data(), Data::Int(int) if int.bits() == 32));
        let Data::Members(members) = records[1].data() else { panic!("no members") };
        assert_eq!(members, [Member::new(5, 1, 0), Member::new(7, 2, 32)]);
        assert!(matches!(records[2].data(), Data::None));
        let mut fields = Vec::new();
        records[1].for_each_field(|field, value| fields.push((field.holds, field.at, value)));
        assert_eq!(
            fields,
            [(Word::Name, 0, 1), (Word::Name, 12, 5), (Word::Id, 16, 1), (Word::Name, 24, 7), (Word::Id, 28, 2)]
        );
    }

    #[test]
    fn a_record_beyond_the_end_is_the_last() {
        let mut section = record(1, 0, 4, &[0]);
        section.extend(record(4, 0xff_ffff, 8, &[5, 1, 0]));
        let mut records = Records::new(&section, 24, Layout::NONE);
        assert!(records.next().unwrap().is_ok());
        let error = Error::RecordTruncated { offset: 40, needed: 12 + 12 * 0xff_ffff, available: 24 };
        assert_eq!(records.next().unwrap().unwrap_err(), error);
        assert!(records.next().is_none());
        let mut copy = section.clone();
        let mut records = RecordsMut::new(&mut copy, 24, Layout::NONE);
        assert!(records.next().unwrap().is_ok());
        assert_eq!(records.next().unwrap().unwrap_err(), error);
        assert!(records.next().is_none() && records.next().is_none());
        for len in 1..12 {
            let mut records = Records::new(&section[..len], 24, Layout::NONE);
            assert!(records.next().unwrap().is_err());
            assert!(records.next().is_none());
        }
    }

    #[test]
    fn an_unknown_kind_is_sized_by_the_layout_and_told_by_name_only() {
        let mut section = record(99, 2, 7, &[1, 2, 3, 4]);
        section.extend(record(2, 0, 3, &[]));
        assert_eq!(
            Records::new(&section, 24, Layout::NONE).next().unwrap().unwrap_err(),
            Error::UnknownKind { offset: 24, kind: 99 }
        );
        let entries: Vec<u8> = (0..100).flat_map(|_| LayoutEntry::new(8, 4, 0).as_bytes().to_vec()).collect();
        let records: Vec<_> = Records::new(&section, 24, Layout::new(&entries)).map(Result::unwrap).collect();
        assert_eq!(records.len(), 2);
        assert!(matches!(records[0].data(), Data::Unknown(bytes) if bytes.len() == 16));
        let mut fields = Vec::new();
        records[0].for_each_field(|field, value| fields.push((field.holds, value)));
        assert_eq!(fields, [(Word::Name, 1)]);
        assert_eq!(records[0].check_roles(), Err(Error::OpaqueKind { offset: 24, kind: 99 }));
        assert_eq!(records[1].check_roles(), Ok(()));
    }

    #[test]
    fn records_of_unknown_kinds_change_as_far_as_they_are_known() {
        let mut section = record(99, 2, 7, &[1, 2, 3, 4]);
        section.extend(record(2, 0, 3, &[]));
        let mut records = RecordsMut::new(&mut section, 24, Layout::NONE);
        assert_eq!(records.next().unwrap().unwrap_err(), Error::UnknownKind { offset: 24, kind: 99 });
        assert!(records.next().is_none());
        let entries: Vec<u8> = (0..100).flat_map(|_| LayoutEntry::new(8, 4, 0).as_bytes().to_vec()).collect();
        let mut opaque = Vec::new();
        for record in RecordsMut::new(&mut section, 24, Layout::new(&entries)) {
            let mut record = record.unwrap();
            record.for_each_field(|_, value| value + 10);
            opaque.push(record.check_roles().err());
        }
        assert_eq!(opaque, [Some(Error::OpaqueKind { offset: 24, kind: 99 }), None]);
        let mut expected = record(99, 2, 7, &[1, 2, 3, 4]);
        expected.extend(record(2, 0, 13, &[]));
        for start in [0, 28] {
            expected[start..start + 4].copy_from_slice(&11u32.to_ne_bytes());
        }
        assert_eq!(section, expected);
    }

    #[test]
    fn references_of_locations_change_too() {
        let mut section = record(20, 1, 4, &[8, 1]);
        section.extend(record(21, 2, 0, &[1, 0]));
        section.extend(record(22, 1, 0, &[5, 2, 64]));
        for record in RecordsMut::new(&mut section, 0, Layout::NONE) {
            let mut record = record.unwrap();
            record.check_roles().unwrap();
            record
                .for_each_field(|field, value| if field.holds == Word::Id && value != 0 { value + 10 } else { value });
        }
        let mut expected = record(20, 1, 4, &[8, 1]);
        expected.extend(record(21, 2, 0, &[11, 0]));
        expected.extend(record(22, 1, 0, &[15, 12, 64]));
        assert_eq!(section, expected);
        let cut = &expected[..expected.len() - 1];
        assert_eq!(Records::new(cut, 0, Layout::NONE).filter(Result::is_err).count(), 1);
    }

    #[test]
    fn ids_and_names_change_in_place() {
        let mut section = record(4, 1, 8, &[5, 1, 0]);
        section.extend(record(2, 0, 1, &[]));
        for record in RecordsMut::new(&mut section, 0, Layout::NONE) {
            record.unwrap().for_each_field(|field, value| match field.holds {
                Word::Id => value + 10,
                _ => value + 100,
            });
        }
        let mut expected = record(4, 1, 8, &[105, 11, 0]);
        expected.extend(record(2, 0, 11, &[]));
        for start in [0, 24] {
            expected[start..start + 4].copy_from_slice(&101u32.to_ne_bytes());
        }
        assert_eq!(section, expected);
    }
}

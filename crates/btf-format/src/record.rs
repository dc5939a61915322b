//! Type records: one after the other, each with what follows its 12 bytes.
//!
//! Source: `Documentation/bpf/btf.rst`, "Type Encoding"; `btf_parse_type_sec`
//! in `tools/lib/bpf/btf.c`.

use crate::{
    Array, ByteOrder, DeclTag, Enum64Value, EnumValue, Error, Field, Info, IntData, Kind, Layout, Member, Param,
    TypeRecord, Var, VarSecinfo, Visitor, Word, shape,
};

/// A type record, borrowed from its blob: the 12 bytes that every record has,
/// and all that follows them.
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    head: &'a TypeRecord,
    bytes: &'a [u8],
    offset: u64,
}

impl<'a> Record<'a> {
    /// The first 12 bytes.
    #[must_use]
    #[inline]
    pub const fn head(&self) -> &'a TypeRecord {
        self.head
    }

    /// The kind, `None` where this library does not model it.
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

    /// Where the record lies in its blob, in bytes.
    #[must_use]
    #[inline]
    pub const fn offset(&self) -> u64 {
        self.offset
    }

    /// What follows the first 12 bytes, as what it is.
    #[must_use]
    #[inline]
    pub fn data(&self) -> Data<'a> {
        let rest = self.bytes.get(size_of::<TypeRecord>()..).unwrap_or_default();
        Data::of(self.head.info(), rest)
    }

    /// Calls `visitor` with each word of the record that is the id of a type or
    /// the offset of a name, in the order in which they lie.
    ///
    /// A FWD refers to nothing, its third word notwithstanding. Of a kind
    /// that this library does not model only the name is known.
    #[inline]
    pub fn for_each_field(&self, mut visitor: impl FnMut(Field, u32)) {
        walk(self.head, self.bytes, &mut visitor);
    }
}

/// Visits the fields of the record that `bytes` begin with; returns its size
/// if its kind is one that this library models.
#[inline(always)]
fn walk(head: &TypeRecord, bytes: &[u8], visitor: &mut impl Visitor) -> Option<u64> {
    let info = head.info();
    match info.kind() {
        Some(kind) => Some(shape::walk(kind, info.vlen(), bytes, visitor)),
        None => {
            visitor.visit(Field { kind: None, holds: Word::Name, at: 0 }, head.name_off());
            None
        }
    }
}

/// A type record whose ids and names can be changed in place.
#[derive(Debug)]
pub struct RecordMut<'a> {
    kind: Kind,
    bytes: &'a mut [u8],
    offset: u64,
}

impl RecordMut<'_> {
    /// The kind.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// Where the record lies in its blob, in bytes.
    #[must_use]
    pub const fn offset(&self) -> u64 {
        self.offset
    }

    /// Puts what `change` makes of it in the place of each word that is the
    /// id of a type or the offset of a name, in the order in which they lie:
    /// the same ones that [`Record::for_each_field`] visits.
    pub fn for_each_field(&mut self, mut change: impl FnMut(Field, u32) -> u32) {
        let vlen = TypeRecord::first(self.bytes).map_or(0, |head| head.info().vlen());
        shape::walk_mut(self.kind, vlen, self.bytes, &mut change);
    }
}

/// What follows the first 12 bytes of a record.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Data<'a> {
    /// Nothing: PTR, FWD, TYPEDEF, VOLATILE, CONST, RESTRICT, FUNC, FLOAT,
    /// TYPE_TAG.
    None,
    /// Of an INT.
    Int(&'a IntData),
    /// Of an ARRAY.
    Array(&'a Array),
    /// Of a STRUCT or UNION.
    Members(&'a [Member]),
    /// Of an ENUM.
    Values(&'a [EnumValue]),
    /// Of an ENUM64.
    Values64(&'a [Enum64Value]),
    /// Of a FUNC_PROTO.
    Params(&'a [Param]),
    /// Of a VAR.
    Var(&'a Var),
    /// Of a DATASEC.
    Secinfos(&'a [VarSecinfo]),
    /// Of a DECL_TAG.
    DeclTag(&'a DeclTag),
    /// Of a kind that this library does not model.
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

/// Iterator over the records of a type section: the first has the first own
/// id (1 if the BTF is not split), the next the id after that, and so on.
///
/// Yields an error where a record does not fit the section or is of an
/// unknown size, and nothing after it.
#[derive(Debug, Clone)]
pub struct Records<'a> {
    rest: &'a [u8],
    offset: u64,
    layout: Layout<'a>,
}

impl<'a> Records<'a> {
    /// Takes the bytes of a type section in native byte order; `offset` is
    /// where it lies in its blob, in bytes.
    #[must_use]
    pub const fn new(section: &'a [u8], offset: u64, layout: Layout<'a>) -> Self {
        Self { rest: section, offset, layout }
    }
}

impl<'a> Records<'a> {
    /// The next record, as the iterator yields it, after `visitor` was called
    /// with each of its fields: the same as [`Record::for_each_field`] on
    /// what `next` yields, in a single step.
    #[inline(always)]
    pub fn next_visited(&mut self, visitor: &mut impl Visitor) -> Option<Result<Record<'a>, Error>> {
        if self.rest.is_empty() {
            return None;
        }
        Some(self.take(visitor).inspect_err(|_| self.rest = &[]))
    }

    #[inline(always)]
    fn take(&mut self, visitor: &mut impl Visitor) -> Result<Record<'a>, Error> {
        let offset = self.offset;
        let available = self.rest.len() as u64;
        let Some(head) = TypeRecord::first(self.rest) else {
            let needed = size_of::<TypeRecord>() as u64;
            return Err(Error::RecordTruncated { offset, needed, available });
        };
        let needed = match walk(head, self.rest, visitor) {
            Some(size) => size,
            None => self.layout.record_size(head.info(), offset)?,
        };
        match usize::try_from(needed).ok().and_then(|size| self.rest.split_at_checked(size)) {
            Some((bytes, rest)) => {
                self.rest = rest;
                self.offset += needed;
                Ok(Record { head, bytes, offset })
            }
            None => Err(Error::RecordTruncated { offset, needed, available }),
        }
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<Record<'a>, Error>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.next_visited(&mut |_: Field, _| {})
    }
}

impl core::iter::FusedIterator for Records<'_> {}

/// Iterator over the records of a type section, to change them in place.
///
/// Yields an error where a record does not fit the section, or is of a kind
/// whose words cannot be interpreted, and nothing after it.
#[derive(Debug)]
pub struct RecordsMut<'a> {
    rest: &'a mut [u8],
    offset: u64,
}

impl<'a> RecordsMut<'a> {
    /// Takes the bytes of a type section in native byte order; `offset` is
    /// where it lies in its blob, in bytes.
    #[must_use]
    pub const fn new(section: &'a mut [u8], offset: u64) -> Self {
        Self { rest: section, offset }
    }

    fn take(&mut self) -> Result<RecordMut<'a>, Error> {
        let rest = core::mem::take(&mut self.rest);
        let offset = self.offset;
        let (head, size) = measure(rest, offset, ByteOrder::NATIVE, Layout::NONE)?;
        let kind = head.info().kind().ok_or(Error::OpaqueKind { offset, kind: head.info().kind_number() })?;
        let (bytes, rest) = rest.split_at_mut(size);
        self.rest = rest;
        self.offset += size as u64;
        Ok(RecordMut { kind, bytes, offset })
    }
}

impl<'a> Iterator for RecordsMut<'a> {
    type Item = Result<RecordMut<'a>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        (!self.rest.is_empty()).then(|| self.take())
    }
}

/// Finds where the record that `rest` begins with ends, so that it lies
/// wholly within `rest`; all that is needed of the record's byte order.
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
    use crate::LayoutEntry;

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
        let mut section = record(20, 0, 0, &[0]);
        let mut records = RecordsMut::new(&mut section, 24);
        assert_eq!(records.next().unwrap().unwrap_err(), Error::OpaqueKind { offset: 24, kind: 20 });
        assert!(records.next().is_none());
    }

    #[test]
    fn ids_and_names_change_in_place() {
        let mut section = record(4, 1, 8, &[5, 1, 0]);
        section.extend(record(2, 0, 1, &[]));
        for record in RecordsMut::new(&mut section, 0) {
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

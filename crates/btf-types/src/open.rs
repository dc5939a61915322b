//! Checks at opening: one walk over all records, which also makes the index.
//!
//! Guarantees afterwards, on which all views rely:
//!
//! * The records lie within the type section and fill it exactly.
//! * Each id in a record of a known kind is below the number of types (except
//!   that of FWD, which has no meaning).
//! * Each name offset is below the number of bytes of strings.
//! * Each FUNC refers to a FUNC_PROTO.
//!
//! The walk also finds the INTs, which give the pointer size and show whether
//! there are bitfields from before Linux 5.0, and kinds that are not modeled.
//!
//! The walk tracks only the largest id and name offset. If one is out of range,
//! a second walk finds the record at fault.

use alloc::{boxed::Box, vec, vec::Vec};

use btf_format::{Field, IntData, Kind, Layout, RawBtf, Record, Records, TypeRecord, Visitor, Word};

use crate::{Error, layer::Layer, ty::Type};

/// Results of checking a blob.
pub(crate) struct Index {
    /// Offset of each record in the type section.
    pub(crate) offsets: Box<[u32]>,
    /// Size of a pointer in bytes, if the name of an INT shows it.
    pub(crate) pointer_size: Option<u8>,
    /// True if an INT does not fill its bytes.
    pub(crate) irregular_ints: bool,
    /// True if all types are of kinds 1 to 19.
    pub(crate) only_kinds: bool,
}

/// Checks a blob.
pub(crate) fn check(raw: &RawBtf<'_>, base: Option<&Layer>) -> Result<Index, Error> {
    if base.is_none() && !raw.strings().begins_with_empty() {
        return Err(Error::SplitWithoutBase);
    }
    let first_id = base.map_or(1, Layer::type_count);
    let strings_len = u64::from(base.map_or(0, Layer::strings_len)) + raw.strings().as_bytes().len() as u64;
    let strings_len = u32::try_from(strings_len).map_err(|_| Error::TooLarge { what: "bytes of strings" })?;
    let layout = raw.layout().or(base.map_or(Layout::NONE, Layer::layout));

    let section = raw.types();
    let start = raw.header().types().start as u64;
    // Kernels have about 25 bytes per type. More capacity is rarely needed, and
    // never more than twice as much.
    let mut offsets = Vec::with_capacity(section.len() / 24);
    let mut seen = Seen::new(Protos::new(section.len() / 12, first_id, base));
    let mut records = Records::new(section, start, layout);
    while let Some(record) = records.next_visited(&mut seen) {
        offsets.push((record?.offset() - start) as u32);
        seen.records += 1;
    }
    let Seen { largest, protos, ints, only_kinds, .. } = seen;
    let count = u64::from(first_id) + offsets.len() as u64;
    let count = u32::try_from(count).map_err(|_| Error::TooLarge { what: "types" })?;
    let sound = largest.id < count && largest.name < strings_len && protos.all_there();
    if !sound {
        let limits = Limits { count, strings_len, protos: &protos };
        limits.find_fault(Records::new(section, start, layout).flatten())?;
    }
    let string_at = |offset: u32| match base {
        Some(base) if offset < base.strings_len() => base.string_at(offset),
        base => {
            let own = offset - base.map_or(0, Layer::strings_len);
            raw.strings().as_bytes().get(own as usize..).unwrap_or_default()
        }
    };
    let ints = ints.into_iter().filter_map(|index| OpenedInt::new(section.get(*offsets.get(index)? as usize..)?));
    let (mut pointer_size, mut irregular_ints) = (None, false);
    for int in ints {
        pointer_size = pointer_size.or_else(|| int.pointer_size(string_at));
        irregular_ints |= !int.data.is_regular(int.size);
    }
    Ok(Index { offsets: offsets.into_boxed_slice(), pointer_size, irregular_ints, only_kinds })
}

/// An INT before the BTF is open.
struct OpenedInt {
    name_off: u32,
    size: u32,
    data: IntData,
}

impl OpenedInt {
    fn new(record: &[u8]) -> Option<Self> {
        let head = TypeRecord::first(record)?;
        let data = *IntData::first(record.get(size_of::<TypeRecord>()..)?)?;
        Some(Self { name_off: head.name_off(), size: head.size_or_type(), data })
    }

    /// Returns the pointer size: that of the first integer with one of the
    /// names of `long`.
    ///
    /// Source: `determine_ptr_size` in `tools/lib/bpf/btf.c`.
    fn pointer_size<'a>(&self, string_at: impl Fn(u32) -> &'a [u8]) -> Option<u8> {
        const NAMES: [&str; 11] = [
            "long",
            "long int",
            "int long",
            "unsigned long",
            "long unsigned",
            "unsigned long int",
            "unsigned int long",
            "long unsigned int",
            "long int unsigned",
            "int unsigned long",
            "int long unsigned",
        ];
        if !matches!(self.size, 4 | 8) {
            return None;
        }
        // The end of the name is not searched, as millions may share it.
        let text = string_at(self.name_off);
        let is = |name: &str| text.strip_prefix(name.as_bytes()).is_some_and(|rest| rest.first() == Some(&0));
        NAMES.into_iter().any(is).then_some(self.size as u8)
    }
}

/// State of the walk over the records.
struct Seen<'a> {
    /// Number of records.
    records: usize,
    largest: Largest,
    protos: Protos<'a>,
    /// Indices of the INTs.
    ints: Vec<usize>,
    /// True if all records are of kinds 1 to 19.
    only_kinds: bool,
}

impl<'a> Seen<'a> {
    fn new(protos: Protos<'a>) -> Self {
        Self { records: 0, largest: Largest::default(), protos, ints: Vec::new(), only_kinds: true }
    }
}

impl Visitor for Seen<'_> {
    #[inline(always)]
    fn visit(&mut self, field: Field, value: u32) {
        self.largest.take(field.holds, value);
        match (field.kind, field.holds) {
            (Some(Kind::Func), Word::Id) => self.protos.is_wanted(value),
            (Some(Kind::FuncProto), Word::Name) if field.at == 0 => self.protos.is_one(self.records),
            (Some(Kind::Int), Word::Name) => self.ints.push(self.records),
            (None, _) => self.only_kinds = false,
            _ => {}
        }
    }
}

/// Largest id and largest name offset of all records.
#[derive(Default)]
struct Largest {
    id: u32,
    name: u32,
}

impl Largest {
    #[inline(always)]
    fn take(&mut self, holds: Word, value: u32) {
        let largest = match holds {
            Word::Id => &mut self.id,
            _ => &mut self.name,
        };
        *largest = value.max(*largest);
    }
}

/// Own types that are FUNC_PROTOs, and those that FUNCs refer to.
struct Protos<'a> {
    first_id: u32,
    base: Option<&'a Layer>,
    are: Vec<u64>,
    wanted: Vec<u64>,
    /// True if a FUNC refers to a type of the base that is not a FUNC_PROTO.
    is_wrong_in_base: bool,
}

impl<'a> Protos<'a> {
    fn new(most: usize, first_id: u32, base: Option<&'a Layer>) -> Self {
        let words = most / 64 + 1;
        Self { first_id, base, are: vec![0; words], wanted: vec![0; words], is_wrong_in_base: false }
    }

    #[inline]
    fn is_one(&mut self, index: usize) {
        if let Some(word) = self.are.get_mut(index / 64) {
            *word |= 1 << (index % 64);
        }
    }

    #[inline]
    fn is_wanted(&mut self, id: u32) {
        match id.checked_sub(self.first_id) {
            Some(index) => {
                if let Some(word) = self.wanted.get_mut(index as usize / 64) {
                    *word |= 1 << (index % 64);
                }
            }
            None => self.is_wrong_in_base |= !is_proto_of(self.base, id),
        }
    }

    /// Returns `true` if an id, own or of the base, is that of a FUNC_PROTO.
    fn contains(&self, id: u32) -> bool {
        match id.checked_sub(self.first_id) {
            Some(index) => self.are.get(index as usize / 64).is_some_and(|word| word >> (index % 64) & 1 != 0),
            None => is_proto_of(self.base, id),
        }
    }

    fn all_there(&self) -> bool {
        !self.is_wrong_in_base && self.are.iter().zip(&self.wanted).all(|(are, wanted)| wanted & !are == 0)
    }
}

/// Limits of ids and names, and the targets of FUNCs.
struct Limits<'a> {
    count: u32,
    strings_len: u32,
    protos: &'a Protos<'a>,
}

impl Limits<'_> {
    /// Finds the first record that breaks a rule.
    #[cold]
    fn find_fault<'a>(&self, records: impl Iterator<Item = Record<'a>>) -> Result<(), Error> {
        let split = self.protos.base.is_some();
        for (id, record) in (self.protos.first_id..).zip(records) {
            let offset = record.offset();
            let mut fault = None;
            record.for_each_field(|field, found| {
                let at = offset + field.at as u64;
                let error = match field.holds {
                    Word::Id if found >= self.count => {
                        Error::IdOutOfRange { id, offset, at, found, count: self.count, split }
                    }
                    Word::Name if found >= self.strings_len => {
                        Error::NameOutOfRange { id, offset, at, found, len: self.strings_len, split }
                    }
                    _ => return,
                };
                fault.get_or_insert(error);
            });
            if let Some(fault) = fault {
                return Err(fault);
            }
            let found = record.head().size_or_type();
            if record.kind() == Some(Kind::Func) && !self.protos.contains(found) {
                return Err(Error::FuncWithoutProto { id, offset, found, split });
            }
        }
        Ok(())
    }
}

/// Returns `true` if an id of the base is that of a FUNC_PROTO. Out of line, so
/// that the walk over the records is inlined.
#[inline(never)]
fn is_proto_of(base: Option<&Layer>, id: u32) -> bool {
    base.is_some_and(|base| matches!(base.type_of(id), Type::FuncProto(_)))
}

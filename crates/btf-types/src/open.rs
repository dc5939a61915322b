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
//! The walk also finds kinds that are not modeled, and the INTs, which
//! determine the pointer size and show whether there are bitfields from before
//! Linux 5.0.
//!
//! The walk tracks only the largest id and name offset. If one is out of range,
//! a second walk finds the record at fault.

use alloc::vec::Vec;

use btf_format::{IntData, Kind, Layout, RawBtf, Record, Records, TypeRecord, Word};

use crate::{
    Error,
    layer::Layer,
    protos::Protos,
    walk::{Walk, walk},
};

/// Results of checking a blob.
pub(crate) struct Index {
    /// Offset of each record in the type section.
    pub(crate) offsets: Vec<u32>,
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
    let mut protos = Protos::new(section.len() / 12, first_id, base);
    let walked = match base {
        None => walk::<false>(section, start, layout, &mut protos),
        Some(_) => walk::<true>(section, start, layout, &mut protos),
    };
    let Walk { mut offsets, largest, ints, only_kinds } = walked?;
    // Shrinks only if much capacity is unused: pages that were never touched
    // take no memory.
    if offsets.len() < offsets.capacity() / 4 * 3 {
        offsets.shrink_to_fit();
    }
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
    Ok(Index { offsets, pointer_size, irregular_ints, only_kinds })
}

/// An INT of a BTF that is being opened.
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
        // The name is not read to its end, as millions of INTs may share a long
        // one.
        let text = string_at(self.name_off);
        let is = |name: &str| text.strip_prefix(name.as_bytes()).is_some_and(|rest| rest.first() == Some(&0));
        NAMES.into_iter().any(is).then_some(self.size as u8)
    }
}

/// Limits of ids and name offsets, and the FUNC_PROTOs.
struct Limits<'a> {
    count: u32,
    strings_len: u32,
    protos: &'a Protos<'a>,
}

impl Limits<'_> {
    /// Finds the first record that breaks a rule.
    #[cold]
    fn find_fault<'a>(&self, records: impl Iterator<Item = Record<'a>>) -> Result<(), Error> {
        let split = self.protos.is_split();
        for (id, record) in (self.protos.first_id()..).zip(records) {
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

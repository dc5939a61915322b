//! Distilled bases: only the types of a base that a split BTF refers to, by
//! name and size.
//!
//! Source: `btf__distill_base` in `tools/lib/bpf/btf.c`, which writes the same
//! bytes.

use btf_types::{
    Btf, Kind, Remap,
    format::{Field, Info, Record, TypeRecord, Word},
};

use crate::{
    Builder, Error,
    id_set::IdSet,
    layers::{Layers, name_of, own_records},
    source_strings::{FewStrings, SourceStrings},
    string_table::StringTable,
};

/// Split BTF with a distilled base: see [`distill`].
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Distilled {
    /// The distilled base.
    pub base: Btf,
    /// The split BTF, with [`Distilled::base`] as its base.
    pub split: Btf,
    /// New ids and strings of the split BTF: of its own types, and of those
    /// types of its base that it refers to.
    pub remap: Remap,
}

/// Distills the base of a split BTF: makes a small base with only the types
/// that the split BTF refers to, by name, kind and size, and moves the split
/// BTF to it.
///
/// Kernel modules that are built apart from their kernel carry both
/// (`.BTF.base` and `.BTF`). [`Btf::rebase`] finds the types of the distilled
/// base in the base of another kernel. Anonymous types, and types that only
/// refer to others (pointers, arrays, typedefs), move from the base to the end
/// of the split BTF.
///
/// ```
/// # fn main() -> Result<(), btf_build::Error> {
/// use btf_build::{Builder, IntEncoding, distill};
///
/// let mut b = Builder::new();
/// let int = b.int("int", 4, IntEncoding::SIGNED)?;
/// let skb = b.structure("sk_buff", 4).member("len", int, 0).finish()?;
/// let vmlinux = b.finish()?;
/// let mut b = Builder::on(&vmlinux);
/// let ptr = b.ptr(skb)?;
/// b.structure("peer", 8).member("skb", ptr, 0).finish()?;
/// let module = b.finish()?;
///
/// let distilled = distill(&module)?;
/// let kinds: Vec<_> = distilled.base.types().map(|ty| ty.to_string()).collect();
/// assert_eq!(kinds, ["struct sk_buff"]);
/// let again = distilled.split.rebase(&vmlinux)?;
/// assert_eq!(again.as_bytes(), module.as_bytes());
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// [`Error::NotSplit`]; [`Error::NotDistillable`] if the split BTF refers to a
/// function, variable, section, DECL_TAG or unknown kind of its base;
/// [`Error::Format`] if it has types of unknown kinds.
pub fn distill(split: &Btf) -> Result<Distilled, Error> {
    let base = split.base().ok_or(Error::NotSplit)?;
    split.check_known_kinds()?;
    let wanted = Wanted::new(split, base)?;
    let mut new_ids = vec![0; wanted.ids.len()];

    let (layers, mut names) = (Layers::new(base), FewStrings::default());
    let mut builder = Builder::like(split, None);
    for (record, new_id) in wanted.records().zip(&mut new_ids).filter(|(record, _)| is_kept(record)) {
        *new_id = builder.type_count();
        keep(&mut builder, &record, |offset, table| names.map(&layers, offset, table))?;
    }
    let new_base = builder.finish()?;

    let (first_id, first_new_id) = (split.own_ids().start, new_base.type_count());
    // There are no more types than there were.
    let first_moved = first_new_id + split.own_ids().len() as u32;
    let moved = wanted.records().zip(&mut new_ids).filter(|(record, _)| !is_kept(record));
    let moved: Vec<Record<'_>> = (first_moved..)
        .zip(moved)
        .map(|(id, (record, new_id))| {
            *new_id = id;
            record
        })
        .collect();
    let new_id = |id: u32| match id.checked_sub(first_id) {
        Some(own) => first_new_id + own,
        None => wanted.set.number_of(id).and_then(|number| new_ids.get(number)).copied().unwrap_or(0),
    };
    let mut builder = Builder::like(split, Some(&new_base));
    // The strings that the new base has are there, all others in the split BTF.
    let mut strings = SourceStrings::new(split);
    let mut change = |table: &mut StringTable, field: Field, value| match field.holds {
        Word::Id => Ok(new_id(value)),
        _ => strings.map(split, value, table),
    };
    builder.append_section(split, &mut change)?;
    for record in moved {
        builder.add_rewritten(record.as_bytes(), &mut change)?;
    }
    let new_split = builder.finish()?;

    let mut remap = Remap::builder(0, 0);
    remap.push_ids(0..1, 0);
    for (&old, &new) in wanted.ids.iter().zip(&new_ids) {
        remap.push_ids(old..old + 1, new);
    }
    remap.push_ids(split.own_ids(), first_new_id);
    // The empty string is where it always is.
    remap.push_strings(0..1, 0);
    strings.for_each(split, |old, new| remap.push_strings(old, new));
    Ok(Distilled { base: new_base, split: new_split, remap: remap.finish() })
}

/// The types of a base that a split BTF refers to, and what those consist of.
struct Wanted<'btf> {
    base: &'btf Btf,
    set: IdSet,
    /// Their ids, rising.
    ids: Vec<u32>,
}

impl<'btf> Wanted<'btf> {
    fn new(split: &Btf, base: &'btf Btf) -> Result<Self, Error> {
        let first_id = split.own_ids().start;
        let mut set = IdSet::new(first_id);
        let mut pending = Vec::new();
        for (_, record) in own_records(split) {
            references(&record, |id| {
                if id < first_id && id != 0 && set.insert(id) {
                    pending.push(id);
                }
            });
        }
        while let Some(id) = pending.pop() {
            let record = base.record(id).ok_or_else(|| Error::NoSuchId { id, count: base.type_count() })?;
            check(base, id, &record)?;
            if !is_named_composite(&record) {
                references(&record, |id| {
                    if id != 0 && set.insert(id) {
                        pending.push(id);
                    }
                });
            }
        }
        let ids = set.number();
        Ok(Self { base, set, ids })
    }

    /// Returns the records, by ascending id.
    fn records(&self) -> impl Iterator<Item = Record<'btf>> {
        self.ids.iter().filter_map(|&id| self.base.record(id))
    }
}

/// Checks that a type of the base can be distilled.
fn check(base: &Btf, id: u32, record: &Record<'_>) -> Result<(), Error> {
    match record.kind() {
        None | Some(Kind::Func | Kind::Var | Kind::Datasec | Kind::DeclTag) => {
            Err(Error::NotDistillable { id, kind: record.kind(), name: name_of(base, id) })
        }
        _ => Ok(()),
    }
}

/// Calls `visit` with each id in a record.
fn references(record: &Record<'_>, mut visit: impl FnMut(u32)) {
    record.for_each_field(|field, value| {
        if field.holds == Word::Id {
            visit(value);
        }
    });
}

fn is_named(record: &Record<'_>) -> bool {
    record.head().name_off() != 0
}

fn is_named_composite(record: &Record<'_>) -> bool {
    matches!(record.kind(), Some(Kind::Struct | Kind::Union)) && is_named(record)
}

/// Returns whether a distilled base has a type, in whatever form.
fn is_kept(record: &Record<'_>) -> bool {
    match record.kind() {
        Some(Kind::Int | Kind::Float | Kind::Fwd) => true,
        Some(Kind::Struct | Kind::Union | Kind::Enum | Kind::Enum64) => is_named(record),
        _ => false,
    }
}

/// Adds a type of the base to the distilled base: INT, FLOAT and FWD as they are;
/// structs, unions and enums without what they consist of, ENUM64 as ENUM.
fn keep(
    builder: &mut Builder,
    record: &Record<'_>,
    mut string: impl FnMut(u32, &mut StringTable) -> Result<u32, Error>,
) -> Result<(), Error> {
    let head = record.head();
    let kind = match record.kind() {
        Some(Kind::Enum64) => Some(Kind::Enum),
        kind @ Some(Kind::Struct | Kind::Union | Kind::Enum) => kind,
        _ => None,
    };
    let emptied = kind.map(|kind| TypeRecord::new(head.name_off(), Info::of(kind).word(), head.size_or_type()));
    let bytes = emptied.as_ref().map_or(record.as_bytes(), TypeRecord::as_bytes);
    builder.add_rewritten(bytes, |table, field, value| match field.holds {
        Word::Id => Ok(value),
        _ => string(value, table),
    })
}

//! Distilled bases: of the base of a split BTF only what that refers to, by name
//! and size.
//!
//! Source: `btf__distill_base` in `tools/lib/bpf/btf.c`. The bytes of the result
//! are those that it writes.

use btf_types::{
    Btf, Kind, Remap,
    format::{Info, Record, TypeRecord, Word},
};

use crate::{
    Builder, Error,
    layers::{name_of, own_records},
    source_strings::SourceStrings,
};

/// Split BTF on a distilled base, see [`distill`].
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Distilled {
    /// The distilled base, a BTF that stands alone.
    pub base: Btf,
    /// The split BTF on [`Distilled::base`].
    pub split: Btf,
    /// The new ids and strings of the split BTF: of its own types, and of those
    /// of its base that it refers to.
    pub remap: Remap,
}

/// Distills the base of a split BTF: makes a small base that has just the types
/// that the split BTF refers to, by name, kind and size, and the split BTF on
/// it.
///
/// Kernel modules that are built apart from their kernel carry both
/// (`.BTF.base` and `.BTF`); [`Btf::rebase`] finds the types of the distilled base
/// in that of another kernel. Types without a name, and what just refers to
/// other types (pointers, arrays, typedefs), move from the base to the end of the
/// split BTF.
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
/// [`Error::NotSplit`]; [`Error::NotDistillable`] if it refers to a function,
/// variable, section, tag of a declaration or unknown kind of its base;
/// [`Error::Format`] if it has types of unknown kinds.
pub fn distill(split: &Btf) -> Result<Distilled, Error> {
    let base = split.base().ok_or(Error::NotSplit)?;
    let (first_id, mut strings) = (split.own_ids().start, SourceStrings::new(split));
    let wanted = Wanted::new(split, base)?;

    let mut new_ids = vec![0; first_id as usize];
    let mut set_new_id = |old: u32, new| {
        if let Some(id) = new_ids.get_mut(old as usize) {
            *id = new;
        }
    };
    let mut builder = Builder::new().like(split);
    for (id, record) in wanted.records(true) {
        set_new_id(id, builder.type_count());
        keep(&mut builder, &record, &mut strings)?;
    }
    let new_base = builder.finish()?;

    let first_new_id = new_base.type_count();
    for ((id, _), new) in wanted.records(false).zip(first_new_id + split.own_ids().len() as u32..) {
        set_new_id(id, new);
    }
    let new_id = |id: u32| match id.checked_sub(first_id) {
        Some(own) => first_new_id + own,
        None => new_ids.get(id as usize).copied().unwrap_or(0),
    };
    let mut builder = Builder::on(&new_base).like(split);
    // The strings that the new base has are there, all others in the split BTF.
    let mut strings = SourceStrings::new(split);
    let own = own_records(split).map(|(_, record)| record);
    for record in own.chain(wanted.records(false).map(|(_, record)| record)) {
        builder.add_rewritten(record.as_bytes(), |table, field, value| match field.holds {
            Word::Id => Ok(new_id(value)),
            _ => strings.map(value, table),
        })?;
    }
    let new_split = builder.finish()?;
    let remap = remap(split, &new_ids, new_id, &strings);
    Ok(Distilled { base: new_base, split: new_split, remap })
}

/// The types of a base that a split BTF refers to, and what those consist of.
struct Wanted<'btf> {
    base: &'btf Btf,
    /// Their ids, rising.
    ids: Vec<u32>,
}

impl<'btf> Wanted<'btf> {
    fn new(split: &Btf, base: &'btf Btf) -> Result<Self, Error> {
        let first_id = split.own_ids().start;
        let mut wanted = Self { base, ids: Vec::new() };
        let mut seen = vec![false; first_id as usize];
        let mut pending = Vec::new();
        for (_, record) in own_records(split) {
            record.check_roles()?;
            references(&record, |id| {
                if id < first_id {
                    pending.push(id);
                }
            });
            while let Some(id) = pending.pop() {
                match seen.get_mut(id as usize) {
                    Some(seen) if !*seen && id != 0 => *seen = true,
                    _ => continue,
                }
                wanted.ids.push(id);
                let record = wanted.record(id)?;
                wanted.check(id, &record)?;
                if !is_named_composite(&record) {
                    references(&record, |id| pending.push(id));
                }
            }
        }
        wanted.ids.sort_unstable();
        Ok(wanted)
    }

    fn record(&self, id: u32) -> Result<Record<'btf>, Error> {
        let missing = || Error::NoSuchId { id, count: self.base.type_count() };
        self.base.record(id).ok_or_else(missing)
    }

    /// The records of the types that the distilled base keeps, or of those that
    /// it does not, each with its id.
    fn records(&self, kept: bool) -> impl Iterator<Item = (u32, Record<'btf>)> {
        let records = self.ids.iter().filter_map(|&id| Some((id, self.base.record(id)?)));
        records.filter(move |(_, record)| is_kept(record) == kept)
    }

    fn check(&self, id: u32, record: &Record<'_>) -> Result<(), Error> {
        match record.kind() {
            None | Some(Kind::Func | Kind::Var | Kind::Datasec | Kind::DeclTag) => {
                Err(Error::NotDistillable { id, kind: record.kind(), name: name_of(self.base, id) })
            }
            _ => Ok(()),
        }
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
fn keep(builder: &mut Builder, record: &Record<'_>, strings: &mut SourceStrings) -> Result<(), Error> {
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
        _ => strings.map(value, table),
    })
}

/// The new ids and strings of the split BTF.
fn remap(split: &Btf, new_ids: &[u32], own: impl Fn(u32) -> u32, strings: &SourceStrings) -> Remap {
    let mut remap = Remap::builder(0, 0);
    for (old, &new) in (0..).zip(new_ids) {
        remap.push_id(Some(new).filter(|&new| new != 0 || old == 0));
    }
    split.own_ids().for_each(|id| remap.push_id(Some(own(id))));
    for (layer, map) in strings.maps() {
        map.for_each(layer, |old, new| remap.push_strings(old, new));
    }
    remap.finish()
}

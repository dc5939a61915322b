//! Subsets of BTF: selected types, and selected members of structs and unions.

use std::collections::BTreeSet;

use btf_types::{
    Btf, Kind,
    format::{Data, Info, Record, TypeRecord, Word},
};

use crate::{Builder, Error, layer_places::LayerPlaces, layers::Layers, source_strings::FewStrings};

/// Selection of types of BTF, and of members of its structs and unions.
///
/// [`Subset::finish`] makes BTF of the selection. Types keep their order, and
/// structs and unions their size. References to types outside the selection
/// become `void`.
///
/// Several BTFs split from one base can be selected from together. The selected
/// types of the base are in one new base, which all of them share.
///
/// ```
/// # fn main() -> Result<(), btf_build::Error> {
/// use btf_build::{Builder, IntEncoding, Subset};
/// use btf_types::Struct;
///
/// let mut b = Builder::new();
/// let int = b.int("int", 4, IntEncoding::SIGNED)?;
/// let dev = b.structure("net_device", 4).member("mtu", int, 0).finish()?;
/// let ptr = b.ptr(dev)?;
/// let skb = b.structure("sk_buff", 16).member("dev", ptr, 0).member("len", int, 64).finish()?;
/// let vmlinux = b.finish()?;
///
/// let mut subset = Subset::new();
/// let part = subset.add(&vmlinux);
/// subset.keep(part, int);
/// subset.keep_member(part, skb, 1);
/// let small = subset.finish()?.remove(part);
/// let skb: Struct<'_> = small.find("sk_buff")?;
/// assert_eq!((skb.size(), skb.members().len()), (16, 1));
/// assert_eq!(skb.member("len").unwrap().ty().to_string(), "int");
/// assert_eq!(small.types().len(), 2);
/// # Ok(())
/// # }
/// ```
///
/// Cost: selecting a type takes constant time. Finishing takes time in
/// proportion to the selection, and to the logarithm of the number of its
/// names.
#[derive(Debug, Default)]
pub struct Subset {
    /// A base comes before what is split from it.
    parts: Vec<Part>,
    places: LayerPlaces,
}

/// A BTF that is selected from.
#[derive(Debug)]
struct Part {
    btf: Btf,
    /// The number of the part that this is split from.
    base: Option<usize>,
    /// A bit for each own type.
    kept: Vec<u64>,
    /// The ids of the types that are kept, in the order in which they were.
    ids: Vec<u32>,
    /// Members that are kept: the id of their struct or union, and their number.
    members: BTreeSet<(u32, u32)>,
}

impl Subset {
    /// Starts a selection.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds BTF to select from, with its base, and the base of that. Returns
    /// the index of the part. BTF that was already added keeps its index.
    ///
    /// Nothing of it is selected yet.
    pub fn add(&mut self, btf: &Btf) -> usize {
        let mut layers: Vec<&Btf> = btf.layers().collect();
        layers.reverse();
        let mut base = None;
        for layer in layers {
            base = Some(self.places.get(layer).unwrap_or_else(|| {
                self.places.insert(layer, self.parts.len());
                let kept = vec![0; layer.own_ids().len().div_ceil(64)];
                let members = BTreeSet::new();
                self.parts.push(Part { btf: layer.clone(), base, kept, ids: Vec::new(), members });
                self.parts.len() - 1
            }));
        }
        base.unwrap_or_default()
    }

    /// Selects a type of the part or of its bases: for a struct or union, only
    /// its name and size. Returns `true` if it was not selected before. `void`
    /// and ids that do not exist are ignored.
    pub fn keep(&mut self, part: usize, id: u32) -> bool {
        let Some(part) = self.owner(part, id) else { return false };
        let own = (id - part.btf.own_ids().start) as usize;
        let Some(word) = part.kept.get_mut(own / 64) else { return false };
        let bit = 1 << (own % 64);
        let is_new = *word & bit == 0;
        *word |= bit;
        if is_new {
            part.ids.push(id);
        }
        is_new
    }

    /// Selects a member of a struct or union, by its index, and the struct or
    /// union itself, but not the member's type. Returns `true` if the member
    /// was not selected before.
    pub fn keep_member(&mut self, part: usize, id: u32, member: u32) -> bool {
        self.keep(part, id);
        self.owner(part, id).is_some_and(|part| part.members.insert((id, member)))
    }

    /// Returns `true` if no own types of a part are selected.
    #[must_use]
    pub fn is_empty(&self, part: usize) -> bool {
        self.parts.get(part).is_none_or(|part| part.ids.is_empty())
    }

    /// Makes BTF of the selection: one for each part, by its index. Each is
    /// split from the new BTF of its base.
    ///
    /// # Errors
    ///
    /// [`Error::Format`] if a selected type is of an unknown kind;
    /// [`Error::Btf`] if a FUNC is selected without its FUNC_PROTO.
    pub fn finish(&self) -> Result<Vec<Btf>, Error> {
        let mut made: Vec<Btf> = Vec::with_capacity(self.parts.len());
        let mut ids: Vec<NewIds> = Vec::with_capacity(self.parts.len());
        for part in &self.parts {
            let base = part.base.and_then(|number| made.get(number));
            let first_new = base.map_or(1, Btf::type_count);
            ids.push(NewIds::new(part, first_new));
            made.push(part.make(base, &ids)?);
        }
        Ok(made)
    }

    /// The part that owns an id which another sees.
    fn owner(&mut self, mut number: usize, id: u32) -> Option<&mut Part> {
        loop {
            let part = self.parts.get(number)?;
            if part.btf.own_ids().contains(&id) {
                return self.parts.get_mut(number);
            }
            number = part.base.filter(|_| id != 0)?;
        }
    }
}

/// The ids that the types of a part get.
struct NewIds {
    first_old: u32,
    /// Those that are kept, rising.
    old: Vec<u32>,
    first_new: u32,
    base: Option<usize>,
}

impl NewIds {
    fn new(part: &Part, first_new: u32) -> Self {
        let mut old = part.ids.clone();
        old.sort_unstable();
        Self { first_old: part.btf.own_ids().start, old, first_new, base: part.base }
    }
}

/// The new id of a type that the last part sees; `void`'s if it is not kept.
fn new_id(ids: &[NewIds], id: u32) -> u32 {
    let mut part = ids.last();
    while let Some(own) = part.filter(|own| id < own.first_old) {
        part = own.base.and_then(|number| ids.get(number));
    }
    let kept = part.and_then(|own| own.old.binary_search(&id).ok().map(|index| own.first_new + index as u32));
    kept.unwrap_or(0)
}

impl Part {
    /// Makes the BTF; `ids` ends with those of this part.
    fn make(&self, base: Option<&Btf>, ids: &[NewIds]) -> Result<Btf, Error> {
        let mut builder = Builder::like(&self.btf, base);
        let (layers, mut strings) = (Layers::new(&self.btf), FewStrings::default());
        let mut shortened = Vec::new();
        for &id in ids.last().map_or(&[][..], |own| &own.old) {
            let Some(record) = self.btf.record(id) else { continue };
            record.check_roles()?;
            let bytes = match record.data() {
                Data::Members(_) => {
                    self.shorten(id, &record, &mut shortened)?;
                    &shortened
                }
                _ => record.as_bytes(),
            };
            builder.add_rewritten(bytes, |table, field, value| match field.holds {
                Word::Id => Ok(new_id(ids, value)),
                _ => strings.map(&layers, value, table),
            })?;
        }
        builder.finish()
    }

    /// The record of a struct or union with the members that are kept. Its
    /// `kind_flag` is set if one of them is a bitfield.
    fn shorten(&self, id: u32, record: &Record<'_>, to: &mut Vec<u8>) -> Result<(), Error> {
        let Data::Members(members) = record.data() else { return Ok(()) };
        let (head, info) = (record.head(), record.head().info());
        let kept = || {
            let numbers = self.members.range((id, 0)..=(id, u32::MAX));
            numbers.filter_map(|&(_, number)| members.get(number as usize))
        };
        let has_bitfield = kept().any(|member| member.bitfield_size(info.kind_flag()) != 0);
        let kind = info.kind().unwrap_or(Kind::Struct);
        let new = Info::of(kind).with_kind_flag(has_bitfield).with_vlen(kept().count() as u32)?;
        to.clear();
        to.extend_from_slice(TypeRecord::new(head.name_off(), new.word(), head.size_or_type()).as_bytes());
        // The offset of a member that is not a bitfield is the same word with
        // the flag and without.
        kept().for_each(|member| to.extend_from_slice(member.as_bytes()));
        Ok(())
    }
}

//! Split BTF from one base onto another.
//!
//! A module that was built against another kernel than the running one carries
//! a *distilled* base: of the types that it needs just names, kinds and sizes.
//! To rebase it is to find their counterparts in the real base, and to rewrite
//! the ids and string offsets.
//!
//! Source: `btf_relocate` in `tools/lib/bpf/btf_relocate.c`, which the kernel
//! compiles too. Where that compares the wrong flag, or no kinds, this does
//! what was meant: a forward declaration goes by its own flag, and a struct has
//! a struct as its counterpart, a union a union.

use alloc::{
    collections::{BTreeMap, btree_map::Entry},
    vec,
    vec::Vec,
};

use btf_format::{RecordsMut, Word};

use crate::{Btf, Error, FwdKind, Remap, Type, view::Handle};

/// The most types of the same names that are looked at.
const STEPS: u32 = 1_000_000;

impl Btf {
    /// Moves this split BTF from the base that it was opened with, which must
    /// be a distilled one, to another base (libbpf's `btf__relocate`). A
    /// distilled base has nothing but named integers, floats, enums, structs,
    /// unions and forward declarations.
    ///
    /// Neither this nor the bases are changed.
    ///
    /// # Errors
    ///
    /// [`Error::NotSplit`] if this has no base; [`Error::NotDistilled`] if its
    /// base has other types; [`Error::NoCounterpart`] and
    /// [`Error::SeveralCounterparts`] if the new base does not have a type, or
    /// has it more than once; [`Error::NoCounterpartString`];
    /// [`Error::Format`] if this has types of kinds that are not known;
    /// [`Error::ByteOrderOfBase`]; [`Error::TooMuch`] if millions of types share
    /// their names.
    pub fn rebase(&self, base: &Self) -> Result<Self, Error> {
        self.rebase_with_remap(base).map(|(rebased, _)| rebased)
    }

    /// Moves this split BTF to another base, as [`Btf::rebase`], and returns
    /// with it where its ids and strings have gone: what else refers to them,
    /// such as `.BTF_ids`, follows.
    ///
    /// # Errors
    ///
    /// Those of [`Btf::rebase`].
    pub fn rebase_with_remap(&self, base: &Self) -> Result<(Self, Remap), Error> {
        let distilled = self.base().ok_or(Error::NotSplit)?;
        if base.byte_order() != self.byte_order() {
            return Err(Error::ByteOrderOfBase { split: self.byte_order(), base: base.byte_order() });
        }
        let remap = remap(self, distilled, base)?;
        let mut bytes = self.as_bytes().to_vec();
        let header = btf_format::Header::parse(&bytes)?;
        header.check_known()?;
        let types = header.types();
        let offset = types.start as u64;
        for record in RecordsMut::new(bytes.get_mut(types).unwrap_or_default(), offset, self.layer().layout()) {
            let mut record = record?;
            record.check_roles()?;
            record.try_for_each_field(|field, value| {
                let old = *value;
                *value = match field.holds {
                    Word::Id => remap.id(old).ok_or(Error::NotMapped { what: "type", found: old })?,
                    _ => remap.string(old).ok_or(Error::NoCounterpartString { offset: old })?,
                };
                Ok::<_, Error>(())
            })?;
        }
        let rebased = Self::from_native(bytes, Some(base), self.byte_order(), self.known_pointer_size())?;
        Ok((rebased, remap))
    }
}

/// Maps the types of the distilled base to their counterparts, and own types and
/// strings to those after the new base's.
fn remap(split: &Btf, distilled: &Btf, base: &Btf) -> Result<Remap, Error> {
    let mut remap = Remap::builder(0, 0);
    remap.push_id(Some(0));
    remap.push_strings(0..1, 0);
    let embedded = embedded(split, distilled);
    let mut candidates = Candidates::new(distilled, base);
    for (ty, is_embedded) in distilled.types().zip(embedded.into_iter().skip(1)) {
        let counterpart = candidates.counterpart(ty, is_embedded)?;
        remap.push_id(Some(counterpart.id));
        let (old, new) = (name_off(ty), counterpart.record().name_off());
        remap.push_strings(old..old + 1, new);
    }
    let (old, new) = (distilled.layer(), base.layer());
    let end_of_types = new.type_count().checked_add(split.types().len() as u32);
    let new_ids = new.type_count()..end_of_types.ok_or(Error::TooLarge { what: "types" })?;
    new_ids.for_each(|id| remap.push_id(Some(id)));
    remap.push_strings(old.strings_len()..split.layer().strings_len(), new.strings_len());
    Ok(remap.finish())
}

/// Offset of a type's name.
fn name_off(ty: Type<'_>) -> u32 {
    ty.handle().map_or(0, |handle| handle.record().name_off())
}

/// Which types of the distilled base, by id, lie by value in a struct or union
/// of the split BTF: their size matters.
fn embedded(split: &Btf, distilled: &Btf) -> Vec<bool> {
    let mut embedded = vec![false; distilled.type_count() as usize];
    for ty in split.types() {
        let members = match ty {
            Type::Struct(s) => s.members(),
            Type::Union(u) => u.members(),
            _ => continue,
        };
        for member in members {
            let inner = member.ty().peel(|ty| ty.is_modifier() || matches!(ty, Type::Array(_)));
            if let (Type::Struct(_) | Type::Union(_), Some(is)) = (inner, embedded.get_mut(inner.id() as usize)) {
                *is = true;
            }
        }
    }
    embedded
}

/// Types of the new base by the names of the distilled one's.
///
/// Each name is looked up once, however many types share it, and all names
/// together are charged to a budget, as their strings can overlap.
struct Candidates<'btf> {
    base: &'btf Btf,
    /// By offset of the name in the distilled base.
    by_name: BTreeMap<u32, Vec<Type<'btf>>>,
    /// Bytes of names that may still be looked up.
    name_bytes: u64,
    /// Candidates that may still be looked at.
    steps: u32,
}

impl<'btf> Candidates<'btf> {
    fn new(distilled: &Btf, base: &'btf Btf) -> Self {
        let name_bytes = 4 * u64::from(distilled.layer().strings_len());
        Self { base, by_name: BTreeMap::new(), name_bytes, steps: STEPS }
    }

    /// The types of the name of a type, a distilled one.
    fn of(&mut self, ty: Type<'_>) -> Result<&[Type<'btf>], Error> {
        let too_much = Error::TooMuch { id: ty.id(), limit: STEPS };
        let named = match self.by_name.entry(name_off(ty)) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(vacant) => {
                let name = ty.name();
                let left = self.name_bytes.checked_sub(name.as_bytes().len() as u64);
                self.name_bytes = left.ok_or(too_much.clone())?;
                vacant.insert(self.base.find_all(name))
            }
        };
        let left = u32::try_from(named.len()).ok().and_then(|count| self.steps.checked_sub(count));
        self.steps = left.ok_or(too_much)?;
        Ok(named)
    }

    /// The one type of the new base that a type of the distilled one stands for.
    fn counterpart(&mut self, ty: Type<'_>, is_embedded: bool) -> Result<Handle<'btf>, Error> {
        let is_kind = matches!(
            ty,
            Type::Int(_) | Type::Float(_) | Type::Enum(_) | Type::Struct(_) | Type::Union(_) | Type::Fwd(_)
        );
        if !is_kind || ty.is_named("") {
            return Err(Error::NotDistilled { id: ty.id(), kind: ty.kind(), name: ty.name().into() });
        }
        let candidates = self.of(ty)?;
        let composites = candidates.iter().filter(|ty| matches!(ty, Type::Struct(_) | Type::Union(_))).count();
        let size_matters = is_embedded || composites > 1;
        let fitting = candidates.iter().filter(|candidate| fits(ty, **candidate, size_matters));
        let mut fitting: Vec<Handle<'btf>> = fitting.filter_map(|candidate| candidate.handle()).collect();
        match (fitting.pop(), fitting.is_empty()) {
            (Some(one), true) => Ok(one),
            (None, _) => Err(Error::NoCounterpart { kind: ty.kind(), name: ty.name().into() }),
            (Some(last), false) => {
                let mut ids: Vec<u32> = fitting.iter().chain([&last]).map(|handle| handle.id).collect();
                ids.sort_unstable();
                Err(Error::SeveralCounterparts { kind: ty.kind(), name: ty.name().into(), ids })
            }
        }
    }
}

/// Whether a type of a distilled base can stand for one of the same name.
fn fits(ty: Type<'_>, candidate: Type<'_>, size_matters: bool) -> bool {
    match (ty, candidate) {
        (Type::Int(old), Type::Int(new)) => old.size() == new.size() && old.encoding() == new.encoding(),
        (Type::Float(old), Type::Float(new)) => old.size() == new.size(),
        (Type::Enum(old), Type::Enum(new)) => old.size() == new.size(),
        (Type::Enum(old), Type::Enum64(new)) => old.size() == new.size(),
        (Type::Struct(old), Type::Struct(new)) => !size_matters || old.size() == new.size(),
        (Type::Union(old), Type::Union(new)) => !size_matters || old.size() == new.size(),
        (Type::Fwd(old), Type::Fwd(new)) => old.declares() == new.declares(),
        (Type::Fwd(old), Type::Struct(_)) => old.declares() == FwdKind::Struct,
        (Type::Fwd(old), Type::Union(_)) => old.declares() == FwdKind::Union,
        _ => false,
    }
}

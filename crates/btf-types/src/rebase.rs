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

use alloc::{collections::BTreeMap, vec, vec::Vec};

use btf_format::{ByteOrder, RecordsMut, Word};

use crate::{Btf, Error, FwdKind, Type, view::Handle};

/// How many types of the same names are looked at.
const STEPS: u32 = 1_000_000;

impl Btf {
    /// This split BTF on another base than the one that it was opened with,
    /// which must be a distilled one: nothing but named integers, floats,
    /// enums, structs, unions and forward declarations.
    ///
    /// Neither this nor the bases are changed.
    ///
    /// # Errors
    ///
    /// [`Error::NotSplit`] if this has no base; [`Error::NotDistilled`] if its
    /// base has other types; [`Error::NoCounterpart`] and
    /// [`Error::SeveralCounterparts`] of a type that the new base does not
    /// have, or has more than once; [`Error::Format`] if this has types of
    /// kinds that are not known; [`Error::ByteOrderOfBase`]; [`Error::TooMuch`]
    /// if millions of types share their names.
    pub fn rebase(&self, base: &Self) -> Result<Self, Error> {
        let distilled = self.base().ok_or(Error::NotSplit)?;
        if base.byte_order() != self.byte_order() {
            return Err(Error::ByteOrderOfBase { split: self.byte_order(), base: base.byte_order() });
        }
        let map = Map::new(self, distilled, base)?;
        let mut bytes = self.as_bytes().to_vec();
        let types = self.header().types();
        let offset = types.start as u64;
        for record in RecordsMut::new(bytes.get_mut(types).unwrap_or_default(), offset, self.inner().layout()) {
            let mut record = record?;
            record.check_roles()?;
            record.try_for_each_field(|field, value| {
                *value = match field.holds {
                    Word::Id => map.id(*value)?,
                    _ => map.string(*value)?,
                };
                Ok::<_, Error>(())
            })?;
        }
        if self.byte_order() != ByteOrder::NATIVE {
            btf_format::convert(&mut bytes, self.byte_order())?;
        }
        Self::parse_split(bytes, base)
    }
}

/// Where ids and string offsets go.
struct Map {
    /// The new id of each type of the distilled base, from id 0.
    ids: Vec<u32>,
    /// The new offset of each name of a type of the distilled base.
    strings: BTreeMap<u32, u32>,
    old_types: u32,
    new_types: u32,
    old_strings: u32,
    new_strings: u32,
}

impl Map {
    fn new(split: &Btf, distilled: &Btf, base: &Btf) -> Result<Self, Error> {
        let embedded = embedded(split, distilled);
        let mut ids = vec![0];
        let mut strings = BTreeMap::from([(0, 0)]);
        let mut steps = STEPS;
        for (ty, is_embedded) in distilled.types().zip(embedded.into_iter().skip(1)) {
            let counterpart = counterpart(ty, is_embedded, base, &mut steps)?;
            ids.push(counterpart.id);
            if let Some(old) = ty.handle() {
                strings.insert(old.record().name_off(), counterpart.record().name_off());
            }
        }
        Ok(Self {
            ids,
            strings,
            old_types: distilled.type_count(),
            new_types: base.type_count(),
            old_strings: distilled.inner().strings_len(),
            new_strings: base.inner().strings_len(),
        })
    }

    fn id(&self, id: u32) -> Result<u32, Error> {
        match id.checked_sub(self.old_types) {
            Some(own) => own.checked_add(self.new_types).ok_or(Error::TooLarge { what: "types" }),
            None => Ok(self.ids.get(id as usize).copied().unwrap_or(0)),
        }
    }

    fn string(&self, offset: u32) -> Result<u32, Error> {
        match offset.checked_sub(self.old_strings) {
            Some(own) => own.checked_add(self.new_strings).ok_or(Error::TooLarge { what: "strings" }),
            None => self.strings.get(&offset).copied().ok_or(Error::NoCounterpartString { offset }),
        }
    }
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

/// The one type of `base` that a type of a distilled base stands for.
fn counterpart<'btf>(ty: Type<'_>, is_embedded: bool, base: &'btf Btf, steps: &mut u32) -> Result<Handle<'btf>, Error> {
    let name = ty.name();
    let is_distilled = match ty {
        Type::Int(_) | Type::Float(_) | Type::Enum(_) | Type::Struct(_) | Type::Union(_) | Type::Fwd(_) => {
            !name.is_empty()
        }
        _ => false,
    };
    if !is_distilled {
        return Err(Error::NotDistilled { id: ty.id(), kind: ty.kind(), name: name.into() });
    }
    let candidates: Vec<Type<'btf>> = base.find_all(name);
    let too_much = Error::TooMuch { id: ty.id(), limit: STEPS };
    *steps = u32::try_from(candidates.len()).ok().and_then(|count| steps.checked_sub(count)).ok_or(too_much)?;
    let composites = candidates.iter().filter(|ty| matches!(ty, Type::Struct(_) | Type::Union(_))).count();
    let size_matters = is_embedded || composites > 1;
    let fits = |candidate: &Type<'_>| match (ty, candidate) {
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
    };
    let mut fitting: Vec<Handle<'btf>> = candidates.into_iter().filter(fits).filter_map(Type::handle).collect();
    match (fitting.pop(), fitting.is_empty()) {
        (Some(one), true) => Ok(one),
        (None, _) => Err(Error::NoCounterpart { kind: ty.kind(), name: name.into() }),
        (Some(last), false) => {
            let mut ids: Vec<u32> = fitting.iter().chain([&last]).map(|handle| handle.id).collect();
            ids.sort_unstable();
            Err(Error::SeveralCounterparts { kind: ty.kind(), name: name.into(), ids })
        }
    }
}

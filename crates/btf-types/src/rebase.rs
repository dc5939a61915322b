//! Rebasing: moving split BTF from one base to another (BTF relocation).
//!
//! A module that was built against another kernel carries a *distilled* base:
//! only the names, kinds and sizes of the types that it needs. Rebasing finds
//! the matching types of the real base, and rewrites ids and string offsets.
//!
//! Source: `btf_relocate` in `tools/lib/bpf/btf_relocate.c`, which the kernel
//! also compiles. In places it compares the wrong flag, or does not compare
//! kinds. Here a forward declaration matches by its own flag, a struct matches
//! a struct, and a union a union.

use alloc::{
    collections::{BTreeMap, btree_map::Entry},
    vec,
    vec::Vec,
};

use btf_format::{RecordsMut, Word};

use crate::{Btf, Error, FwdKind, Remap, Type, view::Handle};

impl Btf {
    /// Moves this split BTF from its base, which must be a distilled one, to
    /// another base (libbpf's `btf__relocate`, BTF relocation). A distilled
    /// base has only named integers, floats, enums, structs, unions and forward
    /// declarations.
    ///
    /// This BTF and the bases stay unchanged.
    ///
    /// ```
    /// # fn main() -> Result<(), btf_types::Error> {
    /// use btf_types::{Btf, Struct};
    ///
    /// # let base_section = std::fs::read("doc/veth.distilled.base.btf").unwrap();
    /// # let btf_section = std::fs::read("doc/veth.distilled.btf").unwrap();
    /// # let vmlinux = Btf::parse(std::fs::read("doc/kernel.btf").unwrap())?;
    /// let distilled = Btf::parse(base_section)?; // .BTF.base of the module
    /// let module = Btf::parse_split(btf_section, &distilled)?; // .BTF
    /// let veth = module.rebase(&vmlinux)?;
    ///
    /// let peer = veth.path("veth_priv.peer->mtu")?;
    /// assert_eq!(peer.steps()[1].from, vmlinux.find::<Struct<'_>>("net_device")?.into());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::NotSplit`] if this has no base; [`Error::NotDistilled`] if its
    /// base has other types; [`Error::NoCounterpart`] and
    /// [`Error::SeveralCounterparts`] if the new base does not have a type, or
    /// has it more than once; [`Error::NoCounterpartString`]; [`Error::Format`]
    /// if this has types of unknown kinds; [`Error::ByteOrderOfBase`];
    /// [`Error::TooComplex`] if the names of the distilled base overlap and
    /// together are many times as long as its strings.
    pub fn rebase(&self, base: &Self) -> Result<Self, Error> {
        self.rebase_with_remap(base).map(|(rebased, _)| rebased)
    }

    /// Moves this split BTF to another base, as [`Btf::rebase`] does. Also
    /// returns the new ids and strings, to update other data that refers to
    /// them, such as `.BTF_ids`.
    ///
    /// ```
    /// # fn main() -> Result<(), btf_types::Error> {
    /// use btf_types::{Btf, Func};
    ///
    /// # let distilled = Btf::parse(std::fs::read("doc/veth.distilled.base.btf").unwrap())?;
    /// # let module = Btf::parse_split(std::fs::read("doc/veth.distilled.btf").unwrap(), &distilled)?;
    /// # let vmlinux = Btf::parse(std::fs::read("doc/kernel.btf").unwrap())?;
    /// let before: Func<'_> = module.find("veth_xmit")?;
    /// let (veth, remap) = module.rebase_with_remap(&vmlinux)?;
    /// let after: Func<'_> = veth.find("veth_xmit")?;
    /// assert_ne!(before.id(), after.id());
    /// assert_eq!(remap.id(before.id()), Some(after.id()));
    /// # Ok(())
    /// # }
    /// ```
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
                    Word::Id => remap.id(old).ok_or_else(|| self.not_mapped(Word::Id, old))?,
                    _ => remap.string(old).ok_or(Error::NoCounterpartString { offset: old })?,
                };
                Ok::<_, Error>(())
            })?;
        }
        let rebased = Self::from_native(bytes, Some(base), self.byte_order(), self.known_pointer_size())?;
        Ok((rebased, remap))
    }
}

/// Maps the types of the distilled base to the matching types of the new base,
/// and own types and strings to their places after it.
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

/// Returns the offset of the name of a type.
fn name_off(ty: Type<'_>) -> u32 {
    ty.handle().map_or(0, |handle| handle.record().name_off())
}

/// Marks the types of the distilled base that are contained by value in a
/// struct or union of the split BTF: their size matters.
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

/// Types of the new base by the names of the distilled base.
///
/// Each name is looked up once, however many types share it, and all names are
/// charged to one budget, as their strings can overlap. Types of one name are
/// sorted by kind and size for a binary search.
struct Candidates<'btf, 'old> {
    base: &'btf Btf,
    /// Indices of the groups of types, by the offset of the name in the
    /// distilled base, and by the name itself, which can occur more than once.
    by_offset: BTreeMap<u32, usize>,
    by_name: BTreeMap<&'old [u8], usize>,
    groups: Vec<Vec<Candidate>>,
    /// Budget for the names to look up, in bytes.
    budget: Budget,
}

#[derive(Debug, Clone, Copy)]
struct Budget {
    limit: u32,
    left: u64,
}

/// A type of the new base that may match. Sorts by kind and size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Candidate {
    key: Key,
    id: u32,
}

/// Properties that two matching types of one name have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    class: Class,
    /// Size in bytes, 0 for forward declarations.
    size: u32,
    /// Encoding of an INT.
    encoding: u8,
}

/// Kinds that can match each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Class {
    Int,
    Float,
    Enum,
    Struct,
    Union,
    FwdStruct,
    FwdUnion,
}

impl Key {
    /// Returns the key of a type that can be in a distilled base, or match such
    /// a type.
    fn of(ty: Type<'_>) -> Option<Self> {
        let (class, size, encoding) = match ty {
            Type::Int(int) => (Class::Int, int.size(), int.encoding().bits()),
            Type::Float(float) => (Class::Float, float.size(), 0),
            Type::Enum(e) => (Class::Enum, e.size(), 0),
            Type::Enum64(e) => (Class::Enum, e.size(), 0),
            Type::Struct(s) => (Class::Struct, s.size(), 0),
            Type::Union(u) => (Class::Union, u.size(), 0),
            Type::Fwd(fwd) if fwd.declares() == FwdKind::Union => (Class::FwdUnion, 0, 0),
            Type::Fwd(_) => (Class::FwdStruct, 0, 0),
            _ => return None,
        };
        Some(Self { class, size, encoding })
    }
}

impl<'btf, 'old> Candidates<'btf, 'old> {
    fn new(distilled: &Btf, base: &'btf Btf) -> Self {
        let limit = distilled.layer().strings_len().saturating_mul(4);
        let budget = Budget { limit, left: limit.into() };
        Self { base, by_offset: BTreeMap::new(), by_name: BTreeMap::new(), groups: Vec::new(), budget }
    }

    /// Returns the types with the name of a type of the distilled base.
    fn of(&mut self, ty: Type<'old>) -> Result<&[Candidate], Error> {
        let group = match self.by_offset.entry(name_off(ty)) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(vacant) => {
                let name = ty.name().as_bytes();
                self.budget.left = match self.budget.left.checked_sub(name.len() as u64) {
                    Some(left) => left,
                    None => return Err(Error::TooComplex { ty: ty.into(), limit: self.budget.limit }),
                };
                let (base, groups) = (self.base, &mut self.groups);
                *vacant.insert(*self.by_name.entry(name).or_insert_with(|| {
                    groups.push(candidates(base, name));
                    groups.len() - 1
                }))
            }
        };
        Ok(self.groups.get(group).map_or(&[], Vec::as_slice))
    }

    /// Returns the one type of the new base that matches a type of the
    /// distilled base.
    fn counterpart(&mut self, ty: Type<'old>, is_embedded: bool) -> Result<Handle<'btf>, Error> {
        let key = match (ty, Key::of(ty)) {
            (Type::Enum64(_), _) | (_, None) => None,
            (_, key) => key.filter(|_| !ty.is_named("")),
        };
        let not_distilled = || Error::NotDistilled { ty: ty.into() };
        let key = key.ok_or_else(not_distilled)?;
        let base = self.base;
        let candidates = self.of(ty)?;
        let composites = of_class(candidates, Class::Struct).len() + of_class(candidates, Class::Union).len();
        let size_matters = is_embedded || composites > 1;
        let (alike, declared) = match key.class {
            Class::Int | Class::Float | Class::Enum => (of_key(candidates, key), &[][..]),
            Class::Struct | Class::Union if size_matters => (of_key(candidates, key), &[][..]),
            Class::Struct | Class::Union => (of_class(candidates, key.class), &[][..]),
            Class::FwdStruct => (of_key(candidates, key), of_class(candidates, Class::Struct)),
            Class::FwdUnion => (of_key(candidates, key), of_class(candidates, Class::Union)),
        };
        match (alike, declared) {
            ([one], []) | ([], [one]) => match base.layer().handle_at(one.id) {
                Some(handle) => Ok(handle),
                None => Err(Error::NoCounterpart { kind: ty.kind(), name: ty.name().into() }),
            },
            ([], []) => Err(Error::NoCounterpart { kind: ty.kind(), name: ty.name().into() }),
            _ => {
                let mut ids: Vec<u32> = alike.iter().chain(declared).map(|candidate| candidate.id).collect();
                ids.sort_unstable();
                Err(Error::SeveralCounterparts { kind: ty.kind(), name: ty.name().into(), ids })
            }
        }
    }
}

/// Returns the types of a base with this name that can match a distilled type,
/// sorted by kind and size.
fn candidates(base: &Btf, name: &[u8]) -> Vec<Candidate> {
    let named: Vec<Type<'_>> = base.find_all(name);
    let mut candidates = Vec::with_capacity(named.len());
    candidates.extend(named.into_iter().filter_map(|ty| Some(Candidate { key: Key::of(ty)?, id: ty.id() })));
    candidates.sort_unstable();
    candidates
}

/// Returns the candidates of a kind, of any size.
fn of_class(candidates: &[Candidate], class: Class) -> &[Candidate] {
    let start = candidates.partition_point(|candidate| candidate.key.class < class);
    let end = candidates.partition_point(|candidate| candidate.key.class <= class);
    candidates.get(start..end).unwrap_or_default()
}

/// Returns the candidates of a kind, size and encoding.
fn of_key(candidates: &[Candidate], key: Key) -> &[Candidate] {
    let start = candidates.partition_point(|candidate| candidate.key < key);
    let end = candidates.partition_point(|candidate| candidate.key <= key);
    candidates.get(start..end).unwrap_or_default()
}

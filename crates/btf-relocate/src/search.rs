//! Search for the field, type or enumerator in a candidate.
//!
//! Source: `bpf_core_spec_match` and `bpf_core_match_member` in
//! `tools/lib/bpf/relo_core.c`.

use std::{
    collections::{HashMap, hash_map::Entry},
    rc::Rc,
};

use btf_types::{Member, Members, Name, Type};

use crate::{
    Fault, Verdict,
    budget::Budget,
    compat::fields_are_compatible,
    spec::{
        Accessor, MAX_LEVELS, Spec, enumerators, is_composite, is_enum, members, raw_offset, resolve_within as resolve,
    },
};

/// Search for fields in candidates. Buffers are reused, as a relocation may have
/// thousands of candidates.
#[derive(Default)]
pub(crate) struct FieldSearch<'t> {
    /// Path in the last candidate that was searched.
    path: Spec<'t>,
    /// Number of the last search that did not find the member in a type of an anonymous
    /// member.
    searched: HashMap<Type<'t>, u64>,
    /// Number of searches for a member so far.
    searches: u64,
    /// Structs and unions with many members.
    visited: HashMap<Type<'t>, Visited<'t>>,
}

impl<'t> FieldSearch<'t> {
    /// Follows a local path in a candidate, by names.
    pub(crate) fn find(
        &mut self,
        local: &Spec<'_>,
        candidate: Type<'t>,
        budget: &Budget,
    ) -> Result<Result<&Spec<'t>, Verdict>, Fault> {
        self.path.clear();
        let mut ty = candidate;
        for (level, accessor) in (0..).zip(&local.accessors) {
            ty = resolve(ty, budget)?;
            match *accessor {
                Accessor::Element { index, .. } => {
                    if level > 0 {
                        let Type::Array(array) = ty else { return Ok(Err(Verdict::NotArray { level })) };
                        if index >= array.nelems() && !self.path.is_flexible(array) {
                            return Ok(Err(Verdict::TooFewElements { level, nelems: array.nelems() }));
                        }
                        ty = resolve(array.element(), budget)?;
                    }
                    push_raw(&mut self.path, index)?;
                    self.path.push_element(ty, index)?;
                }
                Accessor::Member { member: wanted, .. } => {
                    if members(ty).is_none() {
                        return Ok(Err(Verdict::NotComposite { level }));
                    }
                    let within = ty.id();
                    let mut incompatible = None;
                    self.searches += 1;
                    let Some((owner, index, member)) = self.find_member(wanted, ty, &mut incompatible, budget)? else {
                        return Ok(Err(match incompatible {
                            Some(found) => Verdict::MemberType { level, found },
                            None => Verdict::NoMember { level, within },
                        }));
                    };
                    self.path.accessors.push(Accessor::Member { owner, index, member });
                    ty = member.ty();
                }
            }
        }
        Ok(Ok(&self.path))
    }

    /// Finds a named member, also in anonymous members. Returns the type that has it,
    /// its index there, and the member, and extends the path by its levels and
    /// offset.
    ///
    /// The first member with the name decides. If it is not compatible, the id of its
    /// type is stored in `incompatible`, and the search continues only if it is in an
    /// anonymous member. (C has no types with two such members. libbpf continues too,
    /// but keeps the offset of the member that it skipped.)
    ///
    /// The depth of the recursion is bounded by the length of the path.
    fn find_member(
        &mut self,
        wanted: Member<'_>,
        ty: Type<'t>,
        incompatible: &mut Option<u32>,
        budget: &Budget,
    ) -> Result<Option<(Type<'t>, u32, Member<'t>)>, Fault> {
        let Some(all) = members(ty) else { return Ok(None) };
        if all.len() > 0 && self.path.raw.len() == MAX_LEVELS {
            return Err(Fault::TooDeep { limit: MAX_LEVELS as u32 });
        }
        let Some(places) = self.index(ty, all.clone(), budget)? else {
            for (index, member) in (0..).zip(all) {
                match self.look_at(wanted, ty, index, member, incompatible, budget)? {
                    Look::Next => {}
                    Look::Stop => break,
                    Look::Found(found) => return Ok(Some(found)),
                }
            }
            return Ok(None);
        };
        let named = places.first.get(wanted.name().as_bytes()).copied();
        budget.spend_name(wanted.name().as_bytes().len())?;
        let before = places.anonymous.iter().copied().take_while(|&index| named.is_none_or(|named| index < named));
        for index in before.chain(named) {
            let Some(member) = all.clone().nth(index as usize) else { break };
            if let Look::Found(found) = self.look_at(wanted, ty, index, member, incompatible, budget)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// Checks one member.
    fn look_at(
        &mut self,
        wanted: Member<'_>,
        ty: Type<'t>,
        index: u32,
        member: Member<'t>,
        incompatible: &mut Option<u32>,
        budget: &Budget,
    ) -> Result<Look<'t>, Fault> {
        let name = member.name();
        budget.spend_name(name.as_bytes().len())?;
        if !name.is_empty() && name != wanted.name() {
            return Ok(Look::Next);
        }
        let before = self.path.bit_offset;
        push_raw(&mut self.path, index)?;
        self.path.advance(raw_offset(member).into())?;
        let mut look = Look::Next;
        if name.is_empty() {
            let inner = resolve(member.ty(), budget)?;
            if self.searched.get(&inner) != Some(&self.searches) {
                if let Some(found) = self.find_member(wanted, inner, incompatible, budget)? {
                    return Ok(Look::Found(found));
                }
                if is_composite(inner) {
                    self.searched.insert(inner, self.searches);
                }
            }
        } else if fields_are_compatible(wanted.ty(), member.ty(), budget)? {
            return Ok(Look::Found((ty, index, member)));
        } else {
            *incompatible = Some(member.ty().id());
            look = Look::Stop;
        }
        self.path.bit_offset = before;
        self.path.raw.pop();
        Ok(look)
    }

    /// Returns the index of a type's members, if it is large and searched often.
    fn index(
        &mut self,
        ty: Type<'t>,
        members: Members<'t>,
        budget: &Budget,
    ) -> Result<Option<Rc<MemberPlaces<'t>>>, Fault> {
        if members.len() < INDEXED {
            return Ok(None);
        }
        let Visited { visits, places } = self.visited.entry(ty).or_default();
        *visits += 1;
        if places.is_none() && *visits > VISITS {
            *places = Some(Rc::new(MemberPlaces::new(members, budget)?));
        }
        Ok(places.clone())
    }
}

/// Result of checking a member.
enum Look<'t> {
    /// Not the wanted member.
    Next,
    /// The wanted member, but with a type that is not compatible.
    Stop,
    Found((Type<'t>, u32, Member<'t>)),
}

/// Minimum number of members of a type that is indexed.
const INDEXED: usize = 16;
/// Number of linear searches in a type before it is indexed.
const VISITS: u32 = 8;

/// Struct or union that was searched.
#[derive(Default)]
struct Visited<'t> {
    visits: u32,
    places: Option<Rc<MemberPlaces<'t>>>,
}

/// Index of the members of a struct or union.
struct MemberPlaces<'t> {
    /// First member of each name.
    first: HashMap<Name<'t>, u32>,
    anonymous: Vec<u32>,
}

impl<'t> MemberPlaces<'t> {
    fn new(members: Members<'t>, budget: &Budget) -> Result<Self, Fault> {
        let mut places = Self { first: HashMap::new(), anonymous: Vec::new() };
        for (index, member) in (0..).zip(members) {
            let name = member.name();
            budget.spend_name(name.as_bytes().len())?;
            if name.is_empty() {
                places.anonymous.push(index);
            } else {
                places.first.entry(name).or_insert(index);
            }
        }
        Ok(places)
    }
}

/// Search for enumerators in candidates. Those of an enum are collected once.
#[derive(Default)]
pub(crate) struct EnumeratorSearch<'t> {
    /// Value of the first enumerator of each essential name, by enum.
    values: HashMap<Type<'t>, HashMap<Name<'t>, u64>>,
}

impl<'t> EnumeratorSearch<'t> {
    /// Finds an enumerator in a candidate by its essential name. Returns its value as
    /// an instruction holds it.
    pub(crate) fn find(
        &mut self,
        name: Name<'_>,
        candidate: Type<'t>,
        budget: &Budget,
    ) -> Result<Result<u64, Verdict>, Fault> {
        let ty = resolve(candidate, budget)?;
        if !is_enum(ty) {
            return Ok(Err(Verdict::NotEnum));
        }
        budget.spend_name(name.as_bytes().len())?;
        let values = match self.values.entry(ty) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => {
                let mut values = HashMap::new();
                for (name, value) in enumerators(ty) {
                    budget.spend_name(name.as_bytes().len())?;
                    values.entry(name.essential()).or_insert(value);
                }
                entry.insert(values)
            }
        };
        Ok(values.get(name.essential().as_bytes()).copied().ok_or(Verdict::NoEnumerator))
    }
}

fn push_raw(spec: &mut Spec<'_>, index: u32) -> Result<(), Fault> {
    if spec.raw.len() == MAX_LEVELS {
        return Err(Fault::TooDeep { limit: MAX_LEVELS as u32 });
    }
    spec.raw.push(index);
    Ok(())
}

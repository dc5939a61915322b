//! Search for the field, type or enumerator in a candidate.
//!
//! Source: `bpf_core_spec_match` and `bpf_core_match_member` in
//! `tools/lib/bpf/relo_core.c`.

use std::collections::HashMap;

use btf_types::{Member, Name, Type};

use crate::{
    Fault, Verdict,
    budget::Budget,
    compat::fields_are_compatible,
    spec::{Accessor, MAX_LEVELS, Spec, enumerators, is_composite, is_enum, members, raw_offset, resolve},
};

/// Search of candidates for fields. Memory is used again from one candidate to the
/// next: a relocation may have thousands.
#[derive(Default)]
pub(crate) struct FieldSearch<'t> {
    /// The path in the candidate that was searched last.
    path: Spec<'t>,
    /// Types of anonymous members that do not have a member, by the number of the
    /// last search that has looked there.
    searched: HashMap<Type<'t>, u64>,
    /// Number of members that were searched for.
    searches: u64,
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
            ty = resolve(ty)?;
            match *accessor {
                Accessor::Element { index, .. } => {
                    if level > 0 {
                        let Type::Array(array) = ty else { return Ok(Err(Verdict::NotArray { level })) };
                        if index >= array.nelems() && !self.path.is_flexible(array) {
                            return Ok(Err(Verdict::TooFewElements { level, nelems: array.nelems() }));
                        }
                        ty = resolve(array.element())?;
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

    /// Finds a named member, also in anonymous members: the type that has it, its
    /// number there, and the member. The path is extended by the levels and the
    /// offset of it.
    ///
    /// The first member of the name decides. Only if that one is in an anonymous
    /// member, and not compatible, the search goes on behind it; the id of its type
    /// is put into `incompatible`. (C has no types with two such members. libbpf
    /// goes on as well, but keeps the offset of the member that it passed over.)
    ///
    /// The depth of the recursion is bounded by the length of the path.
    fn find_member(
        &mut self,
        wanted: Member<'_>,
        ty: Type<'t>,
        incompatible: &mut Option<u32>,
        budget: &Budget,
    ) -> Result<Option<(Type<'t>, u32, Member<'t>)>, Fault> {
        let Some(members) = members(ty) else { return Ok(None) };
        for (index, member) in (0..).zip(members) {
            let name = member.name();
            budget.spend_name(name.as_bytes().len())?;
            push_raw(&mut self.path, index)?;
            let before = self.path.bit_offset;
            self.path.advance(raw_offset(member).into())?;
            if name.is_empty() {
                let inner = resolve(member.ty())?;
                if self.searched.get(&inner) != Some(&self.searches) {
                    if let Some(found) = self.find_member(wanted, inner, incompatible, budget)? {
                        return Ok(Some(found));
                    }
                    if is_composite(inner) {
                        self.searched.insert(inner, self.searches);
                    }
                }
            } else if name == wanted.name() {
                if fields_are_compatible(wanted.ty(), member.ty(), budget)? {
                    return Ok(Some((ty, index, member)));
                }
                *incompatible = Some(member.ty().id());
                self.path.bit_offset = before;
                self.path.raw.pop();
                break;
            }
            self.path.bit_offset = before;
            self.path.raw.pop();
        }
        Ok(None)
    }
}

/// Finds the enumerator of an essential name in a candidate; its value as an
/// instruction holds it.
pub(crate) fn find_enumerator(
    name: Name<'_>,
    candidate: Type<'_>,
    budget: &Budget,
) -> Result<Result<u64, Verdict>, Fault> {
    let ty = resolve(candidate)?;
    if !is_enum(ty) {
        return Ok(Err(Verdict::NotEnum));
    }
    let essential = name.essential();
    for (found, value) in enumerators(ty) {
        budget.spend_name(found.as_bytes().len())?;
        if found.essential() == essential {
            return Ok(Ok(value));
        }
    }
    Ok(Err(Verdict::NoEnumerator))
}

fn push_raw(spec: &mut Spec<'_>, index: u32) -> Result<(), Fault> {
    if spec.raw.len() == MAX_LEVELS {
        return Err(Fault::TooDeep { limit: MAX_LEVELS as u32 });
    }
    spec.raw.push(index);
    Ok(())
}

//! Search of a candidate for what a relocation is of.
//!
//! Source: `bpf_core_spec_match` and `bpf_core_match_member` in
//! `tools/lib/bpf/relo_core.c`.

use std::collections::HashSet;

use btf_types::{Member, Name, Type};

use crate::{
    Fault, Verdict,
    budget::Budget,
    compat::fields_are_compatible,
    spec::{Accessor, MAX_LEVELS, Spec, enumerators, is_enum, members, raw_offset, resolve},
};

/// Follows a local path in a candidate, by names.
pub(crate) fn find_field<'t>(
    local: &Spec<'_>,
    candidate: Type<'t>,
    budget: &Budget,
) -> Result<Result<Spec<'t>, Verdict>, Fault> {
    let mut spec = Spec::new();
    let mut ty = candidate;
    for (level, accessor) in (0..).zip(&local.accessors) {
        ty = resolve(ty)?;
        match *accessor {
            Accessor::Element { index, .. } => {
                if level > 0 {
                    let Type::Array(array) = ty else { return Ok(Err(Verdict::NotArray { level })) };
                    if index >= array.count() && !spec.is_flexible(array) {
                        return Ok(Err(Verdict::TooFewElements { level, nelems: array.count() }));
                    }
                    ty = resolve(array.element())?;
                }
                push_raw(&mut spec, index)?;
                spec.push_element(ty, index)?;
            }
            Accessor::Member { member: local_member, .. } => {
                if members(ty).is_none() {
                    return Ok(Err(Verdict::NotComposite { level }));
                }
                let within = ty.id();
                let mut search = MemberSearch { name: local_member.name(), searched: HashSet::new(), budget };
                let Some((owner, index, member)) = search.find(&mut spec, ty)? else {
                    return Ok(Err(Verdict::NoMember { level, within }));
                };
                if !fields_are_compatible(local_member.ty(), member.ty(), budget)? {
                    return Ok(Err(Verdict::MemberType { level, found: member.ty().id() }));
                }
                spec.accessors.push(Accessor::Member { owner, index, member });
                ty = member.ty();
            }
        }
    }
    Ok(Ok(spec))
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

/// Search for a named member, also in anonymous members.
struct MemberSearch<'a, 't> {
    name: Name<'a>,
    /// Anonymous members' types that do not have it.
    searched: HashSet<Type<'t>>,
    budget: &'a Budget,
}

impl<'t> MemberSearch<'_, 't> {
    /// The type that has the member, its number there, and the member. The path
    /// is extended by the levels and the offset of it.
    ///
    /// The depth of the recursion is bounded by the length of the path.
    fn find(&mut self, spec: &mut Spec<'t>, ty: Type<'t>) -> Result<Option<(Type<'t>, u32, Member<'t>)>, Fault> {
        let ty = resolve(ty)?;
        let Some(members) = members(ty) else { return Ok(None) };
        if self.searched.contains(&ty) {
            return Ok(None);
        }
        for (index, member) in (0..).zip(members) {
            let name = member.name();
            self.budget.spend_name(name.as_bytes().len())?;
            push_raw(spec, index)?;
            let before = spec.bit_offset;
            spec.advance(raw_offset(member).into())?;
            if name.is_empty() {
                if let Some(found) = self.find(spec, member.ty())? {
                    return Ok(Some(found));
                }
            } else if name == self.name {
                return Ok(Some((ty, index, member)));
            }
            spec.bit_offset = before;
            spec.raw.pop();
        }
        self.searched.insert(ty);
        Ok(None)
    }
}

fn push_raw(spec: &mut Spec<'_>, index: u32) -> Result<(), Fault> {
    if spec.raw.len() == MAX_LEVELS {
        return Err(Fault::TooDeep { limit: MAX_LEVELS as u32 });
    }
    spec.raw.push(index);
    Ok(())
}

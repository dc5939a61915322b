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
                    if index >= array.nelems() && !spec.is_flexible(array) {
                        return Ok(Err(Verdict::TooFewElements { level, nelems: array.nelems() }));
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
                let mut search = MemberSearch::new(local_member, budget);
                let Some((owner, index, member)) = search.find(&mut spec, ty)? else {
                    return Ok(Err(match search.incompatible {
                        Some(found) => Verdict::MemberType { level, found },
                        None => Verdict::NoMember { level, within },
                    }));
                };
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
///
/// The first member of the name decides. Only if that one is in an anonymous
/// member, and not compatible, the search goes on behind it. (C has no types
/// with two such members. libbpf goes on as well, but keeps the offset of the
/// member that it passed over.)
struct MemberSearch<'a, 'l, 't> {
    local: Member<'l>,
    /// Anonymous members' types that do not have it.
    searched: HashSet<Type<'t>>,
    /// The id of the type of a member that has the name, but is not compatible.
    incompatible: Option<u32>,
    budget: &'a Budget,
}

impl<'a, 'l, 't> MemberSearch<'a, 'l, 't> {
    fn new(local: Member<'l>, budget: &'a Budget) -> Self {
        Self { local, searched: HashSet::new(), incompatible: None, budget }
    }

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
        let wanted = self.local.name();
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
            } else if name == wanted {
                if fields_are_compatible(self.local.ty(), member.ty(), self.budget)? {
                    return Ok(Some((ty, index, member)));
                }
                self.incompatible = Some(member.ty().id());
                spec.bit_offset = before;
                spec.raw.pop();
                break;
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

//! Matching of types, for relocations that test whether the kernel's type has
//! everything that the program's type has.
//!
//! Source: `__bpf_core_types_match` in `tools/lib/bpf/relo_core.c`.

use std::collections::{HashMap, HashSet, hash_map::Entry};

use btf_types::{FwdKind, Name, Type};

use crate::{
    Fault,
    budget::Budget,
    memo::{Answer, CHAIN, LEVELS, Memo, below},
    spec::{enumerators, is_enum, members, resolve_within as resolve},
};

/// Matching of the root types of type relocations. Each pair is compared once.
pub(crate) struct Matching<'l, 't> {
    known: Memo<(Type<'l>, Type<'t>, bool)>,
    /// The members of target types by their essential names.
    members: HashMap<Type<'t>, MembersByName<'t>>,
    /// The essential names of the enumerators of target types.
    enumerators: HashMap<Type<'t>, HashSet<Name<'t>>>,
}

impl<'l, 't> Matching<'l, 't> {
    /// Caches the results of at most `capacity` pairs.
    pub(crate) fn new(capacity: usize) -> Self {
        Self { known: Memo::new(capacity), members: HashMap::new(), enumerators: HashMap::new() }
    }

    /// Returns whether a target type has everything that a local type with the
    /// same name has.
    pub(crate) fn compare(&mut self, local: Type<'l>, target: Type<'t>, budget: &Budget) -> Result<bool, Fault> {
        self.compare_at(LEVELS - 1, local, target, false, budget).map(|answer| answer.is_equal)
    }

    /// Compares, with `levels` levels of members and parameters left.
    fn compare_at(
        &mut self,
        levels: u32,
        local: Type<'l>,
        target: Type<'t>,
        behind_ptr: bool,
        budget: &Budget,
    ) -> Result<Answer, Fault> {
        budget.spend(1)?;
        let key = (local, target, behind_ptr);
        if let Some(answer) = self.known.get(&key, levels)? {
            return Ok(answer);
        }
        let answer = self.compare_chain(levels, local, target, behind_ptr, budget)?;
        self.known.insert(key, answer);
        Ok(answer)
    }

    fn compare_chain(
        &mut self,
        levels: u32,
        mut local: Type<'l>,
        mut target: Type<'t>,
        mut behind_ptr: bool,
        budget: &Budget,
    ) -> Result<Answer, Fault> {
        let mut height = 0;
        for _ in 0..CHAIN {
            budget.spend(1)?;
            (local, target) = (resolve(local, budget)?, resolve(target, budget)?);
            if !names_match(local.name(), target.name(), budget)? {
                return Ok(Answer { is_equal: false, height });
            }
            let is_equal = match (local, target) {
                (Type::Ptr(local_ptr), Type::Ptr(target_ptr)) => {
                    behind_ptr = true;
                    (local, target) = (local_ptr.target(), target_ptr.target());
                    continue;
                }
                (Type::Array(local_array), Type::Array(target_array))
                    if local_array.nelems() == target_array.nelems() =>
                {
                    (local, target) = (local_array.element(), target_array.element());
                    continue;
                }
                (Type::FuncProto(local_proto), Type::FuncProto(target_proto)) => {
                    let (params, target_params) = (local_proto.params(), target_proto.params());
                    if params.len() != target_params.len() {
                        return Ok(Answer { is_equal: false, height });
                    }
                    for (param, target_param) in params.zip(target_params) {
                        let answer =
                            self.compare_at(below(levels)?, param.ty(), target_param.ty(), behind_ptr, budget)?;
                        height = height.max(answer.height + 1);
                        if !answer.is_equal {
                            return Ok(Answer { is_equal: false, height });
                        }
                    }
                    (local, target) = (local_proto.return_type(), target_proto.return_type());
                    continue;
                }
                (Type::Struct(_), Type::Struct(_)) | (Type::Union(_), Type::Union(_)) if behind_ptr => true,
                (Type::Struct(_), Type::Struct(_)) | (Type::Union(_), Type::Union(_)) => {
                    let answer = self.compare_members(levels, local, target, budget)?;
                    height = height.max(answer.height);
                    answer.is_equal
                }
                (Type::Struct(_), Type::Fwd(fwd)) | (Type::Fwd(fwd), Type::Struct(_)) if behind_ptr => {
                    fwd.declares() == FwdKind::Struct
                }
                (Type::Union(_), Type::Fwd(fwd)) | (Type::Fwd(fwd), Type::Union(_)) if behind_ptr => {
                    fwd.declares() == FwdKind::Union
                }
                (Type::Fwd(local), Type::Fwd(target)) => local.declares() == target.declares(),
                (Type::Int(local), Type::Int(target)) => {
                    local.size() == target.size() && local.is_signed() == target.is_signed()
                }
                (Type::Void, Type::Void) => true,
                _ if is_enum(local) && is_enum(target) => self.compare_enums(local, target, budget)?,
                _ => false,
            };
            return Ok(Answer { is_equal, height });
        }
        Err(Fault::CompareTooDeep { limit: CHAIN })
    }

    /// Compares the members of two structs or unions: each local member needs a
    /// matching target member with its name.
    fn compare_members(
        &mut self,
        levels: u32,
        local: Type<'l>,
        target: Type<'t>,
        budget: &Budget,
    ) -> Result<Answer, Fault> {
        let (Some(local_members), Some(target_members)) = (members(local), members(target)) else {
            return Ok(Answer::NO);
        };
        let mut answer = Answer::YES;
        if local_members.len() > target_members.len() {
            return Ok(Answer::NO);
        }
        for member in local_members {
            let name = essential(member.name(), budget)?;
            let mut is_equal = false;
            let mut candidates = self.members_of(target, budget)?.named(name);
            while let Some(candidate) = candidates.and_then(|index| target_members.clone().nth(index as usize)) {
                let matched = self.compare_at(below(levels)?, member.ty(), candidate.ty(), false, budget)?;
                answer.height = answer.height.max(matched.height + 1);
                is_equal = matched.is_equal;
                if is_equal {
                    break;
                }
                let index = candidates.unwrap_or_default();
                candidates = self.members_of(target, budget)?.after(index);
            }
            if !is_equal {
                return Ok(Answer { is_equal: false, ..answer });
            }
        }
        Ok(answer)
    }

    fn members_of(&mut self, ty: Type<'t>, budget: &Budget) -> Result<&MembersByName<'t>, Fault> {
        Ok(match self.members.entry(ty) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => entry.insert(MembersByName::new(ty, budget)?),
        })
    }

    /// Returns whether the target enum has the size of the local one, and an enumerator
    /// with the name of each local one.
    fn compare_enums(&mut self, local: Type<'l>, target: Type<'t>, budget: &Budget) -> Result<bool, Fault> {
        let vlen = |ty| match ty {
            Type::Enum(view) => view.values().len(),
            Type::Enum64(view) => view.values().len(),
            _ => 0,
        };
        if local.size_of().ok() != target.size_of().ok() || vlen(local) > vlen(target) {
            return Ok(false);
        }
        let names = match self.enumerators.entry(target) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => {
                let names = enumerators(target).map(|(name, _)| essential(name, budget));
                entry.insert(names.collect::<Result<_, _>>()?)
            }
        };
        for (name, _) in enumerators(local) {
            if !names.contains(essential(name, budget)?.as_bytes()) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Indexes of the members of a struct or union, by essential name.
struct MembersByName<'t> {
    first: HashMap<Name<'t>, u32>,
    /// For each member, the next one with the same name.
    next: Vec<Option<u32>>,
}

impl<'t> MembersByName<'t> {
    fn new(ty: Type<'t>, budget: &Budget) -> Result<Self, Fault> {
        let (mut first, mut next) = (HashMap::new(), Vec::new());
        if let Some(members) = members(ty) {
            for (index, member) in members.enumerate().rev() {
                next.push(first.insert(essential(member.name(), budget)?, index as u32));
            }
        }
        next.reverse();
        Ok(Self { first, next })
    }

    /// Returns the first member with an essential name.
    fn named(&self, name: Name<'_>) -> Option<u32> {
        self.first.get(name.as_bytes()).copied()
    }

    /// Returns the next member with the same essential name.
    fn after(&self, index: u32) -> Option<u32> {
        self.next.get(index as usize).copied().flatten()
    }
}

fn names_match(local: Name<'_>, target: Name<'_>, budget: &Budget) -> Result<bool, Fault> {
    Ok(essential(local, budget)? == essential(target, budget)?)
}

fn essential<'a>(name: Name<'a>, budget: &Budget) -> Result<Name<'a>, Fault> {
    budget.spend_name(name.as_bytes().len())?;
    Ok(name.essential())
}

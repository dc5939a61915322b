//! `btf find --contains`: what has a type inside, by value, and where.

use std::collections::{HashMap, HashSet};

use btf_types::{Composite, Member, Members, Name, Type, View};

/// How many types of a chain are followed, and how deep types lie in each other.
const HOPS: usize = 64;

/// A way to a type inside of another.
pub(super) struct Inside<'btf> {
    /// The struct or union.
    pub(super) of: Type<'btf>,
    /// The members on the way; an array for those that are.
    pub(super) steps: Vec<Step<'btf>>,
    /// Offset in **bits**.
    pub(super) bit_offset: u64,
    /// The type that is there.
    pub(super) ty: Type<'btf>,
}

/// A member on the way.
pub(super) struct Step<'btf> {
    pub(super) name: Name<'btf>,
    pub(super) is_array: bool,
}

/// Looks for what contains some types.
pub(super) struct Contains<'btf> {
    targets: HashSet<u32>,
    /// By the id of a struct or union, the first member that is or contains a
    /// target; `None` if no member does.
    first: HashMap<u32, Option<Member<'btf>>>,
}

impl<'btf> Contains<'btf> {
    pub(super) fn of(targets: HashSet<u32>) -> Self {
        Self { targets, first: HashMap::new() }
    }

    /// Hands out the members of a struct or union that are or contain a target,
    /// each with the first way to one.
    pub(super) fn each<E>(
        &mut self,
        of: Type<'btf>,
        mut each: impl FnMut(Inside<'btf>) -> Result<(), E>,
    ) -> Result<(), E> {
        if self.first_member(of).is_none() {
            return Ok(());
        }
        for member in Composite::of(of).into_iter().flat_map(Composite::members) {
            let (inner, _) = by_value(member.ty());
            if self.is_target(member.ty(), inner) || self.first_member(inner).is_some() {
                each(self.way(of, member))?;
            }
        }
        Ok(())
    }

    fn is_target(&self, ty: Type<'_>, inner: Type<'_>) -> bool {
        let is_target = |ty: Type<'_>| self.targets.contains(&ty.id());
        // By its own name, or by that of a typedef on the way to it.
        is_target(inner) || chain(ty).any(is_target)
    }

    /// The first member of a type that is or contains a target. Each type is
    /// looked through once.
    fn first_member(&mut self, ty: Type<'btf>) -> Option<Member<'btf>> {
        let mut open = Vec::new();
        self.open(ty, &mut open);
        while let Some(Open { ty, members, current }) = open.last_mut() {
            let Some(member) = current.take().or_else(|| members.next()) else {
                open.pop();
                continue;
            };
            let (inner, _) = by_value(member.ty());
            if self.is_target(member.ty(), inner) || matches!(self.first.get(&inner.id()), Some(Some(_))) {
                self.first.insert(ty.id(), Some(member));
                open.pop();
            } else if open.len() < HOPS && self.open(inner, &mut open) {
                // Then this member is looked at again.
                let outer = open.iter_mut().rev().nth(1);
                outer.into_iter().for_each(|outer| outer.current = Some(member));
            }
        }
        self.first.get(&ty.id()).copied().flatten()
    }

    /// Opens a struct or union, if it was not looked at before.
    fn open(&mut self, ty: Type<'btf>, open: &mut Vec<Open<'btf>>) -> bool {
        let Some(members) = Composite::of(ty).map(Composite::members).filter(|_| !self.first.contains_key(&ty.id()))
        else {
            return false;
        };
        self.first.insert(ty.id(), None);
        open.push(Open { ty, members, current: None });
        true
    }

    fn way(&self, of: Type<'btf>, member: Member<'btf>) -> Inside<'btf> {
        let mut inside = Inside { of, steps: Vec::new(), bit_offset: 0, ty: member.ty() };
        let mut next = Some(member);
        while let Some(member) = next.filter(|_| inside.steps.len() < HOPS) {
            let (inner, is_array) = by_value(member.ty());
            inside.bit_offset = inside.bit_offset.saturating_add(member.bit_offset().into());
            inside.steps.push(Step { name: member.name(), is_array });
            inside.ty = member.ty();
            if self.is_target(member.ty(), inner) {
                break;
            }
            next = self.first.get(&inner.id()).copied().flatten();
        }
        inside
    }
}

/// A type that is being looked through.
struct Open<'btf> {
    ty: Type<'btf>,
    members: Members<'btf>,
    /// The member whose type was looked through just now.
    current: Option<Member<'btf>>,
}

/// The types from a member's to the one that lies in it.
fn chain(ty: Type<'_>) -> impl Iterator<Item = Type<'_>> {
    std::iter::successors(Some(ty), |ty| match ty {
        Type::Array(array) => Some(array.element()),
        Type::Const(_) | Type::Volatile(_) | Type::Restrict(_) | Type::TypeTag(_) | Type::Typedef(_) => ty.target(),
        _ => None,
    })
    .take(HOPS)
}

/// The type that lies in a member by value, and whether it is an array of them.
fn by_value(ty: Type<'_>) -> (Type<'_>, bool) {
    let mut is_array = false;
    let mut last = ty;
    for ty in chain(ty) {
        is_array |= matches!(ty, Type::Array(_));
        last = ty;
    }
    (last, is_array)
}

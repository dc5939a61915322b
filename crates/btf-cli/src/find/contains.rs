//! `btf find --contains`: types that contain a type by value, and where.

use std::collections::{HashMap, HashSet};

use btf_types::{Composite, Member, Members, Name, Type, View};

/// Maximum length of a chain, and maximum nesting.
const HOPS: usize = 64;

/// Path to a contained type.
pub(super) struct Inside<'btf> {
    /// The struct or union.
    pub(super) of: Type<'btf>,
    /// Members on the path, and arrays among them.
    pub(super) steps: Vec<Step<'btf>>,
    /// Offset in **bits**.
    pub(super) bit_offset: u64,
    /// Contained type.
    pub(super) ty: Type<'btf>,
}

/// Member on the path.
pub(super) struct Step<'btf> {
    pub(super) name: Name<'btf>,
    pub(super) is_array: bool,
}

/// Search for types that contain a target.
pub(super) struct Contains<'btf> {
    targets: HashSet<u32>,
    /// First member of a struct or union, by id, that is or contains a target;
    /// `None` if there is none.
    first: HashMap<u32, Option<Member<'btf>>>,
}

impl<'btf> Contains<'btf> {
    pub(super) fn of(targets: HashSet<u32>) -> Self {
        Self { targets, first: HashMap::new() }
    }

    /// Yields the members of a struct or union that are or contain a target,
    /// each with the first path to one.
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
        // Named directly, or by a typedef in the chain.
        is_target(inner) || chain(ty).any(is_target)
    }

    /// Returns the first member of a type that is or contains a target. Each
    /// type is searched once.
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
                // The member is visited again once its type has been searched.
                let outer = open.iter_mut().rev().nth(1);
                outer.into_iter().for_each(|outer| outer.current = Some(member));
            }
        }
        self.first.get(&ty.id()).copied().flatten()
    }

    /// Visits a struct or union, unless it was visited before.
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

/// Type that is being searched.
struct Open<'btf> {
    ty: Type<'btf>,
    members: Members<'btf>,
    /// Member whose type was just searched.
    current: Option<Member<'btf>>,
}

/// Iterates over the types from that of a member to the one it contains.
fn chain(ty: Type<'_>) -> impl Iterator<Item = Type<'_>> {
    std::iter::successors(Some(ty), |ty| match ty {
        Type::Array(array) => Some(array.element()),
        Type::Const(_) | Type::Volatile(_) | Type::Restrict(_) | Type::TypeTag(_) | Type::Typedef(_) => ty.target(),
        _ => None,
    })
    .take(HOPS)
}

/// Returns the type that a member contains by value, and `true` for an array of
/// it.
fn by_value(ty: Type<'_>) -> (Type<'_>, bool) {
    let mut is_array = false;
    let mut last = ty;
    for ty in chain(ty) {
        is_array |= matches!(ty, Type::Array(_));
        last = ty;
    }
    (last, is_array)
}

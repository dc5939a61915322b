//! Assignment of names to types.
//!
//! * A struct, union, enumeration or typedef has its own name; an anonymous type has that
//!   of its typedef.
//! * Of several types with one name, one keeps it: a definition before a declaration, a
//!   struct, union or enumeration before a typedef, the larger before the smaller. The
//!   others get a hash of their contents as a suffix.
//! * A type that has neither is named after the enclosing type and the member:
//!   `sk_buff__cb`; an enumeration outside of any type, after its first value.

use std::{cmp::Reverse, collections::HashMap};

use btf_types::{AnyEnum, Composite, FwdKind, Member, Name, Type, View};

use super::{
    generator::{Generator, HOPS},
    names::{Hash, identifier, inside, is_primitive, type_identifier},
};
use crate::Error;

/// Maximum number of bytes of a name that are read.
pub(super) const NAME: usize = Name::MAX_KERNEL_LEN;

/// Precedence among types with one name.
type Rank = (bool, bool, Reverse<u64>, Reverse<usize>, u32, u32);

impl<'btf> Generator<'btf, '_> {
    /// Names all types that are written.
    pub(super) fn name_types(&mut self) -> Result<(), Error> {
        let types = std::mem::take(&mut self.selection.types);
        let result = self.name_all(&types);
        self.selection.types = types;
        result
    }

    fn name_all(&mut self, types: &[Type<'btf>]) -> Result<(), Error> {
        let mut own: HashMap<String, Vec<Type<'btf>>> = HashMap::with_capacity(types.len());
        for ty in types.iter().filter(|ty| !ty.is_anonymous()) {
            self.current = *ty;
            self.step()?;
            own.entry(type_identifier(ty.name_start(NAME))).or_default().push(*ty);
        }
        let mut groups: Vec<_> = own.into_iter().collect();
        groups.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        // Own names are assigned first, so that no generated name takes one.
        let mut others = Vec::new();
        let mut parents = Vec::new();
        for (name, mut group) in groups {
            self.merge(&name, &mut group)?;
            group.sort_by_cached_key(|ty| rank(*ty, self.selection.is_defined(ty.id())));
            let mut group = group.into_iter();
            if let Some(first) = group.next() {
                self.give(first, name.clone());
                parents.push(first);
            }
            others.extend(group.map(|ty| (name.clone(), ty)));
        }
        for (name, ty) in others {
            self.give(ty, format!("{name}__{:08x}", content(ty)));
            parents.push(ty);
        }
        let mut left = Vec::new();
        for ty in types {
            match ty {
                Type::Fwd(_) | Type::Typedef(_) => self.share(*ty),
                _ if self.names.get(ty.id()).is_none() => left.push(*ty),
                _ => {}
            }
        }
        for parent in parents {
            self.current = parent;
            self.name_inner(parent)?;
        }
        self.name_variables()?;
        self.name_left(left)
    }

    /// Gives a type a name, which a typedef shares with an anonymous target.
    fn give(&mut self, ty: Type<'btf>, name: String) {
        match ty {
            Type::Typedef(typedef) if is_item(typedef.target()) && typedef.target().is_anonymous() => {
                let target = typedef.target().id();
                if self.names.get(target).is_none() {
                    self.names.give(target, name);
                    self.names.share(ty.id(), target);
                } else {
                    self.names.give(ty.id(), name);
                }
            }
            _ => self.names.give(ty.id(), name),
        }
    }

    /// Removes those types with one name that need no name of their own: typedefs of others
    /// among them, typedefs named like a primitive type, and declarations of a type that
    /// another one defines or declares.
    fn merge(&mut self, name: &str, group: &mut Vec<Type<'btf>>) -> Result<(), Error> {
        if let Some(primitive) = name.strip_suffix('_').filter(|name| is_primitive(name)) {
            let is_scalar = |ty: &Type<'_>| matches!(ty.peel_modifiers(), Type::Int(_) | Type::Float(_));
            group.retain(|ty| !(ty.is_named(primitive) && matches!(ty, Type::Typedef(_)) && is_scalar(ty)));
        }
        if group.len() < 2 {
            return Ok(());
        }
        let of_kind = |kind: FwdKind| move |ty: &Type<'_>| declares(*ty) == Some(kind);
        for kind in [FwdKind::Struct, FwdKind::Union] {
            let is_fwd = |ty: &Type<'_>| matches!(ty, Type::Fwd(_));
            let is_definition = |ty: &&Type<'_>| of_kind(kind)(ty) && !is_fwd(ty) && self.selection.is_defined(ty.id());
            let definition = group.iter().find(is_definition).or_else(|| group.iter().find(|ty| of_kind(kind)(ty)));
            if let Some(definition) = definition.copied() {
                let of = &mut self.selection.same;
                group.retain(|ty| {
                    let is_other = *ty != definition && is_fwd(ty) && of_kind(kind)(ty);
                    if is_other {
                        of.insert(ty.id(), definition.id());
                    }
                    !is_other
                });
            }
        }
        let mut items: Vec<u32> = group.iter().filter(|ty| is_item(**ty)).map(|ty| ty.id()).collect();
        items.sort_unstable();
        let of = &mut self.selection.same;
        group.retain(|ty| match ty {
            Type::Typedef(typedef) => {
                let target = typedef.target().peel_qualifiers().id();
                let is_same = items.binary_search(&target).is_ok();
                if is_same {
                    of.insert(ty.id(), target);
                }
                !is_same
            }
            _ => true,
        });
        self.step()
    }

    /// Gives a declaration or typedef the name of the type that it stands for.
    fn share(&mut self, ty: Type<'btf>) {
        if let Some(of) = self.selection.same.get(&ty.id()).copied() {
            self.names.share(ty.id(), of);
        }
    }

    /// Names the anonymous types inside a type.
    fn name_inner(&mut self, parent: Type<'btf>) -> Result<(), Error> {
        let Some(name) = self.names.get(parent.id()).map(str::to_owned) else { return Ok(()) };
        let mut open = Vec::new();
        match parent {
            Type::Typedef(typedef) => {
                self.name_behind(typedef.target(), inside(&name, "target"), &mut open, 0)?;
                // The target may share the name of the typedef.
                if self.names.get(typedef.target().id()) == Some(&name) {
                    open.push(typedef.target());
                }
            }
            _ => open.push(parent),
        }
        while let Some(ty) = open.pop() {
            let Some(composite) = Composite::of(ty).filter(|_| self.selection.is_defined(ty.id())) else { continue };
            let name = self.names.get(ty.id()).unwrap_or_default().to_owned();
            for member in composite.members() {
                self.step()?;
                if let Some(path) = self.path_of(member, &name) {
                    self.name_behind(member.ty(), path, &mut open, 0)?;
                }
            }
        }
        Ok(())
    }

    /// Returns the name for an anonymous type of a member; `None` if there is no such type.
    fn path_of(&self, member: Member<'btf>, outer: &str) -> Option<String> {
        let mut ty = member.ty();
        for _ in 0..HOPS {
            ty = match ty {
                Type::Typedef(_) | Type::Void | Type::Int(_) => return None,
                Type::Array(array) => array.element(),
                Type::Ptr(ptr) => ptr.target(),
                Type::FuncProto(_) => return Some(inside(outer, &field_name(member))),
                _ if ty.is_modifier() => ty.target()?,
                _ if is_item(ty) && ty.is_anonymous() => return Some(inside(outer, &field_name(member))),
                _ => return None,
            };
        }
        None
    }

    /// Names the anonymous types that a type leads to, except through a typedef.
    fn name_behind(
        &mut self,
        ty: Type<'btf>,
        name: String,
        open: &mut Vec<Type<'btf>>,
        hops: u32,
    ) -> Result<(), Error> {
        let mut inner = ty;
        for hops in hops..HOPS {
            self.step()?;
            inner = match inner {
                Type::Array(array) => array.element(),
                Type::Ptr(ptr) => ptr.target(),
                Type::Typedef(_) => return Ok(()),
                Type::FuncProto(proto) => {
                    for param in proto.params() {
                        let of = identifier(param.name_start(NAME));
                        self.name_behind(param.ty(), inside(&name, &of), open, hops + 1)?;
                    }
                    proto.return_type()
                }
                _ if is_item(inner) => {
                    let is_new = inner.is_anonymous() && self.names.get(inner.id()).is_none();
                    if is_new && self.selection.is_named(inner.id()) {
                        self.names.give(inner.id(), name);
                        open.push(inner);
                    }
                    return Ok(());
                }
                _ => match inner.target() {
                    Some(target) => target,
                    None => return Ok(()),
                },
            };
        }
        Ok(())
    }

    /// Names the types of variables.
    fn name_variables(&mut self) -> Result<(), Error> {
        let mut open = Vec::new();
        for section in self.selection.sections.clone() {
            for entry in section.entries() {
                if let Type::Var(var) = entry.ty() {
                    self.name_behind(var.ty(), type_identifier(entry.ty().name_start(NAME)), &mut open, 0)?;
                }
            }
        }
        open.into_iter().try_for_each(|ty| self.name_inner(ty))
    }

    /// Names the anonymous types that no named type leads to.
    fn name_left(&mut self, mut left: Vec<Type<'btf>>) -> Result<(), Error> {
        left.retain(|ty| is_item(*ty) && self.names.get(ty.id()).is_none());
        left.sort_by_cached_key(|ty| rank(*ty, true));
        for ty in left {
            if self.names.get(ty.id()).is_some() {
                continue;
            }
            let first = AnyEnum::of(ty).and_then(|any| any.values().next()).map(|value| value.name_start(NAME));
            let name = match first {
                Some(first) => format!("anon_{}", identifier(first)),
                None => format!("anon_{:08x}", content(ty)),
            };
            self.names.give(ty.id(), name);
            self.name_inner(ty)?;
        }
        Ok(())
    }
}

/// Returns `true` for a struct, union or enumeration.
fn is_item(ty: Type<'_>) -> bool {
    matches!(ty, Type::Struct(_) | Type::Union(_) | Type::Enum(_) | Type::Enum64(_))
}

/// Returns the kind that a type defines or declares.
fn declares(ty: Type<'_>) -> Option<FwdKind> {
    match ty {
        Type::Struct(_) => Some(FwdKind::Struct),
        Type::Union(_) => Some(FwdKind::Union),
        Type::Fwd(fwd) => Some(fwd.declares()),
        _ => None,
    }
}

/// Returns the field name of a member. For an unnamed member, it is made from the name of
/// the first member inside it.
pub(super) fn field_name(member: Member<'_>) -> String {
    if !member.name_start(1).is_empty() {
        return identifier(member.name_start(NAME));
    }
    let mut inner = member;
    for _ in 0..HOPS {
        let Some(composite) = Composite::of(inner.ty().peel_modifiers()) else { break };
        let Some(first) = composite.members().next() else { break };
        if !first.name_start(1).is_empty() {
            return format!("anon_{}", identifier(first.name_start(NAME)));
        }
        inner = first;
    }
    format!("anon_{}", member.bit_offset() / 8)
}

fn rank(ty: Type<'_>, is_defined: bool) -> Rank {
    let members = Composite::of(ty).map_or(0, |composite| composite.members().len());
    let size = ty.size_of().unwrap_or(0);
    (!is_defined, !is_item(ty), Reverse(size), Reverse(members), content(ty), ty.id())
}

/// Returns a hash of the contents of a type: the same in all BTF that has the type.
fn content(ty: Type<'_>) -> u32 {
    let mut hash = Hash::new();
    hash.add_number(ty.kind().map_or(0, |kind| kind.number().into()));
    hash.add_name(ty.name_start(NAME));
    hash.add_number(ty.size_of().unwrap_or(0));
    if let Some(composite) = Composite::of(ty) {
        for member in composite.members() {
            hash.add_name(member.name_start(NAME));
            hash.add_number(member.bit_offset().into());
            hash.add_number(member.bitfield_size().unwrap_or(0).into());
            add_type(&mut hash, member.ty());
        }
    } else if let Some(any) = AnyEnum::of(ty) {
        for value in any.values() {
            hash.add_name(value.name_start(NAME));
            hash.add_number(value.value() as u64);
        }
    } else {
        add_type(&mut hash, ty);
    }
    hash.value()
}

/// Adds the kinds and numbers of elements along the chain of a type, and the name at its end.
fn add_type(hash: &mut Hash, ty: Type<'_>) {
    let mut inner = ty;
    for _ in 0..HOPS {
        hash.add_number(inner.kind().map_or(0, |kind| kind.number().into()));
        inner = match inner {
            Type::Array(array) => {
                hash.add_number(array.nelems().into());
                array.element()
            }
            _ => match inner.target() {
                Some(target) => target,
                None => break,
            },
        };
    }
    hash.add_name(inner.name_start(NAME));
    if inner.is_anonymous() {
        hash.add_number(inner.size_of().unwrap_or(0));
    }
}

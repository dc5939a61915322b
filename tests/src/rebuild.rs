//! BTF rebuilt type by type from its views.

use btf_build::{Builder, CompositeBuilder, Error};
use btf_types::{Btf, Members, Type};

/// Returns `true` if the builder has a method for each own type.
#[must_use]
pub fn is_buildable(btf: &Btf) -> bool {
    btf.types().all(|ty| ty.kind().is_some())
}

/// Rebuilds the own types of a BTF with the typed methods of the builder. Ids are
/// the same, and equal strings are stored once.
///
/// # Errors
///
/// If the builder rejects one of them.
///
/// # Panics
///
/// If the BTF is not [buildable](is_buildable).
pub fn rebuild(btf: &Btf) -> Result<Btf, Error> {
    let mut b = btf.base().map_or_else(Builder::new, Builder::on).byte_order(btf.byte_order());
    if let Some(bytes) = btf.known_pointer_size() {
        b = b.pointer_size(bytes);
    }
    for id in btf.own_ids() {
        assert_eq!(b.declare(), id);
    }
    for ty in btf.types() {
        let id = define(&mut b, ty)?;
        assert_eq!(id, ty.id());
    }
    b.finish()
}

/// Defines a copy of a type under its id, which must be declared. References keep their
/// ids.
///
/// # Errors
///
/// If the builder rejects the type.
///
/// # Panics
///
/// If the builder has no method for it.
pub fn define(b: &mut Builder, ty: Type<'_>) -> Result<u32, Error> {
    let name = ty.name();
    let target = ty.target().map_or(0, Type::id);
    let definition = b.define(ty.id());
    match ty {
        Type::Int(int) => definition.int_with_bits(name, int.size(), int.encoding(), int.bit_offset(), int.bits()),
        Type::Float(float) => definition.float(name, float.size()),
        Type::Ptr(_) => definition.ptr(target),
        Type::Volatile(_) => definition.volatile(target),
        Type::Const(_) => definition.const_(target),
        Type::Restrict(_) => definition.restrict(target),
        Type::Typedef(_) => definition.typedef(name, target),
        Type::TypeTag(tag) if tag.is_attribute() => definition.type_attribute(name, target),
        Type::TypeTag(_) => definition.type_tag(name, target),
        Type::DeclTag(tag) if tag.is_attribute() => {
            definition.decl_attribute(name, tag.target().id(), tag.component_idx())
        }
        Type::DeclTag(tag) => definition.decl_tag(name, tag.target().id(), tag.component_idx()),
        Type::Array(array) => definition.array(array.element().id(), array.index().id(), array.nelems()),
        Type::Fwd(fwd) => definition.fwd(name, fwd.declares()),
        Type::Func(func) => definition.func(name, func.linkage(), func.proto().id()),
        Type::Var(var) => definition.var(name, var.ty().id(), var.linkage()),
        Type::Struct(s) => members(definition.structure(name, s.size()), ty, s.members()),
        Type::Union(u) => members(definition.union(name, u.size()), ty, u.members()),
        Type::Enum(e) => {
            let new = definition.enumeration(name, e.size()).signed(e.is_signed());
            e.values().fold(new, |new, value| new.value(value.name(), value.value())).finish()
        }
        Type::Enum64(e) => {
            let new = definition.enumeration64(name, e.size()).signed(e.is_signed());
            e.values().fold(new, |new, value| new.value(value.name(), value.value())).finish()
        }
        Type::FuncProto(proto) => {
            let new = definition.func_proto(proto.return_type().id());
            proto.params().fold(new, |new, param| new.param(param.name(), param.ty().id())).finish()
        }
        Type::Datasec(section) => {
            let new = definition.datasec(name, section.size());
            let entries = section.entries();
            entries.fold(new, |new, entry| new.var(entry.ty().id(), entry.offset(), entry.size())).finish()
        }
        _ => panic!("{ty:?} is copied, not built"),
    }
}

fn members(new: CompositeBuilder<'_>, ty: Type<'_>, members: Members<'_>) -> Result<u32, Error> {
    let btf = ty.btf().expect("it is no void");
    let kind_flag = btf.record(ty.id()).is_some_and(|record| record.head().info().kind_flag());
    let mut new = new.kind_flag(kind_flag);
    for member in members {
        new = match member.encoded() {
            (offset, None) => new.member(member.name(), member.ty().id(), offset),
            (offset, Some(bits)) => new.bitfield(member.name(), member.ty().id(), offset, bits),
        };
    }
    new.finish()
}

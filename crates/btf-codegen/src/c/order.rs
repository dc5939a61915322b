//! Order of definitions: types that are contained by value precede those that
//! contain them. For types that are only pointed to, a forward declaration is
//! enough.
//!
//! Source: `btf_dump_order_type` in `tools/lib/bpf/btf_dump.c`.

use std::fmt;

use btf_types::{Btf, Type};

use super::printer::{Printer, state};
use crate::Error;

/// Returns `false` for types that have no definition and do not affect the order of others.
/// (An INT does: until it is ordered, a typedef of it is not ordered through a pointer.)
pub(super) fn has_place(ty: Type<'_>) -> bool {
    !matches!(ty, Type::Func(_) | Type::Var(_) | Type::Datasec(_) | Type::DeclTag(_))
}

/// Marks the types that types of this layer refer to. As in libbpf, return types are not
/// marked.
pub(super) fn mark_referenced(layer: &Btf, states: &mut [u16]) {
    let mut mark = |id: u32| {
        if let Some(states) = states.get_mut(id as usize) {
            *states |= state::REFERENCED;
        }
    };
    for ty in layer.types() {
        match ty {
            // These refer to prototypes and variables, for which the mark is never read.
            Type::Func(_) | Type::Datasec(_) => {}
            Type::Struct(s) => s.members().for_each(|member| mark(member.type_id())),
            Type::Union(u) => u.members().for_each(|member| mark(member.type_id())),
            Type::FuncProto(proto) => proto.params().for_each(|param| mark(param.type_id())),
            Type::Array(array) => {
                mark(array.element().id());
                mark(array.index().id());
            }
            Type::Var(var) => mark(var.ty().id()),
            _ => {
                if let Some(target) = ty.target_id() {
                    mark(target);
                }
            }
        }
    }
}

impl<'btf> Printer<'btf, '_> {
    /// Queues a type after its dependencies. Returns `true` if it has to be defined before the
    /// types that refer to it, `false` if a forward declaration is enough.
    #[inline]
    pub(super) fn order(&mut self, ty: Type<'btf>, through_ptr: bool, hops: u32) -> Result<bool, fmt::Error> {
        if self.is(ty.id(), state::ORDERED) { Ok(true) } else { self.order_first(ty, through_ptr, hops) }
    }

    /// Orders a type that is not [`state::ORDERED`].
    #[inline(never)]
    fn order_first(&mut self, ty: Type<'btf>, through_ptr: bool, hops: u32) -> Result<bool, fmt::Error> {
        let id = ty.id();
        let hops = self.hop(ty, hops)?;
        match ty {
            Type::Struct(_) | Type::Union(_) => return self.order_composite(ty, through_ptr, hops),
            Type::Ptr(_) => {
                let is_strong = self.order_target(ty, true, hops);
                self.set(id, state::ORDERED);
                return is_strong;
            }
            Type::Array(array) => return self.order(array.element(), false, hops),
            Type::Enum(_) | Type::Enum64(_) | Type::Fwd(_) => {
                if !ty.is_anonymous() || !self.is_referenced(id) {
                    self.queue.push(ty);
                }
                self.set(id, state::ORDERED);
                return Ok(true);
            }
            Type::Typedef(_) => {
                if !self.order_target(ty, through_ptr, hops)? && through_ptr {
                    return Ok(false);
                }
                self.queue.push(ty);
                self.set(id, state::ORDERED);
                return Ok(true);
            }
            Type::Const(_) | Type::Volatile(_) | Type::Restrict(_) | Type::TypeTag(_) => {
                return self.order_target(ty, through_ptr, hops);
            }
            Type::FuncProto(proto) => {
                let mut is_strong = self.order(proto.return_type(), through_ptr, hops)?;
                for param in proto.params() {
                    self.step()?;
                    is_strong |=
                        self.is(param.type_id(), state::ORDERED) || self.order(param.ty(), through_ptr, hops)?;
                }
                return Ok(is_strong);
            }
            _ => {}
        }
        self.set(id, state::ORDERED);
        Ok(false)
    }

    /// Orders the type that a type refers to.
    #[inline]
    fn order_target(&mut self, ty: Type<'btf>, through_ptr: bool, hops: u32) -> Result<bool, fmt::Error> {
        if ty.target_id().is_some_and(|id| self.is(id, state::ORDERED)) {
            return Ok(true);
        }
        self.order_first(ty.target().unwrap_or(Type::Void), through_ptr, hops)
    }

    fn order_composite(&mut self, ty: Type<'btf>, through_ptr: bool, hops: u32) -> Result<bool, fmt::Error> {
        let id = ty.id();
        if through_ptr && !ty.is_anonymous() {
            return Ok(false);
        }
        if self.is(id, state::ORDERING) {
            self.fail(Error::Cycle { ty: ty.into() })?;
        }
        self.set(id, state::ORDERING);
        let members = match ty {
            Type::Struct(s) => s.members(),
            Type::Union(u) => u.members(),
            _ => return Ok(false),
        };
        for member in members {
            // Most are ordered already, and this test is cheaper than looking up the type.
            if !self.is(member.type_id(), state::ORDERED) {
                self.order(member.ty(), false, hops)?;
            }
        }
        if !ty.is_anonymous() {
            self.queue.push(ty);
        }
        self.set(id, state::ORDERED);
        Ok(true)
    }
}

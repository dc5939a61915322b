//! Order of definitions: types that are contained by value precede those that
//! contain them. For types that are only pointed to, a forward declaration is
//! enough.
//!
//! Source: `btf_dump_order_type` in `tools/lib/bpf/btf_dump.c`.

use std::{fmt, ops::Range};

use btf_types::{Btf, Type};

use super::printer::{Printer, state};
use crate::Error;

/// Marks what the types of these ids refer to. That of return types is not told
/// apart, as in libbpf.
pub(super) fn mark_referenced(btf: &Btf, ids: Range<u32>, states: &mut [u16]) {
    let mut mark = |ty: Type<'_>| {
        if let Some(states) = states.get_mut(ty.id() as usize) {
            *states |= state::REFERENCED;
        }
    };
    for ty in ids.filter_map(|id| btf.type_by_id(id).ok()) {
        match ty {
            Type::Struct(s) => s.members().for_each(|member| mark(member.ty())),
            Type::Union(u) => u.members().for_each(|member| mark(member.ty())),
            Type::FuncProto(proto) => proto.params().for_each(|param| mark(param.ty())),
            Type::Datasec(section) => section.entries().for_each(|entry| mark(entry.ty())),
            Type::Array(array) => {
                mark(array.element());
                mark(array.index());
            }
            Type::Func(func) => mark(func.proto().into()),
            Type::Var(var) => mark(var.ty()),
            _ => {
                if let Some(target) = ty.target() {
                    mark(target);
                }
            }
        }
    }
}

impl<'btf> Printer<'btf, '_> {
    /// Puts a type into the queue, behind what it needs. Returns whether it has to be
    /// defined before what refers to it (`true`), or a forward declaration will do.
    pub(super) fn order(&mut self, ty: Type<'btf>, through_ptr: bool, hops: u32) -> Result<bool, fmt::Error> {
        let id = ty.id();
        if self.is(id, state::ORDERED) {
            return Ok(true);
        }
        let hops = self.hop(ty, hops)?;
        match ty {
            Type::Struct(_) | Type::Union(_) => return self.order_composite(ty, through_ptr, hops),
            Type::Ptr(ptr) => {
                let is_strong = self.order(ptr.target(), true, hops);
                self.set(id, state::ORDERED);
                return is_strong;
            }
            Type::Array(array) => return self.order(array.element(), false, hops),
            Type::Enum(_) | Type::Enum64(_) | Type::Fwd(_) => {
                if !ty.is_anonymous() || !self.is(id, state::REFERENCED) {
                    self.queue.push(ty);
                }
                self.set(id, state::ORDERED);
                return Ok(true);
            }
            Type::Typedef(typedef) => {
                if !self.order(typedef.target(), through_ptr, hops)? && through_ptr {
                    return Ok(false);
                }
                self.queue.push(ty);
                self.set(id, state::ORDERED);
                return Ok(true);
            }
            Type::Const(_) | Type::Volatile(_) | Type::Restrict(_) | Type::TypeTag(_) => {
                return self.order(ty.target().unwrap_or(Type::Void), through_ptr, hops);
            }
            Type::FuncProto(proto) => {
                let mut is_strong = self.order(proto.return_type(), through_ptr, hops)?;
                for param in proto.params() {
                    self.step()?;
                    is_strong |= self.order(param.ty(), through_ptr, hops)?;
                }
                return Ok(is_strong);
            }
            _ => {}
        }
        self.set(id, state::ORDERED);
        Ok(false)
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
            self.order(member.ty(), false, hops)?;
        }
        if !ty.is_anonymous() {
            self.queue.push(ty);
        }
        self.set(id, state::ORDERED);
        Ok(true)
    }
}

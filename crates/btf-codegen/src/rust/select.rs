//! Selection of the types to write: the root types and their dependencies.
//!
//! Types that are used by value are defined; structs and unions that are only pointed to
//! become opaque types, unless they are root types.

use std::collections::HashMap;

use btf_types::{Datasec, Linkage, Type, Var, View};

use super::{generator::Generator, section::is_data};
use crate::Error;

/// The type has a name in the generated code.
const NAMED: u8 = 1;
/// The type has a definition with all its members.
const DEFINED: u8 = 1 << 1;

/// Types to write.
#[derive(Debug)]
pub(super) struct Selection<'btf> {
    states: Vec<u8>,
    /// Structs, unions, enumerations, forward declarations and typedefs.
    pub(super) types: Vec<Type<'btf>>,
    pub(super) sections: Vec<Datasec<'btf>>,
    /// Maps declarations and typedefs to the types that they stand for, by id.
    pub(super) same: HashMap<u32, u32>,
}

impl Selection<'_> {
    pub(super) fn new(count: usize) -> Self {
        Self { states: vec![0; count], types: Vec::new(), sections: Vec::new(), same: HashMap::new() }
    }

    /// Returns `true` if a struct or union is written with its members.
    pub(super) fn is_defined(&self, id: u32) -> bool {
        self.states.get(id as usize).is_some_and(|state| state & DEFINED != 0)
    }

    pub(super) fn is_named(&self, id: u32) -> bool {
        self.states.get(id as usize).is_some_and(|state| *state != 0)
    }

    /// Marks a type. Returns `true` if that changes its state.
    fn mark(&mut self, id: u32, state: u8) -> bool {
        let Some(known) = self.states.get_mut(id as usize) else { return false };
        let is_news = *known & state != state;
        *known |= state;
        is_news
    }
}

/// A type, and whether its size has to be known.
type Wanted<'btf> = (Type<'btf>, bool);

impl<'btf> Generator<'btf, '_> {
    /// Selects the root types and their dependencies. Without roots and globals, these are all
    /// enumerations and all other types that have a name.
    pub(super) fn select(&mut self, roots: &[Type<'btf>]) -> Result<(), Error> {
        let mut wanted: Vec<Wanted<'btf>> = Vec::new();
        if roots.is_empty() && !self.form.globals {
            let is_enum = |ty: Type<'_>| matches!(ty, Type::Enum(_) | Type::Enum64(_));
            let types = (1..self.btf.type_count()).filter_map(|id| self.btf.type_by_id(id).ok());
            let has_item = |ty: &Type<'_>| {
                is_enum(*ty)
                    || matches!(ty, Type::Struct(_) | Type::Union(_) | Type::Fwd(_) | Type::Typedef(_))
                        && !ty.is_anonymous()
            };
            wanted.extend(types.filter(has_item).map(|ty| (ty, true)));
        }
        wanted.extend(roots.iter().map(|root| (*root, true)));
        if self.form.globals {
            let ids = self.btf.own_ids();
            let sections = ids.filter_map(|id| self.btf.type_by_id(id).ok()).filter_map(Datasec::of);
            self.selection.sections = sections.filter(|section| is_data(*section)).collect();
            for section in self.selection.sections.clone() {
                let variables = section.entries().filter_map(|entry| Var::of(entry.ty()));
                let shown = variables.filter(|var| var.linkage() != Linkage::Static);
                wanted.extend(shown.map(|var| (var.ty(), true)));
            }
        }
        while let Some((ty, by_value)) = wanted.pop() {
            self.current = ty;
            self.step()?;
            self.want(ty, by_value, &mut wanted)?;
        }
        Ok(())
    }

    fn want(&mut self, ty: Type<'btf>, by_value: bool, wanted: &mut Vec<Wanted<'btf>>) -> Result<(), Error> {
        let (id, is_known) = (ty.id(), self.selection.is_named(ty.id()));
        let defines = match ty {
            Type::Void | Type::Int(_) | Type::Float(_) => return Ok(()),
            Type::Struct(_) | Type::Union(_) => by_value || ty.is_anonymous(),
            Type::Enum(_) | Type::Enum64(_) => true,
            Type::Fwd(_) => false,
            _ => by_value,
        };
        if !self.selection.mark(id, if defines { NAMED | DEFINED } else { NAMED }) {
            return Ok(());
        }
        match ty {
            Type::Struct(s) if defines => wanted.extend(s.members().map(|member| (member.ty(), true))),
            Type::Union(u) if defines => wanted.extend(u.members().map(|member| (member.ty(), true))),
            Type::Ptr(ptr) if !is_known => wanted.push((ptr.target(), false)),
            Type::Array(array) => wanted.push((array.element(), by_value)),
            Type::FuncProto(proto) if !is_known => {
                for param in proto.params() {
                    self.step()?;
                    wanted.push((param.ty(), false));
                }
                wanted.push((proto.return_type(), false));
            }
            Type::Typedef(_) | Type::Const(_) | Type::Volatile(_) | Type::Restrict(_) | Type::TypeTag(_) => {
                wanted.push((ty.target().unwrap_or(Type::Void), by_value));
            }
            _ => {}
        }
        let has_item = matches!(
            ty,
            Type::Struct(_) | Type::Union(_) | Type::Enum(_) | Type::Enum64(_) | Type::Fwd(_) | Type::Typedef(_)
        );
        if has_item && !is_known {
            self.selection.types.push(ty);
        }
        Ok(())
    }
}

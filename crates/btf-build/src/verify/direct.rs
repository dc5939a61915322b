//! Types that are resolved without a walk, which are most: all that they refer to is
//! resolved, or needs no resolving.
//!
//! The result is that of the walk. What needs one, and what violates a rule, is left to
//! it.

use btf_types::Kind;

use super::{
    kinds::is_modifier,
    known::{Known, Size, State},
    words::Record,
};

impl Known<'_, '_> {
    /// Resolves a type if no walk is needed; returns whether it did.
    #[inline]
    pub(super) fn resolve_directly(&mut self, id: u32, kind: Kind) -> bool {
        let record = self.types.record(id);
        match kind {
            Kind::Ptr => self.pointer(id, record.size_or_type),
            Kind::Struct | Kind::Union => {
                let is_sound = self.first_unusual_member(&record, 0).is_none();
                if is_sound {
                    self.set_sized(id, Size::new(record.size_or_type));
                }
                is_sound
            }
            Kind::Array => self.array(id, &record),
            kind if is_modifier(kind) => self.modifier(id, record.size_or_type),
            _ => false,
        }
    }

    /// Returns the index of the first member, from one on, that needs more than a look at
    /// its size.
    #[inline]
    pub(super) fn first_unusual_member(&self, composite: &Record<'_>, from: u32) -> Option<u32> {
        let bytes = composite.size_or_type;
        let offset_bits = if composite.info.kind_flag() { 0x00ff_ffff } else { u32::MAX };
        let is_unusual = |[_, type_id, word]: [u32; 3]| {
            let offset = word & offset_bits;
            let is_whole = (offset.is_multiple_of(8)) & (offset == word);
            !(is_whole & self.size(type_id).fits(offset / 8, bytes))
        };
        let index = composite.elements_from(from).position(is_unusual)?;
        Some(from + index as u32)
    }

    fn pointer(&mut self, id: u32, next: u32) -> bool {
        let is_end = match self.types.kind(next) {
            None => next == 0,
            Some(Kind::Ptr) => self.is_resolved(next),
            // The pointees' sizes are not asked for.
            Some(
                Kind::Int
                | Kind::Array
                | Kind::Struct
                | Kind::Union
                | Kind::Enum
                | Kind::Enum64
                | Kind::Float
                | Kind::Fwd
                | Kind::FuncProto,
            ) => true,
            Some(kind) if is_modifier(kind) && self.is_resolved(next) => {
                let resolved = self.resolved(next);
                self.types.kind(resolved) != Some(Kind::Ptr) || self.is_resolved(resolved)
            }
            Some(_) => false,
        };
        if is_end {
            self.set_state(id, State::Sized);
        }
        is_end
    }

    fn modifier(&mut self, id: u32, next: u32) -> bool {
        let resolved = match self.types.kind(next) {
            None if next == 0 => next,
            Some(Kind::Fwd | Kind::FuncProto) => next,
            Some(
                Kind::Int
                | Kind::Ptr
                | Kind::Array
                | Kind::Struct
                | Kind::Union
                | Kind::Enum
                | Kind::Enum64
                | Kind::Float,
            ) if self.is_resolved(next) => next,
            Some(kind) if is_modifier(kind) && self.is_resolved(next) => self.resolved(next),
            _ => return false,
        };
        self.set_resolved(id, resolved);
        match self.state(resolved) {
            State::Sized => self.set_sized(id, self.size(resolved)),
            _ => {
                self.set_state(id, State::Resolved);
                self.set_size(id, self.size(resolved));
            }
        }
        true
    }

    fn array(&mut self, id: u32, record: &Record<'_>) -> bool {
        let [element, index, nelems] = [0, 1, 2].map(|at| record.word(at));
        if self.types.kind(index) != Some(Kind::Int) || self.size(index) == Size::NONE {
            return false;
        }
        let Some(bytes) = self.size(element).get().and_then(|size| size.checked_mul(nelems)) else { return false };
        self.set_resolved(id, bytes);
        self.set_sized(id, Size::new(bytes));
        true
    }

    fn set_sized(&mut self, id: u32, size: Size) {
        self.set_state(id, State::Sized);
        self.set_size(id, size);
    }
}

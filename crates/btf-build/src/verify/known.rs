//! States of types while they are resolved.

use btf_types::Kind;

use super::{kinds::is_modifier, types::Types};

/// State of a type.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    New,
    OnStack,
    Resolved,
    /// Resolved, or of a kind that needs no resolving, and with a size.
    Sized,
    /// Of a FUNC_PROTO, which needs no resolving: all parameters have names.
    Named,
}

/// States of types, and their resolved types.
pub(super) struct Known<'t, 'a> {
    pub(super) types: &'t Types<'a>,
    /// Size of a pointer in bytes.
    pub(super) pointer_size: u32,
    /// One for each id.
    states: Vec<State>,
    /// Of an ARRAY, its size in bytes; of what else refers to one type, the id of
    /// what it resolves to.
    resolved: Vec<u32>,
}

impl<'t, 'a> Known<'t, 'a> {
    pub(super) fn new(types: &'t Types<'a>, pointer_size: u32) -> Self {
        let mut states = vec![State::New; types.count() as usize];
        for (state, (_, kind)) in states.iter_mut().skip(types.first_id() as usize).zip(types.kinds()) {
            if matches!(kind, Some(Kind::Int | Kind::Enum | Kind::Enum64 | Kind::Float)) {
                *state = State::Sized;
            }
        }
        Self { types, pointer_size, states, resolved: vec![0; types.count() as usize] }
    }

    #[inline]
    pub(super) fn set_resolved(&mut self, id: u32, resolved: u32) {
        if let Some(to) = self.resolved.get_mut(id as usize) {
            *to = resolved;
        }
    }

    #[inline]
    pub(super) fn state(&self, id: u32) -> State {
        self.states.get(id as usize).copied().unwrap_or(State::New)
    }

    #[inline]
    pub(super) fn set_state(&mut self, id: u32, state: State) {
        if let Some(to) = self.states.get_mut(id as usize) {
            *to = state;
        }
    }

    #[inline]
    pub(super) fn is_resolved(&self, id: u32) -> bool {
        matches!(self.state(id), State::Resolved | State::Sized)
    }

    /// Returns the resolved type.
    #[inline]
    pub(super) fn resolved(&self, id: u32) -> u32 {
        self.resolved.get(id as usize).copied().unwrap_or(0)
    }

    /// The type that a type has its size from, and that size in bytes.
    #[inline]
    pub(super) fn sized(&self, id: u32) -> Option<(u32, u32)> {
        let kind = self.types.kind(id)?;
        if is_modifier(kind) || kind == Kind::Var {
            let id = self.resolved(id);
            return Some((id, self.own_size(id, self.types.kind(id)?)?));
        }
        Some((id, self.own_size(id, kind)?))
    }

    /// Size in bytes of a type, if its kind has one.
    #[inline]
    pub(super) fn own_size(&self, id: u32, kind: Kind) -> Option<u32> {
        match kind {
            Kind::Int | Kind::Struct | Kind::Union | Kind::Enum | Kind::Enum64 | Kind::Datasec | Kind::Float => {
                Some(self.types.size_or_type(id))
            }
            Kind::Array => Some(self.resolved(id)),
            Kind::Ptr => Some(self.pointer_size),
            _ => None,
        }
    }
}

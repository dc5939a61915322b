//! States of types while they are resolved.

use btf_types::Kind;

use super::{
    kinds::{is_modifier, is_regular_int},
    types::Types,
};

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
    /// Of an ARRAY, its size in bytes; of a modifier, VAR and DECL_TAG, the id of what it
    /// resolves to.
    resolved: Vec<u32>,
    /// [`Size`] of each type.
    sizes: Vec<u32>,
}

/// Size of a type of which members and elements need no other check than for their size,
/// if they begin at a byte and are not bitfields.
///
/// These are resolved types, and those that need no resolving for a size.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Size(u32);

impl Size {
    /// Of all other types.
    pub(super) const NONE: Self = Self(0);

    pub(super) const fn new(bytes: u32) -> Self {
        // What has the largest one is not such a type.
        Self(bytes.wrapping_add(1))
    }

    /// Returns the size in bytes.
    #[inline]
    pub(super) fn get(self) -> Option<u32> {
        self.0.checked_sub(1)
    }

    /// Returns whether there is a size, and it is at most so many bytes at an offset.
    #[inline]
    pub(super) fn fits(self, offset: u32, bytes: u32) -> bool {
        (self != Self::NONE) & (u64::from(offset) + u64::from(self.0) <= u64::from(bytes) + 1)
    }
}

impl<'t, 'a> Known<'t, 'a> {
    pub(super) fn new(types: &'t Types<'a>, pointer_size: u32) -> Self {
        let count = types.count() as usize;
        let states = vec![State::New; count];
        let mut known = Self { types, pointer_size, states, resolved: vec![0; count], sizes: vec![0; count] };
        for id in types.ids_of(|kind| kind == Kind::Ptr) {
            known.set_size(id, Size::new(pointer_size));
        }
        for id in types.ids_of(|kind| matches!(kind, Kind::Int | Kind::Enum | Kind::Enum64 | Kind::Float)) {
            known.set_state(id, State::Sized);
            known.set_size(id, scalar_size(types, id));
        }
        known
    }

    /// Size of a type as a member.
    #[inline]
    pub(super) fn size(&self, id: u32) -> Size {
        Size(self.sizes.get(id as usize).copied().unwrap_or(0))
    }

    /// Notes that a STRUCT, UNION, ARRAY or modifier is resolved.
    #[inline]
    pub(super) fn set_size(&mut self, id: u32, size: Size) {
        if let Some(to) = self.sizes.get_mut(id as usize) {
            *to = size.0;
        }
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

/// Size as a member of an INT or enumeration; FLOATs must be aligned.
fn scalar_size(types: &Types<'_>, id: u32) -> Size {
    let record = types.record(id);
    let bytes = record.size_or_type;
    let is_plain = match record.info.kind() {
        Some(Kind::Int) => is_regular_int(record.word(0)) && record.word(0) & 0xff == bytes.saturating_mul(8),
        // In a struct with bitfields, all are checked as if they had this one.
        Some(Kind::Enum | Kind::Enum64) => bytes == 4,
        _ => false,
    };
    if is_plain { Size::new(bytes) } else { Size::NONE }
}

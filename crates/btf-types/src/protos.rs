//! Checks that each FUNC refers to a FUNC_PROTO.

use alloc::{vec, vec::Vec};

use crate::{layer::Layer, ty::Type};

/// Bitmaps of the own types that are FUNC_PROTOs, and of those that FUNCs refer
/// to.
pub(crate) struct Protos<'a> {
    base: Option<&'a Layer>,
    first_id: u32,
    /// Id of the first bit: 0, or with a base the first own id.
    origin: u32,
    are: Vec<u64>,
    wanted: Vec<u64>,
    /// True if a FUNC refers to a type of the base that is not a FUNC_PROTO, or
    /// to an id that is far out of range.
    is_wrong: bool,
}

impl<'a> Protos<'a> {
    pub(crate) fn new(most: usize, first_id: u32, base: Option<&'a Layer>) -> Self {
        let words = most / 64 + 2;
        let origin = if base.is_some() { first_id } else { 0 };
        Self { base, first_id, origin, are: vec![0; words], wanted: vec![0; words], is_wrong: false }
    }

    /// Id of the first own type.
    pub(crate) const fn first_id(&self) -> u32 {
        self.first_id
    }

    /// Returns `true` if there is a base.
    pub(crate) const fn is_split(&self) -> bool {
        self.base.is_some()
    }

    /// Marks the own type with this index as a FUNC_PROTO.
    #[inline(always)]
    pub(crate) fn is_one(&mut self, index: usize) {
        let bit = index + (self.first_id - self.origin) as usize;
        if let Some(word) = self.are.get_mut(bit / 64) {
            *word |= 1 << (bit % 64);
        }
    }

    /// Marks an id as wanted if `is_func`: if the type that refers to it is a
    /// FUNC. Does not branch on `is_func`, as that could not be predicted.
    /// `SPLIT` is true if there is a base.
    #[inline(always)]
    pub(crate) fn want<const SPLIT: bool>(&mut self, id: u32, is_func: bool) {
        let bit = if SPLIT { id.wrapping_sub(self.origin) } else { id };
        match self.wanted.get_mut(bit as usize / 64) {
            Some(word) => *word |= u64::from(is_func) << (bit % 64),
            None if SPLIT => self.is_wrong |= is_func && (id >= self.origin || !is_proto_of(self.base, id)),
            None => self.is_wrong |= is_func,
        }
    }

    /// Returns `true` if an id, own or of the base, is that of a FUNC_PROTO.
    pub(crate) fn contains(&self, id: u32) -> bool {
        match id.checked_sub(self.origin) {
            Some(bit) => self.are.get(bit as usize / 64).is_some_and(|word| word >> (bit % 64) & 1 != 0),
            None => is_proto_of(self.base, id),
        }
    }

    pub(crate) fn all_there(&self) -> bool {
        !self.is_wrong && self.are.iter().zip(&self.wanted).all(|(are, wanted)| wanted & !are == 0)
    }
}

/// Returns `true` if an id of the base is that of a FUNC_PROTO. Out of line, so
/// that the walk over the records is inlined.
#[inline(never)]
fn is_proto_of(base: Option<&Layer>, id: u32) -> bool {
    base.is_some_and(|base| matches!(base.type_of(id), Type::FuncProto(_)))
}

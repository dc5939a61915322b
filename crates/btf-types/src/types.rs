//! Iterators over the types of a BTF.

use core::{fmt, iter::FusedIterator, ops::Range, slice};

use crate::{
    Type,
    layer::{Layer, record_in},
    view::{Handle, debug_first},
};

/// Iterator over the own types of a [`Btf`](crate::Btf): see
/// [`Btf::types`](crate::Btf::types).
#[derive(Clone)]
#[must_use = "iterators are lazy"]
pub struct Types<'btf> {
    btf: &'btf Layer,
    /// The type section, stored to avoid a lookup for each type.
    section: &'btf [u8],
    /// Offsets of the remaining records.
    offsets: slice::Iter<'btf, u32>,
    /// Id of the first remaining record.
    id: u32,
}

impl<'btf> Types<'btf> {
    /// Iterates over the types whose records are at these offsets, by ascending
    /// id.
    #[inline]
    pub(crate) fn new(btf: &'btf Layer, section: &'btf [u8], offsets: &'btf [u32], first_id: u32) -> Self {
        Self { btf, section, offsets: offsets.iter(), id: first_id }
    }

    #[inline(always)]
    fn type_at(&self, offset: u32, id: u32) -> Type<'btf> {
        let kind = record_in(self.section, offset).info().kind_number();
        Type::of_kind(Handle { btf: self.btf, offset, id }, kind)
    }
}

impl<'btf> Iterator for Types<'btf> {
    type Item = Type<'btf>;

    #[inline]
    fn next(&mut self) -> Option<Type<'btf>> {
        let &offset = self.offsets.next()?;
        let id = self.id;
        self.id += 1;
        Some(self.type_at(offset, id))
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        self.offsets.size_hint()
    }
}

impl DoubleEndedIterator for Types<'_> {
    #[inline]
    fn next_back(&mut self) -> Option<Self::Item> {
        let &offset = self.offsets.next_back()?;
        let id = self.id + self.offsets.len() as u32;
        Some(self.type_at(offset, id))
    }
}

impl ExactSizeIterator for Types<'_> {}
impl FusedIterator for Types<'_> {}

impl fmt::Debug for Types<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        debug_first(f, self.clone())
    }
}

/// Iterator over all types of a [`Btf`](crate::Btf) and its base: see
/// [`Btf::all_types`](crate::Btf::all_types).
#[derive(Clone)]
#[must_use = "iterators are lazy"]
pub struct AllTypes<'btf> {
    btf: &'btf Layer,
    ids: Range<u32>,
}

impl<'btf> AllTypes<'btf> {
    pub(crate) fn new(btf: &'btf Layer) -> Self {
        Self { btf, ids: 1..btf.type_count() }
    }
}

impl<'btf> Iterator for AllTypes<'btf> {
    type Item = Type<'btf>;

    #[inline]
    fn next(&mut self) -> Option<Type<'btf>> {
        self.ids.next().map(|id| self.btf.type_of(id))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.ids.size_hint()
    }
}

impl DoubleEndedIterator for AllTypes<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.ids.next_back().map(|id| self.btf.type_of(id))
    }
}

impl ExactSizeIterator for AllTypes<'_> {}
impl FusedIterator for AllTypes<'_> {}

impl fmt::Debug for AllTypes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        debug_first(f, self.clone())
    }
}

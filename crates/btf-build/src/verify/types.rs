//! Types that passed the meta pass, by id.

use btf_types::{Btf, Kind, Name};

use super::{
    limits::Limits,
    reject::{Reject, Rule},
    strings::Strings,
    words::{Record, Words},
};

/// The records by id, as a kernel keeps them.
pub(super) struct Types<'a> {
    words: Words<'a>,
    base: Option<&'a Btf>,
    pub(super) strings: Strings<'a>,
    pub(super) limits: &'a Limits,
    first_id: u32,
    /// Of each, what most questions are about.
    kinds: Vec<Option<Kind>>,
    places: Vec<Place>,
}

/// Position of a type, and its size or the type that it refers to.
#[derive(Clone, Copy)]
struct Place {
    /// Index of its first word.
    start: u32,
    size_or_type: u32,
}

impl<'a> Types<'a> {
    /// No types yet, of a type section.
    pub(super) fn new(section: &'a [u8], strings: Strings<'a>, base: Option<&'a Btf>, limits: &'a Limits) -> Self {
        let words = Words::new(section);
        // Kernels have 25 bytes a type: seldom more is needed.
        let capacity = words.len() / 6;
        Self {
            words,
            base,
            strings,
            limits,
            first_id: base.map_or(1, Btf::type_count),
            kinds: Vec::with_capacity(capacity),
            places: Vec::with_capacity(capacity),
        }
    }

    pub(super) fn words(&self) -> Words<'a> {
        self.words
    }

    /// Adds a record, unless there are as many as the kernel keeps.
    #[inline]
    pub(super) fn push(&mut self, at: usize, record: &Record<'_>) {
        // The kernel keeps one place free, and does not say when there is none.
        if self.count() < self.limits.max_type_id {
            self.kinds.push(record.info.kind());
            self.places.push(Place { start: at as u32, size_or_type: record.size_or_type });
        }
    }

    /// The id of the first type that is not of the base.
    pub(super) fn first_id(&self) -> u32 {
        self.first_id
    }

    /// Number of types, those of the base and void included.
    pub(super) fn count(&self) -> u32 {
        self.first_id + self.kinds.len() as u32
    }

    /// Index of a type among the own ones; that of no type for void, for the
    /// base's, and for ids that do not exist.
    #[inline]
    fn index(&self, id: u32) -> usize {
        id.wrapping_sub(self.first_id) as usize
    }

    /// Returns whether there is such a type; void is one.
    #[inline]
    pub(super) fn exists(&self, id: u32) -> bool {
        id < self.count()
    }

    /// The record of a type; that of void where there is no own one.
    #[inline]
    pub(super) fn record(&self, id: u32) -> Record<'a> {
        let place = self.places.get(self.index(id));
        place.and_then(|place| self.words.record(place.start as usize)).unwrap_or(Record::VOID)
    }

    /// Kind of a type; `None` for void and ids that do not exist.
    #[inline]
    pub(super) fn kind(&self, id: u32) -> Option<Kind> {
        match self.kinds.get(self.index(id)) {
            Some(&kind) => kind,
            None => self.kind_in_base(id),
        }
    }

    /// Ids and kinds of the own types.
    pub(super) fn kinds(&self) -> impl Iterator<Item = (u32, Option<Kind>)> {
        (self.first_id..).zip(self.kinds.iter().copied())
    }

    #[cold]
    fn kind_in_base(&self, id: u32) -> Option<Kind> {
        self.base.filter(|_| id < self.first_id)?.type_by_id(id).ok()?.kind()
    }

    pub(super) fn vlen(&self, id: u32) -> u32 {
        self.record(id).info.vlen()
    }

    /// Size or referenced type of a type.
    #[inline]
    pub(super) fn size_or_type(&self, id: u32) -> u32 {
        self.places.get(self.index(id)).map_or(0, |place| place.size_or_type)
    }

    /// The words of an ARRAY: element and index type, number of elements.
    pub(super) fn array(&self, id: u32) -> [u32; 3] {
        let record = self.record(id);
        [0, 1, 2].map(|index| record.word(index))
    }

    /// The elements of a type, of which each has N words.
    pub(super) fn elements<const N: usize>(&self, id: u32) -> impl ExactSizeIterator<Item = [u32; N]> + use<'a, N> {
        self.record(id).elements_from(0)
    }

    pub(super) fn name(&self, id: u32) -> Name<'_> {
        self.strings.get(self.record(id).name_off)
    }

    /// Returns whether a type has this name.
    pub(super) fn is_named(&self, id: u32, name: &str) -> bool {
        self.strings.is(self.record(id).name_off, name.as_bytes())
    }

    /// Rejection at a type.
    pub(super) fn reject(&self, id: u32, rule: Rule, element: Option<u32>) -> Reject {
        match self.places.get(self.index(id)) {
            Some(place) => self.reject_record(place.start as usize, id, rule, element),
            None => Reject::of_blob(rule),
        }
    }

    /// Rejection at a record that may not be among the types.
    #[cold]
    pub(super) fn reject_record(&self, at: usize, id: u32, rule: Rule, element: Option<u32>) -> Reject {
        let record = self.words.record(at).unwrap_or(Record::VOID);
        Reject { id, kind: record.info.kind(), name: self.strings.get(record.name_off).into(), element, rule }
    }
}

//! Types that passed the meta pass, by id.

use btf_types::{Btf, Kind, Name};

use super::{
    bitmap::{self, bitmap, ones},
    limits::Limits,
    reject::{Reject, Rule},
    strings::Strings,
    words::{Record, Words},
};

/// In place of the index of a record's first word: that of void.
const NO_RECORD: u32 = u32::MAX;

/// The records by id, as a kernel keeps them.
pub(super) struct Types<'a> {
    words: Words<'a>,
    base: Option<&'a Btf>,
    pub(super) strings: Strings<'a>,
    pub(super) limits: &'a Limits,
    /// The id of the first entry of the arrays: that of void, or of the first type that
    /// is not of the base.
    origin: u32,
    /// Kind of each type, which most questions are about; `None` for void.
    kinds: Vec<Option<Kind>>,
    /// Index of the first word of each type.
    starts: Vec<u32>,
    /// Ids of the structs whose names begin like those of special types.
    special_structs: Vec<u32>,
}

impl<'a> Types<'a> {
    /// No types yet, of a type section.
    pub(super) fn new(section: &'a [u8], strings: Strings<'a>, base: Option<&'a Btf>, limits: &'a Limits) -> Self {
        let origin = base.map_or(0, Btf::type_count);
        let (kinds, starts, special_structs) = (Vec::new(), Vec::new(), Vec::new());
        Self { words: Words::new(section), base, strings, limits, origin, kinds, starts, special_structs }
    }

    pub(super) fn words(&self) -> Words<'a> {
        self.words
    }

    /// Kinds and first words of no own types yet, in arrays to be filled.
    pub(super) fn empty(&self) -> (Vec<Option<Kind>>, Vec<u32>) {
        // Kernels have 25 bytes per type: seldom more is needed.
        let capacity = self.words.len() / 6;
        let (mut kinds, mut starts) = (Vec::with_capacity(capacity), Vec::with_capacity(capacity));
        if self.base.is_none() {
            kinds.push(None);
            starts.push(NO_RECORD);
        }
        (kinds, starts)
    }

    /// Takes the arrays, as many types as the kernel keeps.
    pub(super) fn fill(&mut self, mut kinds: Vec<Option<Kind>>, mut starts: Vec<u32>, mut special_structs: Vec<u32>) {
        // The kernel keeps one place free, and does not say when there is none.
        let count = self.limits.max_type_id.saturating_sub(self.origin) as usize;
        kinds.truncate(count);
        starts.truncate(count);
        (self.kinds, self.starts) = (kinds, starts);
        special_structs.retain(|&id| self.exists(id));
        self.special_structs = special_structs;
    }

    /// The id of the first type that is not of the base.
    pub(super) fn first_id(&self) -> u32 {
        self.origin.max(1)
    }

    /// Number of types, those of the base and void included.
    pub(super) fn count(&self) -> u32 {
        self.origin + self.kinds.len() as u32
    }

    /// Index of a type in the arrays; beyond their end for types of the base.
    #[inline]
    fn index(&self, id: u32) -> usize {
        id.wrapping_sub(self.origin) as usize
    }

    /// Returns whether there is such a type; void is one.
    #[inline]
    pub(super) fn exists(&self, id: u32) -> bool {
        id < self.count()
    }

    /// The record of a type; that of void where there is no own one.
    #[inline]
    pub(super) fn record(&self, id: u32) -> Record<'a> {
        let start = self.starts.get(self.index(id));
        start.and_then(|start| self.words.record(*start as usize)).unwrap_or(Record::VOID)
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
        let own = self.index(self.first_id());
        (self.first_id()..).zip(self.kinds.get(own..).unwrap_or_default().iter().copied())
    }

    /// Ids of the own types of some kinds, which are found many at a time.
    pub(super) fn ids_of(&self, is: impl Fn(Kind) -> bool + Copy) -> impl Iterator<Item = u32> {
        let own = self.index(self.first_id());
        let chunks = self.kinds.get(own..).unwrap_or_default().chunks(bitmap::ELEMENTS);
        let firsts = (self.first_id()..).step_by(bitmap::ELEMENTS);
        firsts.zip(chunks).flat_map(move |(first, kinds)| {
            let found = bitmap(kinds, |kind: Option<Kind>| kind.is_some_and(is));
            ones(found).map(move |position| first + position)
        })
    }

    /// Ids of the own structs whose names begin like those of special types.
    pub(super) fn special_structs(&self) -> &[u32] {
        &self.special_structs
    }

    #[cold]
    fn kind_in_base(&self, id: u32) -> Option<Kind> {
        self.base.filter(|_| id < self.origin)?.type_by_id(id).ok()?.kind()
    }

    pub(super) fn vlen(&self, id: u32) -> u32 {
        self.record(id).info.vlen()
    }

    /// Size or referenced type of a type.
    #[inline]
    pub(super) fn size_or_type(&self, id: u32) -> u32 {
        let start = self.starts.get(self.index(id));
        start.and_then(|start| self.words.size_or_type(*start as usize)).unwrap_or(0)
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
        match self.starts.get(self.index(id)) {
            Some(start) if *start != NO_RECORD => self.reject_record(*start as usize, id, rule, element),
            _ => Reject::of_blob(rule),
        }
    }

    /// Rejection at a record that may not be among the types.
    #[cold]
    pub(super) fn reject_record(&self, at: usize, id: u32, rule: Rule, element: Option<u32>) -> Reject {
        let record = self.words.record(at).unwrap_or(Record::VOID);
        Reject { id, kind: record.info.kind(), name: self.strings.get(record.name_off).into(), element, rule }
    }
}

//! The types that passed the meta pass, by id.

use btf_types::{Kind, Name, format::Info};

use super::{
    blob::Blob,
    limits::Limits,
    names::NameRule,
    reject::{Reject, Rule},
};

/// The records by id, as a kernel keeps them.
pub(super) struct Types<'a> {
    pub(super) blob: Blob<'a>,
    pub(super) limits: &'a Limits,
    first_id: u32,
    /// Positions of the records in the type section.
    offsets: Vec<u32>,
}

impl<'a> Types<'a> {
    pub(super) fn new(blob: Blob<'a>, limits: &'a Limits, first_id: u32) -> Self {
        Self { blob, limits, first_id, offsets: Vec::new() }
    }

    /// Adds a record, unless there are as many as the kernel keeps.
    pub(super) fn push(&mut self, at: usize) {
        // The kernel keeps one place free, and does not say when there is none.
        if self.count() < self.limits.max_type_id {
            self.offsets.push(at as u32);
        }
    }

    /// Number of types, those of the base and void included.
    pub(super) fn count(&self) -> u32 {
        self.first_id + self.offsets.len() as u32
    }

    /// Position of the record of an id; `None` for void, for the base's, and for
    /// ids that do not exist.
    pub(super) fn at(&self, id: u32) -> Option<usize> {
        let index = id.checked_sub(self.first_id)?;
        self.offsets.get(index as usize).map(|&at| at as usize)
    }

    /// Returns whether there is such a type; void is one.
    pub(super) fn exists(&self, id: u32) -> bool {
        id < self.count()
    }

    pub(super) fn info(&self, id: u32) -> Info {
        self.at(id).map_or(Info::from_word(0), |at| self.blob.info(at))
    }

    /// Kind of a type; `None` for void and ids that do not exist.
    pub(super) fn kind(&self, id: u32) -> Option<Kind> {
        match self.blob.base() {
            Some(base) if id < self.first_id => base.type_by_id(id).ok()?.kind(),
            _ => self.info(id).kind(),
        }
    }

    pub(super) fn vlen(&self, id: u32) -> u32 {
        self.info(id).vlen()
    }

    /// Size or referenced type of a type.
    pub(super) fn size_or_type(&self, id: u32) -> u32 {
        self.word(id, 2)
    }

    /// A word of a record.
    pub(super) fn word(&self, id: u32, index: usize) -> u32 {
        self.at(id).map_or(0, |at| self.blob.word(at + 4 * index))
    }

    /// The words of an element, of which each has N.
    pub(super) fn element<const N: usize>(&self, id: u32, index: u32) -> [u32; N] {
        std::array::from_fn(|word| self.word(id, 3 + index as usize * N + word))
    }

    pub(super) fn name(&self, id: u32) -> Name<'a> {
        self.blob.string(self.word(id, 0))
    }

    /// Returns whether a type has this name.
    pub(super) fn is_named(&self, id: u32, name: &str) -> bool {
        let rest = self.blob.string_bytes(self.word(id, 0)).strip_prefix(name.as_bytes());
        rest.is_some_and(|rest| matches!(rest, [] | [0, ..]))
    }

    /// Returns whether the name of a type begins with this text.
    pub(super) fn starts_with(&self, id: u32, text: &[u8]) -> bool {
        self.blob.string_bytes(self.word(id, 0)).starts_with(text)
    }

    /// Returns whether a parameter may have a name.
    pub(super) fn accepts_parameter(&self, name_off: u32) -> bool {
        name_off == 0
            || self.blob.has_string(name_off, self.limits)
                && (!self.limits.checks_names
                    || NameRule::Identifier.accepts(self.blob.string_bytes(name_off), self.limits))
    }

    /// Rejection at a type.
    pub(super) fn reject(&self, id: u32, rule: Rule, element: Option<u32>) -> Reject {
        match self.at(id) {
            Some(at) => self.reject_record(at, id, rule, element),
            None => Reject::of_blob(rule),
        }
    }

    /// Rejection at a record that may not be among the types.
    pub(super) fn reject_record(&self, at: usize, id: u32, rule: Rule, element: Option<u32>) -> Reject {
        let is_whole = self.blob.len() - at >= 12;
        let kind = if is_whole { self.blob.info(at).kind() } else { None };
        let name = if is_whole { self.blob.string(self.blob.word(at)) } else { Name::EMPTY };
        Reject { id, kind, name: name.into(), element, rule }
    }
}

//! Strings of a BTF and of its base.

use btf_types::{Btf, Name};

use super::{identifiers::Identifiers, limits::Limits, names::NameRule};
use crate::layers::{Layers, terminated};

/// Strings by their offsets.
pub(super) struct Strings<'a> {
    base: Option<Layers>,
    /// First string offset that is an own one.
    first: u32,
    own: &'a [u8],
    /// First offset that no name may have.
    end: u32,
    identifiers: Identifiers<'a>,
    limits: &'a Limits,
}

impl<'a> Strings<'a> {
    pub(super) fn new(own: &'a [u8], base: Option<&Btf>, limits: &'a Limits) -> Self {
        let first = base.map_or(0, Btf::string_len);
        Self {
            base: base.map(Layers::new),
            first,
            own,
            end: limits.max_name_off.saturating_add(1).min(first.saturating_add(own.len() as u32)),
            identifiers: Identifiers::new(own, limits),
            limits,
        }
    }

    /// Returns whether there is a string at an offset.
    #[inline]
    pub(super) fn contains(&self, offset: u32) -> bool {
        offset < self.end
    }

    /// The string at an offset; empty if there is none.
    pub(super) fn get(&self, offset: u32) -> Name<'_> {
        Name::new(terminated(self.tail(offset)))
    }

    /// The bytes from a string's first one on, to its end at a NUL or beyond.
    #[inline]
    pub(super) fn tail(&self, offset: u32) -> &[u8] {
        match (offset.checked_sub(self.first), &self.base) {
            (Some(own), _) => self.own.get(own as usize..).unwrap_or_default(),
            (None, Some(base)) => base.tail(offset),
            (None, None) => &[],
        }
    }

    /// Returns whether the kernel accepts a string where it wants an identifier.
    #[inline]
    pub(super) fn is_identifier(&self, offset: u32) -> bool {
        match offset.checked_sub(self.first) {
            Some(own) => self.identifiers.contains(own as usize),
            None => self.accepts(NameRule::Identifier, offset),
        }
    }

    /// Returns whether the kernel accepts a string as an identifier, for most identifiers, and
    /// false for everything else.
    #[inline]
    pub(super) fn is_plain_identifier(&self, offset: u32) -> bool {
        offset.checked_sub(self.first).is_some_and(|own| self.identifiers.contains_plain(own as usize))
    }

    /// Returns whether there is a string at an offset, which is 0 or that of an
    /// identifier.
    #[inline]
    pub(super) fn is_empty_or_identifier(&self, offset: u32) -> bool {
        self.contains(offset) && (offset == 0 || self.is_identifier(offset))
    }

    /// Returns whether the kernel accepts a string, of which there are few of this
    /// rule.
    pub(super) fn accepts(&self, rule: NameRule, offset: u32) -> bool {
        rule.accepts(self.tail(offset), self.limits)
    }

    /// Returns whether a string is empty.
    pub(super) fn is_empty(&self, offset: u32) -> bool {
        matches!(self.tail(offset), [] | [0, ..])
    }

    /// Returns whether a string is this text.
    pub(super) fn is(&self, offset: u32, text: &[u8]) -> bool {
        let rest = self.tail(offset).strip_prefix(text);
        rest.is_some_and(|rest| matches!(rest, [] | [0, ..]))
    }

    /// Returns whether a string begins with this text.
    #[inline]
    pub(super) fn starts_with(&self, offset: u32, text: &[u8]) -> bool {
        self.tail(offset).get(..text.len()) == Some(text)
    }
}

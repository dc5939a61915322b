//! Own types of one layer, by name.
//!
//! There are two indices, each made by the first query that needs it and then
//! kept: one of functions, which have most of the names in a kernel, and one of
//! all other types. Few programs need both. A third one has names with a
//! flavor, by essential name.
//!
//! Types may be sorted by name (in kernels since 7.0), which would allow a
//! binary search. But the file does not record it, testing takes longer than
//! making the index, and a binary search takes longer than a lookup in the
//! index.

use alloc::{boxed::Box, collections::BTreeMap};
use core::{cmp::Ordering, ops::ControlFlow};

use once_cell::race::OnceBox;

use crate::{
    Kind,
    flavor::FlavorStrings,
    layer::Layer,
    name_index::{Keys, NameIndex},
    view::Handle,
};

/// Indices of a layer's names, and whether the names are sorted. Each is
/// computed on first use.
#[derive(Default)]
pub(crate) struct Names {
    is_sorted: OnceBox<bool>,
    functions: OnceBox<NameIndex>,
    others: OnceBox<NameIndex>,
    flavors: OnceBox<NameIndex>,
    pub(crate) flavor_strings: OnceBox<FlavorStrings>,
}

/// A name to find in one or several layers. It is compared without finding the
/// end of the other name. A long name is compared once for each string offset.
pub(crate) struct Sought<'n> {
    pub(crate) name: &'n [u8],
    /// Results by string offset, for long names only.
    compared: Option<BTreeMap<u32, bool>>,
}

/// Maximum length of a name whose comparisons are repeated instead of cached.
const SHORT: usize = 64;

impl<'n> Sought<'n> {
    pub(crate) fn new(name: &'n [u8]) -> Self {
        Self { name, compared: None }
    }

    /// Returns `true` if this is the name at a string offset.
    #[inline]
    pub(crate) fn is_name(&mut self, layer: &Layer, offset: u32) -> bool {
        // The bytes of names of another length need not be compared.
        let text = layer.string_at(offset);
        text.get(self.name.len()) == Some(&0) && self.is_start(text, offset)
    }

    /// Returns `true` if the name at a string offset is a flavor of this one.
    fn is_essential(&mut self, layer: &Layer, offset: u32) -> bool {
        let end = layer.flavor_at(offset).and_then(|end| end.checked_sub(offset));
        end.is_some_and(|end| end as usize == self.name.len()) && self.is_start(layer.string_at(offset), offset)
    }

    #[inline]
    fn is_start(&mut self, text: &[u8], offset: u32) -> bool {
        // A NUL in the sought name is tested last, as it is rare.
        let compare = || text.get(..self.name.len()) == Some(self.name) && !self.name.contains(&0);
        if self.name.len() <= SHORT {
            return compare();
        }
        *self.compared.get_or_insert_default().entry(offset).or_insert_with(compare)
    }
}

impl Layer {
    /// Returns `true` if the own types are sorted by name: anonymous types
    /// first, then by the bytes of their names.
    pub(crate) fn is_sorted(&self) -> bool {
        *self.names.is_sorted.get_or_init(|| Box::new(self.look_whether_sorted().is_some()))
    }

    /// Returns `None` if they are not sorted, none has a name, or comparing
    /// them takes too long.
    fn look_whether_sorted(&self) -> Option<()> {
        // Comparing each name with the next could take hours if all have
        // megabytes.
        let mut budget = 4 * (u64::from(self.strings_len()) + u64::from(self.own_count()));
        let mut is_all_unnamed = true;
        let (mut last, mut last_offset) = (&[0][..], 0);
        for record in self.own_records() {
            let offset = record.name_off();
            let name = if offset == 0 { &[0][..] } else { self.string_at(offset) };
            if offset != last_offset {
                let (order, compared) = compare_terminated(last, name);
                budget = budget.checked_sub(compared)?;
                if order == Ordering::Greater {
                    return None;
                }
            }
            is_all_unnamed &= name.first() == Some(&0);
            (last, last_offset) = (name, offset);
        }
        (!is_all_unnamed).then_some(())
    }

    /// Calls `found` with each own type of this name, by ascending id, until it
    /// breaks. May skip types that are not of `kinds`, unless `kinds` is empty.
    #[inline]
    pub(crate) fn named<'btf>(
        &'btf self,
        sought: &mut Sought<'_>,
        kinds: &[Kind],
        mut found: impl FnMut(Handle<'btf>) -> ControlFlow<()>,
    ) {
        let name = sought.name;
        if name.is_empty() {
            return;
        }
        // Few queries need both indices.
        let (functions, others) = wanted(kinds);
        let index = match (functions, others) {
            (true, true) => return self.named_of_all(sought, kinds, found),
            (true, false) => self.functions(),
            _ => self.others(),
        };
        for own in index.candidates(name, kinds) {
            let Some(handle) = self.own(own) else { return };
            if sought.is_name(self, handle.record().name_off()) && found(handle).is_break() {
                return;
            }
        }
    }

    /// Calls `found` with each own type of this name, functions and others, by
    /// ascending id.
    fn named_of_all<'btf>(
        &'btf self,
        sought: &mut Sought<'_>,
        kinds: &[Kind],
        mut found: impl FnMut(Handle<'btf>) -> ControlFlow<()>,
    ) {
        let mut functions = self.functions().candidates(sought.name, kinds).peekable();
        let mut others = self.others().candidates(sought.name, kinds).peekable();
        loop {
            let next = match (functions.peek(), others.peek()) {
                (Some(function), Some(other)) if function < other => functions.next(),
                (Some(_), None) => functions.next(),
                _ => others.next(),
            };
            let Some(handle) = next.and_then(|own| self.own(own)) else { return };
            if sought.is_name(self, handle.record().name_off()) && found(handle).is_break() {
                return;
            }
        }
    }

    /// Returns the number of own types of this name if their bucket is
    /// overfull, else 0.
    pub(crate) fn many_named(&self, name: &[u8], kinds: &[Kind]) -> usize {
        let (functions, others) = wanted(kinds);
        let of = |index: &NameIndex| index.candidates(name, kinds).crowd_len();
        (if functions { of(self.functions()) } else { 0 }) + (if others { of(self.others()) } else { 0 })
    }

    /// Calls `found` with each own type whose name is a flavor of this one, by
    /// ascending id. May skip types that are not of `kinds`, unless `kinds` is
    /// empty.
    pub(crate) fn flavored<'btf>(
        &'btf self,
        sought: &mut Sought<'_>,
        kinds: &[Kind],
        mut found: impl FnMut(Handle<'btf>),
    ) {
        for handle in self.flavors().candidates(sought.name, kinds).filter_map(|own| self.own(own)) {
            if sought.is_essential(self, handle.record().name_off()) {
                found(handle);
            }
        }
    }

    #[inline]
    fn functions(&self) -> &NameIndex {
        self.names.functions.get_or_init(|| Box::new(NameIndex::new(self, Keys::Functions)))
    }

    #[inline]
    fn others(&self) -> &NameIndex {
        self.names.others.get_or_init(|| Box::new(NameIndex::new(self, Keys::Others)))
    }

    fn flavors(&self) -> &NameIndex {
        self.names.flavors.get_or_init(|| Box::new(NameIndex::new(self, Keys::Flavors)))
    }
}

/// Returns whether `kinds` include functions, and whether they include others.
#[inline]
fn wanted(kinds: &[Kind]) -> (bool, bool) {
    (kinds.is_empty() || kinds.contains(&Kind::Func), kinds != [Kind::Func])
}

/// Compares the names at the start of two texts, each up to its first NUL. Also
/// returns the number of compared bytes.
fn compare_terminated(a: &[u8], b: &[u8]) -> (Ordering, u64) {
    for (at, (a, b)) in (1..).zip(a.iter().zip(b)) {
        if a != b || *a == 0 {
            return (a.cmp(b), at);
        }
    }
    (Ordering::Equal, a.len().min(b.len()) as u64)
}

//! Own types of one layer by their name.
//!
//! An index is made on the first question, and kept: one of functions, which are
//! most of the names in a kernel, and one of everything else. Few ask for both.
//! Names with a flavor have an index by their essential name besides.
//!
//! Types may be sorted by name (kernels since 7.0), and could be searched by
//! halving. But nothing in the file says that they are: to look at it takes
//! longer than to make the index, and so does each search.

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

/// The indices of a layer's names, and whether these are sorted: each made on the
/// first question for it.
#[derive(Default)]
pub(crate) struct Names {
    is_sorted: OnceBox<bool>,
    functions: OnceBox<NameIndex>,
    others: OnceBox<NameIndex>,
    flavors: OnceBox<NameIndex>,
    pub(crate) flavor_strings: OnceBox<FlavorStrings>,
}

/// A name that is looked for, in one layer or several: compared with others
/// without looking for their end, and if it is long, once with each place in the
/// strings.
pub(crate) struct Sought<'n> {
    pub(crate) name: &'n [u8],
    /// Made for a long name alone.
    compared: Option<BTreeMap<u32, bool>>,
}

/// Up to how many bytes a name is short: cheaper to compare than to remember.
const SHORT: usize = 64;

impl<'n> Sought<'n> {
    pub(crate) fn new(name: &'n [u8]) -> Self {
        Self { name, compared: None }
    }

    /// Whether this is the name at an offset of the strings.
    #[inline]
    pub(crate) fn is_name(&mut self, layer: &Layer, offset: u32) -> bool {
        // What ends elsewhere need not be compared.
        let text = layer.string_at(offset);
        text.get(self.name.len()) == Some(&0) && self.is_start(text, offset)
    }

    /// Whether the name at an offset of the strings is a flavor of this.
    fn is_essential(&mut self, layer: &Layer, offset: u32) -> bool {
        let end = layer.flavor_at(offset).and_then(|end| end.checked_sub(offset));
        end.is_some_and(|end| end as usize == self.name.len()) && self.is_start(layer.string_at(offset), offset)
    }

    #[inline]
    fn is_start(&mut self, text: &[u8], offset: u32) -> bool {
        // That no name has a NUL in it is looked at last, as few ask for one.
        let compare = || text.get(..self.name.len()) == Some(self.name) && !self.name.contains(&0);
        if self.name.len() <= SHORT {
            return compare();
        }
        *self.compared.get_or_insert_default().entry(offset).or_insert_with(compare)
    }
}

impl Layer {
    /// Whether own types are sorted by name: those without one first, then
    /// those with one in the order of its bytes.
    pub(crate) fn is_sorted(&self) -> bool {
        *self.names.is_sorted.get_or_init(|| Box::new(self.look_whether_sorted().is_some()))
    }

    /// `None` if they are not sorted.
    fn look_whether_sorted(&self) -> Option<()> {
        // Names of megabytes, each compared with the next, could take hours.
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

    /// Calls `found` with each own type of this name, by rising id, until it
    /// breaks. Those that are of other kinds, if some are given, may be passed
    /// over.
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
        // Few ask for both.
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

    /// The same for functions and everything else at once.
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

    /// How many own types have this name, if they are many.
    pub(crate) fn many_named(&self, name: &[u8], kinds: &[Kind]) -> usize {
        let (functions, others) = wanted(kinds);
        let of = |index: &NameIndex| index.candidates(name, kinds).crowd_len();
        (if functions { of(self.functions()) } else { 0 }) + (if others { of(self.others()) } else { 0 })
    }

    /// Calls `found` with each own type whose name is a flavor of this one, by
    /// rising id. Those that are of other kinds, if some are given, may be passed
    /// over.
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

/// Whether functions, and whether everything else, can be of these kinds.
#[inline]
fn wanted(kinds: &[Kind]) -> (bool, bool) {
    (kinds.is_empty() || kinds.contains(&Kind::Func), kinds != [Kind::Func])
}

/// The order of the names that two texts begin with, each up to its first NUL,
/// and how many bytes of them had to be compared.
fn compare_terminated(a: &[u8], b: &[u8]) -> (Ordering, u64) {
    for (at, (a, b)) in (1..).zip(a.iter().zip(b)) {
        if a != b || *a == 0 {
            return (a.cmp(b), at);
        }
    }
    (Ordering::Equal, a.len().min(b.len()) as u64)
}

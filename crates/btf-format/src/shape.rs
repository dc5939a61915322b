//! Roles of the words of type records: the one table of ids and names, and the
//! walks over it. All code that rewrites ids or names uses it. The walk of
//! `btf-types` at opening is separate; a test compares it with this table.
//!
//! A record of a known kind consists of 32-bit words: three in every record
//! (`name_off`, `info`, `size_or_type`), then the fixed words of the kind, then
//! `vlen` elements, each of the element words of the kind.
//!
//! Source: `tools/lib/bpf/btf_iter.c` (`btf_field_iter_init`) and `btf.c`
//! (`btf_type_size`) for kinds 1 to 19; the `LOC_*` patches for 20 to 22.

use core::iter::FusedIterator;

use crate::{Kind, TypeRecord};

/// Role of a 32-bit word of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Word {
    /// A type id.
    Id,
    /// The offset of a name in the string section, in bytes.
    Name,
    /// Anything else: a size, a number, a value, flags.
    Data,
    /// Unknown: a word after the first two of an unknown kind. It may be an id
    /// or a name.
    Opaque,
}

/// Roles of the words of records of one kind.
///
/// ```
/// # fn main() -> Result<(), btf_format::Error> {
/// use btf_format::{Kind, Word};
///
/// let shape = Kind::Array.shape();
/// assert_eq!((shape.fixed_size(), shape.element_size()), (12, 0));
/// assert_eq!((shape.role(3), shape.role(5)), (Some(Word::Id), Some(Word::Data))); // element type, nelems
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Shape {
    /// Role of the third word: a size or an id.
    pub size_or_type: Word,
    /// Roles of the words after the first three.
    pub fixed: &'static [Word],
    /// Roles of the words of each of the `vlen` elements; empty if `vlen` is
    /// not a number of elements.
    pub element: &'static [Word],
}

/// Number of words at the start of every record.
const HEAD: usize = size_of::<TypeRecord>() / 4;

impl Shape {
    /// Size in bytes of the fixed words after the first 12 bytes.
    #[must_use]
    pub const fn fixed_size(&self) -> usize {
        self.fixed.len() * 4
    }

    /// Size of an element in bytes.
    #[must_use]
    pub const fn element_size(&self) -> usize {
        self.element.len() * 4
    }

    /// Role of a word of the record, by its index; `None` beyond the last word
    /// of a kind without elements.
    #[must_use]
    pub fn role(&self, word: usize) -> Option<Word> {
        let Some(after_head) = word.checked_sub(HEAD) else {
            return Some([Word::Name, Word::Data, self.size_or_type].get(word).copied().unwrap_or(Word::Data));
        };
        match after_head.checked_sub(self.fixed.len()) {
            None => self.fixed.get(after_head).copied(),
            Some(word) => self.element.get(within(word, self.element.len())?).copied(),
        }
    }
}

/// Index of a word within its element. Most elements have two or three words,
/// and dividing by a constant is faster.
#[inline]
fn within(word: usize, element: usize) -> Option<usize> {
    match element {
        0 => None,
        1 => Some(0),
        2 => Some(word % 2),
        3 => Some(word % 3),
        _ => Some(word % element),
    }
}

/// Role of a word of a record of any kind, known or not.
fn role(shape: Option<&Shape>, word: usize) -> Word {
    match (shape, word) {
        (Some(shape), word) => shape.role(word).unwrap_or(Word::Data),
        (None, 0) => Word::Name,
        (None, 1) => Word::Data,
        (None, _) => Word::Opaque,
    }
}

/// A word that a walk over the fields of a record visits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Field {
    /// The kind of the record; `None` if this library does not model it.
    pub kind: Option<Kind>,
    /// [`Word::Id`] or [`Word::Name`].
    pub holds: Word,
    /// Position of the word, in bytes from the start of the record.
    pub at: usize,
}

/// Expands the table below into [`Shape::of`], and into the walks for modeled
/// kinds. Within an arm, everything that depends on the kind is a constant,
/// including the bounds of loops.
macro_rules! shapes {
    (
        modelled { $($kind:ident: $third:ident, [$($fixed:ident)*], [$($element:ident)*];)* }
        known { $($number:literal: $other_third:ident, [$($other_fixed:ident)*], [$($other_element:ident)*];)* }
    ) => {
        impl Shape {
            /// Returns the shape of a kind whose words are known: 1 to 22. (20
            /// to 22 are `LOC_PARAM`, `LOC_PROTO` and `LOCSEC`.)
            #[must_use]
            pub const fn of(kind_number: u8) -> Option<Self> {
                match kind_number {
                    $($number => Some(Self {
                        size_or_type: Word::$other_third,
                        fixed: &[$(Word::$other_fixed),*],
                        element: &[$(Word::$other_element),*],
                    }),)*
                    _ => match Kind::from_number(kind_number) {
                        Some(kind) => Some(Self::of_kind(kind)),
                        None => None,
                    },
                }
            }

            /// The shape of a kind.
            pub(crate) const fn of_kind(kind: Kind) -> Self {
                match kind {
                    $(Kind::$kind => Self {
                        size_or_type: Word::$third,
                        fixed: &[$(Word::$fixed),*],
                        element: &[$(Word::$element),*],
                    },)*
                }
            }
        }

        /// Calls `visit` with each id and name of the record of this kind at
        /// the start of `bytes`. Returns the size of the record in bytes. If it
        /// exceeds `bytes`, nothing is visited.
        #[inline(always)]
        pub(crate) fn walk(kind: Kind, vlen: u32, bytes: &[u8], visit: &mut impl FnMut(Field, u32)) -> u64 {
            match kind {
                $(Kind::$kind => each(
                    Kind::$kind,
                    Word::$third,
                    [$(Word::$fixed),*],
                    [$(Word::$element),*],
                    vlen,
                    bytes,
                    visit,
                ),)*
            }
        }

        /// Calls `change` with each id and name of a whole record. Stops at the
        /// first error.
        #[inline]
        fn walk_kind_mut<E>(
            kind: Kind,
            record: &mut [u8],
            change: &mut impl FnMut(Field, &mut u32) -> Result<(), E>,
        ) -> Result<(), E> {
            match kind {
                $(Kind::$kind => each_mut(
                    Kind::$kind,
                    Word::$third,
                    [$(Word::$fixed),*],
                    [$(Word::$element),*],
                    record,
                    change,
                ),)*
            }
        }
    };
}

shapes! {
    modelled {
        // kind     size_or_type  fixed words     words of an element
        Int:        Data,         [Data],         [];
        Ptr:        Id,           [],             [];
        Array:      Data,         [Id Id Data],   [];
        Struct:     Data,         [],             [Name Id Data];
        Union:      Data,         [],             [Name Id Data];
        Enum:       Data,         [],             [Name Data];
        Fwd:        Data,         [],             [];
        Typedef:    Id,           [],             [];
        Volatile:   Id,           [],             [];
        Const:      Id,           [],             [];
        Restrict:   Id,           [],             [];
        Func:       Id,           [],             [];
        FuncProto:  Id,           [],             [Name Id];
        Var:        Id,           [Data],         [];
        Datasec:    Data,         [],             [Id Data Data];
        Float:      Data,         [],             [];
        DeclTag:    Id,           [Data],         [];
        TypeTag:    Id,           [],             [];
        Enum64:     Data,         [],             [Name Data Data];
    }
    known {
        // LOC_PARAM: flags; values. LOC_PROTO: LOC_PARAMs. LOCSEC: FUNC,
        // LOC_PROTO, offset.
        20:         Data,         [Data],         [Data];
        21:         Data,         [],             [Id];
        22:         Data,         [],             [Id Id Data];
    }
}

/// Walks over one record, unrolled for its kind.
#[inline(always)]
fn each<const FIXED: usize, const ELEMENT: usize>(
    kind: Kind,
    third: Word,
    fixed: [Word; FIXED],
    element: [Word; ELEMENT],
    vlen: u32,
    bytes: &[u8],
    visit: &mut impl FnMut(Field, u32),
) -> u64 {
    let elements_at = HEAD * 4 + FIXED * 4;
    let size = elements_at as u64 + u64::from(vlen) * (ELEMENT * 4) as u64;
    let Some(record) = usize::try_from(size).ok().and_then(|size| bytes.get(..size)) else {
        return size;
    };
    let mut field = |word: &[u8], holds, at| {
        if let (Word::Id | Word::Name, Ok(word)) = (holds, word.try_into()) {
            visit(Field { kind: Some(kind), holds, at }, u32::from_ne_bytes(word));
        }
    };
    let (head, elements) = record.split_at(elements_at);
    let roles = [Word::Name, Word::Data, third].into_iter().chain(fixed);
    for ((index, word), holds) in head.chunks_exact(4).enumerate().zip(roles) {
        field(word, holds, index * 4);
    }
    if ELEMENT > 0 {
        for (number, words) in elements.chunks_exact(ELEMENT * 4).enumerate() {
            let start = elements_at + number * ELEMENT * 4;
            for ((index, word), holds) in words.chunks_exact(4).enumerate().zip(element) {
                field(word, holds, start + index * 4);
            }
        }
    }
    size
}

/// Walks over a whole record of any kind, by the table.
pub(crate) fn walk_any(kind_number: u8, record: &[u8], mut visit: impl FnMut(Field, u32)) {
    let (kind, shape) = (Kind::from_number(kind_number), Shape::of(kind_number));
    for (index, word) in record.chunks_exact(4).enumerate() {
        let holds = role(shape.as_ref(), index);
        if let (Word::Id | Word::Name, Ok(word)) = (holds, word.try_into()) {
            visit(Field { kind, holds, at: index * 4 }, u32::from_ne_bytes(word));
        }
    }
}

/// Walks over a whole record of any kind and changes its fields in place. Stops
/// at the first error.
#[inline]
pub(crate) fn walk_mut<E>(
    kind_number: u8,
    record: &mut [u8],
    mut change: impl FnMut(Field, &mut u32) -> Result<(), E>,
) -> Result<(), E> {
    match Kind::from_number(kind_number) {
        Some(kind) => walk_kind_mut(kind, record, &mut change),
        None => walk_other_mut(kind_number, record, &mut change),
    }
}

/// Walks over a record whose kind is not modeled, by the table.
#[cold]
fn walk_other_mut<E>(
    kind_number: u8,
    record: &mut [u8],
    change: &mut impl FnMut(Field, &mut u32) -> Result<(), E>,
) -> Result<(), E> {
    let shape = Shape::of(kind_number);
    for (index, word) in record.chunks_exact_mut(4).enumerate() {
        change_word(word, Field { kind: None, holds: role(shape.as_ref(), index), at: index * 4 }, change)?;
    }
    Ok(())
}

/// Calls `change` with a word if it is an id or a name.
#[inline(always)]
fn change_word<E>(
    word: &mut [u8],
    field: Field,
    change: &mut impl FnMut(Field, &mut u32) -> Result<(), E>,
) -> Result<(), E> {
    if let (Word::Id | Word::Name, Some(word)) = (field.holds, word.first_chunk_mut()) {
        let mut value = u32::from_ne_bytes(*word);
        change(field, &mut value)?;
        *word = value.to_ne_bytes();
    }
    Ok(())
}

/// Walks over one record and changes its fields, unrolled for its kind.
#[inline(always)]
fn each_mut<const FIXED: usize, const ELEMENT: usize, E>(
    kind: Kind,
    third: Word,
    fixed: [Word; FIXED],
    element: [Word; ELEMENT],
    record: &mut [u8],
    change: &mut impl FnMut(Field, &mut u32) -> Result<(), E>,
) -> Result<(), E> {
    let elements_at = HEAD * 4 + FIXED * 4;
    let Some((head, elements)) = record.split_at_mut_checked(elements_at) else {
        return Ok(());
    };
    let roles = [Word::Name, Word::Data, third].into_iter().chain(fixed);
    for ((index, word), holds) in head.chunks_exact_mut(4).enumerate().zip(roles) {
        change_word(word, Field { kind: Some(kind), holds, at: index * 4 }, change)?;
    }
    if ELEMENT > 0 {
        let mut at = elements_at;
        for words in elements.chunks_exact_mut(ELEMENT * 4) {
            for (word, holds) in words.chunks_exact_mut(4).zip(element) {
                change_word(word, Field { kind: Some(kind), holds, at }, change)?;
                at += 4;
            }
        }
    }
    Ok(())
}

/// Iterator over all words of a record: see
/// [`Record::words`](crate::Record::words).
#[derive(Debug, Clone)]
#[must_use]
pub struct Words<'a> {
    shape: Option<Shape>,
    record: &'a [u8],
    /// Index of the next word.
    next: usize,
}

impl<'a> Words<'a> {
    pub(crate) const fn new(kind_number: u8, record: &'a [u8]) -> Self {
        Self { shape: Shape::of(kind_number), record, next: 0 }
    }
}

impl Iterator for Words<'_> {
    type Item = (Word, u32);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.nth(0)
    }

    /// Takes constant time, like [`next`](Iterator::next).
    #[inline]
    fn nth(&mut self, n: usize) -> Option<Self::Item> {
        let index = self.next.saturating_add(n);
        let value = self.record.get(index.saturating_mul(4)..).and_then(<[u8]>::first_chunk);
        self.next = index.saturating_add(usize::from(value.is_some()));
        Some((role(self.shape.as_ref(), index), u32::from_ne_bytes(*value?)))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = (self.record.len() / 4).saturating_sub(self.next);
        (left, Some(left))
    }
}

impl ExactSizeIterator for Words<'_> {}
impl FusedIterator for Words<'_> {}

/// Size in bytes of the part before the elements, and of an element, by kind
/// number. `(0, 0)` for unknown kinds.
#[expect(clippy::indexing_slicing, reason = "a constant: the compiler would refuse it")]
pub(crate) static SIZES: [(u8, u8); 128] = {
    let mut sizes = [(0, 0); 128];
    let mut number = 1u8;
    while number < 128 {
        if let Some(shape) = Shape::of(number) {
            sizes[number as usize] = ((size_of::<TypeRecord>() + shape.fixed_size()) as u8, shape.element_size() as u8);
        }
        number += 1;
    }
    sizes
};

#[cfg(test)]
mod tests {
    use super::*;

    /// The layout table of libbpf: size in bytes of the fixed part and of an
    /// element, for kinds 0 to 19.
    const INFO_SZ: [usize; 20] = [0, 4, 0, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 4, 0, 0];
    const ELEM_SZ: [usize; 20] = [0, 0, 0, 0, 12, 12, 8, 0, 0, 0, 0, 0, 0, 8, 0, 12, 0, 0, 0, 12];

    #[test]
    fn sizes_are_those_of_the_layout_table() {
        for &kind in Kind::ALL {
            let number = usize::from(kind.number());
            assert_eq!(kind.shape().fixed_size(), INFO_SZ[number], "{kind}");
            assert_eq!(kind.shape().element_size(), ELEM_SZ[number], "{kind}");
        }
    }

    #[test]
    fn kinds_20_to_22_are_known_too() {
        let sizes = |n| Shape::of(n).map(|s| (s.fixed_size(), s.element_size()));
        assert_eq!(sizes(20), Some((4, 4)));
        assert_eq!(sizes(21), Some((0, 4)));
        assert_eq!(sizes(22), Some((0, 12)));
        assert_eq!(sizes(23), None);
        assert_eq!(sizes(0), None);
    }

    #[test]
    fn what_does_not_fit_is_measured_but_not_visited() {
        let bytes = [0; 12 + 12 * 3 - 1];
        assert_eq!(walk(Kind::Struct, 3, &bytes, &mut |_: Field, _| panic!("visited")), 48);
        assert_eq!(walk(Kind::Enum64, 0xff_ffff, &[], &mut |_: Field, _| panic!("visited")), 12 + 12 * 0xff_ffff);
    }

    /// Returns a record of this kind with 4 elements. The value of each word is
    /// its index.
    fn record(number: u8) -> Vec<u8> {
        let words = Shape::of(number).map_or(9, |shape| HEAD + shape.fixed.len() + 4 * shape.element.len());
        (0..words as u32).flat_map(u32::to_ne_bytes).collect()
    }

    #[test]
    fn all_walks_visit_the_same_fields() {
        for number in 0..=23 {
            let mut bytes = record(number);
            let mut seen = Vec::new();
            walk_any(number, &bytes, |field, value| {
                assert_eq!(field.at, value as usize * 4, "{number}");
                seen.push((field, value));
            });
            if let Some(kind) = Kind::from_number(number) {
                let mut unrolled = Vec::new();
                let size = walk(kind, 4, &bytes, &mut |field: Field, value| unrolled.push((field, value)));
                assert_eq!((size, &unrolled), (bytes.len() as u64, &seen), "{kind}");
            }
            let words: Vec<_> = Words::new(number, &bytes).collect();
            assert_eq!(words.len(), bytes.len() / 4);
            let fields = words.iter().filter(|(role, _)| matches!(role, Word::Id | Word::Name));
            assert!(fields.copied().eq(seen.iter().map(|&(field, value)| (field.holds, value))), "{number}");
            let mut changed = Vec::new();
            let result: Result<(), ()> = walk_mut(number, &mut bytes, |field, value| {
                changed.push((field, *value));
                *value += 100;
                Ok(())
            });
            assert_eq!((result, &changed), (Ok(()), &seen));
            for (index, (role, value)) in Words::new(number, &bytes).enumerate() {
                let added = if matches!(role, Word::Id | Word::Name) { 100 } else { 0 };
                assert_eq!(value, index as u32 + added, "{number}, word {index}");
            }
        }
    }

    #[test]
    fn ids_of_locations() {
        let ids = |number| {
            let bytes = record(number);
            let words = Words::new(number, &bytes).filter(|(role, _)| *role == Word::Id);
            words.map(|(_, value)| value).collect::<Vec<_>>()
        };
        assert_eq!(ids(20), []);
        assert_eq!(ids(21), [3, 4, 5, 6]);
        assert_eq!(ids(22), [3, 4, 6, 7, 9, 10, 12, 13]);
    }

    #[test]
    fn words_of_an_unknown_kind_are_opaque() {
        let bytes = record(99);
        let roles: Vec<_> = Words::new(99, &bytes).map(|(role, _)| role).collect();
        assert_eq!(roles[..2], [Word::Name, Word::Data]);
        assert!(roles.len() > 3 && roles[2..].iter().all(|role| *role == Word::Opaque));
    }

    #[test]
    fn a_change_that_fails_is_the_last() {
        let mut bytes = record(Kind::Struct.number());
        let before = bytes.clone();
        let mut left = 3;
        let result = walk_mut(Kind::Struct.number(), &mut bytes, |_, value| {
            left -= 1;
            *value = 0xffff;
            if left == 0 { Err(*value) } else { Ok(()) }
        });
        assert_eq!((result, left), (Err(0xffff), 0));
        assert_eq!(bytes[16..], before[16..], "the one that failed is not written either");
    }

    #[test]
    fn words_skip_in_one_step() {
        let bytes = record(Kind::Datasec.number());
        let mut words = Words::new(Kind::Datasec.number(), &bytes);
        assert_eq!((words.len(), words.nth(3), words.len()), (15, Some((Word::Id, 3)), 11));
        assert_eq!((words.nth(usize::MAX), words.len(), words.next()), (None, 0, None));
    }
}

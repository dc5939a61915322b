//! What the words of a record are: the one table, and the one walk, that
//! checking, byte-order conversion and every operation that rewrites ids or
//! string offsets share.
//!
//! Every record of a known kind consists of 32-bit words: three of them in
//! every record (`name_off`, `info`, `size_or_type`), then the kind's fixed
//! words, then `vlen` elements of the kind's element words.
//!
//! Source: `tools/lib/bpf/btf_iter.c` (`btf_field_iter_init`) and `btf.c`
//! (`btf_type_size`) for kinds 1 to 19; the `LOC_*` patches for 20 to 22.

use crate::{Kind, TypeRecord};

/// What a 32-bit word of a record holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Word {
    /// The id of a type.
    Id,
    /// The offset of a name, in bytes, in the string section.
    Name,
    /// Anything else: a size, a number, a value, flags.
    Data,
}

/// What the words of one kind's records hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Shape {
    /// The third word of the record, a size or an id.
    pub size_or_type: Word,
    /// The words after the first three.
    pub fixed: &'static [Word],
    /// The words of each of the `vlen` elements; empty where `vlen` counts
    /// nothing.
    pub element: &'static [Word],
}

impl Shape {
    /// Bytes of the part after the 12 bytes that all records have.
    #[must_use]
    pub const fn fixed_size(&self) -> usize {
        self.fixed.len() * 4
    }

    /// Bytes of an element.
    #[must_use]
    pub const fn element_size(&self) -> usize {
        self.element.len() * 4
    }

    /// The shape of a kind that this library can size: 1 to 22.
    ///
    /// Of 20 to 22 (`LOC_PARAM`, `LOC_PROTO`, `LOCSEC`) only the sizes are
    /// told: all their words are [`Word::Data`].
    #[must_use]
    pub const fn of(kind_number: u8) -> Option<Self> {
        use Word::Data;
        Some(match kind_number {
            20 => Self { size_or_type: Data, fixed: &[Data], element: &[Data] },
            21 => Self { size_or_type: Data, fixed: &[], element: &[Data] },
            22 => Self { size_or_type: Data, fixed: &[], element: &[Data, Data, Data] },
            _ => match Kind::from_number(kind_number) {
                Some(kind) => Self::of_kind(kind),
                None => return None,
            },
        })
    }
}

/// A word that a walk over the fields of a record comes by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Field {
    /// The kind of the record, `None` if this library does not model it.
    pub kind: Option<Kind>,
    /// [`Word::Id`] or [`Word::Name`], never [`Word::Data`].
    pub holds: Word,
    /// Where the word stands: bytes from the start of the record.
    pub at: usize,
}

/// What is called with each field of a record, and what it holds. Any closure
/// will do; a type of one's own can have the call inlined by force, which in the
/// walk over a whole kernel is a matter of twice the time.
pub trait Visitor {
    /// Takes notice of a field.
    fn visit(&mut self, field: Field, value: u32);
}

impl<F: FnMut(Field, u32)> Visitor for F {
    #[inline(always)]
    fn visit(&mut self, field: Field, value: u32) {
        self(field, value);
    }
}

/// Expands the table below into `Shape::of_kind` and both walks. In each arm
/// all that depends on the kind is a constant, and so are the loops over it.
macro_rules! shapes {
    ($($kind:ident: $third:ident, [$($fixed:ident)*], [$($element:ident)*];)*) => {
        impl Shape {
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

        /// Calls `visit` with each word that is an id or a name, of the
        /// record of this kind that `bytes` begin with, and returns the size
        /// of the record in bytes. If `bytes` end before it does, nothing is
        /// visited, but the size is still returned.
        #[inline(always)]
        pub(crate) fn walk(kind: Kind, vlen: u32, bytes: &[u8], visit: &mut impl Visitor) -> u64 {
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

        /// Puts what `change` makes of it in the place of each word that is
        /// an id or a name, of the record of this kind that `bytes` begin
        /// with, under the same conditions.
        pub(crate) fn walk_mut(kind: Kind, vlen: u32, bytes: &mut [u8], change: &mut impl FnMut(Field, u32) -> u32) -> u64 {
            match kind {
                $(Kind::$kind => each_mut(
                    Kind::$kind,
                    Word::$third,
                    [$(Word::$fixed),*],
                    [$(Word::$element),*],
                    vlen,
                    bytes,
                    change,
                ),)*
            }
        }
    };
}

shapes! {
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

/// Expands to the walk over one record, for shared and for mutable bytes: the
/// same steps in the same order.
macro_rules! walk_record {
    ($name:ident, $bytes:ty, $visit:ty, $get:ident, $split_at:ident, $chunks_exact:ident, $call:ident) => {
        #[inline(always)]
        fn $name<const FIXED: usize, const ELEMENT: usize>(
            kind: Kind,
            third: Word,
            fixed: [Word; FIXED],
            element: [Word; ELEMENT],
            vlen: u32,
            bytes: $bytes,
            visit: $visit,
        ) -> u64 {
            const HEAD: usize = size_of::<TypeRecord>();
            let elements_at = HEAD + FIXED * 4;
            let size = elements_at as u64 + u64::from(vlen) * (ELEMENT * 4) as u64;
            let Some(record) = usize::try_from(size).ok().and_then(|size| bytes.$get(..size)) else {
                return size;
            };
            let mut field = |word, holds, at| $call(word, Field { kind: Some(kind), holds, at }, visit);
            let (head, elements) = record.$split_at(elements_at);
            let roles = [Word::Name, Word::Data, third].into_iter().chain(fixed);
            for ((index, word), holds) in head.$chunks_exact(4).enumerate().zip(roles) {
                field(word, holds, index * 4);
            }
            if ELEMENT > 0 {
                for (number, words) in elements.$chunks_exact(ELEMENT * 4).enumerate() {
                    let start = elements_at + number * ELEMENT * 4;
                    for ((index, word), holds) in words.$chunks_exact(4).enumerate().zip(element) {
                        field(word, holds, start + index * 4);
                    }
                }
            }
            size
        }
    };
}

walk_record!(each, &[u8], &mut impl Visitor, get, split_at, chunks_exact, read);
walk_record!(each_mut, &mut [u8], &mut impl FnMut(Field, u32) -> u32, get_mut, split_at_mut, chunks_exact_mut, write);

#[inline(always)]
fn read(word: &[u8], field: Field, visitor: &mut impl Visitor) {
    if let (Word::Id | Word::Name, Ok(word)) = (field.holds, word.try_into()) {
        visitor.visit(field, u32::from_ne_bytes(word));
    }
}

#[inline(always)]
fn write(word: &mut [u8], field: Field, change: &mut impl FnMut(Field, u32) -> u32) {
    if let (Word::Id | Word::Name, Ok(word)) = (field.holds, <&mut [u8; 4]>::try_from(word)) {
        *word = change(field, u32::from_ne_bytes(*word)).to_ne_bytes();
    }
}

/// Bytes before the elements, and bytes of an element, by kind number: what
/// the record walk needs of the table above, in the form it needs it.
/// `(0, 0)` where the kind is not known.
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

    /// FORMAT of `libbpf`'s own layout table: bytes of the fixed part, bytes
    /// of an element, kinds 0 to 19.
    const INFO_SZ: [usize; 20] = [0, 4, 0, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 4, 0, 0];
    const ELEM_SZ: [usize; 20] = [0, 0, 0, 0, 12, 12, 8, 0, 0, 0, 0, 0, 0, 8, 0, 12, 0, 0, 0, 12];

    #[test]
    fn sizes_are_those_of_the_layout_table() {
        for kind in Kind::ALL {
            let number = usize::from(kind.number());
            assert_eq!(kind.shape().fixed_size(), INFO_SZ[number], "{kind}");
            assert_eq!(kind.shape().element_size(), ELEM_SZ[number], "{kind}");
        }
    }

    #[test]
    fn kinds_20_to_22_are_sized_only() {
        let sizes = |n| Shape::of(n).map(|s| (s.fixed_size(), s.element_size()));
        assert_eq!(sizes(20), Some((4, 4)));
        assert_eq!(sizes(21), Some((0, 4)));
        assert_eq!(sizes(22), Some((0, 12)));
        assert_eq!(sizes(23), None);
        assert_eq!(sizes(0), None);
    }

    #[test]
    fn what_does_not_fit_is_measured_but_not_visited() {
        let mut bytes = [0; 12 + 12 * 3 - 1];
        assert_eq!(walk(Kind::Struct, 3, &bytes, &mut |_: Field, _| panic!("visited")), 48);
        assert_eq!(walk_mut(Kind::Struct, 3, &mut bytes, &mut |_, _| panic!("visited")), 48);
        assert_eq!(walk(Kind::Enum64, 0xff_ffff, &[], &mut |_: Field, _| panic!("visited")), 12 + 12 * 0xff_ffff);
    }

    #[test]
    fn both_walks_come_by_the_same_fields() {
        for kind in Kind::ALL {
            let mut words: Vec<u8> = (0..30u32).flat_map(u32::to_ne_bytes).collect();
            let mut seen = Vec::new();
            let size = walk(kind, 4, &words, &mut |field: Field, value| {
                assert_eq!(field.at, value as usize * 4, "{kind}");
                seen.push((field, value));
            });
            let mut changed = Vec::new();
            let size_mut = walk_mut(kind, 4, &mut words, &mut |field, value| {
                changed.push((field, value));
                value + 100
            });
            assert_eq!(size, (12 + kind.shape().fixed_size() + 4 * kind.shape().element_size()) as u64, "{kind}");
            assert_eq!(size, size_mut, "{kind}");
            assert_eq!(seen, changed, "{kind}");
            for (index, word) in words.chunks_exact(4).enumerate() {
                let visited = seen.iter().any(|(field, _)| field.at == index * 4);
                let expected = index as u32 + if visited { 100 } else { 0 };
                assert_eq!(u32::from_ne_bytes(word.try_into().unwrap()), expected, "{kind}, word {index}");
            }
        }
    }
}

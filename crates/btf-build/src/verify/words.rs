//! Words of the type section, in native byte order.

use btf_types::{Kind, format::Info};

/// A word as it lies.
type Word = [u8; 4];

/// Words that all records begin with: name, info, and size or type.
pub(super) const HEAD: usize = 3;

/// By the number of a kind, words of its records, and of each element.
const SIZES: [(u8, u8); Kind::ALL.len() + 1] = sizes();

#[allow(clippy::indexing_slicing, reason = "evaluated when compiled")]
const fn sizes() -> [(u8, u8); Kind::ALL.len() + 1] {
    let mut sizes = [(0, 0); Kind::ALL.len() + 1];
    let mut index = 0;
    while index < Kind::ALL.len() {
        let shape = Kind::ALL[index].shape();
        sizes[Kind::ALL[index].number() as usize] =
            ((HEAD + shape.fixed_size() / 4) as u8, (shape.element_size() / 4) as u8);
        index += 1;
    }
    sizes
}

/// The words of a type section.
#[derive(Clone, Copy)]
pub(super) struct Words<'a> {
    words: &'a [Word],
    /// True if the section ends inside a word.
    has_rest: bool,
}

impl<'a> Words<'a> {
    pub(super) fn new(section: &'a [u8]) -> Self {
        let (words, rest) = section.as_chunks();
        Self { words, has_rest: !rest.is_empty() }
    }

    /// The number of words.
    pub(super) fn len(self) -> usize {
        self.words.len()
    }

    /// Returns whether the section ends at the word of an index.
    pub(super) fn end_at(self, at: usize) -> bool {
        at >= self.words.len() && !self.has_rest
    }

    /// Size or referenced type of the record that begins at a word.
    #[inline]
    pub(super) fn size_or_type(self, at: usize) -> Option<u32> {
        self.words.get(at + HEAD - 1).map(|word| u32::from_ne_bytes(*word))
    }

    /// The record that begins at a word, and all that follows it; `None` if there
    /// are fewer words than a record begins with.
    #[inline]
    pub(super) fn record(self, at: usize) -> Option<Record<'a>> {
        let (&[name_off, info, size_or_type], rest) = self.words.get(at..)?.split_first_chunk()?;
        let head = [name_off, info, size_or_type].map(u32::from_ne_bytes);
        Some(Record { name_off: head[0], info: Info::from_word(head[1]), size_or_type: head[2], rest })
    }
}

/// A record.
#[derive(Clone, Copy)]
pub(super) struct Record<'a> {
    pub(super) name_off: u32,
    pub(super) info: Info,
    pub(super) size_or_type: u32,
    /// The words after the first ones, to the end of the section.
    rest: &'a [Word],
}

impl<'a> Record<'a> {
    /// Record of `void`.
    pub(super) const VOID: Self = Record { name_off: 0, info: Info::from_word(0), size_or_type: 0, rest: &[] };

    /// A word after the first ones; 0 if there is none.
    #[inline]
    pub(super) fn word(&self, index: usize) -> u32 {
        self.rest.get(index).map_or(0, |word| u32::from_ne_bytes(*word))
    }

    /// The elements from one on, as many as vlen says there are, of N words each.
    #[inline]
    pub(super) fn elements_from<const N: usize>(
        &self,
        first: u32,
    ) -> impl ExactSizeIterator<Item = [u32; N]> + use<'a, N> {
        let elements = self.rest.as_chunks().0.get(first as usize..self.info.vlen() as usize).unwrap_or_default();
        elements.iter().map(|words: &[Word; N]| words.map(u32::from_ne_bytes))
    }

    /// Number of words that a record of this kind takes.
    #[inline]
    pub(super) fn len(&self, kind: Kind) -> u64 {
        let (fixed, element) = SIZES.get(usize::from(kind.number())).copied().unwrap_or_default();
        u64::from(fixed) + u64::from(self.info.vlen()) * u64::from(element)
    }

    /// Returns whether that many words are there.
    #[inline]
    pub(super) fn has(&self, len: u64) -> bool {
        len <= HEAD as u64 + self.rest.len() as u64
    }
}

//! The walk over all records at opening. It collects their offsets, and the
//! largest id and name offset in them.
//!
//! No processor predicts the sequence of kinds, so the walk branches only on
//! whether a record is longer than 12 bytes, and masks the third word of kinds
//! where it is not an id. Most prototypes have few parameters. They are read in
//! masked blocks of four, so that the end of a short list is not mispredicted
//! either.

use alloc::vec::Vec;

use btf_format::{
    Array, DeclTag, Enum64Value, EnumValue, Error, IntData, Kind, Layout, Member, Param, Record, TypeRecord, Var,
    VarSecinfo, Word,
};

use crate::protos::Protos;

/// Size in bytes of the three words at the start of every record.
const HEAD: usize = size_of::<TypeRecord>();

/// Results of the walk.
pub(crate) struct Walk {
    /// Offset of each record in the type section.
    pub(crate) offsets: Vec<u32>,
    pub(crate) largest: Largest,
    /// Indices of the INTs.
    pub(crate) ints: Vec<usize>,
    /// True if all records are of kinds 1 to 19.
    pub(crate) only_kinds: bool,
}

/// Largest type id and largest offset of a name.
#[derive(Default)]
pub(crate) struct Largest {
    pub(crate) id: u32,
    pub(crate) name: u32,
}

impl Largest {
    #[inline(always)]
    fn take_id(&mut self, id: u32) {
        self.id = id.max(self.id);
    }

    #[inline(always)]
    fn take_name(&mut self, name_off: u32) {
        self.name = name_off.max(self.name);
    }
}

/// Walks over a type section that begins at byte `start` of its blob.
///
/// # Errors
///
/// That of [`Record::first`] for the first record that is truncated or of
/// unknown size.
pub(crate) fn walk<const SPLIT: bool>(
    section: &[u8],
    start: u64,
    layout: Layout<'_>,
    protos: &mut Protos<'_>,
) -> Result<Walk, Error> {
    // Kernels have about 25 bytes per type. More capacity is rarely needed, and
    // never more than twice as much.
    let mut offsets = Vec::with_capacity(section.len() / 24);
    let mut ints = Vec::new();
    let mut only_kinds = true;
    let mut largest = Largest::default();
    let mut params = Params::NONE;
    let mut at = 0;
    while let Some(head) = section.get(at..at + HEAD).and_then(TypeRecord::first) {
        let index = offsets.len();
        offsets.push(at as u32);
        let kind = head.info().kind_number();
        largest.take_name(head.name_off());
        let id = head.size_or_type() & IDS.get(usize::from(kind)).copied().unwrap_or(0);
        largest.take_id(id);
        protos.want::<SPLIT>(id, kind == Kind::Func.number());
        at += HEAD;
        if HEADS.checked_shr(kind.into()).is_some_and(|kinds| kinds & 1 != 0) {
            continue;
        }
        let rest = section.get(at..).unwrap_or_default();
        let vlen = head.info().vlen();
        let size = match head.info().kind() {
            Some(Kind::Struct | Kind::Union) => {
                for member in Member::list(rest, vlen) {
                    largest.take_name(member.name_off());
                    largest.take_id(member.type_id());
                }
                size_of::<Member>() * vlen as usize
            }
            Some(Kind::FuncProto) => {
                protos.is_one(index);
                params.take(rest, vlen as usize);
                size_of::<Param>() * vlen as usize
            }
            Some(Kind::Enum) => {
                for value in EnumValue::list(rest, vlen) {
                    largest.take_name(value.name_off());
                }
                size_of::<EnumValue>() * vlen as usize
            }
            Some(Kind::Enum64) => {
                for value in Enum64Value::list(rest, vlen) {
                    largest.take_name(value.name_off());
                }
                size_of::<Enum64Value>() * vlen as usize
            }
            Some(Kind::Array) => {
                if let Some(array) = Array::first(rest) {
                    largest.take_id(array.type_id().max(array.index_type_id()));
                }
                size_of::<Array>()
            }
            Some(Kind::Datasec) => {
                for entry in VarSecinfo::list(rest, vlen) {
                    largest.take_id(entry.type_id());
                }
                size_of::<VarSecinfo>() * vlen as usize
            }
            Some(Kind::Int) => {
                ints.push(index);
                size_of::<IntData>()
            }
            Some(Kind::Var) => size_of::<Var>(),
            Some(Kind::DeclTag) => size_of::<DeclTag>(),
            _ => usize::MAX,
        };
        if size <= rest.len() {
            at += size;
        } else {
            // Truncated, or of a kind that is not modeled.
            at -= HEAD;
            let record = Record::first(section.get(at..).unwrap_or_default(), start + at as u64, layout)?;
            at += other(record, &mut largest);
            only_kinds = false;
        }
    }
    if let Some(rest @ [_, ..]) = section.get(at..) {
        Record::first(rest, start + at as u64, layout)?;
    }
    params.add_to(&mut largest);
    Ok(Walk { offsets, largest, ints, only_kinds })
}

/// Processes a record of a kind that is not modeled, and returns its size in
/// bytes.
#[cold]
fn other(record: Record<'_>, largest: &mut Largest) -> usize {
    record.for_each_field(|field, value| match field.holds {
        Word::Id => largest.take_id(value),
        _ => largest.take_name(value),
    });
    record.as_bytes().len()
}

/// Mask for the third word by kind number: all ones if it is an id, else 0. A
/// table, as the compiler would turn a computation into a branch.
#[expect(clippy::indexing_slicing, reason = "a constant: the compiler would refuse it")]
static IDS: [u32; 128] = {
    let mut ids = [0; 128];
    let mut number = 0;
    while number < ids.len() {
        if let Some(kind) = Kind::from_number(number as u8)
            && matches!(kind.shape().size_or_type, Word::Id)
        {
            ids[number] = u32::MAX;
        }
        number += 1;
    }
    ids
};

/// Bitmap of the kinds whose records have only the first three words.
const HEADS: u32 = {
    let mut heads = 0;
    let mut number = 0;
    while number < u32::BITS {
        if let Some(kind) = Kind::from_number(number as u8)
            && kind.shape().fixed.is_empty()
            && kind.shape().element.is_empty()
        {
            heads |= 1 << number;
        }
        number += 1;
    }
    heads
};

/// Number of parameters in a block.
const BLOCK: usize = 4;
/// Size of a block in bytes.
const BYTES: usize = BLOCK * size_of::<Param>();
/// Number of words in a block: name offsets and ids alternate.
const WORDS: usize = BYTES / 4;

/// Largest words of parameters, by their position in a block, as [`signed`]
/// numbers.
struct Params([i32; WORDS]);

/// Maps unsigned words to signed numbers in the same order. Baseline x86-64
/// only compares vectors of signed numbers.
const fn signed(word: u32) -> i32 {
    (word ^ 1 << 31) as i32
}

impl Params {
    const NONE: Self = Self([signed(0); WORDS]);

    /// Processes the `count` parameters at the start of `bytes`.
    #[inline(always)]
    fn take(&mut self, bytes: &[u8], count: usize) {
        /// Masks by the number of parameters in the block.
        #[expect(clippy::indexing_slicing, reason = "a constant: the compiler would refuse it")]
        static MASKS: [[u32; WORDS]; BLOCK + 1] = {
            let mut masks = [[0; WORDS]; BLOCK + 1];
            let mut count = 0;
            while count <= BLOCK {
                let mut word = 0;
                while word < 2 * count {
                    masks[count][word] = u32::MAX;
                    word += 1;
                }
                count += 1;
            }
            masks
        };
        let (mut rest, mut left) = (bytes, count);
        loop {
            let Some(mask) = MASKS.get(left.min(BLOCK)) else { return };
            match rest.first_chunk() {
                Some(block) => self.block(block, mask),
                None => {
                    // The section ends within this block.
                    let mut block = [0; BYTES];
                    block.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
                    return self.block(&block, mask);
                }
            }
            if left <= BLOCK {
                return;
            }
            left -= BLOCK;
            rest = rest.get(BYTES..).unwrap_or_default();
        }
    }

    /// Processes one block. The compiler vectorizes the loop, as the arrays
    /// have a fixed size.
    #[inline(always)]
    fn block(&mut self, block: &[u8; BYTES], mask: &[u32; WORDS]) {
        let mut largest = self.0;
        for ((largest, word), mask) in largest.iter_mut().zip(block.as_chunks().0).zip(mask) {
            *largest = signed(u32::from_ne_bytes(*word) & mask).max(*largest);
        }
        self.0 = largest;
    }

    fn add_to(&self, largest: &mut Largest) {
        for pair in self.0.as_chunks::<2>().0 {
            let [name, id] = pair.map(|word| signed(word as u32) as u32);
            largest.take_name(name);
            largest.take_id(id);
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use btf_format::Info;

    use super::*;

    /// The walk names the fields of each kind, as the table of shapes does.
    #[test]
    fn the_walk_finds_what_the_shapes_have() {
        for kind in (1..=19).filter_map(Kind::from_number) {
            let shape = kind.shape();
            for vlen in if shape.element.is_empty() { 0..1 } else { 0..10 } {
                let words = 3 + shape.fixed.len() + shape.element.len() * vlen;
                for word in (0..words).filter(|word| *word != 1) {
                    for value in [1, 7, 1 << 31 | 7] {
                        let mut record = vec![0; words];
                        record[1] = Info::new(kind.number(), vlen as u32, false).unwrap().word();
                        record[word] = value;
                        // Alone at the end of the section, and followed by
                        // another record.
                        for after in [&[][..], &[0, 2 << 24, 0]] {
                            let record: Vec<u8> =
                                record.iter().chain(after).flat_map(|word| word.to_ne_bytes()).collect();
                            let mut protos = Protos::new(words, 1, None);
                            let walk = walk::<false>(&record, 24, Layout::NONE, &mut protos).unwrap();
                            let expected = match shape.role(word) {
                                Some(Word::Id) => (value, 0),
                                Some(Word::Name) => (0, value),
                                _ => (0, 0),
                            };
                            assert_eq!((walk.largest.id, walk.largest.name), expected, "{kind}, {vlen}: word {word}");
                            assert_eq!(walk.offsets.len(), 1 + after.len() / 3, "{kind}, {vlen}");
                            assert_eq!(walk.ints.len(), usize::from(kind == Kind::Int));
                            assert!(walk.only_kinds);
                        }
                    }
                }
            }
        }
    }
}

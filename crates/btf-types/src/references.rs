//! From a type to those that its record refers to, and to all that can be
//! reached.

use alloc::{vec, vec::Vec};
use core::iter::FusedIterator;

use btf_format::{Shape, TypeRecord, Word};

use crate::{Type, btf::Inner, view::Handle};

/// Words of a record before those that depend on its kind.
const HEAD: usize = size_of::<TypeRecord>() / 4;

/// Iterator over the types that a type's record refers to, in the order in
/// which they stand there, see [`Type::references`].
#[derive(Debug, Clone)]
pub struct References<'btf> {
    /// `None` for what refers to nothing.
    record: Option<(Handle<'btf>, Shape)>,
    /// The next word to look at.
    word: usize,
}

impl<'btf> References<'btf> {
    /// From that word of the record on.
    fn starting_at(ty: Type<'btf>, word: usize) -> Self {
        let record = ty.handle().and_then(|handle| Some((handle, handle.record().info().kind()?.shape())));
        Self { record, word: word.max(HEAD - 1) }
    }
}

impl<'btf> Iterator for References<'btf> {
    type Item = Type<'btf>;

    fn next(&mut self) -> Option<Type<'btf>> {
        let (handle, shape) = self.record.as_ref()?;
        let elements = HEAD + shape.fixed.len();
        let end = elements + handle.record().info().vlen() as usize * shape.element.len();
        while self.word < end.max(HEAD) {
            let word = self.word;
            self.word += 1;
            let (holds, value) = if word < HEAD {
                (shape.size_or_type, handle.record().size_or_type())
            } else {
                let holds = match word.checked_sub(elements) {
                    None => shape.fixed.get(word - HEAD),
                    Some(word) => shape.element.get(word.checked_rem(shape.element.len())?),
                };
                let value = handle.rest().get((word - HEAD) * 4..)?.first_chunk()?;
                (*holds?, u32::from_ne_bytes(*value))
            };
            if holds == Word::Id {
                return Some(handle.btf.type_of(value));
            }
        }
        None
    }
}

impl FusedIterator for References<'_> {}

/// Iterator over all types that can be reached, each after those that it
/// refers to, see [`Type::post_order`].
///
/// Each comes once. In a cycle the one that was come by first is the last.
#[derive(Debug, Clone)]
pub struct PostOrder<'btf> {
    btf: Option<Handle<'btf>>,
    /// The types on the way here, each with the next word to look at.
    stack: Vec<(u32, u32)>,
    /// A bit for each id.
    seen: Vec<u64>,
}

impl<'btf> PostOrder<'btf> {
    fn new(root: Type<'btf>) -> Self {
        let handle = root.handle();
        let count = handle.map_or(0, |handle| handle.btf.type_count());
        let mut order = Self { btf: handle, stack: Vec::new(), seen: vec![0; count as usize / 64 + 1] };
        if handle.is_some() {
            order.enter(root.id());
        }
        order
    }

    /// Goes to a type, unless it was come by before.
    fn enter(&mut self, id: u32) {
        if let Some(word) = self.seen.get_mut(id as usize / 64) {
            let bit = 1 << (id % 64);
            if *word & bit == 0 {
                *word |= bit;
                self.stack.push((id, 0));
            }
        }
    }
}

impl<'btf> Iterator for PostOrder<'btf> {
    type Item = Type<'btf>;

    fn next(&mut self) -> Option<Type<'btf>> {
        let btf: &'btf Inner = self.btf?.btf;
        loop {
            let (id, word) = self.stack.last_mut()?;
            let ty = btf.type_of(*id);
            let mut references = References::starting_at(ty, *word as usize);
            match references.next() {
                Some(reference) => {
                    *word = references.word as u32;
                    // `void` has no record, and is no type to come by.
                    if reference != Type::Void {
                        self.enter(reference.id());
                    }
                }
                None => {
                    self.stack.pop();
                    return Some(ty);
                }
            }
        }
    }
}

impl FusedIterator for PostOrder<'_> {}

impl<'btf> Type<'btf> {
    /// The types that this type's record refers to, in the order in which they
    /// stand there, each as often as it does: what it is made of, the types of
    /// its members, what it returns and its parameters, its variables.
    #[must_use]
    pub fn references(self) -> References<'btf> {
        References::starting_at(self, 0)
    }

    /// This type and all that can be reached from it by
    /// [`references`](Type::references), each once and after those that it
    /// refers to; `void` is not among them.
    ///
    /// Memory: a bit for each type of the BTF, and eight bytes for each on the
    /// way to where it is.
    #[must_use]
    pub fn post_order(self) -> PostOrder<'btf> {
        PostOrder::new(self)
    }
}

//! References of a type, and all types that can be reached through them.

use alloc::{vec, vec::Vec};
use core::iter::FusedIterator;

use btf_format::{Layout, Record, Word, Words};

use crate::{Type, layer::Layer, view::Handle};

/// Iterator over the types that a type's record refers to, in the order of the
/// record: see [`Type::references`].
#[derive(Debug, Clone)]
pub struct References<'btf> {
    /// The layer that owns the record, and its remaining words; `None` if there
    /// are no references.
    record: Option<(Handle<'btf>, Words<'btf>)>,
}

impl<'btf> References<'btf> {
    /// Makes an iterator that skips the first `word` words of the record.
    fn starting_at(ty: Type<'btf>, word: u32) -> Self {
        let record = ty.handle().and_then(|handle| {
            let mut words = Record::first(handle.bytes(), 0, Layout::NONE).ok()?.words();
            if let Some(last) = word.checked_sub(1) {
                words.nth(last as usize)?;
            }
            Some((handle, words))
        });
        Self { record }
    }

    /// Number of remaining words.
    fn words_left(&self) -> u32 {
        self.record.as_ref().map_or(0, |(_, words)| words.len() as u32)
    }
}

impl<'btf> Iterator for References<'btf> {
    type Item = Type<'btf>;

    fn next(&mut self) -> Option<Type<'btf>> {
        let (handle, words) = self.record.as_mut()?;
        let (_, id) = words.find(|(role, _)| *role == Word::Id)?;
        Some(handle.btf.type_of(id))
    }
}

impl FusedIterator for References<'_> {}

/// Iterator over all reachable types, each after those that it refers to: see
/// [`Type::post_order`].
///
/// Each type is yielded once. In a cycle, the type that is reached first is
/// yielded last.
#[derive(Debug, Clone)]
pub struct PostOrder<'btf> {
    btf: Option<Handle<'btf>>,
    /// Types on the current path, each with the index of its next word.
    stack: Vec<(u32, u32)>,
    /// One bit per id.
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

    /// Visits a type, unless it was visited before.
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
        let btf: &'btf Layer = self.btf?.btf;
        loop {
            let (id, word) = self.stack.last_mut()?;
            let ty = btf.type_of(*id);
            let mut references = References::starting_at(ty, *word);
            let left = references.words_left();
            match references.next() {
                Some(reference) => {
                    *word += left - references.words_left();
                    // `void` has no record and is not visited.
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
    /// Iterates over the types that this type's record refers to, in the order
    /// of the record and with repetitions: the referenced type, the types of
    /// members, the return type and parameters, the variables.
    ///
    /// ```
    /// # fn main() -> Result<(), btf_types::Error> {
    /// use btf_types::{Btf, Func};
    ///
    /// # let vmlinux = Btf::parse(std::fs::read("doc/kernel.btf").unwrap())?;
    /// let func: Func<'_> = vmlinux.find("neigh_xmit")?;
    /// let ids: Vec<_> = func.proto().references().map(|ty| ty.to_string()).collect();
    /// // What it returns, and its parameters.
    /// assert_eq!(ids, ["int", "int", "struct net_device *", "struct sk_buff *"]);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn references(self) -> References<'btf> {
        References::starting_at(self, 0)
    }

    /// Iterates over this type and all types that can be reached through
    /// [`references`](Type::references), each once and after those that it
    /// refers to, without `void`.
    ///
    /// Memory: one bit for each type of the BTF, and eight bytes for each type
    /// on the current path.
    ///
    /// ```
    /// # fn main() -> Result<(), btf_types::Error> {
    /// use btf_types::{Btf, Struct};
    ///
    /// # let vmlinux = Btf::parse(std::fs::read("doc/kernel.btf").unwrap())?;
    /// let mm_struct: Struct<'_> = vmlinux.find("mm_struct")?;
    /// let order: Vec<_> = mm_struct.post_order().map(|ty| ty.to_string()).collect();
    /// assert_eq!(
    ///     order,
    ///     ["long long unsigned int", "u64", "struct {...}", "pgd_t", "pgd_t *", "int", "struct mm_struct"]
    /// );
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn post_order(self) -> PostOrder<'btf> {
        PostOrder::new(self)
    }
}

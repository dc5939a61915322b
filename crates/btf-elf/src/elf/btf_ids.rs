//! `.BTF_ids`: the ids of types that kernel code refers to.
//!
//! The compiler reserves the words, `resolve_btfids` writes the ids, and
//! symbols name them:
//!
//! * `__BTF_ID__KIND__NAME__N`: one word, the id of that type; 0 if it does not
//!   exist.
//! * `__BTF_ID__set__NAME`: a count, followed by that many ids, ascending.
//! * `__BTF_ID__set8__NAME`: a count and flags, followed by that many pairs of
//!   id and flags, by ascending id.
//!
//! In a module with a distilled base, the ids refer to that base.
//!
//! Source: `include/linux/btf_ids.h`, `tools/bpf/resolve_btfids/main.c`.

use std::collections::{HashMap, HashSet};

use btf_types::{Kind, Name};

use super::{raw::word, strings::NameBudget};
use crate::{Elf, Error, Section};

/// Contents of `.BTF_ids`.
///
/// ```
/// # fn main() -> Result<(), btf_elf::Error> {
/// use btf_elf::Elf;
///
/// let elf = Elf::open("doc/veth.ko")?;
/// let btf = elf.btf()?;
/// let ids = elf.btf_ids()?.expect("modules with kfuncs have ids of them");
/// let set = ids.sets().next().expect("one set");
/// assert_eq!((set.name(), set.flags()), ("veth_kfunc_ids".into(), Some(1))); // of kfuncs
/// let (id, flags) = set.ids().next().expect("one id");
/// assert_eq!((btf.type_by_id(id)?.name(), flags), ("veth_xmit".into(), Some(0)));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct BtfIds<'elf> {
    words: Vec<u32>,
    ids: Vec<BtfId<'elf>>,
    sets: Vec<Set<'elf>>,
}

/// Id of one type in `.BTF_ids`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct BtfId<'elf> {
    /// Kind of the type.
    pub kind: Kind,
    /// Name of the type.
    pub name: Name<'elf>,
    /// Id of the type; 0 if there is no such type.
    pub id: u32,
    /// Offset in the section in **bytes**.
    pub offset: u32,
}

/// Position of a set, and whether it has flags.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Set<'elf> {
    name: Name<'elf>,
    offset: u32,
    has_flags: bool,
    count: u32,
}

/// Set of types in `.BTF_ids`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct BtfIdSet<'a> {
    set: Set<'a>,
    flags: Option<u32>,
    words: &'a [u32],
}

/// Meaning of the name of a symbol.
#[derive(Clone, Copy)]
enum Meaning<'elf> {
    Id(Kind, Name<'elf>),
    Set { name: Name<'elf>, has_flags: bool },
}

impl<'elf> BtfIds<'elf> {
    pub(crate) fn read(elf: &'elf Elf, section: Section<'elf>) -> Result<Self, Error> {
        let data = section.data()?;
        let (chunks, _) = data.as_chunks::<4>();
        let words = chunks.iter().map(|&bytes| word(bytes, elf.byte_order())).collect();
        let mut ids = Self { words, ids: Vec::new(), sets: Vec::new() };
        ids.name(elf, section)?;
        Ok(ids)
    }

    /// Finds ids and sets by their symbols.
    fn name(&mut self, elf: &'elf Elf, section: Section<'elf>) -> Result<(), Error> {
        let mut budget = NameBudget::new(elf.symbol_table()?.names().len());
        let mut meanings = HashMap::new();
        let mut places = HashSet::new();
        for symbol in elf.symbols()?.filter(|symbol| symbol.section() == Some(section)) {
            let Some(offset) = symbol.offset().and_then(|offset| u32::try_from(offset).ok()) else { continue };
            let meaning = match meanings.get(&symbol.name_offset()) {
                Some(known) => *known,
                None => {
                    let name = symbol.name();
                    budget.spend(name)?;
                    let meaning = Meaning::of(name.as_bytes());
                    meanings.insert(symbol.name_offset(), meaning);
                    meaning
                }
            };
            match meaning {
                Some(Meaning::Id(kind, name)) => {
                    self.ids.extend(self.word(offset).map(|id| BtfId { kind, name, id, offset }));
                }
                Some(Meaning::Set { name, has_flags }) if places.insert(offset) => {
                    let set = self.word(offset).map(|count| Set { name, offset, has_flags, count });
                    self.sets.extend(set.filter(|set| self.words_of(set).is_some()));
                }
                _ => {}
            }
        }
        self.ids.sort_by_key(|id| id.offset);
        self.sets.sort_by_key(|set| set.offset);
        // Sets that overlap an earlier one are dropped, so that together they
        // are not longer than the section.
        let mut end = 0u64;
        self.sets.retain(|set| {
            let is_apart = u64::from(set.offset) >= end;
            end = end.max(u64::from(set.offset) + 4 * (set.start() + set.len_in_words()));
            is_apart
        });
        Ok(())
    }

    fn word(&self, offset: u32) -> Option<u32> {
        self.words.get(offset as usize / 4).copied().filter(|_| offset.is_multiple_of(4))
    }

    /// Returns the words of a set: the ids, each with its flags if the set has
    /// them.
    fn words_of(&self, set: &Set<'_>) -> Option<&[u32]> {
        let start = u64::from(set.offset) / 4 + set.start();
        let end = start + set.len_in_words();
        self.words.get(usize::try_from(start).ok()?..usize::try_from(end).ok()?)
    }

    /// All words of the section, including those without a symbol.
    #[must_use]
    pub fn as_words(&self) -> &[u32] {
        &self.words
    }

    /// Ids of single types, by ascending offset.
    #[must_use]
    pub fn ids(&self) -> &[BtfId<'elf>] {
        &self.ids
    }

    /// Iterates over the sets, by ascending offset.
    #[must_use]
    pub fn sets(&self) -> impl ExactSizeIterator<Item = BtfIdSet<'_>> + Clone {
        self.sets.iter().map(|set| {
            let words = self.words_of(set);
            debug_assert!(words.is_some(), "it was looked at when the set was found");
            let flags = self.word(set.offset.saturating_add(4)).filter(|_| set.has_flags);
            BtfIdSet { set: *set, flags, words: words.unwrap_or_default() }
        })
    }
}

impl<'elf> Meaning<'elf> {
    fn of(name: &'elf [u8]) -> Option<Self> {
        let rest = name.strip_prefix(b"__BTF_ID__")?;
        if let Some(name) = rest.strip_prefix(b"set8__") {
            return Some(Self::Set { name: Name::new(name), has_flags: true });
        }
        if let Some(name) = rest.strip_prefix(b"set__") {
            return Some(Self::Set { name: Name::new(name), has_flags: false });
        }
        // KIND__NAME__N
        let kinds: [(&[u8], Kind); 4] = [
            (b"struct__", Kind::Struct),
            (b"union__", Kind::Union),
            (b"typedef__", Kind::Typedef),
            (b"func__", Kind::Func),
        ];
        let (kind, rest) = kinds.iter().find_map(|(text, kind)| Some((*kind, rest.strip_prefix(*text)?)))?;
        let end = memchr::memmem::rfind(rest, b"__")?;
        Some(Self::Id(kind, Name::new(rest.get(..end)?)))
    }
}

impl Set<'_> {
    /// Number of words before the first id.
    fn start(&self) -> u64 {
        if self.has_flags { 2 } else { 1 }
    }

    fn len_in_words(&self) -> u64 {
        if self.has_flags { 2 * u64::from(self.count) } else { self.count.into() }
    }
}

impl<'a> BtfIdSet<'a> {
    /// Name of the set.
    #[must_use]
    pub fn name(self) -> Name<'a> {
        self.set.name
    }

    /// Offset in the section in **bytes**.
    #[must_use]
    pub fn offset(self) -> u32 {
        self.set.offset
    }

    /// Flags of the whole set, if it has flags (`set8`): bit 0 marks a set of
    /// kfuncs (`BTF_SET8_KFUNCS`).
    #[must_use]
    pub fn flags(self) -> Option<u32> {
        self.flags
    }

    /// Iterates over the ids, ascending, each with its flags if the set has
    /// them.
    #[must_use]
    pub fn ids(self) -> impl ExactSizeIterator<Item = (u32, Option<u32>)> + Clone + 'a {
        let step = if self.set.has_flags { 2 } else { 1 };
        self.words.chunks_exact(step).map(|words| (words.first().copied().unwrap_or(0), words.get(1).copied()))
    }

    /// Number of ids.
    #[must_use]
    pub fn len(self) -> usize {
        self.set.count as usize
    }

    /// Returns `true` for a set without ids.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.set.count == 0
    }
}

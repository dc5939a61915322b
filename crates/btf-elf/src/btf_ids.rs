//! `.BTF_ids`: the ids of types that kernel code refers to.
//!
//! The compiler reserves the words, `resolve_btfids` writes the ids, and
//! symbols tell what is where:
//!
//! * `__BTF_ID__KIND__NAME__N`: a word, the id of that type; 0 if there is none;
//! * `__BTF_ID__set__NAME`: a number, and as many ids, rising;
//! * `__BTF_ID__set8__NAME`: a number, flags, and as many pairs of id and
//!   flags, by rising id.
//!
//! In a module with a base of its own the ids are on that.
//!
//! Source: `include/linux/btf_ids.h`, `tools/bpf/resolve_btfids/main.c`.

use btf_types::{ByteOrder, Kind, OwnedName};

use crate::{Elf, Error, Section};

/// As long the name of a symbol can be: `KSYM_NAME_LEN`.
const NAME_LEN: usize = 512;

/// What is in `.BTF_ids`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BtfIds {
    words: Vec<u32>,
    ids: Vec<BtfId>,
    sets: Vec<BtfIdSet>,
}

/// The id of one type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BtfId {
    /// The kind of the type.
    pub kind: Kind,
    /// Its name.
    pub name: OwnedName,
    /// Its id; 0 if there is no such type.
    pub id: u32,
    /// Where in the section, in **bytes**.
    pub offset: u32,
}

/// The ids of a set of types.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BtfIdSet {
    /// The name of the set.
    pub name: OwnedName,
    /// The ids, each with its flags if the set has such, rising.
    pub ids: Vec<(u32, Option<u32>)>,
    /// The flags of the whole set, if it has such: bit 0 says that it is of
    /// kfuncs.
    pub flags: Option<u32>,
    /// Where in the section, in **bytes**.
    pub offset: u32,
}

impl BtfIds {
    pub(crate) fn read(section: Section<'_>) -> Result<Self, Error> {
        let data = section.data()?;
        let (chunks, _) = data.as_chunks::<4>();
        let word = match section.elf().byte_order() {
            ByteOrder::Little => u32::from_le_bytes,
            ByteOrder::Big => u32::from_be_bytes,
        };
        let words: Vec<u32> = chunks.iter().map(|&bytes| word(bytes)).collect();
        let mut ids = Self { words, ids: Vec::new(), sets: Vec::new() };
        ids.name(section.elf(), section.index())?;
        Ok(ids)
    }

    /// Tells by the symbols what is where.
    fn name(&mut self, elf: &Elf, section: u32) -> Result<(), Error> {
        // Symbols that share a place are looked at once: a set is as long as it
        // says, and a million of them could be as long as the section.
        let mut places = std::collections::BTreeSet::new();
        for symbol in elf.symbols()?.filter(|symbol| symbol.section().is_some_and(|at| at.index() == section)) {
            let name = symbol.name().as_bytes();
            let Some(rest) = name.strip_prefix(b"__BTF_ID__").filter(|_| name.len() <= NAME_LEN) else { continue };
            let Some(offset) = symbol.offset().and_then(|offset| u32::try_from(offset).ok()) else { continue };
            if let Some(name) = rest.strip_prefix(b"set8__") {
                if places.insert(offset) {
                    self.sets.extend(self.set8(name, offset));
                }
            } else if let Some(name) = rest.strip_prefix(b"set__") {
                if places.insert(offset) {
                    self.sets.extend(self.set(name, offset));
                }
            } else {
                self.ids.extend(self.id(rest, offset));
            }
        }
        self.ids.sort_by_key(|id| id.offset);
        self.sets.sort_by_key(|set| set.offset);
        // Sets do not overlap, so that all of them are no longer than the section.
        let mut end = 0u64;
        self.sets.retain(|set| {
            let is_apart = u64::from(set.offset) >= end;
            end = end.max(u64::from(set.offset) + 4 * set.len_in_words());
            is_apart
        });
        Ok(())
    }

    fn word(&self, offset: u32) -> Option<u32> {
        self.words.get(offset as usize / 4).copied().filter(|_| offset.is_multiple_of(4))
    }

    fn words(&self, offset: u32, count: u64) -> Option<&[u32]> {
        let start = offset as usize / 4;
        self.words.get(start..start.checked_add(usize::try_from(count).ok()?)?)
    }

    /// `KIND__NAME__N`.
    fn id(&self, text: &[u8], offset: u32) -> Option<BtfId> {
        let text = std::str::from_utf8(text).ok()?;
        let (kind, rest) = text.split_once("__")?;
        let kind = match kind {
            "struct" => Kind::Struct,
            "union" => Kind::Union,
            "typedef" => Kind::Typedef,
            "func" => Kind::Func,
            _ => return None,
        };
        let (name, _) = rest.rsplit_once("__")?;
        Some(BtfId { kind, name: name.as_bytes().into(), id: self.word(offset)?, offset })
    }

    fn set(&self, name: &[u8], offset: u32) -> Option<BtfIdSet> {
        let ids = self.words(offset.checked_add(4)?, self.word(offset)?.into())?;
        let ids = ids.iter().map(|&id| (id, None)).collect();
        Some(BtfIdSet { name: name.into(), ids, flags: None, offset })
    }

    fn set8(&self, name: &[u8], offset: u32) -> Option<BtfIdSet> {
        let flags = self.word(offset.checked_add(4)?)?;
        let pairs = self.words(offset.checked_add(8)?, 2 * u64::from(self.word(offset)?))?;
        let (pairs, _) = pairs.as_chunks::<2>();
        let ids = pairs.iter().map(|&[id, flags]| (id, Some(flags))).collect();
        Some(BtfIdSet { name: name.into(), ids, flags: Some(flags), offset })
    }

    /// All words, also where no symbol tells what they are.
    #[must_use]
    pub fn as_words(&self) -> &[u32] {
        &self.words
    }

    /// The ids of single types, by rising offset.
    #[must_use]
    pub fn ids(&self) -> &[BtfId] {
        &self.ids
    }

    /// The sets, by rising offset.
    #[must_use]
    pub fn sets(&self) -> &[BtfIdSet] {
        &self.sets
    }
}

impl BtfIdSet {
    fn len_in_words(&self) -> u64 {
        let ids = self.ids.len() as u64;
        if self.flags.is_some() { 2 + 2 * ids } else { 1 + ids }
    }
}

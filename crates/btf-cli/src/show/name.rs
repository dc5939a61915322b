//! Names for `btf show`.

use std::{borrow::Cow, collections::BTreeSet};

use btf_types::{Composite, Member, Type, View};

use crate::{
    Result,
    word::{Word, is_keyword},
};

/// Parsed name.
pub(super) enum Query<'n> {
    Id(u32),
    Name {
        word: Word<'n>,
        name: &'n str,
    },
    Path(&'n str),
    /// Byte at an offset of a type, or of the target of a path.
    At {
        name: &'n str,
        offset: u64,
    },
}

/// Joins `struct` and other keywords with the following word, as a shell splits
/// them.
pub(super) fn joined(names: &[String]) -> Vec<Cow<'_, str>> {
    let mut joined = Vec::new();
    let mut names = names.iter();
    while let Some(name) = names.next() {
        let is_word = is_keyword(name);
        joined.push(match is_word.then(|| names.next()).flatten() {
            Some(bare) => Cow::Owned(format!("{name} {bare}")),
            None => Cow::Borrowed(name.as_str()),
        });
    }
    joined
}

impl<'n> Query<'n> {
    pub(super) fn parse(name: &'n str) -> Result<Self> {
        if let Some(id) = name.strip_prefix('#') {
            return Ok(Self::Id(id.parse().map_err(|_| format!("{name}: expected a number after #"))?));
        }
        if is_keyword(name) {
            return Err(format!("{name}: expected the name of a type after it").into());
        }
        let without_word = |name: &'n str| match name.split_once(' ') {
            Some((word, bare)) if is_keyword(word) => bare,
            _ => name,
        };
        if let Some((bare, offset)) = name.rsplit_once('+').and_then(|(bare, offset)| Some((bare, number(offset)?))) {
            return Ok(Self::At { name: without_word(bare), offset });
        }
        // Neither a section name, which begins with a dot, nor a pattern is a path.
        let is_path = !name.starts_with('.') && (name.contains(['.', '[']) || name.contains("->"));
        if is_path && !name.contains(['*', '?']) {
            return Ok(Self::Path(without_word(name)));
        }
        let (word, name) = Word::split(name);
        Ok(Self::Name { word, name })
    }
}

/// Parses a number, decimal or hexadecimal.
fn number(text: &str) -> Option<u64> {
    match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

/// Returns the name of the first member of a path: `mm` of `.mm->pgd`.
pub(super) fn first_member(path: &[u8]) -> Option<&str> {
    let path = std::str::from_utf8(path).ok()?;
    let path = path.strip_prefix('.').or(path.strip_prefix("->")).unwrap_or(path);
    let end = path.find(['.', '[', '-']).unwrap_or(path.len());
    path.get(..end).filter(|name| !name.is_empty())
}

/// Visits the members of a struct or union, and those of its anonymous members.
pub(crate) fn each_member<'btf>(ty: Type<'btf>, mut each: impl FnMut(Member<'btf>)) {
    let (mut seen, mut open) = (BTreeSet::new(), vec![ty]);
    while let Some(ty) = open.pop() {
        let ty = ty.peel_modifiers();
        let Some(composite) = Composite::of(ty).filter(|_| seen.insert(ty.id())) else { continue };
        for member in composite.members() {
            each(member);
            if member.name_start(1).is_empty() {
                open.push(member.ty());
            }
        }
    }
}

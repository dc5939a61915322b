//! Flavors: `foo___v2` is a flavor of `foo`, and CO-RE treats both as one type.
//!
//! Few names have a flavor. The string section is searched once for the
//! separator `___`, so that queries need not search every name.
//!
//! Source: `bpf_core_essential_name_len` in `tools/lib/bpf/relo_core.c`.

use alloc::{boxed::Box, vec, vec::Vec};

/// Strings of one layer that have a flavor.
pub(crate) struct FlavorStrings {
    /// Sorted by start.
    strings: Box<[FlavorString]>,
    /// Bitmap with one bit per [`BLOCK`] bytes of the section, set if such a
    /// string overlaps them. It rules out most names.
    blocks: Box<[u64]>,
}

/// String with a flavor. All names that begin in `start..end` have this flavor.
struct FlavorString {
    start: u32,
    /// Offset of the separator.
    end: u32,
}

/// Bytes of the section per bit of the bitmap.
const BLOCK: u32 = 64;

impl FlavorStrings {
    /// Searches a string section.
    pub(crate) fn new(section: &[u8]) -> Self {
        let mut strings: Vec<FlavorString> = Vec::new();
        // Each byte is searched for a NUL once, however many separators a
        // string has. The last separator counts.
        for at in memchr::memmem::find_iter(section, "___").filter(|&at| is_separator(section, at)) {
            let searched = strings.last().map_or(0, |last| last.end as usize);
            let between = section.get(searched..at).unwrap_or_default();
            match (memchr::memrchr(0, between), strings.last_mut()) {
                (None, Some(last)) => last.end = at as u32,
                (nul, _) => {
                    let start = nul.map_or(0, |nul| searched + nul + 1) as u32;
                    strings.push(FlavorString { start, end: at as u32 });
                }
            }
        }
        let mut blocks = vec![0u64; section.len() / (BLOCK as usize * 64) + 1];
        for string in &strings {
            for block in string.start / BLOCK..=string.end / BLOCK {
                if let Some(word) = blocks.get_mut(block as usize / 64) {
                    *word |= 1 << (block % 64);
                }
            }
        }
        Self { strings: strings.into_boxed_slice(), blocks: blocks.into_boxed_slice() }
    }

    /// Returns the end of the essential name of the name at an offset, if it
    /// has a flavor.
    #[inline]
    pub(crate) fn end_of_essential(&self, offset: u32) -> Option<u32> {
        let block = offset / BLOCK;
        let word = self.blocks.get(block as usize / 64)?;
        if word >> (block % 64) & 1 == 0 { None } else { self.search(offset) }
    }

    fn search(&self, offset: u32) -> Option<u32> {
        let after = self.strings.partition_point(|string| string.start <= offset);
        let string = self.strings.get(after.checked_sub(1)?)?;
        (offset < string.end).then_some(string.end)
    }
}

/// Returns `true` if the `___` at `at` has a character other than `_` on both
/// sides.
fn is_separator(section: &[u8], at: usize) -> bool {
    let is_other = |byte: Option<&u8>| byte.is_some_and(|byte| !matches!(byte, 0 | b'_'));
    is_other(at.checked_sub(1).and_then(|before| section.get(before))) && is_other(section.get(at + 3))
}

#[cfg(test)]
mod tests {
    use btf_format::Name;

    use super::*;

    #[test]
    fn names_that_begin_anywhere_are_told_by_their_string() {
        let section = [
            &b"\0a___b\0foo___v2___x\0a____b\0___a\0a___\0a____b___c\0a__b\0x___y\0\0_\0a___b___\0"[..],
            &b"long".repeat(40),
            b"___flavor\0plain\0a_______b___c\0",
        ]
        .concat();
        let flavors = FlavorStrings::new(&section);
        for offset in 0..section.len() {
            let name = Name::new(section[offset..].split(|&byte| byte == 0).next().unwrap());
            let expected = name.flavor().map(|_| (offset + name.essential().as_bytes().len()) as u32);
            assert_eq!(flavors.end_of_essential(offset as u32), expected, "{name}");
        }
        assert_eq!(flavors.end_of_essential(section.len() as u32), None);
    }

    #[test]
    fn a_section_without_any() {
        for section in [&b""[..], b"\0", b"\0___\0"] {
            assert_eq!(FlavorStrings::new(section).end_of_essential(1), None);
        }
    }
}

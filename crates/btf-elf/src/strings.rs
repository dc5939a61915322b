//! Tables of names of an ELF file.

use btf_types::Name;

/// The most bytes that a name is read for. The kernel's names have 512 at most;
/// a file could have a million names that share megabytes.
pub(crate) const LEN: usize = 4096;

/// The name at an offset, up to its NUL; empty if there is none.
pub(crate) fn get(table: &[u8], offset: u32) -> Name<'_> {
    let rest = table.get(offset as usize..).unwrap_or_default();
    let rest = rest.get(..LEN).unwrap_or(rest);
    let len = memchr::memchr(0, rest).unwrap_or(rest.len());
    Name::new(rest.get(..len).unwrap_or_default())
}

/// Whether the name at an offset is this one.
pub(crate) fn is(table: &[u8], offset: u32, name: &[u8]) -> bool {
    let rest = table.get(offset as usize..).unwrap_or_default();
    rest.strip_prefix(name).is_some_and(|rest| rest.first() == Some(&0))
}

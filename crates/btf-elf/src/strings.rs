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

/// Whether this is what [`get`] returns; does not look for its end.
pub(crate) fn is(table: &[u8], offset: u32, name: &[u8]) -> bool {
    let rest = table.get(offset as usize..).unwrap_or_default();
    let ends = |rest: &[u8]| rest.first().is_none_or(|&byte| byte == 0) || name.len() == LEN;
    !name.contains(&0) && name.len() <= LEN && rest.strip_prefix(name).is_some_and(ends)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_end_with_a_nul_or_the_table_or_are_cut() {
        let mut table = b"\0one\0".to_vec();
        table.extend([b'x'; 5000]);
        table.extend(b"\0end");
        for offset in [0, 1, 3, 4, 5, 10, 905, 4000, 5006, 5007, 6000, u32::MAX] {
            let name = get(&table, offset);
            assert!(name.as_bytes().len() <= LEN);
            assert!(is(&table, offset, name.as_bytes()), "{offset}");
            assert!(!is(&table, offset, &[name.as_bytes(), b"x"].concat()), "{offset}");
        }
        assert_eq!(get(&table, 1), "one");
        assert_eq!(get(&table, 5006), "end");
        assert!(!is(&table, 1, b"on") && !is(&table, 1, b"one\0"));
    }
}

//! The string section: NUL-terminated strings, addressed by offset.
//!
//! Source: `Documentation/bpf/btf.rst`, "String Encoding"; `btf_parse_str_sec`
//! in `tools/lib/bpf/btf.c`.

use core::ffi::CStr;

use crate::{Error, Name};

/// Strings of one blob.
///
/// For split BTF these are only its own strings, which continue those of its
/// base: offset 0 here is the first offset after the base's strings.
///
/// ```
/// # fn main() -> Result<(), btf_format::Error> {
/// use btf_format::Strings;
///
/// let strings = Strings::new(b"\0int\0char\0", 0)?;
/// assert_eq!(strings.get(1).unwrap(), "int");
/// assert_eq!(strings.get(2).unwrap(), "nt"); // names may share their ends
/// assert!(strings.get(10).is_none());
/// assert_eq!(strings.iter().count(), 3);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct Strings<'a>(&'a [u8]);

impl<'a> Strings<'a> {
    /// Checks the contents of a string section. `offset` is its position in its
    /// blob, for errors.
    ///
    /// # Errors
    ///
    /// [`Error::StringsUnterminated`] if it is not empty and its last byte is not
    /// NUL.
    pub fn new(bytes: &'a [u8], offset: u64) -> Result<Self, Error> {
        match bytes.last() {
            None | Some(0) => Ok(Self(bytes)),
            Some(&found) => Err(Error::StringsUnterminated { offset: offset + (bytes.len() as u64 - 1), found }),
        }
    }

    /// The contents of the section.
    #[must_use]
    #[inline]
    pub const fn as_bytes(self) -> &'a [u8] {
        self.0
    }

    /// Returns `true` if the first string is empty, as it must be in BTF that
    /// is not split: offset 0 means "no name".
    #[must_use]
    pub fn begins_with_empty(self) -> bool {
        self.0.first() == Some(&0)
    }

    /// The string at `offset` (in bytes) up to the next NUL; `None` beyond the
    /// end of the section.
    ///
    /// An offset into the middle of a string is valid: the kernel and libbpf
    /// accept strings that share their end.
    #[must_use]
    #[inline]
    pub fn get(self, offset: u32) -> Option<Name<'a>> {
        let tail = self.0.get(offset as usize..)?;
        let text = CStr::from_bytes_until_nul(tail).ok()?;
        Some(Name::new(text.to_bytes()))
    }

    /// Iterates over all strings in ascending order of their offsets, with the
    /// offset in bytes.
    #[must_use]
    pub const fn iter(self) -> StringsIter<'a> {
        StringsIter { strings: self, next: 0 }
    }
}

impl<'a> IntoIterator for Strings<'a> {
    type Item = (u32, Name<'a>);
    type IntoIter = StringsIter<'a>;

    fn into_iter(self) -> StringsIter<'a> {
        self.iter()
    }
}

/// Iterator over all strings of a section: see [`Strings::iter`].
#[derive(Debug, Clone)]
pub struct StringsIter<'a> {
    strings: Strings<'a>,
    next: u32,
}

impl<'a> Iterator for StringsIter<'a> {
    type Item = (u32, Name<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let offset = self.next;
        let name = self.strings.get(offset)?;
        self.next = offset + name.as_bytes().len() as u32 + 1;
        Some((offset, name))
    }
}

impl core::iter::FusedIterator for StringsIter<'_> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_by_offset() {
        let strings = Strings::new(b"\0int\0char\0", 0).unwrap();
        assert_eq!(strings.get(0).unwrap(), "");
        assert_eq!(strings.get(1).unwrap(), "int");
        assert_eq!(strings.get(3).unwrap(), "t");
        assert_eq!(strings.get(9).unwrap(), "");
        assert_eq!(strings.get(10), None);
        assert_eq!(strings.get(u32::MAX), None);
    }

    #[test]
    fn strings_in_order() {
        let strings = Strings::new(b"\0int\0\0char\0", 0).unwrap();
        let all: Vec<_> = strings.iter().map(|(offset, name)| (offset, name.to_str().unwrap())).collect();
        assert_eq!(all, [(0, ""), (1, "int"), (5, ""), (6, "char")]);
    }

    #[test]
    fn the_last_byte_must_be_nul() {
        assert!(Strings::new(b"", 0).is_ok());
        assert_eq!(Strings::new(b"\0int", 100).unwrap_err(), Error::StringsUnterminated { offset: 103, found: b't' });
    }
}

//! The layout section: sizes of the records of each kind, so that readers can
//! skip kinds newer than themselves.
//!
//! Source: `struct btf_layout` in `include/uapi/linux/btf.h`,
//! `btf_type_size_unknown` in `tools/lib/bpf/btf.c`. Since Linux 7.1.

use crate::{Error, Info, LayoutEntry, TypeRecord, shape};

/// The layout section of a blob: one entry per kind, from kind 0 on.
///
/// It is used only for unknown kinds, as the sizes of known kinds are built in.
/// Split BTF without a layout section uses that of its base.
///
/// ```
/// # fn main() -> Result<(), btf_format::Error> {
/// use btf_format::{Layout, LayoutEntry};
///
/// let entries: Vec<u8> = LayoutEntry::known().flat_map(|entry| entry.as_bytes().to_vec()).collect();
/// let layout = Layout::new(&entries);
/// let array = layout.get(3).unwrap(); // of the kind with this number
/// assert_eq!((array.info_sz(), array.elem_sz()), (12, 0));
/// assert!(layout.get(99).is_none());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct Layout<'a>(&'a [LayoutEntry]);

impl<'a> Layout<'a> {
    /// No layout section, as in all BTF from before 2026.
    pub const NONE: Self = Self(&[]);

    /// Takes the contents of a layout section in native byte order. (The header
    /// check ensures that their length is a multiple of 4.)
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(LayoutEntry::list(bytes, (bytes.len() / size_of::<LayoutEntry>()) as u32))
    }

    /// Returns `true` if there is no layout section.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    /// Returns this layout section, or `other` if this one is empty: that of
    /// split BTF or of its base.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        if self.is_empty() { other } else { self }
    }

    /// Returns the sizes of a kind; `None` if it has no entry.
    #[must_use]
    pub fn get(self, kind_number: u8) -> Option<&'a LayoutEntry> {
        self.0.get(usize::from(kind_number))
    }

    /// The entries, in ascending order of kind numbers from 0.
    #[must_use]
    pub const fn entries(self) -> &'a [LayoutEntry] {
        self.0
    }

    /// Returns the size in bytes of the record with this info word at `offset`.
    ///
    /// # Errors
    ///
    /// If the kind is neither 1 to 22 nor in the layout section, or its sizes
    /// there are not multiples of 4.
    #[inline]
    pub(crate) fn record_size(self, info: Info, offset: u64) -> Result<u64, Error> {
        // Seven bits index 128 entries: never out of bounds.
        match shape::SIZES.get(usize::from(info.kind_number())) {
            Some(&(before, element)) if before != 0 => {
                Ok(u64::from(before) + u64::from(info.vlen()) * u64::from(element))
            }
            _ => self.unknown_record_size(info, offset),
        }
    }

    #[cold]
    fn unknown_record_size(self, info: Info, offset: u64) -> Result<u64, Error> {
        let kind = info.kind_number();
        // Entry 0 is unused, as no record has kind 0.
        let entry = self.get(kind).filter(|_| kind != 0).ok_or(Error::UnknownKind { offset, kind })?;
        let (info_sz, elem_sz) = (entry.info_sz(), entry.elem_sz());
        if info_sz % 4 != 0 || elem_sz % 4 != 0 {
            return Err(Error::LayoutEntry { offset, kind, info_sz, elem_sz });
        }
        Ok(size_of::<TypeRecord>() as u64 + u64::from(info_sz) + u64::from(info.vlen()) * u64::from(elem_sz))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size(layout: Layout<'_>, kind: u8, vlen: u32) -> Result<u64, Error> {
        layout.record_size(Info::new(kind, vlen, false).unwrap(), 7)
    }

    #[test]
    fn known_kinds_need_no_layout() {
        assert_eq!(size(Layout::NONE, 1, 0), Ok(16));
        assert_eq!(size(Layout::NONE, 4, Info::MAX_VLEN), Ok(12 + 12 * 0xff_ffff));
        assert_eq!(size(Layout::NONE, 12, 2), Ok(12), "vlen of a FUNC is its linkage");
        assert_eq!(size(Layout::NONE, 22, 3), Ok(12 + 36));
    }

    #[test]
    fn unknown_kinds_do() {
        let mut entries = vec![LayoutEntry::new(200, 200, 0); 24];
        entries.push(LayoutEntry::new(8, 20, 0));
        entries.push(LayoutEntry::new(8, 3, 0));
        let bytes: Vec<u8> = entries.iter().flat_map(|e| e.as_bytes().to_vec()).collect();
        let layout = Layout::new(&bytes);
        assert_eq!(size(layout, 24, 5), Ok(12 + 8 + 100));
        assert_eq!(size(layout, 1, 0), Ok(16), "a known kind is sized by what is known of it");
        assert_eq!(size(layout, 25, 0), Err(Error::LayoutEntry { offset: 7, kind: 25, info_sz: 8, elem_sz: 3 }));
        assert_eq!(size(layout, 26, 0), Err(Error::UnknownKind { offset: 7, kind: 26 }));
        assert_eq!(size(layout, 0, 0), Err(Error::UnknownKind { offset: 7, kind: 0 }));
        assert_eq!(size(Layout::NONE, 24, 5), Err(Error::UnknownKind { offset: 7, kind: 24 }));
    }
}

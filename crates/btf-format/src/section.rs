//! Positions of the sections of a blob, and their checks.

use core::{fmt, ops::Range};

use crate::Error;

/// A section that the header of `.BTF` or `.BTF.ext` locates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Section {
    /// The type records of `.BTF`.
    Types,
    /// The strings of `.BTF`.
    Strings,
    /// The record sizes of each kind, in `.BTF` since Linux 7.1.
    Layout,
    /// The func_info of `.BTF.ext`.
    FuncInfo,
    /// The line_info of `.BTF.ext`.
    LineInfo,
    /// The CO-RE relocations of `.BTF.ext`.
    CoreRelo,
}

impl fmt::Display for Section {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Types => "type section",
            Self::Strings => "string section",
            Self::Layout => "layout section",
            Self::FuncInfo => "func_info section",
            Self::LineInfo => "line_info section",
            Self::CoreRelo => "core_relo section",
        })
    }
}

/// A section as given by the header: offset from the end of the header and
/// length, both in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Extent {
    pub(crate) section: Section,
    pub(crate) off: u32,
    pub(crate) len: u32,
}

impl Extent {
    /// Position of the section in a blob whose header has `hdr_len` bytes.
    pub(crate) fn range(self, hdr_len: u32) -> Range<u64> {
        let start = u64::from(hdr_len) + u64::from(self.off);
        start..start + u64::from(self.len)
    }

    /// The bytes of the section; empty if `check` failed.
    pub(crate) fn of(self, blob: &[u8], hdr_len: u32) -> &[u8] {
        self.indices(hdr_len).and_then(|range| blob.get(range)).unwrap_or_default()
    }

    /// The bytes of the section, mutable; empty if `check` failed.
    pub(crate) fn of_mut(self, blob: &mut [u8], hdr_len: u32) -> &mut [u8] {
        self.indices(hdr_len).and_then(|range| blob.get_mut(range)).unwrap_or_default()
    }

    /// The range as indices; `None` if it exceeds `usize`.
    pub(crate) fn indices(self, hdr_len: u32) -> Option<Range<usize>> {
        let Range { start, end } = self.range(hdr_len);
        Some(usize::try_from(start).ok()?..usize::try_from(end).ok()?)
    }
}

/// Checks that all sections lie inside a blob of `size` bytes, do not overlap,
/// and are aligned if they consist of words.
///
/// Sections may have any order, gaps between them and bytes after the last.
/// libbpf and kernels since 7.1 read any order, and BTF that a kernel rejects
/// can still be read.
pub(crate) fn check(extents: &[Extent], hdr_len: u32, size: u64) -> Result<(), Error> {
    for extent in extents {
        let range = extent.range(hdr_len);
        if range.end > size {
            return Err(Error::SectionOutOfBounds {
                section: extent.section,
                start: range.start,
                end: range.end,
                size,
            });
        }
        if extent.section != Section::Strings && extent.len != 0 && extent.off % 4 != 0 {
            return Err(Error::SectionMisaligned { section: extent.section, off: extent.off });
        }
    }
    for (index, first) in extents.iter().enumerate() {
        for second in extents.iter().skip(index + 1) {
            let (a, b) = (first.range(hdr_len), second.range(hdr_len));
            if a.start.max(b.start) < a.end.min(b.end) {
                return Err(Error::SectionsOverlap {
                    first: first.section,
                    second: second.section,
                    offset: a.start.max(b.start),
                });
            }
        }
    }
    Ok(())
}

//! Checks of the header and the sections, as in the kernel.

use std::borrow::Cow;

use super::{limits::Limits, reject::Rule};

/// Maximum size of a BTF in bytes, `BTF_MAX_SIZE`.
const MAX_SIZE: usize = 16 << 20;
const MAGIC: u16 = 0xeb9f;

/// The sections of a BTF, whose header and sections a kernel accepts.
pub(super) struct Sections<'a> {
    types: &'a [u8],
    strings: &'a [u8],
    is_swapped: bool,
}

impl<'a> Sections<'a> {
    /// Checks header and sections.
    pub(super) fn new(bytes: &'a [u8], is_split: bool, is_swapped: bool, limits: &Limits) -> Result<Self, Rule> {
        if !is_split && bytes.len() > MAX_SIZE {
            return Err(Rule::BlobSize);
        }
        let word = |bytes: &[u8], at| word(bytes, at, is_swapped);
        if bytes.len() < 8 {
            return Err(Rule::HdrLenPresent);
        }
        let hdr_len = word(bytes, 4) as usize;
        let Some((header, data)) = bytes.split_at_checked(hdr_len) else { return Err(Rule::HeaderPresent) };
        let known = limits.header_size();
        if header.get(known..).is_some_and(|rest| rest.iter().any(|&byte| byte != 0)) {
            return Err(Rule::HeaderKnown);
        }
        // What a short header lacks is 0.
        let mut fields = [0; 32];
        fields.iter_mut().zip(header.iter().take(known)).for_each(|(field, byte)| *field = *byte);
        let magic = u16::from_ne_bytes([fields[0], fields[1]]);
        if magic != if is_swapped { MAGIC.swap_bytes() } else { MAGIC } {
            return Err(Rule::Magic);
        }
        if fields[2] != 1 {
            return Err(Rule::Version);
        }
        if fields[3] != 0 {
            return Err(Rule::HeaderFlags);
        }
        if !is_split && data.is_empty() {
            return Err(Rule::DataPresent);
        }
        let section = |at| Section { off: u64::from(word(&fields, at)), len: u64::from(word(&fields, at + 4)) };
        let (types, strings, layout) = (section(8), section(16), section(24));
        let mut sections = vec![types, strings];
        if layout.len != 0 || layout.off != 0 {
            sections.push(layout);
        }
        check_sections(sections, data.len() as u64)?;
        if layout.len != 0 && (layout.off % 4 != 0 || layout.len % 4 != 0) {
            return Err(Rule::LayoutSection);
        }
        if strings.end() != data.len() as u64 {
            return Err(Rule::StringsLast);
        }
        let strings = strings.of(data);
        let is_terminated = match strings {
            [] => is_split,
            [first, ..] => strings.last() == Some(&0) && (is_split || *first == 0),
        };
        if !is_terminated || strings.len() > limits.max_name_off as usize + 1 {
            return Err(Rule::StringSection);
        }
        if types.off % 4 != 0 {
            return Err(Rule::TypesAligned);
        }
        if !is_split && types.len == 0 {
            return Err(Rule::TypesPresent);
        }
        Ok(Self { types: types.of(data), strings, is_swapped })
    }

    /// The string section.
    pub(super) fn strings(&self) -> &'a [u8] {
        self.strings
    }

    /// The type section in native byte order, of which all words have 4 bytes.
    pub(super) fn native_types(&self) -> Cow<'a, [u8]> {
        let mut types = Cow::Borrowed(self.types);
        if self.is_swapped {
            types.to_mut().as_chunks_mut::<4>().0.iter_mut().for_each(|word| word.reverse());
        }
        types
    }
}

/// A section of a header, in bytes from the end of the header.
#[derive(Clone, Copy)]
struct Section {
    off: u64,
    len: u64,
}

impl Section {
    fn end(self) -> u64 {
        self.off + self.len
    }

    fn of(self, data: &[u8]) -> &[u8] {
        data.get(self.off as usize..self.end() as usize).unwrap_or_default()
    }
}

/// Checks that sections cover the data, `total` bytes, without gap and overlap.
fn check_sections(mut sections: Vec<Section>, total: u64) -> Result<(), Rule> {
    sections.sort_by_key(|section| section.off);
    let mut end = 0;
    for section in sections {
        if section.off > total {
            return Err(Rule::SectionOffset);
        }
        if end < section.off {
            return Err(Rule::SectionsAdjacent);
        }
        if end > section.off {
            return Err(Rule::SectionsApart);
        }
        if total - end < section.len {
            return Err(Rule::SectionLength);
        }
        end += section.len;
    }
    if end == total { Ok(()) } else { Err(Rule::SectionsAdjacent) }
}

/// The word at a position of bytes; 0 beyond their end.
fn word(bytes: &[u8], at: usize, is_swapped: bool) -> u32 {
    let bytes = bytes.get(at..).and_then(<[u8]>::first_chunk).copied().unwrap_or_default();
    let word = u32::from_ne_bytes(bytes);
    if is_swapped { word.swap_bytes() } else { word }
}

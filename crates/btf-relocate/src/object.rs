//! Relocating whole object files.

use std::{collections::HashSet, ops::Range};

use btf_elf::{BpfObject, Elf, ProgramSection, Section, SectionType};
use btf_types::{BtfExt, Bytes, Name, OwnedName};

use crate::{PatchError, Relocated, Relocator};

/// Error of relocating an object file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ObjectError {
    /// The file is not a BPF object, or is damaged.
    #[error(transparent)]
    Elf(#[from] Box<btf_elf::Error>),
    /// A relocation cannot be applied.
    #[error(transparent)]
    Patch(#[from] PatchError),
    /// A section is compressed, and cannot be patched in place.
    #[error("section {section} is compressed and cannot be patched in place: decompress it first")]
    #[non_exhaustive]
    Compressed {
        /// The name of the section.
        section: OwnedName,
    },
    /// A section shares bytes of the file with something else, so that it cannot be patched in
    /// place. No compiler or linker writes such files.
    #[error("section {section} overlaps other parts of the file and cannot be patched in place")]
    #[non_exhaustive]
    Overlapping {
        /// The name of the section.
        section: OwnedName,
    },
}

impl From<btf_elf::Error> for ObjectError {
    fn from(error: btf_elf::Error) -> Self {
        Self::Elf(Box::new(error))
    }
}

impl Relocator {
    /// Relocates an ELF object file: returns it with its instructions patched,
    /// and without CO-RE relocations. Any loader can then load it on this
    /// kernel.
    ///
    /// Nothing moves: instructions are patched in place, and the length of the
    /// relocations in the header of `.BTF.ext` becomes 0.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let object = std::fs::read("doc/fields.bpf.o").unwrap();
    /// # let kernel = std::fs::read("doc/fields.btf").unwrap();
    /// use btf_elf::BpfObject;
    /// use btf_relocate::{Relocator, Targets};
    /// use btf_types::Btf;
    ///
    /// let relocator = Relocator::new(Targets::custom(&Btf::parse(kernel)?));
    /// let relocated = BpfObject::parse(relocator.relocate_object(object)?)?;
    /// let ext = relocated.btf_ext()?.ok_or("no .BTF.ext")?;
    /// assert_eq!(ext.core_relos().len(), 0);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`ObjectError::Elf`] if it is not a BPF object; [`ObjectError::Patch`]
    /// for the first relocation that cannot be applied;
    /// [`ObjectError::Compressed`]; [`ObjectError::Overlapping`].
    pub fn relocate_object(&self, object: impl Into<Bytes>) -> Result<Vec<u8>, ObjectError> {
        let bytes = object.into();
        let object = BpfObject::new(Elf::parse(bytes.clone())?)?;
        let mut bytes = Vec::from(bytes);
        let Some(ext) = object.btf_ext()? else { return Ok(bytes) };
        if ext.core_relos().len() > 0 {
            patch_programs(&object, &self.relocate(ext), &mut bytes)?;
            drop_core_relos(&object, &mut bytes)?;
        }
        Ok(bytes)
    }
}

/// Patches the first program section of each name with relocations. As in libbpf,
/// relocations do not apply to other sections with that name.
fn patch_programs(object: &BpfObject, relocated: &Relocated, bytes: &mut [u8]) -> Result<(), ObjectError> {
    let overlaps = Overlaps::of(object.elf());
    for program in programs_to_patch(object, &relocated.ext) {
        if overlaps.has(program.section()) {
            return Err(ObjectError::Overlapping { section: program.name().into() });
        }
        if let Some(code) = contents(program.section(), bytes)? {
            relocated.apply(program.name(), code)?;
        }
    }
    Ok(())
}

/// Sections that share bytes of the file with other sections or with the headers.
struct Overlaps {
    sections: HashSet<u32>,
}

impl Overlaps {
    fn of(elf: &Elf) -> Self {
        let mut ranges: Vec<(Range<u64>, Option<u32>)> = elf.headers().into_iter().map(|range| (range, None)).collect();
        ranges.extend(elf.sections().filter(|section| section.section_type() != SectionType::NOBITS).map(|section| {
            let end = section.offset().saturating_add(section.size());
            (section.offset()..end, Some(section.index()))
        }));
        ranges.retain(|(range, _)| !range.is_empty());
        ranges.sort_by_key(|(range, _)| range.start);
        let mut sections = HashSet::new();
        // The range that ends last so far.
        let mut last: Option<(Range<u64>, Option<u32>)> = None;
        for (range, section) in ranges {
            if let Some((before, other)) = last.as_ref().filter(|(before, _)| range.start < before.end) {
                sections.extend(section);
                sections.extend(*other);
                if range.end <= before.end {
                    continue;
                }
            }
            last = Some((range, section));
        }
        Self { sections }
    }

    fn has(&self, section: Section<'_>) -> bool {
        self.sections.contains(&section.index())
    }
}

/// Returns the first program section of each name with relocations. Thousands of sections
/// may share a name.
pub(crate) fn programs_to_patch<'a>(
    object: &'a BpfObject,
    ext: &'a BtfExt,
) -> impl Iterator<Item = ProgramSection<'a>> {
    let (mut looked_up, mut found) = (HashSet::new(), HashSet::new());
    let programs = object.programs().filter(move |program| looked_up.insert(address(program.name())));
    programs.filter(move |program| ext.section(program.name()).is_some_and(|section| found.insert(section.index())))
}

/// Returns the address of a name, which identifies it while its file is in memory.
fn address(name: Name<'_>) -> usize {
    name.as_bytes().as_ptr().addr()
}

/// Removes the CO-RE relocations from `.BTF.ext` by setting their length to 0.
fn drop_core_relos(object: &BpfObject, bytes: &mut [u8]) -> Result<(), ObjectError> {
    /// Position of `core_relo_len` in the header, in bytes.
    const CORE_RELO_LEN: Range<usize> = 28..32;
    let Some(section) = object.elf().section(".BTF.ext") else { return Ok(()) };
    if Overlaps::of(object.elf()).has(section) {
        return Err(ObjectError::Overlapping { section: section.name().into() });
    }
    if let Some(len) = contents(section, bytes)?.and_then(|ext| ext.get_mut(CORE_RELO_LEN)) {
        len.fill(0);
    }
    Ok(())
}

/// Returns the contents of a section in the bytes of its file.
fn contents<'a>(section: Section<'_>, bytes: &'a mut [u8]) -> Result<Option<&'a mut [u8]>, ObjectError> {
    if section.is_compressed() {
        return Err(ObjectError::Compressed { section: section.name().into() });
    }
    let end = section.offset().saturating_add(section.size());
    let range = usize::try_from(section.offset()).ok().zip(usize::try_from(end).ok());
    Ok(range.and_then(|(start, end)| bytes.get_mut(start..end)))
}

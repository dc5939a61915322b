//! BPF objects embedded in programs: libbpf skeletons contain them as strings.

use btf_elf::Elf;

/// Returns all BPF objects in a file, found by the ELF magic; the file itself if it
/// is one.
pub(super) fn inside(bytes: &[u8]) -> Vec<&[u8]> {
    let mut objects = Vec::new();
    let mut at = 0;
    while let Some(found) = find(bytes, at) {
        match object_at(bytes.get(found..).unwrap_or_default()) {
            Some(object) => {
                at = found + object.len();
                objects.push(object);
            }
            None => at = found + 1,
        }
    }
    objects
}

fn find(bytes: &[u8], from: usize) -> Option<usize> {
    let rest = bytes.get(from..)?;
    rest.windows(Elf::MAGIC.len()).position(|window| window == Elf::MAGIC).map(|at| from + at)
}

/// Returns the object at the start of the bytes. It ends with its last section or its
/// section header table.
fn object_at(bytes: &[u8]) -> Option<&[u8]> {
    let elf = Elf::parse(bytes.to_vec()).ok().filter(|elf| elf.is_bpf() && elf.has_btf())?;
    let ends = elf.sections().filter(|section| section.has_contents()).map(|section| section.offset() + section.size());
    let shoff = u64::from_le_bytes(*bytes.get(40..)?.first_chunk()?);
    let table = shoff.checked_add(64 * elf.sections().len() as u64)?;
    bytes.get(..usize::try_from(ends.max()?.max(table)).ok()?)
}

//! Reading large files of BTF.

use std::{
    fs::{self, File},
    io::Result,
    os::unix::fs::FileExt,
    path::Path,
};

use btf_elf::Limits;
use btf_types::{ByteOrder, Bytes};
use memmap2::{Advice, MmapMut};

/// Size of a huge page.
const HUGE: usize = 2 << 20;

/// Reads a large file of raw BTF into huge pages; `None` for any other file, or
/// if it cannot be read.
///
/// Faulting in small pages one by one takes longer than the copy itself.
pub(crate) fn read_btf(path: &Path) -> Option<Bytes> {
    let metadata = fs::metadata(path).ok().filter(fs::Metadata::is_file)?;
    let len = usize::try_from(metadata.len()).ok()?;
    if len < HUGE || metadata.len() > Limits::IMAGE.max_output() {
        return None;
    }
    let file = File::open(path).ok()?;
    let mut magic = [0; 2];
    file.read_exact_at(&mut magic, 0).ok()?;
    // BTF of the other byte order is copied anyway.
    if ByteOrder::of_magic(magic) == Some(ByteOrder::NATIVE) { read(&file, len).ok() } else { None }
}

fn read(file: &File, len: usize) -> Result<Bytes> {
    let mut memory = MmapMut::map_anon(len.next_multiple_of(HUGE))?;
    // A kernel without huge pages uses small ones.
    let _ = memory.advise(Advice::HugePage);
    file.read_exact_at(memory.get_mut(..len).unwrap_or_default(), 0)?;
    Ok(Bytes::from_owner(memory.make_read_only()?).slice(..len))
}

//! Detection of a file's format by its first block.

use btf_elf::Compression;
use btf_types::ByteOrder;
use tar::Header;

/// Size of a tar block in bytes.
pub(crate) const BLOCK: usize = 512;

/// Returns the reason why a file with this start is not an archive; `None` if
/// it may be one.
pub(crate) fn why_not(start: &[u8]) -> Option<&'static str> {
    if start.is_empty() {
        Some("it is empty")
    } else if is_btf(start) {
        Some("it is BTF itself, not an archive of it")
    } else if Compression::detect(start).is_some() || is_tar(start) {
        None
    } else if start.starts_with(b"\x7fELF") {
        Some("it is an ELF file")
    } else {
        Some("it is neither a tar, plain or compressed, nor a folder")
    }
}

/// Returns `true` if the bytes begin like BTF.
pub(crate) fn is_btf(bytes: &[u8]) -> bool {
    bytes.first_chunk().is_some_and(|&magic| ByteOrder::of_magic(magic).is_some())
}

/// Returns `true` if the file may be a tar: it begins with a header with the
/// right checksum, or with the zeros of an empty archive.
pub(crate) fn is_tar(start: &[u8]) -> bool {
    let Some(block) = start.first_chunk::<BLOCK>() else { return false };
    let mut header = Header::new_old();
    header.as_mut_bytes().copy_from_slice(block);
    is_end(&header) || is_sound(&header)
}

/// Returns `true` for a block of zeros, which ends a tar.
pub(crate) fn is_end(header: &Header) -> bool {
    header.as_bytes().iter().all(|&byte| byte == 0)
}

/// Verifies the checksum. (Its own bytes, 148 to 155, count as spaces.)
pub(crate) fn is_sound(header: &Header) -> bool {
    let bytes = header.as_bytes();
    let sum = |bytes: &[u8]| bytes.iter().map(|&byte| u32::from(byte)).sum::<u32>();
    let own = bytes.get(148..156).unwrap_or_default();
    header.cksum().is_ok_and(|stored| stored == sum(bytes) - sum(own) + 8 * u32::from(b' '))
}

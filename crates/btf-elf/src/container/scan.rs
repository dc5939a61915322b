//! Search for BTF in bytes without any other structure.
//!
//! In a kernel image that is not ELF, the BTF can be anywhere. Other bytes may
//! equal its magic number by chance. A header is recognized by its contents:
//! sections inside the image, terminated strings, and types whose references
//! exist.

use std::ops::Range;

use btf_types::{Btf, ByteOrder, Bytes, format::Header};
use memchr::memmem;

/// Minimum number of types of a kernel's BTF. The smallest kernels have ten
/// thousand; a BPF program that is built into a kernel has a few hundred.
const KERNEL_TYPES: u32 = 1000;

/// Maximum length of a header.
const HEADER_LEN: u32 = 64;

/// Maximum number of times that the bytes are read, in total.
const PASSES: u64 = 4;

/// Finds the BTF of a kernel in these bytes: if there are several, the largest.
pub(crate) fn find(bytes: &Bytes) -> Option<Range<usize>> {
    let mut best: Option<Range<usize>> = None;
    let mut budget = (bytes.len() as u64).saturating_mul(PASSES);
    for order in [ByteOrder::Little, ByteOrder::Big] {
        // Magic number, version 1, no flags.
        let magic = match order {
            ByteOrder::Little => [0x9f, 0xeb, 1, 0],
            ByteOrder::Big => [0xeb, 0x9f, 1, 0],
        };
        let mut end = 0;
        for at in memmem::find_iter(bytes, &magic) {
            if at < end {
                continue;
            }
            let Some(range) = extent(bytes, at, order) else { continue };
            let is_larger = best.as_ref().is_none_or(|best| range.len() > best.len());
            if !is_larger {
                continue;
            }
            match budget.checked_sub(range.len() as u64) {
                Some(left) => budget = left,
                None => return best,
            }
            let is_kernel = |btf: Btf| btf.type_count() >= KERNEL_TYPES;
            if Btf::parse(bytes.slice(range.clone())).is_ok_and(is_kernel) {
                end = range.end;
                best = Some(range);
            }
        }
    }
    best
}

/// Returns the range of the BTF whose header is at `at`, if it is not split and
/// large enough for a kernel.
fn extent(bytes: &[u8], at: usize, order: ByteOrder) -> Option<Range<usize>> {
    let rest = bytes.get(at..)?;
    let hdr_len = *rest.get(4..)?.first_chunk::<4>()?;
    let hdr_len = match order {
        ByteOrder::Little => u32::from_le_bytes(hdr_len),
        ByteOrder::Big => u32::from_be_bytes(hdr_len),
    };
    if hdr_len > HEADER_LEN {
        return None;
    }
    let header = Header::parse(rest).ok()?;
    let strings = rest.get(header.strings())?;
    let stands_alone = strings.first() == Some(&0) && strings.last() == Some(&0);
    let least = KERNEL_TYPES as usize * 12;
    (stands_alone && header.types().len() >= least).then(|| {
        let len = header.types().end.max(header.strings().end).max(header.layout().end);
        at..at + len
    })
}

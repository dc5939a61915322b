//! BTF in bytes that do not say where it is.
//!
//! In a kernel image that is no ELF file, the BTF is somewhere in the middle.
//! It begins with its magic number, as other bytes do by chance; a header is
//! told from those by what it leads to: sections inside the image, strings that
//! end, and types that all refer to each other.

use std::ops::Range;

use btf_types::{Btf, ByteOrder, Bytes, format::Header};
use memchr::memmem;

/// As many types BTF must have to be a kernel's. The smallest kernels have ten
/// thousand; a BPF program that is built into a kernel has a few hundred.
const KERNEL_TYPES: u32 = 1000;

/// As long a header can be that is taken for one.
const HEADER_LEN: u32 = 64;

/// How often over the bytes may be looked at, in all.
const PASSES: u64 = 4;

/// The BTF of a kernel in these bytes: if there are several, the largest.
pub(crate) fn find(bytes: &Bytes) -> Option<Range<usize>> {
    let mut best: Option<Range<usize>> = None;
    let mut budget = (bytes.len() as u64).saturating_mul(PASSES);
    for order in [ByteOrder::Little, ByteOrder::Big] {
        // The magic number, version 1, and no flags.
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

/// What a header covers, if it is one that stands alone.
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

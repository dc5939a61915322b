//! Mapping a file of `/sys/kernel/btf`: beside `syscall.rs` the one place with
//! `unsafe`.

#![allow(unsafe_code)]

use std::{fs::File, io};

use memmap2::{Mmap, MmapOptions};

/// Maps `len` bytes of a file in sysfs, privately: a shared mapping the kernel
/// refuses. Kernels before 6.16, and all of modules, cannot be mapped at all.
pub(crate) fn sysfs(file: &File, len: usize) -> io::Result<Mmap> {
    // SAFETY: a mapping is unsound where its bytes can change. These are the
    // kernel's own type information, which nothing writes to after boot, in
    // pages that stay as long as they are mapped; the file cannot be truncated.
    unsafe { MmapOptions::new().len(len).map_copy_read_only(file) }
}

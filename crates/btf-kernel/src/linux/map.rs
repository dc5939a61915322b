//! Mapping of `/sys/kernel/btf/vmlinux`. Besides `syscall.rs`, the only module
//! with `unsafe`.

#![allow(unsafe_code)]

use std::{fs::File, path::Path};

use memmap2::{Mmap, MmapOptions};
use rustix::{
    fs::{self, Mode, OFlags, ResolveFlags},
    io::Result,
};

/// `SYSFS_MAGIC` of `include/uapi/linux/magic.h`.
const SYSFS_MAGIC: u64 = 0x6265_6572;

/// Inode number of the root of sysfs, as of every kernfs.
const ROOT_INODE: u64 = 1;

/// Maps the running kernel's `/sys/kernel/btf/vmlinux` privately (the kernel
/// refuses a shared mapping). Returns `None` for any other file, if the file
/// cannot be checked, or if the kernel (before 6.16) cannot map it.
pub(crate) fn vmlinux(file: &File) -> Option<Mmap> {
    let len = len_of_vmlinux(file).ok().flatten()?;
    // SAFETY: the bytes of a mapping must neither change nor disappear. The
    // check above ensures that this file exposes the kernel's own .BTF
    // section: memory that is read-only after boot, cannot be truncated, and
    // whose pages the kernel holds while they are mapped.
    unsafe { MmapOptions::new().len(len).map_copy_read_only(file) }.ok()
}

/// Returns `true` if a path leads to sysfs.
pub(crate) fn is_in_sysfs(path: &Path) -> bool {
    fs::statfs(path).is_ok_and(|system| system.f_type as u64 == SYSFS_MAGIC)
}

/// Returns the length of the running kernel's BTF if this is its file. Other
/// files of sysfs may map device memory.
fn len_of_vmlinux(file: &File) -> Result<Option<usize>> {
    let sys = fs::open("/sys", OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    if fs::fstatfs(&sys)?.f_type as u64 != SYSFS_MAGIC || fs::fstat(&sys)?.st_ino != ROOT_INODE {
        return Ok(None);
    }
    // Nothing can be created in sysfs, and mounts over a part of it are not
    // entered.
    let inside = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
    let real = fs::openat2(&sys, "kernel/btf/vmlinux", OFlags::PATH | OFlags::CLOEXEC, Mode::empty(), inside)?;
    let (real, file) = (fs::fstat(&real)?, fs::fstat(file)?);
    // The device differs in another network namespace; the file is then read.
    let is_same = (real.st_dev, real.st_ino) == (file.st_dev, file.st_ino);
    Ok(usize::try_from(file.st_size).ok().filter(|&len| is_same && len > 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_other_file_is_mapped() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vmlinux");
        std::fs::write(&path, [0; 4096]).unwrap();
        for path in
            [path.as_path(), "/sys/kernel/notes".as_ref(), "/sys/kernel/mm/transparent_hugepage/enabled".as_ref()]
        {
            if let Ok(file) = File::open(path) {
                assert_eq!(len_of_vmlinux(&file).ok().flatten(), None, "{}", path.display());
                assert!(vmlinux(&file).is_none());
            }
        }
    }
}

//! Functions that need Linux: openat2(2), mapping sysfs, bpf(2).

#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "the place for what only Linux has")]

mod files;
mod large;
mod loaded;
mod map;
mod probe;
mod syscall;
mod token;
mod users;

use std::{ffi::OsStr, fs::File, os::unix::ffi::OsStrExt, path::Path};

use btf_types::Bytes;

pub(crate) use files::{identity, list, open};
pub(crate) use large::read_btf as read_large_btf;
pub use loaded::{LoadOptions, LoadedBtf};
pub use probe::{is_supported, is_supported_with, supported_features, supported_features_with};
pub use token::Token;

/// Maps the running kernel's BTF if this is its file and the kernel can map it.
pub(crate) fn map_vmlinux(file: &File) -> Option<Bytes> {
    map::vmlinux(file).map(Bytes::from_owner)
}

/// Maps the running kernel's BTF if this path leads to its file and the kernel
/// can map it.
pub(crate) fn map_vmlinux_at(path: &Path) -> Option<Bytes> {
    // Only files of sysfs are opened: opening others, such as a FIFO, may block.
    if map::is_in_sysfs(path) { map_vmlinux(&File::open(path).ok()?) } else { None }
}

/// Returns the release of the running kernel.
pub(crate) fn running_release() -> Option<String> {
    #[cfg(feature = "sys-info")]
    if let Ok(release) = sys_info::os_release() {
        return Some(release.trim().to_owned());
    }
    Some(rustix::system::uname().release().to_string_lossy().into_owned())
}

/// Returns the machine on which this runs, as in `uname -m`.
pub(crate) fn running_machine() -> Option<String> {
    Some(rustix::system::uname().machine().to_string_lossy().into_owned())
}

/// Converts bytes to a path.
pub(crate) fn path(bytes: &[u8]) -> Option<&Path> {
    Some(Path::new(OsStr::from_bytes(bytes)))
}

//! What `linux` does, on systems that are not Linux: reading the tree of a Linux
//! system that is there as files, for build scripts.

use std::{
    ffi::OsString,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use btf_types::Bytes;

use crate::{
    Root,
    root::{LINKS, parts},
};

pub(crate) fn open(root: &Root, path: &Path) -> io::Result<File> {
    File::open(resolve(root, path)?)
}

pub(crate) fn list(root: &Root, path: &Path) -> io::Result<Vec<(OsString, bool)>> {
    fs::read_dir(resolve(root, path)?)?
        .map(|entry| entry.and_then(|entry| Ok((entry.file_name(), entry.file_type()?.is_dir()))))
        .collect()
}

/// Files are not known to be the same.
pub(crate) fn identity(_: &File) -> io::Result<(u64, u64)> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(crate) fn map_vmlinux(_: &File) -> Option<Bytes> {
    None
}

/// No Linux runs here.
pub(crate) fn running_release() -> Option<String> {
    None
}

pub(crate) fn running_machine() -> Option<String> {
    None
}

pub(crate) fn path(bytes: &[u8]) -> Option<&Path> {
    std::str::from_utf8(bytes).ok().map(Path::new)
}

/// Follows links component by component; the result has none.
fn resolve(root: &Root, path: &Path) -> io::Result<PathBuf> {
    let mut resolved = root.folder().to_owned();
    let mut depth = 0;
    // The components that are still to be walked, the next one last.
    let mut waiting: Vec<OsString> = parts(path).rev().collect();
    let mut links = 0;
    while let Some(part) = waiting.pop() {
        if part == ".." {
            if depth > 0 {
                resolved.pop();
                depth -= 1;
            }
            continue;
        }
        resolved.push(part);
        depth += 1;
        if fs::symlink_metadata(&resolved)?.is_symlink() {
            links += 1;
            if links > LINKS {
                return Err(io::Error::other("too many levels of symbolic links"));
            }
            let target = fs::read_link(&resolved)?;
            let up = if target.has_root() { depth } else { 1 };
            (0..up).for_each(|_| _ = resolved.pop());
            depth -= up;
            waiting.extend(parts(&target).rev());
        }
    }
    Ok(resolved)
}

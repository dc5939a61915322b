//! Replacement of `linux` for other systems: reads the file tree of a Linux
//! system, for build scripts.

use std::{
    ffi::OsString,
    fs::{self, File},
    io, iter,
    marker::PhantomData,
    path::{Path, PathBuf},
};

use btf_types::{Btf, Bytes};

use crate::{
    BtfUser, Error, Feature, FeatureSet, LoadedInfo, Root,
    root::{LINKS, parts},
};

const LOADING: Error = Error::NotLinux { operation: "loading BTF" };
const LOOKING_UP: Error = Error::NotLinux { operation: "looking up BPF objects by id" };
const PROBING: Error = Error::NotLinux { operation: "probing a BTF feature" };

/// BTF in the kernel, which does not exist on this system.
#[derive(Debug)]
pub enum LoadedBtf {}

#[allow(missing_docs, reason = "those of the Linux half")]
impl LoadedBtf {
    pub fn load(_: &Btf) -> Result<Self, Error> {
        Err(LOADING)
    }

    pub fn by_id(_: u32) -> Result<Self, Error> {
        Err(LOOKING_UP)
    }

    pub fn of_program(_: u32) -> Result<Self, Error> {
        Err(LOOKING_UP)
    }

    pub fn of_map(_: u32) -> Result<Self, Error> {
        Err(LOOKING_UP)
    }

    pub fn all() -> impl Iterator<Item = Result<(Self, LoadedInfo), Error>> {
        iter::once(Err(LOOKING_UP))
    }

    pub fn info(&self) -> Result<LoadedInfo, Error> {
        match *self {}
    }

    pub fn bytes(&self) -> Result<Vec<u8>, Error> {
        match *self {}
    }

    pub fn btf(&self, _: Option<&Btf>) -> Result<Btf, Error> {
        match *self {}
    }

    pub fn try_clone(&self) -> Result<Self, Error> {
        match *self {}
    }
}

#[allow(missing_docs, reason = "those of the Linux half")]
impl BtfUser {
    pub fn programs() -> impl Iterator<Item = Result<Self, Error>> {
        iter::once(Err(LOOKING_UP))
    }

    pub fn maps() -> impl Iterator<Item = Result<Self, Error>> {
        iter::once(Err(LOOKING_UP))
    }

    pub fn program(_: u32) -> Result<Self, Error> {
        Err(LOOKING_UP)
    }

    pub fn map(_: u32) -> Result<Self, Error> {
        Err(LOOKING_UP)
    }
}

/// Options for loading BTF.
#[derive(Debug, Clone, Copy, Default)]
pub struct LoadOptions<'fd>(PhantomData<&'fd ()>);

#[allow(missing_docs, reason = "those of the Linux half")]
impl LoadOptions<'_> {
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    #[must_use]
    pub fn log_level(self, _: u32) -> Self {
        self
    }

    #[cfg(feature = "sanitize")]
    #[must_use]
    pub fn sanitize(self, _: bool) -> Self {
        self
    }

    pub fn load(self, _: &Btf) -> Result<LoadedBtf, Error> {
        Err(LOADING)
    }

    pub fn load_bytes(self, _: &[u8]) -> Result<LoadedBtf, Error> {
        Err(LOADING)
    }
}

/// Probes whether the running kernel supports a feature of BTF.
///
/// # Errors
///
/// [`Error::NotLinux`].
pub fn is_supported(_: Feature) -> Result<bool, Error> {
    Err(PROBING)
}

/// Probes which features of BTF the running kernel supports.
///
/// # Errors
///
/// [`Error::NotLinux`].
pub fn supported_features() -> Result<FeatureSet, Error> {
    Err(PROBING)
}

pub(crate) fn open(root: &Root, path: &Path) -> io::Result<File> {
    File::open(resolve(root, path)?)
}

pub(crate) fn list(root: &Root, path: &Path) -> io::Result<Vec<(OsString, bool)>> {
    fs::read_dir(resolve(root, path)?)?
        .map(|entry| entry.and_then(|entry| Ok((entry.file_name(), entry.file_type()?.is_dir()))))
        .collect()
}

/// Always fails: files have no portable identity.
pub(crate) fn identity(_: &File) -> io::Result<(u64, u64)> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(crate) fn map_vmlinux(_: &File) -> Option<Bytes> {
    None
}

pub(crate) fn map_vmlinux_at(_: &Path) -> Option<Bytes> {
    None
}

pub(crate) fn read_large_btf(_: &Path) -> Option<Bytes> {
    None
}

/// Returns `None`: no Linux kernel is running.
pub(crate) fn running_release() -> Option<String> {
    None
}

pub(crate) fn running_machine() -> Option<String> {
    None
}

pub(crate) fn path(bytes: &[u8]) -> Option<&Path> {
    std::str::from_utf8(bytes).ok().map(Path::new)
}

/// Resolves symlinks component by component. The result contains none.
fn resolve(root: &Root, path: &Path) -> io::Result<PathBuf> {
    let mut resolved = root.folder().to_owned();
    let mut depth = 0;
    // Remaining components, the next one last.
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
        let kind = fs::symlink_metadata(&resolved)?.file_type();
        if !kind.is_symlink() && !kind.is_dir() && !waiting.is_empty() {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        if kind.is_symlink() {
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

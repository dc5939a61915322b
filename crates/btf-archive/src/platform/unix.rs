//! Unix.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "the place for what only Unix has")]

use std::{
    fs::{File, Metadata},
    io,
    os::{
        fd::OwnedFd,
        unix::fs::{FileExt, MetadataExt, PermissionsExt},
    },
    path::{Path, PathBuf},
};

use rustix::{
    fs::{self, FlockOperation, Gid, Mode, OFlags},
    io::Errno,
    process,
};

use super::Locked;

/// Permissions of a folder that nobody else may enter.
const PRIVATE: u32 = 0o700;

/// Permissions of new files and folders; the umask takes from them.
const FILE: Mode = Mode::from_raw_mode(0o666);
const FOLDER: Mode = Mode::from_raw_mode(0o777);

/// An open directory: what is done in it does not depend on what is renamed
/// above it meanwhile.
#[derive(Debug)]
pub(crate) struct Dir(OwnedFd);

impl Dir {
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self(fs::open(path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?))
    }

    /// Opens a directory that this process has just made: not a link, and owned
    /// by this user.
    pub(crate) fn open_own(path: &Path) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let dir = fs::open(path, flags, Mode::empty())?;
        if fs::fstat(&dir)?.st_uid != process::geteuid().as_raw() {
            return Err(Errno::PERM.into());
        }
        Ok(Self(dir))
    }

    /// Creates a file for writing; no file or link may have that name.
    pub(crate) fn create_file(&self, path: &str) -> io::Result<File> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(fs::openat(&self.0, path, flags, FILE)?.into())
    }

    pub(crate) fn create_folder(&self, path: &str) -> io::Result<()> {
        Ok(fs::mkdirat(&self.0, path, FOLDER)?)
    }

    /// Opens a file or folder in it.
    pub(crate) fn open_inside(&self, path: &str) -> io::Result<File> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        Ok(fs::openat(&self.0, path, flags, Mode::empty())?.into())
    }

    /// Moves a file or folder from here to another directory.
    pub(crate) fn rename(&self, from: &str, to: &Self, name: &Path) -> io::Result<()> {
        Ok(fs::renameat(&self.0, from, &to.0, name)?)
    }

    /// Waits until all of its file system is on disk; `false` if that is not
    /// possible.
    pub(crate) fn sync_file_system(&self) -> io::Result<bool> {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        {
            fs::syncfs(&self.0)?;
            Ok(true)
        }
        #[cfg(not(any(target_os = "linux", target_os = "android")))]
        Ok(false)
    }

    /// Waits until its entries are on disk.
    pub(crate) fn sync(&self) -> io::Result<()> {
        match fs::fsync(&self.0) {
            // Some file systems have nothing to do.
            Err(Errno::INVAL) => Ok(()),
            synced => Ok(synced?),
        }
    }
}

/// Makes temporary folders private.
pub(crate) fn make_private(builder: &mut tempfile::Builder<'_, '_>) {
    builder.permissions(std::fs::Permissions::from_mode(PRIVATE));
}

pub(crate) fn try_lock(file: &File) -> Locked {
    match fs::flock(file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Locked::Yes,
        Err(Errno::WOULDBLOCK) => Locked::ByAnother,
        Err(_) => Locked::Unsupported,
    }
}

/// Waits for a lock; where there are none, for nothing.
pub(crate) fn lock(file: &File) -> io::Result<()> {
    loop {
        match fs::flock(file, FlockOperation::LockExclusive) {
            Err(Errno::INTR) => {}
            Ok(()) | Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::NOLCK) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
}

/// Returns `true` if a path still leads to this file.
pub(crate) fn is_at(file: &File, path: &Path) -> bool {
    let identity = |metadata: Metadata| (metadata.dev(), metadata.ino());
    let at_path = std::fs::symlink_metadata(path).map(identity);
    file.metadata().map(identity).is_ok_and(|own| at_path.is_ok_and(|at_path| at_path == own))
}

/// Returns `true` if this user owns it.
pub(crate) fn is_own(metadata: &Metadata) -> bool {
    metadata.uid() == process::geteuid().as_raw()
}

/// Gives a new file or folder the permissions and the group of one that it
/// replaces. Of another user's it gets no more than a new one has, so that
/// nobody can lay a file in wait that everybody may write to; and what a group
/// could do that cannot be kept, no other one can.
pub(crate) fn keep_permissions(new: &File, old: &Metadata) -> io::Result<()> {
    let made = new.metadata()?;
    let mut mode = old.mode() & 0o777;
    if !is_own(old) {
        mode &= made.mode();
    }
    let group = Some(Gid::from_raw(old.gid()));
    let has_group = made.gid() == old.gid() || is_own(old) && fs::fchown(new, None, group).is_ok();
    if !has_group {
        mode &= 0o707 | (mode & 0o7) << 3;
    }
    Ok(fs::fchmod(new, Mode::from_raw_mode(mode))?)
}

/// Returns `true` for a link in `/dev` or `/proc` that leads to a file that this
/// process has open, as `/dev/stdout` does. (Anywhere else somebody may have
/// laid it.)
pub(crate) fn leads_to_own_descriptor(path: &Path) -> bool {
    let descriptors = PathBuf::from(format!("/proc/{}/fd", std::process::id()));
    let folder = |path: &Path| path.parent().and_then(|folder| folder.canonicalize().ok());
    match folder(path) {
        Some(folder) if folder == descriptors => true,
        Some(dev) if dev == Path::new("/dev") => {
            std::fs::read_link(path).is_ok_and(|target| folder(&dev.join(target)).as_ref() == Some(&descriptors))
        }
        _ => false,
    }
}

pub(crate) fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    file.read_at(buffer, offset)
}

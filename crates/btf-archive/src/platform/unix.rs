//! Unix systems.

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

/// Permissions of a private folder.
const PRIVATE: u32 = 0o700;

/// Permissions of new files and folders, before the umask.
const FILE: Mode = Mode::from_raw_mode(0o666);
const FOLDER: Mode = Mode::from_raw_mode(0o777);

/// Open directory: operations in it do not depend on concurrent renames above
/// it.
#[derive(Debug)]
pub(crate) struct Dir(OwnedFd);

impl Dir {
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self(fs::open(path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?))
    }

    /// Opens a directory that this process has just made: owned by this user,
    /// and not a link.
    pub(crate) fn open_own(path: &Path) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let dir = fs::open(path, flags, Mode::empty())?;
        if fs::fstat(&dir)?.st_uid != process::geteuid().as_raw() {
            return Err(Errno::PERM.into());
        }
        Ok(Self(dir))
    }

    /// Creates a file for writing. Fails if the name exists.
    pub(crate) fn create_file(&self, path: &str) -> io::Result<File> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(fs::openat(&self.0, path, flags, FILE)?.into())
    }

    pub(crate) fn create_folder(&self, path: &str) -> io::Result<()> {
        Ok(fs::mkdirat(&self.0, path, FOLDER)?)
    }

    /// Opens a file or folder in the directory.
    pub(crate) fn open_inside(&self, path: &str) -> io::Result<File> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        Ok(fs::openat(&self.0, path, flags, Mode::empty())?.into())
    }

    /// Moves a file or folder to another directory.
    pub(crate) fn rename(&self, from: &str, to: &Self, name: &Path) -> io::Result<()> {
        Ok(fs::renameat(&self.0, from, &to.0, name)?)
    }

    /// Syncs the whole file system; `false` if that is not possible.
    pub(crate) fn sync_file_system(&self) -> io::Result<bool> {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        {
            fs::syncfs(&self.0)?;
            Ok(true)
        }
        #[cfg(not(any(target_os = "linux", target_os = "android")))]
        Ok(false)
    }

    /// Syncs the entries of the directory.
    pub(crate) fn sync(&self) -> io::Result<()> {
        match fs::fsync(&self.0) {
            // Not needed on some file systems.
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

/// Waits for a lock. Returns at once on file systems without locks.
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

/// Returns `true` if this user owns the file.
pub(crate) fn is_own(metadata: &Metadata) -> bool {
    metadata.uid() == process::geteuid().as_raw()
}

/// Returns `true` if a symbolic link in this folder may be followed. Where
/// everybody can create one, it must belong to this user or to the owner of the
/// folder, as Linux requires with `fs.protected_symlinks`.
pub(crate) fn may_follow(link: &Metadata, folder: &Path) -> bool {
    let is_trusted = |folder: Metadata| folder.mode() & 0o002 == 0 || is_own(link) || link.uid() == folder.uid();
    std::fs::metadata(folder).is_ok_and(is_trusted)
}

/// Gives a new file or folder the permissions and the group of the one that it
/// replaces. If that belonged to another user, permissions beyond the defaults
/// are dropped: otherwise a user could prepare a file that everybody may write.
/// If the group cannot be kept, its permissions are dropped.
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

/// Returns `true` for a link in `/dev` or `/proc` to an open file of this
/// process, such as `/dev/stdout`. (Links elsewhere may have been made by
/// others.)
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

//! Systems other than Unix.

use std::{
    fs::{self, File, Metadata, OpenOptions},
    io::{self, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

use super::Locked;

/// Directory, by its path.
#[derive(Debug)]
pub(crate) struct Dir(PathBuf);

impl Dir {
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        fs::canonicalize(path).map(Self)
    }

    pub(crate) fn open_own(path: &Path) -> io::Result<Self> {
        Self::open(path)
    }

    pub(crate) fn create_file(&self, path: &str) -> io::Result<File> {
        OpenOptions::new().read(true).write(true).create_new(true).open(self.0.join(path))
    }

    pub(crate) fn create_folder(&self, path: &str) -> io::Result<()> {
        fs::create_dir(self.0.join(path))
    }

    pub(crate) fn open_inside(&self, path: &str) -> io::Result<File> {
        File::open(self.0.join(path))
    }

    pub(crate) fn rename(&self, from: &str, to: &Self, name: &Path) -> io::Result<()> {
        fs::rename(self.0.join(from), to.0.join(name))
    }

    pub(crate) fn sync_file_system(&self) -> io::Result<bool> {
        Ok(false)
    }

    pub(crate) fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}

pub(crate) fn make_private(_: &mut tempfile::Builder<'_, '_>) {}

pub(crate) fn try_lock(_: &File) -> Locked {
    Locked::Unsupported
}

pub(crate) fn lock(_: &File) -> io::Result<()> {
    Ok(())
}

pub(crate) fn is_at(_: &File, path: &Path) -> bool {
    path.exists()
}

pub(crate) fn is_own(_: &Metadata) -> bool {
    true
}

pub(crate) fn may_follow(_: &Metadata, _: &Path) -> bool {
    true
}

pub(crate) fn keep_permissions(_: &File, _: &Metadata) -> io::Result<()> {
    Ok(())
}

pub(crate) fn leads_to_own_descriptor(_: &Path) -> bool {
    false
}

pub(crate) fn read_at(mut file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    file.seek(SeekFrom::Start(offset))?;
    file.read(buffer)
}

//! A file that one process at a time holds locked.

use std::{
    fs::{self, File, OpenOptions},
    io,
    path::{Path, PathBuf},
    process::Stdio,
};

use crate::platform::{self, Locked};

/// A lock that is held until this is dropped, and until every program has ended
/// that was given it.
#[derive(Debug)]
pub(crate) struct Lock {
    file: File,
    path: PathBuf,
}

impl Lock {
    /// Locks a file, made with its folder if need be; waits for whoever holds
    /// it, and calls `wait` before.
    pub(crate) fn take(path: &Path, mut wait: impl FnMut()) -> io::Result<Self> {
        loop {
            if let Some(folder) = path.parent() {
                fs::create_dir_all(folder)?;
            }
            let opened = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path);
            let file = match opened {
                // Another has just removed the folder.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                file => file?,
            };
            if platform::try_lock(&file) == Locked::ByAnother {
                wait();
                platform::lock(&file)?;
            }
            // Another may have removed it after it was opened.
            if platform::is_at(&file, path) {
                return Ok(Self { file, path: path.into() });
            }
        }
    }

    /// The lock as a program's standard input, which is empty: the lock is
    /// held for as long as the program runs, whatever becomes of this process.
    pub(crate) fn as_stdin(&self) -> io::Result<Stdio> {
        self.file.try_clone().map(Stdio::from)
    }

    /// Removes the file.
    pub(crate) fn remove(self) {
        let _ = fs::remove_file(&self.path);
    }
}

//! File lock, held by one process at a time.

use std::{
    fs::{self, File, OpenOptions},
    io,
    path::{Path, PathBuf},
    process::Stdio,
};

use crate::platform::{self, Locked};

/// Lock that is held until it is dropped and all programs that received it have
/// ended.
#[derive(Debug)]
pub(crate) struct Lock {
    file: File,
    path: PathBuf,
}

impl Lock {
    /// Locks a file, which is created with its folder if needed. Calls `wait`
    /// before waiting for another holder.
    pub(crate) fn take(path: &Path, mut wait: impl FnMut()) -> io::Result<Self> {
        loop {
            if let Some(folder) = path.parent() {
                fs::create_dir_all(folder)?;
            }
            let opened = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path);
            let file = match opened {
                // Another process has just removed the folder.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                file => file?,
            };
            if platform::try_lock(&file) == Locked::ByAnother {
                wait();
                platform::lock(&file)?;
            }
            // Another process may have removed it after it was opened.
            if platform::is_at(&file, path) {
                return Ok(Self { file, path: path.into() });
            }
        }
    }

    /// Returns the lock as an empty standard input for a program. The lock is
    /// then held while the program runs, even if this process ends.
    pub(crate) fn as_stdin(&self) -> io::Result<Stdio> {
        self.file.try_clone().map(Stdio::from)
    }

    /// Removes the file.
    pub(crate) fn remove(self) {
        let _ = fs::remove_file(&self.path);
    }
}

#[cfg(all(test, unix, not(btf_portable)))]
mod tests {
    use std::{
        process::Command,
        sync::{Mutex, mpsc},
        thread,
        time::Duration,
    };

    use super::*;

    #[test]
    fn a_lock_outlives_its_holder_as_long_as_a_program_has_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/lock");
        let lock = Lock::take(&path, || panic!("nobody has it")).unwrap();
        let mut program = Command::new("sleep").arg("60").stdin(lock.as_stdin().unwrap()).spawn().unwrap();
        drop(lock);
        let opened = File::open(&path).unwrap();
        assert_eq!(platform::try_lock(&opened), Locked::ByAnother);
        program.kill().unwrap();
        program.wait().unwrap();
        assert_eq!(platform::try_lock(&opened), Locked::Yes);
    }

    #[test]
    fn who_waits_for_a_lock_that_is_removed_makes_it_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/lock");
        let lock = Mutex::new(Some(Lock::take(&path, || ()).unwrap()));
        let (waits, waiting) = mpsc::channel();
        thread::scope(|scope| {
            let waiter = scope.spawn(|| Lock::take(&path, || waits.send(()).unwrap()).unwrap());
            waiting.recv_timeout(Duration::from_secs(60)).unwrap();
            lock.lock().unwrap().take().unwrap().remove();
            // Unless the waiter was faster.
            match fs::remove_dir(folder.path().join("a")) {
                Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => {}
                result => result.unwrap(),
            }
            let taken = waiter.join().unwrap();
            assert!(platform::is_at(&taken.file, &path));
        });
    }
}

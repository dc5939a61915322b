//! Index of the modules of one kernel: their files, and the BTF opened so far.

use std::{
    collections::{BTreeMap, HashMap},
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, OnceLock, PoisonError},
};

use btf_types::Btf;

use crate::{Error, ModuleFiles};

/// Device and inode of a file.
pub(crate) type Identity = (u64, u64);

/// Maximum total size of the BTF of all modules, in bytes: `FREE`, plus
/// `PER_BYTE` for each byte of their files. (Even compressed modules have less
/// than four bytes of BTF per byte.)
const FREE: u64 = 64 << 20;
const PER_BYTE: u64 = 32;

/// Files and BTF of a kernel's modules. Thread-safe.
#[derive(Debug, Default)]
pub(crate) struct ModuleIndex {
    opened: Mutex<Opened>,
    /// Files listed in `modules.dep`, and all files on disk.
    listed: OnceLock<ModuleFiles>,
    all: OnceLock<ModuleFiles>,
}

#[derive(Debug, Default)]
struct Opened {
    by_name: BTreeMap<String, Btf>,
    /// BTF opened from a file, or the path under which opening failed:
    /// thousands of links may lead to one file.
    by_file: HashMap<Identity, Result<Btf, PathBuf>>,
    /// Total sizes of the files and of their BTF.
    files_len: u64,
    btf_len: u64,
}

impl ModuleIndex {
    /// Returns the BTF of a module that was opened.
    pub(crate) fn get(&self, name: &str) -> Option<Btf> {
        self.opened().by_name.get(name).cloned()
    }

    /// Stores the BTF of a module, and returns it. If another thread has stored
    /// it already, returns that one.
    pub(crate) fn keep(&self, name: String, btf: Btf) -> Btf {
        self.opened().by_name.entry(name).or_insert(btf).clone()
    }

    /// Returns the BTF of a file that was opened under any path, or the path
    /// under which opening it failed.
    pub(crate) fn of_file(&self, file: Identity) -> Option<Result<Btf, PathBuf>> {
        self.opened().by_file.get(&file).cloned()
    }

    /// Stores the result of opening a file, whose size is charged.
    pub(crate) fn keep_file(
        &self,
        file: Option<Identity>,
        path: &Path,
        file_len: u64,
        result: Result<Btf, Error>,
    ) -> Result<Btf, Error> {
        let mut opened = self.opened();
        let result = result.and_then(|btf| opened.charge(path, file_len, &btf).map(|()| btf));
        if let Some(file) = file {
            opened.by_file.insert(file, result.as_ref().map(Clone::clone).map_err(|_| path.to_owned()));
        }
        result
    }

    /// Returns the files listed in modules.dep.
    pub(crate) fn listed(&self, find: impl FnOnce() -> Result<ModuleFiles, Error>) -> Result<&ModuleFiles, Error> {
        kept(&self.listed, find)
    }

    /// Returns all files.
    pub(crate) fn all(&self, find: impl FnOnce() -> Result<ModuleFiles, Error>) -> Result<&ModuleFiles, Error> {
        kept(&self.all, find)
    }

    /// Returns all files if they have been searched for.
    pub(crate) fn known(&self) -> Option<&ModuleFiles> {
        self.all.get()
    }

    fn opened(&self) -> MutexGuard<'_, Opened> {
        self.opened.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Opened {
    /// Adds BTF and its file to the total sizes. Fails above the limit.
    fn charge(&mut self, path: &Path, file_len: u64, btf: &Btf) -> Result<(), Error> {
        let files_len = self.files_len.saturating_add(file_len);
        let btf_len = self.btf_len.saturating_add(btf.as_bytes().len() as u64);
        if btf_len > files_len.saturating_mul(PER_BYTE).saturating_add(FREE) {
            return Err(Error::TooMuchBtf { path: path.into(), len: btf_len });
        }
        (self.files_len, self.btf_len) = (files_len, btf_len);
        Ok(())
    }
}

/// Returns the stored value, or finds and stores it.
fn kept<T, E>(cell: &OnceLock<T>, find: impl FnOnce() -> Result<T, E>) -> Result<&T, E> {
    match cell.get() {
        Some(found) => Ok(found),
        None => find().map(|found| cell.get_or_init(|| found)),
    }
}

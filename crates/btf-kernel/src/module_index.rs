//! Modules of one kernel as far as they were looked up: their files, and the BTF
//! that was opened.

use std::{
    collections::{BTreeMap, HashMap},
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, OnceLock, PoisonError},
};

use btf_types::Btf;

use crate::{Error, ModuleFiles};

/// Device and inode of a file.
pub(crate) type Identity = (u64, u64);

/// Maximum size of the BTF of all modules together, in bytes: so many in any
/// case, and so many more for each byte of their files. (Even compressed modules
/// have less than four.)
const FREE: u64 = 64 << 20;
const PER_BYTE: u64 = 32;

/// Files and BTF of a kernel's modules; safe to ask from several threads.
#[derive(Debug, Default)]
pub(crate) struct ModuleIndex {
    opened: Mutex<Opened>,
    /// The files that modules.dep lists, and all files.
    listed: OnceLock<ModuleFiles>,
    all: OnceLock<ModuleFiles>,
}

#[derive(Debug, Default)]
struct Opened {
    by_name: BTreeMap<String, Btf>,
    /// BTF that was opened from a file, or the path under which opening it failed:
    /// thousands of links may lead to one.
    by_file: HashMap<Identity, Result<Btf, PathBuf>>,
    /// Sizes of the files and of the BTF in them.
    files_len: u64,
    btf_len: u64,
}

impl ModuleIndex {
    /// A module that is open.
    pub(crate) fn get(&self, name: &str) -> Option<Btf> {
        self.opened().by_name.get(name).cloned()
    }

    /// Keeps a module; returns the one that another thread has kept before.
    pub(crate) fn keep(&self, name: String, btf: Btf) -> Btf {
        self.opened().by_name.entry(name).or_insert(btf).clone()
    }

    /// The BTF of a file that was opened under any path, or its path if that
    /// failed.
    pub(crate) fn of_file(&self, file: Identity) -> Option<Result<Btf, PathBuf>> {
        self.opened().by_file.get(&file).cloned()
    }

    /// Keeps the result of opening a file of this size.
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

    /// The files that modules.dep lists.
    pub(crate) fn listed(&self, find: impl FnOnce() -> Result<ModuleFiles, Error>) -> Result<&ModuleFiles, Error> {
        kept(&self.listed, find)
    }

    /// All files.
    pub(crate) fn all(&self, find: impl FnOnce() -> Result<ModuleFiles, Error>) -> Result<&ModuleFiles, Error> {
        kept(&self.all, find)
    }

    /// All files, if they are known.
    pub(crate) fn known(&self) -> Option<&ModuleFiles> {
        self.all.get()
    }

    fn opened(&self) -> MutexGuard<'_, Opened> {
        self.opened.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Opened {
    /// Counts BTF that will be kept.
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

/// The value that was found before, by this thread or another, or is found now.
fn kept<T, E>(cell: &OnceLock<T>, find: impl FnOnce() -> Result<T, E>) -> Result<&T, E> {
    match cell.get() {
        Some(found) => Ok(found),
        None => find().map(|found| cell.get_or_init(|| found)),
    }
}

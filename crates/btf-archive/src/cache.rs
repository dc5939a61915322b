//! Cache folder of one repository.
//!
//! | file | contents |
//! |---|---|
//! | `btf-archive` | marker of a folder made by this crate: the repository's address |
//! | `lock` | nothing; locked by the fetch that uses the folder, and by its git |
//! | `archive` | the clone, with the fetched files |

use std::{
    fmt::Write,
    fs, io,
    path::{Path, PathBuf},
};

use crate::{
    Error,
    git::Git,
    lock::Lock,
    output::OutputFile,
    partial::{self, Partial},
    platform,
};

/// Names of the files in the folder.
const MARKER: &str = "btf-archive";
const LOCK: &str = "lock";
const CLONE: &str = "archive";

/// Locked folder of one repository.
#[derive(Debug)]
pub(crate) struct Cache {
    folder: PathBuf,
    url: String,
    lock: Lock,
    is_new: bool,
}

impl Cache {
    /// Opens or makes the folder of an address, and waits until it is not in
    /// use.
    pub(crate) fn open(caches: &Path, url: &str, wait: impl FnMut()) -> Result<Self, Error> {
        let folder = caches.join(name_of(url));
        let error = |reason| Error::Io { operation: "open", path: folder.clone(), reason };
        let foreign = |reason| Error::Foreign { folder: folder.clone(), reason };
        // A folder of another user is rejected: git runs commands of a
        // repository's configuration. (Checked again with the lock held, for
        // changes made meanwhile.)
        let check = || match fs::symlink_metadata(&folder) {
            Ok(metadata) if metadata.is_dir() && platform::is_own(&metadata) => Ok(()),
            Ok(_) => Err(foreign("it belongs to another user")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(reason) => Err(error(reason)),
        };
        check()?;
        let lock = Lock::take(&folder.join(LOCK), wait).map_err(error)?;
        check()?;
        partial::remove_leftovers(&folder);
        let is_new = match fs::read_to_string(folder.join(MARKER)) {
            Ok(marker) if marker.trim_end() == url => false,
            Ok(_) => return Err(foreign("it is the cache of another address")),
            Err(_) => {
                if fs::read_dir(&folder).map_err(error)?.flatten().any(|entry| entry.file_name() != LOCK) {
                    return Err(foreign("it was not made by `fetch`"));
                }
                OutputFile::write_bytes(folder.join(MARKER), format!("{url}\n").as_bytes())?;
                true
            }
        };
        Ok(Self { folder, url: url.into(), lock, is_new })
    }

    pub(crate) fn lock(&self) -> &Lock {
        &self.lock
    }

    /// Folder of the files.
    pub(crate) fn archive(&self) -> PathBuf {
        self.folder.join(CLONE)
    }

    /// Repository of the clone.
    fn repository(&self) -> PathBuf {
        self.archive().join(".git")
    }

    /// Returns `true` if there is a usable clone of the address.
    pub(crate) fn has_sound_clone(&self, git: &Git<'_>) -> bool {
        let is_real_folder = |path: &Path| fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_dir());
        // If `.git` is a file or a link, or contains a `commondir`, it leads to
        // another repository.
        let repository = self.repository();
        if !is_real_folder(&self.archive())
            || !is_real_folder(&repository)
            || repository.join("commondir").symlink_metadata().is_ok()
        {
            return false;
        }
        let says = |arguments: &[&str]| git.on(&self.archive(), arguments);
        says(&["config", "--local", "--get", "remote.origin.url"]).is_ok_and(|origin| origin == self.url)
            && says(&["rev-parse", "--quiet", "--verify", "HEAD^{tree}"]).is_ok()
    }

    /// Clones into another folder, and swaps it in. If that fails, the old
    /// clone stays.
    pub(crate) fn clone_anew(&self, git: &Git<'_>) -> Result<(), Error> {
        let error = |reason| Error::Io { operation: "write", path: self.archive(), reason };
        let partial = Partial::in_folder(&self.folder).map_err(error)?;
        git.clone_into(&partial.content())?;
        if let Ok(patterns) = fs::read(self.patterns_file()) {
            let info = partial.content().join(".git/info");
            fs::create_dir_all(&info).map_err(error)?;
            fs::write(info.join("sparse-checkout"), patterns).map_err(error)?;
        }
        // (Removed when `broken` is dropped.)
        let broken = Partial::in_folder(&self.folder).map_err(error)?;
        match fs::rename(self.archive(), broken.content()) {
            Err(reason) if reason.kind() != io::ErrorKind::NotFound => return Err(error(reason)),
            _ => {}
        }
        partial.publish_as(Path::new(CLONE)).map_err(error)
    }

    /// Adds patterns to those that are checked out.
    pub(crate) fn add_patterns(&self, wanted: &[String]) -> Result<(), Error> {
        let file = self.patterns_file();
        let known = fs::read_to_string(&file).unwrap_or_default();
        let mut seen = std::collections::HashSet::new();
        let mut text = String::new();
        for pattern in known.lines().chain(wanted.iter().map(String::as_str)) {
            if seen.insert(pattern) {
                text.push_str(pattern);
                text.push('\n');
            }
        }
        let info = self.repository().join("info");
        fs::create_dir_all(&info).map_err(|reason| Error::Io { operation: "create", path: info, reason })?;
        OutputFile::write_bytes(file, text.as_bytes())
    }

    fn patterns_file(&self) -> PathBuf {
        self.repository().join("info/sparse-checkout")
    }

    /// Removes the locks left by a killed git. No running git holds them, as
    /// each of ours holds the lock of this folder.
    pub(crate) fn remove_stale_locks(&self) -> Result<(), Error> {
        let mut open = vec![self.repository()];
        while let Some(folder) = open.pop() {
            let Ok(entries) = fs::read_dir(&folder) else { continue };
            for entry in entries.flatten() {
                let (path, name) = (entry.path(), entry.file_name());
                let Ok(metadata) = fs::symlink_metadata(&path) else { continue };
                if metadata.is_dir() && name != "objects" {
                    open.push(path);
                } else if path.extension().is_some_and(|ending| ending == "lock") {
                    let age = metadata.modified().ok().and_then(|time| time.elapsed().ok()).unwrap_or_default();
                    fs::remove_file(&path).map_err(|reason| Error::StaleLock { path, age, reason })?;
                }
            }
        }
        Ok(())
    }

    /// Removes the folder if it is new and nothing was fetched into it.
    pub(crate) fn discard_if_new(self) {
        if self.is_new && self.archive().symlink_metadata().is_err() {
            let _ = fs::remove_file(self.folder.join(MARKER));
            self.lock.remove();
            let _ = fs::remove_dir(&self.folder);
        }
    }
}

/// Name of the folder of an address: the end of the address for readers, and a
/// hash of all of it.
fn name_of(url: &str) -> String {
    const READABLE: usize = 40;
    let is_plain = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
    let plain: Vec<char> = url.chars().map(|c| if is_plain(&c) { c } else { '_' }).collect();
    let start = plain.len().saturating_sub(READABLE);
    let mut name: String = plain.get(start..).unwrap_or_default().iter().collect();
    name = name.trim_matches(['.', '_', '-']).to_owned();
    let _ = write!(name, "-{:016x}", hash(url.as_bytes()));
    name
}

/// FNV-1a, which is stable across versions. The marker contains the whole
/// address, in case of deliberate collisions.
fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_address_has_a_folder_of_its_own() {
        let long = "x".repeat(200);
        let urls = [
            "/x/a b/r",
            "/x/a_b/r",
            "/x/ä/r",
            "/x/ö/r",
            "https://a/r",
            "https://b/r",
            "",
            "..",
            "/",
            &long,
            &long[1..],
        ];
        let names: std::collections::HashSet<_> = urls.iter().map(|url| name_of(url)).collect();
        assert_eq!(names.len(), urls.len());
        for name in names {
            assert!(name.len() < 80 && !name.starts_with('.') && !name.contains('/'), "{name}");
        }
        assert_eq!(name_of("https://github.com/aquasecurity/btfhub-archive").rsplit('-').next().unwrap().len(), 16);
        assert_eq!(hash(b"a"), 0xaf63_dc4c_8601_ec8c);
    }
}

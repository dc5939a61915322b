//! Output in progress: made in a private folder beside its final place, and
//! moved there when it is complete.
//!
//! The folder contains a file that its process keeps locked. Folders with a
//! free lock are the leftovers of killed processes, and are removed by the next
//! process in the same place.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use tempfile::TempDir;

use crate::platform::{self, Dir, Locked};

/// Prefix of the folders' names.
const PREFIX: &str = ".btf-partial-";

/// Name of the locked file in each folder.
const LOCK: &str = "lock";

/// Name of the output in such a folder.
pub(crate) const CONTENT: &str = "content";

/// Maximum number of entries of a folder that are searched for leftovers.
const ENTRIES: usize = 10_000;

/// Maximum number of files and folders that are synced one by one, at a
/// millisecond each. For more, the whole file system is synced.
const ONE_BY_ONE: usize = 100;

/// Age after which a folder without a lock is a leftover of a process that was
/// killed before locking.
const WITHOUT_LOCK: Duration = Duration::from_secs(3600);

/// Maximum number of attempts to make a folder, which a cleaner may remove
/// before it is locked.
const ATTEMPTS: usize = 16;

/// Private folder for output in progress.
#[derive(Debug)]
pub(crate) struct Partial {
    /// Removed on drop, before the lock is released.
    folder: TempDir,
    inside: Dir,
    /// Parent of the folder.
    parent: Dir,
    _lock: File,
}

impl Partial {
    /// Makes a folder in `parent`, and removes the leftovers of killed
    /// processes there.
    pub(crate) fn in_folder(parent: &Path) -> io::Result<Self> {
        remove_leftovers(parent);
        let mut builder = tempfile::Builder::new();
        builder.prefix(PREFIX);
        platform::make_private(&mut builder);
        let above = Dir::open(parent)?;
        for _ in 0..ATTEMPTS {
            let folder = builder.tempdir_in(parent)?;
            let inside = match Dir::open_own(folder.path()) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                inside => inside?,
            };
            let lock = match inside.create_file(LOCK) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                lock => lock?,
            };
            if platform::try_lock(&lock) != Locked::ByAnother && platform::is_at(&lock, &folder.path().join(LOCK)) {
                return Ok(Self { folder, inside, parent: above, _lock: lock });
            }
        }
        Err(io::ErrorKind::ResourceBusy.into())
    }

    /// Makes a folder in the temporary folder.
    pub(crate) fn in_temporary_folder() -> io::Result<Self> {
        Self::in_folder(&std::env::temp_dir())
    }

    /// Returns the open folder.
    pub(crate) fn inside(&self) -> &Dir {
        &self.inside
    }

    /// Path of the output.
    pub(crate) fn content(&self) -> PathBuf {
        self.folder.path().join(CONTENT)
    }

    /// Waits until the output is on disk.
    pub(crate) fn sync(&self) -> io::Result<()> {
        let (mut files, mut folders) = (Vec::new(), vec![self.content()]);
        let mut at = 0;
        while let Some(folder) = folders.get(at) {
            at += 1;
            for entry in fs::read_dir(folder.clone())? {
                let entry = entry?;
                if entry.file_type()?.is_dir() {
                    folders.push(entry.path());
                } else {
                    files.push(entry.path());
                }
            }
            if files.len() + folders.len() > ONE_BY_ONE && self.inside.sync_file_system()? {
                return Ok(());
            }
        }
        files.iter().try_for_each(|file| File::open(file)?.sync_all())?;
        folders.iter().try_for_each(|folder| Dir::open(folder)?.sync())
    }

    /// Moves the output to a name in the parent.
    pub(crate) fn publish_as(self, name: &Path) -> io::Result<()> {
        self.inside.rename(CONTENT, &self.parent, name)?;
        // The output is complete; some systems cannot sync folders.
        let _ = self.parent.sync();
        Ok(())
    }

    /// Leaves the output in its folder, which is renamed so that it is not
    /// taken for a leftover. The caller removes it.
    pub(crate) fn keep(self) -> PathBuf {
        let mut kept = self.folder.keep();
        let renamed = kept.with_file_name(kept_name(&kept));
        if fs::rename(&kept, &renamed).is_ok() {
            kept = renamed;
        }
        // Only now: under its old name and without the lock, it would be a leftover.
        let _ = fs::remove_file(kept.join(LOCK));
        kept.join(CONTENT)
    }
}

/// Returns a name that is not that of a leftover.
fn kept_name(folder: &Path) -> String {
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    format!("btf-{}", name.strip_prefix(PREFIX).unwrap_or(&name))
}

/// Returns the folder of a path.
pub(crate) fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}

/// Removes leftovers of this user's killed processes in a folder.
pub(crate) fn remove_leftovers(parent: &Path) {
    let Ok(entries) = fs::read_dir(parent) else { return };
    for entry in entries.take(ENTRIES).flatten() {
        let name = entry.file_name();
        if name.to_string_lossy().starts_with(PREFIX) {
            remove_if_left(&entry.path());
        }
    }
}

fn remove_if_left(folder: &Path) {
    let is_folder_of_ours = |metadata: &fs::Metadata| metadata.is_dir() && platform::is_own(metadata);
    let Ok(metadata) = fs::symlink_metadata(folder) else { return };
    if !is_folder_of_ours(&metadata) {
        return;
    }
    let Ok(inside) = Dir::open_own(folder) else { return };
    // Held until the folder is removed.
    let _lock = match inside.open_inside(LOCK) {
        Ok(lock) if platform::try_lock(&lock) == Locked::Yes => Some(lock),
        Ok(_) => return,
        // Its removal was interrupted: the lock is made before any content.
        Err(_) if fs::symlink_metadata(folder.join(CONTENT)).is_ok() => None,
        Err(_) if is_older(&metadata, WITHOUT_LOCK) => None,
        Err(_) => return,
    };
    let _ = fs::remove_dir_all(folder);
}

fn is_older(metadata: &fs::Metadata, than: Duration) -> bool {
    metadata.modified().ok().and_then(|time| time.elapsed().ok()).is_some_and(|age| age > than)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn leftovers_of_the_dead_are_removed_and_those_of_the_living_stay() {
        let place = tempfile::tempdir().unwrap();
        let living = Partial::in_folder(place.path()).unwrap();
        fs::write(living.content(), "unfinished").unwrap();
        let dead = place.path().join(".btf-partial-dead");
        fs::create_dir_all(dead.join("content/a")).unwrap();
        fs::write(dead.join(LOCK), "").unwrap();
        let half_removed = place.path().join(".btf-partial-half");
        fs::create_dir_all(half_removed.join("content/a")).unwrap();
        let young = place.path().join(".btf-partial-young");
        fs::create_dir(&young).unwrap();
        let old = place.path().join(".btf-partial-old");
        fs::create_dir(&old).unwrap();
        let hours_ago = std::time::SystemTime::now() - 2 * WITHOUT_LOCK;
        File::open(&old).unwrap().set_modified(hours_ago).unwrap();
        // Other names, links and files are not leftovers.
        fs::create_dir(place.path().join(".btf-other")).unwrap();
        fs::write(place.path().join(".btf-partial-file"), "").unwrap();
        #[cfg(unix)]
        std::os::unix::fs::symlink("/etc", place.path().join(".btf-partial-link")).unwrap();
        drop(Partial::in_folder(place.path()).unwrap());
        assert!(!dead.exists() && !half_removed.exists() && !old.exists());
        assert!(young.exists() && living.content().exists());
        assert!(place.path().join(".btf-other").exists() && place.path().join(".btf-partial-file").exists());
        let folder = living.folder.path().to_owned();
        living.publish_as(Path::new("whole")).unwrap();
        assert!(!folder.exists());
        assert_eq!(fs::read_to_string(place.path().join("whole")).unwrap(), "unfinished");
        let kept = Partial::in_folder(place.path()).unwrap();
        fs::write(kept.content(), "kept").unwrap();
        let kept = kept.keep();
        drop(Partial::in_folder(place.path()).unwrap());
        assert_eq!(fs::read_to_string(kept).unwrap(), "kept");
        assert!(names(place.path()).iter().all(|name| !name.contains("dead")));
    }
}

//! List of the files of a fetched entry with their SHA-256, by which damaged or
//! removed files are detected.
//!
//! One line per file: SHA-256 and path, separated by a tab.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::lock::checksum;
use crate::Result;

/// State of a fetched entry.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum State {
    Absent,
    Whole,
    /// Damaged, for this reason.
    Damaged(String),
}

impl State {
    /// Compares all files of a folder with the list.
    pub(super) fn of(folder: &Path, list: &Path) -> Self {
        if !folder.exists() {
            return Self::Absent;
        }
        let Ok(list) = fs::read_to_string(list) else { return Self::Damaged("nothing says what was in it".into()) };
        for line in list.lines() {
            let Some((recorded, path)) = line.split_once('\t') else { return Self::Damaged("its list is".into()) };
            match checksum(&folder.join(path)) {
                Ok(checksum) if checksum == recorded => {}
                Ok(_) => return Self::Damaged(format!("{path} is not what it was")),
                Err(error) => return Self::Damaged(format!("{path}: {error}")),
            }
        }
        Self::Whole
    }
}

/// Writes the list of all files of a folder.
pub(super) fn record(folder: &Path, list: &Path) -> Result {
    let mut files = files(folder)?;
    files.sort();
    let mut text = String::new();
    for path in files {
        let inside = path.strip_prefix(folder)?.to_str().ok_or("a path is not UTF-8")?;
        text.push_str(&format!("{}\t{inside}\n", checksum(&path)?));
    }
    let beside = list.with_extension("new");
    fs::write(&beside, text)?;
    Ok(fs::rename(beside, list)?)
}

fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let (mut files, mut open) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() { open.push(entry.path()) } else { files.push(entry.path()) }
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_damaged_or_removed_is_seen() {
        let root = std::env::temp_dir().join(format!("xtask-contents-{}", std::process::id()));
        let (folder, list) = (root.join("thing"), root.join(".thing.sha256"));
        assert_eq!(State::of(&folder, &list), State::Absent);
        fs::create_dir_all(folder.join("a/b")).unwrap();
        fs::write(folder.join("a/b/c"), "contents").unwrap();
        fs::write(folder.join("d"), "").unwrap();
        assert!(matches!(State::of(&folder, &list), State::Damaged(_)), "nothing was recorded");
        record(&folder, &list).unwrap();
        assert_eq!(State::of(&folder, &list), State::Whole);
        fs::write(folder.join("a/b/c"), "content").unwrap();
        assert_eq!(State::of(&folder, &list), State::Damaged("a/b/c is not what it was".into()));
        fs::write(folder.join("a/b/c"), "contents").unwrap();
        fs::remove_file(folder.join("d")).unwrap();
        assert!(matches!(State::of(&folder, &list), State::Damaged(reason) if reason.starts_with("d: ")));
        fs::remove_dir_all(root).unwrap();
    }
}

//! `fixtures/manifest.lock`: checksums of downloaded files.
//!
//! One line per file: entry, file, SHA-256, separated by tabs.

use std::{
    collections::BTreeMap,
    fs,
    io::Read,
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};

use crate::Result;

pub(super) struct Lock {
    path: PathBuf,
    checksums: BTreeMap<(String, String), String>,
}

impl Lock {
    pub(super) fn read(path: &Path) -> Result<Self> {
        let text = if path.exists() { fs::read_to_string(path)? } else { String::new() };
        let mut checksums = BTreeMap::new();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let fields: Vec<_> = line.split('\t').collect();
            let [entry, file, checksum] = fields.as_slice() else {
                return Err(format!("{}: {line:?} are no three fields", path.display()).into());
            };
            checksums.insert(((*entry).to_owned(), (*file).to_owned()), (*checksum).to_owned());
        }
        Ok(Self { path: path.into(), checksums })
    }

    /// Compares the checksums of the files of an entry with the recorded ones.
    /// Missing ones are added, to be written by [`write`](Self::write).
    pub(super) fn check(&mut self, entry: &str, files: &[(String, String)], newest: bool) -> Result {
        if newest {
            // The recorded checksums may be those of an older version.
            self.checksums.retain(|(of, _), _| of != entry);
        }
        for (file, checksum) in files {
            let recorded = self.checksums.entry((entry.into(), file.clone())).or_insert_with(|| checksum.clone());
            if recorded != checksum {
                return Err(format!("{file} has the SHA-256 {checksum}, {recorded} was recorded").into());
            }
        }
        Ok(())
    }

    /// Rewrites the file.
    pub(super) fn write(&self) -> Result {
        let mut text = "# What `cargo xtask fetch-fixtures` has downloaded: entry, file, SHA-256.\n".to_owned();
        for ((entry, file), checksum) in &self.checksums {
            text.push_str(&format!("{entry}\t{file}\t{checksum}\n"));
        }
        let beside = self.path.with_extension("lock.new");
        fs::write(&beside, text)?;
        Ok(fs::rename(beside, &self.path)?)
    }
}

pub(super) fn checksum(path: &Path) -> Result<String> {
    let mut file = fs::File::open(path)?;
    let (mut digest, mut buffer) = (Sha256::new(), vec![0; 1 << 20]);
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect()),
            read => digest.update(buffer.get(..read).unwrap_or_default()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_recorded_is_enforced_but_for_the_newest() {
        let folder = std::env::temp_dir().join(format!("xtask-lock-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join("manifest.lock");
        let files = |list: &[(&str, &str)]| -> Vec<(String, String)> {
            list.iter().map(|&(file, checksum)| (file.into(), checksum.into())).collect()
        };
        let mut lock = Lock::read(&path).unwrap();
        lock.check("one", &files(&[("b.deb", "12")]), false).unwrap();
        lock.check("two", &files(&[("c.deb", "34"), ("d.deb", "56")]), true).unwrap();
        assert!(!path.exists(), "nothing is written before that is asked for");
        lock.write().unwrap();
        let mut lock = Lock::read(&path).unwrap();
        lock.check("one", &files(&[("b.deb", "12")]), false).unwrap();
        assert!(lock.check("one", &files(&[("b.deb", "13")]), false).is_err());
        lock.check("two", &files(&[("d.deb", "78")]), true).unwrap();
        lock.write().unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().skip(1).collect::<Vec<_>>(), ["one\tb.deb\t12", "two\td.deb\t78"]);
        fs::write(&path, "one\n").unwrap();
        assert!(Lock::read(&path).is_err());
        fs::remove_dir_all(folder).unwrap();
    }
}

//! Index of the files and links of an archive, by path.

use std::sync::Arc;

use crate::{Entry, Error, links::Links};

/// Maximum cost of the paths through links, as a multiple of the cost of the
/// paths and links of the archive itself, plus a constant for small archives.
/// (In btfhub-archive, each kernel has at most three paths.)
const OVER_LINKS: usize = 8;
const OVER_LINKS_FREE: usize = 1 << 20;

/// Cost of a path besides its bytes.
const PLACE: usize = 64;

/// Files and links of an archive.
#[derive(Debug, Default)]
pub(crate) struct Index {
    /// Files of kernels: path, and size in the archive. Sorted by
    /// [`Index::finish`].
    files: Vec<(Arc<str>, u64)>,
    /// Links to files or folders of the archive.
    links: Links,
    /// Cost of all paths of `files`.
    bytes: usize,
}

/// File of a kernel, by one of its paths.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Place {
    /// Path that names the kernel, possibly through links.
    pub(crate) path: Arc<str>,
    /// Path of the file.
    pub(crate) file: Arc<str>,
}

impl Place {
    pub(crate) fn is_link(&self) -> bool {
        self.path != self.file
    }
}

impl Index {
    /// Adds a file, if it belongs to a kernel.
    pub(crate) fn file(&mut self, path: &str, size: u64) {
        // (The rest of the name is parsed later.)
        if path.contains(".btf") || path.contains("vmlinux-") {
            self.bytes += path.len() + PLACE;
            self.files.push((path.into(), size));
        }
    }

    pub(crate) fn link(&mut self, path: &str, target: &str) -> Result<(), Error> {
        self.links.add(path, target)
    }

    /// Sorts the files, and rejects duplicates.
    pub(crate) fn finish(mut self) -> Result<Self, Error> {
        self.files.sort_unstable();
        let twice = self.files.iter().zip(self.files.iter().skip(1)).find(|(one, other)| one.0 == other.0);
        match twice {
            Some(((path, _), _)) => Err(Error::Refused { member: (**path).into(), reason: "there twice" }),
            None => Ok(self),
        }
    }

    /// Returns the size of a file in the archive; `None` if it does not exist.
    pub(crate) fn size(&self, path: &str) -> Option<u64> {
        self.find(path).map(|(_, size)| *size)
    }

    fn find(&self, path: &str) -> Option<&(Arc<str>, u64)> {
        let at = self.files.binary_search_by(|(file, _)| (**file).cmp(path)).ok()?;
        self.files.get(at)
    }

    /// Returns the paths of kernels, including those through links, sorted.
    /// `is_wanted` filters by the last component.
    ///
    /// # Errors
    ///
    /// [`Error::Limit`] if links to links multiply the files of a small
    /// archive.
    pub(crate) fn places(&self, is_wanted: impl Fn(&str) -> bool) -> Result<Vec<Place>, Error> {
        let is_wanted = |path: &str| is_wanted(path.rsplit('/').next().unwrap_or(path)) && Entry::parse(path).is_some();
        let wanted: Vec<&Arc<str>> = self.files.iter().map(|(path, _)| path).filter(|path| is_wanted(path)).collect();
        let mut places: Vec<Place> =
            wanted.iter().map(|&path| Place { path: Arc::clone(path), file: Arc::clone(path) }).collect();
        let most = OVER_LINKS_FREE + OVER_LINKS * (self.bytes + self.links.bytes());
        let mut left = most;
        let mut spend = |bytes: usize| {
            left = left.checked_sub(bytes).ok_or(())?;
            Ok(())
        };
        let too_many = |()| Error::Limit { what: "bytes in paths over links", limit: most as u64 };
        for (link, target) in self.links.resolved() {
            spend(link.len() + target.len() + PLACE).map_err(too_many)?;
            if let Some((file, _)) = self.find(&target) {
                if is_wanted(link) {
                    places.push(Place { path: link.into(), file: Arc::clone(file) });
                }
                continue;
            }
            let folder = format!("{target}/");
            let first = wanted.partition_point(|file| ***file < *folder);
            for &file in wanted.iter().skip(first) {
                let Some(inside) = file.strip_prefix(&folder) else { break };
                spend(link.len() + 1 + inside.len() + PLACE).map_err(too_many)?;
                let path = format!("{link}/{inside}");
                if is_wanted(&path) {
                    places.push(Place { path: path.into(), file: Arc::clone(file) });
                }
            }
        }
        places.sort_unstable();
        places.dedup();
        Ok(places)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_other_paths_of_the_same_files() {
        let mut index = Index::default();
        for path in ["ubuntu/20.04/x86_64/5.4.btf", "ubuntu/20.04/arm64/5.4.btf", "debian/10/x86_64/4.19.btf"] {
            index.file(path, 1);
        }
        index.file("README.md", 1);
        for (link, target) in [
            ("ubuntu/focal", "ubuntu/20.04"),
            ("ubuntu/old", "ubuntu/focal"),
            ("debian/10/x86_64/4.20.btf", "debian/10/x86_64/4.19.btf"),
            ("loop", "loop"),
            ("a/b", "a/c"),
            ("a/c", "a/b"),
            ("dangling", "nowhere"),
            ("README.link", "README.md"),
        ] {
            index.link(link, target).unwrap();
        }
        let mut index = index.finish().unwrap();
        let paths: Vec<_> = index
            .places(|_| true)
            .unwrap()
            .into_iter()
            .map(|place| (place.path.to_string(), place.file.to_string()))
            .collect();
        let focal =
            |link: &str, arch: &str| (format!("ubuntu/{link}/{arch}/5.4.btf"), format!("ubuntu/20.04/{arch}/5.4.btf"));
        let own = |path: &str| (path.to_owned(), path.to_owned());
        let expected = [
            own("debian/10/x86_64/4.19.btf"),
            ("debian/10/x86_64/4.20.btf".into(), "debian/10/x86_64/4.19.btf".into()),
            own("ubuntu/20.04/arm64/5.4.btf"),
            own("ubuntu/20.04/x86_64/5.4.btf"),
            focal("focal", "arm64"),
            focal("focal", "x86_64"),
            focal("old", "arm64"),
            focal("old", "x86_64"),
        ];
        assert_eq!(paths, expected);
        assert_eq!(index.places(|file| file.starts_with("4.")).unwrap().len(), 2);
        index.file("ubuntu/20.04/x86_64/5.4.btf", 2);
        assert!(index.finish().is_err(), "twice");
    }
    /// An index of this many files in one folder, and links to it.
    fn product(files: usize, links: usize) -> Index {
        let mut index = Index::default();
        for n in 0..files {
            index.file(&format!("d/9/x86_64/{n}.btf"), 1);
        }
        for n in 0..links {
            index.link(&format!("d/{}", n + 10), "d/9").unwrap();
        }
        index.finish().unwrap()
    }

    #[test]
    fn files_times_links_is_an_error_and_not_memory() {
        let places = |files, links| product(files, links).places(|_| true).map(|places| places.len());
        // More than in a real archive.
        assert_eq!(places(4000, 8).unwrap(), 4000 * 9);
        assert!(matches!(places(8000, 4000), Err(Error::Limit { what: "bytes in paths over links", .. })));
        // One release is found without visiting the others.
        let one = product(8000, 4000).places(|file| file.starts_with("77.")).unwrap();
        assert_eq!(one.len(), 4001);
    }
}

//! What is in an archive: files and links, by their paths.

use std::collections::BTreeMap;

use crate::{Entry, Error};

/// As often a link may lead to another.
const HOPS: usize = 8;

/// As many links are followed in all: real archives have a dozen.
const LINKS: usize = 4096;

/// The files and links of an archive.
#[derive(Debug, Clone, Default)]
pub(crate) struct Index {
    /// The kernels' files: path, and size in the archive. In order, once
    /// [`Index::finish`] was called.
    files: Vec<(String, u64)>,
    /// Links to files or folders of the archive.
    links: BTreeMap<String, String>,
}

/// A kernel's file, by one of its paths.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    /// The path that says which kernel it is, over links if there are any.
    pub(crate) path: String,
    /// The file's own.
    pub(crate) file: String,
}

impl Place {
    pub(crate) fn is_link(&self) -> bool {
        self.path != self.file
    }
}

impl Index {
    /// Adds a file, if it is a kernel's.
    pub(crate) fn file(&mut self, path: &str, size: u64) {
        // (What it is named after is looked at when it matters.)
        if path.contains(".btf") {
            self.files.push((path.to_owned(), size));
        }
    }

    /// When all is in it: sorts; no file may be there twice.
    pub(crate) fn finish(mut self) -> Result<Self, Error> {
        self.files.sort_unstable();
        let twice = self.files.iter().zip(self.files.iter().skip(1)).find(|(one, other)| one.0 == other.0);
        match twice {
            Some(((path, _), _)) => Err(Error::Refused { member: path.clone(), what: "there twice" }),
            None => Ok(self),
        }
    }

    pub(crate) fn link(&mut self, path: &str, target: String) -> Result<(), Error> {
        if self.links.len() >= LINKS {
            return Err(Error::Limit { what: "links in the archive", limit: LINKS as u64 });
        }
        if self.links.insert(path.to_owned(), target).is_some() {
            return Err(Error::Refused { member: path.into(), what: "there twice" });
        }
        Ok(())
    }

    /// The size of a file in the archive; `None` if there is none.
    pub(crate) fn size(&self, path: &str) -> Option<u64> {
        let at = self.files.binary_search_by(|(file, _)| file.as_str().cmp(path)).ok()?;
        self.files.get(at).map(|(_, size)| *size)
    }

    /// The places of kernels, also over links, sorted by path: those whose path
    /// is wanted.
    pub(crate) fn places(&self, is_wanted: impl Fn(&str) -> bool) -> Vec<Place> {
        let is_kernel = |path: &str| is_wanted(path) && Entry::parse(path).is_some();
        let own = self.files.iter().map(|(path, _)| path).filter(|path| is_kernel(path));
        let mut places: Vec<Place> = own.map(|path| Place { path: path.clone(), file: path.clone() }).collect();
        for link in self.links.keys() {
            let Some(target) = self.resolve(link) else { continue };
            if self.size(&target).is_some() && is_kernel(link) {
                places.push(Place { path: link.clone(), file: target });
                continue;
            }
            let folder = format!("{target}/");
            let first = self.files.partition_point(|(file, _)| *file < folder);
            let inside = self.files.iter().skip(first).map(|(file, _)| file);
            for file in inside.take_while(|file| file.starts_with(&folder)) {
                let path = format!("{link}/{}", file.strip_prefix(&folder).unwrap_or_default());
                if is_kernel(&path) {
                    places.push(Place { path, file: file.clone() });
                }
            }
        }
        places.sort();
        places.dedup();
        places
    }

    /// Where a path leads, through links in all of its parts; `None` if that is
    /// too far.
    fn resolve(&self, path: &str) -> Option<String> {
        let mut path = path.to_owned();
        for _ in 0..HOPS {
            let ends = path.match_indices('/').map(|(at, _)| at).chain([path.len()]);
            let link = ends.into_iter().find_map(|end| {
                let (start, rest) = path.split_at(end);
                self.links.get(start).map(|target| format!("{target}{rest}"))
            });
            match link {
                Some(next) => path = next,
                None => return Some(path),
            }
        }
        None
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
            index.link(link, target.into()).unwrap();
        }
        let mut index = index.finish().unwrap();
        let paths: Vec<_> = index.places(|_| true).into_iter().map(|place| (place.path, place.file)).collect();
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
        assert_eq!(index.places(|path| path.contains("focal/arm64")).len(), 1);
        index.file("ubuntu/20.04/x86_64/5.4.btf", 2);
        assert!(index.finish().is_err(), "twice");
    }
}

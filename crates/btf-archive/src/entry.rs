//! A kernel in an archive: which it is, by its path.
//!
//! `<distribution>/<version>/<machine>/<release>.btf`, then `.tar`, then what it
//! is compressed with, each or neither. Before that may be any folders, such as
//! `btfhub-archive/`; older archives have no machine, or a folder `nobpf` in its
//! place, and some kernels of Amazon Linux 1 have no folder of a distribution.

use std::fmt;

use crate::machine;

/// A kernel, as the path of its BTF names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub struct Entry<'a> {
    /// The distribution, as its folder is named: `ubuntu`, `ol`; empty if there
    /// is no such folder.
    pub distribution: &'a str,
    /// Version of the distribution: `20.04`, `8`, `bullseye`.
    pub version: &'a str,
    /// The machine: `x86_64`, `arm64`; `None` in older archives.
    pub machine: Option<&'a str>,
    /// The kernel release: `5.4.0-42-generic`.
    pub release: &'a str,
}

impl<'a> Entry<'a> {
    /// Parses a path with `/` between its parts; `None` if it does not name a
    /// kernel.
    #[must_use]
    pub fn parse(path: &'a str) -> Option<Self> {
        let (folders, file) = path.rsplit_once('/')?;
        let release = release_of(file)?;
        let mut folders = folders.rsplit('/').filter(|folder| !matches!(*folder, "." | ""));
        let last = folders.next()?;
        let (machine, version) = match last {
            "nobpf" => (None, folders.next()?),
            last if machine::is_one(last) => (Some(last), folders.next()?),
            version => (None, version),
        };
        let folder = folders.next().filter(|folder| !ROOTS.contains(folder)).unwrap_or_default();
        let distribution = if release.contains(AMAZON_RELEASE) { AMAZON } else { folder };
        Some(Self { distribution, version, machine, release })
    }
}

impl fmt::Display for Entry<'_> {
    /// The path, as a bundle has it, without an ending.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { distribution, version, machine, release } = self;
        for folder in
            [Some(*distribution).filter(|text| !text.is_empty()), Some(*version), *machine].into_iter().flatten()
        {
            write!(f, "{folder}/")?;
        }
        f.write_str(release)
    }
}

/// Amazon Linux. Whatever folder its kernels are in, none but it builds such
/// releases.
pub(crate) const AMAZON: &str = "amzn";
const AMAZON_RELEASE: &str = ".amzn";

/// Folders that archives are in, and no distributions.
const ROOTS: [&str; 4] = ["btfhub-archive", "btfhub", "custom-archive", "dist"];

/// Endings of what is compressed.
const COMPRESSED: [&str; 7] = [".xz", ".gz", ".zst", ".bz2", ".lz4", ".lzma", ".zstd"];

/// The release in a file's name.
pub(crate) fn release_of(file: &str) -> Option<&str> {
    let name = COMPRESSED.iter().find_map(|ending| file.strip_suffix(ending)).unwrap_or(file);
    let name = name.strip_suffix(".tar").unwrap_or(name);
    name.strip_suffix(".btf").filter(|release| !release.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_archives_old_and_new() {
        for (path, expected) in [
            (
                "ubuntu/20.04/x86_64/5.4.0-42-generic.btf.tar.xz",
                Some(("ubuntu", "20.04", Some("x86_64"), "5.4.0-42-generic")),
            ),
            (
                "./btfhub-archive/ol/8/arm64/4.18.0-80.el8.aarch64.btf",
                Some(("ol", "8", Some("arm64"), "4.18.0-80.el8.aarch64")),
            ),
            ("a/b/debian/10/arm64/4.19.0-17-arm64.btf.zst", Some(("debian", "10", Some("arm64"), "4.19.0-17-arm64"))),
            ("centos/7/nobpf/3.10.0-1062.1.2.el7.btf.tar.xz", Some(("centos", "7", None, "3.10.0-1062.1.2.el7"))),
            ("centos/7/3.10.0-1062.el7.btf.gz", Some(("centos", "7", None, "3.10.0-1062.el7"))),
            (
                "1/x86_64/4.14.101-75.76.amzn1.x86_64.btf.tar.xz",
                Some(("amzn", "1", Some("x86_64"), "4.14.101-75.76.amzn1.x86_64")),
            ),
            (
                "btfhub-archive-main/1/x86_64/4.14.101-75.76.amzn1.x86_64.btf.tar.xz",
                Some(("amzn", "1", Some("x86_64"), "4.14.101-75.76.amzn1.x86_64")),
            ),
            ("1/x86_64/5.4.btf", Some(("", "1", Some("x86_64"), "5.4"))),
            ("amzn/1/x86_64/4.btf", Some(("amzn", "1", Some("x86_64"), "4"))),
            ("5.4.0.btf", None),
            ("ubuntu/20.04/x86_64/README.md", None),
            ("ubuntu/20.04/x86_64/.btf", None),
            ("package.json", None),
            ("", None),
        ] {
            let found = Entry::parse(path);
            let found = found.map(|entry| (entry.distribution, entry.version, entry.machine, entry.release));
            assert_eq!(found, expected, "{path}");
        }
        let entry = Entry::parse("x/ol/8/arm64/4.18.btf.tar.xz").unwrap();
        assert_eq!(entry.to_string(), "ol/8/arm64/4.18");
    }
}

//! A kernel in an archive: which it is, by its path.
//!
//! `<distribution>/<version>/<machine>/<release>.btf`, then `.tar`, then what it
//! is compressed with, each or neither. Before that may be any folders, such as
//! `btfhub-archive/`; older archives have no machine, or a folder `nobpf` in its
//! place, and some kernels of Amazon Linux 1 have no folder of a distribution.
//! In a folder of one's own kernels, `<release>.btf` or `vmlinux-<release>` is all
//! there is.

use std::fmt;

use crate::machine;

/// A kernel, as the path of its BTF names it.
///
/// ```
/// # fn main() -> Result<(), btf_archive::Error> {
/// use btf_archive::Entry;
///
/// let entry = Entry::parse("ubuntu/20.04/arm64/5.4.0-42-generic.btf.tar.xz").unwrap();
/// assert_eq!((entry.distribution, entry.version), ("ubuntu", "20.04"));
/// assert_eq!((entry.machine, entry.release), (Some("arm64"), "5.4.0-42-generic"));
/// assert!(Entry::parse("README.md").is_none());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub struct Entry<'a> {
    /// The distribution, as its folder is named: `ubuntu`, `ol`; empty if there
    /// is no such folder.
    pub distribution: &'a str,
    /// Version of the distribution: `20.04`, `8`, `bullseye`; empty if there is
    /// no such folder.
    pub version: &'a str,
    /// The machine: `x86_64`, `arm64`; `None` in older archives, and where there
    /// is no folder of a distribution.
    pub machine: Option<&'a str>,
    /// The kernel release: `5.4.0-42-generic`.
    pub release: &'a str,
}

impl<'a> Entry<'a> {
    /// Parses a path with `/` between its parts; `None` if it does not name a
    /// kernel.
    #[must_use]
    pub fn parse(path: &'a str) -> Option<Self> {
        let (folders, file) = path.rsplit_once('/').unwrap_or(("", path));
        let release = release_of(file)?;
        let folders = folders.rsplit('/').filter(|folder| !matches!(*folder, "." | ""));
        let mut folders = folders.take_while(|folder| !ROOTS.contains(folder));
        let last = folders.next().unwrap_or_default();
        let (machine, version) = match last {
            "nobpf" => (None, folders.next().unwrap_or_default()),
            last if machine::is_one(last) => (Some(last), folders.next().unwrap_or_default()),
            version => (None, version),
        };
        // Without a folder, not all that is named like BTF is a kernel's.
        if version.is_empty() && !starts_with_digit(release) {
            return None;
        }
        let folder = folders.next().unwrap_or_default();
        let distribution = if release.contains(AMAZON_RELEASE) { AMAZON } else { folder };
        Some(Self { distribution, version, machine, release })
    }

    /// Returns `true` if nothing says of which distribution the kernel is.
    pub(crate) fn is_bare(&self) -> bool {
        self.distribution.is_empty() && self.version.is_empty()
    }
}

impl fmt::Display for Entry<'_> {
    /// The path, as a bundle has it, without an ending.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { distribution, version, machine, release } = self;
        let folders = [*distribution, *version, machine.unwrap_or_default()];
        folders.iter().filter(|folder| !folder.is_empty()).try_for_each(|folder| write!(f, "{folder}/"))?;
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
    let without_ending = name.strip_suffix(".btf");
    let of_vmlinux = without_ending.unwrap_or(name).strip_prefix("vmlinux-");
    of_vmlinux.filter(|release| starts_with_digit(release)).or(without_ending).filter(|release| !release.is_empty())
}

/// Returns `true` for what can be a release, if it may be anything.
fn starts_with_digit(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit())
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
            ("5.4.0.btf", Some(("", "", None, "5.4.0"))),
            ("./5.4.0-42-generic.btf.tar.xz", Some(("", "", None, "5.4.0-42-generic"))),
            ("btfhub-archive/5.4.0.btf", Some(("", "", None, "5.4.0"))),
            ("btfhub-archive/arm64/5.4.0.btf", Some(("", "", Some("arm64"), "5.4.0"))),
            ("vmlinux-5.4.0-42-generic", Some(("", "", None, "5.4.0-42-generic"))),
            ("vmlinux-5.4.0-42-generic.btf.gz", Some(("", "", None, "5.4.0-42-generic"))),
            ("metadata/vmlinux-5.4.0", Some(("", "metadata", None, "5.4.0"))),
            ("vmlinux-old.btf", None),
            ("vmlinux.btf", None),
            ("vmlinux", None),
            ("5.4.0", None),
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
        assert_eq!(Entry::parse("./vmlinux-4.18.btf").unwrap().to_string(), "4.18");
    }
}

//! Kernels in an archive, named by their paths.
//!
//! A path is `<distribution>/<version>/<machine>/<release>.btf`, optionally
//! followed by `.tar`, and by the ending of a compression. Other folders, such
//! as `btfhub-archive/`, may precede it. Older archives have no machine, or a
//! folder `nobpf` in its place, and some kernels of Amazon Linux 1 have no
//! folder of a distribution. A folder of your own kernels may have just
//! `<release>.btf` or `vmlinux-<release>`.

use std::fmt;

use crate::machine;

/// Kernel named by the path of its BTF.
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
    /// Distribution, as its folder is named: `ubuntu`, `ol`; empty without such
    /// a folder.
    pub distribution: &'a str,
    /// Version of the distribution: `20.04`, `8`, `bullseye`; empty without
    /// such a folder.
    pub version: &'a str,
    /// Machine: `x86_64`, `arm64`; `None` in older archives, and without a
    /// folder of a distribution.
    pub machine: Option<&'a str>,
    /// Kernel release: `5.4.0-42-generic`.
    pub release: &'a str,
}

impl<'a> Entry<'a> {
    /// Parses a path with `/` between its components; `None` if it does not
    /// name a kernel.
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
        // Without a folder, not every file named like BTF belongs to a kernel.
        if version.is_empty() && !starts_with_digit(release) {
            return None;
        }
        let folder = folders.next().unwrap_or_default();
        let distribution = if release.contains(AMAZON_RELEASE) { AMAZON } else { folder };
        Some(Self { distribution, version, machine, release })
    }

    /// Returns `true` if the path has no distribution.
    pub(crate) fn is_bare(&self) -> bool {
        self.distribution.is_empty() && self.version.is_empty()
    }
}

impl fmt::Display for Entry<'_> {
    /// Writes the path that the kernel has in a bundle, without an ending.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { distribution, version, machine, release } = self;
        let folders = [*distribution, *version, machine.unwrap_or_default()];
        folders.iter().filter(|folder| !folder.is_empty()).try_for_each(|folder| write!(f, "{folder}/"))?;
        f.write_str(release)
    }
}

/// Amazon Linux. Only it builds such releases, whatever the folder of its
/// kernels.
pub(crate) const AMAZON: &str = "amzn";
const AMAZON_RELEASE: &str = ".amzn";

/// Folders of archives that are not distributions.
const ROOTS: [&str; 4] = ["btfhub-archive", "btfhub", "custom-archive", "dist"];

/// Endings of compressed files.
const COMPRESSED: [&str; 7] = [".xz", ".gz", ".zst", ".bz2", ".lz4", ".lzma", ".zstd"];

/// Returns the release in a file name.
pub(crate) fn release_of(file: &str) -> Option<&str> {
    let name = COMPRESSED.iter().find_map(|ending| file.strip_suffix(ending)).unwrap_or(file);
    let name = name.strip_suffix(".tar").unwrap_or(name);
    let without_ending = name.strip_suffix(".btf");
    let of_vmlinux = without_ending.unwrap_or(name).strip_prefix("vmlinux-");
    of_vmlinux.filter(|release| starts_with_digit(release)).or(without_ending).filter(|release| !release.is_empty())
}

/// Returns `true` for a text that begins like a release.
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

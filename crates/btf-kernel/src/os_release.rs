//! `os-release`: the distribution of a system.
//!
//! Source: os-release(5). The file is a list of shell assignments without
//! expansions. A value may be in single or double quotes. In double quotes, a
//! backslash escapes `"`, `$`, `` ` `` and itself. Lines that begin with `#`
//! are comments, and the last assignment of a name counts.

use std::{collections::BTreeMap, convert::Infallible, str::FromStr};

use crate::Root;

/// Maximum size of the file, in bytes.
const LIMIT: u64 = 1 << 20;

/// Contents of `os-release`.
///
/// ```
/// # fn main() -> Result<(), btf_kernel::Error> {
/// use btf_kernel::OsRelease;
///
/// let release = OsRelease::parse(b"ID=ubuntu\nID_LIKE=debian\nVERSION_ID=\"20.04\"\n");
/// assert_eq!((release.id(), release.version_id()), (Some("ubuntu"), Some("20.04")));
/// assert!(release.id_like().eq(["debian"]));
/// assert_eq!(release.get("VERSION_CODENAME"), None);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct OsRelease(BTreeMap<String, String>);

impl OsRelease {
    /// Parses the contents of the file. Lines that are not assignments are
    /// skipped, and invalid UTF-8 is replaced.
    #[must_use]
    pub fn parse(text: &[u8]) -> Self {
        let text = String::from_utf8_lossy(text);
        Self(text.split(['\n', '\r']).filter_map(assignment).collect())
    }

    /// Reads `/etc/os-release` of a system, else `/usr/lib/os-release`. Empty
    /// if both are missing or larger than 1 MiB.
    #[must_use]
    pub fn of(root: &Root) -> Self {
        let read = |path| root.read_within(path, LIMIT);
        let text = read("/etc/os-release").or_else(|_| read("/usr/lib/os-release"));
        text.map(|text| Self::parse(&text)).unwrap_or_default()
    }

    /// Value of a variable; `None` if it is not set, or empty.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// `ID`, in lower case: `debian`, `rhel`.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.get("ID")
    }

    /// `ID_LIKE`: the distributions that it is derived from, nearest first.
    pub fn id_like(&self) -> impl Iterator<Item = &str> {
        self.get("ID_LIKE").unwrap_or_default().split_ascii_whitespace()
    }

    /// `VERSION_ID`: `12`, `8.6`. Rolling distributions have none.
    #[must_use]
    pub fn version_id(&self) -> Option<&str> {
        self.get("VERSION_ID")
    }

    /// `VERSION_CODENAME`: `bookworm`, `focal`.
    #[must_use]
    pub fn version_codename(&self) -> Option<&str> {
        self.get("VERSION_CODENAME")
    }
}

impl FromStr for OsRelease {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self::parse(text.as_bytes()))
    }
}

fn assignment(line: &str) -> Option<(String, String)> {
    let line = line.trim();
    let (name, value) = line.split_once('=').filter(|_| !line.starts_with('#'))?;
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let starts_well = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    (starts_well && name.chars().all(is_name)).then(|| (name.to_owned(), unquoted(value)))
}

/// Returns a value without its quotes, up to an unquoted space.
fn unquoted(text: &str) -> String {
    let mut value = String::new();
    let mut quote = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), c) if c == open => quote = None,
            (None, '\\') => value.extend(chars.next()),
            (Some('"'), '\\') => match chars.next() {
                Some(c @ ('"' | '$' | '`' | '\\')) => value.push(c),
                Some(c) => value.extend(['\\', c]),
                None => value.push('\\'),
            },
            (None, c) if c.is_whitespace() => break,
            (_, c) => value.push(c),
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_escapes_comments_and_what_comes_last() {
        let text = "# a comment\nID=debian\n  VERSION_ID=\"12\"\nNAME='De\"bian\\n'\nPRETTY_NAME=\"a \\\"b\\\" \\$c \\\\ \\d\"\n\
            ID_LIKE=\"rhel centos  fedora\"\nEMPTY=\nHALF=\"open\nSPACE=a b\nESC=a\\ b\nno assignment\n1X=2\nA B=c\nJOIN=a\"b\"'c'\n\
            #ID=commented\nID=last\nVERSION_CODENAME=bookworm";
        let parsed = OsRelease::parse(text.as_bytes());
        assert_eq!((parsed.id(), parsed.version_id()), (Some("last"), Some("12")));
        assert_eq!(parsed.version_codename(), Some("bookworm"));
        assert_eq!(parsed.get("NAME"), Some("De\"bian\\n"));
        assert_eq!(parsed.get("PRETTY_NAME"), Some("a \"b\" $c \\ \\d"));
        assert_eq!(parsed.id_like().collect::<Vec<_>>(), ["rhel", "centos", "fedora"]);
        assert_eq!((parsed.get("EMPTY"), parsed.get("HALF")), (None, Some("open")));
        assert_eq!((parsed.get("SPACE"), parsed.get("ESC"), parsed.get("JOIN")), (Some("a"), Some("a b"), Some("abc")));
        assert_eq!((parsed.get("1X"), parsed.get("A B"), parsed.get("no assignment")), (None, None, None));
        // Windows line ends are accepted too, and nothing is rejected.
        let same: OsRelease = text.replace('\n', "\r\n").parse().unwrap();
        assert_eq!(same, parsed);
        assert_eq!(OsRelease::parse(b"ID=\xff\xfe\n\0=\n").id(), Some("\u{fffd}\u{fffd}"));
        assert_eq!(OsRelease::parse(b""), OsRelease::default());
    }

    #[test]
    fn etc_goes_before_usr_lib() {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::new(folder.path());
        assert_eq!(OsRelease::of(&root), OsRelease::default());
        std::fs::create_dir_all(folder.path().join("usr/lib")).unwrap();
        std::fs::write(folder.path().join("usr/lib/os-release"), "ID=usr").unwrap();
        assert_eq!(OsRelease::of(&root).id(), Some("usr"));
        std::fs::create_dir_all(folder.path().join("etc")).unwrap();
        std::os::unix::fs::symlink("/usr/lib/other", folder.path().join("etc/os-release")).unwrap();
        assert_eq!(OsRelease::of(&root).id(), Some("usr"), "a link that leads nowhere");
        std::fs::write(folder.path().join("usr/lib/other"), "ID=etc").unwrap();
        assert_eq!(OsRelease::of(&root).id(), Some("etc"));
    }
}

//! Version numbers of Linux.

use core::{fmt, str::FromStr};

/// Version of a Linux kernel: `6.18`, or `5.10.234` with a patch level.
///
/// Versions are ordered by age. The kernel of a distribution has the number of
/// the version that it is based on, but may have features of later ones.
///
/// ```
/// use btf_format::KernelVersion;
///
/// let version: KernelVersion = "5.4.0-42-generic".parse()?;
/// assert_eq!(version, KernelVersion::new(5, 4));
/// assert!(version < "6.18.1".parse()?);
/// # Ok::<_, btf_format::ParseKernelVersionError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KernelVersion {
    major: u16,
    minor: u16,
    patch: u16,
}

impl KernelVersion {
    /// The version `major.minor`, with patch level 0.
    #[must_use]
    pub const fn new(major: u16, minor: u16) -> Self {
        Self { major, minor, patch: 0 }
    }

    /// This version with a patch level.
    #[must_use]
    pub const fn with_patch(self, patch: u16) -> Self {
        Self { patch, ..self }
    }

    /// First number: 6 in `6.18.1`.
    #[must_use]
    pub const fn major(self) -> u16 {
        self.major
    }

    /// Second number: 18 in `6.18.1`.
    #[must_use]
    pub const fn minor(self) -> u16 {
        self.minor
    }

    /// Third number, the patch level: 1 in `6.18.1`, and 0 in `6.18`.
    #[must_use]
    pub const fn patch(self) -> u16 {
        self.patch
    }
}

impl fmt::Display for KernelVersion {
    /// Writes `6.18`, or `6.18.1` if there is a patch level.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { major, minor, patch } = self;
        if *patch == 0 { write!(f, "{major}.{minor}") } else { write!(f, "{major}.{minor}.{patch}") }
    }
}

impl FromStr for KernelVersion {
    type Err = ParseKernelVersionError;

    /// Reads a version (`6.18`) or a release as uname prints it
    /// (`5.4.0-42-generic`): two or three numbers, and any text after them.
    fn from_str(s: &str) -> Result<Self, ParseKernelVersionError> {
        let error = ParseKernelVersionError(());
        let (major, rest) = number(s).ok_or(error)?;
        let (minor, rest) = rest.strip_prefix('.').and_then(number).ok_or(error)?;
        let patch = match rest.strip_prefix('.') {
            Some(rest) if rest.starts_with(|c: char| c.is_ascii_digit()) => number(rest).ok_or(error)?.0,
            _ => 0,
        };
        Ok(Self { major, minor, patch })
    }
}

/// Splits the leading number off a text.
fn number(s: &str) -> Option<(u16, &str)> {
    let end = s.find(|c: char| !c.is_ascii_digit()).unwrap_or(s.len());
    let (digits, rest) = s.split_at_checked(end)?;
    Some((digits.parse().ok()?, rest))
}

/// Error of parsing a [`KernelVersion`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a kernel version, expected one such as 6.18 or 5.4.0-42-generic")]
pub struct ParseKernelVersionError(());

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_are_parsed() {
        for (release, (major, minor, patch)) in [
            ("6.18", (6, 18, 0)),
            ("6.18.44", (6, 18, 44)),
            ("5.4.0-42-generic", (5, 4, 0)),
            ("4.18.0-553.el8_10.x86_64", (4, 18, 0)),
            ("4.9.337+", (4, 9, 337)),
            ("7.2-rc3", (7, 2, 0)),
            ("6.1.x", (6, 1, 0)),
            ("6.1.", (6, 1, 0)),
        ] {
            assert_eq!(release.parse(), Ok(KernelVersion::new(major, minor).with_patch(patch)), "{release}");
        }
        for text in
            ["", "6", "6.", ".6", "v6.1", " 6.1", "+6.1", "6.-1", "6.+1", "65536.0", "6.65536", "6.1.65536", "six"]
        {
            assert!(text.parse::<KernelVersion>().is_err(), "{text}");
        }
    }

    #[test]
    fn versions_print_parse_back_and_are_ordered_by_age() {
        let versions = [(4, 18, 0), (5, 4, 0), (5, 4, 1), (5, 15, 0), (6, 2, 16), (6, 18, 0)]
            .map(|(major, minor, patch)| KernelVersion::new(major, minor).with_patch(patch));
        assert!(versions.is_sorted());
        for version in versions {
            assert_eq!(version.to_string().parse(), Ok(version));
        }
        assert_eq!(KernelVersion::new(6, 18).to_string(), "6.18");
    }
}

//! Other names of distributions and versions.
//!
//! Most archives name a distribution by `ID` of os-release, and its version by
//! `VERSION_ID`, its first number, or its code name.

/// Distributions with another name in archives.
const DISTRIBUTIONS: [(&str, &str); 8] = [
    ("oracle", "ol"),
    ("redhat", "rhel"),
    ("amazon", "amzn"),
    ("suse", "sles"),
    ("sles_sap", "sles"),
    ("sled", "sles"),
    ("opensuse-leap", "opensuse"),
    ("centos-stream", "centos"),
];

/// Distributions that are derived from others, nearest first: the `ID_LIKE`
/// that they have, or should have.
const MADE_FROM: [(&str, &[&str]); 8] = [
    ("almalinux", &["rhel", "centos"]),
    ("rocky", &["rhel", "centos"]),
    ("scientific", &["rhel", "centos"]),
    ("linuxmint", &["ubuntu", "debian"]),
    ("pop", &["ubuntu", "debian"]),
    ("elementary", &["ubuntu", "debian"]),
    ("kali", &["debian"]),
    ("raspbian", &["debian"]),
];

/// Returns the distributions that one is derived from, if known.
pub(crate) fn made_from(distribution: &str) -> &'static [&'static str] {
    MADE_FROM.iter().find(|(made, _)| *made == distribution).map_or(&[], |(_, from)| from)
}

/// Code names of versions, with their distributions and numbers.
const VERSIONS: [(&str, &str, &str); 16] = [
    ("ubuntu", "14.04", "trusty"),
    ("ubuntu", "16.04", "xenial"),
    ("ubuntu", "18.04", "bionic"),
    ("ubuntu", "20.04", "focal"),
    ("ubuntu", "22.04", "jammy"),
    ("ubuntu", "24.04", "noble"),
    ("ubuntu", "26.04", "resolute"),
    ("debian", "8", "jessie"),
    ("debian", "9", "stretch"),
    ("debian", "10", "buster"),
    ("debian", "11", "bullseye"),
    ("debian", "12", "bookworm"),
    ("debian", "13", "trixie"),
    ("debian", "14", "forky"),
    // Amazon Linux 1 has three names, but `1` does not stand for a particular year.
    ("amzn", "2018", "1"),
    ("amzn", "2017", "1"),
];

/// Returns the names that a distribution may have in an archive, its own first.
pub(crate) fn distributions(id: &str) -> Vec<String> {
    let lower = id.to_ascii_lowercase();
    let other = DISTRIBUTIONS.iter().find(|(from, _)| *from == lower).map(|(_, to)| (*to).to_owned());
    let mut names = vec![id.to_owned()];
    names.extend([Some(lower), other].into_iter().flatten());
    dedup(names)
}

/// Returns the names that a version may have in an archive, for a distribution
/// with any of these names.
pub(crate) fn versions_of_any(distributions: &[String], version: Option<&str>, codename: Option<&str>) -> Vec<String> {
    dedup(distributions.iter().flat_map(|distribution| versions(distribution, version, codename)).collect())
}

/// Returns the names that a version may have in an archive, its own first.
pub(crate) fn versions(distribution: &str, version: Option<&str>, codename: Option<&str>) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    names.extend(version.map(Into::into));
    names.extend(version.and_then(|version| version.split_once('.')).map(|(major, _)| major.to_owned()));
    names.extend(codename.map(Into::into));
    for (of, number, name) in VERSIONS.into_iter().filter(|(of, ..)| *of == distribution) {
        if names.iter().any(|known| known == number) {
            names.push(name.into());
        } else if of != "amzn" && names.iter().any(|known| known == name) {
            names.push(number.into());
        }
    }
    dedup(names)
}

fn dedup(names: Vec<String>) -> Vec<String> {
    let mut once: Vec<String> = Vec::new();
    for name in names {
        if !once.contains(&name) {
            once.push(name);
        }
    }
    once
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_distributions_and_versions() {
        assert_eq!(distributions("oracle"), ["oracle", "ol"]);
        assert_eq!(distributions("sles_sap"), ["sles_sap", "sles"]);
        assert_eq!(distributions("debian"), ["debian"]);
        for (distribution, version, codename, expected) in [
            ("rhel", Some("8.6"), None, &["8.6", "8"][..]),
            ("debian", Some("11"), Some("bullseye"), &["11", "bullseye"]),
            ("debian", None, Some("trixie"), &["trixie", "13"]),
            ("ubuntu", Some("20.04"), None, &["20.04", "20", "focal"]),
            ("amzn", Some("2018.03"), None, &["2018.03", "2018", "1"]),
            ("sles", Some("12.5"), None, &["12.5", "12"]),
            ("arch", None, None, &[]),
        ] {
            assert_eq!(versions(distribution, version, codename), expected, "{distribution}");
        }
    }
}

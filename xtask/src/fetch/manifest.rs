//! `fixtures/manifest.toml`: the list of entries to fetch.

use std::{fmt, fs, path::Path};

use toml::{Table, Value};

use crate::Result;

/// Entry to fetch.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) origin: Origin,
    /// True to fetch the newest version, for which no checksum can be enforced.
    pub(super) newest: bool,
    /// Files of a package to keep: patterns with `*`, which stands for any
    /// number of characters, including slashes.
    pub(super) keep: Vec<String>,
    /// True to keep only the BPF objects inside those files.
    pub(super) objects: bool,
}

/// Origin of an entry.
#[derive(Debug, Clone)]
pub(super) enum Origin {
    /// Debian's archive, accessed with the apt client and its sources.
    Debian {
        architecture: String,
        suite: String,
        /// Names of packages, or patterns with `*`, which select the newest
        /// match.
        packages: Vec<String>,
    },
    /// File on the web, at an address that pins its contents.
    Web { url: String },
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Debian { architecture, suite, packages } => {
                write!(f, "Debian {suite} {architecture}: {}", packages.join(" "))
            }
            Self::Web { url } => f.write_str(url),
        }
    }
}

pub(super) fn read(path: &Path) -> Result<Vec<Entry>> {
    let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    parse(&text).map_err(|error| format!("{}: {error}", path.display()).into())
}

fn parse(text: &str) -> Result<Vec<Entry>> {
    let manifest: Table = text.parse()?;
    let mut entries: Vec<Entry> = Vec::new();
    for (kind, list) in &manifest {
        for table in list.as_array().into_iter().flatten() {
            let table = table.as_table().ok_or_else(|| format!("{kind} is no list of tables"))?;
            let entry = entry(kind, table)?;
            if entries.iter().any(|other| other.name == entry.name) {
                return Err(format!("there are two entries {}", entry.name).into());
            }
            entries.push(entry);
        }
    }
    Ok(entries)
}

fn entry(kind: &str, table: &Table) -> Result<Entry> {
    let name = text(table, "name")?;
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | '+');
    if !name.chars().all(is_plain) || name.starts_with('.') || name.is_empty() {
        return Err(format!("{name:?} is no name of a folder").into());
    }
    let origin = match kind {
        "debian" => Origin::Debian {
            architecture: text(table, "architecture")?,
            suite: text(table, "suite")?,
            packages: texts(table, "packages")?,
        },
        "web" => Origin::Web { url: text(table, "url")? },
        _ => return Err(format!("{kind}: nothing is known of such entries").into()),
    };
    let known = ["name", "architecture", "suite", "packages", "url", "newest", "keep", "objects"];
    if let Some(unknown) = table.keys().find(|key| !known.contains(&key.as_str())) {
        return Err(format!("{name}: nothing is known of {unknown}").into());
    }
    let flag = |key| table.get(key).and_then(Value::as_bool).unwrap_or(false);
    let keep = if table.contains_key("keep") { texts(table, "keep")? } else { Vec::new() };
    Ok(Entry { name, origin, newest: flag("newest"), keep, objects: flag("objects") })
}

fn text(table: &Table, key: &str) -> Result<String> {
    let text = table.get(key).and_then(Value::as_str);
    Ok(text.ok_or_else(|| format!("an entry has no {key}, or it is no text"))?.to_owned())
}

fn texts(table: &Table, key: &str) -> Result<Vec<String>> {
    let list = table.get(key).and_then(Value::as_array).ok_or_else(|| format!("an entry has no list {key}"))?;
    list.iter().map(|text| Ok(text.as_str().ok_or_else(|| format!("{key} is no list of texts"))?.to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manifest_of_the_fixtures_can_be_read() {
        let entries = read(&crate::root().join("fixtures/manifest.toml")).unwrap();
        let architectures: Vec<_> = entries
            .iter()
            .filter_map(|entry| match &entry.origin {
                Origin::Debian { architecture, .. } => Some(architecture.as_str()),
                Origin::Web { .. } => None,
            })
            .collect();
        for architecture in ["amd64", "arm64", "s390x"] {
            assert!(architectures.contains(&architecture), "{architecture}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_manifest_is_told() {
        let entry = "[[web]]\nname = \"a\"\nurl = \"u\"\n";
        assert_eq!(parse(entry).unwrap().len(), 1);
        for (text, fault) in [
            ("[[web]]\nname = \"a\"\n", "no url"),
            ("[[web]]\nname = \"../a\"\nurl = \"u\"\n", "no name of a folder"),
            (&format!("{entry}sha = \"0\"\n"), "nothing is known of sha"),
            (&format!("{entry}{entry}"), "two entries a"),
            ("[[ftp]]\nname = \"a\"\n", "nothing is known of such"),
        ] {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.contains(fault), "{error}");
        }
    }
}

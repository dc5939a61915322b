//! Debian packages, downloaded with the machine's own apt client.
//!
//! Packages of any architecture and suite come from the mirror that the machine
//! is configured for. apt gets a separate state folder, so that the machine is
//! not changed. Needs neither root nor dpkg.

use std::{
    cmp::Ordering,
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::Mutex,
    time::Duration,
};

use btf_elf::types::format::glob_matches;

use crate::Result;

/// Maximum age of package lists.
const FRESH: Duration = Duration::from_secs(24 * 60 * 60);

/// Lock held while a state folder is made.
static UPDATE: Mutex<()> = Mutex::new(());

/// Downloads packages into a folder, unless they are already there; returns the files.
pub(super) fn download(
    fetched: &Path,
    folder: &Path,
    architecture: &str,
    suite: &str,
    packages: &[String],
    progress: &dyn Fn(&str),
) -> Result<Vec<PathBuf>> {
    let apt = Apt::new(fetched, architecture, suite)?;
    let names = packages.iter().map(|pattern| apt.newest(pattern)).collect::<Result<Vec<_>>>()?;
    let mut files = Vec::new();
    for name in names {
        let file = match package_file(folder, &name)? {
            Some(file) => file,
            None => {
                progress(&format!("downloading {name}"));
                // A separate folder for downloads, so that `folder` contains
                // only complete files.
                let partial = folder.join("download");
                fs::create_dir_all(&partial)?;
                apt.run("apt-get", &["download", &name], &partial)?;
                let file = package_file(&partial, &name)?.ok_or_else(|| format!("apt did not leave {name}"))?;
                let to = folder.join(file.file_name().unwrap_or_default());
                fs::rename(file, &to)?;
                to
            }
        };
        files.push(file);
    }
    Ok(files)
}

/// Returns the file of a package in a folder.
fn package_file(folder: &Path, name: &str) -> Result<Option<PathBuf>> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let file = super::name_of(&path);
        if file.starts_with(&format!("{name}_")) && file.ends_with(".deb") {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

/// apt client with a separate state folder.
struct Apt {
    options: Vec<String>,
    architecture: String,
    suite: String,
    /// Reason why the lists of packages may be incomplete.
    fault: Option<String>,
}

impl Apt {
    fn new(fetched: &Path, architecture: &str, suite: &str) -> Result<Self> {
        let state = std::path::absolute(fetched.join(format!(".apt-{suite}-{architecture}")))?;
        let _one_at_a_time = UPDATE.lock().map_err(|_| "another thread panicked")?;
        let updated = fs::metadata(state.join("updated")).and_then(|metadata| metadata.modified());
        let is_fresh = updated.is_ok_and(|updated| updated.elapsed().is_ok_and(|age| age < FRESH));
        for folder in ["lists/partial", "cache/archives/partial", "etc"] {
            fs::create_dir_all(state.join(folder))?;
        }
        let at = |name: &str| state.join(name).display().to_string();
        let options = [
            format!("Dir::State={}", state.display()),
            "Dir::State::status=/dev/null".into(),
            format!("Dir::State::lists={}", at("lists")),
            format!("Dir::Cache={}", at("cache")),
            format!("Dir::Etc::sourcelist={}", at("etc/sources.list")),
            "Dir::Etc::sourceparts=/dev/null".into(),
            "Dir::Etc::preferencesparts=/dev/null".into(),
            format!("APT::Architecture={architecture}"),
            format!("APT::Architectures={architecture}"),
            "APT::Sandbox::User=".into(),
            "Acquire::Languages=none".into(),
            // A missing list is an error.
            "APT::Update::Error-Mode=any".into(),
            "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false".into(),
            "Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled=false".into(),
        ];
        let options = options.into_iter().flat_map(|option| ["-o".to_owned(), option]).collect();
        let mut apt = Self { options, architecture: architecture.into(), suite: suite.into(), fault: None };
        if !is_fresh {
            fs::write(state.join("etc/sources.list"), sources(suite)?)?;
            match apt.run("apt-get", &["-qq", "update"], &state) {
                Ok(_) => fs::write(state.join("updated"), "")?,
                // The missing list may not be needed.
                Err(error) => apt.fault = Some(error.to_string()),
            }
        }
        Ok(apt)
    }

    fn run(&self, program: &str, arguments: &[&str], folder: &Path) -> Result<String> {
        let output = Command::new(program).args(&self.options).args(arguments).current_dir(folder).output();
        let output = output.map_err(|error| format!("{program}: {error}; Debian's packages need its apt client"))?;
        if !output.status.success() {
            let text = String::from_utf8_lossy(&output.stderr);
            return Err(format!("{program} {}: {}", arguments.join(" "), first_error(&text)).into());
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Returns the newest package whose name matches a pattern.
    fn newest(&self, pattern: &str) -> Result<String> {
        let names = self.run("apt-cache", &["pkgnames"], Path::new("."))?;
        let names = names.lines().filter(|name| glob_matches(pattern, name));
        let newest = names.max_by(|one, other| by_version(one, other));
        let Self { architecture, suite, fault, .. } = self;
        match (newest, fault) {
            (Some(newest), _) => Ok(newest.to_owned()),
            (None, None) => Err(format!("Debian {suite} has no {pattern} for {architecture}").into()),
            (None, Some(fault)) => Err(format!(
                "the mirror's lists of Debian {suite} for {architecture} are not whole, so {pattern} cannot be looked up: \
                 {fault}; try again later"
            )
            .into()),
        }
    }
}

/// Returns the first error that apt reports. Later errors are mostly consequences.
fn first_error(text: &str) -> &str {
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let first = lines.clone().next().unwrap_or_default();
    lines.find_map(|line| line.strip_prefix("E: ")).unwrap_or(first)
}

/// Returns the machine's sources of Debian packages, changed to another suite.
fn sources(suite: &str) -> Result<String> {
    let format = "--format=$(REPO_URI) $(CODENAME) $(COMPONENT) $(ORIGIN)";
    let output = Command::new("apt-get").args(["indextargets", format, "Created-By: Packages"]).output();
    let output = output.map_err(|error| format!("apt-get: {error}; Debian's packages need its apt client"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut lines: Vec<String> = Vec::new();
    for target in text.lines() {
        let fields: Vec<_> = target.split(' ').collect();
        let [uri, codename, component, "Debian"] = fields.as_slice() else { continue };
        // Updates are in suites of their own, which sid does not have.
        let addition = codename.split_once('-').map_or("", |(_, addition)| addition);
        let suite = match addition {
            "" => suite.to_owned(),
            _ if suite == "sid" => continue,
            addition => format!("{suite}-{addition}"),
        };
        let line = format!("deb {uri} {suite} {component}\n");
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    if lines.is_empty() {
        return Err("apt knows no source of Debian's packages on this machine".into());
    }
    Ok(lines.concat())
}

/// Compares names by the numbers in them: `6.1.0-9` is less than `6.1.0-10`.
fn by_version(one: &str, other: &str) -> Ordering {
    let parts = |text: &str| {
        let mut parts: Vec<(u64, String)> = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
            let (number, after) = rest.split_at(digits);
            let letters = after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len());
            let (word, after) = after.split_at(letters);
            parts.push((number.parse().unwrap_or(0), word.to_owned()));
            rest = after;
        }
        parts
    };
    parts(one).cmp(&parts(other))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_what_apt_says_the_first_error_is_told() {
        let text = "W: skipped\nE: Failed to fetch x  File has unexpected size (Mirror sync in progress?)\n   Hashes:\nE: Some failed\n";
        assert_eq!(first_error(text), "Failed to fetch x  File has unexpected size (Mirror sync in progress?)");
        assert_eq!(first_error("not found\n"), "not found");
    }

    #[test]
    fn versions() {
        let mut names = ["linux-image-6.1.0-10-s390x", "linux-image-6.12.4-s390x", "linux-image-6.1.0-9-s390x"];
        names.sort_by(|one, other| by_version(one, other));
        assert_eq!(names, ["linux-image-6.1.0-9-s390x", "linux-image-6.1.0-10-s390x", "linux-image-6.12.4-s390x"]);
    }
}

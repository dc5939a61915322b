//! btfhub-archive, as much of it as is asked for.
//!
//! The whole is 7 GB. What is fetched is a clone of its git repository without
//! any file (`--filter=blob:none`), and then those files that are asked for
//! (`core.sparseCheckout`). git does it, of which version 2.27 or later is needed.
//!
//! What is asked for is looked for as [`Archive::select`] would: also under
//! other names of the distribution, the version and the machine. Links, which
//! are small, are had all.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::{Archive, Entry, Error, Listed, alias, glob, machine, whole};

/// Where btfhub-archive is.
const REPOSITORY: &str = "https://github.com/aquasecurity/btfhub-archive";

/// Gets kernels out of btfhub-archive, into a cache that is kept.
///
/// In what is asked for, `*` stands for anything within a name, and `?` for one
/// character; what is not asked for may be anything.
#[derive(Debug, Clone)]
pub struct Fetch {
    urls: Vec<String>,
    cache: Option<PathBuf>,
    distribution: String,
    version: String,
    machine: String,
    release: String,
    is_all: bool,
    is_loud: bool,
}

/// What was fetched.
#[derive(Debug)]
#[non_exhaustive]
pub struct Fetched {
    /// The archive: all that was ever fetched from there.
    pub archive: Archive,
    /// Its folder.
    pub folder: PathBuf,
    /// The kernels in it that were asked for.
    pub kernels: Vec<Listed>,
}

impl Default for Fetch {
    fn default() -> Self {
        Self::new()
    }
}

impl Fetch {
    /// From `$BTFHUB_REPO` (several addresses with commas between, tried one
    /// after the other), or btfhub-archive itself; into `$BTFHUB_CACHE`, or the
    /// folder `btfhub` where the user's caches are.
    #[must_use]
    pub fn new() -> Self {
        let given = env::var("BTFHUB_REPO").unwrap_or_default();
        let given: Vec<String> =
            given.split(',').map(str::trim).filter(|url| !url.is_empty()).map(Into::into).collect();
        let any = || "*".to_owned();
        Self {
            urls: if given.is_empty() { vec![REPOSITORY.into()] } else { given },
            cache: cache(),
            distribution: any(),
            version: any(),
            machine: any(),
            release: any(),
            is_all: false,
            is_loud: false,
        }
    }

    /// From this address, which may be a path, and no other.
    #[must_use]
    pub fn url(mut self, url: impl Into<String>) -> Self {
        self.urls = vec![url.into()];
        self
    }

    /// Into this folder.
    #[must_use]
    pub fn cache(mut self, folder: impl Into<PathBuf>) -> Self {
        self.cache = Some(folder.into());
        self
    }

    /// Only this distribution, by any of its names.
    #[must_use]
    pub fn distribution(mut self, pattern: impl Into<String>) -> Self {
        self.distribution = pattern.into();
        self
    }

    /// Only this version of it, by any of its names if the distribution is given.
    #[must_use]
    pub fn version(mut self, pattern: impl Into<String>) -> Self {
        self.version = pattern.into();
        self
    }

    /// Only this machine, by any of its names.
    #[must_use]
    pub fn machine(mut self, pattern: impl Into<String>) -> Self {
        self.machine = pattern.into();
        self
    }

    /// Only this kernel release.
    #[must_use]
    pub fn release(mut self, pattern: impl Into<String>) -> Self {
        self.release = pattern.into();
        self
    }

    /// Everything, if nothing else is asked for.
    #[must_use]
    pub fn all(mut self) -> Self {
        self.is_all = true;
        self
    }

    /// With git's progress on stderr.
    #[must_use]
    pub fn progress(mut self) -> Self {
        self.is_loud = true;
        self
    }

    /// Fetches; what was fetched before is kept, and not fetched again.
    ///
    /// # Errors
    ///
    /// [`Error::Everything`]; [`Error::Io`] if there is nowhere to put it;
    /// [`Error::Git`] with what git says of the last address;
    /// [`Error::NotFound`] if there is nothing of what is asked for.
    pub fn fetch(&self) -> Result<Fetched, Error> {
        let is_any = [&self.distribution, &self.version, &self.machine, &self.release].iter().all(|text| *text == "*");
        if is_any && !self.is_all {
            return Err(Error::Everything);
        }
        let cache = self
            .cache
            .clone()
            .ok_or_else(|| Error::Io { path: "$HOME".into(), source: std::io::ErrorKind::NotFound.into() })?;
        fs::create_dir_all(&cache).map_err(|source| Error::Io { path: cache.clone(), source })?;
        let mut last = Error::Everything;
        for url in &self.urls {
            let folder = cache.join(folder_of(url));
            match self.fetch_from(url, &folder) {
                Ok(()) => return self.fetched(folder),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    fn fetched(&self, folder: PathBuf) -> Result<Fetched, Error> {
        let archive = Archive::open(&folder)?;
        let (distributions, versions, machines) = (self.distributions(), self.versions(), self.machines());
        let any = |patterns: &[String], text: &str| patterns.iter().any(|pattern| glob::matches(pattern, text));
        let is_wanted = |entry: Entry<'_>| {
            // One level too high, a distribution has no name.
            (entry.distribution.is_empty() || any(&distributions, entry.distribution))
                && any(&versions, entry.version)
                && entry.machine.is_none_or(|machine| any(&machines, machine))
                && glob::matches(&self.release, entry.release)
        };
        let mut kernels = archive.list()?;
        kernels.retain(|listed| !listed.is_link() && listed.entry().is_some_and(is_wanted));
        if kernels.is_empty() {
            let host = format!(
                "any kernel {} of {} {} on {} in {}",
                self.release,
                self.distribution,
                self.version,
                self.machine,
                folder.display()
            );
            return Err(Error::NotFound { host, tried: self.patterns(), nearest: Vec::new() });
        }
        Ok(Fetched { archive, folder, kernels })
    }

    /// The names of the distribution that is asked for.
    fn distributions(&self) -> Vec<String> {
        alias::distributions(&self.distribution)
    }

    /// The names of its version.
    fn versions(&self) -> Vec<String> {
        alias::versions_of_any(&self.distributions(), Some(&self.version), None)
    }

    /// The names of the machine.
    fn machines(&self) -> Vec<String> {
        machine::names(&self.machine).into_iter().map(Into::into).collect()
    }

    /// The files that are asked for, in git's patterns.
    fn patterns(&self) -> Vec<String> {
        let mut patterns = Vec::new();
        let release = &self.release;
        for distribution in self.distributions() {
            // Amazon Linux 1 is one level too high, in part.
            let folders = [Some(format!("/{distribution}")), (distribution == "amzn").then(String::new)];
            for folder in folders.into_iter().flatten() {
                for version in self.versions() {
                    let of_machine = |machine: String| format!("{folder}/{version}/{machine}/{release}.btf*");
                    patterns.extend(self.machines().into_iter().map(of_machine));
                }
            }
        }
        patterns
    }

    fn fetch_from(&self, url: &str, folder: &Path) -> Result<(), Error> {
        if folder.join(".git").exists() {
            // What is new there is wanted; where it cannot be had, what is here
            // is better than nothing.
            let fetched = self.git(url, folder, &["fetch", "--filter=blob:none", "--depth=1", "origin", "HEAD"]);
            if fetched.is_ok() {
                self.git(url, folder, &["update-ref", "--no-deref", "HEAD", "FETCH_HEAD"])?;
            }
        } else {
            // A clone that was broken off is not taken for one.
            let parent = folder.parent().unwrap_or(Path::new("."));
            let error = |source| Error::Io { path: folder.into(), source };
            let partial = tempfile::Builder::new().prefix(".clone-").tempdir_in(parent).map_err(error)?;
            let to = partial.path().join("clone");
            let to_text = to.display().to_string();
            let clone = ["clone", "--filter=blob:none", "--no-checkout", "--depth=1", "--", url, &to_text];
            self.git(url, parent, &clone)?;
            fs::rename(&to, folder).map_err(error)?;
        }
        // What was asked for before stays. Links are files to git: what is two
        // levels deep, and no folder. (The last pattern that fits counts.)
        let file = folder.join(".git/info/sparse-checkout");
        let known = fs::read_to_string(&file).unwrap_or_default();
        let links = ["/*/*", "!/*/*/"].map(String::from);
        let mut patterns = Vec::new();
        for pattern in links.into_iter().chain(known.lines().map(Into::into)).chain(self.patterns()) {
            if !patterns.contains(&pattern) {
                patterns.push(pattern);
            }
        }
        self.git(url, folder, &["config", "core.sparseCheckout", "true"])?;
        self.git(url, folder, &["config", "core.sparseCheckoutCone", "false"])?;
        let error = |source| Error::Io { path: file.clone(), source };
        fs::create_dir_all(folder.join(".git/info")).map_err(error)?;
        whole::write_bytes(&file, (patterns.join("\n") + "\n").as_bytes())?;
        let mut read_tree = vec!["read-tree", "--reset", "-u"];
        read_tree.extend(self.is_loud.then_some("-v"));
        read_tree.push("HEAD");
        self.git(url, folder, &read_tree)
    }

    fn git(&self, url: &str, folder: &Path, arguments: &[&str]) -> Result<(), Error> {
        let fault = |what: String| Error::Git { url: url.into(), what };
        let mut git = Command::new("git");
        git.current_dir(folder).args(["-c", "core.symlinks=true"]).args(arguments);
        // Where this runs inside of another repository's hook.
        for name in ["GIT_DIR", "GIT_INDEX_FILE", "GIT_WORK_TREE"] {
            git.env_remove(name);
        }
        git.env("GIT_TERMINAL_PROMPT", "0").env("LC_ALL", "C").stdin(Stdio::null()).stdout(Stdio::null());
        if self.is_loud {
            let status = git.status().map_err(|error| fault(format!("git cannot be run: {error}")))?;
            return if status.success() { Ok(()) } else { Err(fault(format!("git {} failed", arguments.join(" ")))) };
        }
        let output = git.output().map_err(|error| fault(format!("git cannot be run: {error}")))?;
        if output.status.success() {
            return Ok(());
        }
        let text = String::from_utf8_lossy(&output.stderr);
        Err(fault(text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("git failed").trim().into()))
    }
}

/// A folder's name for an address.
fn folder_of(url: &str) -> String {
    let plain: String =
        url.chars().map(|c| if c.is_ascii_alphanumeric() || matches!(c, '.' | '-') { c } else { '_' }).collect();
    let tail: String = plain.chars().rev().take(100).collect();
    tail.chars().rev().collect::<String>().trim_start_matches(['.', '_', '-']).to_owned()
}

fn cache() -> Option<PathBuf> {
    let set = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    set("BTFHUB_CACHE")
        .or_else(|| set("XDG_CACHE_HOME").map(|cache| cache.join("btfhub")))
        .or_else(|| set("HOME").map(|home| home.join(".cache/btfhub")))
}

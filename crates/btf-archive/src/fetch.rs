//! Fetching parts of btfhub-archive.
//!
//! The whole archive has 7 GB. Its git repository is cloned without any files
//! (`--filter=blob:none`), and then the matching files are checked out
//! (`core.sparseCheckout`). This needs git 2.27 or later.
//!
//! Filters match as in [`Archive::select`], including other names of the
//! distribution, the version and the machine. All links are fetched, as they
//! are small.

use std::{
    env, fmt, fs,
    path::{Path, PathBuf},
};

use btf_elf::types::format::glob_matches;

use crate::{
    Archive, Entry, Error, Listed, alias,
    cache::Cache,
    entry,
    git::{self, Git},
    machine,
};

/// Address of btfhub-archive.
const REPOSITORY: &str = "https://github.com/aquasecurity/btfhub-archive";

/// Fetches kernels from btfhub-archive into a cache.
///
/// In filters, `*` stands for any characters within a name, and `?` for one
/// character. Without a filter, anything matches.
///
/// Each address has a folder of its own in the cache. git runs only on the
/// repository in that folder, whatever other repositories enclose it.
///
/// ```
/// # fn main() -> Result<(), btf_archive::Error> {
/// use btf_archive::Fetch;
///
/// let fetch = Fetch::new().distribution("ubuntu").version("20.04").machine("x86_64").release("5.4.0-4*");
/// // fetch.cache("btfhub").fetch()? gets these files, and no others; it needs git and the network.
/// # let _ = fetch;
/// # Ok(())
/// # }
/// ```
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

/// Result of fetching.
#[derive(Debug)]
#[non_exhaustive]
pub struct Fetched {
    /// Archive in the cache, with all files ever fetched from this address.
    pub archive: Archive,
    /// Folder of the archive.
    pub folder: PathBuf,
    /// Kernels that match the filters.
    pub kernels: Vec<Listed>,
}

impl Default for Fetch {
    fn default() -> Self {
        Self::new()
    }
}

impl Fetch {
    /// Fetches from `$BTFHUB_REPO` (addresses separated by commas, tried in
    /// order), else from btfhub-archive, into `$BTFHUB_CACHE`, else into the
    /// folder `btfhub` of the user's caches.
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

    /// Sets the address, which may be the path of a repository.
    ///
    /// If the server supports partial clones, only matching files are
    /// transferred. A local repository does if `uploadpack.allowFilter` is set
    /// in it; otherwise all files are copied.
    #[must_use]
    pub fn url(mut self, url: impl Into<String>) -> Self {
        self.urls = vec![url.into()];
        self
    }

    /// Sets the cache folder.
    #[must_use]
    pub fn cache(mut self, folder: impl Into<PathBuf>) -> Self {
        self.cache = Some(folder.into());
        self
    }

    /// Fetches only this distribution, by any of its names.
    #[must_use]
    pub fn distribution(mut self, pattern: impl Into<String>) -> Self {
        self.distribution = pattern.into();
        self
    }

    /// Fetches only this version, by any of its names if the distribution is
    /// set.
    #[must_use]
    pub fn version(mut self, pattern: impl Into<String>) -> Self {
        self.version = pattern.into();
        self
    }

    /// Fetches only this machine, by any of its names.
    #[must_use]
    pub fn machine(mut self, pattern: impl Into<String>) -> Self {
        self.machine = pattern.into();
        self
    }

    /// Fetches only this kernel release.
    #[must_use]
    pub fn release(mut self, pattern: impl Into<String>) -> Self {
        self.release = pattern.into();
        self
    }

    /// Fetches everything if there is no filter.
    #[must_use]
    pub fn all(mut self) -> Self {
        self.is_all = true;
        self
    }

    /// Shows git's progress on stderr.
    #[must_use]
    pub fn progress(mut self) -> Self {
        self.is_loud = true;
        self
    }

    /// Fetches the matching kernels. Files that are in the cache are not
    /// fetched again.
    ///
    /// Only one fetch uses a cache at a time; others wait. A damaged clone is
    /// replaced.
    ///
    /// # Errors
    ///
    /// [`Error::Everything`] without a filter; [`Error::NoCache`] and
    /// [`Error::Io`] if the cache cannot be used; [`Error::Foreign`] if the
    /// folder belongs to something else; [`Error::NoGit`]; [`Error::Git`] with
    /// git's message for the last address; [`Error::NoMatch`] if no kernel
    /// matches.
    pub fn fetch(&self) -> Result<Fetched, Error> {
        let is_any = [&self.distribution, &self.version, &self.machine, &self.release].iter().all(|text| *text == "*");
        if is_any && !self.is_all {
            return Err(Error::Everything);
        }
        let caches = self.cache.as_ref().ok_or(Error::NoCache)?;
        let absolute = |reason| Error::Io { operation: "open", path: caches.clone(), reason };
        let caches = &std::path::absolute(caches).map_err(absolute)?;
        let is_new = caches.symlink_metadata().is_err();
        let mut last = Error::Everything;
        for url in &self.urls {
            match self.fetch_from(&git::absolute(url), caches) {
                Ok(folder) => return self.fetched(folder),
                Err(error) => last = error,
            }
        }
        if is_new {
            // Only succeeds if it is empty.
            let _ = fs::remove_dir(caches);
        }
        Err(last)
    }

    fn fetched(&self, folder: PathBuf) -> Result<Fetched, Error> {
        let archive = Archive::open(&folder)?;
        let (distributions, versions, machines) = (self.distributions(), self.versions(), self.machines());
        let any = |patterns: &[String], text: &str| patterns.iter().any(|pattern| glob_matches(pattern, text));
        let is_wanted = |entry: Entry<'_>| {
            any(&distributions, entry.distribution)
                && any(&versions, entry.version)
                && entry.machine.is_none_or(|machine| any(&machines, machine))
                && glob_matches(&self.release, entry.release)
        };
        let mut kernels = archive.list()?;
        kernels.retain(|listed| !listed.is_link() && listed.entry().is_some_and(is_wanted));
        if kernels.is_empty() {
            return Err(Error::NoMatch { wanted: self.to_string(), archive: folder.display().to_string() });
        }
        Ok(Fetched { archive, folder, kernels })
    }

    /// Names of the distribution to fetch.
    fn distributions(&self) -> Vec<String> {
        alias::distributions(&self.distribution)
    }

    /// Names of the version to fetch.
    fn versions(&self) -> Vec<String> {
        alias::versions_of_any(&self.distributions(), Some(&self.version), None)
    }

    /// Names of the machine to fetch.
    fn machines(&self) -> Vec<String> {
        machine::names(&self.machine).into_iter().map(Into::into).collect()
    }

    /// Returns git patterns for the matching files.
    fn patterns(&self) -> Vec<String> {
        let mut folders = Vec::new();
        for distribution in self.distributions() {
            // Some kernels of Amazon Linux 1 have no folder of a distribution.
            let is_amazon = glob_matches(&distribution, entry::AMAZON);
            folders.push(format!("/{distribution}"));
            folders.extend(is_amazon.then(String::new));
        }
        let mut patterns = Vec::new();
        for folder in folders {
            for version in self.versions() {
                let of_machine = |machine: String| format!("{folder}/{version}/{machine}/{}.btf*", self.release);
                patterns.extend(self.machines().into_iter().map(of_machine));
            }
        }
        patterns
    }

    /// Fetches from one address, and returns the folder of the files.
    fn fetch_from(&self, url: &str, caches: &Path) -> Result<PathBuf, Error> {
        let wait = || {
            if self.is_loud {
                eprintln!("waiting for another fetch from {url} to end");
            }
        };
        let cache = Cache::open(caches, url, wait)?;
        match self.fetch_into(&cache, url) {
            Ok(()) => Ok(cache.archive()),
            Err(error) => {
                cache.discard_if_new();
                Err(error)
            }
        }
    }

    fn fetch_into(&self, cache: &Cache, url: &str) -> Result<(), Error> {
        let git = Git::new(url, cache.lock(), self.is_loud)?;
        cache.remove_stale_locks()?;
        if cache.has_sound_clone(&git) {
            self.update(cache, &git);
            // Damage may only show when the clone is used.
            let checked_out = self.check_out(cache, &git);
            if checked_out.is_ok() || cache.clone_anew(&git).is_err() {
                return checked_out;
            }
        } else {
            cache.clone_anew(&git)?;
        }
        self.check_out(cache, &git)
    }

    /// Fetches new commits. If the server is unavailable, the cached ones are
    /// used.
    fn update(&self, cache: &Cache, git: &Git<'_>) {
        let folder = cache.archive();
        let fetched = git.on(&folder, &["fetch", "--filter=blob:none", "--depth=1", "origin", "HEAD"]);
        if fetched.is_ok() {
            let _ = git.on(&folder, &["update-ref", "--no-deref", "HEAD", "FETCH_HEAD"]);
        }
    }

    /// Checks out all files that match now or matched before.
    fn check_out(&self, cache: &Cache, git: &Git<'_>) -> Result<(), Error> {
        // git treats links as files: match everything two levels deep that is
        // not a folder. (The last matching pattern counts.)
        let links = ["/*/*", "!/*/*/"].map(String::from);
        let patterns: Vec<String> = links.into_iter().chain(self.patterns()).collect();
        cache.add_patterns(&patterns)?;
        let folder = cache.archive();
        git.on(&folder, &["config", "--local", "core.sparseCheckout", "true"])?;
        git.on(&folder, &["config", "--local", "core.sparseCheckoutCone", "false"])?;
        let mut read_tree = vec!["read-tree", "--reset", "-u"];
        read_tree.extend(self.is_loud.then_some("-v"));
        read_tree.push("HEAD");
        git.on(&folder, &read_tree).map(drop)
    }
}

impl fmt::Display for Fetch {
    /// Shows the filters.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { distribution, version, machine, release, .. } = self;
        let asked = [("distribution", distribution), ("version", version), ("machine", machine), ("release", release)];
        let mut separator = "";
        for (name, pattern) in asked.into_iter().filter(|(_, pattern)| *pattern != "*") {
            write!(f, "{separator}{name} {pattern}")?;
            separator = ", ";
        }
        if separator.is_empty() { f.write_str("any release") } else { Ok(()) }
    }
}

fn cache() -> Option<PathBuf> {
    let set = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    set("BTFHUB_CACHE")
        .or_else(|| set("XDG_CACHE_HOME").map(|cache| cache.join("btfhub")))
        .or_else(|| set("HOME").map(|home| home.join(".cache/btfhub")))
}

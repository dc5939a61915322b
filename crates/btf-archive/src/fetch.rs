//! btfhub-archive, as much of it as is asked for.
//!
//! The whole is 7 GB. What is fetched is a clone of its git repository without
//! any file (`--filter=blob:none`), and then those files that are asked for
//! (`sparse-checkout`). git does it, of which version 2.27 or later is needed.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::{Archive, Error, machine};

/// Where btfhub-archive is.
const REPOSITORY: &str = "https://github.com/aquasecurity/btfhub-archive";

/// Gets kernels out of btfhub-archive, into a cache that is kept.
///
/// In what is asked for, `*` stands for anything within a name; what is not asked
/// for may be anything.
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

    /// Only this distribution.
    #[must_use]
    pub fn distribution(mut self, pattern: impl Into<String>) -> Self {
        self.distribution = pattern.into();
        self
    }

    /// Only this version of it.
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

    /// Fetches; what was fetched before is kept, and not fetched again. Returns
    /// the archive, and its folder.
    ///
    /// # Errors
    ///
    /// [`Error::Everything`]; [`Error::Io`] if there is nowhere to put it;
    /// [`Error::Git`] with what git says of the last address.
    pub fn fetch(&self) -> Result<(Archive, PathBuf), Error> {
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
                Ok(()) => return Ok((Archive::open(&folder)?, folder)),
                Err(error) => last = error,
            }
        }
        Err(last)
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
        let names = if self.machine == "*" { vec!["*"] } else { machine::names(&self.machine) };
        let pattern =
            |machine: &str| format!("/{}/{}/{machine}/{}.btf*", self.distribution, self.version, self.release);
        let patterns: Vec<String> = names.into_iter().map(pattern).collect();
        let mut known = fs::read_to_string(folder.join(".git/info/sparse-checkout")).unwrap_or_default();
        let known_lines: Vec<String> = known.lines().map(Into::into).collect();
        for pattern in patterns.into_iter().filter(|pattern| !known_lines.contains(pattern)) {
            known.push_str(&format!("{pattern}\n"));
        }
        let mut set = vec!["sparse-checkout", "set", "--no-cone"];
        set.extend(known.lines().filter(|line| !line.is_empty()));
        self.git(url, folder, &set)?;
        let mut checkout = vec!["checkout", "--force", "--detach"];
        checkout.extend(self.is_loud.then_some("--progress"));
        checkout.push("HEAD");
        self.git(url, folder, &checkout)
    }

    fn git(&self, url: &str, folder: &Path, arguments: &[&str]) -> Result<(), Error> {
        let fault = |what: String| Error::Git { url: url.into(), what };
        let mut git = Command::new("git");
        git.current_dir(folder).args(["-c", "core.symlinks=true", "-c", "advice.detachedHead=false"]).args(arguments);
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

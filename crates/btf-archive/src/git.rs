//! git, run on a single repository.

use std::{
    env,
    ffi::{OsStr, OsString},
    fs, io,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use crate::{Error, lock::Lock};

/// Prefixes of variables that are kept: for access to servers, the location of
/// git, and its output. All other git variables are cleared, as they may be set
/// for another repository, such as by a hook.
const KEPT: [&str; 14] = [
    "GIT_ALLOW_PROTOCOL",
    "GIT_ASKPASS",
    "GIT_CONFIG_GLOBAL",
    "GIT_CONFIG_NOSYSTEM",
    "GIT_CONFIG_SYSTEM",
    "GIT_CURL_",
    "GIT_EXEC_PATH",
    "GIT_HTTP_",
    "GIT_PROTOCOL_FROM_USER",
    "GIT_PROXY_",
    "GIT_SSH",
    "GIT_SSL_",
    "GIT_TERMINAL_PROMPT",
    "GIT_TRACE",
];

/// Settings of every call: links stay links, contents are not converted, and
/// nothing runs in the background or in hooks.
const SETTINGS: [&str; 8] = [
    "core.symlinks=true",
    "core.autocrlf=false",
    "core.fsmonitor=false",
    "core.hooksPath=/dev/null",
    "gc.auto=0",
    "maintenance.auto=false",
    "fetch.recurseSubmodules=false",
    "submodule.recurse=false",
];

/// Settings for calling git.
#[derive(Debug)]
pub(crate) struct Git<'a> {
    /// Address for errors.
    url: &'a str,
    /// Lock that each call holds.
    lock: &'a Lock,
    is_loud: bool,
    cleared: Vec<OsString>,
}

impl<'a> Git<'a> {
    /// Asks git for the variables that belong to a repository.
    pub(crate) fn new(url: &'a str, lock: &'a Lock, is_loud: bool) -> Result<Self, Error> {
        let mut git = Self { url, lock, is_loud, cleared: set_variables() };
        let mut list = git.command(env::temp_dir().as_path());
        let output = git.run(list.args(["rev-parse", "--local-env-vars"]))?;
        git.cleared.extend(String::from_utf8_lossy(&output.stdout).lines().map(Into::into));
        Ok(git)
    }

    /// Clones the newest commit, without any files, into a new folder.
    pub(crate) fn clone_into(&self, folder: &Path) -> Result<(), Error> {
        let parent = folder.parent().unwrap_or(Path::new("/"));
        let mut clone = self.command(parent);
        // (Given a path, git would copy the whole repository.)
        clone.args(["clone", "--filter=blob:none", "--no-checkout", "--depth=1", "--no-local", "--template="]);
        self.run(clone.arg("--").arg(self.url).arg(folder)).map(drop)
    }

    /// Runs a command on the repository in a folder, which is passed
    /// explicitly, so that git does not search for one. Returns the output.
    pub(crate) fn on(&self, folder: &Path, arguments: &[&str]) -> Result<String, Error> {
        let mut git = self.command(folder);
        let (mut repository, mut tree) = (OsString::from("--git-dir="), OsString::from("--work-tree="));
        repository.push(folder.join(".git"));
        tree.push(folder);
        let output = self.run(git.args([repository, tree]).args(arguments))?;
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    fn command(&self, folder: &Path) -> Command {
        let mut git = Command::new("git");
        git.current_dir(folder);
        for setting in SETTINGS {
            git.args(["-c", setting]);
        }
        for name in &self.cleared {
            git.env_remove(name);
        }
        git.env("GIT_TERMINAL_PROMPT", "0").env("LC_ALL", "C");
        git
    }

    fn run(&self, git: &mut Command) -> Result<Output, Error> {
        let not_run = |reason: io::Error| Error::NoGit { reason };
        git.stdin(self.lock.as_stdin().map_err(not_run)?);
        git.stderr(if self.is_loud { Stdio::inherit() } else { Stdio::piped() });
        let output = git.stdout(Stdio::piped()).output().map_err(not_run)?;
        if output.status.success() {
            return Ok(output);
        }
        let text = String::from_utf8_lossy(&output.stderr);
        let said = text.lines().rev().map(str::trim).find(|line| !line.is_empty());
        let said = said.map_or_else(|| format!("git failed ({})", output.status), Into::into);
        Err(Error::Git { url: self.url.into(), said })
    }
}

/// Returns the git variables that are set, except those that are kept.
fn set_variables() -> Vec<OsString> {
    let names = env::vars_os().map(|(name, _)| name);
    names.filter(|name| is_cleared(name)).collect()
}

fn is_cleared(name: &OsStr) -> bool {
    let is_kept = |name: &str| KEPT.iter().any(|start| name.starts_with(start));
    name.to_str().is_some_and(|name| name.starts_with("GIT_") && !is_kept(name))
}

/// Makes an address independent of the current folder: a path becomes absolute.
pub(crate) fn absolute(url: &str) -> String {
    let is_path = !url.contains("://") && Path::new(url).exists();
    let absolute = is_path.then(|| fs::canonicalize(url).ok()).flatten();
    absolute.and_then(|path: PathBuf| path.to_str().map(Into::into)).unwrap_or_else(|| url.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_of_a_repository_are_cleared_and_those_of_the_user_kept() {
        for name in ["GIT_DIR", "GIT_OBJECT_DIRECTORY", "GIT_QUARANTINE_PATH", "GIT_NAMESPACE", "GIT_OF_TOMORROW"] {
            assert!(is_cleared(OsStr::new(name)), "{name}");
        }
        for name in ["GIT_SSH_COMMAND", "GIT_ASKPASS", "GIT_TRACE_PACKET", "HOME", "HTTPS_PROXY"] {
            assert!(!is_cleared(OsStr::new(name)), "{name}");
        }
    }

    #[test]
    fn paths_are_made_absolute_and_addresses_stay() {
        assert_eq!(absolute("src"), Path::new("src").canonicalize().unwrap().to_str().unwrap());
        for url in ["https://example.org/a", "file:///a", "git@example.org:a/b", "nonexistent"] {
            assert_eq!(absolute(url), url);
        }
    }
}

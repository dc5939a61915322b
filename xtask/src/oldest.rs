//! Checks the workspace with the oldest dependencies that the manifests allow.
//!
//! `Cargo-minimal.lock` is a lockfile with the lowest version of each direct
//! dependency. Cargo accepts a lockfile only as `Cargo.lock` next to the manifest,
//! so the workspace is copied to `target/oldest`.

use std::{fs, path::PathBuf, process::Command};

use crate::{Result, cargo, root, succeed};

const LOCKFILE: &str = "Cargo-minimal.lock";

/// Checks that the workspace compiles with this lockfile.
pub(crate) fn check() -> Result {
    let copy = copy_workspace()?;
    fs::copy(root().join(LOCKFILE), copy.join("Cargo.lock"))?;
    succeed(cargo().current_dir(&copy).args(["check", "--workspace", "--locked", "--target-dir", "../oldest-build"]))
}

/// Rewrites the lockfile with an unstable option of cargo.
pub(crate) fn renew() -> Result {
    let copy = copy_workspace()?;
    let mut update = cargo();
    update.current_dir(&copy).args(["update", "-Z", "direct-minimal-versions"]).env("RUSTC_BOOTSTRAP", "1");
    succeed(&mut update)?;
    fs::copy(copy.join("Cargo.lock"), root().join(LOCKFILE))?;
    check()
}

/// Copies the files of the workspace that git does not ignore, without the lockfile and the
/// large fixtures: build scripts read only the others.
fn copy_workspace() -> Result<PathBuf> {
    let copy = root().join("target/oldest");
    if copy.exists() {
        fs::remove_dir_all(&copy)?;
    }
    let output = Command::new("git")
        .current_dir(root())
        .args(["ls-files", "--cached", "--others", "--exclude-standard", "--", ".", ":!Cargo.lock"])
        .args([":!fixtures/golden", ":!fixtures/kernels", ":!fixtures/modules", ":!fixtures/split"])
        .output()?;
    for name in String::from_utf8(output.stdout)?.lines() {
        let to = copy.join(name);
        fs::create_dir_all(to.parent().ok_or("a file lies in a folder")?)?;
        fs::copy(root().join(name), to)?;
    }
    Ok(copy)
}

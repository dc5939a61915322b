//! The oldest dependencies that the manifests allow: they must work too.
//!
//! `Cargo-minimal.lock` is a lockfile with the least version of each direct
//! dependency. Cargo takes a lockfile only under its own name, beside the
//! manifest, so the workspace is copied into `target/oldest` for this.

use std::{fs, path::PathBuf, process::Command};

use crate::{Result, cargo, root, succeed};

const LOCKFILE: &str = "Cargo-minimal.lock";

/// Checks that the workspace compiles with what the lockfile says.
pub(crate) fn check() -> Result {
    let copy = copy_workspace()?;
    fs::copy(root().join(LOCKFILE), copy.join("Cargo.lock"))?;
    succeed(cargo().current_dir(&copy).args(["check", "--workspace", "--locked", "--target-dir", "../oldest-build"]))
}

/// Makes the lockfile anew, by an unstable option of cargo.
pub(crate) fn renew() -> Result {
    let copy = copy_workspace()?;
    let mut update = cargo();
    update.current_dir(&copy).args(["update", "-Z", "direct-minimal-versions"]).env("RUSTC_BOOTSTRAP", "1");
    succeed(&mut update)?;
    fs::copy(copy.join("Cargo.lock"), root().join(LOCKFILE))?;
    check()
}

/// Copies what git knows of the workspace, but for the lockfile and the kernels and modules
/// of the fixtures: build scripts read the others.
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

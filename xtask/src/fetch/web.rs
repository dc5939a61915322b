//! Files on the web, downloaded with `curl`.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::Result;

/// Downloads a file into a folder, unless it is already there.
pub(super) fn download(folder: &Path, url: &str) -> Result<PathBuf> {
    let name = url.rsplit('/').next().filter(|name| !name.is_empty()).ok_or("the address names no file")?;
    let to = folder.join(name);
    if to.exists() {
        return Ok(to);
    }
    let partial = folder.join(format!("{name}.partial"));
    let mut curl = Command::new("curl");
    curl.args(["--fail", "--location", "--silent", "--show-error", "--connect-timeout", "20", "--continue-at", "-"]);
    let output = curl.arg("--output").arg(&partial).arg(url).output();
    let output = output.map_err(|error| format!("curl: {error}; files on the web need it"))?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{url} cannot be had from here: {}", text.trim()).into());
    }
    fs::rename(partial, &to)?;
    Ok(to)
}

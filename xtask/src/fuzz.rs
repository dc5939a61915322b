//! Runs the fuzz targets of `tests/fuzz`.

use std::{fs, path::Path, process::Command};

use crate::{Result, cargo, root, succeed};

pub(crate) fn run(arguments: &[&str]) -> Result {
    let (targets, seconds) = parse(arguments)?;
    let folder = root().join("tests/fuzz");
    let targets = if targets.is_empty() { all(&folder)? } else { targets.iter().map(|&name| name.into()).collect() };
    for target in targets {
        let corpus = folder.join("corpus").join(&target);
        // btf-tests makes the seeds of each target from the fixtures.
        succeed(cargo().args(["run", "--quiet", "--package", "btf-tests", "--", &target]).arg(&corpus))?;
        let mut fuzz = nightly();
        fuzz.current_dir(&folder).args(["fuzz", "run", "--fuzz-dir", ".", &target]).arg(&corpus);
        fuzz.args(["--", &format!("-max_total_time={seconds}"), "-max_len=65536", "-timeout=10"]);
        succeed(&mut fuzz)?;
    }
    Ok(())
}

/// Returns a cargo that accepts the unstable flags of cargo-fuzz: that of a nightly
/// toolchain, else the stable one with `RUSTC_BOOTSTRAP`.
fn nightly() -> Command {
    // rustup's cargo, not the one that runs this, accepts `+nightly`.
    let cargo = || {
        let mut cargo = Command::new("cargo");
        cargo.env_remove("CARGO").env_remove("RUSTUP_TOOLCHAIN");
        cargo
    };
    let has_nightly = cargo().args(["+nightly", "--version"]).output().is_ok_and(|output| output.status.success());
    let mut command = cargo();
    if has_nightly {
        command.arg("+nightly");
    } else {
        command.env("RUSTC_BOOTSTRAP", "1");
    }
    command
}

fn parse<'a>(arguments: &[&'a str]) -> Result<(Vec<&'a str>, u32)> {
    let (mut targets, mut seconds) = (Vec::new(), 60);
    let mut arguments = arguments.iter();
    while let Some(&argument) = arguments.next() {
        if argument == "--seconds" {
            seconds = arguments.next().ok_or("--seconds needs a number")?.parse()?;
        } else {
            targets.push(argument);
        }
    }
    Ok((targets, seconds))
}

/// Returns the names of all targets.
fn all(folder: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder.join("fuzz_targets"))? {
        let path = entry?.path();
        names.extend(path.file_stem().map(|stem| stem.to_string_lossy().into_owned()));
    }
    names.sort();
    Ok(names)
}

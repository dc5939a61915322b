//! What fuzzing begins with, and what `cargo test` feeds to the same functions.

use std::fs;

use crate::fixtures;

/// The seeds of a target, each with a name for a failing test to tell.
///
/// For `.BTF.ext` these are the sections of some BPF objects, in
/// `tests/fuzz/seeds/ext`; for all others the small raw BTF among the fixtures,
/// sound and unsound.
///
/// # Panics
///
/// If a folder of seeds cannot be read.
#[must_use]
pub fn of(target: &str) -> Vec<(String, Vec<u8>)> {
    let folders: &[&str] = match target {
        "ext" => &["../tests/fuzz/seeds/ext"],
        _ => &["kernel-verdicts", "bpf/pahole32", "golden", "golden/core", "golden/layout", "split"],
    };
    let is_seed = |name: &str| [".btf", ".btf.base", ".btf_ext"].iter().any(|ending| name.ends_with(ending));
    folders
        .iter()
        .flat_map(|folder| fixtures::files(folder))
        .filter(|name| is_seed(name))
        .map(|name| (name.clone(), fixtures::read(&name)))
        .collect()
}

/// Copies the seeds of a target into a folder, for the fuzzer.
///
/// # Errors
///
/// If the folder cannot be written to.
pub fn write(target: &str, folder: &std::path::Path) -> std::io::Result<()> {
    fs::create_dir_all(folder)?;
    for (name, bytes) in of(target) {
        fs::write(folder.join(name.replace(['/', '.'], "_")), bytes)?;
    }
    Ok(())
}

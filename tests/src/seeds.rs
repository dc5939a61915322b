//! What fuzzing begins with, and what `cargo test` feeds to the same functions.

use std::fs;

use crate::{blob::Blob, fixtures, fuzz};

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
    if matches!(target, "split" | "rebase") {
        return pairs();
    }
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

/// Split BTF with its base before it, where that is short.
fn pairs() -> Vec<(String, Vec<u8>)> {
    let mut pairs: Vec<_> = fixtures::files("split")
        .into_iter()
        .filter(|name| name.ends_with(".btf") && !name.contains("__on__"))
        .map(|name| {
            let base = fixtures::read(&format!("{name}.base"));
            (name.clone(), fuzz::pair(&base, &fixtures::read(&name)))
        })
        .collect();
    let small = fixtures::read("bpf/pahole32/types32-armv7.btf");
    pairs.push(("a bare header".into(), fuzz::pair(&small, &Blob::split().build())));
    let mut blob = Blob::split();
    let own = blob.string("own");
    let strings = btf_format::RawBtf::parse(&small).map_or(0, |raw| raw.strings().as_bytes().len() as u32);
    blob.record(strings + own, 4, 1, false, 4, &[1, 1, 0]).ptr(3).record(own, 8, 0, false, 1, &[]);
    pairs.push(("a struct".into(), fuzz::pair(&small, &blob.build())));
    pairs
}

/// Copies the seeds of a target into a folder, for the fuzzer.
///
/// # Errors
///
/// If the folder cannot be written to.
pub fn write(target: &str, folder: &std::path::Path) -> std::io::Result<()> {
    fs::create_dir_all(folder)?;
    for (name, bytes) in of(target) {
        fs::write(folder.join(name.replace(['/', '.', ' '], "_")), bytes)?;
    }
    Ok(())
}

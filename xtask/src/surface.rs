//! Lists the public surface of each published library, and compares it with
//! the list committed in the crate.
//!
//! Rustdoc's JSON is unstable: stable rustdoc writes it only with
//! `RUSTC_BOOTSTRAP`, in the format of its own version, and `public-api` reads
//! one format. This works with the toolchains that write that format, and fails
//! with a hint on any other.

use std::{fs, path::PathBuf};

use public_api::{Builder, MINIMUM_NIGHTLY_RUST_VERSION};
use serde_json::Value;

use crate::{Result, cargo, packages, root, succeed};

const FILE: &str = "surface.txt";

/// Compares each crate's surface with its file.
pub(crate) fn check() -> Result {
    let mut faults = Vec::new();
    for library in libraries()? {
        let surface = surface(&library.name)?;
        let committed = fs::read_to_string(library.file()).unwrap_or_default();
        if surface != committed {
            faults.push(library.name.clone());
            print_changes(&committed, &surface);
        }
    }
    if faults.is_empty() {
        println!("surface: all as committed");
        return Ok(());
    }
    let names = faults.join(", ");
    Err(format!("the public surface of {names} changed; `cargo xtask surface --renew` writes it, read the diff").into())
}

/// Rewrites the files of these crates, or of all crates if none is named.
pub(crate) fn renew(names: &[&str]) -> Result {
    let libraries = libraries()?;
    let is_known = |name: &&str| libraries.iter().any(|library| library.name == *name);
    if let Some(unknown) = names.iter().copied().find(|name| !is_known(name)) {
        return Err(format!("{unknown} is not a published library").into());
    }
    for library in libraries.iter().filter(|library| names.is_empty() || names.contains(&library.name.as_str())) {
        fs::write(library.file(), surface(&library.name)?)?;
        println!("surface: {} written", library.file().display());
    }
    Ok(())
}

/// Published crate with a library.
struct Library {
    name: String,
    folder: PathBuf,
}

impl Library {
    fn file(&self) -> PathBuf {
        self.folder.join(FILE)
    }
}

fn libraries() -> Result<Vec<Library>> {
    let mut libraries = Vec::new();
    for package in packages()? {
        let targets = package.get("targets").and_then(Value::as_array);
        let is_library = |target: &Value| {
            target.get("kind").and_then(Value::as_array).is_some_and(|kinds| kinds.contains(&"lib".into()))
        };
        let is_published = package.get("publish").is_none_or(Value::is_null);
        let (Some(name), Some(manifest)) = (
            package.get("name").and_then(Value::as_str),
            package.get("manifest_path").and_then(Value::as_str).map(PathBuf::from),
        ) else {
            continue;
        };
        if is_published && targets.is_some_and(|targets| targets.iter().any(is_library)) {
            let folder = manifest.parent().ok_or("a manifest lies in a folder")?.to_path_buf();
            libraries.push(Library { name: name.to_owned(), folder });
        }
    }
    Ok(libraries)
}

/// Returns the public items of a crate with all of its features, one per line.
fn surface(name: &str) -> Result<String> {
    let target = root().join("target/surface");
    let mut rustdoc = cargo();
    rustdoc.args(["rustdoc", "--quiet", "--locked", "--lib", "--all-features", "--package", name, "--target-dir"]);
    rustdoc.arg(&target).args(["--", "-Z", "unstable-options", "--output-format", "json", "--cap-lints", "allow"]);
    succeed(rustdoc.env("RUSTC_BOOTSTRAP", "1"))?;
    let json = target.join("doc").join(format!("{}.json", name.replace('-', "_")));
    let api = Builder::from_rustdoc_json(json).omit_blanket_impls(true).omit_auto_trait_impls(true).build().map_err(
        |error| {
            format!(
                "{error}: this reads the JSON of rustdoc 1.95 (or of a nightly from {MINIMUM_NIGHTLY_RUST_VERSION})"
            )
        },
    )?;
    // zerocopy's traits are an implementation detail, outside of semver.
    let lines = api.items().map(ToString::to_string).filter(|line| !line.contains("zerocopy::"));
    Ok(lines.map(|line| line + "\n").collect())
}

/// Prints the lines that are in only one of two lists.
fn print_changes(old: &str, new: &str) {
    let contains = |text: &str, line: &str| text.lines().any(|other| other == line);
    old.lines().filter(|line| !contains(new, line)).for_each(|line| println!("-{line}"));
    new.lines().filter(|line| !contains(old, line)).for_each(|line| println!("+{line}"));
}

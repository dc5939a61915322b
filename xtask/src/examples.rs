//! Runs the examples of the crates on committed files, and compares their output
//! with a transcript.
//!
//! The transcript has the commands, each after a `$ `, and below each of them its
//! output. For a command that ends with `| head -N`, these are the first N lines.

use std::{collections::BTreeSet, fs, path::Path};

use crate::{Result, cargo, root};

const TRANSCRIPT: &str = "xtask/examples.txt";

/// Compares the output of each command, and checks that each example is run.
pub(crate) fn check() -> Result {
    let committed = fs::read_to_string(root().join(TRANSCRIPT))?;
    let printed = run(&committed)?;
    if let Some((old, new)) = committed.lines().zip(printed.lines()).find(|(old, new)| old != new) {
        return Err(format!("an example prints {new:?}, {TRANSCRIPT} has {old:?}").into());
    }
    if printed != committed {
        return Err(format!("the examples print more or less than {TRANSCRIPT} has").into());
    }
    let run: BTreeSet<String> = committed.lines().filter_map(command).filter_map(example).collect();
    if let Some(missing) = examples()?.difference(&run).next() {
        return Err(format!("{TRANSCRIPT} does not run the example {missing}").into());
    }
    println!("examples: {} print what {TRANSCRIPT} has", run.len());
    Ok(())
}

/// Rewrites the transcript with the same commands.
pub(crate) fn renew() -> Result {
    let path = root().join(TRANSCRIPT);
    fs::write(&path, run(&fs::read_to_string(&path)?)?)?;
    println!("examples: {TRANSCRIPT} written; read the diff");
    Ok(())
}

/// Returns the command in a line of the transcript, if it is one.
fn command(line: &str) -> Option<&str> {
    line.strip_prefix("$ cargo run ")
}

/// Returns the example that a command runs: `CRATE/EXAMPLE`.
fn example(command: &str) -> Option<String> {
    let mut words = command.split_whitespace();
    words.find(|word| *word == "-p")?;
    let package = words.next()?;
    words.find(|word| *word == "--example")?;
    Some(format!("{package}/{}", words.next()?))
}

/// Runs the commands of a transcript, and returns the new transcript.
fn run(transcript: &str) -> Result<String> {
    let mut printed = String::new();
    for command in transcript.lines().filter_map(command) {
        let (program, lines) = match command.split_once(" | head -") {
            Some((program, lines)) => (program, lines.parse()?),
            None => (command, usize::MAX),
        };
        let mut cargo = cargo();
        cargo.args(["run", "--quiet", "--locked"]).args(program.split_whitespace());
        let output = cargo.output()?;
        if !output.status.success() {
            return Err(format!("cargo run {program}: {}", String::from_utf8_lossy(&output.stderr)).into());
        }
        let output = String::from_utf8(output.stdout)?;
        printed += &format!("$ cargo run {command}\n");
        output.split_inclusive('\n').take(lines).for_each(|line| printed += line);
    }
    Ok(printed)
}

/// Returns all examples of the crates.
fn examples() -> Result<BTreeSet<String>> {
    let mut examples = BTreeSet::new();
    for package in fs::read_dir(root().join("crates"))? {
        let folder = package?.path();
        let Ok(files) = fs::read_dir(folder.join("examples")) else { continue };
        for file in files {
            examples.insert(format!("{}/{}", name(&folder), name(&file?.path())));
        }
    }
    Ok(examples)
}

/// Returns the last component of a path, without its extension.
fn name(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

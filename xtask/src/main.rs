//! Maintenance tasks of this workspace, instead of shell scripts.

#![forbid(unsafe_code)]

mod amplification;
mod examples;
mod fetch;
mod fuzz;
mod golden;
mod layers;
mod oldest;
mod surface;
mod words;

use std::{
    env,
    io::Write,
    path::PathBuf,
    process::{Command, ExitCode},
};

use serde_json::Value;

const HELP: &str = "\
usage: cargo xtask CHORE

    amplification [WORD]...         count what inputs of many shapes cost, of all sizes alike;
                                    only the cases that have these words in their names
    examples                        run the crates' examples, and compare what they print with a transcript
    examples --renew                write that transcript anew
    fetch-fixtures                  fetch what fixtures/manifest.toml lists into fixtures/fetched
        [--only NAME]...            only these; [--list]: say what there is;
                                    [--record]: write fixtures/manifest.lock anew
    layers                          check that crates depend on each other only as Cargo.toml's table allows
    fuzz [TARGET] [--seconds N]     fuzz one target, or all of them, each for N seconds (default 60);
                                    needs cargo-fuzz
    golden                          renew the golden files: output of the btf command, messages of errors
    oldest                          check that the workspace compiles with Cargo-minimal.lock
    oldest --renew                  write that lockfile anew
    surface                         compare the public surface of each crate with its surface.txt
    surface --renew [CRATE]...      write those files anew
    words                           check docs and messages for wording that reads badly
";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match arguments.as_slice() {
        ["layers"] => layers::run(),
        ["amplification", filter @ ..] => amplification::run(filter),
        ["examples"] => examples::check(),
        ["examples", "--renew"] => examples::renew(),
        ["fetch-fixtures", rest @ ..] => fetch::run(rest),
        ["fuzz", rest @ ..] => fuzz::run(rest),
        ["golden"] => golden::run(),
        ["oldest"] => oldest::check(),
        ["oldest", "--renew"] => oldest::renew(),
        ["words"] => words::run(),
        ["surface"] => surface::check(),
        ["surface", "--renew", names @ ..] => surface::renew(names),
        ["help" | "--help" | "-h"] => {
            say(format_args!("{}", HELP.trim_end()));
            Ok(())
        }
        _ => {
            eprint!("{HELP}");
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Result of a task.
type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Prints a line. A closed pipe is ignored.
fn say(line: std::fmt::Arguments<'_>) {
    _ = writeln!(std::io::stdout(), "{line}");
}

/// Returns the folder of the workspace.
fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Returns a command for the cargo that runs this.
fn cargo() -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    command
}

/// Returns the packages of this workspace, as described by `cargo metadata`.
fn packages() -> Result<Vec<Value>> {
    match metadata()?.get_mut("packages").map(Value::take) {
        Some(Value::Array(packages)) => Ok(packages),
        _ => Err("cargo metadata lists no packages".into()),
    }
}

/// Returns the output of `cargo metadata` for this workspace.
fn metadata() -> Result<Value> {
    let output = cargo().args(["metadata", "--format-version=1", "--no-deps"]).output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// Runs a command, and fails if it fails.
fn succeed(command: &mut Command) -> Result {
    let status = command.status().map_err(|error| format!("{command:?}: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("{command:?}: {status}").into()) }
}

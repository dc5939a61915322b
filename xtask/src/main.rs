//! The chores of this workspace, so that nothing needs a shell script.

mod fetch;
mod fuzz;
mod golden;
mod layers;
mod oldest;

use std::{
    env,
    path::PathBuf,
    process::{Command, ExitCode},
};

const HELP: &str = "\
usage: cargo xtask CHORE

    fetch-fixtures                  fetch what fixtures/manifest.toml lists into fixtures/fetched
        [--only NAME]...            only these; [--list]: say what there is
    layers                          check that crates depend on each other only as Cargo.toml's table allows
    fuzz [TARGET] [--seconds N]     fuzz one target, or all of them, each for N seconds (default 60);
                                    needs a nightly toolchain and cargo-fuzz
    golden                          renew the golden files of what the btf command prints
    oldest                          check that the workspace compiles with Cargo-minimal.lock
    oldest --renew                  make that lockfile anew; needs a nightly toolchain
";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match arguments.as_slice() {
        ["layers"] => layers::run(),
        ["fetch-fixtures", rest @ ..] => fetch::run(rest),
        ["fuzz", rest @ ..] => fuzz::run(rest),
        ["golden"] => golden::run(),
        ["oldest"] => oldest::check(),
        ["oldest", "--renew"] => oldest::renew(),
        ["help" | "--help" | "-h"] => {
            print!("{HELP}");
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

/// What a chore fails with: a text for the person who called it.
type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error>>;

/// The folder of the workspace.
fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Cargo, the one that runs this.
fn cargo() -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    command
}

/// Runs a command, and fails if it fails.
fn succeed(command: &mut Command) -> Result {
    let status = command.status().map_err(|error| format!("{command:?}: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("{command:?}: {status}").into()) }
}

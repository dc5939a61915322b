//! Checks that the cost of an input is at most a constant times its size.
//!
//! Each entry point is given inputs of many shapes at three sizes, each twice the
//! previous one. The cost is counted in steps and in bytes (`steps.rs`). It must not
//! grow faster than the bytes read and written, nor exceed a stated multiple of
//! them. Time is not measured.
//!
//! `cargo xtask amplification` builds and runs this; arguments select the cases
//! that have them in their names. `--table` prints the bounds as in
//! `ARCHITECTURE.md`, which a test compares.

#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "tests")]

#[cfg(target_os = "linux")]
mod archive;
#[cfg(target_os = "linux")]
mod build;
#[cfg(target_os = "linux")]
mod case;
#[cfg(target_os = "linux")]
mod codegen;
#[cfg(target_os = "linux")]
mod command;
#[cfg(target_os = "linux")]
mod counted;
#[cfg(target_os = "linux")]
mod elf;
#[cfg(target_os = "linux")]
mod format;
#[cfg(target_os = "linux")]
mod kernel;
#[cfg(target_os = "linux")]
mod relocate;
#[cfg(target_os = "linux")]
mod run;
#[cfg(target_os = "linux")]
mod types;

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    run::main()
}

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!("amplification: the counters are Linux's");
}

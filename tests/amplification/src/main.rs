//! Proves that no input costs more than a constant times its size.
//!
//! Each entry point is given inputs of many shapes, each at three sizes, each
//! twice the one before. What that costs is counted, in steps and in bytes
//! (`steps.rs`), and may not grow faster than the bytes that go in and come out,
//! nor be more than a stated multiple of them. Time is not looked at.
//!
//! `cargo xtask amplification` builds and runs it; words after that run only the
//! cases that have them in their names. With `--table` it prints the bounds as
//! `ARCHITECTURE.md` has them, which a test compares.

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

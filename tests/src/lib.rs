//! Code shared by the tests that need more than one crate.

#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "tests")]

pub mod blob;
pub mod costs;
pub mod described;
pub mod elf_blob;
pub mod fixtures;
pub mod fuzz;
pub mod headers;
pub mod image;
pub mod judging;
pub mod making;
pub mod memory;
pub mod packed;
pub mod rebuild;
pub mod relocating;
pub mod rust_types;
pub mod rust_values;
#[cfg(target_os = "linux")]
pub mod seccomp;
pub mod seeds;
pub mod shapes;
pub mod tars;
pub mod trimming;
pub mod walk;

/// Examples of README.md, compiled.
#[cfg(all(doctest, target_os = "linux"))]
#[doc = include_str!("../../README.md")]
struct Readme;

/// Reports that a test is skipped, with what this machine lacks.
///
/// # Panics
///
/// In CI (if `BTF_CI` is set), where no test may be skipped.
pub fn skip(why: impl std::fmt::Display) {
    assert!(std::env::var_os("BTF_CI").is_none(), "in CI this is not skipped: {why}");
    println!("skipped: {why}");
}

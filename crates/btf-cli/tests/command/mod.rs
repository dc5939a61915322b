//! The command, as its tests run it.

#![allow(dead_code, reason = "no test needs all of it")]

use std::process::{Command, Output};

use btf_tests::fixtures;

/// Runs it.
pub(crate) fn btf(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_btf")).args(arguments).output().unwrap()
}

/// Output as text.
pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The path of a fixture, as an argument.
pub(crate) fn fixture(name: &str) -> String {
    fixtures::folder().join(name).to_str().unwrap().into()
}

/// Runs it, and returns why it failed.
#[track_caller]
pub(crate) fn failed(arguments: &[&str]) -> String {
    let output = btf(arguments);
    assert_eq!(output.status.code(), Some(1), "{arguments:?}");
    assert!(output.stdout.is_empty());
    text(&output.stderr)
}

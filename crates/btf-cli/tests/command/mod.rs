//! The command, as its tests run it.

use std::process::{Command, Output};

/// Runs it.
pub(crate) fn btf(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_btf")).args(arguments).output().unwrap()
}

/// What it printed.
pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

//! Renews golden files: the output of the btf command, and error messages.

use crate::{Result, cargo, succeed};

/// Crates with a `messages.txt`, and the features that add errors.
const MESSAGES: [&[&str]; 8] = [
    &["btf-format"],
    &["btf-types"],
    &["btf-build"],
    &["btf-elf"],
    &["btf-relocate", "--features", "elf"],
    &["btf-codegen"],
    &["btf-kernel", "--features", "sanitize"],
    &["btf-archive", "--features", "trim"],
];

pub(crate) fn run() -> Result {
    renew(&["btf-cli", "--test", "golden"])?;
    for arguments in MESSAGES {
        renew(&[arguments, &["--lib", "messages_stand_alone"]].concat())?;
    }
    println!("golden: renewed crates/btf-cli/tests/golden and crates/*/messages.txt; read the diff");
    Ok(())
}

/// Runs the tests of a package that write golden files.
fn renew(arguments: &[&str]) -> Result {
    let mut test = cargo();
    test.args(["test", "--quiet", "--package"]).args(arguments).env("BTF_GOLDEN", "renew");
    succeed(&mut test)
}

//! Renews the golden files of what the command prints.

use crate::{Result, cargo, succeed};

pub(crate) fn run() -> Result {
    let mut test = cargo();
    test.args(["test", "--quiet", "--package", "btf-cli", "--test", "golden"]).env("BTF_GOLDEN", "renew");
    succeed(&mut test)?;
    println!("golden: renewed crates/btf-cli/tests/golden; read the diff");
    Ok(())
}

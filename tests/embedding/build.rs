//! Packs the types that the program needs, for each kernel that may have no BTF.

use std::{env, error::Error};

use btf_archive::Pack;

const PROGRAM: &str = "../../fixtures/bpf/clang-22/core_real-el.bpf.o";

fn main() -> Result<(), Box<dyn Error>> {
    // A checkout of btfhub-archive, or the part that `btf archive fetch` has fetched.
    println!("cargo::rerun-if-env-changed=BTF_ARCHIVE");
    let archive = env::var_os("BTF_ARCHIVE").unwrap_or_else(|| "archive".into());
    Pack::new().embed([PROGRAM], archive, "btfs.tar.gz")?;
    Ok(())
}

//! `btf dedup`: removes duplicate types.

use std::path::PathBuf;

use clap::Args;

use super::Input;
use crate::Result;

#[derive(Args, Debug)]
#[command(
    after_help = "Merged BTF becomes as small as it can be:\n  btf merge all.btf a.o b.o c.o\n  btf dedup all.btf small.btf\nTypes of the base are left out of split BTF:\n  btf dedup veth.btf small.btf --base vmlinux.btf"
)]
pub(crate) struct Arguments {
    #[command(flatten)]
    input: Input,
    /// The file to write; `-` for standard output.
    out: PathBuf,
}

pub(crate) fn run(arguments: &Arguments) -> Result {
    let (small, _) = btf_build::dedup(&arguments.input.open()?).map_err(|error| arguments.input.fault(&error))?;
    super::write(&arguments.out, &small)
}

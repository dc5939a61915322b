//! `btf rebase`: rebases a module's BTF from its distilled base onto a
//! kernel's.

use std::path::PathBuf;

use clap::Args;

use crate::{
    Result,
    source::{open_bases, open_on},
};

#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// A file with split BTF on a distilled base.
    split: PathBuf,
    /// The distilled base.
    #[arg(long, value_name = "FILE")]
    distilled_base: PathBuf,
    /// The new base. Repeat for deeper chains, lowest first.
    #[arg(long, required = true, value_name = "FILE")]
    base: Vec<PathBuf>,
    /// The file to write; `-` for standard output.
    out: PathBuf,
}

pub(crate) fn run(arguments: &Arguments) -> Result {
    let distilled = open_on(&arguments.distilled_base, None)?;
    let split = open_on(&arguments.split, Some(&distilled))?;
    let Some(base) = open_bases(&arguments.base)? else { return Err("no base was given".into()) };
    super::write(&arguments.out, &split.rebase(&base)?)
}

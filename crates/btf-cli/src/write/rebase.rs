//! `btf rebase`: rebases a module's BTF from its distilled base onto a
//! kernel's.

use std::path::PathBuf;

use clap::Args;

use crate::{
    Result,
    source::{in_file, open_bases, open_on, open_split_on},
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
    let split = open_split_on(&arguments.split, &distilled)?;
    let Some(base) = open_bases(&arguments.base)? else { return Err("no base was given".into()) };
    let rebased = split.rebase(&base).map_err(|error| in_file(&arguments.split, &error))?;
    super::write(&arguments.out, &rebased)
}

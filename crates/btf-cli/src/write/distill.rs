//! `btf distill`: a module's BTF on a base of just what it needs.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::{
    Result,
    source::{open_bases, open_on},
};

#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// A file with split BTF, such as a module.
    source: PathBuf,
    /// What it is split from; more than once for more than one level, the lowest
    /// first.
    #[arg(long, required = true, value_name = "FILE")]
    base: Vec<PathBuf>,
    /// The file to write the split BTF to, on the distilled base.
    out: PathBuf,
    /// The file to write the distilled base to.
    out_base: PathBuf,
}

pub(crate) fn run(arguments: &Arguments) -> Result {
    if [&arguments.out, &arguments.out_base].contains(&&PathBuf::from("-")) {
        return Err("two files are written: standard output cannot take both".into());
    }
    let base = open_bases(&arguments.base)?;
    let distilled = btf_build::distill(&open_on(&arguments.source, base.as_ref())?)?;
    super::write(&arguments.out_base, &distilled.base)?;
    super::write(Path::new(&arguments.out), &distilled.split)
}

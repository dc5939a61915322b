//! `btf distill`: distills the base of a module's BTF.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::{
    Result,
    source::{in_file, open_bases, open_split_on},
};

#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// A file with split BTF, such as a module.
    source: PathBuf,
    /// The base of the split BTF. Repeat for deeper chains, lowest first.
    #[arg(long, required = true, value_name = "FILE")]
    base: Vec<PathBuf>,
    /// The file for the split BTF.
    out: PathBuf,
    /// The file for the distilled base.
    out_base: PathBuf,
}

pub(crate) fn run(arguments: &Arguments) -> Result {
    if [&arguments.out, &arguments.out_base].contains(&&PathBuf::from("-")) {
        return Err("two files are written: standard output cannot take both".into());
    }
    let Some(base) = open_bases(&arguments.base)? else { return Err("no base was given".into()) };
    let split = open_split_on(&arguments.source, &base)?;
    let distilled = btf_build::distill(&split).map_err(|error| in_file(&arguments.source, &error))?;
    super::write(&arguments.out_base, &distilled.base)?;
    super::write(Path::new(&arguments.out), &distilled.split)
}

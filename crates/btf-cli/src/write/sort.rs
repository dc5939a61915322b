//! `btf sort`: types in the order of their names.

use std::path::PathBuf;

use clap::Args;

use super::Input;
use crate::Result;

#[derive(Args, Debug)]
pub(crate) struct Arguments {
    #[command(flatten)]
    input: Input,
    /// The file to write; `-` for standard output.
    out: PathBuf,
}

pub(crate) fn run(arguments: &Arguments) -> Result {
    let (sorted, _) = btf_build::sort(&arguments.input.open()?).map_err(|error| arguments.input.fault(&error))?;
    super::write(&arguments.out, &sorted)
}

//! `btf relocate`: an object with instructions patched for a kernel.

use std::path::PathBuf;

use btf_relocate::Relocator;
use clap::Args;

use crate::{
    Result,
    output::write_file,
    source::{self, in_file},
    target::Target,
};

/// Arguments of `btf relocate`.
#[derive(Args)]
#[command(
    after_help = "The instructions are patched where they are, and .BTF.ext has no CO-RE relocations any more; nothing else changes. Any loader takes the object, on that kernel.\n\nExamples:\n  btf relocate prog.bpf.o prog.here.o\n  btf relocate prog.bpf.o --target vmlinux-5.4.btf prog.5.4.o"
)]
pub(crate) struct Arguments {
    /// A BPF object file; `-` for standard input.
    object: PathBuf,
    /// The file to write; `-` for standard output.
    out: PathBuf,
    #[command(flatten)]
    target: Target,
}

pub(crate) fn run(arguments: &Arguments) -> Result {
    let object = source::read(&arguments.object)?;
    let relocator = Relocator::new(arguments.target.open()?);
    let relocated = relocator.relocate_object(object).map_err(|error| in_file(&arguments.object, &error))?;
    write_file(&arguments.out, &relocated)
}

//! Target BTF for relocations: a file, or a kernel with its modules.

use std::path::{Path, PathBuf};

use btf_elf::BpfObject;
use btf_relocate::{Relocated, Relocator, Targets};
use clap::Args;

use crate::{
    Result,
    source::{self, Options, Source, in_file},
};

/// Target given on the command line.
#[derive(Args, Debug)]
pub(crate) struct Target {
    /// Relocate for the BTF of this file (raw, ELF, a module or a kernel image)
    /// instead of the running kernel and its modules.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["root", "release", "module", "id", "prog", "map"])]
    target: Option<PathBuf>,
    #[command(flatten)]
    options: Options,
}

impl Target {
    /// Opens the target.
    pub(crate) fn open(&self) -> Result<Targets> {
        if self.target.is_some() || self.options.is_not_kernel() {
            let btf = Source::of(self.target.as_deref(), &self.options).open()?;
            return Ok(Targets::custom(&btf));
        }
        self.options.refuse_base()?;
        let kernel = self.options.system().kernel();
        let modules = kernel.open_all_modules()?;
        Ok(Targets::kernel(&kernel.btf()?).modules(modules.collection()))
    }

    /// Resolves the relocations of an object; `None` if it has no `.BTF.ext`.
    pub(crate) fn relocate(&self, object: &BpfObject) -> Result<Option<Relocated>> {
        let Some(ext) = object.btf_ext()? else { return Ok(None) };
        Ok(Some(Relocator::new(self.open()?).relocate(ext)))
    }
}

/// Opens a BPF object; `-` is standard input.
pub(crate) fn open_object(path: &Path) -> Result<BpfObject> {
    BpfObject::parse(source::read(path)?).map_err(|error| in_file(path, &error))
}

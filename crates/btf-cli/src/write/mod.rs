//! Commands that write BTF: `merge`, `min`, `dedup`, `sort`, `distill`,
//! `rebase`, `encode`.

pub(crate) mod dedup;
pub(crate) mod distill;
pub(crate) mod encode;
pub(crate) mod merge;
pub(crate) mod min;
pub(crate) mod rebase;
pub(crate) mod sort;

use std::{
    error::Error,
    path::{Path, PathBuf},
};

use btf_build::Encode;
use btf_types::Btf;
use clap::Args;

use crate::{
    Result,
    output::write_file,
    source::{SourceError, in_file, open_bases, open_fixed_up_on, open_on},
};

/// File with BTF to rewrite, with its base.
#[derive(Args, Debug, Clone)]
pub(crate) struct Input {
    /// A file with BTF: raw, ELF, a module or a kernel image, also compressed; `-`
    /// for standard input.
    source: PathBuf,
    /// The base of split BTF. Repeat for deeper chains, lowest first.
    #[arg(long, value_name = "FILE")]
    base: Vec<PathBuf>,
}

impl Input {
    fn open(&self) -> std::result::Result<Btf, SourceError> {
        open_on(&self.source, open_bases(&self.base)?.as_ref())
    }

    /// Opens the BTF; of a BPF object, as a loader computes it.
    fn open_fixed_up(&self) -> std::result::Result<Btf, SourceError> {
        open_fixed_up_on(&self.source, open_bases(&self.base)?.as_ref())
    }

    /// Adds the name of the file to an error.
    fn fault(&self, error: &(dyn Error + 'static)) -> Box<dyn Error> {
        in_file(&self.source, error)
    }
}

/// Writes BTF in its byte order.
fn write(path: &Path, btf: &Btf) -> Result {
    write_file(path, &Encode::new().encode(btf)?)
}

//! `btf merge`: merges a kernel and its modules, or any BTF.

use std::path::{Path, PathBuf};

use btf_build::Merge;
use btf_types::Btf;
use clap::Args;

use crate::{
    Result,
    source::{in_file, open_any_on, open_bases},
};

#[derive(Args, Debug)]
#[command(
    after_help = "The result stands alone if all that its parts are split from is among them:\n  btf merge one.btf vmlinux.btf veth.btf vxlan.btf --base vmlinux.btf\nand otherwise is split from the base itself:\n  btf merge modules.btf veth.btf vxlan.btf --base vmlinux.btf"
)]
pub(crate) struct Arguments {
    /// The file to write; `-` for standard output.
    out: PathBuf,
    /// Files with BTF. Duplicate types are kept.
    #[arg(required = true, value_name = "SOURCE")]
    sources: Vec<PathBuf>,
    /// The base of split BTF among them. Repeat for deeper chains, lowest
    /// first.
    #[arg(long, value_name = "FILE")]
    base: Vec<PathBuf>,
}

pub(crate) fn run(arguments: &Arguments) -> Result {
    let base = open_bases(&arguments.base)?;
    let mut sources = Vec::new();
    for path in &arguments.sources {
        sources.push((path.as_path(), open_any_on(path, base.as_ref())?));
    }
    super::write(&arguments.out, &merged(base.as_ref(), &sources)?)
}

fn merged(base: Option<&Btf>, sources: &[(&Path, Btf)]) -> Result<Btf> {
    // Layers of the base that are among the sources, lowest first.
    let mut included: Vec<&Btf> = base
        .into_iter()
        .flat_map(Btf::layers)
        .filter(|layer| sources.iter().any(|(_, btf)| btf.is_same(layer)))
        .collect();
    included.reverse();
    let left_below = match included.first() {
        Some(lowest) => lowest.base(),
        None => base,
    };
    let mut merge = left_below.map_or_else(Merge::new, Merge::on);
    for layer in &included {
        merge.add(layer)?;
    }
    for (path, btf) in sources.iter().filter(|(_, btf)| !included.iter().any(|layer| layer.is_same(btf))) {
        merge.add(btf).map_err(|error| in_file(path, &error))?;
    }
    Ok(merge.finish()?)
}

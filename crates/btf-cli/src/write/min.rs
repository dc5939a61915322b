//! `btf min`: the part of a kernel's BTF that programs need.

use std::path::PathBuf;

use btf_relocate::Trim;
use btf_types::{Btf, Type};
use clap::Args;

use super::Input;
use crate::{
    Result,
    output::is_dash,
    similar,
    source::{SourceName, in_file},
    target::open_object,
};

#[derive(Args, Debug)]
#[command(
    override_usage = "btf min [OPTIONS] <SOURCE> <OUT> <PROG.o>...",
    after_help = "Keeps what the CO-RE relocations of all programs need: the types and members that `bpftool gen min_core_btf` keeps. Loaders take the result where the kernel has no BTF (libbpf's btf_custom_path, aya's EbpfLoader::btf).\n\nExamples:\n  btf min vmlinux-5.4.btf min.btf prog.bpf.o other.bpf.o\n  btf min --keep task_struct /sys/kernel/btf/vmlinux min.btf prog.bpf.o\n  btf min veth.btf --base vmlinux.btf --out-base min-vmlinux.btf min-veth.btf prog.bpf.o"
)]
pub(crate) struct Arguments {
    #[command(flatten)]
    input: Input,
    /// The file to write; `-` for standard output.
    out: PathBuf,
    /// BPF object files; `-` for standard input.
    #[arg(value_name = "PROG.o", required_unless_present = "keep")]
    programs: Vec<PathBuf>,
    /// Also keep the types of this name, with all members and the types that
    /// these consist of. May be repeated.
    #[arg(long, value_name = "NAME")]
    keep: Vec<String>,
    /// The file for the trimmed base, which trimmed split BTF needs. One for
    /// each --base.
    #[arg(long, value_name = "FILE", requires = "base")]
    out_base: Vec<PathBuf>,
}

pub(crate) fn run(arguments: &Arguments) -> Result {
    let Arguments { input, out, programs, keep, out_base } = arguments;
    if programs.iter().chain([&input.source]).filter(|path| is_dash(path)).count() > 1 {
        return Err("standard input can be read only once".into());
    }
    if out_base.iter().chain([out]).filter(|path| is_dash(path)).count() > 1 {
        return Err("standard output cannot take several files".into());
    }
    if out_base.len() != input.base.len() {
        return Err(
            "split BTF is of use only with the base that was trimmed with it: give --out-base for each --base".into()
        );
    }
    let mut trim = Trim::new();
    for path in programs {
        trim = trim.object(&open_object(path)?).map_err(|error| in_file(path, &error))?;
    }
    let btf = input.open()?;
    for name in keep {
        if btf.find_first::<Type<'_>>(name).is_none() {
            let hint = similar::types(&btf, name);
            return Err(format!("no type named {name} in {}{hint}", SourceName::of(&input.source)).into());
        }
        trim = trim.keep(name);
    }
    let trimmed = trim.trim(&btf).map_err(|error| input.fault(&error))?;
    if trimmed.layers().all(|layer| layer.types().len() == 0) {
        let source = SourceName::of(&input.source);
        eprintln!("btf: the programs need no type of {source}: what is written has none, and no kernel loads it");
    }
    // The base comes first: without it, BTF that is split from it is useless.
    let layers: Vec<&Btf> = trimmed.layers().collect();
    for (path, layer) in out_base.iter().zip(layers.iter().skip(1).rev()) {
        super::write(path, layer)?;
    }
    super::write(out, &trimmed)
}

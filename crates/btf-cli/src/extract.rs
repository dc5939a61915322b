//! `btf extract`: the raw BTF of any source, unchanged.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::{
    Result,
    output::{is_dash, write_file},
    source::{Options, Source, SourceName},
};

/// Arguments of `btf extract`.
#[derive(Args)]
#[command(
    override_usage = "btf extract [OPTIONS] [SOURCE] <OUT>",
    after_help = "Examples:\n  btf extract vmlinux.btf\n  btf extract /boot/vmlinuz vmlinux.btf\n  btf extract veth.ko.xz veth.btf\n  btf extract --prog 42 - | bpftool btf dump file /dev/stdin\n  btf extract --member ubuntu/20.04/x86_64/5.4.0-42-generic.btf bundle.tar.gz vmlinux.btf"
)]
pub(crate) struct Arguments {
    /// The source: a file with BTF (raw, ELF, a module or a kernel image, also
    /// compressed), `-` for standard input, or the running kernel if there is
    /// none. Then the file to write, which is replaced atomically; `-` for
    /// standard output.
    #[arg(required = true, num_args = 1..=2, value_names = ["SOURCE", "OUT"])]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    options: Options,
}

pub(crate) fn run(arguments: &Arguments) -> Result {
    let (source, to) = match arguments.paths.as_slice() {
        [source, to] => (Some(source.as_path()), to),
        [to] => {
            refuse_source(to, &arguments.options)?;
            (None, to)
        }
        _ => return Err("expected a source and a file to be written".into()),
    };
    // Split BTF is also written unchanged, so its base is not needed.
    write_file(to, &Source::of(source, &arguments.options).bytes()?)
}

/// Rejects a single file that exists and is not raw BTF: it is probably the
/// source, and must not be overwritten with the kernel's BTF.
fn refuse_source(to: &Path, options: &Options) -> Result {
    let may_be_replaced = |file: &btf_elf::BtfFile| matches!(file.layers(), [btf_elf::Layer::Btf { .. }]);
    let is_new = is_dash(to) || !to.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.len() > 0);
    if is_new || options.is_given() || btf_elf::BtfFile::open(to).is_ok_and(|file| may_be_replaced(&file)) {
        return Ok(());
    }
    let name = SourceName::of(to);
    Err(format!("{name} exists, and is not raw BTF: for its BTF, name the file to write too: btf extract {name} OUT")
        .into())
}

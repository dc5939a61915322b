//! `btf-loaders ARCHIVE`: runs the loaders that are built in, as root, with the
//! BTF of this system's kernel from an archive.

use std::process::ExitCode;

use btf_archive::Archive;
use btf_kernel::Host;

fn main() -> ExitCode {
    let Some(path) = std::env::args().nth(1) else {
        eprintln!("usage: btf-loaders ARCHIVE");
        return ExitCode::from(2);
    };
    match run(&path) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{path}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(path: &str) -> btf_loaders::Result<()> {
    let archive = Archive::open(path)?;
    let host = Host::detect()?;
    let selection = archive.select(&host)?;
    println!("{} ({})", selection.path(), selection.rule());
    #[allow(unused_variables, reason = "without features there is no loader")]
    let object = btf_loaders::object();
    #[cfg(feature = "aya")]
    println!("aya: {} bytes", btf_loaders::with_aya::size_of_task_struct(&archive, &host, &object)?);
    #[cfg(feature = "libbpf")]
    println!("libbpf: {} bytes", btf_loaders::with_libbpf::size_of_task_struct(&archive, &host, &object)?);
    Ok(())
}

//! aya.

use aya::{Btf, EbpfLoader, Endianness, maps::Array, programs::RawTracePoint};
use btf_archive::Archive;
use btf_kernel::Host;

use crate::{Result, exec_something, results};

/// Bytes of the object's `.bss`, which aya wants to know from the type.
const BSS: usize = 200;

/// Loads the program with the BTF of this system's kernel from an archive;
/// returns what it found `struct task_struct` to have as its size, in bytes.
///
/// # Errors
///
/// If the archive has nothing for this system, or the program cannot be loaded.
pub fn size_of_task_struct(archive: &Archive, host: &Host, object: &[u8]) -> Result<u64> {
    let selection = archive.select(host)?;
    let btf = Btf::parse(&selection.bytes(), Endianness::default())?;
    run(EbpfLoader::new().btf(Some(&btf)), object)?.first().copied().ok_or_else(|| "no result".into())
}

/// Loads an object that has no CO-RE relocations any more; returns the results
/// of its program.
///
/// # Errors
///
/// If the program cannot be loaded.
pub fn results_of_relocated(object: &[u8]) -> Result<Vec<u64>> {
    run(EbpfLoader::new().btf(None), object)
}

fn run(loader: &mut EbpfLoader<'_>, object: &[u8]) -> Result<Vec<u64>> {
    let mut ebpf = loader.load(object)?;
    let program: &mut RawTracePoint = ebpf.program_mut("on_exec").ok_or("no program on_exec")?.try_into()?;
    program.load()?;
    program.attach("sched_process_exec")?;
    exec_something()?;
    let bss: Array<_, [u8; BSS]> = Array::try_from(ebpf.map(".bss").ok_or("no map .bss")?)?;
    results(object, &bss.get(&0, 0)?)
}

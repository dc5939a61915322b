//! Loader with aya.

use aya::{
    Btf, Ebpf, EbpfLoader, Endianness,
    maps::Array,
    programs::{BtfTracePoint, FEntry, KProbe, Lsm, RawTracePoint, UProbe, Xdp, XdpMode, uprobe::UProbeScope},
};
use btf_archive::Archive;
use btf_kernel::Host;

use crate::{
    Result, exec_something,
    programs::{self, Program, Row, Triggered},
    results,
};

/// Size of the object's `.bss` in bytes. aya needs it as part of a type.
const BSS: usize = 200;

/// Loads the program with the BTF of this system's kernel from an archive. Returns
/// the size of `struct task_struct` that the program saw, in bytes.
///
/// # Errors
///
/// If the archive has nothing for this system, or the program cannot be loaded.
pub fn size_of_task_struct(archive: &Archive, host: &Host, object: &[u8]) -> Result<u64> {
    let selection = archive.select(host)?;
    let btf = Btf::parse(&selection.bytes(), Endianness::default())?;
    run(EbpfLoader::new().btf(Some(&btf)), object)?.first().copied().ok_or_else(|| "no result".into())
}

/// Loads an object that was relocated before. Returns the results of its program.
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

/// Loads and attaches one program of a relocated [`programs::object`], and triggers
/// it. Returns the row that it wrote.
///
/// # Errors
///
/// If the program cannot be loaded, attached or run.
pub fn run_program(object: &[u8], program: Program, name: &str) -> Result<(Row, Triggered)> {
    let mut ebpf = EbpfLoader::new().btf(None).load(object)?;
    let mut bss: Array<_, [u8; programs::BSS]> = Array::try_from(ebpf.take_map(".bss").ok_or("no map .bss")?)?;
    bss.set(0, programs::watch(), 0)?;
    attach(&mut ebpf, program, name)?;
    let triggered = program.trigger()?;
    Ok((programs::row(program, &bss.get(&0, 0)?), triggered))
}

/// Loads and attaches a program, until `ebpf` is dropped.
fn attach(ebpf: &mut Ebpf, program: Program, name: &str) -> Result<()> {
    let loaded = ebpf.program_mut(name).ok_or_else(|| format!("no program {name}"))?;
    let target = program.target();
    match program {
        Program::RawTp => {
            let loaded: &mut RawTracePoint = loaded.try_into()?;
            loaded.load()?;
            loaded.attach(target)?;
        }
        Program::TpBtf => {
            let loaded: &mut BtfTracePoint = loaded.try_into()?;
            loaded.load(target, &Btf::from_sys_fs()?)?;
            loaded.attach()?;
        }
        Program::Fentry => {
            let loaded: &mut FEntry = loaded.try_into()?;
            loaded.load(target, &Btf::from_sys_fs()?)?;
            loaded.attach()?;
        }
        Program::Lsm => {
            let loaded: &mut Lsm = loaded.try_into()?;
            loaded.load(target, &Btf::from_sys_fs()?)?;
            loaded.attach()?;
        }
        Program::Xdp => {
            let loaded: &mut Xdp = loaded.try_into()?;
            loaded.load()?;
            loaded.attach(target, XdpMode::Skb)?;
        }
        Program::Uprobe => {
            let loaded: &mut UProbe = loaded.try_into()?;
            loaded.load()?;
            loaded.attach(target, "libc", UProbeScope::CallingProcess)?;
        }
        Program::Kprobe => {
            let loaded: &mut KProbe = loaded.try_into()?;
            loaded.load()?;
            loaded.attach(target, 0)?;
        }
    }
    Ok(())
}

//! Loads a program on any kernel. If the kernel has no BTF, uses that of the bundle.
//! The argument is the root of the system with the kernel's files, by default `/`.

use std::{env, error::Error, process::Command};

use aya::{Btf, EbpfLoader, Endianness, include_bytes_aligned, maps::Array, programs::RawTracePoint};
use btf_archive::{Archive, Chosen, kernel::Kernel};

static PROGRAM: &[u8] = include_bytes_aligned!("../../../fixtures/bpf/clang-22/core_real-el.bpf.o");
static BTFS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/btfs.tar.gz"));

fn main() -> Result<(), Box<dyn Error>> {
    let kernel = env::args_os().nth(1).map_or_else(Kernel::running, Kernel::of);
    let chosen = Archive::parse(BTFS)?.choose(&kernel)?;
    if let Chosen::Archive(selection) = &chosen {
        println!("{} ({})", selection.path(), selection.rule());
    }
    let btf = Btf::parse(&chosen.bytes()?, Endianness::default())?;
    let mut ebpf = EbpfLoader::new().btf(Some(&btf)).load(PROGRAM)?;
    let program: &mut RawTracePoint = ebpf.program_mut("on_exec").ok_or("no program on_exec")?.try_into()?;
    program.load()?;
    program.attach("sched_process_exec")?;
    Command::new("true").status()?;
    let bss: Array<_, [u64; 25]> = Array::try_from(ebpf.map(".bss").ok_or("no map .bss")?)?;
    println!("struct task_struct has {} bytes", bss.get(&0, 0)?[RESULT]);
    Ok(())
}

/// Index in `.bss` of the number that the program writes.
const RESULT: usize = 9;

//! Loading of the BPF program with aya.

use std::{ffi::OsString, fs, os::unix::fs::MetadataExt, process::Command};

use aya::{
    EbpfLoader, include_bytes_aligned,
    maps::{Array, RingBuf},
    programs::RawTracePoint,
};
use btf_elf::BpfObject;
use btf_events::types::{Plain, bss, rodata};

use crate::Result;

static PROGRAM: &[u8] = include_bytes_aligned!(concat!(env!("OUT_DIR"), "/events.bpf.o"));

/// Runs a command, and passes each record to `print`.
pub(crate) fn run(command: OsString, mut print: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
    // The settings of the object, restricted to this user.
    let contents = BpfObject::parse(PROGRAM)?.data_section(".rodata").ok_or("no .rodata")?.contents()?;
    let rodata = rodata::read_from(&contents.ok_or("no contents")?).ok_or("a short .rodata")?;
    let mut settings = rodata.settings;
    settings.uid = fs::metadata("/proc/self")?.uid();
    settings.any_uid.set(false);

    let mut ebpf = EbpfLoader::new().override_global("settings", &settings, true).load(PROGRAM)?;
    let program: &mut RawTracePoint = ebpf.program_mut("on_exec").ok_or("no program on_exec")?.try_into()?;
    program.load()?;
    program.attach("sched_process_exec")?;
    Command::new(command).status()?;

    let mut events = RingBuf::try_from(ebpf.take_map("events").ok_or("no map events")?)?;
    while let Some(record) = events.next() {
        print(&record)?;
    }
    let globals: Array<_, bss> = Array::try_from(ebpf.map(".bss").ok_or("no map .bss")?)?;
    let counts = globals.get(&0, 0)?;
    println!("{} reported, {} dropped", counts.reported, counts.dropped);
    Ok(())
}

//! Loader with libbpf-rs, which takes BTF as the path of a file.

use btf_archive::Archive;
use btf_kernel::Host;
use libbpf_rs::{Link, MapCore, MapFlags, ObjectBuilder, ProgramMut, UprobeOpts};

use crate::{
    Result, exec_something,
    programs::{self, Program, Row, Triggered},
    results,
};

/// Loads the program with the BTF of this system's kernel from an archive. Returns
/// the size of `struct task_struct` that the program saw, in bytes.
///
/// # Errors
///
/// If the archive has nothing for this system, or the program cannot be loaded.
pub fn size_of_task_struct(archive: &Archive, host: &Host, object: &[u8]) -> Result<u64> {
    let selection = archive.select(host)?;
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("vmlinux.btf");
    selection.write_file(&path)?;
    let mut builder = ObjectBuilder::default();
    builder.btf_custom_path(&path)?;
    run(&mut builder, object)?.first().copied().ok_or_else(|| "no result".into())
}

/// Loads an object that was relocated before. Returns the results of its program.
///
/// # Errors
///
/// If the program cannot be loaded.
pub fn results_of_relocated(object: &[u8]) -> Result<Vec<u64>> {
    run(&mut ObjectBuilder::default(), object)
}

fn run(builder: &mut ObjectBuilder, object: &[u8]) -> Result<Vec<u64>> {
    let mut open = builder.open_memory(object)?;
    for mut program in open.progs_mut() {
        let is_wanted = program.name() == "on_exec";
        program.set_autoload(is_wanted);
    }
    let object_in_kernel = open.load()?;
    let program =
        object_in_kernel.progs_mut().find(|program| program.name() == "on_exec").ok_or("no program on_exec")?;
    let _link = program.attach_raw_tracepoint("sched_process_exec")?;
    exec_something()?;
    let is_bss = |name: &std::ffi::OsStr| name.to_string_lossy().ends_with(".bss");
    let bss = object_in_kernel.maps().find(|map| is_bss(map.name())).ok_or("no map .bss")?;
    let value = bss.lookup(&0u32.to_ne_bytes(), MapFlags::ANY)?.ok_or("no value in .bss")?;
    results(object, &value)
}

/// Loads and attaches one program of a relocated [`programs::object`], and triggers
/// it. Returns the row that it wrote.
///
/// # Errors
///
/// If the program cannot be loaded, attached or run.
pub fn run_program(object: &[u8], program: Program, name: &str) -> Result<(Row, Triggered)> {
    let mut builder = ObjectBuilder::default();
    let mut open = builder.open_memory(object)?;
    for mut other in open.progs_mut() {
        let is_wanted = other.name() == name;
        other.set_autoload(is_wanted);
    }
    let loaded = open.load()?;
    let is_bss = |name: &std::ffi::OsStr| name.to_string_lossy().ends_with(".bss");
    let bss = loaded.maps().find(|map| is_bss(map.name())).ok_or("no map .bss")?;
    bss.update(&0u32.to_ne_bytes(), &programs::watch(), MapFlags::ANY)?;
    let attached = loaded.progs_mut().find(|loaded| loaded.name() == name);
    let _link = attach(&attached.ok_or_else(|| format!("no program {name}"))?, program)?;
    let triggered = program.trigger()?;
    let bss = bss.lookup(&0u32.to_ne_bytes(), MapFlags::ANY)?.ok_or("no value in .bss")?;
    Ok((programs::row(program, &bss), triggered))
}

/// Attaches a program until the link is dropped.
fn attach(loaded: &ProgramMut<'_>, program: Program) -> Result<Link> {
    /// Interface index of the loopback device.
    const LOOPBACK: i32 = 1;
    let target = program.target();
    Ok(match program {
        Program::RawTp => loaded.attach_raw_tracepoint(target)?,
        Program::TpBtf | Program::Fentry => loaded.attach_trace()?,
        Program::Lsm => loaded.attach_lsm()?,
        Program::Xdp => loaded.attach_xdp(LOOPBACK)?,
        Program::Uprobe => {
            let options = UprobeOpts { func_name: Some(target.to_owned()), ..UprobeOpts::default() };
            loaded.attach_uprobe_with_opts(-1, "libc.so.6", 0, options)?
        }
        Program::Kprobe => loaded.attach_kprobe(false, target)?,
    })
}

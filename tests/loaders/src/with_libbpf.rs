//! libbpf-rs, which takes BTF as the path of a file.

use btf_archive::Archive;
use btf_kernel::Host;
use libbpf_rs::{MapCore, MapFlags, ObjectBuilder};

use crate::{Result, exec_something, results};

/// Loads the program with the BTF of this system's kernel from an archive;
/// returns what it found `struct task_struct` to have as its size, in bytes.
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

/// Loads an object that has no CO-RE relocations any more; returns the results
/// of its program.
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

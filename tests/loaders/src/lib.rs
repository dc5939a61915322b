//! Two loaders that take the BTF of a kernel from an archive, as programs do that
//! must run on kernels without BTF. The same loaders also load objects that were
//! relocated before, see [`programs`].
//!
//! Each loads `fixtures/bpf/core_real.bpf.c`, and attaches its program `on_exec`,
//! which writes the size of `struct task_struct` *on this kernel* to a global
//! variable. It then runs a command to trigger the program, and reads the variable.
//! The size comes from a CO-RE relocation, and so from the selected BTF.

#![forbid(unsafe_code)]

pub mod programs;
#[cfg(feature = "aya")]
pub mod with_aya;
#[cfg(feature = "libbpf")]
pub mod with_libbpf;

use std::process::Command;

use btf_elf::BpfObject;

/// Result of a loader.
pub type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Returns the object file of the program.
#[must_use]
pub fn object() -> Vec<u8> {
    let order = if cfg!(target_endian = "little") { "el" } else { "eb" };
    btf_tests::fixtures::read(&format!("bpf/clang-22/core_real-{order}.bpf.o"))
}

/// Returns the offset in `.bss` at which the program writes the size: `bits[0]`.
///
/// # Errors
///
/// If the object has no such variable.
pub fn offset_of_result(object: &[u8]) -> Result<usize> {
    let object = BpfObject::parse(object.to_vec())?;
    let bss = object.data_section(".bss").ok_or("no .bss")?;
    let bits = bss.variables()?.find(|variable| variable.name() == "bits").ok_or("no variable bits")?;
    Ok(bits.offset() as usize)
}

/// Returns the results that the program has written to `.bss`: the numbers of `bits`.
///
/// # Errors
///
/// If the section is too short.
pub fn results(object: &[u8], bss: &[u8]) -> Result<Vec<u64>> {
    let at = offset_of_result(object)?;
    let bytes = bss.get(at..).unwrap_or_default().as_chunks().0;
    if bytes.len() < 16 {
        Err("it is too short".into())
    } else {
        Ok(bytes.iter().map(|&bytes| u64::from_ne_bytes(bytes)).collect())
    }
}

/// Makes the kernel run the program.
///
/// # Errors
///
/// If no command can be run.
pub fn exec_something() -> Result<()> {
    Command::new("true").status()?;
    Ok(())
}

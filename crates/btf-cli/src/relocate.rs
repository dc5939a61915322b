//! `btf relocate`: an object whose instructions are patched for a kernel.

use std::path::PathBuf;

use btf_archive::OutputFile;
use btf_elf::{BpfObject, Elf, Section};
use btf_relocate::Relocated;
use clap::Args;

use crate::{
    Result,
    output::Stdout,
    target::{Target, read_object},
};

/// Arguments of `btf relocate`.
#[derive(Args)]
#[command(
    after_help = "The instructions are patched where they are, and .BTF.ext has no CO-RE relocations any\nmore; nothing else changes. Any loader takes the object, on that kernel.\n\nExamples:\n  btf relocate prog.bpf.o prog.here.o\n  btf relocate prog.bpf.o --target vmlinux-5.4.btf prog.5.4.o"
)]
pub(crate) struct Arguments {
    /// A BPF object file.
    object: PathBuf,
    /// The file to write; `-` for standard output.
    out: PathBuf,
    #[command(flatten)]
    target: Target,
}

pub(crate) fn run(arguments: &Arguments, out: &mut Stdout) -> Result {
    let mut bytes = read_object(&arguments.object)?;
    let object = BpfObject::new(Elf::parse(bytes.clone())?)?;
    if let Some(relocated) = arguments.target.relocate(&object)? {
        patch_programs(&object, &relocated, &mut bytes)?;
        drop_core_relos(&object, &mut bytes)?;
    }
    if arguments.out.as_os_str() == "-" {
        out.bytes(&bytes)?;
    } else {
        OutputFile::write_bytes(&arguments.out, &bytes)?;
    }
    Ok(())
}

/// The contents of a section in the bytes of its file.
fn contents<'a>(section: Section<'_>, bytes: &'a mut [u8]) -> Result<&'a mut [u8]> {
    if section.is_compressed() {
        return Err(format!("section {} is compressed: it cannot be patched where it is", section.name()).into());
    }
    let end = section.offset().checked_add(section.size());
    let range = usize::try_from(section.offset()).ok().zip(end.and_then(|end| usize::try_from(end).ok()));
    let range = range.and_then(|(start, end)| bytes.get_mut(start..end));
    range.ok_or_else(|| format!("section {} is not in the file", section.name()).into())
}

fn patch_programs(object: &BpfObject, relocated: &Relocated, bytes: &mut [u8]) -> Result {
    for program in object.programs() {
        relocated.apply(program.name(), contents(program.section(), bytes)?)?;
    }
    Ok(())
}

/// Leaves out the CO-RE relocations of `.BTF.ext`: their length becomes 0.
fn drop_core_relos(object: &BpfObject, bytes: &mut [u8]) -> Result {
    /// Where `core_relo_len` is in the header, in bytes.
    const CORE_RELO_LEN: std::ops::Range<usize> = 28..32;
    let Some(section) = object.elf().section(".BTF.ext") else { return Ok(()) };
    if object.btf_ext()?.is_some_and(|ext| ext.core_relos().len() > 0)
        && let Some(len) = contents(section, bytes)?.get_mut(CORE_RELO_LEN)
    {
        len.fill(0);
    }
    Ok(())
}

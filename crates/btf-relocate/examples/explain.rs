//! Explains the CO-RE relocations of a BPF object for a kernel:
//! `cargo run -p btf-relocate --example explain -- PROG.bpf.o [BTF]`.

use std::{env, error::Error, fs};

use btf_relocate::{Relocator, Targets, elf::BpfObject, types::Btf};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let object = BpfObject::open(arguments.next().ok_or("usage: explain PROG.bpf.o [BTF]")?)?;
    let path = arguments.next().unwrap_or_else(|| "/sys/kernel/btf/vmlinux".into());
    let kernel = Btf::parse(fs::read(path)?)?;

    let Some(ext) = object.btf_ext()? else { return Err("the object has no .BTF.ext".into()) };
    for relocation in &Relocator::new(Targets::kernel(&kernel)).relocate(ext) {
        println!("{}+{}: {}", relocation.program(), relocation.insn_offset(), relocation.explain());
    }
    Ok(())
}

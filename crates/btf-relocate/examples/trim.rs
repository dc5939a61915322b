//! Writes the part of a kernel's BTF that BPF objects need:
//! `cargo run -p btf-relocate --example trim -- OUT BTF PROG.bpf.o...`.

use std::{env, error::Error, fs};

use btf_relocate::{Trim, elf::BpfObject, types::Btf};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let (Some(out), Some(path)) = (arguments.next(), arguments.next()) else {
        return Err("usage: trim OUT BTF PROG.bpf.o...".into());
    };
    let kernel = Btf::parse(fs::read(path)?)?;

    let mut trim = Trim::new();
    for path in arguments {
        trim = trim.object(&BpfObject::open(path)?)?;
    }
    let small = trim.trim(&kernel)?;
    fs::write(&out, small.to_bytes(kernel.byte_order())?)?;
    println!("{} of {} types, {} bytes", small.types().len(), kernel.types().len(), small.as_bytes().len());
    for ty in small.types().filter(|ty| !ty.name().is_empty()) {
        println!("{ty}");
    }
    Ok(())
}

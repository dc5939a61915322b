//! Copies one type and what it consists of out of a kernel's BTF, for a program
//! that needs no more:
//!
//!     cargo run -p btf-build --example minimal -- /sys/kernel/btf/vmlinux task_struct small.btf

use std::{env, error::Error, fs};

use btf_build::{Builder, Encode};
use btf_types::{Btf, Struct};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [vmlinux, name, out] = arguments.as_slice() else {
        return Err("usage: minimal VMLINUX STRUCT OUT".into());
    };
    let vmlinux = Btf::parse(fs::read(vmlinux)?)?;
    let mut builder = Builder::new().byte_order(vmlinux.byte_order());
    let id = builder.copy_shallow(vmlinux.find::<Struct<'_>>(name)?)?;
    let small = builder.finish()?;
    let bytes = Encode::new().encode(&small)?;
    println!("{} is type {id} of {}, {} bytes", name, small.types().len(), bytes.len());
    Ok(fs::write(out, bytes)?)
}

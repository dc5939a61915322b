//! Lists the kfuncs of a kernel and its modules with their prototypes:
//! `cargo run -p btf-kernel --example kfuncs -- [ROOT]`; by default those of the running kernel.

use std::{env, error::Error};

use btf_kernel::{
    Kernel,
    types::{DeclTag, Type, View},
};

fn main() -> Result<(), Box<dyn Error>> {
    let kernel = env::args().nth(1).map_or_else(Kernel::running, Kernel::of);
    let modules = kernel.open_all_modules()?;
    for (name, error) in modules.faults() {
        eprintln!("{name}: {error}");
    }
    // Kernels since Linux 6.10 have a tag on each kfunc.
    for object in modules.collection() {
        let tags = object.btf().types().filter_map(DeclTag::of);
        for tag in tags.filter(|tag| tag.name() == "bpf_kfunc" && tag.component_idx().is_none()) {
            if let Type::Func(func) = tag.target() {
                println!("{}: {}", object.name(), func.proto().as_type().declare(func.name()));
            }
        }
    }
    Ok(())
}

//! Lists the functions that take a pointer to a struct, and as which parameter:
//! `cargo run -p btf-types --example functions -- [STRUCT [BTF]]`.

use std::{env, error::Error, fs};

use btf_types::{Btf, Func, Struct, Type, View};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let name = arguments.next().unwrap_or_else(|| "sk_buff".into());
    let path = arguments.next().unwrap_or_else(|| "/sys/kernel/btf/vmlinux".into());
    let btf = Btf::parse(fs::read(path)?)?;

    let wanted: Struct<'_> = btf.find(&name)?;
    let points_to_it = |ty: Type<'_>| match ty.peel_modifiers() {
        Type::Ptr(ptr) => ptr.target().peel_modifiers() == wanted.as_type(),
        _ => false,
    };
    for func in btf.types().filter_map(Func::of) {
        for param in func.params().filter(|param| points_to_it(param.ty())) {
            println!("{}: parameter {}, {param}", func.name(), param.index());
        }
    }
    Ok(())
}

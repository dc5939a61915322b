//! Writes Rust types that implement traits of zerocopy, and of aya with the feature
//! `aya`; `tests/traits.rs` includes them.

use std::{env, error::Error, fmt::Write, fs, path::Path};

use btf_codegen::{
    btf_types::{Btf, ByteOrder},
    rust::{Traits, Types},
};
use btf_elf::{BpfObject, BtfFile};

/// Modules to write, each with a file of BTF, from several machines.
const FILES: [(&str, &str); 8] = [
    ("x86_64", "layout/x86_64.btf"),
    ("i686", "layout/i686.btf"),
    ("armv7", "layout/armv7.btf"),
    ("powerpc", "layout/powerpc.btf"),
    ("s390x", "layout/s390x.btf"),
    ("kinds", "bpf/clang-22/types-el.bpf.o"),
    ("kinds_big", "bpf/clang-22/types-eb.bpf.o"),
    ("enum64", "bpf/clang-22/enum64-el.bpf.o"),
];

/// Object for whose globals types are written.
const OBJECT: &str = "bpf/clang-22/maps-el.bpf.o";

fn main() -> Result<(), Box<dyn Error>> {
    let fixtures = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("../../fixtures");
    let mut out = String::new();
    let mut names = Vec::new();
    let mut add = |module: &str, types: Types, btf: &Btf| -> Result<(), Box<dyn Error>> {
        let text = types.module(module).generate(btf)?;
        // The list of all types, at the end.
        let list = text
            .split_once(
                "    types! {
",
            )
            .ok_or("no list of types")?
            .1
            .lines();
        names.extend(list.take_while(|line| *line != "    }").map(|name| format!("{module}::{}", name.trim())));
        out.push_str(&text);
        Ok(())
    };
    for (module, file) in FILES {
        let path = fixtures.join(file);
        add(module, types()?, &BtfFile::open(&path)?.btf()?)?;
        println!("cargo::rerun-if-changed={}", path.display());
    }
    let path = fixtures.join(OBJECT);
    add("globals", types()?.globals(true), &BpfObject::open(&path)?.datasec_fixups().btf()?)?;
    println!("cargo::rerun-if-changed={}", path.display());
    write!(out, "const ALL: [(&str, Check); {}] = [", names.len())?;
    names.iter().try_for_each(|name| write!(out, "(\"{name}\", check::<{name}>), "))?;
    out.push_str("];\n");
    fs::write(Path::new(&env::var("OUT_DIR")?).join("traits.rs"), out)?;
    Ok(())
}

fn types() -> Result<Types, env::VarError> {
    let order = match env::var("CARGO_CFG_TARGET_ENDIAN")?.as_str() {
        "big" => ByteOrder::Big,
        _ => ByteOrder::Little,
    };
    let types = Types::new().byte_order(order).implement(Traits::Zerocopy);
    Ok(if env::var_os("CARGO_FEATURE_AYA").is_some() { types.implement(Traits::Aya) } else { types })
}

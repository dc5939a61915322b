//! Writes Rust types for the BPF program: its record, and its globals.

use std::{env, error::Error, fs, path::Path};

use btf_codegen::{
    btf_types::ByteOrder,
    rust::{Traits, Types},
};
use btf_elf::BpfObject;

fn main() -> Result<(), Box<dyn Error>> {
    let (order, name) = match env::var("CARGO_CFG_TARGET_ENDIAN")?.as_str() {
        "big" => (ByteOrder::Big, "events-eb"),
        _ => (ByteOrder::Little, "events-el"),
    };
    let path = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join(format!("../../fixtures/bpf/clang-22/{name}.bpf.o"));
    let object = BpfObject::open(&path)?;
    let mut types = Types::new().root("event").globals(true).byte_order(order);
    if env::var_os("CARGO_FEATURE_AYA").is_some() {
        types = types.implement(Traits::Aya);
    }
    let types = types.generate(&object.datasec_fixups().btf()?)?;
    let out = env::var("OUT_DIR")?;
    fs::write(Path::new(&out).join("types.rs"), types)?;
    fs::copy(&path, Path::new(&out).join("events.bpf.o"))?;
    println!("cargo::rerun-if-changed={}", path.display());
    Ok(())
}

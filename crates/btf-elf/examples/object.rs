//! Lists the programs, maps and global variables of a BPF object:
//! `cargo run -p btf-elf --example object -- PROG.bpf.o`.

use std::{env, error::Error};

use btf_elf::{BpfObject, DataKind};

fn main() -> Result<(), Box<dyn Error>> {
    let path = env::args().nth(1).ok_or("usage: object PROG.bpf.o")?;
    let object = BpfObject::open(path)?;

    for program in object.programs() {
        let (instructions, relos) = (program.instructions()?.len(), program.core_relos()?.count());
        println!("program {}: {instructions} instructions, {relos} CO-RE relocations", program.name());
        for function in program.functions()? {
            println!("    {} at byte {}", function.name(), function.offset());
        }
    }
    for map in object.maps()? {
        let map_type = map.map_type().map_or_else(|| "no type".into(), |map_type| map_type.to_string());
        let (key, value) = (map.key_size(), map.value_size());
        println!("map {}: {map_type}, {} entries, {key} -> {value} bytes", map.name(), map.max_entries());
    }
    for section in object.data_sections().filter(|section| section.kind() != DataKind::Maps) {
        for variable in section.variables()? {
            println!("{}+{}: {}", section.name(), variable.offset(), variable.ty().declare(variable.name()));
        }
    }
    Ok(())
}

//! Lists the structs that waste most bytes in holes and padding:
//! `cargo run -p btf-types --example padding -- [BTF]`.

use std::{cmp::Reverse, env, error::Error, fs};

use btf_types::{Btf, Struct, View};

/// Bytes of a struct that belong to no member.
fn wasted(s: Struct<'_>) -> u64 {
    let holes: u64 = s.holes().iter().map(|hole| hole.bits).sum();
    (holes + s.padding()) / 8
}

fn main() -> Result<(), Box<dyn Error>> {
    let path = env::args().nth(1).unwrap_or_else(|| "/sys/kernel/btf/vmlinux".into());
    let btf = Btf::parse(fs::read(path)?)?;

    let named = btf.types().filter_map(Struct::of).filter(|s| !s.name().is_empty());
    let mut structs: Vec<(u64, Struct<'_>)> = named.map(|s| (wasted(s), s)).filter(|(bytes, _)| *bytes > 0).collect();
    structs.sort_by_key(|&(bytes, s)| (Reverse(bytes), s.name()));
    for (bytes, s) in structs.iter().take(20) {
        println!("{bytes:>6} of {:>6} bytes: {s}", s.size());
    }
    Ok(())
}

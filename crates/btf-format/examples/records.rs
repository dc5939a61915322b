//! Counts the records of each kind and their bytes:
//! `cargo run -p btf-format --example records -- [BTF]`.

use std::{collections::BTreeMap, env, error::Error, fs};

use btf_format::{ByteOrder, Header, RawBtf};

fn main() -> Result<(), Box<dyn Error>> {
    let path = env::args().nth(1).unwrap_or_else(|| "/sys/kernel/btf/vmlinux".into());
    let mut bytes = fs::read(path)?;
    if !Header::parse(&bytes)?.byte_order().is_native() {
        btf_format::convert(&mut bytes, ByteOrder::NATIVE)?;
    }

    let btf = RawBtf::parse(&bytes)?;
    // By the number of the kind: its name, how many records, and their bytes.
    let mut kinds: BTreeMap<u8, (String, u32, usize)> = BTreeMap::new();
    for record in btf.records() {
        let record = record?;
        let number = record.head().info().kind_number();
        let name = || record.kind().map_or_else(|| format!("kind {number}"), |kind| kind.to_string());
        let (_, count, size) = kinds.entry(number).or_insert_with(|| (name(), 0, 0));
        (*count, *size) = (*count + 1, *size + record.as_bytes().len());
    }
    for (name, count, size) in kinds.into_values() {
        println!("{name:<10} {count:>7} records {size:>9} bytes");
    }
    let strings = btf.strings();
    println!("           {:>7} strings {:>9} bytes", strings.iter().count(), strings.as_bytes().len());
    Ok(())
}

//! Prints the enumerators of an enumeration by value:
//! `cargo run -p btf-types --example enumerators -- [ENUM [BTF]]`.

use std::{env, error::Error, fs};

use btf_types::{AnyEnum, Btf, EnumValue};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let name = arguments.next().unwrap_or_else(|| "skb_drop_reason".into());
    let path = arguments.next().unwrap_or_else(|| "/sys/kernel/btf/vmlinux".into());
    let btf = Btf::parse(fs::read(path)?)?;

    let enumeration: AnyEnum<'_> = btf.find(&name)?;
    let mut enumerators: Vec<EnumValue<'_>> = enumeration.values().collect();
    enumerators.sort_by_key(|enumerator| enumerator.value());
    for enumerator in enumerators {
        println!("{:>6} {:#x} {}", enumerator.value(), enumerator.value(), enumerator.name());
    }
    Ok(())
}

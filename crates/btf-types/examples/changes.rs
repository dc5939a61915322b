//! Shows what changed in a struct between two kernels; the second is the running one
//! if not given: `cargo run -p btf-types --example changes -- STRUCT OLD_BTF [NEW_BTF]`.

use std::{collections::BTreeMap, env, error::Error, fs};

use btf_types::{Btf, Struct};

/// The members by name, through anonymous structs and unions: offset in bits, and declaration.
fn members(btf: &Btf, name: &str) -> Result<BTreeMap<String, (u64, String)>, btf_types::Error> {
    let mut members = BTreeMap::new();
    for member in btf.find::<Struct<'_>>(name)?.leaf_members() {
        let member = member?;
        members.insert(member.name().to_string(), (member.bit_offset(), member.to_string()));
    }
    Ok(members)
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let (Some(name), Some(old)) = (arguments.next(), arguments.next()) else {
        return Err("usage: changes STRUCT OLD_BTF [NEW_BTF]".into());
    };
    let new = arguments.next().unwrap_or_else(|| "/sys/kernel/btf/vmlinux".into());
    let (old, new) = (Btf::parse(fs::read(old)?)?, Btf::parse(fs::read(new)?)?);
    let (before, after) = (members(&old, &name)?, members(&new, &name)?);

    for (member, (offset, declaration)) in &before {
        match after.get(member) {
            None => println!("- {declaration}, was at bit {offset}"),
            Some((now, _)) if now != offset => println!("  {declaration}: bit {offset} -> {now}"),
            Some(_) => {}
        }
    }
    for (_, (offset, declaration)) in after.iter().filter(|(member, _)| !before.contains_key(*member)) {
        println!("+ {declaration}, at bit {offset}");
    }
    Ok(())
}

//! Selects the BTF of a system out of a bundle or a checkout of btfhub-archive:
//! `cargo run -p btf-archive --example select -- ARCHIVE [ROOT]`; by default for this system.

use std::{env, error::Error};

use btf_archive::{
    Archive, SelectOptions,
    kernel::{Host, Root},
};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let archive = Archive::open(arguments.next().ok_or("usage: select ARCHIVE [ROOT]")?)?;
    let root = arguments.next().map_or_else(Root::system, Root::new);
    let host = Host::of(&root)?;

    // BTF without this type is not a kernel's.
    let selection = archive.select_with(&host, &SelectOptions::new().require_type("task_struct"))?;
    println!("{} ({})", selection.path(), selection.rule());
    println!("{} types, {} modules", selection.btf().types().len(), selection.module_names().count());
    Ok(())
}

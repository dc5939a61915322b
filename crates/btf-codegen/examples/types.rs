//! Rust types of the BTF in a file, on standard output: of the types that are named, and
//! what they need, or of all.
//!
//! ```text
//! cargo run --example types -- /sys/kernel/btf/vmlinux task_struct > types.rs
//! ```

use std::{env, error::Error, fs, io};

use btf_codegen::{btf_types::Btf, rust::Types};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let path = arguments.next().ok_or("usage: types FILE [TYPE]...")?;
    let btf = Btf::parse(fs::read(path)?)?;
    Types::new().roots(arguments).write_to(&btf, &mut io::stdout().lock())?;
    Ok(())
}

//! Writes a C header of a file of raw BTF: all types, or those that are named and
//! what they need.
//!
//!     cargo run --example header -- /sys/kernel/btf/vmlinux task_struct

use std::{env, error::Error, fs, io};

use btf_codegen::c::Header;
use btf_types::Btf;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let path = arguments.next().unwrap_or_else(|| "/sys/kernel/btf/vmlinux".into());
    let btf = Btf::parse(fs::read(path)?)?;

    let mut header = Header::new().static_asserts(true);
    for name in arguments {
        header = match name.as_str() {
            "--unsorted" => header.unsorted(true).static_asserts(false),
            "--plain" => header.static_asserts(false),
            _ => header.root(name),
        };
    }
    header.write_to(&btf, &mut io::stdout().lock())?;
    Ok(())
}

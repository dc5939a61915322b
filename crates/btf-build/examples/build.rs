//! Builds the BTF of a small object by hand, and prints its types:
//! `cargo run -p btf-build --example build`.

use btf_build::{Builder, Error, IntEncoding};
use btf_types::Linkage;

fn main() -> Result<(), Error> {
    let mut b = Builder::new();
    let int = b.int("int", 4, IntEncoding::SIGNED)?;
    let event = b.structure("event", 8).member("pid", int, 0).bitfield("kind", int, 32, 3).finish()?;
    let var = b.var("last", event, Linkage::Global)?;
    b.datasec(".bss", 8).var(var, 0, 8).finish()?;
    let ptr = b.ptr(event)?;
    let proto = b.func_proto(int).param("event", ptr).finish()?;
    let handle = b.func("handle", Linkage::Global, proto)?;
    b.decl_tag("arg:nonnull", handle, Some(0))?;
    for ty in b.finish()?.types() {
        println!("{ty:?}");
    }
    Ok(())
}

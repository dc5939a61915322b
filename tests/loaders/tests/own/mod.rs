//! BTF of the running kernel, and a modified copy.

use btf_kernel::{Kernel, LoadedBtf};
use btf_types::{Btf, Struct};

/// Returns the BTF of the running kernel. Without it, or without the privilege to load
/// programs, reports that the test is skipped.
pub(crate) fn btf() -> Option<Btf> {
    let why: Box<dyn std::fmt::Display> = match (Kernel::running().btf(), LoadedBtf::all().next()) {
        (Ok(own), Some(Ok(_))) => return Some(own),
        (Err(error), _) | (_, Some(Err(error))) => Box::new(error),
        (_, None) => Box::new("this kernel has no BTF"),
    };
    btf_tests::skip(why);
    None
}

/// Makes BTF with a larger `struct task_struct`.
#[allow(dead_code, reason = "not all tests need another kernel")]
pub(crate) fn larger(btf: &Btf, by: u32) -> Vec<u8> {
    let mut bytes = btf.as_bytes().to_vec();
    let task = btf.find::<Struct<'_>>("task_struct").unwrap();
    let record = btf.record(task.id()).unwrap();
    let at = record.as_bytes().as_ptr().addr() - btf.as_bytes().as_ptr().addr() + 8;
    assert!(btf.type_section().contains(&at));
    bytes[at..at + 4].copy_from_slice(&(task.size() + by).to_ne_bytes());
    bytes
}

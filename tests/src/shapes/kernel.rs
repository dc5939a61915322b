//! Shapes of kernels: the BTF of a kernel, then a file for each of its modules.

use btf_format::ByteOrder;

use super::Shape;
use crate::{blob::Blob, elf_blob::ElfBlob};

const STRUCT: u8 = 4;
const FLOAT: u8 = 16;

/// Shapes of a kernel and its modules.
pub const TREES: &[Shape] = &[
    Shape::new("many_modules", many_modules),
    Shape::new("modules_of_one_type", modules_of_one_type),
    Shape::new("modules_of_other_kernels", modules_of_other_kernels),
    Shape::new("modules_that_are_damaged", modules_that_are_damaged),
    Shape::new("modules_of_one_long_name", modules_of_one_long_name),
];

/// Returns a module file.
fn module(base: Option<Vec<u8>>, btf: Vec<u8>) -> Vec<u8> {
    let mut elf = ElfBlob { machine: 62, ..ElfBlob::bpf(ByteOrder::NATIVE) };
    elf.section(".BTF", btf);
    if let Some(base) = base {
        elf.section(".BTF.base", base);
    }
    elf.build()
}

/// Size of a minimal module file in bytes, approximately.
const EACH: usize = 400;

fn many_modules(size: usize) -> Vec<Vec<u8>> {
    let mut parts = vec![Blob::new().int().build()];
    parts.extend((0..size / EACH).map(|_| module(None, Blob::split().ptr(1).build())));
    parts
}

/// Makes modules that all have a type of the same name, which the kernel lacks.
fn modules_of_one_type(size: usize) -> Vec<Vec<u8>> {
    let base = Blob::new().int().build();
    let mut split = Blob::split();
    // Offset after the base's strings, "\0int\0".
    let name = 5 + split.string("same");
    split.record(name, STRUCT, 0, false, 4, &[]);
    let mut parts = vec![base];
    parts.extend((0..size / EACH).map(|_| module(None, split.build())));
    parts
}

/// Makes a kernel, and as many bytes of modules that have a distilled base each.
fn modules_of_other_kernels(size: usize) -> Vec<Vec<u8>> {
    let mut base = Blob::new();
    for at in 0..size / 2 / 20 {
        let name = base.string(format!("f{at:06}"));
        base.record(name, FLOAT, 0, false, 4, &[]);
    }
    let mut parts = vec![base.build()];
    for at in 0..size / 2 / (EACH + 100) {
        let mut distilled = Blob::new();
        let name = distilled.string(format!("f{at:06}"));
        distilled.record(name, FLOAT, 0, false, 4, &[]);
        parts.push(module(Some(distilled.build()), Blob::split().ptr(1).build()));
    }
    parts
}

/// Makes modules of another kernel. Each failure is stored, with the path.
fn modules_that_are_damaged(size: usize) -> Vec<Vec<u8>> {
    let mut parts = vec![Blob::new().int().build()];
    parts.extend((0..size / EACH).map(|_| module(None, Blob::split().ptr(1000).build())));
    parts
}

/// Makes modules whose types share a long name in the kernel's strings.
fn modules_of_one_long_name(size: usize) -> Vec<Vec<u8>> {
    let mut base = Blob::new();
    let name = base.string("n".repeat(size / 2));
    base.int();
    let mut parts = vec![base.build()];
    let split = || Blob::split().record(name, STRUCT, 0, false, 4, &[]).build();
    parts.extend((0..size / 2 / EACH).map(|_| module(None, split())));
    parts
}

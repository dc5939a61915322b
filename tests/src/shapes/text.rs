//! Shapes of text files: `modules.dep` and os-release.

use super::{Shape, shapes};

/// Shapes of `modules.dep`.
pub const MODULES_DEP: &[Shape] = shapes![
    many_modules,
    one_module_many_times,
    one_module_in_many_folders,
    a_module_of_many_dependencies,
    one_long_path,
    many_colons,
    a_path_of_many_parts,
    one_line_without_end,
];

fn many_modules(size: usize) -> Vec<u8> {
    (0..size / 24).flat_map(|at| format!("kernel/m{at:010}.ko:\n").into_bytes()).collect()
}

fn one_module_many_times(size: usize) -> Vec<u8> {
    b"kernel/drivers/net/veth.ko:\n".repeat(size / 28)
}

fn one_module_in_many_folders(size: usize) -> Vec<u8> {
    (0..size / 24).rev().flat_map(|at| format!("kernel/{at:08}/veth.ko:\n").into_bytes()).collect()
}

fn a_module_of_many_dependencies(size: usize) -> Vec<u8> {
    [b"kernel/a.ko:".to_vec(), b" kernel/b.ko".repeat(size / 12), b"\n".to_vec()].concat()
}

fn one_long_path(size: usize) -> Vec<u8> {
    [b"kernel/".to_vec(), b"x".repeat(size), b".ko:\n".to_vec()].concat()
}

fn many_colons(size: usize) -> Vec<u8> {
    b":".repeat(size)
}

fn a_path_of_many_parts(size: usize) -> Vec<u8> {
    [b"a/".repeat(size / 2), b"veth.ko: veth.ko\n".to_vec()].concat()
}

fn one_line_without_end(size: usize) -> Vec<u8> {
    b"a.ko ".repeat(size / 5)
}

/// Shapes of os-release.
pub const OS_RELEASE: &[Shape] =
    shapes![many_names, one_name_many_times, one_long_value, escapes, quotes, a_list_of_many, empty_lines];

fn many_names(size: usize) -> Vec<u8> {
    (0..size / 16).flat_map(|at| format!("N{at:010}=a\n").into_bytes()).collect()
}

fn one_name_many_times(size: usize) -> Vec<u8> {
    b"ID=debian\n".repeat(size / 10)
}

fn one_long_value(size: usize) -> Vec<u8> {
    [b"ID=".to_vec(), b"x".repeat(size)].concat()
}

fn escapes(size: usize) -> Vec<u8> {
    [b"ID=\"".to_vec(), b"\\\\".repeat(size / 2), b"\"\n".to_vec()].concat()
}

fn quotes(size: usize) -> Vec<u8> {
    [b"ID=".to_vec(), b"'a'\"b\"".repeat(size / 6)].concat()
}

fn a_list_of_many(size: usize) -> Vec<u8> {
    [b"ID=a\nID_LIKE=\"".to_vec(), b"a ".repeat(size / 2), b"\"\n".to_vec()].concat()
}

fn empty_lines(size: usize) -> Vec<u8> {
    b"\n".repeat(size)
}

//! Machines, and the names that they have.

use btf_types::ByteOrder;

/// The names of each machine: as `uname -m` says it, as archives have it, as
/// others do.
const NAMES: [&[&str]; 8] = [
    &["x86_64", "amd64", "x64"],
    &["aarch64", "arm64"],
    &["s390x"],
    &["ppc64le", "ppc64el", "powerpc64le"],
    &["riscv64"],
    &["i686", "i386", "x86"],
    &["armv7l", "armhf", "arm"],
    &["loongarch64", "loong64"],
];

/// Whether this is the name of a machine.
pub(crate) fn is_one(name: &str) -> bool {
    NAMES.iter().any(|names| names.contains(&name))
}

/// All names of a machine, the given one first.
pub(crate) fn names(machine: &str) -> Vec<&str> {
    let others = NAMES.iter().find(|names| names.contains(&machine)).copied().unwrap_or_default();
    std::iter::once(machine).chain(others.iter().copied().filter(|name| *name != machine)).collect()
}

/// Its byte order and the bytes of its pointers, where that is known.
pub(crate) fn shape(machine: &str) -> Option<(ByteOrder, u8)> {
    let index = NAMES.iter().position(|names| names.contains(&machine))?;
    Some(match index {
        2 => (ByteOrder::Big, 8),
        5 | 6 => (ByteOrder::Little, 4),
        _ => (ByteOrder::Little, 8),
    })
}

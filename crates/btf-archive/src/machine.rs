//! Machines, and the names that they have.

use btf_types::ByteOrder::{self, Big, Little};

/// The names of each machine: as `uname -m` says it, as archives have it, as
/// others do; its byte order, and the **bytes** of its pointers.
const MACHINES: [(&[&str], ByteOrder, u8); 10] = [
    (&["x86_64", "amd64", "x64"], Little, 8),
    (&["aarch64", "arm64"], Little, 8),
    (&["s390x"], Big, 8),
    (&["ppc64le", "ppc64el", "powerpc64le"], Little, 8),
    (&["ppc64", "powerpc64"], Big, 8),
    (&["riscv64"], Little, 8),
    (&["loongarch64", "loong64"], Little, 8),
    (&["i686", "i386", "i586", "x86"], Little, 4),
    (&["armv7l", "armv6l", "armhf", "armel", "arm"], Little, 4),
    (&["ppc", "powerpc"], Big, 4),
];

fn find(name: &str) -> Option<&'static (&'static [&'static str], ByteOrder, u8)> {
    MACHINES.iter().find(|(names, ..)| names.contains(&name))
}

/// Whether this is the name of a machine.
pub(crate) fn is_one(name: &str) -> bool {
    find(name).is_some()
}

/// All names of a machine, the given one first.
pub(crate) fn names(machine: &str) -> Vec<&str> {
    let others = find(machine).map_or(&[][..], |(names, ..)| names);
    std::iter::once(machine).chain(others.iter().copied().filter(|name| *name != machine)).collect()
}

/// Its byte order and the bytes of its pointers, where that is known.
pub(crate) fn shape(machine: &str) -> Option<(ByteOrder, u8)> {
    find(machine).map(|&(_, order, pointer_size)| (order, pointer_size))
}

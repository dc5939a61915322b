//! Names of machines in paths.

use btf_elf::Machine;

/// Returns `true` for the name of a machine that runs kernels.
pub(crate) fn is_one(name: &str) -> bool {
    name.parse().is_ok_and(|machine: Machine| !machine.is_bpf())
}

/// Returns all names of a machine, the given one first.
pub(crate) fn names(machine: &str) -> Vec<&str> {
    let others = machine.parse::<Machine>().map_or(&[][..], Machine::names);
    std::iter::once(machine).chain(others.iter().copied().filter(|name| *name != machine)).collect()
}

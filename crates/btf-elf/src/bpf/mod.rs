//! BPF objects: programs, maps, global variables, and DATASEC fix-up.

pub(crate) mod data_section;
pub(crate) mod fixup;
pub(crate) mod map;
pub(crate) mod object;
pub(crate) mod program;

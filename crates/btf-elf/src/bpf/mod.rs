//! BPF objects: programs, maps and global variables, and their DATASECs as a
//! loader sees them.

pub(crate) mod data_section;
pub(crate) mod fixup;
pub(crate) mod map;
pub(crate) mod object;
pub(crate) mod program;

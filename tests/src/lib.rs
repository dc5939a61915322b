//! What the tests that need more than one crate share.

pub mod blob;
pub mod elf_blob;
pub mod fixtures;
pub mod fuzz;
pub mod image;
pub mod memory;
pub mod packed;
pub mod seeds;
pub mod walk;

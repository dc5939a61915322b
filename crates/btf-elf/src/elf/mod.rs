//! ELF: files, sections, symbols and relocations. Each concept of the format
//! has its own file; `raw.rs` has the common readers.

pub(crate) mod btf_ids;
pub(crate) mod elf_file;
pub(crate) mod raw;
pub(crate) mod relocation;
pub(crate) mod section;
pub(crate) mod strings;
pub(crate) mod symbol;

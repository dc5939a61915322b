//! Rust types with the layout that the BTF says, which rustc is made to check.
//!
//! [`Types`] is where to begin:
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use btf_codegen::rust::Types;
//! # let bytes = std::fs::read("doc/socket.btf").unwrap();
//! # let vmlinux = btf_types::Btf::parse(bytes)?;
//!
//! let source: String = Types::new().root("sk_buff").generate(&vmlinux)?;
//! # assert!(source.contains("pub mod types {\n"));
//! # Ok(())
//! # }
//! ```
//!
//! The text is one module, without inner attributes, for `include!` or a file of its own.
//! It needs `core` alone and Rust 1.84 or later, and compiles on any host: all widths are
//! those of the BTF.

mod alias;
mod asserts;
mod bitfield;
mod comment;
mod composite;
mod enumeration;
mod generator;
mod layout;
mod names;
mod naming;
mod scalar;
mod section;
mod select;
mod spell;
mod support;
mod traits;
mod types;

pub use types::{Traits, Types};

//! Generates source code from BTF.
//!
//! [`c`] prints C headers: `vmlinux.h` for a whole kernel, or only the types
//! that a program needs, with the same layout as in the kernel, which the
//! compiler can check.
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use btf_codegen::c;
//! use btf_types::Btf;
//!
//! # /*
//! let bytes = std::fs::read("/sys/kernel/btf/vmlinux")?;
//! # */
//! # let bytes = std::fs::read("doc/socket.btf").unwrap();
//! let vmlinux = Btf::parse(bytes)?;
//!
//! let mut header = String::new();
//! c::Header::new().root("sk_buff").static_asserts(true).write(&vmlinux, &mut header)?;
//! assert!(header.contains("struct sk_buff {\n"));
//! assert!(header.contains("_Static_assert(__builtin_offsetof(struct sk_buff, len) == 8,"));
//! # Ok(())
//! # }
//! ```
//!
//! [`rust`] writes Rust types, with assertions of their layout.
//!
//! # When to use it
//!
//! In a build script, to give a BPF program or its user space exactly the types that it
//! needs, of the kernel that it is built for; at the command line, `btf dump --format c`
//! and `--format rust` do the same. For one declaration in a message, the
//! [`Display`](core::fmt::Display) of [`btf_types::Type`] is enough.
//!
//! # Journeys
//!
//! The header of a module's own types, to be included after `vmlinux.h`:
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use btf_codegen::{btf_types::Btf, c::Header};
//!
//! let vmlinux = Btf::parse(std::fs::read("doc/kernel.btf")?)?;
//! let veth = Btf::parse_split(std::fs::read("doc/veth.btf")?, &vmlinux)?;
//! let mut header = String::new();
//! Header::new().own(true).static_asserts(true).write(&veth, &mut header)?;
//! assert!(header.contains("struct veth_priv {"));
//! assert!(header.contains("_Static_assert(sizeof(struct veth_priv) == 48,"));
//! # Ok(())
//! # }
//! ```
//!
//! One type, in a message or a document:
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use btf_codegen::{btf_types::{Btf, Struct}, c::Header};
//!
//! let vmlinux = Btf::parse(std::fs::read("doc/kernel.btf")?)?;
//! let list_head: Struct<'_> = vmlinux.find("list_head")?;
//! let text = Header::new().definition(list_head)?;
//! assert_eq!(text, "struct list_head {\n\tstruct list_head *next;\n\tstruct list_head *prev;\n}");
//! # Ok(())
//! # }
//! ```
//!
//! # Errors
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use btf_codegen::{btf_types::Btf, c::Header};
//!
//! let vmlinux = Btf::parse(std::fs::read("doc/kernel.btf")?)?;
//! let error = Header::new().root("sk_buf").write(&vmlinux, &mut String::new()).unwrap_err();
//! assert!(error.to_string().contains("sk_buf"));
//! # Ok(())
//! # }
//! ```
//!
//! # Limits
//!
//! All BTF that can be parsed is either printed or rejected with an [`Error`],
//! in time and space bounded by its size. Types that are nested too deeply,
//! contain themselves, or expand to too much code are errors that name the
//! type.

#![cfg_attr(docsrs, feature(doc_cfg))]
#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::disallowed_methods, clippy::disallowed_types))]

/// The examples of the README, compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

pub mod c;
mod element;
mod error;
mod output;
mod root;
pub mod rust;

#[doc(no_inline)]
pub use btf_types;
pub use btf_types::TypeRef;
pub use error::Error;

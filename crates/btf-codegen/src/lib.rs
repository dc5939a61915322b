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
//! All BTF that can be parsed is either printed or rejected with an [`Error`],
//! in time and space bounded by its size. Types that are nested too deeply,
//! contain themselves, or expand to too much code are errors that name the
//! type.

#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::disallowed_methods, clippy::disallowed_types))]

pub mod c;
mod error;
mod output;
mod root;
pub mod rust;

#[doc(no_inline)]
pub use btf_types;
pub use btf_types::TypeRef;
pub use error::Error;

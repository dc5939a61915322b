//! Rust types with the layout of the BTF, which rustc checks.
//!
//! Start with [`Types`]:
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
//! In a build script:
//!
//! ```no_run
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # use btf_codegen::rust::Types;
//! # let object_btf: btf_types::Btf = unimplemented!();
//! // For globals, the BTF of the object after its fix-up (`DatasecFixups` of btf-elf).
//! let source = Types::new().root("event").globals(true).generate(&object_btf)?;
//! std::fs::write(format!("{}/types.rs", std::env::var("OUT_DIR")?), source)?;
//! # Ok(())
//! # }
//! ```
//!
//! and in the program, which needs no unsafe code of its own:
//!
//! ```ignore
//! include!(concat!(env!("OUT_DIR"), "/types.rs"));
//! use types::Plain;
//!
//! let event = types::event::read_from(record).ok_or("a short record")?;
//! let mut rodata = types::rodata::read_from(&contents).ok_or("a short section")?;
//! rodata.pid = 1;
//! map.set(rodata.as_bytes())?;
//! ```
//!
//! The generated code is one module, `types`, without inner attributes, for `include!` or a
//! separate file. It needs only `core`, and Rust 1.84 or later. As it implements unsafe
//! traits, a crate that includes it may deny unsafe code, but not forbid it.
//!
//! # Layout
//!
//! Widths are those of the BTF, on any host: nothing is left to alignment, gaps are
//! private fields, and the alignment of a type is explicit where that of its fields depends
//! on the machine. Before a struct is written, it is laid out as rustc would, for the minimum
//! and the maximum alignment of scalars on all machines. It is `repr(C)` or `repr(C, packed)`
//! if the result is the layout of the BTF, and otherwise bytes with methods for the members,
//! as unions are. Each type is followed by assertions of its size, its alignment and the
//! offsets of its fields, for the compiler to check; `cargo check` is enough.
//!
//! # C types in Rust
//!
//! | C | Rust |
//! |---|---|
//! | integers, floats | those of the same size; `Be<T>` or `Le<T>` with `get()` and `set()`, if the byte order of the BTF is not [`Types::byte_order`] |
//! | integers of 8 bytes that align to 4 (i386) | `Align4<T>` with `get()` and `set()` |
//! | `__int128` | `I128`, `U128` with `get()` and `set()` |
//! | `_Bool` | `Bool`, as any byte may be in one |
//! | pointers | `Ptr<T>`, `FnPtr<T>`: an address of the BTF's pointer size |
//! | enumerations | `struct E(pub u32)` with constants |
//! | bitfields | methods: `flags()`, `set_flags()`, in the bit order of the BTF |
//! | unions | bytes with methods: `member()`, `set_member()` |
//! | types with explicit alignment in a packed struct | bytes with methods |
//! | members without a name | a field `anon_FIRST`, named after the first member in them |
//! | types without a name | `OUTER__FIELD`, named after the enclosing type and member; the typedef's name, if there is one |
//! | structs and unions that are only pointed to, and are not root types | a type without fields |
//!
//! All types are `Copy` and implement `Plain`, as any bytes are a valid value, and `AsBytes`,
//! as there is no padding. Using them needs no unsafe code. Traits of zerocopy and aya are
//! implemented on demand ([`Types::implement`]).
//!
//! # Names
//!
//! A type keeps its name. Names that are not valid in Rust, or would shadow one of Rust's,
//! get `_` or a hash as a suffix; keywords are raw identifiers. Of several types with one
//! name, the largest keeps it; the others get a hash of their contents as a suffix. No name
//! depends on ids, so that names are the same in the BTF of the next build.

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

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
//! The text is one module, `types`, without inner attributes, for `include!` or a file of
//! its own. It needs `core` alone and Rust 1.84 or later. As it implements unsafe traits, a
//! crate that includes it may deny unsafe code, but not forbid it.
//!
//! # Layout
//!
//! Widths are those of the BTF, on any host: nothing is left to alignment, gaps are
//! private fields, and the alignment of a type is stated where that of its fields depends
//! on the machine. Before a struct is written, it is laid out as rustc would, for the least
//! and the most alignment that machines give to scalars. It is `repr(C)` if that is what
//! the BTF says, `repr(C, packed)` if that is, and else bytes with methods for the members,
//! as unions are. Behind each there are assertions of its size, its alignment and the offsets of
//! its fields, for the compiler to check; `cargo check` is enough.
//!
//! # What is what
//!
//! | C | Rust |
//! |---|---|
//! | integers, floats | those of the size; `Be<T>` or `Le<T>` with `get()` and `set()`, if the BTF is of the other byte order than [`Types::byte_order`] |
//! | integers of 8 bytes that align to 4 (i386) | `Align4<T>` with `get()` and `set()` |
//! | `__int128` | `I128`, `U128` with `get()` and `set()` |
//! | `_Bool` | `Bool`, as any byte may be in one |
//! | pointers | `Ptr<T>`, `FnPtr<T>`: an address of the BTF's pointer size |
//! | enumerations | `struct E(pub u32)` with constants |
//! | bitfields | methods: `flags()`, `set_flags()`, in the bit order of the BTF |
//! | unions | bytes with methods: `member()`, `set_member()` |
//! | what is held by a packed struct and has a stated alignment | bytes with methods |
//! | members without a name | a field `anon_FIRST`, after the first member in them |
//! | types without a name | `OUTER__FIELD`, after what they are in; the typedef's name, if there is one |
//! | what is only pointed to, and no root type | a type without fields |
//!
//! All types are `Copy` and implement `Plain`, as any bytes are a value, and `AsBytes`, as
//! there is no padding. No use of them needs unsafe code. Traits of zerocopy and aya are implemented on demand
//! ([`Types::implement`]).
//!
//! # Names
//!
//! A type keeps its name. What Rust cannot have as a name, or what would hide something of
//! Rust's, has `_` or a hash behind it; keywords are raw identifiers. Of several types of a
//! name the largest keeps it, others have a hash of what is in them behind it. No name
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

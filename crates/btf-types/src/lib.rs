//! BTF, the BPF Type Format, as an immutable graph of types.
//!
//! A [`Btf`] is validated once, when it is opened. Later queries read the bytes
//! in place; only looking up a name or an id, and computing a size, can fail. A
//! [`Btf`] is one pointer: cheap to clone, `Send` and `Sync`, without type
//! parameters or lifetimes. Its types are `Copy` views into the bytes.
//!
//! ```
//! # fn main() -> Result<(), btf_types::Error> {
//! use btf_types::{Btf, Func, Struct, Type};
//!
//! # /*
//! let bytes = std::fs::read("/sys/kernel/btf/vmlinux")?;
//! # */
//! # let bytes = std::fs::read("doc/kernel.btf").unwrap();
//! let vmlinux = Btf::parse(bytes)?;
//!
//! let list_head: Struct<'_> = vmlinux.find("list_head")?;
//! let members: Vec<String> = list_head
//!     .members()
//!     .map(|m| format!("{} {} {}", m.bit_offset(), m.ty(), m.name()))
//!     .collect();
//! assert_eq!(members, ["0 struct list_head * next", "64 struct list_head * prev"]);
//!
//! let f: Func<'_> = vmlinux.find("consume_skb")?;
//! let skb = f.proto().params().next().expect("it has parameters");
//! assert_eq!(skb.name(), "skb");
//! if let Type::Ptr(p) = skb.ty().peel_modifiers() {
//!     assert_eq!(p.target().name(), "sk_buff");
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # When to use it
//!
//! For every query about types, once you have the bytes of a `.BTF` section:
//! this crate opens no files. `btf-elf` reads BTF from ELF files and kernel
//! images, `btf-kernel` finds that of the running kernel and its modules,
//! `btf-build` makes BTF, and `btf-relocate` resolves CO-RE relocations. All of
//! them return or take a [`Btf`]. To edit records byte by byte, use [`format`].
//!
//! # Journeys
//!
//! The layout of a struct, as `pahole` shows it: offsets through anonymous members,
//! holes, padding.
//!
//! ```
//! # fn main() -> Result<(), btf_types::Error> {
//! # use btf_types::{Btf, Struct};
//! # let vmlinux = Btf::parse(std::fs::read("doc/kernel.btf").unwrap())?;
//! let sk_buff: Struct<'_> = vmlinux.find("sk_buff")?;
//! let mut lines = Vec::new();
//! for member in sk_buff.leaf_members() {
//!     let member = member?;
//!     lines.push(format!("{:>3} {member}", member.bit_offset() / 8));
//! }
//! assert_eq!(lines[1], "  8 struct sk_buff *prev"); // in a struct in a union without names
//! assert_eq!(lines[7], " 34 u8 cloned:1");
//! let holes: Vec<_> = sk_buff.holes().iter().map(|hole| (hole.bit_offset, hole.bits)).collect();
//! assert_eq!((holes, sk_buff.padding()), (vec![(274, 46)], 32));
//! # Ok(())
//! # }
//! ```
//!
//! The functions that take a `struct sk_buff *`, and in which parameter:
//!
//! ```
//! # fn main() -> Result<(), btf_types::Error> {
//! # use btf_types::{Btf, Func, Struct, Type, View};
//! # let vmlinux = Btf::parse(std::fs::read("doc/kernel.btf").unwrap())?;
//! let sk_buff: Struct<'_> = vmlinux.find("sk_buff")?;
//! let takes = |ty: Type<'_>| matches!(ty.peel_modifiers(), Type::Ptr(ptr) if ptr.target().peel_modifiers() == sk_buff.into());
//! let mut found = Vec::new();
//! for func in vmlinux.types().filter_map(Func::of) {
//!     found.extend(func.params().filter(|p| takes(p.ty())).map(|p| format!("{} {}", func.name(), p.index())));
//! }
//! assert_eq!(found, ["consume_skb 0", "kfree_skb_reason 0", "neigh_xmit 2"]);
//! # Ok(())
//! # }
//! ```
//!
//! A member behind pointers, as a tracer reads it:
//!
//! ```
//! # fn main() -> Result<(), btf_types::Error> {
//! # use btf_types::Btf;
//! # let vmlinux = Btf::parse(std::fs::read("doc/kernel.btf").unwrap())?;
//! let path = vmlinux.path("task_struct.mm->map_count")?;
//! // Read a pointer at byte 8 of the task, then an int at byte 8 of what it points to.
//! let reads: Vec<_> = path.steps().iter().map(|step| (step.bit_offset / 8, step.to.to_string())).collect();
//! assert_eq!(reads, [(8, "struct mm_struct *".into()), (8, "int".into())]);
//! # Ok(())
//! # }
//! ```
//!
//! A kernel and its modules, queried together:
//!
//! ```
//! # fn main() -> Result<(), btf_types::Error> {
//! # use btf_types::{Btf, Collection, Func};
//! # let vmlinux = Btf::parse(std::fs::read("doc/kernel.btf").unwrap())?;
//! # let veth = std::fs::read("doc/veth.btf").unwrap(); // "/sys/kernel/btf/veth"
//! let veth = Btf::parse_split(veth, &vmlinux)?;
//! let mut kernel = Collection::new("vmlinux", vmlinux);
//! kernel.add("veth", veth)?;
//! let found = kernel.find::<Func<'_>>("veth_xmit")?;
//! assert_eq!(found.object.name(), "veth"); // fentry programs attach to `veth:veth_xmit`
//! # Ok(())
//! # }
//! ```
//!
//! For the `.BTF.ext` of a BPF object, see [`BtfExt`]; for a module that was
//! built apart from its kernel, [`Btf::rebase`]; for the other byte order,
//! [`Btf::to_bytes`].
//!
//! # Queries
//!
//! * By id: [`Btf::type_by_id`], [`Btf::types`].
//! * By name: [`Btf::find`] for the one type of a kind, [`Btf::find_first`] for
//!   libbpf's answer, [`Btf::find_all`], [`Btf::find_flavors`],
//!   `Btf::find_matching` (feature `regex`).
//! * By kind: match on [`Type`]. Each kind has a view of its record.
//! * References: [`Type::peel_modifiers`] and the other `peel_` methods,
//!   [`Type::target`], [`Type::chain`], [`Type::references`],
//!   [`Type::post_order`], [`Btf::path`].
//! * Layout: [`Type::size_of`], [`Type::align_of`], [`Struct::is_packed`],
//!   [`Struct::holes`], [`Struct::padding`].
//! * C syntax: `Display` of [`Type`], [`Type::declare`].
//!
//! Offsets of members are in **bits**. Sizes and all other offsets are in
//! bytes, unless a name says `bits`.
//!
//! # Split BTF
//!
//! The BTF of a kernel module continues the ids and strings of the kernel's
//! BTF. It is opened with its base ([`Btf::parse_split`]), to any depth, and
//! then covers both: an id or a name of the base is looked up there, and the
//! resulting type is that of the base. A [`Collection`] queries a kernel and
//! its modules together. [`Btf::rebase`] moves split BTF that was made for
//! another kernel.
//!
//! # Cost
//!
//! Opening walks over all records once, 1.2 ms for a kernel of 126,585 types,
//! and allocates four bytes per type. The bytes themselves are not copied.
//! Queries do not allocate unless documented. The index of names is made by the
//! first query by name, the table of tags by the first one for tags; both are
//! kept. The figures, and those of other libraries, are in the README of the
//! repository.
//!
//! # Errors
//!
//! Opening checks everything that later queries rely on. Afterwards three
//! things can fail: looking up a name or id that does not exist, the size of a
//! type that has none, and chains of types that are too long or cyclic.
//! [`Error`] names the type, the name or the offset, and is `Clone` and `Eq`.
//!
//! ```
//! use btf_types::{Btf, Error};
//!
//! let error = Btf::parse(&b"\x9f\xeb\x01\x00\x18\x00\x00\x00"[..]).unwrap_err();
//! assert!(matches!(error, Error::Format(_)));
//! ```
//!
//! # Damaged BTF
//!
//! No input panics, overflows the stack, or takes long. Chains are followed for
//! at most 64 types; queries that branch visit each type once or count their
//! steps. Beyond the limit, a query returns an error, and text ends with `...`.
//!
//! # Features
//!
//! * `std` (default): finds the ends of names with the best vector instructions
//!   of the machine, detected at run time. Without it the crate is `no_std` and
//!   needs `alloc`.
//! * `regex`: queries by regular expression. Needs `std`.

#![cfg_attr(not(test), no_std)]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![warn(clippy::alloc_instead_of_core, clippy::std_instead_of_alloc, clippy::std_instead_of_core)]
#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::disallowed_methods, clippy::disallowed_types))]

extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

/// The examples of the README, compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod align;
mod array;
mod btf;
mod collection;
mod composite;
mod core_relo_kind;
mod datasec;
mod decl_tag;
mod declarator;
mod enumeration;
mod error;
mod ext;
mod ext_index;
mod find;
mod flavor;
mod func;
mod holes;
mod int;
mod layer;
mod leaf;
mod linkage;
mod name_index;
mod names;
mod open;
mod options;
mod owned_name;
mod path;
mod peel;
mod protos;
mod rebase;
mod reference;
mod references;
mod remap;
mod size;
mod ty;
mod type_ref;
mod types;
mod unknown;
mod view;
mod walk;

pub use align::Alignment;
pub use array::Array;
pub use btf::Btf;
#[doc(no_inline)]
pub use btf_format as format;
pub use btf_format::{ByteOrder, IntEncoding, Kind, Name};
pub use bytes::Bytes;
pub use collection::{Collection, Found, Object, Objects};
pub use composite::{Composite, Member, Members, Struct, Union};
pub use core_relo_kind::CoreReloKind;
pub use datasec::{Datasec, DatasecEntries, DatasecEntry, Var};
pub use decl_tag::{DeclTag, DeclTags};
pub use declarator::{Budget, Declaration, Declarator, Group, Style};
pub use enumeration::{AnyEnum, Enum, Enum64, EnumValue, EnumValues};
pub use error::Error;
pub use ext::{BtfExt, CoreRelo, CoreRelos, ExtSection, ExtSections, FuncInfo, FuncInfos, LineInfo, LineInfos};
pub use func::{Func, FuncProto, Param, Params};
pub use holes::Hole;
pub use int::{Float, Int};
pub use leaf::{LeafMember, LeafMembers};
pub use linkage::Linkage;
pub use options::ParseOptions;
pub use owned_name::OwnedName;
pub use path::{Path, Step};
pub use reference::{Const, Fwd, FwdKind, Ptr, Restrict, TypeTag, Typedef, Volatile};
pub use references::{PostOrder, References};
pub use remap::{Remap, RemapBuilder};
pub use ty::{Type, WrongKind};
pub use type_ref::TypeRef;
pub use types::{AllTypes, Types};
pub use unknown::Unknown;
pub use view::View;

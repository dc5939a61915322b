//! BTF, the BPF Type Format, as an immutable graph of types.
//!
//! A [`Btf`] is opened once, and everything that can be wrong with it is found
//! out then; afterwards asking it costs no more than reading the bytes, and
//! cannot fail. It is one pointer: cheap to clone, `Send` and `Sync`, without
//! type parameters or lifetimes. The types that it hands out are views into
//! the bytes it was opened from, and `Copy`.
//!
//! ```
//! # fn main() -> Result<(), btf_types::Error> {
//! use btf_types::{Btf, Type};
//!
//! # let bytes: &'static [u8] = include_bytes!("../doc/point.btf");
//! let btf = Btf::parse(bytes)?;
//! let Type::Struct(point) = btf.type_by_id(2)? else { panic!("not a struct") };
//! assert_eq!(point.name(), "point");
//! for member in point.members() {
//!     // At bit 0: int x
//!     // At bit 32: int y
//!     println!("At bit {}: {} {}", member.bit_offset(), member.ty().name(), member.name());
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # Split BTF
//!
//! The BTF of a kernel module continues the ids and strings of the kernel's.
//! It is opened with its base ([`Btf::parse_split`]), to any depth, and then
//! answers for both: an id or a name that belongs to the base is looked up
//! there, and the type that comes back is the base's own.
//!
//! # Features
//!
//! * `std` (default): finds the ends of names with the best vector
//!   instructions of the machine, detected as it runs. Without it the crate
//!   is `no_std` and needs `alloc`.

#![cfg_attr(not(test), no_std)]
#![warn(clippy::alloc_instead_of_core, clippy::std_instead_of_alloc, clippy::std_instead_of_core)]

extern crate alloc;

mod array;
mod btf;
mod composite;
mod datasec;
mod decl_tag;
mod enumeration;
mod error;
mod func;
mod int;
mod open;
mod reference;
mod ty;
mod unknown;
mod view;

pub use array::Array;
pub use btf::{Btf, Types};
pub use btf_format::{ByteOrder, Kind, Name};
pub use bytes::Bytes;
pub use composite::{Member, Members, Struct, Union};
pub use datasec::{Datasec, DatasecEntries, DatasecEntry, Var};
pub use decl_tag::DeclTag;
pub use enumeration::{Enum, Enum64, EnumValue, EnumValues, EnumValues64};
pub use error::Error;
pub use func::{Func, FuncProto, Param, Params};
pub use int::{Float, Int};
pub use reference::{Const, Fwd, Ptr, Restrict, TypeTag, Typedef, Volatile};
pub use ty::Type;
pub use unknown::Unknown;

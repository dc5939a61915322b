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
//! # let bytes: &[u8] = include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/point.btf"));
//! let btf = Btf::parse(bytes.to_vec())?;
//! for ty in btf.types() {
//!     if let Type::Struct(s) = ty {
//!         println!("struct {}, {} bytes", s.name(), s.size());
//!         for member in s.members() {
//!             println!("    bit {}: {} {}", member.bit_offset(), member.ty().name(), member.name());
//!         }
//!     }
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

extern crate alloc;

mod btf;
mod error;
mod open;
mod ty;
mod views;

pub use btf::{Btf, Types};
pub use btf_format::{ByteOrder, Kind, Name};
pub use bytes::Bytes;
pub use error::Error;
pub use ty::Type;
pub use views::{
    Array, Const, Datasec, DatasecEntries, DatasecEntry, DeclTag, Enum, Enum64, EnumValue, EnumValues, EnumValues64,
    Float, Func, FuncProto, Fwd, Int, Member, Members, Param, Params, Ptr, Restrict, Struct, TypeTag, Typedef, Union,
    Unknown, Var, Volatile,
};

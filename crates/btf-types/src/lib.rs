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

mod align;
mod array;
mod btf;
mod collection;
mod composite;
mod datasec;
mod decl_tag;
mod display;
mod enumeration;
mod error;
mod ext;
mod find;
mod func;
mod holes;
mod int;
mod linkage;
mod names;
mod open;
mod owned_name;
mod path;
mod peel;
mod rebase;
mod reference;
mod references;
mod size;
mod ty;
mod unknown;
mod view;

pub use array::Array;
pub use btf::{Btf, Types};
pub use btf_format::{ByteOrder, Kind, Name};
pub use bytes::Bytes;
pub use collection::{Collection, Found, Object};
pub use composite::{Member, Members, Struct, Union};
pub use datasec::{Datasec, DatasecEntries, DatasecEntry, Var};
pub use decl_tag::{DeclTag, DeclTags};
pub use display::Declaration;
pub use enumeration::{Enum, Enum64, EnumValue, EnumValues};
pub use error::Error;
pub use ext::{BtfExt, CoreRelo, CoreReloKind, ExtInfo, ExtInfos, ExtSection, ExtSections, FuncInfo, LineInfo};
pub use find::View;
pub use func::{Func, FuncProto, Param, Params};
pub use holes::Hole;
pub use int::{Float, Int};
pub use linkage::Linkage;
pub use owned_name::OwnedName;
pub use path::{Path, Step};
pub use reference::{Const, Fwd, FwdKind, Ptr, Restrict, TypeTag, Typedef, Volatile};
pub use references::{PostOrder, References};
pub use ty::{Type, WrongKind};
pub use unknown::Unknown;

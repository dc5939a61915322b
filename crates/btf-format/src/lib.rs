//! The bytes of BTF, the BPF Type Format: structs over borrowed bytes, the
//! checks that make them safe to read, walks that read and rewrite ids and
//! names, and conversion between byte orders. `no_std`, no allocation, no
//! `unsafe`.
//!
//! This is the lowest crate of the workspace, for tools that inspect or rewrite
//! BTF record by record. It decodes every byte, but does not resolve types: ids
//! and names are numbers here. To query types, use `btf-types`, which is built
//! on this crate.
//!
//! # When to use it
//!
//! To rewrite, compare or count records in place, or where no allocator is
//! available. To query types by name, size or reference, use `btf-types`; to
//! make BTF, `btf-build`.
//!
//! # Layout of a blob
//!
//! ```text
//! header (24 bytes, or 32 with layout)     Header
//! type section                             Records -> Record -> Data
//! layout section (since Linux 7.1)         Layout
//! string section                           Strings -> Name
//! ```
//!
//! Type ids are implicit: the first record has id 1 (in split BTF: the number
//! of types in its base), the next one id 2, and id 0 is `void`.
//!
//! ```
//! # fn main() -> Result<(), btf_format::Error> {
//! use btf_format::{Assembly, Data, Info, IntData, IntEncoding, Kind, RawBtf, TypeRecord};
//!
//! // A blob with one type, `int`.
//! let mut types = TypeRecord::new(1, Info::of(Kind::Int).word(), 4).as_bytes().to_vec();
//! types.extend_from_slice(IntData::encode(IntEncoding::SIGNED, 0, 32).as_bytes());
//! let mut blob = Vec::new();
//! Assembly::new(&types, b"\0int\0").write(|part| blob.extend_from_slice(part))?;
//!
//! let btf = RawBtf::parse(&blob)?;
//! for record in btf.records() {
//!     let record = record?;
//!     assert_eq!(record.kind(), Some(Kind::Int));
//!     assert_eq!(btf.strings().get(record.head().name_off()).unwrap(), "int");
//!     assert!(matches!(record.data(), Data::Int(int) if int.bits() == 32));
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # Errors
//!
//! [`Error`] gives the reason and the offset in the blob. Opening checks the
//! header and the bounds of sections; each record is checked when it is
//! reached.
//!
//! ```
//! use btf_format::{Error, RawBtf};
//!
//! let error = RawBtf::parse(b"\x7fELF").unwrap_err();
//! assert!(matches!(error, Error::NotBtf { found: [0x7f, b'E'], .. }), "{error}");
//! ```
//!
//! # Byte order
//!
//! All records are read in native byte order. A blob of the other order,
//! recognized by its magic, is converted in place first: [`convert`],
//! [`convert_ext`].
//!
//! # Rewriting
//!
//! [`RecordsMut`] and [`RawBtfExtMut`] change ids and name offsets in place,
//! [`Record::words`] gives the words of a record for comparisons, and
//! [`Assembly`] writes a blob from its sections.
//!
//! ```
//! # fn main() -> Result<(), btf_format::Error> {
//! use btf_format::{Info, Kind, Layout, RecordsMut, TypeRecord, Word};
//!
//! // A pointer to type 1; make room for ten types before it.
//! let mut types = TypeRecord::new(0, Info::of(Kind::Ptr).word(), 1).as_bytes().to_vec();
//! for record in RecordsMut::new(&mut types, 0, Layout::NONE) {
//!     let mut record = record?;
//!     record.check_roles()?;
//!     record.for_each_field(|field, value| if field.holds == Word::Id { value + 10 } else { value });
//! }
//! assert_eq!(TypeRecord::first(&types).unwrap().size_or_type(), 11);
//! # Ok(())
//! # }
//! ```
//!
//! # Stability
//!
//! The records ([`TypeRecord`] and the others) implement traits of the crate
//! `zerocopy`. That is an implementation detail, not covered by semantic
//! versioning: use `first`, `list`, `new` and `as_bytes`, which every record
//! has.

#![cfg_attr(not(test), no_std)]
#![warn(clippy::alloc_instead_of_core, clippy::std_instead_of_alloc, clippy::std_instead_of_core)]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::disallowed_methods, clippy::disallowed_types))]

/// The examples of the README, compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod assembly;
mod byte_order;
mod convert;
mod error;
mod escaped;
mod ext;
mod feature;
mod glob;
mod header;
mod info;
mod insn;
mod int_encoding;
mod kernel_version;
mod kind;
mod layout;
mod name;
mod raw_btf;
mod record;
mod section;
mod shape;
mod strings;
mod uapi;

pub use assembly::Assembly;
pub use byte_order::{ByteOrder, ParseByteOrderError};
#[doc(hidden)]
pub use convert::put_converted;
pub use convert::{convert, convert_ext};
pub use error::Error;
pub use escaped::Escaped;
pub use ext::{
    ExtBlock, ExtBlockRange, ExtBlocks, ExtField, ExtHeader, ExtRecord, ExtRecords, RawBtfExt, RawBtfExtMut,
};
pub use feature::{Feature, FeatureSet, Features, ParseFeatureError};
pub use glob::glob_matches;
pub use header::{Header, MAGIC, VERSION};
pub use info::Info;
pub use insn::{Instruction, InstructionClass};
pub use int_encoding::IntEncoding;
pub use kernel_version::{KernelVersion, ParseKernelVersionError};
pub use kind::{Kind, ParseKindError, UnknownKind};
pub use layout::Layout;
pub use name::Name;
pub use raw_btf::RawBtf;
pub use record::{Data, Record, RecordMut, Records, RecordsMut};
pub use section::Section;
pub use shape::{Field, Shape, Word, Words};
pub use strings::{Strings, StringsIter};
pub use uapi::{
    Array, CoreRelo, CoreReloHeader, DeclTag, Enum64Value, EnumValue, ExtHeaderRecord, ExtSectionRecord, FuncInfo,
    HeaderRecord, IntData, LayoutEntry, LayoutHeader, LineInfo, Member, Param, Preamble, TypeRecord, Var, VarSecinfo,
};

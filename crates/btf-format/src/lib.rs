//! The bytes of BTF, the BPF Type Format, as they lie on disk and in the
//! kernel: structs over borrowed bytes, the checks that make them safe to
//! read, and the conversion between byte orders. `no_std`, no allocation, no
//! `unsafe`.
//!
//! This is the lowest crate of the workspace. It knows what each byte means,
//! but not what a type *is*: ids are numbers here, and so are names. To ask
//! questions about types, use `btf-types`, which is made of this crate.
//!
//! # How a blob is laid out
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
//! use btf_format::{Data, Header, HeaderRecord, Info, IntData, Kind, MAGIC, Preamble, RawBtf, TypeRecord, VERSION};
//!
//! // A blob with one type, `int`.
//! let mut blob = Vec::new();
//! let preamble = Preamble::new(MAGIC, VERSION, 0, Header::SIZE);
//! blob.extend_from_slice(HeaderRecord::new(preamble, 0, 16, 16, 5).as_bytes());
//! let info = Info::new(Kind::Int.number(), 0, false).unwrap();
//! blob.extend_from_slice(TypeRecord::new(1, info.word(), 4).as_bytes());
//! blob.extend_from_slice(IntData::new(0x0100_0020).as_bytes());
//! blob.extend_from_slice(b"\0int\0");
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
//! # Byte order
//!
//! All records are read in the order of the machine. A blob of the other
//! order, told by its magic, is converted as a whole and in place first:
//! [`convert`], [`convert_ext`].

#![cfg_attr(not(test), no_std)]
#![warn(clippy::alloc_instead_of_core, clippy::std_instead_of_alloc, clippy::std_instead_of_core)]

mod byte_order;
mod convert;
mod error;
mod escaped;
mod ext;
mod feature;
mod header;
mod info;
mod insn;
mod kernel_version;
mod kind;
mod layout;
mod name;
mod raw_btf;
mod record;
mod records;
mod section;
mod shape;
mod strings;

pub use byte_order::ByteOrder;
pub use convert::{convert, convert_ext};
pub use error::Error;
pub use escaped::Escaped;
pub use ext::{ExtBlock, ExtBlocks, ExtHeader, ExtRecord, ExtRecords, RawBtfExt};
pub use feature::{Feature, FeatureSet, Features, ParseFeatureError};
pub use header::{Header, MAGIC, VERSION};
pub use info::Info;
pub use insn::{Instruction, InstructionClass};
pub use kernel_version::{KernelVersion, ParseKernelVersionError};
pub use kind::{Kind, ParseKindError, UnknownKind};
pub use layout::Layout;
pub use name::Name;
pub use raw_btf::RawBtf;
pub use record::{Data, Record, RecordMut, Records, RecordsMut};
pub use records::{
    Array, CoreRelo, CoreReloHeader, DeclTag, Enum64Value, EnumValue, ExtHeaderRecord, ExtSectionRecord, FuncInfo,
    HeaderRecord, IntData, LayoutEntry, LayoutHeader, LineInfo, Member, Param, Preamble, TypeRecord, Var, VarSecinfo,
};
pub use section::Section;
pub use shape::{Field, Shape, Visitor, Word};
pub use strings::{Strings, StringsIter};

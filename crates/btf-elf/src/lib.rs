//! BTF out of files: ELF, kernel modules and images, BPF objects, compressed
//! or not.
//!
//! ```no_run
//! # fn main() -> Result<(), btf_elf::Error> {
//! use btf_elf::{BpfObject, BtfFile};
//!
//! // Any file that has BTF: what it is, it says itself.
//! let vmlinux = BtfFile::open("/boot/vmlinuz-6.12.0")?.btf()?;
//! // A module's is split from its kernel's.
//! let veth = BtfFile::open("veth.ko.xz")?.split_btf(&vmlinux)?;
//!
//! // A BPF object, as a loader looks at it.
//! let object = BpfObject::open("prog.bpf.o")?;
//! for map in object.maps()? {
//!     println!("{} has keys of {} bytes", map.name(), map.key_size());
//! }
//! for program in object.programs() {
//!     println!("{} has {} instructions", program.name(), program.instructions()?.len());
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # What is here
//!
//! * [`BtfFile`]: any file, and [`Layer`] what it turned out to be.
//! * [`Elf`]: ELF files of 32 and 64 bits and either byte order, read section
//!   by section: of a kernel of 500 MB with debug information, that is its
//!   `.BTF` and a few tables. `.BTF`, `.BTF.ext`, `.BTF.base` and `.BTF_ids`;
//!   sections, also compressed ones, symbols and relocations.
//! * [`BpfObject`]: programs, maps, global variables.
//! * [`DatasecFixups`]: what the compiler leaves open in DATASECs and a loader fills in.
//! * [`Compression`]: decoding of gzip, xz, lzma, zstd, bzip2 and lz4, by
//!   content, and within [`Limits`].
//!
//! # Damaged files
//!
//! No file panics, hangs, or takes more memory than a small multiple of its
//! size and of what it may decode to. What cannot be had is an error that says
//! what is wrong, and where; an object with one bad section gives all others.
//!
//! # Features
//!
//! `gzip`, `xz` (with lzma), `zstd`, `lz4` (all on by default) and `bzip2`: what
//! can be decoded. Without one, a file that needs it is an error that says so.

#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::disallowed_methods, clippy::disallowed_types))]

mod bpf;
mod container;
mod elf;
mod error;
mod machine;
mod parallel;

#[doc(no_inline)]
pub use btf_types as types;
pub use btf_types::format::Instruction;

pub use bpf::{
    data_section::{DataKind, DataSection, Variable},
    fixup::{DatasecFixup, DatasecFixups, DatasecLayout, EntryLayout},
    map::{Holds, Map, MapType, MapValue, Pinning},
    object::BpfObject,
    program::{Function, InstructionIter, Instructions, ProgramSection},
};
pub use container::{
    btf_file::BtfFile,
    decode::{Compression, Decoder, ParseCompressionError},
    image::ImageKind,
    layer::Layer,
    limits::Limits,
    options::FileOptions,
};
pub use elf::{
    btf_ids::{BtfId, BtfIdSet, BtfIds},
    elf_file::{Elf, ElfType},
    relocation::{Relocation, RelocationIter, RelocationType, Relocations},
    section::{Section, SectionFlags, SectionType, Sections},
    symbol::{Symbol, SymbolSection, Symbols},
};
pub use error::{DatasecFault, Error, FilePart, MapFault, Payload, PayloadFault};
pub use machine::Machine;
/// For the crates above, outside semantic versioning.
#[doc(hidden)]
pub use parallel::{in_order, on_all_cores};

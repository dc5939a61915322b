//! Reads BTF from files: ELF, kernel modules and images, BPF objects,
//! compressed or not.
//!
//! ```
//! # fn main() -> Result<(), btf_elf::Error> {
//! use btf_elf::{BpfObject, BtfFile};
//!
//! # let (vmlinuz, module, program) = ("doc/kernel.btf.gz", "doc/veth.ko", "doc/probe.bpf.o");
//! // Any file that has BTF, such as "/boot/vmlinuz-6.12.0": what it is, it says itself.
//! let vmlinux = BtfFile::open(vmlinuz)?.btf()?;
//! // A module's is split from its kernel's.
//! let veth = BtfFile::open(module)?.split_btf(&vmlinux)?;
//! assert!(veth.is_split());
//!
//! // A BPF object, as a loader looks at it.
//! let object = BpfObject::open(program)?;
//! for map in object.maps()? {
//!     println!("{} has keys of {} bytes", map.name(), map.key_size());
//! }
//! for program in object.programs() {
//!     println!("{} has {} instructions", program.name(), program.instructions()?.len());
//! }
//! assert_eq!((object.maps()?.len(), object.programs().count()), (1, 2));
//! # Ok(())
//! # }
//! ```
//!
//! # When to use it
//!
//! To read BTF from a file, and to inspect or load a BPF object. To find the
//! file of a kernel or module, use `btf-kernel`; to select one from an archive,
//! `btf-archive`. The result is a [`types::Btf`].
//!
//! # Journeys
//!
//! The layers of a file, and the BTF as stored in it:
//!
//! ```
//! # fn main() -> Result<(), btf_elf::Error> {
//! # use btf_elf::BtfFile;
//! let file = BtfFile::open("doc/kernel.btf.gz")?;
//! let layers: Vec<_> = file.layers().iter().map(ToString::to_string).collect();
//! assert_eq!(layers.join(" > "), "gzip > BTF");
//! assert_eq!(file.btf_bytes()?[..2], [0x9f, 0xeb]);
//! # Ok(())
//! # }
//! ```
//!
//! The steps of a loader: data sections with fixed-up offsets, then programs
//! with their relocations.
//!
//! ```
//! # fn main() -> Result<(), btf_elf::Error> {
//! # use btf_elf::BpfObject;
//! let object = BpfObject::open("doc/probe.bpf.o")?;
//! let mut seen = Vec::new();
//! for section in object.data_sections() {
//!     for variable in section.variables()? {
//!         seen.push(format!("{}+{} {}", section.name(), variable.offset(), variable.ty().declare(variable.name())));
//!     }
//! }
//! assert_eq!(seen[..2], [".bss+0 u64 total", ".maps+0 struct {...} bytes_sent"]);
//!
//! let btf = object.datasec_fixups().btf()?; // what BPF_BTF_LOAD takes
//! assert_eq!(btf.types().len(), object.btf().types().len());
//!
//! let program = object.program("fentry/consume_skb").expect("the object has it");
//! let relocations = program.relocations()?;
//! assert_eq!(relocations.iter().map(|r| r.name().to_string()).collect::<Vec<_>>(), ["target_pid", "bytes_sent", "total"]);
//! # Ok(())
//! # }
//! ```
//!
//! # Overview
//!
//! * [`BtfFile`]: any file, with its [`Layer`]s.
//! * [`Elf`]: ELF files of 32 and 64 bits and either byte order, with `.BTF`,
//!   `.BTF.ext`, `.BTF.base`, `.BTF_ids`, sections (also compressed), symbols
//!   and relocations. Sections are read on demand: only `.BTF` and a few tables
//!   of a 500 MB kernel with debug information.
//! * [`BpfObject`]: programs, maps, global variables.
//! * [`DatasecFixups`]: DATASEC sizes and offsets that the compiler leaves to
//!   the loader.
//! * [`Compression`]: decoding of gzip, xz, lzma, zstd, bzip2 and lz4, detected
//!   by content, within [`Limits`].
//!
//! # Errors
//!
//! There is one [`Error`] type. Functions that take a path wrap it in
//! [`Error::File`], so that the message names the file; [`Error::without_file`]
//! is the inner error.
//!
//! ```
//! use btf_elf::{BtfFile, Error};
//!
//! let error = BtfFile::open("doc/no-such-file").unwrap_err();
//! assert!(error.to_string().contains("doc/no-such-file"));
//! assert!(matches!(error.without_file(), Error::Io { .. }));
//! ```
//!
//! # Damaged files
//!
//! No file panics, hangs, or takes more memory than a small multiple of its
//! size and of its decoded size. Errors give the reason and the position. One
//! bad section does not make the others unavailable.
//!
//! # Features
//!
//! `gzip`, `xz` (with lzma), `zstd`, `lz4` (all on by default) and `bzip2`: one
//! feature per compression format. A file that needs a disabled feature causes
//! an error that names it.

#![cfg_attr(docsrs, feature(doc_cfg))]
#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::disallowed_methods, clippy::disallowed_types))]

/// The examples of the README, compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

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
/// For the crates built on this one, outside semantic versioning.
#[doc(hidden)]
pub use parallel::{in_order, on_all_cores};

//! Selects the right BTF for a kernel from an archive.
//!
//! Kernels without BTF need it from elsewhere: from btfhub-archive, or from a
//! bundle that a program ships. This crate finds the one file for a system, and
//! says which one and why.
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use btf_archive::{Archive, Rule, kernel::Host};
//!
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path();
//! # std::fs::create_dir_all(path.join("debian/12/arm64"))?;
//! # let btf = [0x9f, 0xeb, 1, 0, 24, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0];
//! # std::fs::write(path.join("debian/12/arm64/6.1.0-9-arm64.btf"), btf)?;
//! let archive = Archive::open(path)?; // a folder, or a bundle: "min_core_btfs.tar.gz"
//! let host = Host {
//!     distribution: "debian".into(),
//!     version: Some("12".into()),
//!     machine: "aarch64".into(),
//!     release: "6.1.0-9-arm64".into(),
//!     ..Host::default() // or all of it from Host::detect()?
//! };
//! let chosen = archive.select(&host)?;
//! assert_eq!(chosen.path(), "debian/12/arm64/6.1.0-9-arm64.btf");
//! assert_eq!(chosen.rule(), Rule::Alias); // aarch64 is arm64
//! let btf = chosen.btf(); // for those who read it
//! let file = chosen.temp_file()?; // for loaders that take a path
//! assert!(file.path().exists());
//! # Ok(())
//! # }
//! ```
//!
//! # When to use it
//!
//! When programs must run on kernels that were built without BTF
//! (`CONFIG_DEBUG_INFO_BTF`), as those of many distributions before 2021. Where the
//! kernel may have its own, [`Archive::choose`] takes that first. To read the running
//! kernel's alone, `btf-kernel` is enough.
//!
//! # Journeys
//!
//! A bundle for a program, made when it is built: the types that the program's relocations
//! need, for all kernels of an archive (feature `trim`). In a build script, `Pack::embed`
//! does all of it.
//!
//! ```
//! # #[cfg(feature = "trim")]
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use btf_archive::{Archive, Pack, elf::{BpfObject, Compression}, relocate::Trim};
//!
//! let program = BpfObject::open("doc/probe.bpf.o")?;
//! let pack = Pack::new().trim(&Trim::new().object(&program)?).compression(Compression::Gzip);
//! let mut bundle = Vec::new();
//! let packed = pack.write(&Archive::open("doc/btfhub")?, &mut bundle)?;
//! for left_out in &packed.left_out {
//!     println!("{}: {}", left_out.path, left_out.reason);
//! }
//! assert_eq!(Archive::parse(bundle)?.list()?.len(), 2);
//! # Ok(())
//! # }
//! # #[cfg(not(feature = "trim"))]
//! # fn main() {}
//! ```
//!
//! The other end: the running kernel's own BTF, or that of the bundle.
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use btf_archive::{Archive, Chosen, kernel::Kernel};
//!
//! # let archive = Archive::open("doc/btfhub")?;
//! match archive.choose(&Kernel::running()) {
//!     Ok(Chosen::Kernel(btf)) => assert!(btf.types().len() > 0),
//!     Ok(Chosen::Archive(selection)) => println!("{} ({})", selection.path(), selection.rule()),
//!     Ok(_) => {}
//!     Err(error) => println!("{error}"), // with what is near, if the archive has no such kernel
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # Overview
//!
//! * [`Archive`]: a folder or a tar, plain or compressed, from a file, from
//!   memory, or from a reader. [`Archive::select`] reads a tar once, and
//!   unpacks only what it selects. [`Archive::list`], [`Archive::read`] and
//!   [`Archive::unpack`] give access to the files.
//! * [`Rule`]: the reason for a selection.
//! * [`Entry`]: the kernel named by a path.
//! * `Pack` (feature `pack`): writes bundles of whole BTF, or (feature `trim`)
//!   of the types that programs need.
//! * [`Fetch`]: fetches matching files of btfhub-archive.
//! * [`OutputFile`]: a file that is replaced atomically.
//!
//! # Errors
//!
//! [`Error::NotFound`] says what the host is, and which kernels of the archive are near;
//! [`Error::Ambiguous`] lists those that could be it. Nothing is guessed: another
//! kernel's BTF is returned only if [`SelectOptions::nearest`] asks for it.
//!
//! ```
//! use btf_archive::{Archive, Error};
//!
//! assert!(matches!(Archive::parse(&b"no tar"[..]), Err(Error::NotAnArchive { .. })));
//! ```
//!
//! # Features
//!
//! * `gzip`, `xz`, `zstd`, `lz4` (default) and `bzip2`: compression formats of bundles and
//!   their members;
//! * `pack` (default): writes bundles;
//! * `trim`: bundles of the types that programs need.
//!
//! # Safety
//!
//! Archives are not trusted. Nothing is written outside the given folder, links
//! are never created, paths are relative and normalized, and [`Limits`] bound
//! the cost. Output goes to a temporary folder, and is renamed when it is
//! complete and on disk. The leftovers of killed processes are removed by the
//! next one.

#![cfg_attr(docsrs, feature(doc_cfg))]
#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::disallowed_methods, clippy::disallowed_types))]

/// The examples of the README, compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod alias;
mod archive;
mod cache;
mod content;
mod detect;
#[cfg(feature = "trim")]
mod embed;
mod entry;
mod error;
mod fetch;
mod git;
mod index;
mod limits;
mod links;
mod lock;
mod machine;
mod members;
mod output;
#[cfg(feature = "pack")]
mod pack;
#[cfg(feature = "pack")]
mod packed;
mod partial;
mod platform;
mod rules;
mod selection;
mod source;
mod stream;
mod unpack;

#[doc(no_inline)]
pub use btf_elf as elf;
#[doc(no_inline)]
pub use btf_kernel as kernel;
#[cfg(feature = "trim")]
#[doc(no_inline)]
pub use btf_relocate as relocate;
#[doc(no_inline)]
pub use btf_types as types;

pub use archive::{Archive, Listed};
pub use entry::Entry;
pub use error::Error;
pub use fetch::{Fetch, Fetched};
pub use limits::Limits;
pub use output::OutputFile;
#[cfg(feature = "pack")]
pub use pack::Pack;
#[cfg(feature = "pack")]
pub use packed::{LeftOut, Packed};
pub use rules::Rule;
pub use selection::{Chosen, SelectOptions, Selection, TempFile};
pub use unpack::Unpacked;

//! The right BTF for this kernel, out of an archive.
//!
//! Kernels without BTF of their own need it from elsewhere: from btfhub-archive,
//! or from a bundle, made of it, that a program brings along. This finds in it the
//! one file that belongs to a system, and says which and why.
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
//! # What is here
//!
//! * [`Archive`]: a folder, or a tar, plain or compressed, as a file, in memory,
//!   or from a reader. [`Archive::select`] reads a tar once, and unpacks nothing
//!   but what it selects; [`Archive::list`], [`Archive::read`], and
//!   [`Archive::unpack`] for those who want files.
//! * [`Rule`]: why something was selected.
//! * [`Entry`]: what a path says of a kernel.
//! * `Pack` (feature `pack`): writes bundles, of whole BTF or (feature `trim`) of
//!   what programs need of it.
//! * [`Fetch`]: gets what is asked for, and no more, out of btfhub-archive.
//! * [`OutputFile`]: a file that is written whole, or not at all.
//!
//! # Safety
//!
//! An archive is not trusted: nothing in it is ever written outside the folder
//! that is given for it, links are never made, its paths are relative and
//! normal, and [`Limits`] bound what it may cost. What is written is written
//! beside, and renamed when it is whole and on disk; what killed runs have left
//! is removed by the next one.

#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::disallowed_methods, clippy::disallowed_types))]

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

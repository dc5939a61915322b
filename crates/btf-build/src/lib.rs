//! Makes BTF: type by type, or from other BTF.
//!
//! A [`Builder`] takes definitions, rejects what no record can hold, and makes
//! a [`Btf`](btf_types::Btf):
//!
//! ```
//! # fn main() -> Result<(), btf_build::Error> {
//! use btf_build::{Builder, Encode, IntEncoding};
//! use btf_types::format::KernelVersion;
//!
//! let mut b = Builder::new();
//! let int = b.int("int", 4, IntEncoding::SIGNED)?;
//! let node = b.declare();                          // an id for later
//! let ptr = b.ptr(node)?;
//! b.define(node).structure("node", 16).member("value", int, 0).member("next", ptr, 64).finish()?;
//! let btf = b.finish()?;
//!
//! let bytes = Encode::new().for_kernel(KernelVersion::new(5, 4)).encode(&btf)?;
//! # assert_eq!(bytes, btf.as_bytes());
//! # Ok(())
//! # }
//! ```
//!
//! # Overview
//!
//! * From scratch: [`Builder`] has a method for each kind, for BTF that is not
//!   split ([`Builder::new`]) or is split ([`Builder::on`]).
//! * From other BTF: [`Builder::copy_reachable`] copies a type with all that it
//!   refers to, [`Builder::copy_shallow`] with forward declarations behind
//!   pointers, [`Builder::copy`] copies one type.
//! * Parts of BTF: [`Subset`] selects types and members.
//! * Several BTFs: [`Builder::append`] and [`Merge`].
//! * Another form: [`sort`] by name as in kernels since 7.0, [`permute`],
//!   [`distill`] the base of a module.
//! * Duplicates: [`dedup`].
//! * Bytes: [`Encode`], in either byte order, with a chosen header, and for a
//!   kernel version, rejecting what that kernel cannot read.
//!
//! # Will it load?
//!
//! There are three ways to find out, for three situations:
//!
//! * [`verify`], when a program is built: predicts the result of BPF_BTF_LOAD
//!   for a kernel version, with the type, the rule and the error number,
//!   without a kernel.
//! * A probe (`btf_kernel::supported_features`), on the machine: more reliable
//!   than a version, as distributions backport features.
//! * [`sanitize`], before loading: rewrites what the kernel does not support.
//!   With probed features, it changes no more than needed; the feature
//!   `sanitize` of `btf-kernel` does both when loading.
//!
//! Use `verify` in tests and in CI, for each kernel that a program is to run on; probe
//! and sanitize on the machine that it runs on. `verify` accepts the result:
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use btf_build::{Builder, sanitize, verify};
//! use btf_types::format::{FeatureSet, KernelVersion};
//!
//! # let mut b = Builder::new();
//! # b.float("double", 8)?;
//! # let btf = b.finish()?;
//! let version = KernelVersion::new(5, 4);
//! if let Err(reject) = verify(btf.as_bytes(), version) {
//!     println!("{reject}");
//!     // Where the program runs: `btf_kernel::supported_features()?`.
//!     let plain = sanitize(&btf, FeatureSet::of(version))?;
//!     assert!(verify(plain.as_bytes(), version).is_ok());
//! }
//! # Ok(())
//! # }
//! ```
//!
//! If ids change, a [`Remap`](btf_types::Remap) has the new ones. It also
//! rewrites `.BTF.ext`.
//!
//! Kinds 20 to 22 (inline locations) can be copied and encoded, but not built.
//! Unknown kinds are encoded unchanged. Everything that changes ids rejects
//! them, as it is unknown which of their words are ids.
//!
//! # Cost
//!
//! Everything is linear in the bytes of input and output. A string is looked up
//! once, however many types share it, and strings that share their ends still
//! do so afterwards. Nothing recurses. Sorting similar names of megabytes, as
//! in hostile input, fails after too many steps.
//!
//! The builder does not search for equal types: types that are appended twice
//! exist twice, until [`dedup`].

#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::disallowed_methods, clippy::disallowed_types))]

mod append;
mod builder;
mod composite;
mod copy;
mod datasec;
mod dedup;
mod define;
mod distill;
mod encode;
mod enumeration;
mod error;
mod func_proto;
mod hash_table;
mod id_set;
mod layer_places;
mod layers;
mod pending;
mod permute;
mod sanitize;
mod source_strings;
mod string_map;
mod string_starts;
mod string_table;
mod subset;
mod verify;

pub use append::Merge;
pub use btf_types::IntEncoding;
pub use builder::Builder;
pub use composite::CompositeBuilder;
pub use datasec::DatasecBuilder;
pub use dedup::dedup;
pub use define::Definition;
pub use distill::{Distilled, distill};
pub use encode::Encode;
pub use enumeration::EnumBuilder;
pub use error::Error;
pub use func_proto::FuncProtoBuilder;
pub use permute::{permute, sort};
pub use sanitize::sanitize;
pub use subset::Subset;
pub use verify::{Errno, Reject, Rule, Verify, verify, verify_module};

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
//! # When to use it
//!
//! In loaders, to make or rewrite the BTF of programs; in tools that merge, deduplicate,
//! sort or trim; in tests, to have BTF that says exactly what a test needs. To read BTF,
//! `btf-types` is enough; `btf-relocate` trims a kernel's BTF to what programs need.
//!
//! # Journeys
//!
//! A part of a kernel's BTF for your own program, on split BTF and back to
//! bytes:
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use btf_build::{Builder, IntEncoding, dedup};
//! use btf_types::{Btf, Struct};
//!
//! # let mut b = Builder::new();
//! # let int = b.int("int", 4, IntEncoding::SIGNED)?;
//! # b.structure("net_device", 4).member("mtu", int, 0).finish()?;
//! # let vmlinux = b.finish()?;
//! let mut b = Builder::on(&vmlinux); // ids and strings of the kernel may be used
//! let dev = b.ptr(vmlinux.find::<Struct<'_>>("net_device")?.id())?;
//! b.structure("veth_priv", 8).member("peer", dev, 0).finish()?;
//! let module = b.finish()?;
//! let bytes = module.as_bytes().to_vec();
//! assert!(Btf::parse_split(bytes, &vmlinux)?.path("veth_priv.peer->mtu").is_ok());
//!
//! let mut b = Builder::new(); // stands alone
//! b.copy_reachable(module.find::<Struct<'_>>("veth_priv")?)?;
//! b.int("int", 4, IntEncoding::SIGNED)?; // a second one
//! let (btf, ids) = dedup(&b.finish()?)?;
//! assert_eq!(btf.types().len(), 4);
//! assert!(ids.id(5).is_some()); // where the second `int` went
//! # Ok(())
//! # }
//! ```
//!
//! # Errors
//!
//! A call that is refused leaves the builder as it was, and [`Error`] names the type and
//! the reason. What a builder accepts is BTF; whether a kernel takes it is the next
//! section's question.
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

#![cfg_attr(docsrs, feature(doc_cfg))]
#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::disallowed_methods, clippy::disallowed_types))]

/// The examples of the README, compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

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

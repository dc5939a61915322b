//! Making BTF: built type by type, or out of other BTF.
//!
//! A [`Builder`] takes definitions, of which it refuses what no record can hold,
//! and gives a [`Btf`](btf_types::Btf):
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
//! # What can be made
//!
//! * by hand: a method of [`Builder`] for each kind, for BTF that stands alone
//!   ([`Builder::new`]) or is split ([`Builder::on`]);
//! * out of other BTF: [`Builder::copy_reachable`] a type and all that it refers
//!   to, [`Builder::copy_shallow`] with forward declarations where a pointer is
//!   all that is needed, [`Builder::copy`] of one type;
//! * of a part of it: [`Subset`], types and members as they are chosen;
//! * of many: [`Builder::append`] whole BTF, [`Merge`] a kernel and its modules;
//! * in another form: [`sort`] by name as kernels since 7.0 are, [`permute`],
//!   [`distill`] the base of a module;
//! * of equal types one: [`dedup`];
//! * as bytes: [`Encode`], for either byte order, with the header that is wanted,
//!   and for a kernel version, refusing what that kernel cannot read.
//!
//! # Will it load?
//!
//! Three ways to know, for three moments:
//!
//! * [`verify`], while a program is built: predicts what BPF_BTF_LOAD of a kernel
//!   version says, with the type, the rule and the error number, without a kernel;
//! * a probe (`btf_kernel::supported_features`), on the machine: distributions
//!   take features back to older kernels, so it beats a version;
//! * [`sanitize`], before loading: rewrites what the kernel does not know. Given
//!   the features that were probed, it changes no more than needed; `btf-kernel`'s
//!   feature `sanitize` does both when it loads.
//!
//! Where ids change, a [`Remap`](btf_types::Remap) says how: it rewrites
//! `.BTF.ext`, too.
//!
//! Kinds 20 to 22 (inline locations) can be copied and encoded, but not built.
//! Kinds that this library does not know are encoded as they are; everything
//! that gives types new ids refuses them, as nobody knows which of their words
//! are ids.
//!
//! # What it costs
//!
//! All of it is linear in the bytes that go in and come out. A string is looked
//! up once, however many types share it, and strings that share their ends still
//! do afterwards. Nothing recurses. What a hostile input can make expensive,
//! sorting names of megabytes that are alike, is refused when it takes too many
//! steps.
//!
//! The builder does not look for equal types: what is appended twice is there
//! twice, until [`dedup`] is asked.

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

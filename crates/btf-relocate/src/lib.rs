//! CO-RE (compile once, run everywhere): resolves the relocations of BPF
//! programs for a kernel's BTF, patches their instructions, and explains each
//! result.
//!
//! Works on a program's `.BTF` and `.BTF.ext`, in either byte order, for the
//! BTF of any kernel, running or not. Results are those of libbpf.
//!
//! | question | entry point |
//! |---|---|
//! | the types that a program is relocated for | [`Targets`] |
//! | the result of each relocation | [`Relocator::relocate`] |
//! | the reason for a result | [`Relocation::explain`], [`Relocation::candidates`] |
//! | the instructions for this kernel | [`Relocated::apply`] |
//! | an object file for this kernel (feature `elf`) | `Relocator::relocate_object` |
//! | the part of a kernel's BTF that programs need | [`Trim`] |
//!
//! # When to use it
//!
//! In a loader, to resolve relocations itself; before another loader, to give it an object
//! that is relocated already; in CI, to say on which kernels a program will load; in a
//! build script, to trim BTF to what programs need. `btf-kernel` has the BTF of the running
//! kernel, and `btf-archive` that of others.
//!
//! # Example
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let object_bytes = std::fs::read("doc/fields.bpf.o").unwrap();
//! # let kernel_bytes = std::fs::read("doc/fields.btf").unwrap();
//! use btf_relocate::{Relocator, Targets, elf::BpfObject, types::Btf};
//!
//! // For the running kernel: `btf_kernel::Kernel::running().btf()?`
//! let kernel = Btf::parse(kernel_bytes)?;
//! let relocator = Relocator::new(Targets::kernel(&kernel));
//!
//! // Whole objects, for any loader:
//! let relocated: Vec<u8> = relocator.relocate_object(object_bytes.clone())?;
//!
//! // Or program by program, for a loader of one's own:
//! let object = BpfObject::parse(object_bytes)?;
//! let relocated = relocator.relocate(object.btf_ext()?.ok_or("no .BTF.ext")?);
//! for program in object.programs() {
//!     let mut code = program.section().data()?.to_vec();
//!     relocated.apply(program.name(), &mut code)?;
//! }
//! for relocation in &relocated {
//!     println!("{}: {}", relocation.program(), relocation.explain());
//! }
//! assert!(relocated.iter().all(|relocation| relocation.candidate_count() < 2));
//! # Ok(())
//! # }
//! ```
//!
//! # Journeys
//!
//! The relocations that would fail on a kernel, and why, without loading anything:
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use btf_relocate::{Outcome, Relocator, Targets, elf::BpfObject, types::Btf};
//!
//! let object = BpfObject::open("doc/probe.bpf.o")?;
//! let kernel = Btf::parse(std::fs::read("doc/kernel.btf")?)?; // any kernel's
//! let relocated = Relocator::new(Targets::kernel(&kernel)).relocate(object.btf_ext()?.ok_or("no .BTF.ext")?);
//!
//! let is_poison = |outcome| !matches!(outcome, Outcome::Value { .. });
//! let failed: Vec<_> = relocated.iter().filter(|relocation| is_poison(relocation.outcome())).collect();
//! assert_eq!(failed.len(), 1);
//! assert_eq!((failed[0].program(), failed[0].insn_offset()), ("on_switch".into(), 56));
//! // "task_struct___old.state (0:0): no such member in struct task_struct; did you mean `__state`?"
//! assert!(failed[0].explain().to_string().contains("`__state`"));
//! # Ok(())
//! # }
//! ```
//!
//! The part of a kernel's BTF that the program needs, to be shipped with it:
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use btf_relocate::{Trim, elf::BpfObject, types::Btf};
//!
//! let kernel = Btf::parse(std::fs::read("doc/kernel.btf")?)?;
//! let small = Trim::new().object(&BpfObject::open("doc/probe.bpf.o")?)?.trim(&kernel)?;
//! assert!(small.path("sk_buff.len").is_ok() && small.path("sk_buff.mark").is_err());
//! assert_eq!((kernel.types().len(), small.types().len()), (60, 5));
//! # Ok(())
//! # }
//! ```
//!
//! # Errors
//!
//! A relocation that cannot be resolved is not an error of [`Relocator::relocate`]: it is an
//! [`Outcome`] of that relocation, as the program may never reach it. [`Fault::errno`] is
//! libbpf's error number. [`PatchError`] says which instruction cannot take its value, and
//! `ObjectError` and [`TrimError`] what is wrong with an object.
//!
//! # Features
//!
//! `elf` (default): whole object files. Without it, programs come as `.BTF`, `.BTF.ext` and
//! instructions.
//!
//! # Differences from libbpf
//!
//! Values, error numbers, the order of candidates and all patched instructions
//! are those of libbpf 1.7 and 1.8, with these exceptions:
//!
//! * `lshift_u64` ([`FieldLshiftU64`]) follows the byte order of the object.
//!   libbpf uses that of the machine on which it runs, which is wrong for a
//!   foreign object.
//! * If a type and its anonymous members have two members of one name (which C
//!   does not allow), libbpf may add the offset of one to that of the other.
//!   Here, the offset is that of the member that was found.
//! * An access string that does not consist of at most 64 numbers separated by
//!   colons is an error of [`BtfExt::parse`](btf_types::BtfExt::parse), and not
//!   of its relocation.
//! * Types that take more than a bounded number of steps to compare are a
//!   fault, [`Fault::TooComplex`]; libbpf may not terminate.
//!
//! [`FieldLshiftU64`]: btf_types::CoreReloKind::FieldLshiftU64
//!
//! # Damaged input
//!
//! No input panics. The work for one object is limited to a number of steps in
//! proportion to its bytes and those of the target types; the relocations
//! beyond it fail with [`Fault::TooComplex`]. Memory is limited in the same
//! way.

#![cfg_attr(docsrs, feature(doc_cfg))]
#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::disallowed_methods, clippy::disallowed_types))]

/// The examples of the README, compiled.
#[cfg(all(doctest, feature = "elf"))]
#[doc = include_str!("../README.md")]
struct Readme;

mod budget;
mod compat;
mod explain;
mod fault;
mod first_pass;
mod matching;
mod memo;
#[cfg(all(test, feature = "elf"))]
mod messages;
#[cfg(feature = "elf")]
mod object;
mod patch;
mod relocated;
mod relocator;
mod search;
mod spec;
mod targets;
mod trim;
mod value;

#[cfg(feature = "elf")]
pub use btf_elf as elf;
pub use btf_types as types;

pub use explain::{Explanation, Path};
pub use fault::Fault;
#[cfg(feature = "elf")]
pub use object::ObjectError;
pub use patch::{PatchError, PatchFault};
pub use relocated::{Candidate, Outcome, Relocated, Relocation, Relocations, Verdict};
pub use relocator::Relocator;
pub use targets::Targets;
pub use trim::{Trim, TrimError};

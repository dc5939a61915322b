//! CO-RE (compile once, run everywhere): resolves the relocations of BPF
//! programs for a kernel's BTF, patches their instructions, and explains each
//! result.
//!
//! Works on a program's `.BTF` and `.BTF.ext`, in either byte order, for any
//! kernel's BTF; the kernel need not run. Results are those of libbpf.
//!
//! | question | entry point |
//! |---|---|
//! | which types a program is relocated for | [`Targets`] |
//! | what each relocation resolves to | [`Relocator::relocate`] |
//! | why it does, or does not | [`Relocation::explain`], [`Relocation::candidates`] |
//! | the instructions for this kernel | [`Relocated::apply`] |
//! | an object file for this kernel (feature `elf`) | `Relocator::relocate_object` |
//! | the part of a kernel's BTF that programs need | [`Trim`] |
//!
//! # Damaged input
//!
//! No input panics. The work for one object is bounded by a budget of steps in
//! proportion to the number of its relocations; relocations beyond it fail with
//! [`Fault::TooMuch`].

#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::disallowed_methods, clippy::disallowed_types))]

mod budget;
mod compat;
mod explain;
mod fault;
mod matching;
mod memo;
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

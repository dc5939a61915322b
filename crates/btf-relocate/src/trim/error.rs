//! Errors of trimming.

use btf_types::{CoreReloKind, OwnedName};

use crate::{Fault, PatchError, Relocation};

/// Error of trimming BTF.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrimError {
    /// An object is not a BPF object, or is damaged.
    #[cfg(feature = "elf")]
    #[error(transparent)]
    Elf(#[from] Box<btf_elf::Error>),
    /// An object has no `.BTF.ext`, which lists the types that its programs need.
    #[error("the object has no .BTF.ext, which lists the types that its programs need: compile it with -g")]
    NoExt,
    /// A relocation cannot be resolved: it is damaged, or ambiguous for the
    /// kernel.
    #[error(
        "program {program} (section {section}), instruction {} (byte {insn_offset}), {kind} of {path}: {fault}",
        .insn_offset / 8
    )]
    #[non_exhaustive]
    Relocation {
        /// The name of the function, or of the section if `.BTF.ext` has no
        /// functions there.
        program: OwnedName,
        /// The section.
        section: OwnedName,
        /// Offset of the instruction in the section, in **bytes**.
        insn_offset: u32,
        /// The kind of the relocation.
        kind: CoreReloKind,
        /// The field, type or enumerator.
        path: String,
        /// The reason.
        fault: Box<Fault>,
    },
    /// An instruction with a relocation does not exist, or has no immediate or
    /// offset to relocate.
    #[error("{reason}")]
    #[non_exhaustive]
    Instruction {
        /// The name of the function, or of the section if `.BTF.ext` has no
        /// functions there.
        program: OwnedName,
        /// The place and the reason.
        reason: PatchError,
    },
    /// The trimmed BTF cannot be written.
    #[error(transparent)]
    Build(#[from] btf_build::Error),
    /// The trimmed BTF of a kernel and that of its modules do not fit together.
    #[error(transparent)]
    Types(#[from] btf_types::Error),
}

#[cfg(feature = "elf")]
impl From<btf_elf::Error> for TrimError {
    fn from(error: btf_elf::Error) -> Self {
        Self::Elf(Box::new(error))
    }
}

impl TrimError {
    pub(super) fn relocation(relocation: Relocation<'_>, fault: Fault) -> Self {
        let relo = relocation.core_relo();
        let (section, insn_offset) = (relo.section().name(), relo.insn_offset());
        Self::Relocation {
            program: relocation.program().into(),
            section: section.into(),
            insn_offset,
            kind: relocation.kind(),
            path: relocation.path().to_string(),
            fault: Box::new(fault),
        }
    }

    #[cfg(feature = "elf")]
    pub(super) fn instruction(reason: PatchError) -> Self {
        Self::Instruction { program: reason.program().into(), reason }
    }
}

//! Errors of trimming.

use btf_types::{BtfExt, CoreReloKind, ExtSection, Name, OwnedName};

use crate::{Fault, PatchError, Relocation};

/// Error of trimming BTF.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrimError {
    /// An object is not a BPF object, or damaged.
    #[cfg(feature = "elf")]
    #[error(transparent)]
    Elf(#[from] Box<btf_elf::Error>),
    /// An object has no `.BTF.ext`, which says what its programs need.
    #[error("no .BTF.ext: it cannot be told what the programs need; compile with -g")]
    NoExt,
    /// A relocation cannot be resolved: it is damaged, or ambiguous for the
    /// kernel.
    #[error("program {program} (section {section}, byte {insn_offset}), {kind} of {path}: {fault}")]
    #[non_exhaustive]
    Relocation {
        /// The name of the function, or of the section if the object does not
        /// tell.
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
    /// An instruction that has a relocation is not there, or has nothing that
    /// could be relocated.
    #[error("program {program}, {reason}")]
    #[non_exhaustive]
    Instruction {
        /// The name of the function, or of the section if the object does not
        /// tell.
        program: OwnedName,
        /// The place and the reason.
        reason: PatchError,
    },
    /// What is kept cannot be written.
    #[error(transparent)]
    Build(#[from] btf_build::Error),
    /// The trimmed BTF of a kernel and its modules cannot be put together.
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
            program: program(relocation.ext(), section, insn_offset),
            section: section.into(),
            insn_offset,
            kind: relocation.kind(),
            path: relocation.path().to_string(),
            fault: Box::new(fault),
        }
    }

    #[cfg(feature = "elf")]
    pub(super) fn instruction(ext: &BtfExt, reason: PatchError) -> Self {
        Self::Instruction { program: program(ext, reason.section(), reason.insn_offset()), reason }
    }
}

/// The name of the function that has an instruction, or of the section.
fn program(ext: &BtfExt, section: Name<'_>, insn_offset: u32) -> OwnedName {
    let functions = ext.section(section).into_iter().flat_map(ExtSection::func_infos);
    let before = functions.filter(|function| function.insn_offset() <= insn_offset);
    let function = before.max_by_key(|function| function.insn_offset());
    function.map_or(section, |function| function.func().name()).into()
}

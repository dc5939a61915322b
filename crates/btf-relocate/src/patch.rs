//! Patching of instructions with values.
//!
//! Source: `bpf_core_patch_insn` in `tools/lib/bpf/relo_core.c`.

use btf_types::{
    ByteOrder, CoreReloKind, Name, OwnedName,
    format::{Instruction, InstructionClass},
};

use crate::{Fault, Relocated, Relocation, relocated::Value};

/// Error of patching a program: the relocation at fault, and the reason.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "program {} (section {}), instruction {} (byte {}), {} of {}: {}",
    .0.program, .0.section, .0.insn_offset / 8, .0.insn_offset, .0.kind, .0.path, .0.reason
)]
pub struct PatchError(Box<Place>);

/// Place and reason of an error.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    program: OwnedName,
    section: OwnedName,
    insn_offset: u32,
    kind: CoreReloKind,
    path: String,
    reason: PatchFault,
}

impl PatchError {
    pub(crate) fn new(relocation: Relocation<'_>, reason: PatchFault) -> Self {
        Self(Box::new(Place {
            program: relocation.program().into(),
            section: relocation.section().into(),
            insn_offset: relocation.insn_offset(),
            kind: relocation.kind(),
            path: relocation.path().to_string(),
            reason,
        }))
    }

    /// Name of the function that contains the instruction, or of its section if
    /// `.BTF.ext` has no functions there.
    #[must_use]
    pub fn program(&self) -> Name<'_> {
        self.0.program.as_name()
    }

    /// The section of the program.
    #[must_use]
    pub fn section(&self) -> Name<'_> {
        self.0.section.as_name()
    }

    /// Offset of the instruction in the section, in **bytes**.
    #[must_use]
    pub fn insn_offset(&self) -> u32 {
        self.0.insn_offset
    }

    /// The reason.
    #[must_use]
    pub fn reason(&self) -> &PatchFault {
        &self.0.reason
    }
}

/// Reason why an instruction cannot be patched.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PatchFault {
    /// The relocation has no result.
    #[error("{0}")]
    Relocation(Fault),
    /// The code ends before the instruction does, or the offset is not a
    /// multiple of 8.
    #[error("no instruction at this offset: the code has {len} bytes")]
    #[non_exhaustive]
    NoInstruction {
        /// Length of the code in bytes.
        len: usize,
    },
    /// The instruction does not have the value given by the local types: the
    /// program was modified, or its BTF belongs to another one.
    #[error("the instruction has the value {found}, expected {expected} (to be replaced by {target})")]
    #[non_exhaustive]
    UnexpectedValue {
        /// The value of the instruction.
        found: u64,
        /// The value by the local types.
        expected: u64,
        /// The value by the kernel's types.
        target: u64,
    },
    /// The offset does not fit into the 16 bits of a load or store.
    #[error("offset {target} exceeds {limit}, the maximum of a load or store", limit = i16::MAX)]
    #[non_exhaustive]
    OffsetTooLarge {
        /// The offset in bytes.
        target: u64,
    },
    /// The load or store has another access size than the field in the local
    /// types.
    #[error("the instruction accesses {found} bytes, expected {expected}")]
    #[non_exhaustive]
    UnexpectedSize {
        /// Bytes that the instruction accesses.
        found: u8,
        /// Bytes of the field in the local types.
        expected: u64,
    },
    /// No load or store has the size of the field in the kernel.
    #[error("no instruction accesses {size} bytes")]
    #[non_exhaustive]
    InvalidSize {
        /// Bytes of the field in the kernel's types.
        size: u64,
    },
    /// The instruction has no immediate or offset to be patched.
    #[error(
        "opcode {opcode:#04x} cannot be relocated: expected arithmetic with an immediate, a load, a store or ld_imm64"
    )]
    #[non_exhaustive]
    Opcode {
        /// The opcode.
        opcode: u8,
    },
    /// The `ld_imm64` is that of a map, function or variable, or has no second
    /// half.
    #[error("the ld_imm64 does not load a plain 64-bit value")]
    LdImm64,
}

impl PatchFault {
    /// Error number of libbpf (`EINVAL` is 22).
    #[must_use]
    pub fn errno(&self) -> i32 {
        const EINVAL: i32 = 22;
        const ERANGE: i32 = 34;
        match self {
            Self::Relocation(fault) => fault.errno(),
            Self::OffsetTooLarge { .. } => ERANGE,
            _ => EINVAL,
        }
    }
}

/// `call 0xbad2310`: no helper has that number, and the verifier's message
/// "invalid func unknown#195896080" is known to mean a failed relocation.
const POISON: Instruction = Instruction { opcode: Instruction::CALL, dst: 0, src: 0, offset: 0, imm: 0x0bad_2310 };

impl Relocated {
    /// Patches the instructions of a section.
    ///
    /// `code` is the whole section, in the object's byte order. Only
    /// instructions with relocations are changed; after an error, none are.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let object = std::fs::read("doc/fields.bpf.o").unwrap();
    /// # let kernel = std::fs::read("doc/fields.btf").unwrap();
    /// # let object = btf_elf::BpfObject::parse(object)?;
    /// # let kernel = btf_types::Btf::parse(kernel)?;
    /// use btf_relocate::{Relocator, Targets};
    ///
    /// let ext = object.btf_ext()?.ok_or("no .BTF.ext")?;
    /// let relocated = Relocator::new(Targets::custom(&kernel)).relocate(ext);
    /// for program in object.programs() {
    ///     let mut code = program.section().data()?.to_vec();
    ///     relocated.apply(program.name(), &mut code)?;
    ///     // Now for BPF_PROG_LOAD.
    /// #   assert_ne!(code, &program.section().data()?[..]);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`PatchError`] for the first relocation that cannot be applied: it has a
    /// fault, or the instruction is not the expected one.
    pub fn apply(&self, section: impl AsRef<[u8]>, code: &mut [u8]) -> Result<(), PatchError> {
        self.apply_to(section, 0, code, true)
    }

    /// Patches a part of a section that begins at `start` bytes, such as one of
    /// its functions.
    ///
    /// Relocations of other parts are skipped.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let object = std::fs::read("doc/fields.bpf.o").unwrap();
    /// # let kernel = std::fs::read("doc/fields.btf").unwrap();
    /// # let object = btf_elf::BpfObject::parse(object)?;
    /// # let kernel = btf_types::Btf::parse(kernel)?;
    /// # let ext = object.btf_ext()?.ok_or("no .BTF.ext")?;
    /// # let relocated = btf_relocate::Relocator::new(btf_relocate::Targets::custom(&kernel)).relocate(ext);
    /// # let mut function = object.elf().section("fentry/stores").ok_or("no such section")?.data()?[16..].to_vec();
    /// // Instructions 2 and following of the section.
    /// relocated.apply_at("fentry/stores", 16, &mut function)?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`Relocated::apply`].
    pub fn apply_at(&self, section: impl AsRef<[u8]>, start: u64, code: &mut [u8]) -> Result<(), PatchError> {
        self.apply_to(section, start, code, false)
    }

    /// Patches a part of a section. If it `is_all` of the section, a relocation
    /// beyond its end is an error.
    fn apply_to(&self, section: impl AsRef<[u8]>, start: u64, code: &mut [u8], is_all: bool) -> Result<(), PatchError> {
        let order = self.local().byte_order();
        let mut patched = code.to_vec();
        for relocation in self.section(section) {
            let offset = u64::from(relocation.insn_offset());
            let Some(offset) = offset.checked_sub(start).and_then(|offset| usize::try_from(offset).ok()) else {
                continue;
            };
            if !is_all && offset >= code.len() {
                continue;
            }
            patch(relocation, &mut patched, offset, order).map_err(|reason| PatchError::new(relocation, reason))?;
        }
        code.copy_from_slice(&patched);
        Ok(())
    }
}

fn patch(relocation: Relocation<'_>, code: &mut [u8], offset: usize, order: ByteOrder) -> Result<(), PatchFault> {
    let value = relocation.record.result.as_ref().map_err(|fault| PatchFault::Relocation((**fault).clone()))?;
    let no_instruction = PatchFault::NoInstruction { len: code.len() };
    let read = |code: &[u8], offset| Instruction::read(code, offset, order).ok_or_else(|| no_instruction.clone());
    if !offset.is_multiple_of(Instruction::SIZE) {
        return Err(no_instruction);
    }
    let insn = read(code, offset)?;
    let next_offset = offset + Instruction::SIZE;
    let mut patched = [(offset, insn), (next_offset, POISON)];
    let mut count = 1;
    if insn.is_ld_imm64() {
        let next = read(code, next_offset)?;
        (patched, count) = ([(offset, insn), (next_offset, next)], 2);
    }
    let [(_, first), (_, second)] = &mut patched;
    patch_insn(value, first, (count == 2).then_some(second))?;
    for (offset, insn) in patched.into_iter().take(count) {
        if !insn.write(code, offset, order) {
            return Err(no_instruction);
        }
    }
    Ok(())
}

/// Patches an instruction; `next` is the second half of a `ld_imm64`.
fn patch_insn(value: &Value, insn: &mut Instruction, next: Option<&mut Instruction>) -> Result<(), PatchFault> {
    if value.is_poison {
        poison(insn, next);
        return Ok(());
    }
    match (insn.class(), next) {
        (InstructionClass::Alu | InstructionClass::Alu64, _) if !insn.has_register_operand() => {
            check(value, i64::from(insn.imm) as u64)?;
            // As in libbpf, the upper half of a wide value is lost here;
            // compilers load such values by `ld_imm64`.
            insn.imm = value.target as i32;
        }
        (InstructionClass::Ldx | InstructionClass::St | InstructionClass::Stx, next) => {
            check(value, i64::from(insn.offset) as u64)?;
            let offset =
                i16::try_from(value.target).map_err(|_| PatchFault::OffsetTooLarge { target: value.target })?;
            if value.is_other_size {
                poison(insn, next);
                return Ok(());
            }
            let sized = if value.local_size == value.target_size { *insn } else { resized(value, *insn)? };
            *insn = Instruction { offset, ..sized };
        }
        (InstructionClass::Ld, Some(next)) => {
            let is_zero = |insn: Instruction| insn.opcode == 0 && insn.dst == 0 && insn.src == 0 && insn.offset == 0;
            if insn.src != 0 || insn.offset != 0 || !is_zero(*next) {
                return Err(PatchFault::LdImm64);
            }
            check(value, insn.imm64(*next))?;
            insn.imm = value.target as i32;
            next.imm = (value.target >> 32) as i32;
        }
        _ => return Err(PatchFault::Opcode { opcode: insn.opcode }),
    }
    Ok(())
}

/// Checks that an instruction has the value that the local types give.
fn check(value: &Value, found: u64) -> Result<(), PatchFault> {
    if value.is_exact && found != value.local {
        return Err(PatchFault::UnexpectedValue { found, expected: value.local, target: value.target });
    }
    Ok(())
}

/// Returns a load or store with the access size of the field in the kernel.
fn resized(value: &Value, insn: Instruction) -> Result<Instruction, PatchFault> {
    let found = insn.access_size().unwrap_or(0);
    if u64::from(found) != value.local_size {
        return Err(PatchFault::UnexpectedSize { found, expected: value.local_size });
    }
    let size = u8::try_from(value.target_size).ok();
    size.and_then(|size| insn.with_access_size(size)).ok_or(PatchFault::InvalidSize { size: value.target_size })
}

fn poison(insn: &mut Instruction, next: Option<&mut Instruction>) {
    *insn = POISON;
    if let Some(next) = next {
        *next = POISON;
    }
}

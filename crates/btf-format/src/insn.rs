//! BPF instructions: 8 bytes each.
//!
//! Source: `struct bpf_insn` in `include/uapi/linux/bpf.h`, and
//! `include/uapi/linux/bpf_common.h` for the parts of the opcode.

use crate::ByteOrder;

/// A BPF instruction, `struct bpf_insn`.
///
/// ```
/// use btf_format::{ByteOrder, Instruction, InstructionClass};
///
/// // r1 = *(u64 *)(r10 - 8)
/// let mut code = [0x79, 0xa1, 0xf8, 0xff, 0, 0, 0, 0];
/// let load = Instruction::read(&code, 0, ByteOrder::Little).unwrap();
/// assert_eq!((load.class(), load.access_size()), (InstructionClass::Ldx, Some(8)));
///
/// // A narrower load from elsewhere, put in its place.
/// let load = Instruction { offset: 16, ..load.with_access_size(4).unwrap() };
/// assert!(load.write(&mut code, 0, ByteOrder::Little));
/// assert_eq!(code, [0x61, 0xa1, 16, 0, 0, 0, 0, 0]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Instruction {
    /// The operation (`code`): class in bits 0 to 2, the rest by class.
    pub opcode: u8,
    /// The destination register (`dst_reg`), 0 to 15.
    pub dst: u8,
    /// The source register (`src_reg`), 0 to 15; in a `ld_imm64` and a call,
    /// the kind of the immediate (`BPF_PSEUDO_*`).
    pub src: u8,
    /// The offset (`off`): of memory in **bytes**, of a jump in instructions.
    pub offset: i16,
    /// The immediate.
    pub imm: i32,
}

/// Class of an instruction: bits 0 to 2 of its opcode (`BPF_CLASS`). The enum
/// is exhaustive, as all values are assigned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum InstructionClass {
    /// Loads of immediates and packet data.
    Ld,
    /// Loads from memory into a register.
    Ldx,
    /// Stores of an immediate.
    St,
    /// Stores of a register, and atomic operations.
    Stx,
    /// Arithmetic of 32 bits.
    Alu,
    /// Jumps that compare 64 bits, calls and exit.
    Jmp,
    /// Jumps that compare 32 bits.
    Jmp32,
    /// Arithmetic of 64 bits.
    Alu64,
}

/// Opcode bits for the size of a memory access (`BPF_SIZE`).
const SIZE_MASK: u8 = 0x18;
/// Opcode bit that selects a register (`BPF_X`) instead of the immediate
/// (`BPF_K`) as the operand.
const SOURCE_MASK: u8 = 0x08;

impl Instruction {
    /// Size of an instruction in bytes. (`ld_imm64` consists of two
    /// instructions.)
    pub const SIZE: usize = 8;

    /// Opcode of `ld_imm64`. The immediate of the next instruction is its upper
    /// half.
    pub const LD_IMM64: u8 = 0x18;

    /// Opcode of a call: of a helper, a kfunc or a BPF function.
    pub const CALL: u8 = 0x85;

    /// Decodes an instruction of the given byte order.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; Self::SIZE], order: ByteOrder) -> Self {
        let [opcode, registers, o0, o1, i0, i1, i2, i3] = bytes;
        let (high, low) = (registers >> 4, registers & 0xf);
        match order {
            ByteOrder::Little => Self {
                opcode,
                dst: low,
                src: high,
                offset: i16::from_le_bytes([o0, o1]),
                imm: i32::from_le_bytes([i0, i1, i2, i3]),
            },
            ByteOrder::Big => Self {
                opcode,
                dst: high,
                src: low,
                offset: i16::from_be_bytes([o0, o1]),
                imm: i32::from_be_bytes([i0, i1, i2, i3]),
            },
        }
    }

    /// Encodes the instruction in the given byte order. (Only the lower 4 bits
    /// of the registers are used.)
    #[must_use]
    pub const fn to_bytes(self, order: ByteOrder) -> [u8; Self::SIZE] {
        let (dst, src) = (self.dst & 0xf, self.src & 0xf);
        let (registers, [o0, o1], [i0, i1, i2, i3]) = match order {
            ByteOrder::Little => (src << 4 | dst, self.offset.to_le_bytes(), self.imm.to_le_bytes()),
            ByteOrder::Big => (dst << 4 | src, self.offset.to_be_bytes(), self.imm.to_be_bytes()),
        };
        [self.opcode, registers, o0, o1, i0, i1, i2, i3]
    }

    /// Decodes the instruction at byte `offset` of `code`; `None` if it exceeds
    /// `code`.
    #[must_use]
    pub fn read(code: &[u8], offset: usize, order: ByteOrder) -> Option<Self> {
        code.get(offset..)?.first_chunk().map(|&bytes| Self::from_bytes(bytes, order))
    }

    /// Encodes the instruction at byte `offset` of `code`. Returns `false`, and
    /// changes nothing, if it exceeds `code`.
    #[must_use]
    pub fn write(self, code: &mut [u8], offset: usize, order: ByteOrder) -> bool {
        let place = code.get_mut(offset..).and_then(<[u8]>::first_chunk_mut);
        place.map(|place| *place = self.to_bytes(order)).is_some()
    }

    /// The class (`BPF_CLASS`).
    #[must_use]
    pub const fn class(self) -> InstructionClass {
        match self.opcode & 7 {
            0 => InstructionClass::Ld,
            1 => InstructionClass::Ldx,
            2 => InstructionClass::St,
            3 => InstructionClass::Stx,
            4 => InstructionClass::Alu,
            5 => InstructionClass::Jmp,
            6 => InstructionClass::Jmp32,
            _ => InstructionClass::Alu64,
        }
    }

    /// Returns `true` for the first half of a `ld_imm64`.
    #[must_use]
    pub const fn is_ld_imm64(self) -> bool {
        self.opcode == Self::LD_IMM64
    }

    /// Returns `true` if the operand of an arithmetic instruction or jump is a
    /// register (`BPF_X`) and not the immediate (`BPF_K`). Always false for
    /// loads and stores.
    #[must_use]
    pub const fn has_register_operand(self) -> bool {
        !self.class().accesses_memory() && self.opcode & SOURCE_MASK != 0
    }

    /// Number of bytes that a load or store accesses (`BPF_SIZE`): 1, 2, 4 or
    /// 8; `None` for other instructions.
    #[must_use]
    pub const fn access_size(self) -> Option<u8> {
        if !self.class().accesses_memory() {
            return None;
        }
        Some(match self.opcode & SIZE_MASK {
            0x00 => 4,
            0x08 => 2,
            0x10 => 1,
            _ => 8,
        })
    }

    /// Returns this load or store with another access size in bytes; `None` if
    /// `size` is not 1, 2, 4 or 8, or for any other instruction.
    #[must_use]
    pub const fn with_access_size(self, size: u8) -> Option<Self> {
        if !self.class().accesses_memory() {
            return None;
        }
        let bits = match size {
            4 => 0x00,
            2 => 0x08,
            1 => 0x10,
            8 => 0x18,
            _ => return None,
        };
        Some(Self { opcode: self.opcode & !SIZE_MASK | bits, ..self })
    }

    /// Returns the 64-bit immediate of a `ld_imm64` whose second half is
    /// `next`.
    #[must_use]
    pub const fn imm64(self, next: Self) -> u64 {
        (next.imm as u32 as u64) << 32 | self.imm as u32 as u64
    }

    /// Returns both halves of a `ld_imm64` with another immediate; this is the
    /// first half and `next` the second.
    #[must_use]
    pub const fn with_imm64(self, next: Self, imm: u64) -> [Self; 2] {
        [Self { imm: imm as u32 as i32, ..self }, Self { imm: (imm >> 32) as u32 as i32, ..next }]
    }
}

impl InstructionClass {
    /// Returns `true` if instructions of the class load or store.
    const fn accesses_memory(self) -> bool {
        matches!(self, Self::Ld | Self::Ldx | Self::St | Self::Stx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn either_byte_order_there_and_back() {
        let r1_from_stack = Instruction { opcode: 0x79, dst: 1, src: 10, offset: -8, imm: 0 };
        assert_eq!(r1_from_stack.to_bytes(ByteOrder::Little), [0x79, 0xa1, 0xf8, 0xff, 0, 0, 0, 0]);
        assert_eq!(r1_from_stack.to_bytes(ByteOrder::Big), [0x79, 0x1a, 0xff, 0xf8, 0, 0, 0, 0]);
        let add = Instruction { opcode: 7, dst: 2, src: 0, offset: 0, imm: -2 };
        for order in [ByteOrder::Little, ByteOrder::Big] {
            for instruction in [r1_from_stack, add, Instruction::default()] {
                assert_eq!(Instruction::from_bytes(instruction.to_bytes(order), order), instruction);
            }
        }
    }

    #[test]
    fn all_opcodes_keep_all_but_their_size() {
        for opcode in 0..=u8::MAX {
            let instruction = Instruction { opcode, ..Instruction::default() };
            for size in 0..=u8::MAX {
                match instruction.with_access_size(size) {
                    Some(changed) => {
                        assert_eq!(changed.access_size(), Some(size));
                        assert_eq!(changed.opcode & 0xe7, opcode & 0xe7);
                    }
                    None => assert!(instruction.access_size().is_none() || ![1, 2, 4, 8].contains(&size)),
                }
            }
            let same = instruction.access_size().and_then(|size| instruction.with_access_size(size));
            assert!(same.is_none_or(|same| same == instruction));
        }
    }

    #[test]
    fn operands_are_told_apart() {
        let has = |opcode| Instruction { opcode, ..Instruction::default() }.has_register_operand();
        assert!(has(0x0f) && has(0x1d), "add64 and jeq of a register");
        assert!(!has(0x07) && !has(0x15), "of an immediate");
        assert!(!has(0x69) && !has(0x18), "a load of 2 bytes, and ld_imm64");
    }

    #[test]
    fn immediates_of_64_bits() {
        let first = Instruction { opcode: Instruction::LD_IMM64, dst: 3, ..Instruction::default() };
        let [low, high] = first.with_imm64(Instruction::default(), 0xfedc_ba98_8765_4321);
        assert_eq!((low.imm as u32, high.imm as u32, low.dst), (0x8765_4321, 0xfedc_ba98, 3));
        assert_eq!(low.imm64(high), 0xfedc_ba98_8765_4321);
        assert!(low.is_ld_imm64() && !high.is_ld_imm64());
    }

    #[test]
    fn nothing_is_read_or_written_beyond_the_end() {
        let mut code = [7; 12];
        let exit = Instruction { opcode: 0x95, ..Instruction::default() };
        for offset in [5, 12, 13, usize::MAX] {
            assert_eq!(Instruction::read(&code, offset, ByteOrder::Little), None);
            assert!(!exit.write(&mut code, offset, ByteOrder::Little));
            assert_eq!(code, [7; 12]);
        }
        assert!(exit.write(&mut code, 4, ByteOrder::Big));
        assert_eq!(Instruction::read(&code, 4, ByteOrder::Big), Some(exit));
    }
}

//! BPF instructions: 8 bytes each.
//!
//! Source: `struct bpf_insn` in `include/uapi/linux/bpf.h`.

use btf_types::ByteOrder;

/// A BPF instruction, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Instruction {
    /// What it does.
    pub opcode: u8,
    /// The register that it writes, 0 to 15.
    pub dst: u8,
    /// The register that it reads, 0 to 15; in a `ld_imm64` and a call, what
    /// kind of thing the immediate is.
    pub src: u8,
    /// Offset: of memory in **bytes**, of a jump in instructions.
    pub offset: i16,
    /// Immediate.
    pub imm: i32,
}

impl Instruction {
    /// Bytes of an instruction. (`ld_imm64` is two of them.)
    pub const SIZE: usize = 8;

    /// `ld_imm64`, whose upper half is the immediate of the next instruction.
    pub const LD_IMM64: u8 = 0x18;

    /// Takes an instruction of this byte order apart.
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

    /// Its bytes in this byte order. (Of a register only the lower 4 bits.)
    #[must_use]
    pub const fn to_bytes(self, order: ByteOrder) -> [u8; Self::SIZE] {
        let (dst, src) = (self.dst & 0xf, self.src & 0xf);
        let (registers, [o0, o1], [i0, i1, i2, i3]) = match order {
            ByteOrder::Little => (src << 4 | dst, self.offset.to_le_bytes(), self.imm.to_le_bytes()),
            ByteOrder::Big => (dst << 4 | src, self.offset.to_be_bytes(), self.imm.to_be_bytes()),
        };
        [self.opcode, registers, o0, o1, i0, i1, i2, i3]
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
}

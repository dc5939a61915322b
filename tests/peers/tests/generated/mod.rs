//! Small programs and kernels whose types have the same few names, so that
//! relocations find something.
//!
//! They keep clear of what libbpf does not survive: modifiers and arrays that
//! lead to themselves, bitfields of types without a size.

use std::collections::HashSet;

use btf_format::{ByteOrder, Instruction};
use btf_tests::blob::Blob;
use btf_types::Type;
use proptest::prelude::*;

const INT: u8 = 1;
const ARRAY: u8 = 3;
const STRUCT: u8 = 4;
const UNION: u8 = 5;
const ENUM: u8 = 6;
const FWD: u8 = 7;
const FUNC_PROTO: u8 = 13;
const FLOAT: u8 = 16;
const ENUM64: u8 = 19;
/// PTR, TYPEDEF, VOLATILE, CONST, RESTRICT, TYPE_TAG.
const REFERENCES: [u8; 6] = [2, 8, 9, 10, 11, 18];

/// Names of types and members; the first is none.
const NAMES: [&str; 9] = ["", "aa", "aa___x", "aa___y", "b", "b___x", "cc", "dd____e", "ff"];

const ACCESS: [&str; 12] =
    ["0", "0:0", "0:1", "0:2", "0:0:0", "0:0:1", "0:1:0", "0:1:1", "0:0:0:0", "1", "1:1", "0:1:2"];

/// A type: kind, name, flag, numbers that become sizes and ids, and elements.
#[derive(Debug, Clone)]
struct Shape {
    kind: u8,
    name: usize,
    flag: bool,
    numbers: [u32; 2],
    elements: Vec<[u32; 4]>,
}

/// A relocation: type, access string, kind; and the form of its instruction.
#[derive(Debug, Clone)]
struct Wanted {
    ty: u32,
    access: String,
    kind: u32,
    form: usize,
    is_wrong: bool,
    /// Neither kind nor access string need fit the type.
    is_any: bool,
}

/// A program and a kernel, in bytes.
#[derive(Debug, Clone)]
pub struct Case {
    pub local: Vec<u8>,
    pub target: Vec<u8>,
    pub ext: Vec<u8>,
    wanted: Vec<Wanted>,
}

fn shape() -> impl Strategy<Value = Shape> {
    let kinds = [INT, INT, ARRAY, STRUCT, STRUCT, STRUCT, UNION, ENUM, ENUM, ENUM64, FWD, FLOAT, FUNC_PROTO];
    let kind = prop::sample::select(kinds.into_iter().chain(REFERENCES).collect::<Vec<_>>());
    let element = [0..9u32, 0..12u32, 0..9u32, 0..6u32];
    (kind, 0..NAMES.len(), any::<bool>(), [0..12u32, 0..12u32], prop::collection::vec(element, 0..4))
        .prop_map(|(kind, name, flag, numbers, elements)| Shape { kind, name, flag, numbers, elements })
}

fn wanted() -> impl Strategy<Value = Wanted> {
    let odd = || prop::bool::weighted(0.1);
    (1..12u32, 0..ACCESS.len(), 0..14u32, 0..FORMS.len(), odd(), odd()).prop_map(
        |(ty, access, kind, form, is_wrong, is_any)| {
            let access = ACCESS[access].to_owned();
            Wanted { ty, access, kind, form, is_wrong, is_any }
        },
    )
}

impl Wanted {
    /// Makes kind and access string fit a type of the program, most often.
    fn fit(&mut self, types: &[Shape]) {
        // A named struct, union or enum, if there is one behind the number.
        let count = types.len();
        let is_root = |number: &usize| types[*number].name > 0 && matches!(types[*number].kind, STRUCT | UNION | ENUM);
        let start = self.ty as usize % count;
        let root = (start..count).chain(0..start).find(is_root).unwrap_or(start);
        self.ty = root as u32 + 1;
        if self.is_any {
            return;
        }
        let shape = &types[root];
        let elements = shape.elements.len();
        match (shape.kind, self.kind) {
            (STRUCT | UNION, 0..=9) if elements > 0 => {
                let deeper = if self.kind > 7 { ":0" } else { "" };
                self.kind %= 6;
                self.access = format!("0:{}{deeper}", self.form % elements);
            }
            (ENUM, 0..=9) if elements > 0 => {
                self.kind = 10 + self.kind % 2;
                self.access = (self.form % elements).to_string();
            }
            (_, kind) => {
                self.kind = [6, 7, 8, 9, 12][kind as usize % 5];
                self.access = "0".to_owned();
            }
        }
    }
}

/// A program and a kernel.
pub fn case() -> impl Strategy<Value = Case> {
    let shapes = || prop::collection::vec(shape(), 2..12);
    (shapes(), prop::option::of(shapes()), prop::collection::vec(wanted(), 1..5)).prop_map(
        |(local, target, mut wanted)| {
            // Often both are the same, or nearly so.
            let mut kernel = target.clone().unwrap_or_else(|| local.clone());
            if target.is_none() {
                for shape in &mut kernel {
                    let len = shape.elements.len();
                    shape.elements.rotate_left(1.min(len));
                }
            }
            wanted.iter_mut().for_each(|relocation| relocation.fit(&local));
            let (mut blob, _) = build(&local);
            let access: Vec<u32> = wanted.iter().map(|relocation| blob.string(&relocation.access)).collect();
            let section = blob.string("section");
            let ext = ext(&wanted, &access, section);
            Case { local: blob.build(), target: build(&kernel).0.build(), ext, wanted }
        },
    )
}

/// The blob of some types, and the sizes of those that bitfields can be of.
fn build(shapes: &[Shape]) -> (Blob, Vec<u32>) {
    let mut blob = Blob::new();
    let names: Vec<u32> = NAMES.iter().map(|name| if name.is_empty() { 0 } else { blob.string(name) }).collect();
    let count = shapes.len() as u32 + 1;
    // By id: the size of an integer or enum, also behind typedefs.
    let mut sizes = vec![0];
    for shape in shapes {
        let size = match shape.kind {
            INT | ENUM => 1 << (shape.numbers[0] % 4),
            ENUM64 => 8,
            kind if REFERENCES.contains(&kind) && kind != 2 => sizes[shape.numbers[0] as usize % sizes.len()],
            _ => 0,
        };
        sizes.push(size);
    }
    for (index, shape) in shapes.iter().enumerate() {
        let below = |number: u32| number % (index as u32 + 1);
        let any = |number: u32| number % count;
        let name = names[shape.name];
        let (vlen, elements) = (shape.elements.len() as u32, shape.elements.iter());
        match shape.kind {
            INT => {
                let size = sizes[index + 1];
                let (encoding, offset) = (shape.numbers[1] % 3, if shape.numbers[1] == 11 { 1 } else { 0 });
                blob.record(
                    names[shape.name.max(1)],
                    INT,
                    0,
                    false,
                    size,
                    &[encoding << 24 | offset << 16 | (size * 8)],
                );
            }
            ARRAY => {
                let nelems = shape.numbers[1] % 4;
                blob.record(0, ARRAY, 0, false, 0, &[below(shape.numbers[0]), 0, nelems]);
            }
            STRUCT | UNION => {
                let words: Vec<u32> = elements
                    .flat_map(|&[name, ty, offset, bits]| {
                        let ty = any(ty);
                        let bits = if shape.flag && sizes[ty as usize] > 0 { bits } else { 0 };
                        let offset = if bits > 0 { offset * 3 } else { offset * 8 };
                        [names[name as usize], ty, bits << 24 | offset]
                    })
                    .collect();
                blob.record(name, shape.kind, vlen, shape.flag, shape.numbers[0] * 4, &words);
            }
            ENUM => {
                let words: Vec<u32> = elements
                    .flat_map(|&[name, value, ..]| [names[name.max(1) as usize], value.wrapping_sub(2)])
                    .collect();
                blob.record(name, ENUM, vlen, shape.flag, sizes[index + 1], &words);
            }
            ENUM64 => {
                let words: Vec<u32> = elements
                    .flat_map(|&[name, low, high, _]| [names[name.max(1) as usize], low, high.wrapping_sub(1)])
                    .collect();
                blob.record(name, ENUM64, vlen, shape.flag, 8, &words);
            }
            FWD => _ = blob.record(names[shape.name.max(1)], FWD, 0, shape.flag, 0, &[]),
            FLOAT => _ = blob.record(names[shape.name.max(1)], FLOAT, 0, false, 8, &[]),
            FUNC_PROTO => {
                let words: Vec<u32> = elements.flat_map(|&[_, ty, ..]| [0, any(ty)]).collect();
                blob.record(0, FUNC_PROTO, vlen, false, any(shape.numbers[0]), &words);
            }
            // A pointer may lead anywhere, modifiers only back.
            2 => _ = blob.record(0, 2, 0, false, any(shape.numbers[0]), &[]),
            kind @ (8 | 18) => {
                blob.record(names[shape.name.max(1)], kind, 0, false, below(shape.numbers[0]), &[]);
            }
            kind => _ = blob.record(0, kind, 0, false, below(shape.numbers[0]), &[]),
        }
    }
    (blob, sizes)
}

fn ext(wanted: &[Wanted], access: &[u32], section: u32) -> Vec<u8> {
    let mut relos = vec![16, section, wanted.len() as u32];
    for ((number, relocation), access) in (0..).zip(wanted).zip(access) {
        relos.extend([number * 16, relocation.ty, *access, relocation.kind]);
    }
    let len = relos.len() as u32 * 4;
    let header = [0x0001_eb9f, 32, 0, 0, 0, 0, 0, len];
    header.into_iter().chain(relos).flat_map(u32::to_ne_bytes).collect()
}

/// Returns whether no two members of a type have one name, anonymous members
/// looked into. libbpf adds up the offsets of both.
pub fn has_each_member_once(ty: Type<'_>) -> bool {
    let (mut names, mut seen) = (HashSet::new(), HashSet::new());
    let mut pending = vec![ty];
    while let Some(ty) = pending.pop() {
        let members = match ty.peel_modifiers() {
            Type::Struct(view) => view.members(),
            Type::Union(view) => view.members(),
            _ => continue,
        };
        if !seen.insert(ty.peel_modifiers()) {
            return false;
        }
        for member in members {
            if member.name().is_empty() {
                pending.push(member.ty());
            } else if !names.insert(member.name()) {
                return false;
            }
        }
    }
    true
}

/// Forms of an instruction and what follows it.
const FORMS: [[Instruction; 2]; 12] = {
    const NOP: Instruction = Instruction { opcode: 0, dst: 0, src: 0, offset: 0, imm: 0 };
    const fn insn(opcode: u8) -> Instruction {
        Instruction { opcode, dst: 1, ..NOP }
    }
    [
        [insn(0xb7), NOP],
        [insn(0x04), NOP],
        [insn(0xbf), NOP],
        [insn(0x61), NOP],
        [insn(0x69), NOP],
        [insn(0x79), NOP],
        [insn(0x63), NOP],
        [insn(0x72), NOP],
        [insn(0x18), NOP],
        [Instruction { src: 1, ..insn(0x18) }, NOP],
        [insn(0x85), NOP],
        [insn(0x18), insn(0x95)],
    ]
};

impl Case {
    /// The code of the section, with the values that the local types give (or
    /// wrong ones, where that is wanted).
    pub fn code(&self, values: impl Iterator<Item = u64>) -> Vec<u8> {
        let mut code = Vec::new();
        for (wanted, value) in self.wanted.iter().zip(values) {
            let value = value.wrapping_add(wanted.is_wrong.into());
            let [mut first, mut second] = FORMS[wanted.form];
            match first.opcode & 7 {
                1..=3 => first.offset = value as i16,
                0 => (first.imm, second.imm) = (value as i32, (value >> 32) as i32),
                _ => first.imm = value as i32,
            }
            code.extend(first.to_bytes(ByteOrder::NATIVE));
            code.extend(second.to_bytes(ByteOrder::NATIVE));
        }
        code
    }
}

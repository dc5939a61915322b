//! Test of the messages of all errors.

use btf_elf::BpfObject;
use btf_messages::{Messages, examples};
use btf_types::{Btf, CoreReloKind, Error, Type};

use crate::{Fault, ObjectError, PatchError, PatchFault, Relocator, Targets, TrimError};

#[test]
fn messages_stand_alone() {
    let object = BpfObject::parse(&include_bytes!("../doc/fields.bpf.o")[..]).unwrap();
    let kernel = Btf::parse(&include_bytes!("../doc/fields.btf")[..]).unwrap();
    let relocated = Relocator::new(Targets::custom(&kernel)).relocate(object.btf_ext().unwrap().unwrap());
    let patch_error = |reason| PatchError::new(relocated.iter().next().unwrap(), reason);
    let (ty, access, kind) = (|| "struct task_struct".to_owned(), || "0:1:2".to_owned(), CoreReloKind::FieldByteOffset);
    let mut messages = Messages::new(env!("CARGO_MANIFEST_DIR"));
    examples!(messages: Fault {
        UnknownKind => Fault::UnknownKind { number: 99 },
        AccessString => Fault::AccessString { access: access(), kind: CoreReloKind::TypeSize },
        AccessIndex => Fault::AccessIndex { access: access(), ty: ty(), index: 2 },
        AccessBeyond => Fault::AccessBeyond { access: access(), ty: "int".into() },
        NotEnum => Fault::NotEnum { kind: CoreReloKind::EnumvalValue, ty: ty() },
        Anonymous => Fault::Anonymous { id: 7 },
        Size => Fault::Size { ty: "void".into(), error: Type::Void.size_of().unwrap_err().into() },
        OffsetTooLarge => Fault::OffsetTooLarge { bits: 1 << 35 },
        TooDeep => Fault::TooDeep { limit: 64 },
        CompareTooDeep => Fault::CompareTooDeep { limit: 32 },
        Bitfield => Fault::Bitfield { ty: "u64".into(), bit_offset: 60 },
        ArrayElement => Fault::ArrayElement { kind: CoreReloKind::FieldSigned },
        AmbiguousOffset => Fault::AmbiguousOffset { first: 64, first_type: ty(), second: 128, second_type: ty() },
        AmbiguousValue => Fault::AmbiguousValue { first: 4, first_type: ty(), second: 8, second_type: ty() },
        TooComplex => Fault::TooComplex { limit: 1_000_000 },
    });
    examples!(messages: PatchFault {
        Relocation => PatchFault::Relocation(Fault::UnknownKind { number: 99 }),
        NoInstruction => PatchFault::NoInstruction { len: 64 },
        UnexpectedValue => PatchFault::UnexpectedValue { found: 8, expected: 16, target: 24 },
        OffsetTooLarge => PatchFault::OffsetTooLarge { target: 65_536 },
        UnexpectedSize => PatchFault::UnexpectedSize { found: 8, expected: 4 },
        InvalidSize => PatchFault::InvalidSize { size: 3 },
        Opcode => PatchFault::Opcode { opcode: 0x85 },
        LdImm64 => PatchFault::LdImm64,
    });
    messages.add("PatchError", &patch_error(PatchFault::LdImm64));
    examples!(messages: ObjectError {
        Elf => btf_elf::Error::NotElf.into(),
        Patch => patch_error(PatchFault::LdImm64).into(),
        Compressed => ObjectError::Compressed { section: "kprobe/tcp_sendmsg".into() },
        Overlapping => ObjectError::Overlapping { section: "kprobe/tcp_sendmsg".into() },
    });
    examples!(messages: TrimError {
        Elf => btf_elf::Error::NotElf.into(),
        NoExt => TrimError::NoExt,
        Relocation => TrimError::Relocation {
            program: "on_send".into(),
            section: "kprobe/tcp_sendmsg".into(),
            insn_offset: 16,
            kind,
            path: "task_struct.pid".into(),
            fault: Fault::UnknownKind { number: 99 }.into(),
        },
        Instruction => {
            let reason = patch_error(PatchFault::LdImm64);
            TrimError::Instruction { program: reason.program().into(), reason }
        },
        Build => btf_build::Error::NotSplit.into(),
        Types => Error::NotSplit.into(),
    });
    messages.check(true);
}

//! Shapes of CO-RE relocations: a BPF object, the BTF of the kernel that it is
//! relocated for, and the BTF of that kernel's modules, if it has any.

use super::{Shape, ext::ext};
use crate::{
    blob::Blob,
    elf_blob::{EXECUTABLE, ElfBlob, PROGBITS, SectionBlob},
};
use btf_format::ByteOrder;

const PTR: u8 = 2;
const STRUCT: u8 = 4;
const ENUM: u8 = 6;
const TYPEDEF: u8 = 8;
const FUNC: u8 = 12;
const FUNC_PROTO: u8 = 13;

// `enum bpf_core_relo_kind`.
const BYTE_OFFSET: u32 = 0;
const FIELD_EXISTS: u32 = 2;
const TYPE_EXISTS: u32 = 8;
const ENUMVAL_EXISTS: u32 = 10;
const TYPE_MATCHES: u32 = 12;

/// Shapes of an object and the BTF of a kernel.
pub const RELOCATIONS: &[Shape] = &[
    Shape::new("relocations_of_one_big_type", relocations_of_one_big_type),
    Shape::new("members_that_are_not_there", members_that_are_not_there),
    Shape::new("one_member_that_is_not_there", one_member_that_is_not_there),
    Shape::new("candidates_of_one_name", candidates_of_one_name),
    Shape::new("candidates_without_the_member", candidates_without_the_member),
    Shape::new("candidates_that_disagree", candidates_that_disagree),
    Shape::new("candidates_behind_typedefs", candidates_behind_typedefs),
    Shape::new("types_and_candidates_of_one_name", types_and_candidates_of_one_name),
    Shape::new("matches_of_structs_that_double", matches_of_structs_that_double),
    Shape::new("types_that_are_protos_that_double", types_that_are_protos_that_double),
    Shape::new("matches_of_homonymous_members", matches_of_homonymous_members),
    Shape::new("matches_of_enums_and_one_big_enum", matches_of_enums_and_one_big_enum),
    Shape::new("enumerators_of_one_big_enum", enumerators_of_one_big_enum),
    Shape::new("anonymous_members_that_double", anonymous_members_that_double),
    Shape::new("one_long_access_string", one_long_access_string),
    Shape::new("access_strings_that_end_alike", access_strings_that_end_alike),
    Shape::new("paths_of_64_levels", paths_of_64_levels),
    Shape::new("faults_of_one_long_name", faults_of_one_long_name),
    Shape::new("programs_of_one_name", programs_of_one_name),
    Shape::new("relocations_of_many_programs", relocations_of_many_programs),
    Shape::new("relocations_of_many_functions", relocations_of_many_functions),
];

/// Shapes of an object, the BTF of a kernel, and that of many modules.
pub const WITH_MODULES: &[Shape] = &[
    Shape::new("types_of_many_modules", types_of_many_modules),
    Shape::new("candidates_in_many_modules", candidates_in_many_modules),
];

/// Relocation: index of the instruction, type id, offset of the access string, kind.
type Relocation = [u32; 4];

/// Name of the section of programs.
const SECTION: &str = "kprobe";

/// Function of the first program: index of the instruction, type id.
type Function = [u32; 2];

/// Returns an object with these programs and their relocations. A program is as long
/// as its relocations require.
fn object(types: Blob, programs: &[(&str, Vec<Relocation>)]) -> Vec<u8> {
    object_of_functions(types, &[], programs)
}

fn object_of_functions(mut types: Blob, functions: &[Function], programs: &[(&str, Vec<Relocation>)]) -> Vec<u8> {
    let mut elf = ElfBlob::bpf(ByteOrder::NATIVE);
    let mut blocks = Vec::new();
    let mut func_infos = Vec::new();
    let mut sections = Vec::new();
    let mut before: Option<(&str, u32)> = None;
    for (name, relocations) in programs {
        let offset = match before {
            Some((same, offset)) if same == *name => offset,
            _ => types.string(name),
        };
        if before.is_none() && !functions.is_empty() {
            func_infos.extend([offset, functions.len() as u32]);
            func_infos.extend(functions.iter().flat_map(|&[insn, ty]| [insn * 8, ty]));
        }
        before = Some((name, offset));
        let last = relocations.iter().map(|relocation| relocation[0] + 1).max().unwrap_or(1);
        // `r0 = 1`: the instruction of a relocation whose kind is an existence check.
        let code = [0xb7u64 | 1 << 32; 1].repeat(last as usize);
        sections.push(SectionBlob {
            name: (*name).into(),
            kind: PROGBITS,
            flags: EXECUTABLE,
            data: code.iter().flat_map(|insn| insn.to_ne_bytes()).collect(),
            ..SectionBlob::default()
        });
        if !relocations.is_empty() {
            blocks.extend([offset, relocations.len() as u32]);
            blocks.extend(relocations.iter().flat_map(|&[insn, ty, access, kind]| [insn * 8, ty, access, kind]));
        }
    }
    elf.section(".BTF", types.build());
    elf.section(".BTF.ext", ext([(8, func_infos), (16, Vec::new()), (16, blocks)]));
    sections.into_iter().for_each(|section| _ = elf.add(section));
    elf.build()
}

/// Returns an object with one program, in which each relocation has its own
/// instruction.
fn program(types: Blob, relocations: impl IntoIterator<Item = [u32; 3]>) -> Vec<u8> {
    let relocations = (0..).zip(relocations).map(|(insn, [ty, access, kind])| [insn, ty, access, kind]);
    object(types, &[(SECTION, relocations.collect())])
}

/// Size of a relocation and its instruction in bytes.
const EACH: usize = 24;

/// Returns BTF with a struct `s`, id 2, of `count` `int` members, whose names `name`
/// makes.
fn structure(count: u32, name: impl Fn(u32) -> String) -> Blob {
    let mut blob = Blob::new();
    let own = blob.string("s");
    let members: Vec<u32> = (0..count).flat_map(|at| [blob.string(name(at)), 1, at * 32]).collect();
    blob.int().record(own, STRUCT, count, false, count * 4, &members);
    blob
}

/// Makes relocations of the last members of a large struct.
fn relocations_of_one_big_type(size: usize) -> Vec<Vec<u8>> {
    let count = (size / 4 / 20) as u32;
    let make = || structure(count, |at| format!("m{at:06}"));
    let mut local = make();
    let access: Vec<u32> = (0..8).map(|back| local.string(format!("0:{}", count - 1 - back))).collect();
    let relocations = (0..size / 2 / EACH).map(|at| [2, access[at % 8], FIELD_EXISTS]);
    vec![program(local, relocations), make().build()]
}

/// Makes relocations of all members of a struct. The target's struct has as many
/// members, with similar names.
fn members_that_are_not_there(size: usize) -> Vec<Vec<u8>> {
    let count = (size / 2 / 100) as u32;
    let mut local = structure(count, |at| format!("{}{at:06}", "ab".repeat(12)));
    let access: Vec<u32> = (0..count).map(|at| local.string(format!("0:{at}"))).collect();
    let relocations = access.into_iter().map(|access| [2, access, FIELD_EXISTS]);
    let target = structure(count, |at| format!("{}{at:06}", "ba".repeat(12)));
    vec![program(local, relocations), target.build()]
}

/// Makes many relocations of one member, which the target's large struct lacks.
fn one_member_that_is_not_there(size: usize) -> Vec<Vec<u8>> {
    let mut local = structure(1, |_| "ab".repeat(20));
    let access = local.string("0:0");
    let relocations = (0..size / 2 / EACH).map(|_| [2, access, FIELD_EXISTS]);
    let target = structure((size / 2 / 56) as u32, |at| format!("{}{at:06}", "ba".repeat(17)));
    vec![program(local, relocations), target.build()]
}

/// Returns BTF with structs `s___…` of one member each.
fn flavors(count: usize, member: impl Fn(usize) -> &'static str, offset: impl Fn(usize) -> u32) -> Blob {
    let mut blob = Blob::new();
    blob.int();
    for at in 0..count {
        let (own, member) = (blob.string(format!("s___{at:06}")), blob.string(member(at)));
        blob.record(own, STRUCT, 1, false, 8, &[member, 1, offset(at)]);
    }
    blob
}

fn of_flavors(size: usize, kind: u32, target: &Blob) -> Vec<Vec<u8>> {
    let mut local = structure(1, |_| "m".into());
    let access = local.string("0:0");
    let relocations = (0..size / 2 / EACH).map(|_| [2, access, kind]);
    vec![program(local, relocations), target.build()]
}

fn candidates_of_one_name(size: usize) -> Vec<Vec<u8>> {
    of_flavors(size, FIELD_EXISTS, &flavors(size / 2 / 37, |_| "m", |_| 0))
}

fn candidates_without_the_member(size: usize) -> Vec<Vec<u8>> {
    of_flavors(size, FIELD_EXISTS, &flavors(size / 2 / 37, |_| "n", |_| 0))
}

fn candidates_that_disagree(size: usize) -> Vec<Vec<u8>> {
    let count = size / 2 / 37;
    of_flavors(size, BYTE_OFFSET, &flavors(count, |_| "m", |at| if at + 1 == count { 32 } else { 0 }))
}

/// Makes candidates that are typedefs, each at the start of a long chain.
fn candidates_behind_typedefs(size: usize) -> Vec<Vec<u8>> {
    let make = |count: usize| {
        let mut blob = structure(1, |_| "m".into());
        // The chain ends with the struct, id 2.
        (0..60).for_each(|at| _ = blob.record(0, TYPEDEF, 0, false, at + 2, &[]));
        for at in 0..count {
            let own = blob.string(format!("s___{at:06}"));
            blob.record(own, TYPEDEF, 0, false, 62, &[]);
        }
        blob
    };
    let mut local = make(1);
    let access = local.string("0:0");
    let relocations = (0..size / 2 / EACH).map(|_| [63, access, FIELD_EXISTS]);
    vec![program(local, relocations), make(size / 2 / 23).build()]
}

/// Makes local types that have the same candidates each.
fn types_and_candidates_of_one_name(size: usize) -> Vec<Vec<u8>> {
    let count = size / 2 / 61;
    let mut local = flavors(count, |_| "m", |_| 0);
    let access = local.string("0");
    let relocations = (0..count).map(|at| [at as u32 + 2, access, TYPE_EXISTS]);
    vec![program(local, relocations), flavors(size / 2 / 37, |_| "m", |_| 0).build()]
}

/// Returns BTF with structs, each of which has two members of the next struct.
fn doubling(levels: u32, member: &str) -> Blob {
    let mut blob = Blob::new();
    let name = blob.string("s");
    let member = if member.is_empty() { 0 } else { blob.string(member) };
    for id in 1..=levels {
        let next = if id == levels { 0 } else { id + 1 };
        let own = if id == 1 { name } else { 0 };
        blob.record(own, STRUCT, 2, false, 8, &[member, next, 0, member, next, 32]);
    }
    blob
}

fn matches_of_structs_that_double(size: usize) -> Vec<Vec<u8>> {
    let levels = 24;
    let mut local = doubling(levels, "m");
    let access = local.string("0");
    let relocations = (0..size / EACH).map(|_| [1, access, TYPE_MATCHES]);
    vec![program(local, relocations), doubling(levels, "m").build()]
}

/// Makes prototypes, each of which takes two pointers to the next, and returns one.
fn types_that_are_protos_that_double(size: usize) -> Vec<Vec<u8>> {
    let levels = 24;
    let make = || {
        let mut blob = Blob::new();
        let name = blob.string("f");
        for level in 0..levels {
            let next = if level + 1 == levels { 0 } else { 2 * level + 4 };
            blob.record(0, FUNC_PROTO, 2, false, next, &[0, next, 0, next]).ptr(2 * level + 1);
        }
        blob.record(name, TYPEDEF, 0, false, 1, &[]);
        blob
    };
    let mut local = make();
    let access = local.string("0");
    let relocations = (0..size / EACH).map(|_| [2 * levels + 1, access, TYPE_EXISTS]);
    vec![program(local, relocations), make().build()]
}

/// Makes structs whose members share a name, and have types that do not match.
fn matches_of_homonymous_members(size: usize) -> Vec<Vec<u8>> {
    let make = |signed: u32| {
        let mut blob = Blob::new();
        let (own, name, int) = (blob.string("s"), blob.string("m"), blob.string("int"));
        let count = (size / 3 / 36) as u32;
        blob.record(int, 1, 0, false, 4, &[signed << 24 | 32]);
        (0..count).for_each(|_| _ = blob.record(0, PTR, 0, false, 1, &[]));
        let members: Vec<u32> = (0..count).flat_map(|at| [name, at + 2, at * 32]).collect();
        blob.record(own, STRUCT, count, false, count * 8, &members);
        (blob, count + 2)
    };
    let ((mut local, id), (target, _)) = (make(0), make(1));
    let access = local.string("0");
    let relocations = (0..size / 3 / EACH).map(|_| [id, access, TYPE_MATCHES]);
    vec![program(local, relocations), target.build()]
}

/// Adds an enum named `own` with `count` values, which are named by number.
fn enumeration(blob: &mut Blob, own: &str, count: u32) {
    let own = blob.string(own);
    let values: Vec<u32> = (0..count).flat_map(|at| [blob.string(format!("E{at:06}")), at]).collect();
    blob.record(own, ENUM, count, false, 4, &values);
}

fn matches_of_enums_and_one_big_enum(size: usize) -> Vec<Vec<u8>> {
    let (mut local, mut target) = (Blob::new(), Blob::new());
    let count = size / 2 / 64;
    (0..count).for_each(|at| enumeration(&mut local, &format!("e___{at:06}"), 1));
    enumeration(&mut target, "e", (size / 2 / 16) as u32);
    let access = local.string("0");
    let relocations = (0..count).map(|at| [at as u32 + 1, access, TYPE_MATCHES]);
    vec![program(local, relocations), target.build()]
}

fn enumerators_of_one_big_enum(size: usize) -> Vec<Vec<u8>> {
    let (mut local, mut target) = (Blob::new(), Blob::new());
    let count = (size / 64) as u32;
    enumeration(&mut local, "e", count);
    enumeration(&mut target, "e", count);
    let access: Vec<u32> = (0..count).map(|at| local.string(at.to_string())).collect();
    let relocations = access.into_iter().map(|access| [1, access, ENUMVAL_EXISTS]);
    vec![program(local, relocations), target.build()]
}

/// Makes relocations of a member that is searched in all nested anonymous structs.
fn anonymous_members_that_double(size: usize) -> Vec<Vec<u8>> {
    let mut local = structure(1, |_| "m".into());
    let access = local.string("0:0");
    let relocations = (0..size / 2 / EACH).map(|_| [2, access, FIELD_EXISTS]);
    // Deeper nesting is rejected.
    let target = doubling(60, "");
    vec![program(local, relocations), target.build()]
}

/// Adds an access string of the maximum length, 64 numbers.
fn long_access(blob: &mut Blob) -> u32 {
    blob.string(["0000000000"; 64].join(":"))
}

fn of_access(size: usize, access: impl Fn(&mut Blob) -> Vec<u32>) -> Vec<Vec<u8>> {
    let mut local = structure(1, |_| "m".into());
    let access = access(&mut local);
    let relocations = (0..size / EACH).map(|at| [2, access[at % access.len()], BYTE_OFFSET]);
    vec![program(local, relocations), structure(1, |_| "m".into()).build()]
}

fn one_long_access_string(size: usize) -> Vec<Vec<u8>> {
    of_access(size, |blob| vec![long_access(blob)])
}

fn access_strings_that_end_alike(size: usize) -> Vec<Vec<u8>> {
    of_access(size, |blob| {
        let long = long_access(blob);
        (0..64).map(|at| long + 11 * at).collect()
    })
}

/// Makes structs, each the first member of the previous one.
fn paths_of_64_levels(size: usize) -> Vec<Vec<u8>> {
    let make = || {
        let mut blob = Blob::new();
        let (own, member) = (blob.string("s"), blob.string("m"));
        for id in 1..=63 {
            blob.record(if id == 1 { own } else { 0 }, STRUCT, 1, false, 4, &[member, id + 1, 0]);
        }
        blob.int();
        blob
    };
    let mut local = make();
    let access = local.string(["0", &":0".repeat(63)].concat());
    let relocations = (0..size / EACH).map(|_| [1, access, FIELD_EXISTS]);
    vec![program(local, relocations), make().build()]
}

/// Makes relocations that fail with an error that contains the name.
fn faults_of_one_long_name(size: usize) -> Vec<Vec<u8>> {
    let mut local = Blob::new();
    let name = local.string("n".repeat(size / 2));
    local.record(name, STRUCT, 0, false, 0, &[]);
    let access = local.string("0");
    let relocations = (0..size / 2 / EACH).map(|_| [1, access, ENUMVAL_EXISTS]);
    vec![program(local, relocations), Blob::new().int().build()]
}

/// Makes program sections that share a name, and relocations for that name.
fn programs_of_one_name(size: usize) -> Vec<Vec<u8>> {
    let mut local = structure(1, |_| "m".into());
    let access = local.string("0:0");
    let relocations = vec![[0, 2, access, BYTE_OFFSET]; size / 2 / 16];
    let mut programs = vec![(SECTION, Vec::new()); size / 2 / 72];
    programs[0].1 = relocations;
    // A missing member poisons the instruction.
    vec![object(local, &programs), structure(1, |_| "n".into()).build()]
}

fn relocations_of_many_programs(size: usize) -> Vec<Vec<u8>> {
    let mut local = structure(1, |_| "m".into());
    let access = local.string("0:0");
    let names: Vec<String> = (0..size / 128).map(|at| format!("kprobe/f{at:06}")).collect();
    let programs: Vec<_> = names.iter().map(|name| (name.as_str(), vec![[0, 2, access, FIELD_EXISTS]])).collect();
    vec![object(local, &programs), structure(1, |_| "m".into()).build()]
}

/// Makes functions with one relocation each, all in one section.
fn relocations_of_many_functions(size: usize) -> Vec<Vec<u8>> {
    let mut local = structure(1, |_| "m".into());
    let (access, name) = (local.string("0:0"), local.string("f"));
    local.record(0, FUNC_PROTO, 0, false, 0, &[]).record(name, FUNC, 1, false, 3, &[]);
    let count = (size / (EACH + 8)) as u32;
    let functions: Vec<Function> = (0..count).map(|insn| [insn, 4]).collect();
    let relocations = (0..count).map(|insn| [insn, 2, access, FIELD_EXISTS]).collect();
    let object = object_of_functions(local, &functions, &[(SECTION, relocations)]);
    vec![object, structure(1, |_| "m".into()).build()]
}

/// Makes local types that are searched in all modules.
fn types_of_many_modules(size: usize) -> Vec<Vec<u8>> {
    let mut local = Blob::new();
    let count = (size / 2 / 44) as u32;
    for at in 0..count {
        let own = local.string(format!("s{at:06}"));
        local.record(own, STRUCT, 0, false, 4, &[]);
    }
    let access = local.string("0");
    let relocations = (0..count).map(|at| [at + 1, access, TYPE_EXISTS]);
    let mut parts = vec![program(local, relocations), Blob::new().int().build()];
    parts.extend((0..size / 2 / 36).map(|_| Blob::split().ptr(1).build()));
    parts
}

fn candidates_in_many_modules(size: usize) -> Vec<Vec<u8>> {
    let mut local = structure(1, |_| "m".into());
    let access = local.string("0:0");
    let relocations = (0..size / 2 / EACH).map(|_| [2, access, FIELD_EXISTS]);
    let mut base = Blob::new();
    let (own, member) = (base.string("s"), base.string("m"));
    base.int();
    let mut parts = vec![program(local, relocations), base.build()];
    let module = || Blob::split().record(own, STRUCT, 1, false, 4, &[member, 1, 0]).build();
    parts.extend((0..size / 2 / 48).map(|_| module()));
    parts
}

#[cfg(test)]
mod tests {
    use btf_elf::BpfObject;
    use btf_types::Btf;

    use super::*;

    /// A shape that is rejected at once proves nothing.
    #[test]
    fn objects_have_relocations() {
        for shape in RELOCATIONS.iter().chain(WITH_MODULES) {
            let parts = (shape.make)(8192);
            let object = BpfObject::parse(parts[0].clone()).unwrap_or_else(|error| panic!("{}: {error}", shape.name));
            let ext = object.btf_ext().unwrap_or_else(|error| panic!("{}: {error}", shape.name)).expect("it has it");
            assert!(ext.core_relos().len() > 20, "{}", shape.name);
            let kernel = Btf::parse(parts[1].clone()).unwrap_or_else(|error| panic!("{}: {error}", shape.name));
            for module in &parts[2..] {
                Btf::parse_split(module.clone(), &kernel).unwrap_or_else(|error| panic!("{}: {error}", shape.name));
            }
        }
    }
}

//! BTF trimmed for programs: what is kept, against bpftool, and that every
//! relocation has the same result on it.

#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "tests")]

use std::{fs, process::Command};

use btf_build::{Builder, IntEncoding};
use btf_elf::BpfObject;
use btf_relocate::{Outcome, Relocator, Targets, Trim, TrimError};
use btf_tests::{described::core_relos, fixtures, trimming};
use btf_types::{Btf, BtfExt, Collection, Fwd, Struct, Type, format::ByteOrder};
use proptest::{collection::vec, prelude::*, sample::Index, test_runner::Config};

const KERNELS: [&str; 3] = [fixtures::UNSORTED, fixtures::SORTED, fixtures::BIG_ENDIAN];

fn object(name: &str) -> BpfObject {
    BpfObject::parse(fixtures::read(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn btf(name: &str) -> Btf {
    Btf::parse(fixtures::read(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn kernel(release: &str) -> Btf {
    btf(&format!("kernels/{release}/vmlinux.btf"))
}

/// The objects among the fixtures that have relocations, all of them sound.
fn objects() -> Vec<(String, BpfObject)> {
    let files = ["bpf/clang-14", "bpf/clang-22"].into_iter().flat_map(fixtures::files);
    let objects = files.filter(|name| name.ends_with(".bpf.o")).map(|name| (name.clone(), object(&name)));
    let has_relocations = |object: &BpfObject| object.btf_ext().unwrap().is_some_and(|ext| ext.core_relos().len() > 0);
    objects.filter(|(_, object)| has_relocations(object) && Trim::new().object(object).is_ok()).collect()
}

/// The types and strings, without the header.
fn contents(btf: &Btf) -> (&[u8], &[u8]) {
    (&btf.as_bytes()[btf.type_section()], &btf.as_bytes()[btf.string_section()])
}

#[test]
fn what_bpftool_keeps() {
    for (name, machine, release) in
        [("core_real-el", "amd64", fixtures::UNSORTED), ("core_real-eb", "s390x", fixtures::BIG_ENDIAN)]
    {
        let object = object(&format!("bpf/clang-22/{name}.bpf.o"));
        let golden = btf(&format!("golden/{machine}_{release}.core_real.btf"));
        let trimmed = Trim::new().object(&object).unwrap().trim(&kernel(release)).unwrap();
        assert_eq!(contents(&trimmed), contents(&golden), "{release}");
        // bpftool writes in the order of the machine that it runs on.
        let is_big = release == fixtures::BIG_ENDIAN;
        assert_eq!(trimmed.byte_order(), if is_big { ByteOrder::Big } else { ByteOrder::Little });
    }
}

/// All that bpftool trims has the same contents here.
#[test]
fn what_this_machines_bpftool_keeps() {
    if let Err(error) = Command::new("bpftool").arg("version").output() {
        return btf_tests::skip(format!("bpftool cannot be run: {error}"));
    }
    let folder = tempfile::tempdir().unwrap();
    let (source, out) = (folder.path().join("source.btf"), folder.path().join("out.btf"));
    let objects = objects();
    let single = objects.iter().map(|(name, object)| vec![(name, object)]);
    let all_of = |order: &str| {
        objects.iter().filter(|(name, _)| name.contains(order)).map(|(name, object)| (name, object)).collect()
    };
    let sets: Vec<Vec<_>> = single.chain([all_of("-el"), all_of("-eb")]).collect();
    let mut compared = 0;
    let targets = ["el", "eb"].map(|order| format!("golden/core/core_field_tgt1-{order}.btf"));
    let targets =
        targets.into_iter().chain(["el", "eb"].map(|order| format!("golden/core/core_type_tgt1-{order}.btf")));
    for target in KERNELS.map(|release| format!("kernels/{release}/vmlinux.btf")).into_iter().chain(targets) {
        fs::write(&source, fixtures::read(&target)).unwrap();
        let btf = btf(&target);
        for set in &sets {
            let files = set.iter().map(|(name, _)| fixtures::folder().join(name));
            let made =
                Command::new("bpftool").args(["gen", "min_core_btf"]).arg(&source).arg(&out).args(files).output();
            let made = made.unwrap();
            let trim = set.iter().try_fold(Trim::new(), |trim, (_, object)| trim.object(object)).unwrap();
            let names: Vec<_> = set.iter().map(|(name, _)| name).collect();
            match (made.status.success(), trim.trim(&btf)) {
                (true, Ok(trimmed)) => {
                    let expected = Btf::parse(fs::read(&out).unwrap()).unwrap();
                    assert_eq!(contents(&trimmed), contents(&expected), "{target}, {names:?}");
                    compared += 1;
                }
                (true, Err(error)) => panic!("{target}, {names:?}: {error}"),
                (false, Err(_)) => {}
                // It does not know newer kinds of relocations and types.
                (false, Ok(_)) => println!("{target}, {names:?}: {}", String::from_utf8_lossy(&made.stderr)),
            }
        }
    }
    assert!(compared >= 30, "{compared} were compared");
}

#[test]
fn every_relocation_has_the_same_result() {
    let objects = objects();
    assert!(objects.len() >= 10);
    let ext = |object: &'static BpfObject| object.btf_ext().unwrap().unwrap();
    let objects: Vec<(String, &'static BpfObject)> =
        objects.into_iter().map(|(name, object)| (name, &*Box::leak(Box::new(object)))).collect();
    let mut kernels: Vec<Collection> = Vec::new();
    for release in KERNELS {
        let mut kernel = Collection::new("vmlinux", kernel(release));
        for module in ["veth", "vxlan", "openvswitch"] {
            let bytes = fixtures::read(&format!("kernels/{release}/{module}.btf"));
            kernel.add(module, Btf::parse_split(bytes, kernel.base()).unwrap()).unwrap();
        }
        kernels.push(kernel);
    }
    let small = fixtures::files("golden/core").into_iter().filter(|name| name.ends_with(".btf"));
    kernels.extend(small.map(|name| trimming::alone(&btf(&name))));
    kernels.extend(objects.iter().map(|(_, object)| trimming::alone(object.btf())));
    let mut trimmed = 0;
    for kernel in &kernels {
        let single = objects.iter().map(|(_, object)| vec![ext(object)]);
        let all = objects.iter().map(|(_, object)| ext(object)).collect();
        for set in single.chain([all]) {
            trimmed += u32::from(trimming::check(&set, kernel).is_some());
        }
    }
    assert!(trimmed > 200, "{trimmed}");
}

/// `.BTF.ext` with relocations, each of a type by its name, an access string and
/// a kind.
fn program(local: Builder, relocations: &[(&str, &str, u32)]) -> BtfExt {
    let mut b = Builder::new();
    b.append(&local.finish().unwrap()).unwrap();
    let section = b.string("kprobe/f").unwrap();
    let access: Vec<u32> = relocations.iter().map(|(_, access, _)| b.string(access).unwrap()).collect();
    let local = b.finish().unwrap();
    let mut records = Vec::new();
    for ((name, _, kind), access) in relocations.iter().zip(access) {
        let ty: Type<'_> = local.find(name).unwrap();
        records.extend([2 * records.len() as u32, ty.id(), access, *kind]);
    }
    BtfExt::parse(core_relos(section, &records), &local).unwrap()
}

const BYTE_OFFSET: u32 = 0;
const EXISTS: u32 = 2;
const TYPE_EXISTS: u32 = 8;
const TYPE_MATCHES: u32 = 12;

fn names(btf: &Btf) -> Vec<String> {
    btf.types().map(|ty| ty.to_string()).collect()
}

/// Duplicates that agree on one field, of which the second has another one as
/// well: bpftool keeps that field of the second alone, and then finds the first.
#[test]
fn what_only_the_second_candidate_has() {
    let mut b = Builder::new();
    let int = b.int("int", 4, IntEncoding::SIGNED).unwrap();
    b.structure("s", 8).member("x", int, 0).finish().unwrap();
    b.structure("s", 16).member("x", int, 0).member("y", int, 64).finish().unwrap();
    let kernel = b.finish().unwrap();
    let mut b = Builder::new();
    let int = b.int("int", 4, IntEncoding::SIGNED).unwrap();
    b.structure("s", 8).member("x", int, 0).member("y", int, 32).finish().unwrap();
    let ext = program(b, &[("s", "0:0", BYTE_OFFSET), ("s", "0:1", BYTE_OFFSET)]);
    let trimmed = trimming::check(&[&ext], &trimming::alone(&kernel)).unwrap();
    assert_eq!(names(trimmed.base()), ["int", "struct s", "struct s"]);
}

/// A type that does not match, and would if what it points to were not kept.
#[test]
fn what_would_match_if_less_were_kept() {
    let mut b = Builder::new();
    let int = b.int("int", 4, IntEncoding::SIGNED).unwrap();
    let inner = b.structure("inner", 4).member("x", int, 0).finish().unwrap();
    let ptr = b.ptr(inner).unwrap();
    b.structure("s", 8).member("p", ptr, 0).finish().unwrap();
    let kernel = b.finish().unwrap();
    let mut b = Builder::new();
    let ptr = b.ptr(0).unwrap();
    b.structure("s", 8).member("p", ptr, 0).finish().unwrap();
    let ext = program(b, &[("s", "0", TYPE_MATCHES), ("s", "0:0", BYTE_OFFSET)]);
    let trimmed = trimming::check(&[&ext], &trimming::alone(&kernel)).unwrap();
    let inner: Struct<'_> = trimmed.base().find("inner").unwrap();
    assert_eq!((inner.size(), inner.members().len()), (4, 0), "by name and size");
}

/// An array of no elements in the middle of a struct, which is not flexible, and
/// would be if it were the last member.
#[test]
fn what_would_be_flexible_if_less_were_kept() {
    let mut b = Builder::new();
    let int = b.int("int", 4, IntEncoding::SIGNED).unwrap();
    let array = b.array(int, int, 0).unwrap();
    b.structure("s", 8).member("start", array, 0).member("y", int, 0).finish().unwrap();
    let kernel = b.finish().unwrap();
    let mut b = Builder::new();
    let int = b.int("int", 4, IntEncoding::SIGNED).unwrap();
    let array = b.array(int, int, 0).unwrap();
    b.structure("s", 4).member("start", array, 0).finish().unwrap();
    let ext = program(b, &[("s", "0:0", EXISTS), ("s", "0:0:1", EXISTS)]);
    let trimmed = trimming::check(&[&ext], &trimming::alone(&kernel)).unwrap();
    let s: Struct<'_> = trimmed.base().find("s").unwrap();
    assert_eq!(s.members().len(), 2);
}

/// bpftool refuses both kinds.
#[test]
fn type_tags_and_forward_declarations() {
    let mut b = Builder::new();
    let int = b.int("int", 4, IntEncoding::SIGNED).unwrap();
    let tagged = b.type_tag("user", int).unwrap();
    let fwd = b.fwd("elsewhere", btf_types::FwdKind::Struct).unwrap();
    let user = b.type_tag("rcu", fwd).unwrap();
    let ptr = b.ptr(user).unwrap();
    b.structure("s", 16).member("x", tagged, 0).member("p", ptr, 64).finish().unwrap();
    b.typedef("handle", ptr).unwrap();
    let kernel = b.finish().unwrap();
    let mut b = Builder::new();
    let int = b.int("int", 4, IntEncoding::SIGNED).unwrap();
    let fwd = b.fwd("elsewhere", btf_types::FwdKind::Struct).unwrap();
    let ptr = b.ptr(fwd).unwrap();
    b.structure("s", 4).member("x", int, 0).finish().unwrap();
    b.typedef("handle", ptr).unwrap();
    let ext = program(b, &[("s", "0:0", BYTE_OFFSET), ("handle", "0", TYPE_EXISTS)]);
    let trimmed = trimming::check(&[&ext], &trimming::alone(&kernel)).unwrap();
    let s: Struct<'_> = trimmed.base().find("s").unwrap();
    assert_eq!(s.members().len(), 1);
    trimmed.base().find::<Fwd<'_>>("elsewhere").unwrap();
    assert_eq!(trimmed.base().types().filter(|ty| matches!(ty, Type::TypeTag(_))).count(), 2);
}

/// A module is split from the trimmed kernel, in which its types are kept.
#[test]
fn modules() {
    let mut b = Builder::new();
    let int = b.int("int", 4, IntEncoding::SIGNED).unwrap();
    b.structure("unneeded", 4).member("x", int, 0).finish().unwrap();
    let skb = b.structure("sk_buff", 8).member("len", int, 0).finish().unwrap();
    let vmlinux = b.finish().unwrap();
    let mut kernel = trimming::alone(&vmlinux);
    for (name, ty) in [("veth", "veth_priv"), ("vxlan", "vxlan_dev")] {
        let mut b = Builder::on(&vmlinux);
        b.structure(ty, 8).member("skb", skb, 0).finish().unwrap();
        kernel.add(name, b.finish().unwrap()).unwrap();
    }
    let mut b = Builder::new();
    let int = b.int("int", 4, IntEncoding::SIGNED).unwrap();
    let skb = b.structure("sk_buff", 4).member("len", int, 0).finish().unwrap();
    b.structure("veth_priv", 4).member("skb", skb, 0).finish().unwrap();
    let ext = program(b, &[("veth_priv", "0:0:0", BYTE_OFFSET)]);
    let trimmed = trimming::check(&[&ext], &kernel).unwrap();
    assert_eq!(names(trimmed.base()), ["int", "struct sk_buff"]);
    assert!(trimmed.get("vxlan").is_none(), "nothing of it is needed");
    let veth = trimmed.get("veth").unwrap().btf();
    assert_eq!(names(veth), ["struct veth_priv"]);
    // By itself, it is the same.
    let alone = Trim::new().ext(&ext).unwrap().trim(kernel.get("veth").unwrap().btf()).unwrap();
    assert_eq!(contents(&alone), contents(veth));
    assert_eq!(contents(alone.base().unwrap()), contents(trimmed.base()));
    let vxlan = Trim::new().ext(&ext).unwrap().trim(kernel.get("vxlan").unwrap().btf()).unwrap();
    assert_eq!((vxlan.types().len(), vxlan.base().unwrap().types().len()), (0, 0));
}

#[test]
fn types_that_are_kept_by_name() {
    let kernel = kernel(fixtures::SORTED);
    let trimmed = Trim::new().keep("task_struct").keep("tcp_sendmsg").keep("no such type").trim(&kernel).unwrap();
    let (whole, kept): (Struct<'_>, Struct<'_>) =
        (kernel.find("task_struct").unwrap(), trimmed.find("task_struct").unwrap());
    assert_eq!(kept.members().len(), whole.members().len());
    for (kept, whole) in kept.members().zip(whole.members()) {
        assert_eq!((kept.name(), kept.encoded()), (whole.name(), whole.encoded()));
        assert_eq!(kept.ty().to_string(), whole.ty().to_string());
        assert_eq!(kept.ty().size_of().ok(), whole.ty().size_of().ok());
    }
    let function = |btf: &Btf| Type::from(btf.find::<btf_types::Func<'_>>("tcp_sendmsg").unwrap()).to_string();
    assert_eq!(function(&trimmed), function(&kernel));
    assert!(trimmed.types().len() < kernel.types().len() / 10, "{}", trimmed.types().len());
}

/// The place of the first CO-RE relocation in an object's bytes.
fn first_relocation(bytes: &[u8], object: &BpfObject) -> usize {
    let section = object.elf().section(".BTF.ext").unwrap();
    let start = section.offset() as usize;
    let word = |at: usize| u32::from_le_bytes(*bytes[at..].first_chunk().unwrap()) as usize;
    // After the size of records, the section's name and their number.
    start + word(start + 4) + word(start + 24) + 12
}

#[test]
fn damaged_relocations_are_refused_by_the_name_of_their_program() {
    let bytes = fixtures::read("bpf/clang-22/core_real-el.bpf.o");
    let object = BpfObject::parse(bytes.clone()).unwrap();
    let at = first_relocation(&bytes, &object);
    let relo = object.btf_ext().unwrap().unwrap().core_relos().next().unwrap();
    assert_eq!((relo.section().name().to_str().unwrap(), relo.insn_offset()), ("raw_tp/sched_process_exec", 16));
    let anonymous = object.btf().types().find(|ty| ty.is_anonymous()).unwrap().id();
    for (word, value, expected) in [
        (
            0,
            4,
            "program on_exec (section raw_tp/sched_process_exec), instruction 0 (byte 4), byte_off of task_struct.pid (0:0): no instruction at this offset: the code has 1208 bytes",
        ),
        (0, 0, "program on_exec (section raw_tp/sched_process_exec), instruction 0"),
        (4, anonymous, "program on_exec (section raw_tp/sched_process_exec), instruction 2 (byte 16), byte_off of "),
        (12, 99, "program on_exec (section raw_tp/sched_process_exec), instruction 2 (byte 16), "),
    ] {
        let mut bytes = bytes.clone();
        bytes[at + word..at + word + 4].copy_from_slice(&value.to_le_bytes());
        let error = Trim::new().object(&BpfObject::parse(bytes).unwrap()).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error}");
    }
    let mut bytes = bytes;
    let name = bytes.windows(9).position(|name| name == b".BTF.ext\0").unwrap();
    bytes[name + 1] = b'X';
    let error = Trim::new().object(&BpfObject::parse(bytes).unwrap()).unwrap_err();
    assert!(matches!(error, TrimError::NoExt), "{error}");
}

/// Ambiguity is a fault for this kernel alone.
#[test]
fn ambiguous_relocations_are_refused() {
    let mut b = Builder::new();
    let int = b.int("int", 4, IntEncoding::SIGNED).unwrap();
    b.structure("s", 8).member("x", int, 0).finish().unwrap();
    b.structure("s", 8).member("x", int, 32).finish().unwrap();
    let kernel = b.finish().unwrap();
    let mut b = Builder::new();
    let int = b.int("int", 4, IntEncoding::SIGNED).unwrap();
    b.structure("s", 4).member("x", int, 0).finish().unwrap();
    let ext = program(b, &[("s", "0:0", BYTE_OFFSET)]);
    let error = Trim::new().ext(&ext).unwrap().trim(&kernel).unwrap_err();
    let expected = "program kprobe/f (section kprobe/f), instruction 0 (byte 0), byte_off of s.x (0:0): ambiguous: ";
    assert!(error.to_string().starts_with(expected), "{error}");
}

#[test]
fn nothing_that_is_needed() {
    let trimmed = Trim::new().trim(&kernel(fixtures::UNSORTED)).unwrap();
    assert_eq!((trimmed.types().len(), contents(&trimmed)), (0, (&[][..], &[0][..])));
    assert_eq!(Btf::parse(trimmed.as_bytes().to_vec()).unwrap().types().len(), 0);
}

/// The kernel takes the result.
#[cfg(target_os = "linux")]
#[test]
fn what_is_trimmed_loads() {
    use btf_kernel::{Feature, Kernel, LoadedBtf, is_supported};
    match is_supported(Feature::Btf) {
        Ok(true) => {}
        other => return btf_tests::skip(format!("BTF cannot be loaded: {other:?}")),
    }
    let kernels = KERNELS.into_iter().filter(|release| *release != fixtures::BIG_ENDIAN).map(kernel);
    for kernel in kernels.chain(Kernel::running().btf()) {
        for (name, object) in objects().iter().filter(|(name, _)| name.contains("-el")) {
            let trimmed = Trim::new().object(object).unwrap().trim(&kernel);
            let Ok(trimmed) = trimmed else { continue };
            if trimmed.types().len() == 0 {
                let error = LoadedBtf::load(&trimmed).unwrap_err().to_string();
                assert!(error.contains("No type found"), "{error}");
            } else if let Err(error) = LoadedBtf::load(&trimmed) {
                panic!("{name}: {error}");
            }
        }
        let kept = Trim::new().keep("task_struct").keep("tcp_sendmsg").trim(&kernel).unwrap();
        LoadedBtf::load(&kept).unwrap_or_else(|error| panic!("task_struct: {error}"));
    }
}

/// BTF by a stream of choices: few names, so that many of them meet.
struct Choices<'a>(&'a [u8]);

impl Choices<'_> {
    fn below(&mut self, end: u32) -> u32 {
        let Some((&first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        u32::from(first) % end
    }

    fn name<'n>(&mut self, names: &[&'n str]) -> &'n str {
        names[self.below(names.len() as u32) as usize]
    }

    /// A few types that refer to those before them, and to pointers to any.
    fn types(&mut self, mut b: Builder) -> Btf {
        const NAMES: &[&str] = &["a", "a", "a", "b", "a___old"];
        const MEMBERS: &[&str] = &["x", "y", "x", "z", "y", ""];
        let int = b.int("int", 4, IntEncoding::SIGNED).unwrap();
        let long = b.int("long", 8, IntEncoding::NONE).unwrap();
        let pointers: Vec<u32> = (0..2).map(|_| b.declare()).collect();
        let mut ids = vec![0, int, long, pointers[0], pointers[1]];
        for _ in 0..4 + self.below(12) {
            let (kind, name) = (self.below(14), self.name(NAMES));
            let any = |choices: &mut Self| ids[choices.below(ids.len() as u32) as usize];
            let (first, second) = (any(self), any(self));
            let id = match kind {
                0..6 => {
                    let count = 1 + self.below(3);
                    let mut new = b.structure(if self.below(6) == 0 { "" } else { name }, 8 * count);
                    for at in 0..count {
                        let (ty, member) = (any(self), self.name(MEMBERS));
                        new = match self.below(5) {
                            0 => new.bitfield(member, int, at * 64 + 3, 5),
                            _ => new.member(member, ty, at * 64),
                        };
                    }
                    new.finish()
                }
                6 => {
                    b.union(name, 8).member(self.name(MEMBERS), first, 0).member(self.name(MEMBERS), second, 0).finish()
                }
                7 | 8 => b.typedef(name, first),
                9 => b.array(first, int, self.below(3)),
                10 => b
                    .enumeration(name, 4)
                    .value(self.name(&["p", "q"]), 1)
                    .value(self.name(&["p", "q", "r"]), 2)
                    .finish(),
                11 => b.func_proto(first).param("", second).finish(),
                12 => b.type_tag("tag", first),
                _ => b.ptr(first),
            };
            ids.push(id.unwrap());
        }
        for pointer in pointers {
            let to = ids[self.below(ids.len() as u32) as usize];
            b.define(pointer).ptr(if to == pointer { 0 } else { to }).unwrap();
        }
        b.finish().unwrap()
    }

    /// Relocations of any kind that are not at fault for a kernel.
    fn program(&mut self, local: &Btf, kernel: &Collection) -> BtfExt {
        const ACCESS: &[&str] = &["0:0", "0:1", "0:0:0", "0:1:0", "1:0", "0:2", "0:0:1", "0:0:0:0", "0"];
        let mut b = Builder::new();
        let ids = b.append(local).unwrap();
        assert_eq!(ids.id(1), Some(1));
        let section = b.string("kprobe/f").unwrap();
        let access: Vec<u32> = ACCESS.iter().map(|access| b.string(access).unwrap()).collect();
        let local = b.finish().unwrap();
        let named: Vec<Type<'_>> = local.types().filter(|ty| !ty.is_anonymous()).collect();
        // The first is one that is never at fault.
        let mut records = vec![[0, 1, access[ACCESS.len() - 1], 6]];
        for number in 1..4 + self.below(16) {
            let ty = named[self.below(named.len() as u32) as usize];
            let is_enum = matches!(ty, Type::Enum(_));
            let kind = match self.below(8) {
                0..4 if !is_enum => self.below(6),
                _ if is_enum && self.below(2) == 0 => 10 + self.below(2),
                _ => [7, 8, 9, 12][self.below(4) as usize],
            };
            let field = access[self.below(access.len() as u32) as usize];
            let access = if kind < 6 { field } else { access[ACCESS.len() - 1] };
            records.push([number * 8, ty.id(), access, kind]);
        }
        let relocator = Relocator::new(Targets::kernel(kernel.base()).modules(kernel));
        loop {
            let ext = BtfExt::parse(core_relos(section, &records.concat()), &local).unwrap();
            let relocated = relocator.relocate(&ext);
            let has_result = relocated.iter().map(|relocation| !matches!(relocation.outcome(), Outcome::Fault(_)));
            let mut has_result: Vec<bool> = has_result.collect();
            if has_result.iter().all(|has| *has) {
                return ext;
            }
            records.retain(|_| has_result.remove(0));
        }
    }
}

/// Changes to a stream of choices: types that are alike, but not the same.
fn edits() -> impl Strategy<Value = Vec<(Index, u8)>> {
    vec((any::<Index>(), any::<u8>()), 0..6)
}

fn edited(choices: &[u8], edits: &[(Index, u8)]) -> Vec<u8> {
    let mut choices = choices.to_vec();
    for (at, choice) in edits {
        let at = at.index(choices.len());
        choices[at] = *choice;
    }
    choices
}

proptest! {
    #![proptest_config(Config { cases: 2000, failure_persistence: None, ..Config::default() })]

    /// With few names there are duplicates, ambiguities, types that match by
    /// half, and arrays that are the last member only when others are gone.
    #[test]
    fn any_relocation_has_the_same_result(
        types in vec(any::<u8>(), 40..160), kernel in edits(), module in edits(),
        programs in vec((edits(), vec(any::<u8>(), 20..60)), 1..3),
    ) {
        let vmlinux = Choices(&edited(&types, &kernel)).types(Builder::new());
        let mut kernel = trimming::alone(&vmlinux);
        kernel.add("module", Choices(&edited(&types, &module)).types(Builder::on(&vmlinux))).unwrap();
        let programs: Vec<BtfExt> = programs.iter().map(|(edits, choices)| {
            let local = Choices(&edited(&types, edits)).types(Builder::new());
            Choices(choices).program(&local, &kernel)
        }).collect();
        let programs: Vec<&BtfExt> = programs.iter().collect();
        let trimmed = trimming::check(&programs, &kernel).unwrap();
        let _ = btf_tests::walk::everything(trimmed.base());
    }
}

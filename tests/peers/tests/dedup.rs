//! libbpf as an oracle for deduplication: as many types of each kind, and the same
//! graph up to the numbering; and a test for each case in which it is not so.

#![cfg(feature = "peers-c")]
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    unreachable_pub,
    unsafe_code,
    reason = "tests, and C libraries"
)]

use std::{
    collections::BTreeMap,
    hash::{DefaultHasher, Hash, Hasher},
    ptr, slice,
};

use btf_build::{Builder, Encode, Error, Merge, dedup};
use btf_tests::fixtures;
use btf_types::{Btf, ByteOrder, FwdKind, IntEncoding, Linkage, format::Word};
use libbpf_sys as sys;
use proptest::prelude::*;

/// Deduplicates with libbpf; the error number if it fails.
fn libbpf(btf: &Btf) -> Result<Btf, i32> {
    let bytes = |btf: &Btf| Encode::new().byte_order(ByteOrder::NATIVE).encode(btf).unwrap();
    let mut below = ptr::null_mut();
    let mut all = Vec::new();
    let mut layers: Vec<&Btf> = btf.layers().collect();
    layers.reverse();
    for layer in layers {
        let bytes = bytes(layer);
        // SAFETY: libbpf copies the bytes; what is below is freed last.
        below = unsafe {
            sys::libbpf_set_print(None);
            sys::btf__new_split(bytes.as_ptr().cast(), bytes.len() as u32, below)
        };
        assert!(!below.is_null(), "{}", std::io::Error::last_os_error());
        all.push(below);
    }
    // SAFETY: it is alive.
    let result = match unsafe { sys::btf__dedup(below, ptr::null()) } {
        0 => {
            let mut size = 0;
            // SAFETY: the BTF is alive, and so are the bytes while it is.
            let bytes = unsafe {
                let data = sys::btf__raw_data(below, &raw mut size);
                assert!(!data.is_null());
                slice::from_raw_parts(data.cast(), size as usize).to_vec()
            };
            Ok(Btf::from_native(bytes, btf.base(), btf.byte_order(), None).unwrap())
        }
        error => Err(-error),
    };
    for btf in all.into_iter().rev() {
        // SAFETY: nobody else has it.
        unsafe { sys::btf__free(btf) };
    }
    result
}

/// The number of own types of each kind.
fn kinds(btf: &Btf) -> BTreeMap<&'static str, usize> {
    let mut kinds = BTreeMap::new();
    for ty in btf.types() {
        *kinds.entry(ty.kind().map_or("unknown", |kind| kind.as_str())).or_insert(0) += 1;
    }
    kinds
}

/// A number for each own type that is the same for types that nothing tells apart
/// within some steps, sorted; with the type.
fn graph(btf: &Btf) -> Vec<(u64, u32)> {
    let hash = |hash: u64, value: u64| (hash.rotate_left(5) ^ value).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let (mut shapes, mut children, mut starts) = (vec![1], Vec::new(), vec![0, 0]);
    for id in 1..btf.type_count() {
        let mut shape = 0;
        for (word, value) in btf.record(id).unwrap().words() {
            match word {
                Word::Id => children.push(value as usize),
                Word::Name => {
                    let mut hasher = DefaultHasher::new();
                    btf.string_at(value).unwrap().as_bytes().hash(&mut hasher);
                    shape = hash(shape, hasher.finish());
                }
                _ => shape = hash(shape, value.into()),
            }
        }
        shapes.push(shape);
        starts.push(children.len());
    }
    let mut numbers = shapes.clone();
    for _ in 0..24 {
        numbers = (0..numbers.len())
            .map(|id| {
                children[starts[id]..starts[id + 1]].iter().fold(shapes[id], |all, &child| hash(all, numbers[child]))
            })
            .collect();
    }
    let mut own: Vec<_> = btf.own_ids().map(|id| (numbers[id as usize], id)).collect();
    own.sort_unstable();
    own
}

/// Prints what is in one of two graphs alone.
fn print_difference(of: &Btf, these: &[(u64, u32)], those: &[(u64, u32)]) {
    let mut count = BTreeMap::new();
    these.iter().for_each(|(number, _)| *count.entry(*number).or_insert(0i64) += 1);
    those.iter().for_each(|(number, _)| *count.entry(*number).or_insert(0i64) -= 1);
    for (number, id) in these.iter().filter(|(number, _)| count[number] > 0).take(40) {
        println!("  {number:x} {id}: {:?}", of.type_by_id(*id).unwrap());
    }
}

/// Comparison of our result with libbpf's.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    /// Equal graphs.
    Same,
    /// Equal types, of some of which libbpf has several copies.
    Fewer,
}

/// Compares what both make of a BTF, and checks that ours stays as it is when it is
/// deduplicated again; returns it.
fn both(name: &str, btf: &Btf) -> (Btf, Verdict) {
    let theirs = libbpf(btf).unwrap();
    let (ours, remap) = dedup(btf).unwrap();
    for ty in btf.types() {
        let new = ours.type_by_id(remap.id(ty.id()).unwrap()).unwrap();
        assert_eq!(new.name(), ty.name(), "{name}");
    }
    let (again, _) = dedup(&ours).unwrap();
    assert!(again.as_bytes() == ours.as_bytes(), "{name}: deduplicated again");
    let (in_ours, in_theirs) = (graph(&ours), graph(&theirs));
    let numbers = |graph: &[(u64, u32)]| graph.iter().map(|(number, _)| *number).collect::<Vec<_>>();
    let (our_numbers, their_numbers) = (numbers(&in_ours), numbers(&in_theirs));
    if our_numbers == their_numbers {
        assert_eq!(kinds(&ours), kinds(&theirs));
        return (ours, Verdict::Same);
    }
    let has_no_others = our_numbers.iter().all(|number| their_numbers.binary_search(number).is_ok());
    if has_no_others && ours.types().len() < theirs.types().len() {
        return (ours, Verdict::Fewer);
    }
    println!("{name}: ours {:?}\n{name}: theirs {:?}\nours alone:", kinds(&ours), kinds(&theirs));
    print_difference(&ours, &in_ours, &in_theirs);
    println!("theirs alone:");
    print_difference(&theirs, &in_theirs, &in_ours);
    panic!("{name}: {} types, libbpf has {}, of {}", ours.types().len(), theirs.types().len(), btf.types().len());
}

/// [`both`], whose graphs have to be the same. Modules, as the build of their kernel left
/// them, have copies of what refers to itself (`copies_of_what_refers_to_itself`): of
/// 8,046 types of openvswitch for 7.3.4 no more than 2,514 differ.
fn compare(name: &str, btf: &Btf) -> Btf {
    let (ours, verdict) = both(name, btf);
    assert!(verdict == Verdict::Same || btf.is_split(), "{name}");
    ours
}

fn kernel(release: &str, name: &str) -> Btf {
    Btf::parse(fixtures::read(&format!("kernels/{release}/{name}.btf"))).unwrap()
}

fn twice(btf: &Btf) -> Btf {
    let mut b = btf.base().map_or_else(Builder::new, Builder::on).byte_order(btf.byte_order());
    b.append(btf).unwrap();
    b.append(btf).unwrap();
    b.finish().unwrap()
}

#[test]
fn kernels_and_kernels_doubled() {
    for release in [fixtures::UNSORTED, fixtures::SORTED, fixtures::BIG_ENDIAN] {
        let vmlinux = kernel(release, "vmlinux");
        let once = compare(release, &vmlinux);
        let twice = compare(&format!("{release} twice"), &twice(&vmlinux));
        println!("{release}: {} {}", once.types().len(), twice.types().len());
    }
}

#[test]
fn kernels_with_their_modules() {
    for release in [fixtures::UNSORTED, fixtures::SORTED, fixtures::BIG_ENDIAN] {
        let vmlinux = kernel(release, "vmlinux");
        let mut merge = Merge::new();
        merge.add(&vmlinux).unwrap();
        let mut on_base = Merge::on(&vmlinux);
        for name in ["veth", "vxlan", "openvswitch", "cast_common"] {
            let path = format!("kernels/{release}/{name}.btf");
            let Some(module) = Btf::parse_split(fixtures::read(&path), &vmlinux).ok() else { continue };
            compare(&path, &module);
            compare(&format!("{path} twice"), &twice(&module));
            merge.add(&module).unwrap();
            on_base.add(&module).unwrap();
        }
        both(&format!("{release} merged"), &merge.finish().unwrap());
        both(&format!("{release} modules merged"), &on_base.finish().unwrap());
    }
}

#[test]
fn all_fixtures() {
    for fixture in fixtures::raw_btf() {
        let base = fixture.base.as_deref().map(|base| Btf::parse(fixtures::read(base)).unwrap());
        let btf = Btf::options().maybe_base(base.as_ref()).parse(fixtures::read(&fixture.name)).unwrap();
        if !btf.has_layout() && btf.layers().all(|layer| !layer.has_layout()) {
            compare(&fixture.name, &btf);
        }
    }
}

#[test]
fn objects_merged() {
    for compiler in ["clang-14", "clang-22"] {
        let mut merges: BTreeMap<String, Merge> = BTreeMap::new();
        let folder = format!("bpf/{compiler}");
        for name in fixtures::files(&folder) {
            let Some(bytes) = fixtures::section(&name, ".BTF") else { continue };
            let btf = Btf::parse(bytes).unwrap();
            let merge = merges.entry(format!("{compiler} {}", btf.byte_order())).or_default();
            merge.add(&btf).unwrap();
            compare(&name, &btf);
        }
        for (name, merge) in merges {
            let merged = merge.finish().unwrap();
            let small = compare(&name, &merged);
            println!("{name}: {} of {}", small.types().len(), merged.types().len());
        }
    }
}

fn build(define: impl FnOnce(&mut Builder) -> Result<(), Error>) -> Btf {
    let mut b = Builder::new();
    define(&mut b).unwrap();
    b.finish().unwrap()
}

fn split(base: &Btf, define: impl FnOnce(&mut Builder) -> Result<(), Error>) -> Btf {
    let mut b = Builder::on(base);
    define(&mut b).unwrap();
    b.finish().unwrap()
}

fn int(b: &mut Builder) -> Result<u32, Error> {
    b.int("int", 4, IntEncoding::SIGNED)
}

/// A struct of one member, which is a pointer.
fn holder(b: &mut Builder, name: &str, to: u32) -> Result<u32, Error> {
    let ptr = b.ptr(to)?;
    b.structure(name, 8).member("p", ptr, 0).finish()
}

/// A list: `struct NAME { struct NAME *next; int value; }`.
fn list(b: &mut Builder, name: &str, value: u32) -> Result<u32, Error> {
    let node = b.declare();
    let ptr = b.ptr(node)?;
    b.define(node).structure(name, 16).member("next", ptr, 0).member("value", value, 64).finish()
}

#[test]
fn rules_one_by_one() {
    type Case = (&'static str, fn(&mut Builder) -> Result<(), Error>);
    let cases: &[Case] = &[
        ("leaves", |b| {
            for _ in 0..2 {
                int(b)?;
                b.int("int", 8, IntEncoding::SIGNED)?;
                b.int("int", 4, IntEncoding::NONE)?;
                b.float("double", 8)?;
                b.enumeration("e", 4).value("A", 1).finish()?;
                b.enumeration("e", 4).value("A", 2).finish()?;
                b.enumeration64("e", 8).value("A", 1).finish()?;
                b.structure("empty", 0).finish()?;
            }
            Ok(())
        }),
        ("lists", |b| {
            for _ in 0..3 {
                let value = int(b)?;
                let node = list(b, "node", value)?;
                holder(b, "head", node)?;
            }
            let long = b.int("long", 8, IntEncoding::SIGNED)?;
            list(b, "node", long).map(drop)
        }),
        ("pointers, twice in one unit", |b| {
            for copies in [1, 2] {
                let int = int(b)?;
                let a = b.ptr(int)?;
                let c = if copies == 2 { b.ptr(int)? } else { a };
                b.structure("s", 16).member("a", a, 0).member("c", c, 64).finish()?;
            }
            Ok(())
        }),
        ("arrays, twice in one unit", |b| {
            for copies in [1, 2] {
                let int = int(b)?;
                let a = b.array(int, int, 3)?;
                let c = if copies == 2 { b.array(int, int, 3)? } else { a };
                b.structure("s", 24).member("a", a, 0).member("c", c, 96).finish()?;
            }
            Ok(())
        }),
        ("a declaration, then the struct", |b| {
            let s = b.fwd("s", FwdKind::Struct)?;
            holder(b, "x", s)?;
            let int = int(b)?;
            let s = b.structure("s", 4).member("a", int, 0).finish()?;
            holder(b, "x", s).map(drop)
        }),
        ("the struct, then a declaration", |b| {
            let int = int(b)?;
            let s = b.structure("s", 4).member("a", int, 0).finish()?;
            holder(b, "x", s)?;
            let s = b.fwd("s", FwdKind::Struct)?;
            holder(b, "x", s).map(drop)
        }),
        ("a declaration of one of two", |b| {
            let int = int(b)?;
            for name in ["a", "b"] {
                let s = b.structure("s", 4).member(name, int, 0).finish()?;
                holder(b, name, s)?;
            }
            let s = b.fwd("s", FwdKind::Struct)?;
            holder(b, "b", s).map(drop)
        }),
        ("declarations of what is defined once, twice, as the other flavor", |b| {
            for name in ["one", "two", "other"] {
                let fwd = b.fwd(name, FwdKind::Struct)?;
                b.ptr(fwd)?;
            }
            let int = int(b)?;
            b.structure("one", 4).member("a", int, 0).finish()?;
            b.structure("two", 4).member("a", int, 0).finish()?;
            b.structure("two", 4).member("b", int, 0).finish()?;
            b.union("other", 4).member("a", int, 0).finish().map(drop)
        }),
        ("declarations of enumerations", |b| {
            let before = b.enumeration("before", 4).finish()?;
            b.ptr(before)?;
            b.enumeration("nowhere", 4).finish()?;
            b.enumeration64("nowhere", 8).finish()?;
            b.enumeration64("before", 8).value("A", 1).finish()?;
            b.enumeration("after", 4).value("B", 1).finish()?;
            let after = b.enumeration("after", 2).finish()?;
            b.ptr(after).map(drop)
        }),
        ("tags", |b| {
            for tag in ["a", "b"] {
                let int = int(b)?;
                let s = b.structure("s", 4).member("m", int, 0).finish()?;
                b.decl_tag(tag, s, None)?;
                b.decl_tag("both", s, Some(0))?;
                for tag in [tag, "both"] {
                    let tagged = b.type_tag(tag, s)?;
                    b.ptr(tagged)?;
                }
            }
            Ok(())
        }),
        ("functions, variables, sections", |b| {
            for _ in 0..2 {
                let int = int(b)?;
                let proto = b.func_proto(int).param("a", int).finish()?;
                b.func("f", Linkage::Static, proto)?;
                b.func("f", Linkage::Global, proto)?;
                b.func_proto(int).param("b", int).finish()?;
                let var = b.var("v", int, Linkage::Global)?;
                b.datasec(".data", 4).var(var, 0, 4).finish()?;
            }
            Ok(())
        }),
        ("typedefs and qualifiers", |b| {
            for _ in 0..2 {
                let s = b.declare();
                let td = b.typedef("s_t", s)?;
                let constant = b.const_(td)?;
                let volatile = b.volatile(constant)?;
                let ptr = b.ptr(volatile)?;
                let restrict = b.restrict(ptr)?;
                b.define(s).structure("s", 8).member("self", restrict, 0).finish()?;
                b.typedef("v_t", 0)?;
            }
            Ok(())
        }),
    ];
    for (name, define) in cases {
        compare(name, &build(define));
    }
}

#[test]
fn split_btf() {
    let base = build(|b| {
        let value = int(b)?;
        let node = list(b, "node", value)?;
        b.structure("head", 8).member("p", node + 1, 0).finish()?;
        let s = b.fwd("s", FwdKind::Struct)?;
        holder(b, "x", s).map(drop)
    });
    let (base, _) = dedup(&base).unwrap();
    let module = split(&base, |b| {
        let value = int(b)?;
        let node = list(b, "node", value)?;
        holder(b, "own", node)?;
        let fwd = b.fwd("s", FwdKind::Struct)?;
        holder(b, "x", fwd)?;
        let s = b.structure("s", 4).member("a", value, 0).finish()?;
        for _ in 0..2 {
            holder(b, "x", s)?;
        }
        Ok(())
    });
    let (_, verdict) = both("split", &module);
    assert_eq!(verdict, Verdict::Same);
}

/// libbpf compares two types that one is taken for to a depth of 16, and a struct that
/// refers to itself is deeper than that. So it leaves both structs, and all that refers
/// to them, in each unit.
#[test]
fn copies_of_what_refers_to_itself() {
    let btf = build(|b| {
        let value = int(b)?;
        let node = list(b, "node", value)?;
        let ptr = b.ptr(node)?;
        b.structure("two", 16).member("a", ptr, 0).member("c", ptr, 64).finish()?;
        let (a, c) = (list(b, "node", value)?, list(b, "node", value)?);
        let (a, c) = (b.ptr(a)?, b.ptr(c)?);
        b.structure("two", 16).member("a", a, 0).member("c", c, 64).finish().map(drop)
    });
    let (ours, verdict) = both("copies", &btf);
    assert_eq!(verdict, Verdict::Fewer);
    assert_eq!(ours.types().len(), 4, "int, node, a pointer to it, two");
}

/// libbpf takes arrays of any element for the same when it compares two types that one is
/// taken for: the array of `char` is lost.
#[test]
fn arrays_of_other_elements() {
    let btf = build(|b| {
        let int = int(b)?;
        let char = b.int("char", 1, IntEncoding::NONE)?;
        for element in [int, char] {
            let (a, c) = (b.array(int, int, 3)?, b.array(element, int, 3)?);
            let c = if element == int { a } else { c };
            b.structure("s", 24).member("a", a, 0).member("c", c, 96).finish()?;
        }
        Ok(())
    });
    let structs = |btf: &Btf| btf.types().filter(|ty| ty.name() == "s").count();
    assert_eq!(structs(&libbpf(&btf).unwrap()), 1, "it is wrong no more");
    assert_eq!(structs(&dedup(&btf).unwrap().0), 2);
}

/// One declaration cannot be two structs; for libbpf it can.
#[test]
fn a_declaration_that_would_be_two_structs() {
    let btf = build(|b| {
        let int = int(b)?;
        let a = b.structure("s", 4).member("a", int, 0).finish()?;
        let c = b.structure("s", 4).member("c", int, 0).finish()?;
        let (a, c) = (b.ptr(a)?, b.ptr(c)?);
        b.structure("x", 16).member("a", a, 0).member("c", c, 64).finish()?;
        let s = b.fwd("s", FwdKind::Struct)?;
        let ptr = b.ptr(s)?;
        b.structure("x", 16).member("a", ptr, 0).member("c", ptr, 64).finish().map(drop)
    });
    let named = |btf: &Btf, name: &str| btf.types().filter(|ty| ty.name() == name).count();
    assert_eq!(named(&libbpf(&btf).unwrap(), "x"), 1, "it is wrong no more");
    let (ours, _) = dedup(&btf).unwrap();
    assert_eq!((named(&ours, "x"), named(&ours, "s")), (2, 3));
}

/// An enumeration without name and values is not any other without a name.
#[test]
fn an_enumeration_of_nothing() {
    let btf = build(|b| {
        b.enumeration("", 4).finish()?;
        b.enumeration("", 4).value("A", 1).finish().map(drop)
    });
    assert_eq!(libbpf(&btf).unwrap().types().len(), 1, "it is wrong no more");
    assert_eq!(dedup(&btf).unwrap().0.types().len(), 2);
}

/// libbpf gives up where references refer to themselves.
#[test]
fn cycles_of_references() {
    let btf = build(|b| {
        for _ in 0..2 {
            let (a, c) = (b.declare(), b.declare());
            b.define(a).ptr(c)?;
            b.define(c).const_(a)?;
        }
        Ok(())
    });
    assert!(libbpf(&btf).is_err());
    assert_eq!(dedup(&btf).unwrap().0.types().len(), 2);
}

/// Of the types of the base that have a declaration libbpf replaces none by the first
/// of the split BTF that has the struct, and does so by the next one.
#[test]
fn what_the_base_declares() {
    let base = build(|b| {
        let s = b.fwd("s", FwdKind::Struct)?;
        for name in ["x", "y"] {
            holder(b, name, s)?;
        }
        Ok(())
    });
    let module = split(&base, |b| {
        let int = int(b)?;
        let s = b.structure("s", 4).member("a", int, 0).finish()?;
        for name in ["x", "y"] {
            holder(b, name, s)?;
        }
        Ok(())
    });
    let has = |btf: &Btf, name: &str| btf.types().any(|ty| ty.name() == name);
    let theirs = libbpf(&module).unwrap();
    assert_eq!((has(&theirs, "x"), has(&theirs, "y")), (true, false));
    let (ours, _) = dedup(&module).unwrap();
    assert_eq!((has(&ours, "x"), has(&ours, "y")), (true, true));
}

/// A program of some structs in several files, of which each defines some of them and
/// declares the others.
struct Program<'a> {
    choices: &'a [u8],
    structs: u32,
}

/// A file of it, in the making.
struct Unit<'a> {
    program: &'a Program<'a>,
    b: Builder,
    /// Structs that it defines, a bit for each.
    defines: u64,
    known: BTreeMap<String, u32>,
}

impl Unit<'_> {
    fn choice(&self, number: u32) -> u32 {
        self.program.choices[number as usize % self.program.choices.len()].into()
    }

    /// A type that compilers emit once.
    fn once(&mut self, key: String, make: impl FnOnce(&mut Self) -> u32) -> u32 {
        match self.known.get(&key) {
            Some(&id) => id,
            None => {
                let id = make(self);
                self.known.insert(key, id);
                id
            }
        }
    }

    fn int(&mut self) -> u32 {
        self.once("int".into(), |unit| int(&mut unit.b).unwrap())
    }

    fn structure(&mut self, number: u32) -> u32 {
        let key = format!("struct {number}");
        if let Some(&id) = self.known.get(&key) {
            return id;
        }
        let name = format!("s{number}");
        if self.defines >> number & 1 == 0 {
            let id = self.b.fwd(&name, FwdKind::Struct).unwrap();
            self.known.insert(key, id);
            return id;
        }
        let id = self.b.declare();
        self.known.insert(key, id);
        let members: Vec<u32> = (0..1 + self.choice(number) % 4).map(|member| self.member(number, member)).collect();
        let mut new = self.b.define(id).structure(&name, 64);
        for (place, (name, ty)) in ["a", "b", "c", "d"].into_iter().zip(members).enumerate() {
            new = new.member(name, ty, 64 * place as u32);
        }
        new.finish().unwrap()
    }

    fn member(&mut self, number: u32, member: u32) -> u32 {
        let choice = self.choice(number * 7 + member * 3 + 1);
        let other = self.choice(number * 5 + member + 2) % self.program.structs;
        match choice % 7 {
            0 => self.int(),
            1 | 2 => {
                let to = self.structure(other);
                self.once(format!("ptr {to}"), |unit| unit.b.ptr(to).unwrap())
            }
            3 => {
                let to = self.structure(other);
                let to = self.once(format!("const {to}"), |unit| unit.b.const_(to).unwrap());
                self.once(format!("ptr {to}"), |unit| unit.b.ptr(to).unwrap())
            }
            4 => {
                let to = self.structure(other);
                let to = self.once(format!("ptr {to}"), |unit| unit.b.ptr(to).unwrap());
                let int = self.int();
                // Arrays are emitted anew where they are used.
                self.b.array(to, int, choice / 7 % 3).unwrap()
            }
            5 => {
                let (returned, to) = (self.int(), self.structure(other));
                let to = self.once(format!("ptr {to}"), |unit| unit.b.ptr(to).unwrap());
                let proto = self.b.func_proto(returned).param("", to).finish().unwrap();
                self.b.ptr(proto).unwrap()
            }
            _ => {
                let to = self.structure(other);
                let to = self.once(format!("ptr {to}"), |unit| unit.b.ptr(to).unwrap());
                self.once(format!("typedef {other}"), |unit| unit.b.typedef(format!("t{other}"), to).unwrap())
            }
        }
    }
}

/// 400 cases, or more by `PROPTEST_CASES`.
fn cases() -> ProptestConfig {
    let default = ProptestConfig::default();
    ProptestConfig { failure_persistence: None, cases: default.cases.max(400), ..default }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn programs_of_several_units(
        choices in proptest::collection::vec(any::<u8>(), 20..80),
        structs in 1..12u32,
        defines in proptest::collection::vec(any::<u64>(), 1..6),
    ) {
        let program = Program { choices: &choices, structs };
        let mut all = Builder::new();
        for defines in defines {
            let mut unit = Unit { program: &program, b: Builder::new(), defines, known: BTreeMap::new() };
            for number in (0..structs).filter(|number| defines >> (number + 16) & 1 == 0) {
                unit.structure(number);
            }
            all.append(&unit.b.finish().unwrap()).unwrap();
        }
        let (_, verdict) = both("program", &all.finish().unwrap());
        prop_assert_eq!(verdict, Verdict::Same);
    }
}

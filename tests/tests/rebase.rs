//! Split BTF from a distilled base onto a kernel's: against libbpf's result,
//! to the byte, and every way in which it can fail.

#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "tests")]

use btf_tests::{blob::Blob, fixtures, walk};
use btf_types::{Btf, Error, Kind, Type};

fn read(name: &str) -> Btf {
    Btf::parse(fixtures::read(name)).unwrap()
}

/// The split BTF of a name in `split/`, on its distilled base.
fn distilled(name: &str) -> Btf {
    let base = read(&format!("split/{name}.btf.base"));
    Btf::parse_split(fixtures::read(&format!("split/{name}.btf")), &base).unwrap()
}

#[test]
fn the_result_is_libbpfs_to_the_byte() {
    let mut compared = 0;
    for file in fixtures::files("split").iter().filter(|name| name.contains("__on__")) {
        let (module, kernel) = file.strip_prefix("split/").unwrap().split_once("__on__").unwrap();
        let (_, release) = kernel.strip_suffix(".btf").unwrap().split_once('_').unwrap();
        let base = read(&format!("kernels/{release}/vmlinux.btf"));
        let split = distilled(module);
        let before = split.as_bytes().to_vec();
        let rebased = split.rebase(&base).unwrap_or_else(|error| panic!("{file}: {error}"));
        let expected = fixtures::read(file);
        assert_eq!(rebased.to_bytes(rebased.byte_order()).unwrap(), expected, "{file}");
        assert_eq!(split.as_bytes(), before, "{file}: untouched");
        assert!(rebased.base().unwrap().is_same(&base));
        assert_eq!(rebased.types().len(), split.types().len());
        let names = |btf: &Btf| btf.types().map(|ty| ty.name().to_string()).collect::<Vec<_>>();
        assert_eq!(names(&rebased), names(&split), "{file}");
        assert_ne!(walk::everything(&rebased), 0);
        compared += 1;
    }
    assert!(compared >= 3, "{compared}");
}

/// A module of one kernel on another one, which no golden file has: what a
/// type refers to has the same name before and after.
#[test]
fn a_module_can_be_rebased_onto_another_kernel() {
    let split = distilled("amd64_6.12.117+deb12-cloud-amd64.veth");
    let base = read(&format!("kernels/{}/vmlinux.btf", fixtures::SORTED));
    match split.rebase(&base) {
        Ok(rebased) => {
            for (old, new) in split.types().zip(rebased.types()) {
                let names =
                    |ty: btf_types::Type<'_>| ty.references().map(|ty| ty.name().to_string()).collect::<Vec<_>>();
                assert_eq!(names(old), names(new), "{old:?}");
            }
        }
        // It may be that a type has changed; then the error names it.
        Err(error) => {
            assert!(matches!(error, Error::NoCounterpart { .. } | Error::SeveralCounterparts { .. }), "{error}");
        }
    }
}

/// A base with types of the same name, each given as kind, `kind_flag`, size
/// or type, and the words after that.
fn base_of(types: &[(u8, bool, u32, &[u32])]) -> Btf {
    let mut blob = Blob::new();
    let name = blob.string("thing");
    for &(kind, flag, third, rest) in types {
        blob.record(name, kind, 0, flag, third, rest);
    }
    Btf::parse(blob.build()).unwrap()
}

const INT: &[u32] = &[32];
const SIGNED: &[u32] = &[1 << 24 | 32];

/// Returns the id to which a pointer to the only type of a distilled base, or a
/// struct with it as a member, refers after rebasing.
fn counterpart(old: (u8, bool, u32, &[u32]), embedded: bool, new: &[(u8, bool, u32, &[u32])]) -> Result<u32, Error> {
    let distilled = base_of(&[old]);
    let mut blob = Blob::split();
    if embedded {
        let name = blob.string("s") + distilled.string_len();
        blob.record(name, 4, 1, false, 64, &[1, 1, 0]);
    } else {
        blob.ptr(1);
    }
    let split = Btf::parse_split(blob.build(), &distilled).unwrap();
    let base = base_of(new);
    let rebased = split.rebase(&base)?;
    assert_eq!(rebased.types().next().unwrap().id(), base.type_count());
    Ok(rebased.types().next().unwrap().references().next().unwrap().id())
}

const STRUCT: u8 = 4;
const UNION: u8 = 5;
const ENUM: u8 = 6;
const FWD: u8 = 7;
const TYPEDEF: u8 = 8;
const FLOAT: u8 = 16;
const ENUM64: u8 = 19;

#[test]
fn what_is_a_counterpart() {
    let s = |size| (STRUCT, false, size, &[] as &[u32]);
    let none = |kind, result| {
        assert!(matches!(result, Err(Error::NoCounterpart { kind: Some(found), .. }) if found == kind), "{result:?}");
    };
    let several = |result| match result {
        Err(Error::SeveralCounterparts { ids, name, .. }) => {
            assert_eq!(name.to_string(), "thing");
            ids
        }
        other => panic!("{other:?}"),
    };
    // Integers: size and encoding.
    assert_eq!(
        counterpart((1, false, 4, INT), false, &[(1, false, 8, INT), (1, false, 4, SIGNED), (1, false, 4, INT)]),
        Ok(3)
    );
    none(Kind::Int, counterpart((1, false, 4, INT), false, &[(1, false, 4, SIGNED)]));
    assert_eq!(several(counterpart((1, false, 4, INT), false, &[(1, false, 4, INT), (1, false, 4, INT)])), [1, 2]);
    // Floats and enums: size.
    assert_eq!(counterpart((FLOAT, false, 8, &[]), false, &[(FLOAT, false, 4, &[]), (FLOAT, false, 8, &[])]), Ok(2));
    assert_eq!(counterpart((ENUM, false, 8, &[]), false, &[(ENUM, false, 4, &[]), (ENUM64, false, 8, &[])]), Ok(2));
    none(Kind::Enum, counterpart((ENUM, false, 4, &[]), false, &[(1, false, 4, INT)]));
    // Structs: the size only if it matters.
    assert_eq!(counterpart(s(8), false, &[s(16)]), Ok(1), "behind a pointer");
    none(Kind::Struct, counterpart(s(8), true, &[s(16)]));
    assert_eq!(counterpart(s(8), true, &[s(8)]), Ok(1));
    assert_eq!(counterpart(s(8), false, &[s(16), s(8)]), Ok(2), "of two, that of the same size");
    none(Kind::Struct, counterpart(s(8), false, &[s(16), s(24)]));
    assert_eq!(several(counterpart(s(8), false, &[s(8), s(8)])), [1, 2]);
    assert_eq!(counterpart(s(8), false, &[(TYPEDEF, false, 0, &[]), s(8)]), Ok(2));
    // libbpf maps these to whatever has the name.
    for kind in [UNION, ENUM] {
        none(Kind::Struct, counterpart(s(8), false, &[(kind, false, 8, &[])]));
    }
    none(Kind::Struct, counterpart(s(8), false, &[(FWD, false, 0, &[])]));
    // Forward declarations: by their own flag. libbpf takes the other one's.
    let fwd = |is_union| (FWD, is_union, 0, &[] as &[u32]);
    assert_eq!(counterpart(fwd(false), false, &[fwd(true), fwd(false)]), Ok(2));
    assert_eq!(counterpart(fwd(false), false, &[s(8)]), Ok(1));
    assert_eq!(counterpart(fwd(false), false, &[(STRUCT, true, 8, &[])]), Ok(1), "a struct with bitfields");
    assert_eq!(counterpart(fwd(true), false, &[(UNION, false, 8, &[])]), Ok(1));
    none(Kind::Fwd, counterpart(fwd(true), false, &[s(8)]));
    none(Kind::Fwd, counterpart(fwd(false), false, &[(UNION, false, 8, &[])]));
    assert_eq!(several(counterpart(fwd(false), false, &[s(8), fwd(false)])), [1, 2]);
}

#[test]
fn embedded_means_by_value_through_anything_but_a_pointer() {
    let distilled = base_of(&[(STRUCT, false, 8, &[])]);
    let base = base_of(&[(STRUCT, false, 16, &[])]);
    let n = distilled.string_len();
    // typedef const thing t[2]; as a member; and a pointer to it as one.
    let mut blob = Blob::split();
    let name = n + blob.string("t");
    blob.record(0, 10, 0, false, 1, &[]).record(0, 3, 0, false, 0, &[2, 1, 2]).record(name, 8, 0, false, 3, &[]).ptr(4);
    let with_member = |ty: u32| {
        let blob = blob.clone().record(name, 5, 1, false, 64, &[name, ty, 0]).build();
        Btf::parse_split(blob, &distilled).unwrap().rebase(&base)
    };
    assert!(matches!(with_member(4), Err(Error::NoCounterpart { .. })));
    assert!(with_member(5).is_ok());
}

#[test]
fn what_cannot_be_rebased_says_why() {
    let kernel = read(&format!("kernels/{}/vmlinux.btf", fixtures::UNSORTED));
    assert_eq!(kernel.rebase(&kernel).unwrap_err(), Error::NotSplit);
    let veth = Btf::parse_split(fixtures::read(&format!("kernels/{}/veth.btf", fixtures::UNSORTED)), &kernel).unwrap();
    let error = veth.rebase(&kernel).unwrap_err();
    assert!(matches!(error, Error::NotDistilled { .. }), "{error}");
    let big = read(&format!("kernels/{}/vmlinux.btf", fixtures::BIG_ENDIAN));
    let split = distilled("amd64_6.1.0-56-cloud-amd64.veth.hdr32");
    assert!(matches!(split.rebase(&big), Err(Error::ByteOrderOfBase { .. })));
    let empty = Btf::parse(Blob::new().build()).unwrap();
    match split.rebase(&empty) {
        Err(Error::NoCounterpart { name, .. }) => assert!(!name.as_name().is_empty()),
        other => panic!("{other:?}"),
    }
    // A string of the distilled base that is no type's name.
    let mut base = Blob::new();
    let thing = base.string("thing");
    let other = base.string("other");
    let distilled = Btf::parse(base.record(thing, STRUCT, 0, false, 0, &[]).build()).unwrap();
    let split =
        |name| Btf::parse_split(Blob::split().record(name, TYPEDEF, 0, false, 1, &[]).build(), &distilled).unwrap();
    assert!(split(thing).rebase(&distilled).is_ok());
    let error = split(other).rebase(&distilled).unwrap_err();
    assert!(matches!(error, Error::NoCounterpartString { offset, .. } if offset == other), "{error}");
    // An unknown kind, of whose words nobody knows which are ids.
    let blob = Blob::split().layout((0..31).map(|_| (4, 0))).record(0, 30, 0, false, 0, &[0]).build();
    let split = Btf::parse_split(blob, &distilled).unwrap();
    assert!(matches!(split.rebase(&distilled), Err(Error::Format(btf_format::Error::OpaqueKind { kind: 30, .. }))));
    // Of locations they are known.
    let mut base = Blob::new();
    let there = base.int().string("thing");
    let larger = Btf::parse(base.record(there, STRUCT, 0, false, 0, &[]).build()).unwrap();
    let mut blob = Blob::split();
    blob.record(0, 20, 1, false, 4, &[8, 1]).record(0, 21, 1, false, 0, &[2]).record(
        thing,
        22,
        1,
        false,
        0,
        &[1, 3, 64],
    );
    let split = Btf::parse_split(blob.build(), &distilled).unwrap();
    let mut expected = Blob::split();
    expected.record(0, 20, 1, false, 4, &[8, 1]).record(0, 21, 1, false, 0, &[3]).record(
        there,
        22,
        1,
        false,
        0,
        &[2, 4, 64],
    );
    assert_eq!(split.rebase(&larger).unwrap().as_bytes(), expected.build());
}

/// Other references to split BTF by number follow it.
#[test]
fn the_map_of_a_rebase_is_where_its_types_and_strings_are() {
    let mut base = Blob::new();
    let thing = base.string("thing");
    let distilled = Btf::parse(base.record(thing, STRUCT, 0, false, 0, &[]).build()).unwrap();
    let mut blob = Blob::split();
    let own = blob.string("own") + distilled_strings(&distilled);
    blob.record(own, TYPEDEF, 0, false, 1, &[]);
    let split = Btf::parse_split(blob.build(), &distilled).unwrap();
    let mut base = Blob::new();
    let there = base.int().string("thing");
    let base = Btf::parse(base.record(there, STRUCT, 0, false, 0, &[]).build()).unwrap();
    let (rebased, remap) = split.rebase_with_remap(&base).unwrap();
    assert_eq!([0, 1, 2, 3].map(|id| remap.id(id)), [Some(0), Some(2), Some(3), None]);
    assert_eq!([0, thing].map(|at| remap.string(at)), [Some(0), Some(there)]);
    let new = remap.string(own).unwrap();
    assert_eq!(remap.string(own + 1), Some(new + 1), "a string that begins in the middle of another");
    assert_eq!(remap.string(own + 4), None);
    assert_eq!(rebased.type_by_id(remap.id(2).unwrap()).unwrap().name(), "own");
}

fn distilled_strings(btf: &Btf) -> u32 {
    btf_format::RawBtf::parse(btf.as_bytes()).unwrap().strings().as_bytes().len() as u32
}

/// Thousands of types share one name, or have names that overlap: each name is
/// looked up once, and all together within a budget.
#[test]
fn names_of_a_distilled_base_are_looked_up_once() {
    const TYPES: u32 = 20_000;
    let long = vec![b'a'; 1 << 20];
    let build = |step: u32| {
        let mut blob = Blob::new();
        let name = blob.string(&long);
        for number in 0..TYPES {
            blob.record(name + number * step, STRUCT, 0, false, 0, &[]);
        }
        Btf::parse(blob.build()).unwrap()
    };
    let mut blob = Blob::new();
    let name = blob.string(&long);
    let base = Btf::parse(blob.record(name, STRUCT, 0, false, 0, &[]).build()).unwrap();
    let split = Blob::split().record(0, 2, 0, false, TYPES, &[]).build();
    let shared = Btf::parse_split(split.clone(), &build(0)).unwrap().rebase(&base).unwrap();
    assert_eq!(shared.type_by_id(2).unwrap().references().next().map(Type::id), Some(1));
    let overlapping = Btf::parse_split(split, &build(1)).unwrap();
    // The first has its counterpart, the second not.
    assert!(matches!(overlapping.rebase(&base), Err(Error::NoCounterpart { .. })));
    assert!(matches!(overlapping.rebase(&build(1)), Err(Error::TooComplex { .. })));
}

/// The size of a pointer that was given, not found in the types, stays.
#[test]
fn the_size_of_pointers_stays() {
    let distilled = Btf::parse(Blob::new().build()).unwrap();
    let blob = Blob::split().record(0, 2, 0, false, 0, &[]).build();
    for size in [4, 8] {
        let split = Btf::options().base(&distilled).pointer_size(size).parse(blob.clone()).unwrap();
        assert_eq!(split.rebase(&distilled).unwrap().known_pointer_size(), Some(size));
    }
    let split = Btf::parse_split(blob, &distilled).unwrap();
    assert_eq!(split.rebase(&distilled).unwrap().known_pointer_size(), None);
}

//! Rust types of BTF that no compiler makes: names of other languages, and types that
//! never end.

#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "tests")]

use btf_build::{Builder, IntEncoding};
use btf_codegen::{Error, rust::Types};
use btf_tests::blob::Blob;
use btf_types::{Btf, Linkage};

const ARRAY: u8 = 3;
const STRUCT: u8 = 4;
const TYPEDEF: u8 = 8;
const FUNC_PROTO: u8 = 13;

fn error(btf: &Btf) -> Error {
    Types::new().generate(btf).unwrap_err()
}

#[test]
fn what_contains_itself_is_told_by_its_name() {
    let mut b = Builder::new();
    let (a, c) = (b.declare(), b.declare());
    b.define(a).structure("alpha", 8).member("c", c, 0).finish().unwrap();
    b.define(c).structure("gamma", 8).member("a", a, 0).finish().unwrap();
    let Error::Cycle { ty, .. } = error(&b.finish().unwrap()) else { panic!("no cycle") };
    assert!(ty.name() == "alpha" || ty.name() == "gamma");

    // A typedef of a pointer to itself, which rustc would refuse.
    let mut b = Builder::new();
    let name = b.declare();
    let ptr = b.ptr(name).unwrap();
    b.define(name).typedef("endless_t", ptr).unwrap();
    assert!(matches!(error(&b.finish().unwrap()), Error::Cycle { .. }));
}

#[test]
fn what_grows_without_end_is_an_error() {
    // Prototypes that have each other as parameters, twice each, named by a typedef.
    let mut blob = Blob::new();
    for id in 1..40 {
        blob.record(0, FUNC_PROTO, 2, false, 0, &[0, id + 1, 0, id + 1]);
    }
    blob.int();
    let name = blob.string("many_t");
    blob.record(name, TYPEDEF, 0, false, 1, &[]);
    let Error::TooComplex { ty, .. } = error(&Btf::parse(blob.build()).unwrap()) else { panic!("not too complex") };
    assert_eq!(ty.name(), "many_t");

    // Structs in one another, deeper than compilers go.
    let mut blob = Blob::new();
    let (name, top) = (blob.string("member"), blob.string("top"));
    for id in 1..200 {
        blob.record(if id == 1 { top } else { 0 }, STRUCT, 1, false, 4, &[name, id + 1, 0]);
    }
    blob.int();
    assert!(matches!(error(&Btf::parse(blob.build()).unwrap()), Error::TooDeep { .. }));

    // A chain of arrays, on a small stack.
    let mut blob = Blob::new();
    let name = blob.string("array");
    for id in 1..10_000 {
        blob.record(0, ARRAY, 0, false, 0, &[id + 1, id + 1, 1]);
    }
    blob.int();
    blob.record(name, TYPEDEF, 0, false, 1, &[]);
    let btf = Btf::parse(blob.build()).unwrap();
    std::thread::scope(|scope| {
        let small = std::thread::Builder::new().stack_size(1 << 19);
        let run = || assert!(matches!(error(&btf), Error::TooDeep { .. }));
        small.spawn_scoped(scope, run).unwrap().join().unwrap();
    });
}

#[test]
fn many_types_of_one_name_take_no_longer_than_others() {
    let mut blob = Blob::new();
    blob.int();
    let (name, member) = (blob.string("same"), blob.string("m"));
    for _ in 0..20_000 {
        blob.record(name, STRUCT, 1, false, 4, &[member, 1, 0]);
    }
    let text = Types::new().generate(&Btf::parse(blob.build()).unwrap()).unwrap();
    assert_eq!(text.matches("    pub struct same").count(), 20_000);
}

#[test]
fn names_are_identifiers_each_for_one_thing() {
    let mut b = Builder::new();
    let int = b.int("int", 4, IntEncoding::SIGNED).unwrap();
    for name in ["type", "Self", "u8", "Option", "Ptr", "&str", "[u8; 4]", "core::fmt::Arguments", "value"] {
        b.structure(name, 4).member("self", int, 0).finish().unwrap();
    }
    b.structure("fields", 16)
        .member("match", int, 0)
        .member("crate", int, 32)
        .member("crate_", int, 64)
        .member("a.b", int, 96)
        .finish()
        .unwrap();
    b.enumeration("words", 4).value("fn", 1).value("Self", 2).value("A", 3).value("A", 4).finish().unwrap();
    let text = Types::new().generate(&b.finish().unwrap()).unwrap();
    for expected in [
        "pub struct r#type {",
        "pub struct Self_ {",
        "pub struct u8_ {",
        "pub struct Option_ {",
        "pub struct Ptr_ {",
        "pub struct _str_",
        "pub struct core__fmt__Arguments_",
        "pub self_: i32,",
        "pub r#match: i32,",
        "pub crate_: i32,",
        "pub crate__2: i32,",
        "pub a_b_",
        "pub const r#fn: Self",
        "pub const Self_: Self",
        "pub const A_2: Self",
    ] {
        assert!(text.contains(expected), "{expected}");
    }
}

#[test]
fn names_do_not_depend_on_ids() {
    let build = |order: [usize; 3]| {
        let mut b = Builder::new();
        let int = b.int("int", 4, IntEncoding::SIGNED).unwrap();
        for index in order {
            let members = ["a", "b", "c"];
            b.structure("same", 4 + index as u32 * 4).member(members[index], int, 0).finish().unwrap();
        }
        Types::new().generate(&b.finish().unwrap()).unwrap()
    };
    assert_eq!(build([0, 1, 2]), build([2, 0, 1]));
}

#[test]
fn overlapping_variables_are_refused() {
    let mut b = Builder::new();
    let int = b.int("int", 4, IntEncoding::SIGNED).unwrap();
    let (one, other) = (b.var("one", int, Linkage::Global).unwrap(), b.var("other", int, Linkage::Global).unwrap());
    b.datasec(".data", 8).var(one, 0, 4).var(other, 2, 4).finish().unwrap();
    let error = Types::new().globals(true).generate(&b.finish().unwrap()).unwrap_err();
    assert!(matches!(error, Error::Misplaced { .. }), "{error}");
    assert!(error.to_string().contains("other") && error.to_string().contains(".data"), "{error}");
}

//! C headers of BTF that no C compiler makes: names of other languages, layouts that
//! C has not, and types that never end.

#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "tests")]

use std::time::{Duration, Instant};

use btf_build::{Builder, IntEncoding};
use btf_codegen::{Error, c::Header};
use btf_tests::blob::Blob;
use btf_types::{Btf, FwdKind, Linkage};

const ARRAY: u8 = 3;
const STRUCT: u8 = 4;
const FUNC_PROTO: u8 = 13;

fn write(btf: &Btf) -> String {
    let mut text = String::new();
    Header::new().write(btf, &mut text).unwrap();
    text
}

/// The error of both ways to write a header.
fn errors(btf: &Btf) -> [Error; 2] {
    [false, true].map(|unsorted| {
        let start = Instant::now();
        let error = Header::new().unsorted(unsorted).write(btf, &mut String::new()).unwrap_err();
        assert!(start.elapsed() < Duration::from_secs(20), "{error}");
        error
    })
}

/// A header, behind what all have, and without what is at the end of all.
fn body(header: &str) -> &str {
    let start = header.find("#define __bpf_fastcall\n#endif\n#endif\n\n").unwrap();
    let start = start + header[start..].find("\n\n").unwrap() + 2;
    &header[start..header.find("\n/* BPF kfuncs */").unwrap()]
}

#[test]
fn what_contains_itself_is_told_by_its_name() {
    let mut b = Builder::new();
    let (a, c) = (b.declare(), b.declare());
    b.define(a).structure("alpha", 8).member("c", c, 0).finish().unwrap();
    b.define(c).structure("gamma", 8).member("a", a, 0).finish().unwrap();
    for error in errors(&b.finish().unwrap()) {
        let Error::Cycle { ty, .. } = &error else { panic!("{error}") };
        assert!(ty.name() == "alpha" || ty.name() == "gamma");
        assert!(error.to_string().contains("alpha") || error.to_string().contains("gamma"), "{error}");
    }

    // Through a pointer, but without a name to declare it by.
    let mut b = Builder::new();
    let anonymous = b.declare();
    let ptr = b.ptr(anonymous).unwrap();
    b.define(anonymous).structure("", 8).member("next", ptr, 0).finish().unwrap();
    b.structure("outer", 8).member("ptr", ptr, 0).finish().unwrap();
    for error in errors(&b.finish().unwrap()) {
        assert!(matches!(&error, Error::Cycle { .. }), "{error}");
    }

    let mut b = Builder::new();
    let (one, two) = (b.declare(), b.declare());
    b.define(one).typedef("one_t", two).unwrap();
    b.define(two).typedef("two_t", one).unwrap();
    for error in errors(&b.finish().unwrap()) {
        let Error::TooDeep { ty, .. } = &error else { panic!("{error}") };
        assert!(ty.name() == "one_t" || ty.name() == "two_t");
    }
}

#[test]
fn what_grows_without_end_is_an_error() {
    // Each struct has two members of the next: 2 to the power of 40 in all.
    let mut blob = Blob::new();
    let name = blob.string("member");
    for id in 1..40 {
        blob.record(0, STRUCT, 2, false, 0, &[name, id + 1, 0, name, id + 1, 0]);
    }
    blob.int();
    let top = blob.string("top");
    blob.record(top, STRUCT, 1, false, 0, &[name, 1, 0]);
    for error in errors(&Btf::parse(blob.build()).unwrap()) {
        assert!(matches!(error, Error::TooComplex { .. }), "{error}");
    }

    // Anonymous structs in one another, deeper than compilers go.
    let mut blob = Blob::new();
    let (name, top) = (blob.string("member"), blob.string("top"));
    for id in 1..200 {
        blob.record(if id == 1 { top } else { 0 }, STRUCT, 1, false, 4, &[name, id + 1, 0]);
    }
    blob.int();
    for error in errors(&Btf::parse(blob.build()).unwrap()) {
        assert!(matches!(error, Error::TooDeep { .. }), "{error}");
    }

    // Padding of 4 GiB.
    let mut b = Builder::new();
    b.structure("vast", u32::MAX).finish().unwrap();
    for error in errors(&b.finish().unwrap()) {
        let Error::TooComplex { ty, .. } = &error else { panic!("{error}") };
        assert_eq!(ty.name(), "vast");
    }

    // A prototype with many parameters, for many members.
    let mut blob = Blob::new();
    let name = blob.string("member");
    blob.int();
    let params: Vec<u32> = (0..20_000).flat_map(|_| [0, 1]).collect();
    blob.record(0, FUNC_PROTO, 20_000, false, 0, &params);
    blob.ptr(2);
    let members: Vec<u32> = (0..20_000).flat_map(|index| [name, 3, index * 64]).collect();
    let top = blob.string("top");
    blob.record(top, STRUCT, 20_000, false, 160_000, &members);
    for error in errors(&Btf::parse(blob.build()).unwrap()) {
        assert!(matches!(error, Error::TooComplex { .. }), "{error}");
    }

    // Prototypes that have each other as parameters, twice each.
    let mut blob = Blob::new();
    for id in 1..60 {
        blob.record(0, FUNC_PROTO, 2, false, 0, &[0, id + 1, 0, id + 1]);
    }
    blob.int();
    for error in errors(&Btf::parse(blob.build()).unwrap()) {
        assert!(matches!(error, Error::TooComplex { .. } | Error::TooDeep { .. }), "{error}");
    }
}

#[test]
fn long_chains_are_errors_and_not_deep_stacks() {
    let mut blob = Blob::new();
    let name = blob.string("array");
    for id in 1..10_000 {
        blob.record(0, ARRAY, 0, false, 0, &[id + 1, id + 1, 1]);
    }
    blob.int();
    blob.record(name, 8, 0, false, 1, &[]);
    let btf = Btf::parse(blob.build()).unwrap();
    std::thread::scope(|scope| {
        let small = std::thread::Builder::new().stack_size(1 << 20);
        let run = || errors(&btf).map(|error| assert!(matches!(error, Error::TooDeep { .. }), "{error}"));
        small.spawn_scoped(scope, run).unwrap().join().unwrap();
    });
}

#[test]
fn names_of_other_languages_become_identifiers() {
    let mut b = Builder::new();
    let u32_ = b.int("u32", 4, IntEncoding::NONE).unwrap();
    let unit = b.structure("()", 0).finish().unwrap();
    let class = b
        .structure("core::option::Option<&str>", 16)
        .member("int", u32_, 0)
        .member("__0", u32_, 32)
        .member("a-b", u32_, 64)
        .member("a_b", u32_, 96)
        .finish()
        .unwrap();
    b.structure("core::option::Option<*str>", 4).member("unit", unit, 0).member("x*/", u32_, 0).finish().unwrap();
    let fast = b.ptr(class).unwrap();
    b.typedef("class::pointer", fast).unwrap();
    b.enumeration("Kind", 4).value("Kind::A", 0).value("default", 1).value("Kind::A", 2).finish().unwrap();
    b.typedef("while", u32_).unwrap();
    let proto = b.func_proto(0).param("void", u32_).finish().unwrap();
    let func = b.func("core::fmt::write", Linkage::Global, proto).unwrap();
    b.decl_tag("bpf_kfunc", func, None).unwrap();
    let btf = b.finish().unwrap();
    let header = write(&btf);
    for expected in [
        "/* () */\nstruct __ {};\n",
        "/* core::option::Option<&str> */\nstruct core__option__Option__str_ {\n\tunsigned int int_; /* int */\n\
         \tunsigned int __0;\n\tunsigned int a_b; /* a-b */\n\tunsigned int a_b___2;\n};\n",
        "/* core::option::Option<*str> */\nstruct core__option__Option__str____2 {\n",
        "\tunsigned int x__; /* x* / */\n",
        "/* class::pointer */\ntypedef struct core__option__Option__str_ *class__pointer;\n",
        "\tKind__A = 0,\n\tdefault_ = 1,\n\tKind__A___2 = 2,\n",
        "/* while */\ntypedef unsigned int while_;\n",
        "/* core::fmt::write is left out: that is no identifier of C */\n",
    ] {
        assert!(header.contains(expected), "{expected}\n{header}");
    }
    // As bpftool has it, names are what they are.
    let mut text = String::new();
    Header::new().unsorted(true).write(&btf, &mut text).unwrap();
    assert!(text.contains("struct core::option::Option<&str> {\n\tu32 int;\n"), "{text}");
}

#[test]
fn members_are_where_they_are_or_left_out() {
    let mut b = Builder::new();
    let int = b.int("int", 4, IntEncoding::SIGNED).unwrap();
    let bool_ = b.int("_Bool", 1, IntEncoding::BOOL).unwrap();
    let fwd = b.fwd("incomplete", FwdKind::Struct).unwrap();
    // As Rust orders fields.
    b.structure("unordered", 12).member("c", int, 64).member("a", int, 0).member("b", int, 32).finish().unwrap();
    b.structure("overlapping", 8).member("a", int, 0).member("b", int, 16).member("c", int, 32).finish().unwrap();
    b.structure("beyond", 4).member("a", int, 0).member("b", int, 32).finish().unwrap();
    b.structure("by_value", 8).member("a", int, 0).member("b", fwd, 32).finish().unwrap();
    b.structure("flags", 4).bitfield("wide", bool_, 0, 3).bitfield("b", int, 3, 5).finish().unwrap();
    b.union("raised", 16).member("a", int, 0).finish().unwrap();
    b.union("odd", 7).member("a", int, 0).finish().unwrap();
    b.structure("packed_bits", 5).member("a", int, 0).bitfield("b", int, 32, 7).finish().unwrap();
    let header = write(&b.finish().unwrap());
    for expected in [
        "struct unordered {\n\tint a;\n\tint b;\n\tint c;\n};\n",
        "struct overlapping {\n\tint a;\n\t/* b is left out: it overlaps another member */\n\tint c;\n};\n",
        "struct beyond {\n\tint a;\n\t/* b is left out: it is beyond the end */\n};\n",
        "struct by_value {\n\tint a;\n\t/* b is left out: C cannot declare it */\n\tint: 32;\n};\n",
        "struct flags {\n\t/* wide is left out: C has no such bitfield */\n\tchar: 3;\n\tint b: 5;\n",
        "union raised {\n\tint a;\n} __attribute__((aligned(16)));\n",
        "union odd {\n\tint a;\n\tstruct {\n\t\tint: 32;\n\t\tshort: 16;\n\t\tchar: 8;\n\t} __attribute__((packed));\n} __attribute__((packed));\n",
        "struct packed_bits {\n\tint a;\n\tint b: 7;\n} __attribute__((packed));\n",
    ] {
        assert!(header.contains(expected), "{expected}\n{header}");
    }
}

#[test]
fn names_are_used_once() {
    let mut b = Builder::new();
    let int = b.int("int", 4, IntEncoding::SIGNED).unwrap();
    let fwd = b.fwd("both", FwdKind::Struct).unwrap();
    let ptr = b.ptr(fwd).unwrap();
    b.structure("user", 8).member("both", ptr, 0).finish().unwrap();
    b.union("both", 4).member("a", int, 0).finish().unwrap();
    b.structure("twice", 4).member("a", int, 0).finish().unwrap();
    b.structure("twice", 8).member("a", int, 0).member("b", int, 32).finish().unwrap();
    b.structure("twice___2", 4).member("c", int, 0).finish().unwrap();
    let header = write(&b.finish().unwrap());
    assert_eq!(header.matches("struct twice {").count(), 1);
    assert_eq!(header.matches("struct twice___2 {").count(), 1);
    assert_eq!(header.matches("struct twice___3 {").count() + header.matches("struct twice___2___2 {").count(), 1);
    assert!(header.contains("union both {") != header.contains("union both___2 {"), "{header}");
    assert!(header.contains("struct both___2") || header.contains("union both___2 {"), "{header}");
}

#[test]
fn tags_cannot_break_out_of_their_attribute() {
    let mut b = Builder::new();
    let int = b.int("int", 4, IntEncoding::SIGNED).unwrap();
    let mut members = Vec::new();
    for (index, text) in ["user", "x\"))) int evil; //", "a)b"].into_iter().enumerate() {
        for is_attribute in [false, true] {
            let tag = if is_attribute { b.type_attribute(text, int) } else { b.type_tag(text, int) }.unwrap();
            members.push((format!("m{index}{}", u8::from(is_attribute)), b.ptr(tag).unwrap()));
        }
    }
    let mut tagged = b.structure("tagged", 48);
    for (index, (name, ty)) in members.iter().enumerate() {
        tagged = tagged.member(name, *ty, index as u32 * 64);
    }
    tagged.finish().unwrap();
    let header = write(&b.finish().unwrap());
    let expected = "struct tagged {\n\
        \tint __attribute__((btf_type_tag(\"user\"))) *m00;\n\
        \tint __attribute__((user)) *m01;\n\
        \tint /* x\"))) int evil; // is left out */ *m10;\n\
        \tint /* x\"))) int evil; // is left out */ *m11;\n\
        \tint __attribute__((btf_type_tag(\"a)b\"))) *m20;\n\
        \tint /* a)b is left out */ *m21;\n};\n\n";
    assert!(body(&header).contains(expected), "{header}");
}

/// Each struct has two anonymous members of the next, and at the end there is a name
/// of megabytes: what a piece holds in memory is bounded all the same.
#[test]
fn pieces_that_repeat_a_long_name_are_refused() {
    let mut b = Builder::new();
    let int = b.int("int", 4, IntEncoding::SIGNED).unwrap();
    let mut inner = b.structure("", 4).member("n".repeat(2 << 20), int, 0).finish().unwrap();
    let mut size = 4;
    for level in 0..12 {
        let name = if level == 11 { "outer" } else { "" };
        size *= 2;
        inner = b.structure(name, size).member("", inner, 0).member("", inner, size * 4).finish().unwrap();
    }
    let btf = b.finish().unwrap();
    let outer = btf.type_by_id(inner).unwrap();
    for header in [Header::new(), Header::new().unsorted(true)] {
        for piece in [header.definition(outer), header.declaration(outer, "name")] {
            if let Ok(piece) = &piece {
                assert_eq!(piece, "struct outer name");
                continue;
            }
            assert!(matches!(piece, Err(Error::TooComplex { .. })), "{}", piece.unwrap_err());
        }
        assert!(matches!(header.definition(outer), Err(Error::TooComplex { .. })));
    }
}

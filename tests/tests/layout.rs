//! Sizes and alignment against what clang says, of `fixtures/layout/cases.c`:
//! the layouts that other libraries and generators get wrong.

#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "tests")]

use btf_tests::{blob::Blob, fixtures};
use btf_types::{Btf, Error, Kind, Struct, Type, Union};

fn open(arch: &str) -> Btf {
    Btf::parse(fixtures::read(&format!("layout/{arch}.btf"))).unwrap()
}

/// The type of a row: `struct NAME` or `union NAME`.
fn find<'btf>(btf: &'btf Btf, declared: &str) -> Type<'btf> {
    match declared.split_once(' ') {
        Some(("struct", name)) => btf.find::<Struct<'_>>(name).unwrap().into(),
        Some(("union", name)) => btf.find::<Union<'_>>(name).unwrap().into(),
        _ => panic!("{declared}"),
    }
}

#[test]
fn sizes_and_alignment_are_clangs() {
    for (arch, pointer_size) in [("x86_64", 8), ("i686", 4), ("armv7", 4), ("s390x", 8), ("powerpc", 4)] {
        let btf = open(arch);
        assert_eq!(btf.pointer_size(), pointer_size, "{arch}");
        assert_eq!(btf.known_pointer_size(), Some(pointer_size), "{arch}");
        let table = String::from_utf8(fixtures::read(&format!("layout/{arch}.tsv"))).unwrap();
        let mut told = 0;
        for line in table.lines() {
            let fields: Vec<&str> = line.split('\t').collect();
            let [declared, size, align, tellable] = fields.as_slice() else { panic!("{line}") };
            let ty = find(&btf, declared);
            assert_eq!(ty.size_of().unwrap().to_string(), *size, "{arch}: {declared}");
            // s390x aligns 16-byte integers to 8, and nothing in BTF says so.
            if *tellable == "1" && !(arch == "s390x" && declared.contains("int128")) {
                assert_eq!(ty.align_of().unwrap().to_string(), *align, "{arch}: {declared}");
                told += 1;
            }
        }
        assert!(told > 25, "{arch}: {told}");
    }
}

#[test]
fn an_alignment_says_what_btf_leaves_open() {
    // With 4-byte pointers, whether 8 bytes align to 4 or to 8 shows nowhere in
    // the first, and in a struct of the second.
    let mut blob = Blob::new();
    let (name, wide, both) = (blob.string("n"), blob.string("wide"), blob.string("both"));
    blob.int().record(name, 1, 0, false, 8, &[64]).record(wide, 4, 1, false, 8, &[name, 2, 0]);
    let open = |blob: &Blob| Btf::options().pointer_size(4).parse(blob.build()).unwrap();
    let alignment = |btf: &Btf, id| btf.type_by_id(id).unwrap().alignment().unwrap();
    let unknown = open(&blob);
    for id in [2, 3] {
        let alignment = alignment(&unknown, id);
        assert_eq!((alignment.least(), alignment.most(), alignment.exact()), (4, 8, None), "{id}");
    }
    assert_eq!(alignment(&unknown, 1).exact(), Some(4));
    for (offset, size, expected) in [(32, 12, 4), (64, 16, 8)] {
        let mut blob = blob.clone();
        blob.record(both, 4, 2, false, size, &[name, 1, 0, name, 2, offset]);
        let known = open(&blob);
        for id in 2..=4 {
            assert_eq!(alignment(&known, id).exact(), Some(expected), "{id}");
        }
        assert_eq!(known.find::<Struct<'_>>("both").unwrap().alignment(), Ok(alignment(&known, 4)));
    }
}

#[test]
fn packed_is_told_from_what_is_out_of_place() {
    let btf = open("x86_64");
    for (declared, packed) in [
        ("struct packed_inner", true),
        ("struct packed_inside", false),
        ("union packed_union", true),
        ("struct packed_bits_across", true),
        ("struct packed_int128", true),
        ("struct packed_wide", true),
        ("struct int128_inside", false),
        ("struct bits_middle", false),
        ("struct empty", false),
    ] {
        let is_packed = match find(&btf, declared) {
            Type::Struct(s) => s.is_packed(),
            Type::Union(u) => u.is_packed(),
            _ => panic!("{declared}"),
        };
        assert_eq!(is_packed, Ok(packed), "{declared}");
    }
}

/// Compares with the output of `pahole -C` for the same file.
#[test]
fn holes_and_padding() {
    let btf = open("x86_64");
    let holes = |name: &str| {
        let s: Struct<'_> = btf.find(name).unwrap();
        let holes: Vec<_> = s.holes().iter().map(|hole| (hole.after, hole.bit_offset, hole.bits)).collect();
        (holes, s.padding())
    };
    assert_eq!(holes("bitfield_inside"), (vec![(Some(0), 8, 24)], 0));
    assert_eq!(holes("bits_middle"), (vec![(Some(1), 73, 23), (Some(2), 99, 5)], 16));
    assert_eq!(holes("pointers"), (vec![(Some(0), 8, 56)], 56));
    assert_eq!(holes("packed_inner"), (vec![], 0));
    assert_eq!(holes("empty"), (vec![], 0));
    assert_eq!(holes("raised_inside"), (vec![(Some(0), 8, 120)], 0));
    let u: Union<'_> = btf.find("bitfield_union").unwrap();
    assert_eq!(u.padding(), 24);
}

#[test]
fn pointer_size_is_set_or_told_or_eight() {
    let bytes = Blob::new().int().ptr(1).build();
    let btf = Btf::parse(bytes.clone()).unwrap();
    assert_eq!((btf.pointer_size(), btf.known_pointer_size()), (8, None));
    let set = Btf::options().pointer_size(4).parse(bytes.clone()).unwrap();
    assert_eq!(set.type_by_id(2).unwrap().size_of(), Ok(4));
    let refused = Btf::options().pointer_size(5).parse(bytes).unwrap_err();
    assert!(matches!(refused, Error::PointerSize { found: 5, .. }), "{refused}");
    let split = Btf::parse_split(Blob::split().ptr(1).build(), &set).unwrap();
    assert_eq!(split.known_pointer_size(), Some(4), "the base's");
    assert_eq!(open("armv7").pointer_size(), 4);
    let set = Btf::options().pointer_size(8).parse(fixtures::read("layout/armv7.btf")).unwrap();
    assert_eq!(set.pointer_size(), 8, "what is set is believed");
}

#[test]
fn what_has_no_size_says_so() {
    let mut blob = Blob::new();
    let name = blob.string("n");
    blob.int()
        .record(name, 7, 0, false, 0, &[])
        .record(0, 13, 0, false, 0, &[])
        .record(name, 12, 1, false, 3, &[])
        .record(0, 10, 0, false, 0, &[])
        .record(0, 3, 0, false, 0, &[2, 1, 3])
        .record(name, 4, 1, false, 4, &[name, 2, 0]);
    let btf = Btf::parse(blob.build()).unwrap();
    let ty = |id| btf.type_by_id(id).unwrap();
    let without = |answer| match answer {
        Err(Error::Unsized { ty, .. }) => (ty.id(), ty.kind()),
        other => panic!("{other:?}"),
    };
    assert_eq!(without(ty(0).size_of()), (0, None));
    assert_eq!(without(ty(2).size_of()), (2, Some(Kind::Fwd)));
    assert_eq!(without(ty(3).size_of()), (3, Some(Kind::FuncProto)));
    assert_eq!(without(ty(4).size_of()), (4, Some(Kind::Func)));
    assert_eq!(without(ty(5).size_of()), (0, None), "const void");
    assert_eq!(without(ty(6).size_of()), (2, Some(Kind::Fwd)), "an array of them");
    assert_eq!(ty(7).size_of(), Ok(4));
    assert_eq!(without(ty(7).align_of()), (2, Some(Kind::Fwd)));
    assert_eq!(without(ty(0).align_of()), (0, None));
}

/// The size of nested arrays, which aya-obj gets wrong.
#[test]
fn arrays_multiply_and_never_overflow() {
    let array = |count: u32, id| [id, 1, count];
    let mut blob = Blob::new();
    blob.int().record(0, 3, 0, false, 0, &array(3, 1)).record(0, 3, 0, false, 0, &array(5, 2));
    blob.record(0, 3, 0, false, 0, &array(1 << 28, 3)).record(0, 3, 0, false, 0, &array(u32::MAX, 4));
    blob.record(0, 3, 0, false, 0, &array(u32::MAX, 5)).record(0, 3, 0, false, 0, &array(0, 6));
    let btf = Btf::parse(blob.build()).unwrap();
    let size = |id| btf.type_by_id(id).unwrap().size_of();
    assert_eq!((size(2), size(3)), (Ok(12), Ok(60)));
    for id in 4..=6 {
        let is_refused = matches!(size(id), Err(Error::TypeTooLarge { ty, limit: 0xffff_ffff, .. }) if ty.id() == id);
        assert!(is_refused, "{id}: {:?}", size(id));
    }
    assert_eq!(btf.type_by_id(7).unwrap().align_of(), Ok(4));
}

/// An integer type of its own for each bitfield, as until Linux 4.20.
#[test]
fn bitfields_of_legacy_ints_are_folded_into_offset_and_size() {
    let int = |bits: u32, offset: u32| offset << 16 | bits;
    let mut blob = Blob::new();
    let (a, b, c) = (blob.string("a"), blob.string("b"), blob.string("c"));
    blob.record(0, 1, 0, false, 4, &[int(3, 0)])
        .record(0, 1, 0, false, 4, &[int(5, 3)])
        .record(0, 1, 0, false, 4, &[int(32, 0)])
        .record(a, 8, 0, false, 2, &[])
        .record(a, 4, 3, false, 8, &[a, 1, 0, b, 4, 0, c, 3, 32])
        .record(b, 4, 1, true, 4, &[a, 3, 7 << 24 | 4]);
    let btf = Btf::parse(blob.build()).unwrap();
    let members = |id| {
        let Ok(Type::Struct(s)) = btf.type_by_id(id) else { panic!("no struct") };
        s.members().map(|member| (member.bit_offset(), member.bitfield_size())).collect::<Vec<_>>()
    };
    assert_eq!(members(5), [(0, Some(3)), (3, Some(5)), (32, None)], "the second through a typedef");
    assert_eq!(members(6), [(4, Some(7))], "with kind_flag");
    // And where the integers are those of the base.
    let split = Btf::parse_split(Blob::split().record(a, 4, 1, false, 4, &[a, 2, 8]).build(), &btf).unwrap();
    let Ok(Type::Struct(s)) = split.type_by_id(7) else { panic!("no struct") };
    assert_eq!(
        s.members().map(|member| (member.bit_offset(), member.bitfield_size())).collect::<Vec<_>>(),
        [(11, Some(5))]
    );
}

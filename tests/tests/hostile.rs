//! BTF that opens, but was made so that queries hurt: each comes to an end, in
//! memory in proportion to the file. (BTF that does not open is in `opening.rs`.)
//! The bounds on time are no measurements: an answer takes a fraction of a second,
//! and minutes where work is not in proportion.

#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "tests")]

use std::time::{Duration, Instant};

use btf_tests::{
    blob::Blob,
    memory::{self, CountingAllocator},
};
use btf_types::{Btf, Collection, Error, Struct, Type};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

const STRUCT: u8 = 4;
const UNION: u8 = 5;
const TYPEDEF: u8 = 8;
const CONST: u8 = 10;
const FUNC_PROTO: u8 = 13;
const ARRAY: u8 = 3;

/// Asks; what it returns, and how it is bounded.
fn bounded<T>(question: &str, btf: &Btf, ask: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let (answer, heap) = memory::measure(ask);
    let time = start.elapsed();
    assert!(time < Duration::from_secs(20), "{question}: {time:?}");
    // Declarators inside of declarators hold 64 types each, 64 levels deep.
    let limit = 4 * btf.as_bytes().len() as u64 + 131_072;
    assert!(heap.peak < limit, "{question}: {} bytes of heap for {}", heap.peak, btf.as_bytes().len());
    answer
}

/// Asks everything of one type.
fn everything(btf: &Btf, id: u32) {
    let ty = btf.type_by_id(id).unwrap();
    let all = |question: &str| format!("{question} of {ty:?}");
    let _ = bounded(&all("size"), btf, || ty.size_of());
    let _ = bounded(&all("align"), btf, || ty.align_of());
    let _ = bounded(&all("resolve"), btf, || ty.resolve());
    bounded(&all("chain"), btf, || ty.chain().count());
    bounded(&all("peel"), btf, || ty.peel_modifiers());
    let text = bounded(&all("display"), btf, || ty.to_string());
    assert!(text.len() < 1 << 20);
    bounded(&all("declare"), btf, || ty.declare("name").to_string());
    bounded(&all("references"), btf, || ty.references().count());
    let reached = bounded(&all("post-order"), btf, || ty.post_order().count());
    assert!(reached < btf.type_count() as usize);
    bounded(&all("tags"), btf, || ty.decl_tags().count());
    bounded(&all("member"), btf, || ty.find_member("no such member"));
    let _ = bounded(&all("path"), btf, || ty.path("no.such[3]->member"));
    match ty {
        Type::Struct(s) => {
            let _ = bounded(&all("packed"), btf, || s.is_packed());
            bounded(&all("holes"), btf, || s.holes());
            bounded(&all("padding"), btf, || s.padding());
        }
        Type::Union(u) => {
            let _ = bounded(&all("packed"), btf, || u.is_packed());
            bounded(&all("padding"), btf, || u.padding());
        }
        _ => {}
    }
}

fn open(blob: &Blob) -> Btf {
    Btf::parse(blob.build()).unwrap()
}

#[test]
fn types_of_themselves() {
    // Of each kind that can, one that refers to itself in every id.
    for kind in [2, TYPEDEF, 9, CONST, 11, 14, 17, 18] {
        let rest: &[u32] = if matches!(kind, 14 | 17) { &[0] } else { &[] };
        let btf = open(Blob::new().record(0, kind, 0, false, 1, rest));
        everything(&btf, 1);
    }
    everything(&open(Blob::new().record(0, ARRAY, 0, false, 0, &[1, 1, 2])), 1);
    for kind in [STRUCT, UNION] {
        let btf = open(Blob::new().record(0, kind, 2, false, 8, &[0, 1, 0, 0, 1, 32]));
        everything(&btf, 1);
        let align = btf.type_by_id(1).unwrap().align_of();
        assert!(matches!(&align, Err(Error::TooDeep { ty, limit: 64, .. }) if ty.id() == 1), "{align:?}");
    }
    everything(&open(Blob::new().record(0, FUNC_PROTO, 2, false, 1, &[0, 1, 0, 1])), 1);
    everything(&open(Blob::new().record(0, 15, 1, false, 0, &[1, 0, 0])), 1);
}

#[test]
fn cycles_of_many() {
    const COUNT: u32 = 1000;
    for kinds in [&[TYPEDEF][..], &[TYPEDEF, CONST], &[2, CONST], &[14, TYPEDEF]] {
        let mut blob = Blob::new();
        for id in 1..=COUNT {
            let kind = kinds[id as usize % kinds.len()];
            let rest: &[u32] = if kind == 14 { &[0] } else { &[] };
            blob.record(0, kind, 0, false, id % COUNT + 1, rest);
        }
        let btf = open(&blob);
        everything(&btf, 1);
        everything(&btf, COUNT);
    }
}

#[test]
fn chains_of_a_million_forwards_and_backwards() {
    const COUNT: u32 = 1_000_000;
    for kind in [CONST, 2, ARRAY, STRUCT] {
        for forwards in [true, false] {
            let mut blob = Blob::new();
            for id in 1..=COUNT {
                let next = if forwards { (id + 1) % (COUNT + 1) } else { id - 1 };
                match kind {
                    ARRAY => blob.record(0, kind, 0, false, 0, &[next, 0, 1]),
                    STRUCT => blob.record(0, kind, 1, false, 8, &[0, next, 0]),
                    _ => blob.record(0, kind, 0, false, next, &[]),
                };
            }
            let btf = open(&blob);
            let start = if forwards { 1 } else { COUNT };
            everything(&btf, start);
            assert_eq!(btf.type_by_id(start).unwrap().post_order().count(), COUNT as usize);
        }
    }
}

/// 40 structs with two members each of the next: 2^40 ways in 1.5 KB.
#[test]
fn a_dag_that_doubles() {
    let mut blob = Blob::new();
    let name = blob.string("end");
    const DEPTH: u32 = 40;
    for kind in [STRUCT, UNION] {
        let mut blob = blob.clone();
        for id in 1..=DEPTH {
            blob.record(0, kind, 2, false, 8, &[0, id + 1, 0, 0, id + 1, 0]);
        }
        blob.record(name, STRUCT, 1, false, 4, &[name, DEPTH + 2, 0]);
        blob.int();
        let btf = open(&blob);
        everything(&btf, 1);
        assert_eq!(btf.type_by_id(1).unwrap().align_of(), Ok(4));
        assert!(btf.type_by_id(1).unwrap().find_member("end").is_some());
        assert_eq!(btf.type_by_id(1).unwrap().post_order().count(), DEPTH as usize + 2);
    }
    // Through arrays and typedefs as well, and with no end to it.
    let mut blob = Blob::new();
    let name = blob.string("t");
    for level in 0..DEPTH {
        let next = (3 * level + 3) % (3 * DEPTH) + 1;
        blob.record(0, STRUCT, 2, false, 8, &[0, 3 * level + 2, 0, 0, 3 * level + 3, 0])
            .record(0, ARRAY, 0, false, 0, &[next, 1, 2])
            .record(name, TYPEDEF, 0, false, next, &[]);
    }
    everything(&open(&blob), 1);
}

#[test]
fn a_prototype_that_doubles() {
    let mut blob = Blob::new();
    const DEPTH: u32 = 40;
    for level in 0..DEPTH {
        let next = 2 * level + 3;
        blob.record(0, FUNC_PROTO, 3, false, next, &[0, next, 0, next, 0, next]).ptr(2 * level + 1);
    }
    blob.int();
    let btf = open(&blob);
    everything(&btf, 1);
    everything(&btf, 2);
    assert!(btf.type_by_id(2).unwrap().to_string().contains("..."));
    // And one with a great many parameters.
    let params: Vec<u32> = (0..100_000).flat_map(|_| [0, 2]).collect();
    let btf = open(Blob::new().int().record(0, FUNC_PROTO, 100_000, false, 1, &params));
    everything(&btf, 2);
}

#[test]
fn a_struct_of_a_million_members() {
    const COUNT: u32 = 1 << 20;
    let mut blob = Blob::new();
    let name = blob.string("m");
    blob.int();
    // Backwards, overlapping, beyond the end, and all of one name.
    let members: Vec<u32> = (0..COUNT).flat_map(|index| [name, 1, (COUNT - index).wrapping_mul(0x9e37_79b9)]).collect();
    blob.record(name, STRUCT, COUNT, false, u32::MAX, &members);
    let bits: Vec<u32> = (0..COUNT).flat_map(|index| [0, 1, 1 << 24 | index]).collect();
    blob.record(name, STRUCT, COUNT, true, 1 << 21, &bits);
    let btf = open(&blob);
    everything(&btf, 2);
    everything(&btf, 3);
    let Type::Struct(bits) = btf.type_by_id(3).unwrap() else { panic!("no struct") };
    assert_eq!(bits.members().last().unwrap().bitfield_size(), Some(1));
    assert_eq!(bits.padding(), (1 << 24) - u64::from(COUNT));
}

/// A bucket of the index holds them all.
#[test]
fn a_million_types_of_one_name() {
    const COUNT: u32 = 1 << 20;
    let mut blob = Blob::new();
    let name = blob.string("same");
    let other = blob.string("other");
    // Not sorted by name, for the index to be made.
    blob.record(other, TYPEDEF, 0, false, 0, &[]);
    (1..COUNT).for_each(|_| _ = blob.record(name, TYPEDEF, 0, false, 0, &[]));
    blob.record(other, STRUCT, 0, false, 0, &[]);
    let btf = open(&blob);
    for round in 0..20 {
        let found = bounded("find", &btf, || btf.find::<Struct<'_>>("same"));
        assert!(matches!(found, Err(Error::NoSuchName { .. })));
        assert_eq!(bounded("find", &btf, || btf.find::<Struct<'_>>("other")).unwrap().id(), COUNT + 1);
        assert_eq!(bounded("find_first", &btf, || btf.find_first::<Type<'_>>("same")).unwrap().id(), 2);
        if round % 10 == 0 {
            // Their ids are what is returned: more than the file has of them.
            assert_eq!(btf.find_all::<Type<'_>>("same").len(), COUNT as usize - 1);
            assert!(matches!(btf.find::<Type<'_>>("same"), Err(Error::Ambiguous { ids, .. }) if ids.len() > 1000));
        }
    }
    let error = btf.find::<Type<'_>>("same").unwrap_err().to_string();
    assert!(error.len() < 200, "{error}");
}

/// Strings that end in each other, a million of them.
#[test]
fn a_name_that_ends_a_million_others() {
    let mut blob = Blob::new();
    *blob.strings_mut() = [vec![0], b"a\0".repeat(1 << 20)].concat();
    let names: Vec<u32> = (0..100_000).map(|index| 1 + 2 * index).collect();
    names.iter().rev().for_each(|name| _ = blob.record(*name, TYPEDEF, 0, false, 0, &[]));
    let end = blob.string("b");
    blob.record(end, STRUCT, 0, false, 0, &[]).record(1, STRUCT, 0, false, 0, &[]);
    let btf = open(&blob);
    for _ in 0..20 {
        assert!(bounded("find", &btf, || btf.find::<Struct<'_>>("b")).is_ok());
        assert!(bounded("find", &btf, || btf.find::<Struct<'_>>("a")).is_ok());
    }
}

#[test]
fn one_string_of_four_megabytes_is_everybodys_name() {
    let mut blob = Blob::new();
    let name = blob.string("x".repeat(4 << 20));
    (0..100).for_each(|at| _ = blob.record(name + at, STRUCT, 0, false, 0, &[]));
    let btf = open(&blob);
    let long = "x".repeat((4 << 20) - 50);
    for _ in 0..4 {
        assert_eq!(bounded("find", &btf, || btf.find::<Struct<'_>>(&long)).unwrap().id(), 51);
    }
    bounded("member", &btf, || btf.type_by_id(1).unwrap().find_member(&long));
    // A text that shows the name has its length.
    assert!(btf.type_by_id(1).unwrap().to_string().len() > 4 << 20);
}

#[test]
fn a_path_of_a_megabyte() {
    let mut blob = Blob::new();
    let next = blob.string("n");
    blob.record(next, STRUCT, 1, false, 8, &[next, 2, 0]).ptr(1);
    let btf = open(&blob);
    let path = format!("n{}", ".n".repeat(100_000));
    assert_eq!(btf.path(&path).unwrap().steps().len(), 100_000);
    let wrong = format!("n{}", "[".repeat(1 << 20));
    assert!(matches!(btf.path(&wrong), Err(Error::NoSuchMember { .. })));
}

/// Half of the string section, and a quarter of it, are everybody's names, by
/// turns; and every place in it is somebody's.
#[test]
fn names_of_megabytes_shared_by_a_million_types() {
    const LEN: usize = 2 << 20;
    let mut shared = Blob::new();
    let (one, other) = (shared.string("x".repeat(LEN)), shared.string("x".repeat(LEN - 1)));
    let b = shared.string("b");
    let mut each = shared.clone();
    for index in 0..500_000 {
        shared.record(if index % 2 == 0 { other } else { one }, TYPEDEF, 0, false, 0, &[]);
        each.record(one + index, TYPEDEF, 0, false, 0, &[]);
    }
    for (blob, has_shorter) in [(&mut shared, false), (&mut each, true)] {
        let btf = open(blob.record(b, STRUCT, 0, false, 0, &[]));
        let long = "x".repeat(LEN - 1);
        let start = Instant::now();
        assert!(btf.find::<Struct<'_>>("b").is_ok());
        assert!(btf.find_first::<Type<'_>>(&long).is_some());
        assert!(btf.find_first::<Struct<'_>>(&long).is_none());
        assert_eq!(btf.find_first::<Type<'_>>(&long[..LEN - 9]).is_some(), has_shorter);
        assert_eq!(btf.find_flavors::<Type<'_>>("b").len(), 1);
        assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    }
}

/// A distilled base and a new one with a great many types of one name.
#[test]
fn rebasing_what_has_a_million_types_of_one_name() {
    let of_sizes = |count: u32| {
        let mut blob = Blob::new();
        let name = blob.string("same");
        (0..count).for_each(|size| _ = blob.record(name, 16, 0, false, size, &[]));
        open(&blob)
    };
    let (distilled, base) = (of_sizes(100_000), of_sizes(200_000));
    let split = Btf::parse_split(Blob::split().ptr(70_000).build(), &distilled).unwrap();
    let rebased = bounded("rebase", &base, || split.rebase(&base)).unwrap();
    let Type::Ptr(ptr) = rebased.types().next().unwrap() else { panic!("not a pointer") };
    assert_eq!((ptr.target().id(), ptr.target().size_of()), (70_000, Ok(69_999)), "the one of its size");
    // In the other direction half of them have no counterpart.
    let split = Btf::parse_split(Blob::split().ptr(1).build(), &base).unwrap();
    let result = bounded("rebase", &base, || split.rebase(&distilled));
    assert!(matches!(result, Err(Error::NoCounterpart { .. })), "{result:?}");
}

/// Equally many names and types, alike in more bytes than a hash may take, and none
/// of them the one that is looked for.
#[test]
fn names_that_begin_alike() {
    const COUNT: u32 = 100_000;
    for kind in [TYPEDEF, 12] {
        let mut blob = Blob::new();
        let (name, stem) = (blob.string("proto"), "begins_like_all_of_the_other_names_in_this_file_".repeat(3));
        blob.record(0, FUNC_PROTO, 0, false, 0, &[]).record(name, STRUCT, 0, false, 0, &[]);
        for index in (0..COUNT).rev() {
            let name = blob.string(format!("{stem}{index:06}"));
            blob.record(name, kind, 0, false, 1, &[]);
        }
        let btf = open(&blob);
        bounded("the first question", &btf, || btf.find_first::<Type<'_>>(&stem));
        bounded("names that begin alike", &btf, || {
            for index in 0..COUNT {
                let name = format!("{stem}{index:06}");
                assert_eq!(btf.find::<Type<'_>>(&name).unwrap().id(), COUNT + 2 - index);
                assert!(btf.find_first::<Type<'_>>(format!("{stem}{index:07}")).is_none());
                assert!(btf.find_first::<Struct<'_>>(&name).is_none());
            }
        });
        assert_eq!(btf.find::<Struct<'_>>("proto").unwrap().id(), 2);
    }
}

/// Of each kind a hundred thousand, of one name, sorted by it or not.
#[test]
fn a_kind_is_found_among_many_others_of_its_name() {
    const COUNT: u32 = 100_000;
    for is_sorted in [true, false] {
        let mut blob = Blob::new();
        let (first, same, last) = (blob.string("a"), blob.string("same"), blob.string("z"));
        blob.record(if is_sorted { first } else { last }, TYPEDEF, 0, false, 0, &[]);
        (0..COUNT).for_each(|index| _ = blob.record(same, [TYPEDEF, 16, 7][index as usize % 3], 0, false, 0, &[]));
        blob.record(same, STRUCT, 0, false, 0, &[]).record(last, STRUCT, 0, false, 0, &[]);
        let btf = open(&blob);
        assert_eq!(btf.is_name_sorted(), is_sorted);
        bounded("one of its kind", &btf, || {
            for _ in 0..COUNT {
                assert_eq!(btf.find::<Struct<'_>>("same").unwrap().id(), COUNT + 2);
                assert_eq!(btf.find_first::<Type<'_>>("same").unwrap().id(), 2);
                assert!(btf.find_first::<btf_types::Union<'_>>("same").is_none());
            }
        });
        let ids: Vec<u32> = btf.find_all::<Type<'_>>("same").into_iter().map(Type::id).collect();
        assert!(ids.into_iter().eq(2..COUNT + 3), "all kinds, by rising id");
    }
}

/// Every type has a name of its own, and each ends with one flavor.
#[test]
fn a_flavor_of_half_a_million_names() {
    const COUNT: u32 = 500_000;
    let mut blob = Blob::new();
    let name = blob.string(["x".repeat(1 << 20), "___flavor".into()].concat());
    (0..COUNT).for_each(|at| _ = blob.record(name + at, TYPEDEF, 0, false, 0, &[]));
    let btf = open(&blob);
    bounded("flavors", &btf, || {
        for len in (1..1000).chain([(1 << 20) - COUNT as usize + 1, 1 << 20]) {
            let expected = usize::from(len > (1 << 20) - COUNT as usize);
            assert_eq!(btf.find_flavors::<Type<'_>>("x".repeat(len)).len(), expected, "{len}");
        }
    });
}

/// A megabyte's name, of everything that has a name.
fn long_name(blob: &mut Blob) -> u32 {
    blob.string("x".repeat(1 << 20))
}

#[test]
fn a_long_name_shared_by_elements() {
    const COUNT: u32 = 100_000;
    let elements = |words: &[u32]| words.repeat(COUNT as usize);
    let mut blob = Blob::new();
    let name = long_name(&mut blob);
    blob.int()
        .record(name, STRUCT, COUNT, false, 4, &elements(&[name, 1, 0]))
        .record(0, FUNC_PROTO, COUNT, false, 1, &elements(&[name, 1]))
        .record(name, 6, COUNT, false, 4, &elements(&[name, 1]))
        .record(name, 19, COUNT, false, 8, &elements(&[name, 1, 0]))
        .record(name, 12, 0, false, 3, &[]);
    (0..COUNT).for_each(|_| _ = blob.record(name, 17, 0, false, 2, &[u32::MAX]));
    (0..COUNT).for_each(|_| _ = blob.record(name, 1, 0, false, 4, &[32]));
    let btf = open(&blob);
    let mut almost = "x".repeat((1 << 20) - 1);
    almost.push('y');
    for id in 1..8 {
        let ty = btf.type_by_id(id).unwrap();
        let text = bounded("display", &btf, || ty.declare("n").to_string());
        assert!(text.len() < 3 << 20, "one name, and what comes of what is left: {}", text.len());
        let text = bounded("debug", &btf, || format!("{ty:?} {:?}", ty.decl_tags().collect::<Vec<_>>().len()));
        assert!(text.len() < 1000, "{text}");
        assert!(bounded("member", &btf, || ty.find_member(&almost)).is_none());
        let text = bounded("debug of elements", &btf, || match ty {
            Type::Struct(s) => format!("{:?} {:?}", s.members(), s.member(&almost)),
            Type::FuncProto(proto) => format!("{:?}", proto.params()),
            Type::Enum(e) => format!("{:?}", e.values()),
            Type::Enum64(e) => format!("{:?}", e.values()),
            ty => format!("{:?} {:?}", ty.decl_tags().next(), btf.types()),
        });
        assert!(text.len() < 10_000, "{}", text.len());
    }
    assert!(btf.type_by_id(3).unwrap().to_string().ends_with(", ...)"));
    let anything = regex::bytes::Regex::new("x$").unwrap();
    bounded("regex", &btf, || assert_eq!(btf.find_matching(&anything).count(), 0, "too long to be looked at"));
}

/// The first of a million members is the struct itself, 64 levels of it.
#[test]
fn a_struct_of_a_million_members_inside_itself() {
    const COUNT: u32 = 1 << 20;
    let mut blob = Blob::new();
    let members: Vec<u32> = (0..COUNT).flat_map(|index| [0, if index == 0 { 1 } else { 2 }, 32 * index]).collect();
    blob.record(0, STRUCT, COUNT, false, u32::MAX, &members).int();
    let btf = open(&blob);
    let (align, heap) = memory::measure(|| btf.type_by_id(1).unwrap().align_of());
    assert!(matches!(&align, Err(Error::TooDeep { ty, limit: 64, .. }) if ty.id() == 1), "{align:?}");
    assert!(heap.peak < 65_536, "{heap:?}");
    everything(&btf, 1);
}

/// Split BTF upon split BTF, deeper than the stack is, if anything recurses.
#[test]
fn forty_thousand_layers() {
    const LAYERS: u32 = 40_000;
    let work = || {
        let mut lowest = Blob::new();
        let name = lowest.string("lowest");
        // Sizes of kind 30, for all who have none of their own.
        lowest.record(name, 16, 0, false, 4, &[]).layout((0..31).map(|kind| (if kind == 30 { 8 } else { 0 }, 0)));
        let lowest = open(&lowest);
        let mut btf = lowest.clone();
        let mut layers = vec![];
        for layer in 0..LAYERS {
            let mut blob = Blob::split();
            blob.record(name, TYPEDEF, 0, false, layer + 1, &[]).ptr(1);
            if layer % 1000 == 0 {
                blob.record(name, 30, 0, false, 0, &[1, 2]);
            }
            btf = Btf::parse_split(blob.build(), &btf).unwrap();
            if layer % 10_000 == 0 {
                layers.push(btf.clone());
            }
        }
        assert!(format!("{btf:?}").contains("40001"));
        let top = btf.types().next().unwrap();
        assert_eq!(top.name(), "lowest");
        for id in 1..btf.type_count() {
            assert_eq!(btf.type_by_id(id).unwrap().id(), id);
        }
        assert_eq!(btf.type_by_id(1).unwrap(), lowest.type_by_id(1).unwrap());
        assert_eq!(btf.find_all::<Type<'_>>("lowest").len(), LAYERS as usize + 41);
        assert_eq!(btf.layers().count(), LAYERS as usize + 1);
        drop(btf);
        // Some were held elsewhere, and are whole.
        assert!(layers.iter().all(|layer| layer.type_by_id(2).unwrap().name() == "lowest"));
        drop(layers);
        assert_eq!(lowest.types().len(), 1);
    };
    std::thread::Builder::new().stack_size(2 << 20).spawn(work).unwrap().join().unwrap();
}

#[test]
fn a_path_copies_itself_into_an_error_only() {
    let mut blob = Blob::new();
    let next = blob.string("n");
    blob.record(next, STRUCT, 1, false, 8, &[next, 2, 0]).ptr(1);
    let btf = open(&blob);
    let path = format!("n{}", ".n".repeat(100_000));
    let (found, heap) = memory::measure(|| btf.path(&path).map(|path| path.steps().len()));
    assert_eq!(found, Ok(100_000));
    // One for each search.
    assert!(heap.allocations < 101_000, "{heap:?}");
}

/// A path as long as a struct has members, each later than the one before.
#[test]
fn a_path_through_a_million_members() {
    const COUNT: u32 = 100_000;
    let mut blob = Blob::new();
    let name = blob.string("s");
    let members: Vec<u32> =
        (0..COUNT).map(|index| blob.string(format!("m{index}"))).flat_map(|name| [name, 2, 0]).collect();
    blob.record(name, STRUCT, COUNT, false, 8, &members).ptr(1);
    let btf = open(&blob);
    let path: String = (0..COUNT).rev().map(|index| format!(".m{index}")).collect();
    let result = bounded("path", &btf, || btf.path(format!("s{path}")).map(|_| ()));
    assert!(matches!(&result, Err(Error::TooComplex { ty, .. }) if ty.id() == 1), "{result:?}");
    assert_eq!(btf.path("s.m99999.m99998.m0").unwrap().steps().len(), 3);
}

/// Names of modules are listed once, however many types there are.
#[test]
fn a_name_that_two_modules_have_often() {
    let base = open(Blob::new().int());
    let mut all = Collection::new("base", base.clone());
    for name in ["a".repeat(1 << 20), "b".repeat(1 << 20)] {
        let mut blob = Blob::split();
        let same = base.type_count() - 1;
        (0..10_000).for_each(|_| _ = blob.record(same, TYPEDEF, 0, false, 1, &[]));
        all.add(name, Btf::parse_split(blob.build(), &base).unwrap()).unwrap();
    }
    let name = base.type_by_id(1).unwrap().name().as_bytes()[0..].to_vec();
    let (result, heap) = memory::measure(|| all.find::<btf_types::Typedef<'_>>(&name));
    assert!(matches!(result, Err(Error::AmbiguousObjects { objects, .. }) if objects.len() == 2));
    assert!(heap.peak < 8 << 20, "{heap:?}");
}

/// A long name of the base, which each layer above has a type of.
#[test]
fn a_long_name_of_many_layers() {
    const LAYERS: u32 = 10_000;
    let mut base = Blob::new();
    let name = long_name(&mut base);
    let base = open(base.record(name, TYPEDEF, 0, false, 0, &[]));
    let above = Blob::split().record(name, TYPEDEF, 0, false, 0, &[]).build();
    let btf = (0..LAYERS).fold(base.clone(), |btf, _| Btf::parse_split(above.clone(), &btf).unwrap());
    let name = base.type_by_id(1).unwrap().name();
    for _ in 0..4 {
        assert_eq!(btf.find_all::<Type<'_>>(name).len(), LAYERS as usize + 1);
        assert_eq!(btf.find_first::<Type<'_>>(name).unwrap().id(), 1);
        assert!(btf.find::<Struct<'_>>(name).is_err());
    }
}

//! Writing what the format allows: everything that a reader has to expect goes
//! through each operation that writes.

#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "tests")]

use btf_build::{Builder, Encode, Error, IntEncoding, Merge, distill, permute, sort};
use btf_format::{Error as Format, Header, Info};
use btf_tests::{blob::Blob, walk};
use btf_types::{Btf, BtfExt, ByteOrder, FwdKind, Kind, Linkage, Struct, Type};

/// Returns a blob with a header of `hdr_len` bytes, with `extra` in those that
/// are not known.
fn with_header(blob: &[u8], hdr_len: u32, extra: u8) -> Vec<u8> {
    let header = Header::parse(blob).unwrap();
    assert_eq!(header.hdr_len(), 24);
    let mut longer = blob.to_vec();
    longer.splice(24..24, vec![0; hdr_len as usize - 24]);
    longer[4..8].copy_from_slice(&hdr_len.to_ne_bytes());
    if extra != 0 {
        *longer[..hdr_len as usize].last_mut().unwrap() = extra;
    }
    longer
}

fn base() -> Btf {
    let mut b = Builder::new();
    let int = b.int("int", 4, IntEncoding::SIGNED).unwrap();
    let s = b.structure("s", 8).member("a", int, 0).member("b", int, 32).finish().unwrap();
    b.ptr(s).unwrap();
    b.finish().unwrap()
}

fn split(base: &Btf) -> Btf {
    let mut b = Builder::on(base);
    b.typedef("own", 3).unwrap();
    b.structure("holds", 8).member("s", 2, 0).finish().unwrap();
    b.finish().unwrap()
}

#[test]
fn headers_of_any_length() {
    let base = base();
    for hdr_len in [24, 25, 31, 32, 33, 40, 1000] {
        for blob in [base.as_bytes(), split(&base).as_bytes()] {
            let open = |blob: Vec<u8>| match Btf::parse(blob.clone()) {
                Err(_) => Btf::parse_split(blob, &base).unwrap(),
                Ok(btf) => btf,
            };
            let longer = with_header(blob, hdr_len, 0);
            let btf = open(longer.clone());
            assert_eq!(Encode::new().encode(&btf).unwrap(), longer);
            let mut other = Encode::new().byte_order(ByteOrder::NATIVE.swapped()).encode(&btf).unwrap();
            assert_ne!(other, longer);
            btf_format::convert(&mut other, ByteOrder::NATIVE).unwrap();
            assert_eq!(other, longer, "there and back");
            let reversed: Vec<u32> = btf.own_ids().rev().collect();
            let back = permute(&permute(&btf, &reversed).unwrap().0, &reversed).unwrap().0;
            assert_eq!(back.as_bytes(), longer, "a header stays as long as it is");
            assert_eq!(sort(&btf).unwrap().0.hdr_len(), hdr_len);
            if btf.is_split() {
                let distilled = distill(&btf).unwrap();
                assert_eq!([distilled.base.hdr_len(), distilled.split.hdr_len()], [hdr_len; 2]);
                assert_eq!(distilled.split.rebase(&base).unwrap().hdr_len(), hdr_len);
            }
            let mut merge = Merge::on(&base);
            merge.add(&btf).unwrap();
            assert_eq!(merge.finish().unwrap().hdr_len(), 24, "what is new has what is needed");
        }
    }
}

#[test]
fn headers_with_data_that_nobody_knows() {
    let base = base();
    for hdr_len in [25, 31, 33, 40, 1000] {
        let blob = with_header(base.as_bytes(), hdr_len, 7);
        let btf = Btf::parse(blob.clone()).unwrap();
        assert_eq!(Encode::new().encode(&btf).unwrap(), blob, "as it is it can be written");
        let unknown = |error: Error| {
            let text = error.to_string();
            assert!(text.contains(&format!("{hdr_len} bytes")), "{text}");
            assert!(matches!(error, Error::Format(Format::UnknownHeaderData { .. })), "{text}");
        };
        unknown(Encode::new().byte_order(ByteOrder::NATIVE.swapped()).encode(&btf).unwrap_err());
        unknown(Encode::new().header_size(32).encode(&btf).unwrap_err());
        unknown(sort(&btf).unwrap_err());
        // Types are what they are, wherever they go.
        let mut b = Builder::new();
        b.append(&btf).unwrap();
        assert_eq!(b.finish().unwrap().as_bytes(), base.as_bytes());
    }
}

/// Kinds up to 127, of which the layout section tells the size alone.
#[test]
fn kinds_that_the_layout_sizes() {
    let mut blob = Blob::new();
    blob.layout((0..128).map(|kind| (kind % 3 * 4, kind % 5 * 4)));
    blob.int();
    for kind in [23, 64, 127u8] {
        let words = usize::from(kind % 3) + 3 * usize::from(kind % 5);
        blob.record(1, kind, 3, true, 99, &vec![0xdead_beef; words]);
    }
    blob.ptr(1);
    let blob = blob.build();
    let btf = Btf::parse(blob.clone()).unwrap();
    assert_eq!(btf.types().len(), 5);
    assert_eq!(Encode::new().encode(&btf).unwrap(), blob);
    let long = Encode::new().header_size(32).layout(true).encode(&btf).unwrap();
    assert_eq!(long, blob, "they stay with their layout");
    assert!(matches!(Encode::new().layout(false).encode(&btf), Err(Error::LayoutNeeded { id: 2, kind: 23, .. })));
    let refused = |result: Result<Btf, Error>| {
        let error = result.unwrap_err();
        assert!(matches!(error, Error::Format(Format::OpaqueKind { kind: 23, .. })), "{error}");
    };
    refused(sort(&btf).map(|(btf, _)| btf));
    refused(Merge::new().add(&btf).map(|_| btf.clone()));
    refused(Builder::new().copy_reachable(btf.type_by_id(2).unwrap()).map(|_| btf.clone()));
    refused(Encode::new().byte_order(ByteOrder::NATIVE.swapped()).encode(&btf).map(|_| btf.clone()));
    // What refers to none of them can be copied.
    let mut b = Builder::new();
    b.copy_reachable(btf.type_by_id(5).unwrap()).unwrap();
    assert_eq!(b.finish().unwrap().types().len(), 2);
    // Of split BTF it is the base's layout that sizes.
    let mut own = Blob::split();
    own.record(1, 64, 0, false, 0, &[1]).ptr(3);
    let split = Btf::parse_split(own.build(), &btf).unwrap();
    assert_eq!(Encode::new().encode(&split).unwrap(), own.build());
    assert!(matches!(distill(&split), Err(Error::Format(Format::OpaqueKind { kind: 64, .. }))));
}

/// More elements than 16 bits count, in both byte orders and through everything.
#[test]
fn more_elements_than_16_bits_count() {
    let count = Info::MAX_VLEN_16 + 5;
    let mut b = Builder::new();
    b.int("z", 4, IntEncoding::NONE).unwrap();
    let mut e = b.enumeration("e", 4);
    for value in 0..count {
        e = e.value("V", value);
    }
    e.finish().unwrap();
    let btf = b.finish().unwrap();
    let count_of = |btf: &Btf, id| match btf.type_by_id(id).unwrap() {
        Type::Enum(e) => e.values().filter(|value| value.name() == "V").count(),
        other => panic!("{other:?}"),
    };
    let swapped = Encode::new().byte_order(ByteOrder::NATIVE.swapped()).encode(&btf).unwrap();
    let mut b = Builder::new();
    b.append(&btf).unwrap();
    let copied = b.copy(btf.type_by_id(2).unwrap()).unwrap();
    let twice = b.finish().unwrap();
    let counts = [(&Btf::parse(swapped).unwrap(), 2), (&twice, 2), (&twice, copied), (&sort(&btf).unwrap().0, 1)];
    assert_eq!(counts.map(|(btf, id)| count_of(btf, id)), [count as usize; 4]);
}

#[test]
fn layers_without_strings_and_three_of_them() {
    let base = base();
    let mut b = Builder::on(&base);
    b.ptr(1).unwrap();
    let middle = b.finish().unwrap();
    assert!(middle.string_section().is_empty());
    let mut b = Builder::on(&middle);
    let s = b.structure("b", 8).member("s", 4, 0).finish().unwrap();
    b.structure("int", 8).member("s", 3, 0).member("a", s, 64).finish().unwrap();
    let top = b.finish().unwrap();
    assert!(top.string_section().is_empty(), "the base has all of them");
    for (layer, below) in [(&middle, &base), (&top, &middle)] {
        let bytes = Encode::new().encode(layer).unwrap();
        let again = Btf::parse_split(bytes, below).unwrap();
        assert_eq!(walk::everything(&again), walk::everything(layer));
        for order in [ByteOrder::Little, ByteOrder::Big] {
            let bytes = Encode::new().byte_order(order).encode(layer).unwrap();
            assert_eq!(Header::parse(&bytes).unwrap().byte_order(), order);
        }
    }
    let mut merge = Merge::new();
    let one: Vec<_> = [&base, &middle, &top].map(|layer| merge.add(layer).unwrap()).into();
    let one = (merge.finish().unwrap(), one);
    assert_eq!(
        one.0.type_by_id(6).unwrap().references().map(|ty| ty.to_string()).collect::<Vec<_>>(),
        ["struct s *", "struct b"]
    );
    assert_eq!(one.1[2].id(4), Some(4), "the map of the highest layer has the ids of those below");
    let string = top.record(6).unwrap().head().name_off();
    assert_eq!(one.0.string_at(one.1[2].string(string).unwrap()).unwrap(), "int");
    let distilled = distill(&top).unwrap();
    assert_eq!(distilled.base.types().map(|ty| ty.name().to_string()).collect::<Vec<_>>(), ["int", "s"]);
    let again = distilled.split.rebase(&middle).unwrap();
    assert_eq!(again.types().len(), 4, "pointers of the base have moved");
    let reversed: Vec<u32> = top.own_ids().rev().collect();
    let (permuted, _) = permute(&top, &reversed).unwrap();
    assert_eq!(permuted.type_by_id(5).unwrap().name(), "int");
}

/// Names that lie in each other, through all that stores strings anew.
#[test]
fn names_that_begin_in_the_middle_of_others() {
    let mut blob = Blob::new();
    let long = blob.string("unsigned long int");
    for offset in [long + 9, long + 14, long, long + 17] {
        blob.record(offset, 1, 0, false, 4, &[32]);
    }
    let base = Btf::parse(blob.build()).unwrap();
    let mut own = Blob::split();
    let at = base.string_len();
    own.string("of my own");
    own.record(at + 3, 8, 0, false, 1, &[]).record(at, 8, 0, false, 2, &[]).record(long + 13, 8, 0, false, 3, &[]);
    let split = Btf::parse_split(own.build(), &base).unwrap();
    let names = |btf: &Btf| btf.types().map(|ty| ty.name().to_string()).collect::<Vec<_>>();
    let expected = ["my own", "of my own", " int"];
    assert_eq!(names(&split), expected);
    let distilled = distill(&split).unwrap();
    assert_eq!(names(&distilled.base), ["long int", "int", "unsigned long int"]);
    assert_eq!(distilled.base.string_section().len(), 1 + 18, "one string");
    assert_eq!(names(&distilled.split), expected);
    let mut merge = Merge::new();
    merge.add(&base).unwrap();
    merge.add(&split).unwrap();
    let one = merge.finish().unwrap();
    assert_eq!(names(&one)[4..], expected);
    assert_eq!(one.string_section().len(), 1 + 18 + 10);
    let mut b = Builder::new();
    split.types().for_each(|ty| _ = b.copy_reachable(ty).unwrap());
    assert_eq!(b.finish().unwrap().string_section().len(), 1 + 18 + 10);
    assert_eq!(names(&sort(&split).unwrap().0), [" int", "my own", "of my own"]);
}

/// Types that refer to themselves in ways that C has no words for.
#[test]
fn circles_come_to_an_end() {
    let mut blob = Blob::new();
    let name = blob.string("t");
    // A typedef of itself; a ring of const and volatile; an array of itself; a
    // prototype that takes itself; a tag of itself; a struct that lies in itself.
    blob.record(name, 8, 0, false, 1, &[]).record(0, 10, 0, false, 3, &[]).record(0, 9, 0, false, 2, &[]);
    blob.record(0, 3, 0, false, 0, &[4, 4, 2]).record(0, 13, 1, false, 5, &[name, 5]);
    blob.record(name, 18, 0, false, 6, &[]).record(name, 4, 1, false, 4, &[name, 7, 0]);
    let ring = Btf::parse(blob.build()).unwrap();
    let mut b = Builder::new();
    for ty in ring.types() {
        b.copy_reachable(ty).unwrap();
        b.copy_shallow(ty).unwrap();
        b.copy(ty).unwrap();
    }
    b.append(&ring).unwrap();
    let copies = b.finish().unwrap();
    assert_eq!(copies.types().len(), 14, "of what is whole no shallow copy is made");
    assert_eq!(sort(&copies).unwrap().0.types().len(), 14);
    let mut b = Builder::on(&ring);
    for id in ring.own_ids() {
        b.ptr(id).unwrap();
    }
    let distilled = distill(&b.finish().unwrap()).unwrap();
    assert_eq!(distilled.base.types().map(|ty| ty.kind().unwrap()).collect::<Vec<_>>(), [Kind::Struct]);
    assert_eq!(distilled.split.types().len(), 7 + 6);
}

/// Builds what clang writes into objects and kernels reject: the format allows it.
#[test]
fn what_kernels_refuse_and_objects_have() {
    let mut b = Builder::new();
    let int = b.int("int", 4, IntEncoding::SIGNED).unwrap();
    let proto = b.func_proto(int).finish().unwrap();
    let func = b.func("bpf_kfunc", Linkage::Extern, proto).unwrap();
    let var = b.var("CONFIG_HZ", int, Linkage::Extern).unwrap();
    b.datasec(".kconfig", 0).var(var, 0, 4).finish().unwrap();
    b.datasec(".ksyms", 0).var(func, 0, 0).finish().unwrap();
    b.datasec(".empty", 0).finish().unwrap();
    b.fwd("no such thing", FwdKind::Union).unwrap();
    b.enumeration("forward", 4).finish().unwrap();
    let btf = b.finish().unwrap();
    for order in [ByteOrder::Little, ByteOrder::Big] {
        let again = Btf::parse(Encode::new().byte_order(order).encode(&btf).unwrap()).unwrap();
        assert_eq!(walk::everything(&again), walk::everything(&btf));
    }
    let mut merge = Merge::new();
    merge.add(&btf).unwrap();
    assert_eq!(merge.finish().unwrap().as_bytes(), btf.as_bytes());
}

/// Records of `.BTF.ext` that are longer than those that are known keep their
/// tails.
#[test]
fn longer_records_of_ext_follow() {
    let mut b = Builder::new();
    let proto = b.func_proto(0).finish().unwrap();
    let f = b.func("f", Linkage::Global, proto).unwrap();
    let [tc, file] = ["tc", "a.c"].map(|text| b.string(text).unwrap());
    let btf = b.finish().unwrap();
    let funcs = [16, tc, 1, 0, f, 0xaaaa, 0xbbbb];
    let lines = [20, tc, 1, 0, file, file, 1 << 10, 0xcccc];
    let words = [24, 0, 4 * funcs.len() as u32, 4 * funcs.len() as u32, 4 * lines.len() as u32];
    let words = words.iter().chain(&funcs).chain(&lines).flat_map(|word| word.to_ne_bytes());
    let bytes: Vec<u8> = 0xeb9fu16.to_ne_bytes().into_iter().chain([1, 0]).chain(words).collect();
    let ext = BtfExt::parse(bytes, &btf).unwrap();
    let mut b = Builder::new();
    b.int("int", 4, IntEncoding::SIGNED).unwrap();
    let remap = b.append_with_ext(&btf, &ext).unwrap();
    let all = b.finish().unwrap();
    let moved = remap.remap_ext(&ext, &all).unwrap();
    assert_eq!(moved.func_infos().next().unwrap().func().id(), f + 1);
    assert_eq!(moved.line_infos().next().unwrap().file(), "a.c");
    let word = |at: usize| u32::from_ne_bytes(moved.as_bytes()[at..at + 4].try_into().unwrap());
    let (first, second) = (24 + 20, 24 + 28 + 28);
    assert_eq!([word(first), word(first + 4), word(second)], [0xaaaa, 0xbbbb, 0xcccc]);
}

#[test]
fn structs_of_a_copy_are_found_by_the_bytes_of_their_names() {
    let name: &[u8] = b"odd \xff\xfe name";
    let mut b = Builder::new();
    b.structure(name, 0).finish().unwrap();
    let btf = b.finish().unwrap();
    let mut merge = Merge::new();
    merge.add(&btf).unwrap();
    let one = sort(&merge.finish().unwrap()).unwrap().0;
    assert_eq!(one.find::<Struct<'_>>(name).unwrap().name().as_bytes(), name);
}

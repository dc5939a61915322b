//! Whole BTF made into another: encoded, merged, sorted, distilled.

#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used, clippy::indexing_slicing, reason = "a test")]

use btf_build::{Builder, Encode, Error, IntEncoding, Merge, distill, permute, sort};
use btf_format::{Feature, FeatureSet, Header, KernelVersion, RawBtf};
use btf_tests::{blob::Blob, fixtures, walk::describe};
use btf_types::{Btf, BtfExt, ByteOrder, Datasec, Type};

fn read(name: &str) -> Btf {
    Btf::parse(fixtures::read(name)).unwrap()
}

fn vmlinux(release: &str) -> Btf {
    read(&format!("kernels/{release}/vmlinux.btf"))
}

fn on(name: &str, base: &Btf) -> Btf {
    Btf::parse_split(fixtures::read(name), base).unwrap()
}

fn module(release: &str, name: &str, base: &Btf) -> Btf {
    on(&format!("kernels/{release}/{name}.btf"), base)
}

/// The bytes in the byte order that a BTF is for.
fn bytes(btf: &Btf) -> Vec<u8> {
    Encode::new().encode(btf).unwrap()
}

const MODULES: [&str; 4] = ["veth", "vxlan", "openvswitch", "cast_common"];
const RELEASES: [&str; 3] = [fixtures::UNSORTED, fixtures::SORTED, fixtures::BIG_ENDIAN];

#[test]
fn what_libbpf_distilled_is_distilled_to_the_byte() {
    let mut compared = 0;
    for file in fixtures::files("split").iter().filter(|name| name.contains("__on__")) {
        let (name, kernel) = file.strip_prefix("split/").unwrap().split_once("__on__").unwrap();
        let (_, release) = kernel.strip_suffix(".btf").unwrap().split_once('_').unwrap();
        let base = vmlinux(release);
        let distilled = distill(&on(file, &base)).unwrap();
        assert!(bytes(&distilled.base) == fixtures::read(&format!("split/{name}.btf.base")), "{file}");
        assert!(bytes(&distilled.split) == fixtures::read(&format!("split/{name}.btf")), "{file}");
        compared += 1;
    }
    assert!(compared >= 3, "{compared}");
}

#[test]
fn distilled_and_rebased_a_module_has_its_types_again() {
    for release in RELEASES {
        let base = vmlinux(release);
        for name in MODULES {
            let split = module(release, name, &base);
            let distilled = distill(&split).unwrap_or_else(|error| panic!("{release}, {name}: {error}"));
            assert_eq!(distilled.base.hdr_len(), split.hdr_len());
            assert_eq!(distilled.split.byte_order(), split.byte_order());
            assert!(distilled.base.types().len() * 50 < base.types().len());
            let again = distilled.split.rebase(&base).unwrap();
            for (old, new) in split.types().zip(again.types()) {
                assert_eq!(describe(old), describe(new), "{release}, {name}");
                let moved = distilled.remap.id(old.id()).unwrap();
                assert_eq!(distilled.split.type_by_id(moved).unwrap().name(), old.name());
            }
            // What only refers to other types was moved behind.
            assert!(again.types().len() >= split.types().len());
        }
    }
}

#[test]
fn what_cannot_be_distilled_says_why() {
    let (mut b, _) = with_int();
    let proto = b.func_proto(0).finish().unwrap();
    let func = b.func("f", btf_types::Linkage::Static, proto).unwrap();
    let base = b.finish().unwrap();
    assert_eq!(distill(&base).unwrap_err(), Error::NotSplit);
    let mut b = Builder::on(&base);
    b.decl_tag("bpf_kfunc", func, None).unwrap();
    let error = distill(&b.finish().unwrap()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot distill: the split BTF refers to FUNC `f` (type 3 of the base), which a distilled base cannot have"
    );
    let blob = Blob::split().layout((0..31).map(|_| (4, 0))).record(0, 30, 0, false, 0, &[0]).build();
    let error = distill(&Btf::parse_split(blob, &base).unwrap()).unwrap_err();
    assert!(matches!(error, Error::Format(btf_format::Error::OpaqueKind { kind: 30, .. })), "{error}");
}

fn with_int() -> (Builder, u32) {
    let mut b = Builder::new();
    let int = b.int("int", 4, IntEncoding::SIGNED).unwrap();
    (b, int)
}

#[test]
fn each_kind_is_distilled_as_is_due() {
    let (mut b, int) = with_int();
    let unused = b.float("double", 8).unwrap();
    let inner = b.structure("inner", 8).member("a", int, 0).member("d", unused, 32).finish().unwrap();
    let anonymous = b.structure("", 8).member("inner", inner, 0).finish().unwrap();
    let e64 = b.enumeration64("big", 8).value("BIG", u64::MAX).finish().unwrap();
    let nameless = b.enumeration("", 4).value("A", 1).finish().unwrap();
    let fwd = b.fwd("f", btf_types::FwdKind::Union).unwrap();
    let ptr = b.ptr(anonymous).unwrap();
    let tag = b.type_tag("user", e64).unwrap();
    let array = b.array(fwd, int, 2).unwrap();
    let bits = b.structure("bits", 4).bitfield("b", int, 0, 3).finish().unwrap();
    let base = b.finish().unwrap();
    let mut b = Builder::on(&base);
    let mut s = b.structure("all", 64);
    for ty in [ptr, tag, nameless, array, bits] {
        s = s.member("", ty, 0);
    }
    let own = s.finish().unwrap();
    let split = b.finish().unwrap();
    let distilled = distill(&split).unwrap();
    let text = |btf: &Btf| btf.types().map(|ty| format!("{:?} {}", ty.kind().unwrap(), ty.name())).collect::<Vec<_>>();
    assert_eq!(text(&distilled.base), ["Int int", "Struct inner", "Enum big", "Fwd f", "Struct bits"]);
    assert!(distilled.base.types().all(|ty| ty.references().next().is_none()));
    let flag = |btf: &Btf, id| btf.record(id).unwrap().head().info().kind_flag();
    assert!(flag(&distilled.base, 4) && !flag(&distilled.base, 5), "that of FWD means something");
    assert_eq!(
        text(&distilled.split),
        ["Struct all", "Struct ", "Enum ", "Ptr ", "TypeTag user", "Array "],
        "own types, and then what the base was not left with"
    );
    assert_eq!(distilled.remap.id(own), Some(6));
    assert_eq!(distilled.remap.id(unused), None, "nothing refers to it");
    assert_eq!(distilled.remap.id(bits), Some(5));
    let again = distilled.split.rebase(&base).unwrap();
    assert_eq!(describe(again.types().next().unwrap()), describe(split.types().next().unwrap()));
}

/// Types and names of a BTF as text, in an order that does not depend on ids.
fn sorted_text(btf: &Btf) -> Vec<String> {
    let mut all: Vec<String> = btf.types().map(describe).collect();
    all.sort_unstable();
    all
}

#[test]
fn sorted_kernels_have_the_same_types_and_answers() {
    let base = vmlinux(fixtures::UNSORTED);
    assert!(!base.is_name_sorted());
    let (sorted, remap) = sort(&base).unwrap();
    assert!(sorted.is_name_sorted());
    assert!(sorted_text(&base) == sorted_text(&sorted));
    let mut new_ids = vec![false; base.type_count() as usize];
    for ty in base.types() {
        let new = remap.id(ty.id()).unwrap();
        assert!(!std::mem::replace(&mut new_ids[new as usize], true));
        assert_eq!(sorted.type_by_id(new).unwrap().name(), ty.name());
    }
    for ty in base.types().step_by(7).filter(|ty| !ty.name().is_empty()) {
        let all = |btf: &Btf| btf.find_all::<Type<'_>>(ty.name()).iter().map(|ty| ty.id()).collect::<Vec<_>>();
        let old: Vec<u32> = all(&base).into_iter().map(|id| remap.id(id).unwrap()).collect();
        assert_eq!(all(&sorted), old, "{}: in the order that they had", ty.name());
    }
    // Sorting what is sorted changes nothing.
    let (again, remap) = sort(&sorted).unwrap();
    assert!(again.as_bytes() == sorted.as_bytes());
    assert!(sorted.own_ids().all(|id| remap.id(id) == Some(id)));
    for release in [fixtures::SORTED, fixtures::BIG_ENDIAN] {
        let base = vmlinux(release);
        assert!(bytes(&sort(&base).unwrap().0) == bytes(&base), "{release}");
        for name in MODULES {
            let split = module(release, name, &base);
            let (sorted, _) = sort(&split).unwrap();
            let is_sorted = split.is_name_sorted() || split.types().len() == 0;
            assert_eq!(bytes(&sorted) == bytes(&split), is_sorted, "{release}, {name}");
            assert_eq!(sorted_text(&sorted), sorted_text(&split), "{release}, {name}");
        }
    }
}

#[test]
fn an_objects_ext_follows_when_its_types_are_sorted() {
    for file in ["bpf/clang-22/core_field-el.bpf.o", "bpf/clang-14/core_field-eb.bpf.o"] {
        let btf = Btf::parse(fixtures::section(file, ".BTF").unwrap()).unwrap();
        let ext = BtfExt::parse(fixtures::section(file, ".BTF.ext").unwrap(), &btf).unwrap();
        let (sorted, remap) = sort(&btf).unwrap();
        let moved = remap.remap_ext(&ext, &sorted).unwrap();
        assert!(btf.own_ids().any(|id| remap.id(id) != Some(id)), "{file}: something moves");
        let relos = |ext: &BtfExt| {
            let all = ext.core_relos();
            all.map(|relo| format!("{} {:?} {} {}", relo.insn_offset(), relo.kind(), relo.ty(), relo.access_string()))
                .collect::<Vec<_>>()
        };
        assert!(!relos(&ext).is_empty());
        assert_eq!(relos(&ext), relos(&moved), "{file}");
    }
}

#[test]
fn only_a_permutation_permutes() {
    let (mut b, int) = with_int();
    b.ptr(int).unwrap();
    b.ptr(int).unwrap();
    let btf = b.finish().unwrap();
    for (ids, reason) in [
        (&[1, 2][..], "another number of ids"),
        (&[1, 2, 3, 4], "another number of ids"),
        (&[1, 2, 2], "an id occurs twice"),
        (&[0, 1, 2], "an id is none of them"),
        (&[4, 1, 2], "an id is none of them"),
    ] {
        let error = permute(&btf, ids).unwrap_err().to_string();
        assert_eq!(error, format!("not a permutation of the own ids, 1 to 3: {reason}"));
    }
    let (turned, remap) = permute(&btf, &[3, 1, 2]).unwrap();
    assert_eq!(turned.types().map(|ty| ty.to_string()).collect::<Vec<_>>(), ["int *", "int *", "int"]);
    assert_eq!([0, 1, 2, 3, 4].map(|id| remap.id(id)), [Some(0), Some(3), Some(1), Some(2), None]);
}

#[test]
fn long_names_that_are_alike_are_sorted_or_refused_in_no_time() {
    // Types whose names are the many ends of a long one.
    let mut blob = Blob::new();
    let name = blob.string([b'a'; 60_000]);
    for end in (0..60_000).rev() {
        blob.record(name + end, 8, 0, false, 0, &[]);
    }
    let btf = Btf::parse(blob.build()).unwrap();
    assert!(matches!(sort(&btf), Err(Error::TooComplex { .. })));
    // Types that share a long one are no more work than with a short one.
    let mut blob = Blob::new();
    let other = blob.string("b");
    let name = blob.string([b'a'; 1 << 20]);
    for index in 0..20_000 {
        blob.record(if index % 2 == 0 { name } else { other }, 8, 0, false, 0, &[]);
    }
    let (sorted, _) = sort(&Btf::parse(blob.build()).unwrap()).unwrap();
    assert!(sorted.types().take(10_000).all(|ty| ty.name().as_bytes().len() == 1 << 20));
}

#[test]
fn a_kernel_and_its_modules_become_one() {
    for release in RELEASES {
        let base = vmlinux(release);
        let mut merge = Merge::new();
        merge.add(&base).unwrap();
        let mut expected = sorted_text(&base);
        let (mut next, mut remaps) = (base.type_count(), Vec::new());
        for name in MODULES {
            let split = module(release, name, &base);
            let remap = merge.add(&split).unwrap();
            assert!(split.own_ids().all(|id| remap.id(id) == Some(id - split.own_ids().start + next)));
            next += split.types().len() as u32;
            expected.extend(split.types().map(describe));
            remaps.push((split, remap));
        }
        let one = merge.finish().unwrap();
        assert!(!one.is_split());
        assert_eq!(one.byte_order(), base.byte_order());
        expected.sort_unstable();
        assert_eq!(sorted_text(&one), expected, "{release}");
        for (split, remap) in &remaps {
            for ty in split.types() {
                let new = one.type_by_id(remap.id(ty.id()).unwrap()).unwrap();
                assert_eq!(describe(new), describe(ty), "{release}");
            }
        }
        // No string is there twice.
        let raw = RawBtf::parse(one.as_bytes()).unwrap();
        let mut strings: Vec<&[u8]> = raw.strings().iter().map(|(_, name)| name.as_bytes()).collect();
        let count = strings.len();
        strings.sort_unstable();
        strings.dedup();
        assert_eq!(strings.len(), count);
    }
}

#[test]
fn modules_become_one_on_their_kernel() {
    let base = vmlinux(fixtures::SORTED);
    let mut merge = Merge::on(&base);
    let mut expected = Vec::new();
    for name in MODULES {
        let split = module(fixtures::SORTED, name, &base);
        merge.add(&split).unwrap();
        expected.extend(split.types().map(describe));
    }
    let one = merge.finish().unwrap();
    assert!(one.base().unwrap().is_same(&base));
    assert_eq!(one.types().map(describe).collect::<Vec<_>>(), expected);
}

#[test]
fn what_is_appended_to_nothing_is_what_it_was() {
    for release in RELEASES {
        let base = vmlinux(release);
        let mut b = Builder::new().byte_order(base.byte_order());
        let remap = b.append(&base).unwrap();
        assert!(base.own_ids().all(|id| remap.id(id) == Some(id)));
        let again = b.finish().unwrap();
        assert!(describe_all(&again) == describe_all(&base), "{release}");
        let strings: Vec<Option<u32>> = base.types().map(|ty| remap.string(name_off(&base, ty.id()))).collect();
        let expected: Vec<Option<u32>> = again.types().map(|ty| Some(name_off(&again, ty.id()))).collect();
        assert_eq!(strings, expected);
    }
}

fn name_off(btf: &Btf, id: u32) -> u32 {
    btf.record(id).unwrap().head().name_off()
}

fn describe_all(btf: &Btf) -> Vec<String> {
    btf.types().map(describe).collect()
}

#[test]
fn what_cannot_be_appended_changes_nothing() {
    let base = vmlinux(fixtures::UNSORTED);
    let split = module(fixtures::UNSORTED, "veth", &base);
    let (mut b, _) = with_int();
    let error = b.append(&split).unwrap_err();
    assert_eq!(error, Error::OtherBase);
    let big = vmlinux(fixtures::BIG_ENDIAN);
    if ByteOrder::NATIVE == ByteOrder::Little {
        assert_eq!(b.append(&big).unwrap_err().to_string(), "cannot add big-endian BTF to little-endian BTF");
    }
    // The last type is of a kind of which nobody knows what it refers to.
    let mut blob = Blob::new();
    blob.layout((0..31).map(|_| (4, 0)));
    let name = blob.string("new name");
    blob.record(name, 8, 0, false, 0, &[]).record(name, 30, 0, false, 0, &[0]);
    let unknown = Btf::parse(blob.build()).unwrap();
    let error = b.append(&unknown).unwrap_err();
    assert!(matches!(error, Error::Format(btf_format::Error::OpaqueKind { kind: 30, .. })), "{error}");
    let btf = b.finish().unwrap();
    assert_eq!((btf.types().len(), btf.string_section().len()), (1, 5));
    let mut merge = Merge::new();
    assert_eq!(merge.add(&split).unwrap_err(), Error::OtherBase, "its base comes first");
}

#[test]
fn sections_of_the_same_name_stay_apart() {
    let mut merge = Merge::new();
    let files = fixtures::files("bpf/clang-22");
    let mut datasecs = 0;
    for file in files.iter().filter(|name| name.ends_with("-el.bpf.o")) {
        let btf = Btf::parse(fixtures::section(file, ".BTF").unwrap()).unwrap();
        datasecs += btf.types().filter(|ty| matches!(ty, Type::Datasec(_))).count();
        merge.add(&btf).unwrap();
    }
    let one = merge.finish().unwrap();
    assert_eq!(one.types().filter(|ty| matches!(ty, Type::Datasec(_))).count(), datasecs);
    assert!(one.find_all::<Datasec<'_>>("license").len() > 1);
}

#[test]
fn offsets_into_the_middle_of_a_string_do_not_multiply_it() {
    let mut blob = Blob::new();
    let name = blob.string([b'x'; 10_000]);
    for at in 0..10_000 {
        blob.record(name + at, 8, 0, false, 0, &[]);
    }
    let btf = Btf::parse(blob.build()).unwrap();
    let mut b = Builder::new();
    b.append(&btf).unwrap();
    for ty in btf.types().take(100) {
        b.copy_reachable(ty).unwrap();
    }
    let twice = b.finish().unwrap();
    assert_eq!(twice.string_section().len(), 10_002);
    assert!(twice.types().zip(btf.types().chain(btf.types())).all(|(new, old)| new.name() == old.name()));
}

#[test]
fn encoded_with_nothing_changed_the_bytes_are_those_that_were_opened() {
    for fixture in fixtures::raw_btf() {
        let base = fixture.base.as_deref().map(read);
        let original = fixtures::read(&fixture.name);
        let btf = Btf::options().maybe_base(base.as_ref()).parse(original.clone()).unwrap();
        assert!(bytes(&btf) == original, "{}", fixture.name);
        let other = btf.byte_order().swapped();
        let swapped = Encode::new().byte_order(other).encode(&btf).unwrap();
        assert_eq!(Header::parse(&swapped).unwrap().byte_order(), other);
        let mut back = swapped;
        btf_format::convert(&mut back, btf.byte_order()).unwrap();
        assert!(back == original, "{}", fixture.name);
    }
}

#[test]
fn in_pieces_the_bytes_are_the_same_or_there_are_none() {
    let btf = vmlinux(fixtures::UNSORTED);
    let in_pieces = |encode: Encode, btf: &Btf| {
        let (mut bytes, mut pieces) = (Vec::new(), 0);
        let result = encode.encode_to(btf, |piece| {
            bytes.extend_from_slice(piece);
            pieces += usize::from(!piece.is_empty());
        });
        result.map(|()| (bytes, pieces)).map_err(|error| (error, pieces))
    };
    let other = btf.byte_order().swapped();
    for encode in [
        Encode::new(),
        Encode::new().byte_order(other),
        Encode::new().header_size(32),
        Encode::new().byte_order(other).layout(true),
    ] {
        let (bytes, pieces) = in_pieces(encode, &btf).unwrap();
        assert!(bytes == encode.encode(&btf).unwrap(), "{encode:?}");
        assert!(pieces < bytes.len() / 4096 + 8, "{encode:?}: {pieces}");
    }
    let (error, pieces) = in_pieces(Encode::new().for_kernel(KernelVersion::new(4, 18)), &btf).unwrap_err();
    assert!(matches!(error, Error::Unreadable { .. }) && pieces == 0, "{error}");
    let blob = Blob::new().layout((0..31).map(|_| (4, 0))).record(0, 30, 0, false, 0, &[0]).build();
    let unknown = Btf::parse(blob).unwrap();
    for encode in [Encode::new().byte_order(unknown.byte_order().swapped()), Encode::new().layout(false)] {
        assert_eq!(in_pieces(encode, &unknown).unwrap_err().1, 0, "{encode:?}");
    }
}

#[test]
fn headers_and_layouts_are_as_asked_for() {
    let base = vmlinux(fixtures::UNSORTED);
    let split = module(fixtures::UNSORTED, "veth", &base);
    let (b, _) = with_int();
    for btf in [&base, &split, &b.finish().unwrap(), &vmlinux(fixtures::BIG_ENDIAN)] {
        let open = |bytes: Vec<u8>| Btf::options().maybe_base(btf.base()).parse(bytes).unwrap();
        for order in [ByteOrder::Little, ByteOrder::Big] {
            let encode = Encode::new().byte_order(order);
            // The base of split BTF has its own order.
            let open = |bytes: Vec<u8>| if order == btf.byte_order() { Some(open(bytes)) } else { None };
            let long = encode.header_size(32).encode(btf).unwrap();
            assert_eq!(Header::parse(&long).unwrap().hdr_len(), 32);
            let with = encode.layout(true).encode(btf).unwrap();
            let header = Header::parse(&with).unwrap();
            assert_eq!((header.hdr_len(), header.layout().len(), header.byte_order()), (32, 80, order));
            assert_eq!(header.layout().start, header.types().end, "types, layout, strings");
            assert_eq!(header.layout().end, header.strings().start);
            let Some(with) = open(with) else { continue };
            let without = Encode::new().layout(false).header_size(24).encode(&with).unwrap();
            assert!(without == bytes(btf) || btf.hdr_len() != 24, "there and back");
            assert_eq!(Encode::new().layout(true).encode(&with).unwrap(), bytes(&with), "it has one");
            let short = Encode::new().header_size(24).encode(&open(long).unwrap()).unwrap();
            assert_eq!(short, without);
        }
    }
    let with = read("golden/layout/maps-el.layout.btf");
    assert!(with.has_layout());
    let error = Encode::new().header_size(24).encode(&with).unwrap_err();
    assert_eq!(error.to_string(), "BTF header of 24 bytes, expected 32, for the layout section");
    let error = Encode::new().header_size(28).encode(&base).unwrap_err();
    assert_eq!(error.to_string(), "BTF header of 28 bytes, expected 24 or 32");
    let old = Encode::new().for_kernel(KernelVersion::new(6, 18)).encode(&with).unwrap();
    assert_eq!(Header::parse(&old).unwrap().hdr_len(), 24, "a kernel that does not know the layout gets none");
    let new = Encode::new().for_kernel(KernelVersion::new(7, 1)).encode(&with).unwrap();
    assert_eq!(new, bytes(&with));
    let error = Encode::new().layout(true).for_kernel(KernelVersion::new(7, 0)).encode(&base).unwrap_err();
    assert_eq!(error.to_string(), "the BTF cannot be read by the kernel: the layout section came with Linux 7.1");
    // What only the layout section sizes.
    let blob = Blob::new().layout((0..31).map(|_| (4, 0))).record(0, 30, 0, false, 0, &[0]).build();
    let unknown = Btf::parse(blob).unwrap();
    let error = Encode::new().layout(false).encode(&unknown).unwrap_err();
    assert!(matches!(error, Error::LayoutNeeded { id: 1, kind: 30, .. }), "{error}");
    assert!(matches!(Encode::new().byte_order(ByteOrder::NATIVE.swapped()).encode(&unknown), Err(Error::Format(_))));
    let error = Encode::new().for_kernel(KernelVersion::new(99, 0)).encode(&unknown).unwrap_err();
    assert!(matches!(error, Error::UnknownKind { id: 1, kind: 30, .. }), "{error}");
    // A header that is longer than what is known, with data.
    let mut blob = bytes(&base);
    blob.splice(24..24, [1; 16]);
    blob[4] = 40;
    blob[24..32].fill(0);
    let longer = Btf::parse(blob).unwrap();
    assert!(matches!(Encode::new().header_size(32).encode(&longer), Err(Error::Format(_))));
    assert!(sort(&longer).is_err());
}

/// The first kernel that can read each feature.
#[test]
fn a_kernel_gets_what_it_can_read_or_the_name_of_what_it_cannot() {
    type Make = fn(&mut Builder, u32);
    let since: [(&str, Feature, Make); 14] = [
        ("FUNC_PROTO", Feature::Func, |b, _| _ = b.func_proto(0).finish().unwrap()),
        ("kind_flag", Feature::Func, |b, int| _ = b.structure("s", 4).bitfield("b", int, 0, 1).finish().unwrap()),
        ("FWD of a union", Feature::Func, |b, _| _ = b.fwd("u", btf_types::FwdKind::Union).unwrap()),
        ("VAR", Feature::Datasec, |b, int| _ = b.var("v", int, btf_types::Linkage::Global).unwrap()),
        ("DATASEC", Feature::Datasec, |b, int| _ = b.datasec(".data", 4).var(int, 0, 4).finish().unwrap()),
        ("linkage", Feature::FuncLinkage, |b, _| {
            let proto = b.func_proto(0).finish().unwrap();
            b.func("f", btf_types::Linkage::Global, proto).unwrap();
        }),
        ("DATASEC without", Feature::EmptyDatasec, |b, _| _ = b.datasec(".data", 4).finish().unwrap()),
        ("FLOAT", Feature::Float, |b, _| _ = b.float("double", 8).unwrap()),
        ("DECL_TAG", Feature::DeclTag, |b, int| _ = b.decl_tag("t", int, None).unwrap()),
        ("TYPE_TAG", Feature::TypeTag, |b, int| _ = b.type_tag("t", int).unwrap()),
        ("ENUM64", Feature::Enum64, |b, _| _ = b.enumeration64("e", 8).finish().unwrap()),
        ("signed ENUM", Feature::Enum64, |b, _| _ = b.enumeration("e", 4).value("A", -1).finish().unwrap()),
        ("not an identifier", Feature::OptionalDatasec, |b, int| {
            b.datasec("?.struct_ops", 4).var(int, 0, 4).finish().unwrap();
        }),
        ("attribute", Feature::TypeAttribute, |b, int| _ = b.type_attribute("t", int).unwrap()),
    ];
    for (what, feature, make) in since {
        let (mut b, int) = with_int();
        make(&mut b, int);
        let btf = b.finish().unwrap();
        let version = feature.since();
        let new = Encode::new().for_kernel(version).encode(&btf).unwrap();
        assert_eq!(new, btf.as_bytes(), "{what}");
        let before = KernelVersion::new(version.major(), version.minor().wrapping_sub(1));
        let before = if version.minor() == 0 { KernelVersion::new(version.major() - 1, 999) } else { before };
        match Encode::new().for_kernel(before).encode(&btf) {
            Err(error @ Error::Unreadable { .. }) => {
                let text = error.to_string();
                assert!(text.contains(what) && text.contains(&version.to_string()), "{text}");
            }
            other => panic!("{what}: {other:?}"),
        }
        let mut features = FeatureSet::ALL;
        assert!(Encode::new().for_features(features).encode(&btf).is_ok());
        features.remove(feature);
        assert!(matches!(Encode::new().for_features(features).encode(&btf), Err(Error::Unreadable { .. })), "{what}");
    }
    let (b, int) = with_int();
    let btf = b.finish().unwrap();
    assert!(Encode::new().for_kernel(KernelVersion::new(4, 17)).encode(&btf).is_err());
    let mut b = Builder::on(&btf);
    b.ptr(int).unwrap();
    let split = b.finish().unwrap();
    assert!(Encode::new().for_kernel(KernelVersion::new(5, 10)).encode(&split).is_err(), "split BTF came with 5.11");
    assert!(Encode::new().for_kernel(KernelVersion::new(5, 11)).encode(&split).is_ok());
    // More than 16 bits of vlen, and inline locations.
    let mut b = Builder::new();
    let mut proto = b.func_proto(0);
    for _ in 0..0x1_0000 {
        proto = proto.param("", 0);
    }
    proto.finish().unwrap();
    let large = b.finish().unwrap();
    assert!(matches!(Encode::new().for_kernel(KernelVersion::new(7, 1)).encode(&large), Err(Error::Unreadable { .. })));
    assert!(Encode::new().for_kernel(KernelVersion::new(7, 2)).encode(&large).is_ok());
    let location = Btf::parse(Blob::new().record(0, 20, 0, false, 4, &[8]).build()).unwrap();
    assert!(Encode::new().for_kernel(KernelVersion::new(7, 3)).encode(&location).is_err());
    assert!(Encode::new().for_kernel(KernelVersion::new(7, 4)).encode(&location).is_ok());
    // A kernel reads its own BTF, and one from before does not.
    let modern = vmlinux(fixtures::SORTED);
    assert!(Encode::new().for_kernel(KernelVersion::new(7, 3)).encode(&modern).is_ok());
    let error = Encode::new().for_kernel(KernelVersion::new(5, 4)).encode(&modern).unwrap_err();
    assert!(matches!(error, Error::Unreadable { .. }), "{error}");
}

#[test]
fn kinds_that_are_not_built_are_copied_merged_and_sorted() {
    let mut blob = Blob::new();
    let section = blob.string("inline.text");
    let f = blob.string("f");
    blob.int().record(0, 13, 0, false, 0, &[]).record(f, 12, 0, false, 2, &[]);
    blob.record(0, 20, 1, false, 4, &[8, 1]).record(0, 21, 1, false, 0, &[4]);
    blob.record(section, 22, 1, false, 0, &[3, 5, 64]);
    let btf = Btf::parse(blob.build()).unwrap();
    let mut b = Builder::new();
    b.float("double", 8).unwrap();
    b.append(&btf).unwrap();
    let id = b.copy_reachable(btf.type_by_id(6).unwrap()).unwrap();
    let twice = b.finish().unwrap();
    let words = |id| twice.record(id).unwrap().words().skip(3).map(|(_, word)| word).collect::<Vec<_>>();
    assert_eq!(words(7), [4, 6, 64]);
    let copied = words(id);
    assert_eq!(twice.type_by_id(copied[0]).unwrap().name(), "f");
    assert_eq!(twice.type_by_id(id).unwrap().name(), "inline.text");
    let (sorted, remap) = sort(&btf).unwrap();
    let locsec = sorted.record(remap.id(6).unwrap()).unwrap();
    let ids: Vec<u32> = locsec.words().skip(3).map(|(_, word)| word).collect();
    assert_eq!(ids, [remap.id(3).unwrap(), remap.id(5).unwrap(), 64]);
}

//! `.BTF.ext` of the BPF objects among the fixtures: against their sources,
//! and against what libbpf made of their relocations.

#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "tests")]

use std::collections::HashSet;

use btf_build::{Builder, Error as BuildError, Merge};
use btf_format::{ByteOrder, Layout, RawBtf, RecordsMut, Word, convert, convert_ext};
use btf_tests::{
    blob::Blob,
    fixtures::{self, btf_ext},
    memory::{self, CountingAllocator},
};
use btf_types::{Btf, BtfExt, CoreReloKind, Error, Kind, Linkage, Remap};
use proptest::prelude::*;

#[global_allocator]
static COUNTING: CountingAllocator = CountingAllocator;

fn objects() -> Vec<String> {
    ["bpf/clang-14", "bpf/clang-22"]
        .iter()
        .flat_map(|folder| fixtures::files(folder))
        .filter(|name| name.ends_with(".bpf.o"))
        .collect()
}

#[test]
fn all_objects_of_both_compilers_and_byte_orders_open() {
    let objects = objects();
    assert!(objects.len() > 30);
    for object in objects {
        let ext = btf_ext(&object);
        let order = if object.contains("-eb") { ByteOrder::Big } else { ByteOrder::Little };
        assert_eq!(ext.btf().byte_order(), order, "{object}");
        let mut funcs = 0;
        for section in ext.sections() {
            assert!(fixtures::section(&object, section.name().to_str().unwrap()).is_some(), "{object}: {section:?}");
            assert_eq!(section.func_infos().len(), section.func_infos().count());
            for info in section.func_infos() {
                funcs += 1;
                assert_eq!(info.section(), section);
                assert_eq!(info.section().name(), section.name());
                assert_eq!(info.insn_offset() % 8, 0, "{object}: bytes, not instructions");
                assert!(!info.func().name().is_empty(), "{object}");
            }
        }
        assert!(funcs > 0, "{object}");
        assert_eq!(funcs, ext.func_infos().len(), "{object}");
        for info in ext.line_infos() {
            assert_eq!(info.insn_offset() % 8, 0, "{object}");
            assert!(info.file().as_bytes().ends_with(b".c") || info.file().as_bytes().ends_with(b".h"), "{info:?}");
        }
    }
}

/// The source line that a line info names is the line of the source.
#[test]
#[allow(clippy::mutable_key_type, reason = "equal by where they are")]
fn a_record_equals_itself_alone() {
    let object = "bpf/clang-22/core_type-el.bpf.o";
    let (ext, again) = (btf_ext(object), btf_ext(object));
    let by_section: HashSet<_> = ext.into_iter().flat_map(btf_types::ExtSection::core_relos).collect();
    assert!(by_section.len() > 1);
    assert_eq!(by_section, ext.core_relos().collect());
    assert!(again.core_relos().all(|relo| !by_section.contains(&relo)), "of another BtfExt");
    assert_eq!(ext.line_infos().collect::<HashSet<_>>().len(), ext.line_infos().len());
    assert_eq!(ext.func_infos().next(), ext.func_infos().next());
    assert_eq!(ext.sections().collect::<HashSet<_>>().len(), ext.sections().len());
}

#[test]
fn lines_are_those_of_the_source() {
    for object in objects().into_iter().filter(|name| name.contains("maps") || name.contains("tags")) {
        let mut compared = 0;
        for info in btf_ext(&object).line_infos() {
            let file = info.file().to_string();
            let path = format!("bpf/{}", file.rsplit('/').next().unwrap());
            let source = String::from_utf8(fixtures::read(&path)).unwrap();
            if info.line() > 0 && !info.text().is_empty() {
                let line = source.lines().nth(info.line() as usize - 1).unwrap();
                assert_eq!(info.text().to_str().unwrap().trim(), line.trim(), "{object}: {info:?}");
                compared += 1;
            }
        }
        assert!(compared > 5, "{object}");
    }
}

/// The first columns of libbpf's own table: section, instruction, kind, local
/// type, access string, in this order.
#[test]
fn relocations_are_those_that_libbpf_sees() {
    for name in ["core_field-el", "core_field-eb", "core_type-el", "core_type-eb"] {
        let table = String::from_utf8(fixtures::read(&format!("golden/core/{name}.tsv"))).unwrap();
        let expected: Vec<String> = table
            .lines()
            .filter(|line| !line.starts_with('#'))
            .map(|line| line.split('\t').take(5).collect::<Vec<_>>().join("\t"))
            .collect();
        let ext = btf_ext(&format!("bpf/clang-22/{name}.bpf.o"));
        let found: Vec<String> = ext
            .core_relos()
            .map(|relo| {
                let section = relo.section().name();
                let ty = relo.ty();
                let name = if ty.name().is_empty() { "<anon>".into() } else { ty.name().to_string() };
                format!("{section}\t{}\t{}\t{name}\t{}", relo.insn_offset(), relo.kind(), relo.access_string())
            })
            .collect();
        assert_eq!(found, expected, "{name}");
    }
}

#[test]
fn access_strings_are_numbers() {
    let ext = btf_ext("bpf/clang-22/core_real-el.bpf.o");
    for relo in ext.core_relos() {
        let text = relo.access().map(|number| number.to_string()).collect::<Vec<_>>().join(":");
        assert_eq!(relo.access_string(), text.as_str());
        assert!(!matches!(relo.kind(), CoreReloKind::Unknown(_)));
    }
    for number in 0..13 {
        assert_eq!(u32::from(CoreReloKind::from(number)), number);
    }
    assert_eq!(CoreReloKind::from(77), CoreReloKind::Unknown(77));
}

#[test]
fn what_does_not_belong_to_the_btf_is_refused() {
    let object = "bpf/clang-22/core_type-el.bpf.o";
    let section = |object: &str, name| fixtures::section(object, name).unwrap();
    let bytes = section(object, ".BTF.ext");
    let other = Btf::parse(section("bpf/clang-22/linked1-el.bpf.o", ".BTF")).unwrap();
    assert!(matches!(BtfExt::parse(bytes.clone(), &other), Err(Error::ExtReference { .. } | Error::ExtNotFunc { .. })));
    let big = Btf::parse(section("bpf/clang-22/core_type-eb.bpf.o", ".BTF")).unwrap();
    let error = BtfExt::parse(bytes.clone(), &big).unwrap_err();
    let is_order = matches!(error, Error::ByteOrderOfExt { ext: ByteOrder::Little, btf: ByteOrder::Big, .. });
    assert!(is_order, "{error}");
    // Converted, it belongs again: the names and ids of both are the same.
    let mut swapped = bytes;
    convert_ext(&mut swapped, ByteOrder::Big).unwrap();
    let swapped = BtfExt::parse(swapped, &big).unwrap();
    let ext = btf_ext(object);
    let all = |ext: &BtfExt| ext.core_relos().map(|relo| format!("{relo:?}")).collect::<Vec<_>>();
    assert_eq!(all(&swapped), all(&ext));
    assert!(ext.btf().types().any(|ty| ty.kind() == Some(Kind::Func)));
}

#[test]
fn bytes_are_those_it_was_opened_from_in_either_order() {
    for object in objects() {
        let bytes = fixtures::section(&object, ".BTF.ext").unwrap();
        let ext = btf_ext(&object);
        let order = ext.btf().byte_order();
        assert_eq!(ext.to_bytes(order).as_deref(), Ok(&bytes[..]), "{object}");
        let swapped = ext.to_bytes(order.swapped()).unwrap();
        assert_ne!(swapped, bytes);
        assert_eq!(ext.as_bytes(), if order == ByteOrder::NATIVE { &bytes[..] } else { &swapped[..] }, "{object}");
    }
}

/// Records of all sections together are those of each by its name.
#[test]
fn sections_by_name_have_all_that_there_is() {
    for object in objects() {
        let ext = btf_ext(&object);
        let names: Vec<_> = ext.sections().map(btf_types::ExtSection::name).collect();
        assert_eq!(names.len(), ext.sections().len());
        let (mut funcs, mut lines, mut relos) = (0, 0, 0);
        for name in &names {
            assert_eq!(names.iter().filter(|other| *other == name).count(), 1, "{object}: {name}");
            let section = ext.section(name).unwrap();
            let inside = |of: btf_types::ExtSection<'_>| of.name() == *name;
            assert!(section.func_infos().all(|info| inside(info.section())), "{object}: {name}");
            assert!(section.line_infos().all(|info| inside(info.section())), "{object}: {name}");
            assert!(section.core_relos().all(|relo| inside(relo.section())), "{object}: {name}");
            let offsets: Vec<_> = section.line_infos().map(btf_types::LineInfo::insn_offset).collect();
            assert!(offsets.is_sorted(), "{object}: {name}");
            funcs += section.func_infos().count();
            lines += section.line_infos().count();
            relos += section.core_relos().count();
        }
        assert_eq!(funcs, ext.func_infos().count(), "{object}");
        assert_eq!(lines, ext.line_infos().count(), "{object}");
        assert_eq!(relos, ext.core_relos().count(), "{object}");
        assert!(ext.section("no such section").is_none());
        assert!(ext.section(names[0].as_bytes().split_last().unwrap().1).is_none(), "a part of a name");
    }
}

/// `.BTF` with a FUNC (id 3), and these strings; and their offsets.
fn btf_with<const N: usize>(strings: [&[u8]; N]) -> (Btf, [u32; N]) {
    let mut blob = Blob::new();
    let offsets = strings.map(|text| blob.string(text));
    blob.int().record(0, 13, 0, false, 1, &[]).record(offsets[0], 12, 0, false, 2, &[]);
    (Btf::parse(blob.build()).unwrap(), offsets)
}

/// `.BTF.ext` of these words: func_info, then line_info, then relocations.
fn ext_of(sections: [&[u32]; 3]) -> Vec<u8> {
    let len = sections.map(|words| words.len() as u32 * 4);
    let header = [32, 0, len[0], len[0], len[1], len[0] + len[1], len[2]];
    let words = header.iter().chain(sections.into_iter().flatten());
    [&0xeb9fu16.to_ne_bytes(), &[1, 0], &words.flat_map(|word| word.to_ne_bytes()).collect::<Vec<_>>()[..]].concat()
}

/// Blocks of equal names are one section, at whatever offset the name stands.
#[test]
fn blocks_of_a_section_are_gathered() {
    let (btf, [_, xdp, tc, again]) = btf_with([b"f", b"xdp", b"tc", b"xdp"]);
    let funcs = [8, xdp, 2, 0, 3, 8, 3, tc, 1, 16, 3, again, 1, 24, 3];
    let lines = [16, tc, 1, 0, tc, tc, 1 << 10];
    let ext = BtfExt::parse(ext_of([&funcs, &lines, &[]]), &btf).unwrap();
    let names: Vec<_> = ext.sections().map(|section| section.name().to_string()).collect();
    assert_eq!(names, ["xdp", "tc"]);
    let offsets = |section: btf_types::ExtSection<'_>| -> Vec<u32> {
        section.func_infos().map(btf_types::FuncInfo::insn_offset).collect()
    };
    assert_eq!(offsets(ext.section("xdp").unwrap()), [0, 8, 24]);
    assert_eq!(offsets(ext.section("tc").unwrap()), [16]);
    assert_eq!(ext.section("xdp").unwrap().line_infos().len(), 0);
    assert_eq!(ext.section("tc").unwrap().line_infos().next().unwrap().line(), 1);
    assert_eq!(ext.func_infos().map(btf_types::FuncInfo::insn_offset).collect::<Vec<_>>(), [0, 8, 16, 24]);
    assert_eq!(ext.core_relos().len(), 0);
}

/// Many blocks whose section has one long name cost no more than one, and names
/// that overlap without measure are refused.
#[test]
fn names_of_sections_are_read_once() {
    const BLOCKS: u32 = 60_000;
    let long = vec![b'a'; 1 << 20];
    let (btf, [_, name]) = btf_with([b"f", &long]);
    let blocks = |step: u32| {
        let words: Vec<u32> = (0..BLOCKS).flat_map(|block| [name + block * step, 1, block * 8, 3]).collect();
        ext_of([&[&[8], &words[..]].concat(), &[], &[]])
    };
    let shared = BtfExt::parse(blocks(0), &btf).unwrap();
    assert_eq!(shared.sections().len(), 1);
    assert_eq!(shared.section(&long).unwrap().func_infos().len(), BLOCKS as usize);
    assert!(matches!(BtfExt::parse(blocks(1), &btf), Err(Error::ExtNames { .. })));
}

#[test]
fn access_strings_are_looked_at_as_far_as_they_can_go() {
    let zeros = [&[b'0'; 1 << 20][..], b":1"].concat();
    let longest = [&b"2147483647"[..]; 64].join(&b':');
    let too_many = [&b"0"[..]; 65].join(&b':');
    let strings = [b"f", &zeros[..], &longest, &too_many, b"0:+1", b"", b"0:1"];
    let (btf, offsets) = btf_with(strings);
    let open = |access| BtfExt::parse(ext_of([&[], &[], &[16, offsets[0], 1, 8, 1, access, 0]]), &btf);
    for wrong in [offsets[1], offsets[3], offsets[4], offsets[5]] {
        match open(wrong) {
            Err(Error::AccessString { insn_off: 8, found, .. }) => assert!(found.as_name().as_bytes().len() < 1000),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(open(offsets[2]).unwrap().core_relos().next().unwrap().access().count(), 64);
    assert_eq!(open(offsets[6]).unwrap().core_relos().next().unwrap().access().collect::<Vec<_>>(), [0, 1]);
}

/// All that it says, but for ids and offsets.
fn said(ext: &BtfExt) -> Vec<String> {
    let funcs = ext.func_infos().map(|info| format!("{info:?} {:?}", info.section()));
    let lines = ext.line_infos().map(|info| format!("{info:?} {}", info.text()));
    let relos = ext.core_relos().map(|relo| format!("{relo:?} {:?}", relo.section()));
    funcs.chain(lines).chain(relos).collect()
}

/// Moved to other ids and offsets and back, `.BTF.ext` is what it was, and says
/// in between what it said before.
#[test]
fn remapped_there_and_back() {
    const SHIFT: u32 = 5;
    for object in objects() {
        let ext = btf_ext(&object);
        let btf = ext.btf();
        // The same types and strings after others: as split BTF is on a base.
        let mut base = Blob::new();
        for _ in 0..SHIFT {
            base.ptr(0);
        }
        let mut base = base.build();
        convert(&mut base, btf.byte_order()).unwrap();
        let base = Btf::parse(base).unwrap();
        let (mut there, mut back) = (Remap::builder(0, 0), Remap::builder(SHIFT + 1, 1));
        there.push_id(Some(0));
        for id in btf.own_ids() {
            there.push_id(Some(id + SHIFT));
            back.push_id(Some(id));
        }
        let strings = raw_strings(btf);
        there.push_strings(0..strings, 1);
        back.push_strings(1..strings + 1, 0);
        let (there, back) = (there.finish(), back.finish());
        let mut blob = btf.as_bytes().to_vec();
        let types = RawBtf::parse(&blob).unwrap().header().types();
        for record in RecordsMut::new(&mut blob[types], 0, Layout::NONE) {
            record.unwrap().for_each_field(|field, value| match field.holds {
                Word::Id => there.id(value).unwrap(),
                _ => there.string(value).unwrap(),
            });
        }
        let moved = Btf::from_native(blob, Some(&base), btf.byte_order(), btf.known_pointer_size()).unwrap();
        let moved_ext = there.remap_ext(&ext, &moved).unwrap();
        assert_eq!(said(&moved_ext), said(&ext), "{object}");
        assert_ne!(moved_ext.as_bytes(), ext.as_bytes(), "{object}");
        assert_eq!(back.remap_ext(&moved_ext, btf).unwrap().as_bytes(), ext.as_bytes(), "{object}");
        let nothing = Remap::builder(0, 0).finish();
        assert!(
            matches!(nothing.remap_ext(&ext, btf), Err(Error::TypeNotMapped { .. } | Error::StringNotMapped { .. })),
            "{object}"
        );
    }
}

/// The BTF of many objects in one: the `.BTF.ext` of each says what it said.
#[test]
fn remapped_into_the_merger_of_all_objects() {
    for order in [ByteOrder::Little, ByteOrder::Big] {
        let objects: Vec<BtfExt> = objects().iter().map(|object| btf_ext(object)).collect();
        let objects: Vec<&BtfExt> = objects.iter().filter(|ext| ext.btf().byte_order() == order).collect();
        assert!(objects.len() > 5);
        let (mut merge, mut bare) = (Merge::new(), Merge::new());
        let mut add = |ext: &&BtfExt| (merge.add_with_ext(ext.btf(), ext).unwrap(), bare.add(ext.btf()).unwrap());
        let remaps: Vec<(Remap, Remap)> = objects.iter().map(&mut add).collect();
        let (all, bare) = (merge.finish().unwrap(), bare.finish().unwrap());
        assert_eq!(all.type_count(), bare.type_count());
        let mut lost = 0;
        for (ext, (remap, without)) in objects.iter().zip(remaps) {
            let moved = remap.remap_ext(ext, &all).unwrap();
            assert_eq!(said(&moved), said(ext));
            lost += usize::from(matches!(
                without.remap_ext(ext, &bare),
                Err(Error::TypeNotMapped { .. } | Error::StringNotMapped { .. })
            ));
        }
        assert!(lost > 5, "their strings are not those of types: {lost}");
        // One as it is appended to a builder.
        let mut b = Builder::new().byte_order(order);
        b.float("double", 8).unwrap();
        let remap = b.append_with_ext(objects[0].btf(), objects[0]).unwrap();
        assert_eq!(said(&remap.remap_ext(objects[0], &b.finish().unwrap()).unwrap()), said(objects[0]));
    }
}

/// Remaps `.BTF.ext` that refers to types and strings of a base that moves as
/// well, and of a base that stays.
#[test]
fn remapped_with_a_base() {
    let mut b = Builder::new();
    let proto = b.func_proto(0).finish().unwrap();
    let f = b.func("f", Linkage::Global, proto).unwrap();
    let [tc, line] = ["tc", "return 0;"].map(|text| b.string(text).unwrap());
    let base = b.finish().unwrap();
    let mut b = Builder::on(&base);
    let g = b.func("g", Linkage::Static, proto).unwrap();
    let file = b.string("file.c").unwrap();
    let split = b.finish().unwrap();
    let bytes = ext_of([&[8, tc, 2, 0, f, 8, g], &[16, tc, 1, 0, file, line, 1 << 10], &[]]);
    let ext = BtfExt::parse(bytes, &split).unwrap();
    assert_eq!((ext.func_infos().len(), ext.line_infos().len()), (2, 1));
    let mut other = Builder::new();
    other.float("double", 8).unwrap();
    let other = other.finish().unwrap();
    let mut merge = Merge::new();
    merge.add(&other).unwrap();
    merge.add_with_ext(&base, &BtfExt::parse(ext_of([&[8, tc, 1, 0, f], &[], &[]]), &base).unwrap()).unwrap();
    assert!(matches!(merge.add_with_ext(&base, &ext), Err(BuildError::OtherExt)));
    let remap = merge.add_with_ext(&split, &ext).unwrap();
    let all = merge.finish().unwrap();
    assert_eq!([f, g, proto].map(|id| remap.id(id).unwrap()), [3, 4, 2]);
    assert_eq!(remap.id(0), Some(0));
    assert_eq!(said(&remap.remap_ext(&ext, &all).unwrap()), said(&ext));

    let mut merge = Merge::on(&base);
    merge.add(&split).unwrap();
    let remap = merge.add_with_ext(&split, &ext).unwrap();
    let twice = merge.finish().unwrap();
    assert_eq!([f, g].map(|id| remap.id(id).unwrap()), [2, 4]);
    let moved = remap.remap_ext(&ext, &twice).unwrap();
    assert_eq!(said(&moved), said(&ext));
    assert_eq!(twice.as_bytes()[twice.string_section()], *b"g\0file.c\0");
}

/// Bytes of the strings of BTF that is not split.
fn raw_strings(btf: &Btf) -> u32 {
    RawBtf::parse(btf.as_bytes()).unwrap().strings().as_bytes().len() as u32
}

/// The seed of the fuzz targets that opens with their base does.
#[test]
fn the_seed_of_the_base_opens() {
    let ext = BtfExt::parse(btf_tests::seeds::ext_of_base(), btf_tests::fuzz::base()).unwrap();
    assert_eq!((ext.sections().len(), ext.func_infos().len(), ext.line_infos().len()), (2, 2, 1));
}

/// The index takes a small multiple of the file, and its making no more
/// allocations for many sections than for one.
#[test]
fn many_sections_take_memory_in_proportion() {
    let mut allocations = Vec::new();
    for sections in [1_000, 10_000, 60_000u32] {
        let mut blob = Blob::new();
        let func = blob.string("f");
        let names: Vec<u32> = (0..sections).map(|number| blob.string(format!("s{number}"))).collect();
        blob.int().record(0, 13, 0, false, 1, &[]).record(func, 12, 0, false, 2, &[]);
        let btf = Btf::parse(blob.build()).unwrap();
        let words: Vec<u32> = names.iter().flat_map(|&name| [name, 1, 0, 3]).collect();
        let bytes = ext_of([&[&[8], &words[..]].concat(), &[], &[]]);
        let len = bytes.len() as u64;
        let (ext, heap) = memory::measure(|| BtfExt::parse(bytes, &btf).unwrap());
        assert!(heap.peak <= 8 * len, "{sections} sections: {} bytes for {len}", heap.peak);
        allocations.push(heap.allocations);
        assert_eq!(ext.sections().len(), sections as usize);
        let last = format!("s{}", sections - 1);
        assert_eq!(ext.section(&last).unwrap().func_infos().len(), 1);
    }
    assert!(allocations.iter().all(|&count| count <= allocations[0] + 2), "{allocations:?}");
}

proptest! {
    /// A map of strings is where each range was said to go, byte by byte.
    #[test]
    fn strings_go_where_their_ranges_do(
        lengths in proptest::collection::vec((1u32..20, 0u32..3, any::<bool>()), 0..30),
        first in 0u32..50,
    ) {
        let mut expected = std::collections::BTreeMap::new();
        let mut builder = Remap::builder(0, first);
        let (mut old, mut new) = (first, 1000);
        for (length, gap, is_kept) in lengths {
            if is_kept {
                builder.push_strings(old..old + length, new);
                expected.extend((0..length).map(|byte| (old + byte, new + byte)));
                new += length + gap;
            }
            old += length;
        }
        let remap = builder.finish();
        for offset in 0..old + 5 {
            let there = if offset < first { Some(offset) } else { expected.get(&offset).copied() };
            prop_assert_eq!(remap.string(offset), there, "at {}", offset);
        }
    }
}

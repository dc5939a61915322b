//! ELF files, objects and images in which many things share one: a name, a
//! section, a symbol, a compressed table. Each is asked everything at three
//! sizes: what it costs grows as the file does, or an error says what the limit
//! is.

#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "tests")]

use btf_elf::{BpfObject, BtfFile, Compression, DatasecFault, Elf, Error, Limits, MapFault, SectionType};
use btf_format::ByteOrder;
use btf_relocate::{Relocator, Targets};
use btf_tests::{
    blob::Blob,
    elf_blob::{COMPRESSED, ElfBlob, NOBITS, REL, SectionBlob, SymbolBlob},
    image,
    memory::{self, CountingAllocator, Heap},
    packed, shapes, walk,
};
use btf_types::Btf;

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

const STRUCT: u8 = 4;
const FUNC: u8 = 12;
const FUNC_PROTO: u8 = 13;
const VAR: u8 = 14;
const DATASEC: u8 = 15;
const GLOBAL: u32 = 1;
const EXTERN: u32 = 2;
const MIB: u64 = 1 << 20;

/// Asks at one, two and four times a size. The heap grows no faster than that,
/// and is at most `times` the file and a little.
fn linear(what: &str, size: usize, times: u64, file: impl Fn(usize) -> Vec<u8>, ask: impl Fn(Vec<u8>)) {
    let cost = |size| -> (u64, Heap) {
        let file = file(size);
        let len = file.len() as u64;
        let ((), heap) = memory::measure(|| ask(file));
        assert!(heap.peak <= times * len + 2 * MIB, "{what} of {size}: {heap:?} for {len} bytes");
        (len, heap)
    };
    let (len, once) = cost(size);
    for more in [2, 4] {
        let (longer, heap) = cost(more * size);
        assert!(longer <= more as u64 * len + MIB, "{what}: the case itself is not linear");
        let most = |figure: u64| figure * more as u64 * 5 / 4;
        assert!(heap.allocations <= most(once.allocations) + 1000, "{what}, {more} times: {once:?}, {heap:?}");
        assert!(heap.peak <= most(once.peak) + 2 * MIB, "{what}, {more} times: {once:?}, {heap:?}");
    }
}

/// An object with this BTF.
fn object(blob: &Blob, change: impl FnOnce(&mut ElfBlob)) -> Vec<u8> {
    let mut elf = ElfBlob::bpf(ByteOrder::NATIVE);
    elf.section(".BTF", blob.build());
    change(&mut elf);
    elf.build()
}

/// Asks an object everything.
fn ask(bytes: Vec<u8>) {
    let len = bytes.len();
    let object = BpfObject::parse(bytes).unwrap();
    walk::object(&object);
    let _ = (object.datasec_fixups().btf_lenient().is_ok(), object.datasec_fixups().faults().count());
    walk::elf(object.elf(), len);
}

fn long_name(len: usize) -> Vec<u8> {
    vec![b'x'; len]
}

#[test]
fn datasecs_times_sections() {
    let file = |size: usize| {
        let mut blob = Blob::new();
        for number in 0..4 * size {
            let name = blob.string(format!(".data.{number}"));
            blob.record(name, DATASEC, 0, false, 0, &[]);
        }
        object(&blob, |elf| {
            for number in 0..size {
                elf.section(&format!(".data.{}", 2 * number), [0; 8]);
            }
        })
    };
    linear("DATASECs x sections", 5000, 12, file, |bytes| walk::object(&BpfObject::parse(bytes).unwrap()));
    let object = BpfObject::parse(file(5000)).unwrap();
    assert_eq!(object.datasec_fixups().datasecs().iter().filter(|datasec| datasec.layout().is_ok()).count(), 5000);
    let fault = object.datasec_fixups().faults().next().unwrap();
    assert!(matches!(fault, Error::Datasec { fault: DatasecFault::NoSection, .. }), "{fault}");
}

#[test]
fn datasecs_and_sections_of_one_long_name() {
    let file = |size: usize| {
        let mut blob = Blob::new();
        let name = blob.string(long_name(size * 10));
        for _ in 0..size {
            blob.record(name, DATASEC, 0, false, 0, &[]);
        }
        object(&blob, |elf| {
            let name = String::from_utf8(long_name(size * 10)).unwrap();
            for _ in 0..size / 10 {
                elf.section(&name, [0; 8]);
            }
        })
    };
    linear("one name of DATASECs and sections", 5000, 12, file, ask);
    let object = BpfObject::parse(file(5000)).unwrap();
    assert!(object.datasec_fixups().faults().next().is_none(), "however long it is");
    let sections: Vec<_> = object.data_sections().map(|section| section.contents().unwrap().unwrap().len()).collect();
    assert_eq!(sections, [8; 5000]);
}

/// Names that are ends of one.
#[test]
fn names_that_overlap_run_out_of_budget() {
    const SIZE: u32 = 20_000;
    let mut blob = Blob::new();
    blob.int();
    let name = blob.string(long_name(SIZE as usize));
    for number in 0..SIZE {
        blob.record(name + number, VAR, 0, false, 1, &[GLOBAL]);
        blob.record(name + number, DATASEC, 1, false, 4, &[2 + 2 * number, 0, 4]);
    }
    let ((), heap) = memory::measure(|| {
        let object = BpfObject::parse(object(&blob, |_| {})).unwrap();
        let faults: Vec<Error> = object.datasec_fixups().faults().collect();
        assert_eq!(faults.len(), SIZE as usize);
        let is_limit = |error: &&Error| matches!(error, Error::Datasec { fault: DatasecFault::NamesShared { limit, .. }, .. } if *limit > MIB);
        assert!(faults.iter().filter(is_limit).count() > SIZE as usize / 2);
        assert!(faults.last().unwrap().to_string().contains("names that overlap have more than the limit of "));
        let last = object.data_sections().last().unwrap();
        assert!(matches!(last.contents(), Err(Error::NamesShared { .. })));
    });
    assert!(heap.peak < 32 * MIB, "{heap:?}");
}

#[test]
fn variables_of_one_name() {
    let file = |size: usize| {
        let mut blob = Blob::new();
        blob.int();
        let name = blob.string(long_name(size * 10));
        blob.record(name, VAR, 0, false, 1, &[GLOBAL]);
        let entries: Vec<u32> = (0..size).flat_map(|_| [2, 0, 4]).collect();
        let data = blob.string(".data");
        blob.record(data, DATASEC, size as u32, false, 0, &entries);
        object(&blob, |elf| {
            let data = elf.section(".data", [0; 8]);
            let name = String::from_utf8(long_name(size * 10)).unwrap().leak();
            for _ in 0..size {
                elf.symbol(SymbolBlob { name, section: data, value: 0, info: 0x11, other: 0 });
            }
        })
    };
    linear("variables of one name", 10_000, 8, file, ask);
}

#[test]
fn kconfig_of_names_that_begin_alike() {
    let file = |size: usize| {
        let mut blob = Blob::new();
        blob.int();
        let (long, count) = (size, 200);
        let names: Vec<u32> =
            (0..count).map(|number| blob.string([long_name(long), number.to_string().into()].concat())).collect();
        for name in names {
            blob.record(name, VAR, 0, false, 1, &[EXTERN]);
        }
        let entries: Vec<u32> = (0..10 * size as u32).flat_map(|number| [2 + number % count, 0, 4]).collect();
        let name = blob.string(".kconfig");
        blob.record(name, DATASEC, 10 * size as u32, false, 0, &entries);
        object(&blob, |_| {})
    };
    linear("names in .kconfig", 5000, 12, file, ask);
    let object = BpfObject::parse(file(1000)).unwrap();
    let layout = object.datasec_fixups().datasecs()[0].layout().unwrap();
    let names: Vec<_> =
        layout.entries().iter().map(|entry| object.btf().type_by_id(entry.id()).unwrap().name()).collect();
    assert!(names.is_sorted() && names.len() == 10_000);
}

#[test]
fn datasecs_of_ksyms() {
    let file = |size: usize| {
        let mut blob = Blob::new();
        let name = blob.string(".ksyms");
        for _ in 0..size {
            blob.record(name, DATASEC, 0, false, 0, &[]);
        }
        blob.int();
        object(&blob, |_| {})
    };
    linear("DATASECs .ksyms", 20_000, 20, file, ask);
}

#[test]
fn empty_maps_in_one_place() {
    let blob = |size: usize, entry: [u32; 3], in_struct: u32| {
        let mut blob = Blob::new();
        blob.int().record(0, 3, 0, false, 0, &[1, 1, 1]).ptr(2);
        let (ty, maps) = (blob.string("type"), blob.string(".maps"));
        blob.record(0, STRUCT, 1, false, in_struct, &[ty, 3, 0]).record(ty, VAR, 0, false, 4, &[0]);
        let entries: Vec<u32> = (0..size as u32).flat_map(|number| [5, number * entry[1], entry[2]]).collect();
        blob.record(maps, DATASEC, size as u32, false, 8, &entries);
        object(&blob, |elf| {
            let size = Some(u32::MAX.into());
            elf.add(SectionBlob { name: ".maps".into(), kind: NOBITS, size, ..Default::default() });
        })
    };
    let maps = |bytes: Vec<u8>| BpfObject::parse(bytes).unwrap().maps().map(|maps| maps.len());
    assert!(matches!(maps(blob(3, [5, 0, 0], 0)), Err(Error::Map { fault: MapFault::Overlaps(_), .. })));
    let truncated = maps(blob(3, [5, 8, 7], 8));
    let is_it = |fault: &MapFault| matches!(fault, MapFault::Truncated { found: 7, expected: 8, .. });
    assert!(matches!(truncated, Err(Error::Map { fault, .. }) if is_it(&fault)));
    assert_eq!(maps(blob(3, [5, 8, 8], 8)).unwrap(), 3);
    linear(
        "empty maps",
        50_000,
        12,
        |size| blob(size, [5, 1, 0], 0),
        |bytes| {
            assert!(maps(bytes).unwrap() >= 50_000);
        },
    );
}

/// Values of maps that are all one program of a long name.
#[test]
fn values_of_one_name() {
    let file = |size: usize| {
        let mut blob = Blob::new();
        // 1 int, 2 int[3], 3 pointer to that, 4 void f(void), 5 pointer to it,
        // 6 array of those: a prog_array.
        blob.int().record(0, 3, 0, false, 0, &[1, 1, 3]).ptr(2).record(0, FUNC_PROTO, 0, false, 0, &[]).ptr(4);
        blob.record(0, 3, 0, false, 0, &[5, 1, 0]);
        let (ty, values, maps) = (blob.string("type"), blob.string("values"), blob.string(".maps"));
        let len = 8 * size as u32;
        blob.record(0, STRUCT, 2, false, 8, &[ty, 3, 0, values, 6, 64]).record(ty, VAR, 0, false, 7, &[0]);
        blob.record(maps, DATASEC, 1, false, len, &[8, 0, len]);
        object(&blob, |elf| {
            let maps = elf.section(".maps", vec![0; 8 * size]);
            let name = String::from_utf8(long_name(8 * size)).unwrap().leak();
            let program = elf.symbol(SymbolBlob { name, section: maps, value: 0, info: 0x12, other: 0 });
            // By falling offset, so that they have to be sorted.
            let data = (1..size as u64).rev().flat_map(|at| elf.relocation(at * 8, program, 2)).collect();
            elf.add(SectionBlob { name: ".rel".into(), kind: REL, info: maps.into(), data, ..Default::default() });
        })
    };
    linear("values of maps", 10_000, 6, file, ask);
    let object = BpfObject::parse(file(1000)).unwrap();
    let maps = object.maps().unwrap();
    assert!(maps[0].values().iter().map(|value| value.index()).eq(0..999));
    assert!(maps[0].values().iter().all(|value| value.name().as_bytes().len() == 8000));
}

#[test]
fn blocks_of_one_name_in_ext() {
    let file = |size: usize| {
        let mut blob = Blob::new();
        blob.int();
        let text = blob.string("f");
        let name = blob.string(long_name(size));
        blob.record(0, FUNC_PROTO, 0, false, 1, &[]).record(text, FUNC, GLOBAL, false, 2, &[]);
        let blocks: Vec<u32> = (0..size as u32).flat_map(|number| [name, 1, 8 * number, 3]).collect();
        let len = 4 * blocks.len() as u32;
        let words = [8, 0, 4 + len, 4 + len, 0].into_iter().chain([8]).chain(blocks);
        let mut ext = 0xeb9f_u16.to_ne_bytes().to_vec();
        ext.extend([1, 0, 24, 0, 0, 0]);
        ext.splice(4..8, 24u32.to_ne_bytes());
        ext.extend(words.skip(1).flat_map(u32::to_ne_bytes));
        object(&blob, |elf| {
            elf.section(".BTF.ext", ext);
            let name = String::from_utf8(long_name(size)).unwrap();
            let data = vec![0; 8 * size];
            let text = elf.add(SectionBlob { name: name.into(), kind: 1, flags: 6, data, ..Default::default() });
            for number in 0..size as u64 {
                let value = 8 * number;
                elf.symbol(SymbolBlob { name: "f", section: text, value, info: 0x12, other: 0 });
            }
        })
    };
    linear("blocks of .BTF.ext", 5000, 12, file, ask);
    let object = BpfObject::parse(file(1000)).unwrap();
    let functions = object.programs().next().unwrap().functions().unwrap();
    assert_eq!(functions.iter().filter(|function| function.func().is_some()).count(), 1000);
}

#[test]
fn ids_of_one_name_and_sets_in_one_place() {
    let file = |size: usize| {
        let mut elf = ElfBlob::bpf(ByteOrder::NATIVE);
        let words: Vec<u8> = (0..size as u32).flat_map(|at| (size as u32 - at - 1).to_ne_bytes()).collect();
        let ids = elf.section(".BTF_ids", words);
        let name = [b"__BTF_ID__struct__".to_vec(), long_name(size), b"__1".to_vec()].concat();
        let name = String::from_utf8(name).unwrap().leak();
        for at in 0..size as u64 {
            elf.variable(name, ids, 4 * at);
            elf.variable("__BTF_ID__set__all", ids, 4 * at);
        }
        elf.build()
    };
    linear("names in .BTF_ids", 10_000, 4, file, |bytes| {
        let len = bytes.len();
        walk::elf(&Elf::parse(bytes).unwrap(), len);
    });
    let elf = Elf::parse(file(1000)).unwrap();
    let ids = elf.btf_ids().unwrap().unwrap();
    assert_eq!((ids.ids().len(), ids.ids()[0].name.as_bytes().len()), (1000, 1000));
    let sets: Vec<_> = ids.sets().map(btf_elf::BtfIdSet::len).collect();
    assert_eq!(sets, [999], "the first is as long as the section");
}

/// Sections that decode to much more than they are, each alone within limits.
#[test]
fn compressed_tables_count_with_what_they_decode_to() {
    let bomb = packed::zeros(Compression::Zlib, 15 * MIB);
    let file = |tables: usize, kind: u32| {
        let mut elf = ElfBlob::bpf(ByteOrder::NATIVE);
        elf.section(".BTF", Blob::new().int().build());
        let text = elf.section(".text", [0; 8]);
        elf.variable("v", text, 0);
        for _ in 0..tables {
            let data = [elf.compression_header(1, 15 * MIB), bomb.clone()].concat();
            let (name, flags) = (".rel".into(), COMPRESSED);
            elf.add(SectionBlob { name, kind, flags, info: text.into(), data, ..Default::default() });
        }
        elf.build()
    };
    let text = |elf: &Elf| elf.section(".text").unwrap().relocations().map(|relocations| relocations.len());
    let one = Elf::parse(file(1, REL)).unwrap();
    for _ in 0..3 {
        assert_eq!(text(&one).unwrap(), 15 << 16, "what was decoded once is not counted again");
    }
    let ((), heap) = memory::measure(|| {
        for tables in [12, 24, 48] {
            let bytes = file(tables, REL);
            let limit = Limits::RATIO_FROM.max(bytes.len() as u64 * Limits::IMAGE.max_ratio());
            let Err(Error::Section { error: source, .. }) = text(&Elf::parse(bytes.clone()).unwrap()) else { panic!() };
            assert!(matches!(*source, Error::FileOutputLimit { limit: l, .. } if l == limit), "{source}");
            // The same asked for one by one.
            let elf = Elf::parse(bytes).unwrap();
            let tables = elf.sections().filter(|section| section.section_type() == SectionType::REL);
            let decoded: u64 = tables.filter_map(|table| Some(table.data().ok()?.len() as u64)).sum();
            assert!(decoded <= limit, "{decoded} of {limit}");
        }
    });
    assert!(heap.peak < 100 * MIB, "{heap:?}");
}

/// Compressed over and over, and images with many payloads: what all decode to
/// counts.
#[test]
fn nested_layers_and_payloads_count_together() {
    for format in Compression::ALL.iter().copied().filter(|&format| format != Compression::Zlib) {
        let bomb = packed::zeros(format, 24 * MIB);
        let mut cases = vec![bomb.clone()];
        if bomb.len() < 1 << 18 {
            cases.push(packed::encode(format, &bomb));
            cases.push(image::silent(&bomb.repeat(4)));
            let kernel = packed::zeros(format, MIB);
            cases.push(image::silent(&[&kernel[..], b"xxxx"].concat().repeat(64)));
        }
        for (number, case) in cases.into_iter().enumerate() {
            let len = case.len() as u64;
            let (result, heap) = memory::measure(|| BtfFile::parse(case));
            let error = result.unwrap_err();
            assert!(heap.peak < 150 * MIB + 4 * len, "{format} {number}: {heap:?} for {len}, {error}");
        }
    }
}

/// A decoder that is made anew for each stream of nothing costs more than the
/// stream.
#[test]
fn streams_of_nothing() {
    let mut nothing = packed::encode(Compression::Bzip2, b"");
    nothing[3] = b'9';
    let few = nothing.repeat(1000);
    assert_eq!(Compression::Bzip2.decode(&few, &Limits::BTF).unwrap(), b"");
    let (result, heap) = memory::measure(|| Compression::Bzip2.decode(&nothing.repeat(100_000), &Limits::BTF));
    let error = result.unwrap_err().to_string();
    assert!(error.ends_with("more than 1024 streams in 0 decoded bytes"), "{error}");
    assert!(heap.allocations < 10_000, "{heap:?}");
}

/// Sections that are all of the file, in a file that is no object.
#[test]
fn sections_that_overlap() {
    let file = |sections: usize| {
        let mut elf = ElfBlob { elf_type: 2, ..ElfBlob::bpf(ByteOrder::NATIVE) };
        elf.section(".text", vec![0; 1 << 16]);
        for _ in 0..sections {
            let section = SectionBlob { name: "all".into(), kind: 1, offset: Some(64), ..Default::default() };
            elf.add(SectionBlob { size: Some(1 << 16), ..section });
        }
        Elf::parse(elf.build())
    };
    assert!(file(3).is_ok());
    let error = file(20_000).unwrap_err();
    assert!(matches!(error, Error::SectionsOverlap { .. }), "{error}");
}

/// An object and a kernel of a shape.
fn relocations(name: &str, size: usize) -> (Vec<u8>, Relocator) {
    let shape = shapes::relocate::RELOCATIONS.iter().find(|shape| shape.name == name).unwrap();
    let [object, kernel] = (shape.make)(size).try_into().unwrap();
    (object, Relocator::new(Targets::custom(&Btf::parse(kernel).unwrap())))
}

#[test]
fn of_programs_that_share_a_name_the_first_is_relocated() {
    let (file, relocator) = relocations("programs_of_one_name", 4096);
    let relocated = relocator.relocate_object(file.clone()).unwrap();
    let (before, after) = (BpfObject::parse(file).unwrap(), BpfObject::parse(relocated).unwrap());
    let code = |object: &BpfObject| -> Vec<Vec<u8>> {
        object.programs().map(|program| program.section().data().unwrap().to_vec()).collect()
    };
    let (before, after) = (code(&before), code(&after));
    assert!(before.len() > 20);
    assert_ne!(before[0], after[0]);
    assert_eq!(before[1..], after[1..]);
}

/// To compare names costs the product of their lengths.
#[test]
fn few_explanations_suggest_members_and_many_do_not() {
    for (size, suggests) in [(4 << 10, true), (64 << 10, false)] {
        let (object, relocator) = relocations("members_that_are_not_there", size);
        let object = BpfObject::parse(object).unwrap();
        let relocated = relocator.relocate(object.btf_ext().unwrap().unwrap());
        let texts = relocated.iter().map(|relocation| relocation.explain().to_string());
        assert!(texts.clone().all(|text| text.contains("no such member")));
        assert_eq!(texts.filter(|text| text.contains("did you mean")).count() > 0, suggests, "{size}");
    }
}

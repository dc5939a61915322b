//! ELF files: real modules and objects, made-up ones, damaged ones.

#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "tests")]

use std::time::{Duration, Instant};

use btf_elf::{BtfFile, Compression, Elf, Error, Machine, SymbolSection};
use btf_format::ByteOrder;
use btf_tests::{
    elf_blob::{self, ElfBlob, NOBITS, PROGBITS, SectionBlob, SymbolBlob},
    fixtures,
    memory::{self, CountingAllocator},
    packed,
};
use btf_types::{Btf, Type};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

const ORDERS: [ByteOrder; 2] = [ByteOrder::Little, ByteOrder::Big];
const X86_64: u16 = 62;

/// BTF with `int` and a pointer.
fn btf(order: ByteOrder) -> Vec<u8> {
    let mut blob = btf_tests::blob::Blob::new();
    blob.int().ptr(1);
    let mut bytes = blob.build();
    btf_format::convert(&mut bytes, order).unwrap();
    bytes
}

/// All classes and byte orders.
fn elves() -> impl Iterator<Item = ElfBlob> {
    let both = |order| [true, false].map(|is_64| ElfBlob { is_64, machine: X86_64, ..ElfBlob::bpf(order) });
    ORDERS.into_iter().flat_map(both)
}

fn vmlinux(release: &str) -> Btf {
    Btf::parse(fixtures::read(&format!("kernels/{release}/vmlinux.btf"))).unwrap()
}

#[test]
fn every_class_and_byte_order() {
    for mut elf in elves() {
        elf.section(".BTF", btf(elf.order));
        let opened = Elf::parse(elf.build()).unwrap();
        assert_eq!((opened.is_64(), opened.byte_order()), (elf.is_64, elf.order));
        assert_eq!(opened.machine(), Machine::new(X86_64, elf.is_64, elf.order));
        assert_eq!(opened.sections().len(), 3);
        assert_eq!(opened.section(".BTF").unwrap().index(), 1);
        let btf = opened.btf().unwrap();
        assert_eq!((btf.type_count(), btf.byte_order()), (3, elf.order));
        assert_eq!(btf.pointer_size(), if elf.is_64 { 8 } else { 4 }, "it is told by the class");
        assert!(opened.base_btf().unwrap().is_none() && opened.btf_ids().unwrap().is_none());
    }
}

#[test]
fn an_error_of_opening_stands_alone() {
    let error = BtfFile::open("/nonexistent/vmlinux").unwrap_err();
    assert!(error.to_string().starts_with("cannot read /nonexistent/vmlinux: "), "{error}");
    assert!(std::error::Error::source(&error).is_none(), "not said twice");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("text");
    std::fs::write(&file, "neither").unwrap();
    let (error, path) = (Elf::open(&file).unwrap_err().to_string(), file.display());
    assert_eq!(error, format!("{path}: not an ELF file"));
    let error = BtfFile::open("/nonexistent/vmlinux").unwrap_err();
    let Error::Io(io) = error.without_file() else { panic!("{error:?}") };
    assert_eq!(io.kind(), std::io::ErrorKind::NotFound);
    assert!(matches!(Elf::open(folder.path()).unwrap_err().without_file(), Error::Io(_)), "a folder");
}

#[test]
fn elf_and_raw_btf_of_either_byte_order_keep_their_datasecs() {
    for order in ["el", "eb"] {
        let name = format!("bpf/clang-22/maps-{order}.bpf.o");
        let elf = BtfFile::parse(fixtures::read(&name)).unwrap();
        let raw = BtfFile::parse(fixtures::section(&name, ".BTF").unwrap()).unwrap();
        assert!(elf.elf().is_some() && raw.elf().is_none());
        assert_eq!(elf.btf_bytes().unwrap(), raw.btf_bytes().unwrap());
        for file in [elf, raw] {
            let btf = file.btf().unwrap();
            let data: btf_types::Datasec<'_> = btf.find(".data").unwrap();
            assert_eq!(data.size(), 0);
            assert!(data.entries().any(|entry| entry.offset() == 0 && entry.ty().name() == "weak_data"));
        }
    }
}

#[test]
fn ext_may_be_missing_but_not_damaged_and_btf_may_not_be_missing() {
    for mut elf in elves() {
        elf.section(".text", [0; 16]);
        assert!(matches!(Elf::parse(elf.build()).unwrap().btf(), Err(Error::NoBtf)));
        assert!(!BtfFile::parse(elf.build()).unwrap().has_btf());
        elf.section(".BTF", btf(elf.order));
        let opened = Elf::parse(elf.build()).unwrap();
        let btf = opened.btf().unwrap();
        assert!(opened.btf_ext(&btf).unwrap().is_none());
        elf.section(".BTF.ext", [1, 2, 3]);
        let opened = Elf::parse(elf.build()).unwrap();
        let error = opened.btf_ext(&opened.btf().unwrap()).unwrap_err();
        assert!(matches!(error, Error::Btf { section: ".BTF.ext", .. }), "{error:?}");
    }
}

#[test]
fn module_type_ids_continue_those_of_the_kernel() {
    let base = vmlinux(fixtures::UNSORTED);
    let file = BtfFile::parse(fixtures::read(&format!("modules/{}/veth.ko", fixtures::UNSORTED))).unwrap();
    let veth = file.split_btf(&base).unwrap();
    assert_eq!(veth.own_ids().start, base.type_count());
    let own = veth.find::<btf_types::Struct<'_>>("veth_priv").unwrap();
    assert_eq!(veth.type_by_id(own.id()).unwrap(), Type::from(own));
    assert_eq!(veth.as_bytes(), fixtures::read(&format!("kernels/{}/veth.btf", fixtures::UNSORTED)));
    let error = file.btf().unwrap_err();
    assert!(
        matches!(error, Error::Btf { section: ".BTF", error: btf_types::Error::SplitWithoutBase, .. }),
        "{error:?}"
    );
    assert_eq!(error.btf_error(), Some(&btf_types::Error::SplitWithoutBase));
    let raw = BtfFile::parse(fixtures::read(&format!("kernels/{}/veth.btf", fixtures::UNSORTED))).unwrap();
    assert_eq!(raw.btf().unwrap_err().btf_error(), Some(&btf_types::Error::SplitWithoutBase));
    assert!(Elf::parse("no ELF").unwrap_err().btf_error().is_none());
}

#[test]
fn compressed_sections_are_decoded() {
    for elf in elves() {
        let btf = btf(elf.order);
        for (ch_type, compression) in [(1, Compression::Zlib), (2, Compression::Zstd)] {
            let packed = packed::encode(compression, &btf);
            let with = |ch_type: u32, size: u64, packed: &[u8]| {
                let mut elf = elf.clone();
                let data = [&elf.compression_header(ch_type, size)[..], packed].concat();
                let (kind, flags) = (PROGBITS, elf_blob::COMPRESSED);
                elf.add(SectionBlob { name: ".BTF".into(), kind, flags, data, ..Default::default() });
                Elf::parse(elf.build()).unwrap()
            };
            let size = btf.len() as u64;
            let opened = with(ch_type, size, &packed);
            assert_eq!(opened.btf_bytes().unwrap(), btf);
            assert!(opened.section(".BTF").unwrap().is_compressed());
            let fault = |elf: Elf| match elf.btf().unwrap_err() {
                Error::Section { name, error: source, .. } if name.as_name() == ".BTF" => *source,
                other => panic!("{other:?}"),
            };
            // Sizes that are not the truth, and a terabyte.
            let found = size;
            for expected in [size - 1, size + 1, 0] {
                let error = fault(with(ch_type, expected, &packed));
                assert!(
                    matches!(error, Error::DecodedLength { found: f, expected: e, .. } if (f, e) == (found, expected))
                );
            }
            if elf.is_64 {
                assert!(matches!(fault(with(ch_type, 1 << 40, &packed)), Error::OutputLimit { .. }));
            }
            assert!(matches!(fault(with(9, size, &packed)), Error::UnknownCompression { ch_type: 9, .. }));
            assert!(matches!(fault(with(ch_type, size, &packed[..packed.len() / 2])), Error::Decode { .. }));
        }
        let mut cut = elf.clone();
        let flags = elf_blob::COMPRESSED;
        cut.add(SectionBlob { name: ".BTF".into(), kind: PROGBITS, flags, data: vec![1], ..Default::default() });
        assert!(Elf::parse(cut.build()).unwrap().btf().is_err());
    }
    // Of little space, a lot: in an error, not in memory.
    let mut elf = ElfBlob::bpf(ByteOrder::Little);
    let bomb = packed::zeros(Compression::Zlib, 80 << 20);
    let data = [elf.compression_header(1, 1000), bomb].concat();
    let (kind, flags) = (PROGBITS, elf_blob::COMPRESSED);
    elf.add(SectionBlob { name: ".BTF".into(), kind, flags, data, ..Default::default() });
    let opened = Elf::parse(elf.build()).unwrap();
    assert!(opened.btf().unwrap_err().to_string().contains(".BTF"));
}

#[test]
fn a_section_beyond_32_bits_does_no_harm_and_btf_of_another_byte_order_is_an_error() {
    // Such a section is none of BTF's business, unless it is a DATASEC's.
    let mut elf = ElfBlob { machine: X86_64, ..ElfBlob::bpf(ByteOrder::Little) };
    elf.section(".BTF", btf(ByteOrder::Little));
    elf.add(SectionBlob { name: ".bss".into(), kind: NOBITS, size: Some(1 << 33), ..Default::default() });
    assert!(Elf::parse(elf.build()).unwrap().btf().is_ok());
    for mut elf in elves() {
        elf.section(".BTF", btf(elf.order.swapped()));
        let error = Elf::parse(elf.build()).unwrap().btf().unwrap_err();
        assert!(matches!(error, Error::ByteOrder { section: ".BTF", .. }), "{error:?}");
    }
}

#[test]
fn symbols_without_a_section_or_in_a_missing_one() {
    for mut elf in elves() {
        let text = elf.section(".text", [0; 16]);
        let at = |section| SymbolBlob { name: "name", section, value: 5, info: 0x12, other: 0 };
        for section in [text, 0, 0xfff1, 0xfff2, 0xff05, 77] {
            elf.symbol(at(section));
        }
        let opened = Elf::parse(elf.build()).unwrap();
        let symbols: Vec<_> = opened.symbols().unwrap().skip(1).collect();
        let places: Vec<_> = symbols.iter().map(|symbol| symbol.symbol_section()).collect();
        let expected = [
            SymbolSection::Index(text.into()),
            SymbolSection::Undefined,
            SymbolSection::Absolute,
            SymbolSection::Common,
            SymbolSection::Reserved(0xff05),
            SymbolSection::Index(77),
        ];
        assert_eq!(places, expected);
        assert_eq!(symbols[0].section().unwrap().name(), ".text");
        assert!(symbols[0].is_function() && !symbols[0].is_local() && symbols[0].offset() == Some(5));
        assert!(symbols.iter().skip(1).all(|symbol| symbol.section().is_none() && symbol.offset().is_none()));
    }
}

#[test]
fn what_lies_in_a_linked_file_has_an_address() {
    let mut elf = ElfBlob { elf_type: 2, ..ElfBlob::bpf(ByteOrder::Little) };
    let data = elf.add(SectionBlob {
        name: ".data".into(),
        kind: PROGBITS,
        address: 0xffff_ffff_8100_0000,
        data: vec![0; 64],
        ..Default::default()
    });
    elf.variable("inside", data, 0xffff_ffff_8100_0010);
    elf.variable("before", data, 0x10);
    let opened = Elf::parse(elf.build()).unwrap();
    let offsets: Vec<_> = opened.symbols().unwrap().skip(1).map(btf_elf::Symbol::offset).collect();
    assert_eq!(offsets, [Some(0x10), None]);
}

#[test]
fn a_module_with_a_base_of_its_own_opens_on_that_or_on_the_kernels() {
    for (pair, kernel, order) in [
        ("amd64_6.1.0-56-cloud-amd64.veth.hdr32", fixtures::UNSORTED, ByteOrder::Little),
        ("amd64_6.1.0-56-cloud-amd64.nf_conntrack.hdr32", fixtures::UNSORTED, ByteOrder::Little),
        ("s390x_7.2.13+deb14-s390x.veth.hdr32", fixtures::BIG_ENDIAN, ByteOrder::Big),
    ] {
        let arch = pair.split('_').next().unwrap();
        let base = fixtures::read(&format!("split/{pair}.btf.base"));
        let mut elf = ElfBlob { machine: X86_64, ..ElfBlob::bpf(order) };
        elf.section(".BTF", fixtures::read(&format!("split/{pair}.btf")));
        elf.section(".BTF.base", base.clone());
        let file = BtfFile::parse(elf.build()).unwrap();
        let own = file.btf().unwrap();
        assert_eq!(own.base().unwrap().to_bytes(order).unwrap(), base);
        let vmlinux = vmlinux(kernel);
        let rebased = file.split_btf(&vmlinux).unwrap();
        assert!(rebased.base().unwrap().is_same(&vmlinux));
        let expected = fixtures::read(&format!("split/{pair}__on__{arch}_{kernel}.btf"));
        assert_eq!(rebased.to_bytes(order).unwrap(), expected, "as libbpf does it");
    }
}

#[test]
fn ids_that_kernel_code_refers_to() {
    for mut elf in elves() {
        let words = [7, 2, 10, 20, 2, 1, 30, 4, 40, 0, 99, 5];
        let data: Vec<u8> = words.iter().flat_map(|&word| elf.u32(word)).collect();
        let ids = elf.section(".BTF_ids", data);
        elf.variable("__BTF_ID__struct__task_struct__1", ids, 0);
        elf.variable("__BTF_ID__set__small", ids, 4);
        elf.variable("__BTF_ID__set8__kfuncs", ids, 16);
        elf.variable("__BTF_ID__func__bpf_a__b__12", ids, 40);
        elf.variable("__BTF_ID__set__too_long", ids, 40);
        elf.variable("__BTF_ID__set__overlapping", ids, 16);
        elf.variable("__BTF_ID__struct__outside__3", ids, 4000);
        elf.variable("__BTF_ID__enum__of_no_known_kind__3", ids, 0);
        let file = Elf::parse(elf.build()).unwrap();
        let opened = file.btf_ids().unwrap().unwrap();
        assert_eq!(opened.as_words(), words);
        let names: Vec<_> = opened.ids().iter().map(|id| (id.kind.as_str(), id.name.to_string(), id.id)).collect();
        assert_eq!(names, [("STRUCT", "task_struct".into(), 7), ("FUNC", "bpf_a__b".into(), 99)]);
        let sets: Vec<_> = opened.sets().collect();
        assert_eq!(sets.len(), 2, "{sets:?}");
        assert_eq!((sets[0].name(), sets[0].offset(), sets[0].flags(), sets[0].len()), ("small".into(), 4, None, 2));
        assert!(sets[0].ids().eq([(10, None), (20, None)]));
        assert_eq!((sets[1].name(), sets[1].offset(), sets[1].flags()), ("kfuncs".into(), 16, Some(1)));
        assert!(sets[1].ids().eq([(30, Some(4)), (40, Some(0))]) && !sets[1].is_empty());
    }
}

#[test]
fn a_file_is_read_by_section_and_not_whole() {
    // A gigabyte of debug information that nobody has to read.
    let mut elf = ElfBlob { machine: X86_64, ..ElfBlob::bpf(ByteOrder::Little) };
    elf.section(".BTF", btf(ByteOrder::Little));
    let bytes = elf.build();
    let sparse = 1u64 << 30;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vmlinux");
    let mut whole = std::fs::File::create(&path).unwrap();
    let table = u64::from_le_bytes(*bytes[40..].first_chunk().unwrap());
    let mut moved = bytes.clone();
    moved[40..48].copy_from_slice(&(table + sparse).to_le_bytes());
    use std::io::{Seek, SeekFrom, Write};
    whole.write_all(&moved[..table as usize]).unwrap();
    whole.seek(SeekFrom::Start(table + sparse)).unwrap();
    whole.write_all(&bytes[table as usize..]).unwrap();
    let (btf, heap) = memory::measure(|| BtfFile::open(&path).unwrap().btf().unwrap());
    assert_eq!(btf.type_count(), 3);
    assert!(heap.peak < 100_000, "{} bytes of heap", heap.peak);
}

#[test]
fn files_that_are_no_files_are_read_to_their_end() {
    if cfg!(target_os = "linux") {
        let error = BtfFile::open("/dev/null").unwrap_err();
        assert!(matches!(error.without_file(), Error::NotRecognized { .. }), "{error:?}");
        let error = BtfFile::open("/proc/self/stat").unwrap_err();
        assert!(matches!(error.without_file(), Error::NotRecognized { start, .. } if start.len() == 8), "{error:?}");
        let limits = btf_elf::Limits::BTF.output(1000);
        let error = BtfFile::options().limits(limits).open("/dev/zero").unwrap_err();
        assert!(matches!(error.without_file(), Error::TooLarge { limit: 1000, .. }), "{error:?}");
    }
}

#[test]
fn damaged_files_say_what_is_wrong() {
    for elf in elves() {
        let sound = {
            let mut elf = elf.clone();
            elf.section(".BTF", btf(elf.order));
            elf.build()
        };
        let word = if elf.is_64 { 8 } else { 4 };
        let (shoff, shentsize) = if elf.is_64 { (40, 58) } else { (32, 46) };
        let set = |at: usize, bytes: &[u8]| {
            let mut file = sound.clone();
            file[at..at + bytes.len()].copy_from_slice(bytes);
            Elf::parse(file)
        };
        // The table of sections outside the file, or none.
        let outside = set(shoff, &elf.word(1 << 30)).unwrap_err();
        assert!(matches!(outside, Error::OutsideFile { .. }), "{outside}");
        assert!(set(shoff, &vec![0xff; word]).is_err());
        assert!(matches!(set(shoff, &vec![0; word]).unwrap().btf(), Err(Error::NoBtf)));
        let half = |value: u16| match elf.order {
            ByteOrder::Little => value.to_le_bytes(),
            ByteOrder::Big => value.to_be_bytes(),
        };
        assert!(matches!(set(shentsize, &half(1)), Err(Error::Elf { .. })));
        // More sections than there are: the table ends outside the file.
        assert!(matches!(set(shentsize + 2, &half(0xfe00)), Err(Error::OutsideFile { .. })));
        // The section of names is another, or none.
        assert!(matches!(set(shentsize + 4, &half(0xfe00)), Err(Error::Elf { .. })));
        assert!(matches!(set(shentsize + 4, &half(1)).unwrap().btf(), Err(Error::NoBtf)));
        // Neither class nor byte order.
        assert!(matches!(set(4, &[3]), Err(Error::Elf { offset: 4, .. })));
        assert!(matches!(set(5, &[0]), Err(Error::Elf { offset: 5, .. })));
        assert!(matches!(set(0, b"elf"), Err(Error::NotElf)));
        for len in 0..sound.len() {
            let cut = Elf::parse(sound[..len].to_vec());
            assert!(cut.is_err(), "{len}");
        }

        // Sections outside the file, huge, without contents, twice.
        let with = |section: SectionBlob| {
            let mut elf = elf.clone();
            elf.add(SectionBlob { name: ".BTF".into(), kind: PROGBITS, data: btf(elf.order), ..section });
            Elf::parse(elf.build()).unwrap().btf().unwrap_err()
        };
        let huge = if elf.is_64 { u64::MAX } else { u32::MAX.into() };
        for (offset, size) in
            [(Some(1 << 30), None), (None, Some(1 << 30)), (Some(huge), Some(huge)), (None, Some(huge))]
        {
            let error = with(SectionBlob { offset, size, ..Default::default() });
            assert!(matches!(error, Error::OutsideFile { .. }), "{error:?}");
        }
        let error = with(SectionBlob { size: Some(3), ..Default::default() });
        assert!(matches!(error, Error::Btf { section: ".BTF", .. }), "{error:?}");
        let mut nobits = elf.clone();
        nobits.add(SectionBlob { name: ".BTF".into(), kind: NOBITS, size: Some(50), ..Default::default() });
        let error = Elf::parse(nobits.build()).unwrap().btf().unwrap_err();
        assert_eq!(error.to_string(), "section .BTF has no contents in the file (SHT_NOBITS)");
        let mut twice = elf.clone();
        twice.section(".BTF", btf(elf.order));
        twice.section(".BTF", btf(elf.order));
        let error = Elf::parse(twice.build()).unwrap().btf().unwrap_err();
        assert!(matches!(error, Error::SeveralSections { .. }), "{error:?}");
    }
}

/// Links that lead in circles, and tables that are all of the file, a hundred
/// thousand times.
#[test]
fn files_that_were_made_to_hurt() {
    for order in ORDERS {
        let mut elf = ElfBlob { machine: X86_64, ..ElfBlob::bpf(order) };
        // A table of symbols that has itself as names; of relocations of itself.
        let (kind, data) = (elf_blob::SYMTAB, vec![7; 24 * 10]);
        elf.add(SectionBlob { name: ".symtab".into(), kind, link: 1, info: 1, data, ..Default::default() });
        let (kind, data) = (elf_blob::REL, vec![0; 160]);
        elf.add(SectionBlob { name: ".rel".into(), kind, link: 2, info: 2, data, ..Default::default() });
        let bytes = elf.build();
        btf_tests::walk::elf(&Elf::parse(bytes.clone()).unwrap(), bytes.len());

        let mut elf = ElfBlob::bpf(order);
        elf.section(".BTF", btf(order));
        elf.section(".text", vec![0; 1 << 20]);
        elf.variable("one", 2, 0);
        for _ in 0..30_000 {
            elf.add(SectionBlob {
                name: "".into(),
                kind: elf_blob::REL,
                info: 2,
                offset: Some(4096),
                size: Some(1 << 19),
                ..Default::default()
            });
        }
        let bytes = elf.build();
        let start = Instant::now();
        let (result, heap) = memory::measure(|| Elf::parse(bytes.clone()));
        assert!(matches!(result, Err(Error::SectionsOverlap { .. })), "{result:?}");
        assert!(heap.peak < 40 << 20, "{} bytes of heap", heap.peak);
        assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    }
}

//! `.BTF.ext` of the BPF objects among the fixtures: against their sources,
//! and against what libbpf made of their relocations.

use btf_format::{ByteOrder, convert_ext};
use btf_tests::fixtures;
use btf_types::{Btf, BtfExt, CoreReloKind, Error, Kind};

fn open(object: &str) -> BtfExt {
    let section = |name| fixtures::section(object, name).unwrap_or_else(|| panic!("{object}: {name}"));
    let btf = Btf::parse(section(".BTF")).unwrap_or_else(|error| panic!("{object}: {error}"));
    BtfExt::parse(section(".BTF.ext"), &btf).unwrap_or_else(|error| panic!("{object}: {error}"))
}

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
        let ext = open(&object);
        let order = if object.contains("-eb") { ByteOrder::Big } else { ByteOrder::Little };
        assert_eq!(ext.btf().byte_order(), order, "{object}");
        let mut funcs = 0;
        for section in ext.func_infos() {
            assert!(fixtures::section(&object, section.name().to_str().unwrap()).is_some(), "{object}: {section:?}");
            assert_eq!(section.infos().len(), section.infos().count());
            for info in section {
                funcs += 1;
                assert_eq!(info.insn_offset() % 8, 0, "{object}: bytes, not instructions");
                assert!(!info.func().name().is_empty(), "{object}");
            }
        }
        assert!(funcs > 0, "{object}");
        for info in ext.line_infos().flatten() {
            assert_eq!(info.insn_offset() % 8, 0, "{object}");
            assert!(info.file().as_bytes().ends_with(b".c") || info.file().as_bytes().ends_with(b".h"), "{info:?}");
        }
    }
}

/// The source line that a line info names is the line of the source.
#[test]
fn lines_are_those_of_the_source() {
    for object in objects().into_iter().filter(|name| name.contains("maps") || name.contains("tags")) {
        let mut compared = 0;
        for info in open(&object).line_infos().flatten() {
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
        let ext = open(&format!("bpf/clang-22/{name}.bpf.o"));
        let found: Vec<String> = ext
            .core_relos()
            .flat_map(|section| section.infos().map(move |relo| (section.name(), relo)))
            .map(|(section, relo)| {
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
    let ext = open("bpf/clang-22/core_real-el.bpf.o");
    for relo in ext.core_relos().flatten() {
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
    assert!(matches!(BtfExt::parse(bytes.clone(), &other), Err(Error::ExtReference { .. })));
    let big = Btf::parse(section("bpf/clang-22/core_type-eb.bpf.o", ".BTF")).unwrap();
    assert_eq!(
        BtfExt::parse(bytes.clone(), &big).unwrap_err(),
        Error::ByteOrderOfExt { ext: ByteOrder::Little, btf: ByteOrder::Big }
    );
    // Converted, it belongs again: the names and ids of both are the same.
    let mut swapped = bytes;
    convert_ext(&mut swapped, ByteOrder::Big).unwrap();
    let swapped = BtfExt::parse(swapped, &big).unwrap();
    let ext = open(object);
    let all = |ext: &BtfExt| ext.core_relos().flatten().map(|relo| format!("{relo:?}")).collect::<Vec<_>>();
    assert_eq!(all(&swapped), all(&ext));
    assert!(ext.btf().types().any(|ty| ty.kind() == Some(Kind::Func)));
}

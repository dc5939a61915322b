//! BPF objects: what a loader asks of them. (That libbpf sees the same is in
//! `tests/peers`.)

#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "tests")]

use std::time::{Duration, Instant};

use btf_elf::{
    BpfObject, DataKind, DatasecFault, DatasecFixups, ElfType, Error, Holds, Machine, Map, MapFault, MapType, Pinning,
    Section, Variable,
};
use btf_format::ByteOrder;
use btf_tests::{
    blob::Blob,
    elf_blob::{self, ElfBlob, NOBITS, SectionBlob, SymbolBlob},
    fixtures,
    memory::{self, CountingAllocator},
};
use btf_types::{Btf, Datasec, Linkage, Type};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

const FUNC: u8 = 12;
const FUNC_PROTO: u8 = 13;
const VAR: u8 = 14;
const DATASEC: u8 = 15;
const STATIC: u32 = 0;
const GLOBAL: u32 = 1;
const EXTERN: u32 = 2;

/// The names of all objects among the fixtures.
fn objects() -> Vec<String> {
    let folders = ["bpf/clang-14", "bpf/clang-22"];
    let names = folders.iter().flat_map(|folder| fixtures::files(folder));
    names.filter(|name| name.ends_with(".o")).collect()
}

fn open(name: &str) -> BpfObject {
    BpfObject::parse(fixtures::read(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// An object with a DATASEC: variables by name and linkage, each an `int` (id
/// 1), and the DATASEC last. Sections and symbols are for `change` to add.
fn datasec(name: &str, size: u32, vars: &[(&str, u32)], offsets: &[u32], change: impl Fn(&mut ElfBlob)) -> BpfObject {
    let mut blob = Blob::new();
    blob.int();
    let mut entries = Vec::new();
    for (index, (name, linkage)) in vars.iter().enumerate() {
        let name = blob.string(name);
        blob.record(name, VAR, 0, false, 1, &[*linkage]);
        entries.extend([index as u32 + 2, offsets.get(index).copied().unwrap_or(0), 4]);
    }
    let name = blob.string(name);
    blob.record(name, DATASEC, vars.len() as u32, false, size, &entries);
    object(&blob, change)
}

fn object(blob: &Blob, change: impl Fn(&mut ElfBlob)) -> BpfObject {
    let mut elf = ElfBlob::bpf(ByteOrder::NATIVE);
    elf.section(".BTF", blob.build());
    change(&mut elf);
    BpfObject::parse(elf.build()).unwrap()
}

/// The only DATASEC of a BTF: its size, and the name and offset of each entry.
fn only_datasec(btf: &Btf) -> (u32, Vec<(String, u32)>) {
    let datasec = btf.types().find_map(|ty| Datasec::try_from(ty).ok()).unwrap();
    let entries = datasec.entries().map(|entry| (entry.ty().name().to_string(), entry.offset()));
    (datasec.size(), entries.collect())
}

/// Returns the reason why the only DATASEC cannot be filled in.
fn fault(fixup: &DatasecFixups) -> DatasecFault {
    let error = fixup.btf().unwrap_err();
    let Error::Datasec { fault, .. } = error else { panic!("{error:?}") };
    fault
}

#[test]
fn externs_of_kconfig_and_ksyms_are_laid_out_as_variables() {
    let object = open("bpf/clang-22/maps-el.bpf.o");
    let fixed = object.datasec_fixups().btf().unwrap();
    let kconfig: Datasec<'_> = fixed.find(".kconfig").unwrap();
    let places: Vec<_> = kconfig.entries().map(|entry| (entry.ty().name().to_string(), entry.offset())).collect();
    let expected = [
        ("CONFIG_HZ", 0),
        ("CONFIG_BPF_SYSCALL", 8),
        ("CONFIG_MISSING", 12),
        ("LINUX_KERNEL_VERSION", 16),
        ("CONFIG_BPF", 20),
        ("CONFIG_DEFAULT_HOSTNAME", 21),
    ];
    assert_eq!(places, expected.map(|(name, offset)| (name.to_owned(), offset)));
    assert_eq!(kconfig.size(), 85);
    assert!(kconfig.entries().all(|entry| matches!(entry.ty(), Type::Var(var) if var.linkage() == Linkage::Global)));

    let ksyms: Datasec<'_> = fixed.find(".ksyms").unwrap();
    assert_eq!(ksyms.size() as usize, 4 * ksyms.entries().len());
    for (index, entry) in ksyms.entries().enumerate() {
        let Type::Var(var) = entry.ty() else { panic!("{entry:?}") };
        assert_eq!((entry.offset() as usize, entry.size(), var.linkage()), (4 * index, 4, Linkage::Global));
        assert!(matches!(var.ty(), Type::Int(int) if int.size() == 4), "{var:?}");
    }
    let dummies = ksyms.entries().filter(|entry| entry.ty().name() == "dummy_ksym").count();
    assert_eq!(dummies, 2, "bpf_task_acquire and bpf_task_release");
    let acquire: btf_types::Func<'_> = fixed.find("bpf_task_acquire").unwrap();
    assert_eq!(acquire.linkage(), Linkage::Global);
    // The id of everything is what it was.
    assert_eq!(fixed.type_count(), object.btf().type_count() + 1);
    assert!(object.btf().types().zip(fixed.types()).all(|(old, new)| old.kind() == new.kind()));
}

#[test]
fn unnamed_parameters_of_ksyms_functions_get_a_name() {
    let mut blob = Blob::new();
    blob.int();
    let (named, name) = (blob.string("named"), blob.string("kfunc"));
    blob.record(0, FUNC_PROTO, 3, false, 1, &[0, 1, named, 1, 0, 0]).record(name, FUNC, EXTERN, false, 2, &[]);
    let ksyms = blob.string(".ksyms");
    blob.record(ksyms, DATASEC, 1, false, 0, &[3, 0, 0]);
    for order in [ByteOrder::Little, ByteOrder::Big] {
        let mut bytes = blob.build();
        btf_format::convert(&mut bytes, order).unwrap();
        let mut elf = ElfBlob::bpf(order);
        elf.section(".BTF", bytes);
        let fixed = BpfObject::parse(elf.build()).unwrap().datasec_fixups().btf().unwrap();
        assert_eq!(fixed.byte_order(), order);
        let func: btf_types::Func<'_> = fixed.find("kfunc").unwrap();
        let names: Vec<_> = func.params().map(|param| param.name().to_string()).collect();
        // The last, of no type, says that more may follow.
        assert_eq!(names, ["dummy_ksym", "named", ""]);
        assert_eq!(only_datasec(&fixed), (4, vec![("dummy_ksym".into(), 0)]));
    }
}

#[test]
fn a_datasec_with_a_size_keeps_its_offsets_and_is_sorted() {
    let object = datasec(".data", 8, &[("b", GLOBAL), ("a", STATIC)], &[4, 0], |elf| {
        let data = elf.section(".data", [0; 100]);
        elf.variable("b", data, 50);
    });
    let fixed = object.datasec_fixups().btf().unwrap();
    assert_eq!(only_datasec(&fixed), (8, vec![("a".into(), 0), ("b".into(), 4)]));
    // Nor does it matter that there is no such section. (libbpf wants a symbol
    // all the same, for its visibility.)
    let object = datasec(".data", 8, &[("b", GLOBAL)], &[4], |_| {});
    assert!(matches!(fault(object.datasec_fixups()), DatasecFault::NoSymbol { .. }));
    let object = datasec(".data", 8, &[("b", STATIC)], &[4], |_| {});
    assert!(object.datasec_fixups().btf().is_ok());
}

#[test]
fn datasec_sizes_come_from_sections_and_offsets_from_symbols() {
    let vars = [("b", GLOBAL), ("a", GLOBAL), ("s", STATIC)];
    let object = datasec(".bss", 0, &vars, &[0, 0, 8], |elf| {
        let bss = elf.add(SectionBlob { name: ".bss".into(), kind: NOBITS, size: Some(20), ..Default::default() });
        elf.variable("b", bss, 16);
        elf.variable("a", bss, 4);
    });
    let fixed = object.datasec_fixups().btf().unwrap();
    assert_eq!(only_datasec(&fixed), (20, vec![("a".into(), 4), ("s".into(), 8), ("b".into(), 16)]));
    assert_eq!(only_datasec(object.btf()).0, 0, "the object's own stays");

    let object = datasec(".bss", 0, &vars, &[], |_| {});
    assert_eq!(fault(object.datasec_fixups()), DatasecFault::NoSection);
    let text = object.datasec_fixups().btf().unwrap_err().to_string();
    assert_eq!(text, "DATASEC .bss (type 5): missing size: the object has no such section, or it is empty");
    let object = datasec(".bss", 0, &vars, &[], |elf| {
        elf.add(SectionBlob { name: ".bss".into(), kind: NOBITS, ..Default::default() });
    });
    assert_eq!(fault(object.datasec_fixups()), DatasecFault::NoSection, "empty");
    let object = datasec(".bss", 0, &vars, &[], |elf| {
        let bss = elf.add(SectionBlob { name: ".bss".into(), kind: NOBITS, size: Some(20), ..Default::default() });
        elf.variable("b", bss, 16);
    });
    assert!(
        matches!(fault(object.datasec_fixups()), DatasecFault::NoSymbol { variable, .. } if variable.as_name() == "a")
    );
    let object = datasec(".bss", 0, &[], &[], |elf| {
        elf.add(SectionBlob { name: ".bss".into(), kind: NOBITS, size: Some(1 << 32), ..Default::default() });
    });
    assert!(matches!(fault(object.datasec_fixups()), DatasecFault::TooLarge { what: "size", .. }));
}

#[test]
fn a_datasec_entry_that_is_not_a_var_is_an_error() {
    let mut blob = Blob::new();
    blob.int();
    let data = blob.string(".data");
    blob.record(data, DATASEC, 1, false, 4, &[1, 0, 4]);
    let object = object(&blob, |_| {});
    assert!(matches!(fault(object.datasec_fixups()), DatasecFault::Entry { ty, expected: "VAR", .. } if ty.id() == 1));
    let mut blob = Blob::new();
    let data = blob.string(".data");
    blob.record(data, DATASEC, 1, false, 4, &[7, 0, 4]);
    let mut elf = ElfBlob::bpf(ByteOrder::NATIVE);
    elf.section(".BTF", blob.build());
    let error = BpfObject::parse(elf.build()).unwrap_err();
    assert!(matches!(error, Error::Btf { error: btf_types::Error::IdOutOfRange { found: 7, .. }, .. }), "{error:?}");
}

#[test]
fn a_variable_in_another_section_is_an_error_of_its_datasec_alone() {
    // As clang 14 has it: the DATASEC says `.data`, the variable is in `.bss`.
    let object = datasec(".data", 0, &[("v", GLOBAL)], &[], |elf| {
        let bss = elf.add(SectionBlob { name: ".bss".into(), kind: NOBITS, size: Some(8), ..Default::default() });
        elf.variable("v", bss, 0);
    });
    assert_eq!(fault(object.datasec_fixups()), DatasecFault::NoSection);
    assert_eq!(object.datasec_fixups().faults().count(), 1);
    let lenient = object.datasec_fixups().btf_lenient().unwrap();
    assert_eq!(lenient.as_bytes(), object.btf().as_bytes());
    assert!(object.btf().find::<btf_types::Var<'_>>("v").is_ok());
    let section = object.data_section(".data").unwrap();
    assert!(section.layout().is_err() && section.variables().is_err());
    assert!(object.maps().unwrap().is_empty());
    // With other variables there is a `.data`; libbpf then takes an offset in
    // `.bss` for one in `.data`.
    let object = datasec(".data", 0, &[("v", GLOBAL)], &[], |elf| {
        elf.section(".data", [0; 8]);
        let bss = elf.add(SectionBlob { name: ".bss".into(), kind: NOBITS, size: Some(8), ..Default::default() });
        elf.variable("v", bss, 4);
    });
    assert!(
        matches!(fault(object.datasec_fixups()), DatasecFault::Elsewhere { found, .. } if found.as_name() == ".bss")
    );
    // And a symbol that is in no section, or in one that there is not.
    for (section, text) in [(0xfff1, ": no section"), (99, "refers to section 99, but there are only 6")] {
        let object = datasec(".data", 0, &[("v", GLOBAL)], &[], |elf| {
            elf.section(".data", [0; 8]);
            elf.variable("v", section, 4);
        });
        let error = object.datasec_fixups().btf().unwrap_err().to_string();
        assert!(error.ends_with(text), "{error}");
    }
}

#[test]
fn static_variables_may_share_a_name_and_hidden_ones_become_static() {
    // Two static variables of one name keep the offsets that they have; only a
    // global variable's symbol counts.
    let vars = [("v", STATIC), ("v", STATIC), ("g", GLOBAL)];
    let object = datasec(".data", 0, &vars, &[8, 0, 0], |elf| {
        let data = elf.section(".data", [0; 12]);
        for (name, info, value) in [("v", 1, 8), ("v", 1, 0), ("g", 1, 99), ("", 3, 0), ("g", 0x12, 98)] {
            elf.symbol(SymbolBlob { name, section: data, value, info, other: 0 });
        }
        elf.symbol(SymbolBlob { name: "g", section: data, value: 4, info: 0x21, other: 0 });
    });
    let fixed = object.datasec_fixups().btf().unwrap();
    assert_eq!(only_datasec(&fixed).1, [("v".into(), 0), ("g".into(), 4), ("v".into(), 8)]);

    for (other, expected) in [(0, Linkage::Global), (2, Linkage::Static), (1, Linkage::Static), (3, Linkage::Global)] {
        for size in [0, 8] {
            let object = datasec(".data", size, &[("v", GLOBAL)], &[4], |elf| {
                let section = elf.section(".data", [0; 8]);
                elf.symbol(SymbolBlob { name: "v", section, value: 4, info: elf_blob::GLOBAL_OBJECT, other });
            });
            let fixed = object.datasec_fixups().btf().unwrap();
            assert_eq!(fixed.find::<btf_types::Var<'_>>("v").unwrap().linkage(), expected);
            let variable = object.data_section(".data").unwrap().variables().unwrap().next().unwrap();
            assert_eq!((variable.linkage(), variable.offset()), (expected, 4));
        }
    }

    // In a linked file symbols have addresses. (Those are no BPF objects.)
    let mut blob = Blob::new();
    let (v, data) = (blob.string("v"), blob.string(".data"));
    blob.int().record(v, VAR, 0, false, 1, &[GLOBAL]).record(data, DATASEC, 1, false, 0, &[2, 0, 4]);
    let mut elf = ElfBlob { elf_type: 2, ..ElfBlob::bpf(ByteOrder::NATIVE) };
    elf.section(".BTF", blob.build());
    let address = 0x1000;
    let data = elf.add(SectionBlob { name: ".data".into(), kind: 1, address, data: vec![0; 32], ..Default::default() });
    elf.variable("v", data, address + 16);
    let linked = btf_elf::Elf::parse(elf.build()).unwrap();
    let fixed = linked.datasec_fixups(&linked.btf().unwrap()).unwrap().btf().unwrap();
    assert_eq!(only_datasec(&fixed), (32, vec![("v".into(), 16)]));
    assert!(matches!(
        BpfObject::new(linked),
        Err(Error::NotBpf { machine: Machine::BPF | Machine::BPF_BE, elf_type: ElfType::EXEC, .. })
    ));
}

#[test]
fn kconfig_of_what_no_configuration_can_be() {
    let mut blob = Blob::new();
    blob.int();
    let (s, v, kconfig) = (blob.string("s"), blob.string("v"), blob.string(".kconfig"));
    blob.record(s, 4, 0, false, 4, &[]).record(v, VAR, 0, false, 2, &[EXTERN]);
    blob.record(kconfig, DATASEC, 1, false, 0, &[3, 0, 4]);
    let object = object(&blob, |_| {});
    assert!(matches!(fault(object.datasec_fixups()), DatasecFault::Entry { ty, .. } if ty.id() == 2));
    let mut blob = Blob::new();
    let (v, ksyms) = (blob.string("v"), blob.string(".ksyms"));
    blob.record(v, VAR, 0, false, 0, &[EXTERN]).record(ksyms, DATASEC, 1, false, 0, &[1, 0, 0]);
    let object = self::object(&blob, |_| {});
    assert_eq!(fault(object.datasec_fixups()), DatasecFault::NoInt);
}

#[test]
fn objects_of_both_compilers_and_byte_orders_are_told_whole() {
    let (mut maps, mut programs, mut functions, mut variables) = (0, 0, 0, 0);
    for name in objects() {
        let object = open(&name);
        btf_tests::walk::object(&object);
        assert_eq!(object.btf().byte_order(), object.elf().byte_order());
        // One half of `linked`: its map is in the other.
        if name.contains("linked2") {
            let error = object.maps().unwrap_err().to_string();
            assert!(error.contains("DATASEC .maps (type ") && error.contains("missing size"), "{name}: {error}");
            assert_eq!(object.datasec_fixups().faults().count(), 1, "{name}");
        } else {
            assert!(object.datasec_fixups().btf().is_ok(), "{name}");
            maps += object.maps().unwrap_or_else(|error| panic!("{name}: {error}")).len();
        }
        for program in object.programs() {
            programs += 1;
            let code = program.instructions().unwrap();
            assert!(!code.is_empty());
            let mut end = 0;
            for function in program.functions().unwrap() {
                functions += 1;
                // The linker leaves room to align the next object's.
                assert!((end..end + 32).contains(&function.offset()), "{name}: one after the other");
                end = function.offset() + function.size();
                let func = function.func().unwrap_or_else(|| panic!("{name}: {}", function.name()));
                assert_eq!(func.name(), function.name().as_bytes());
            }
            assert_eq!(end as usize, code.as_bytes().len(), "{name}: {}", program.name());
            let is_loaded_or_called = |opcode: u8| opcode == btf_elf::Instruction::LD_IMM64 || opcode == 0x85;
            for relocation in &program.relocations().unwrap() {
                let instruction = code.at(relocation.offset()).unwrap();
                assert!(is_loaded_or_called(instruction.opcode), "{name}: {instruction:?}");
            }
        }
        for section in object.data_sections().filter(|section| section.layout().is_ok()) {
            variables += section.variables().unwrap().len();
            if let Some(contents) = section.contents().unwrap() {
                assert_eq!(contents.len(), section.layout().unwrap().size() as usize, "{name}: {}", section.name());
            }
        }
    }
    assert!(
        maps >= 40 && programs >= 60 && functions >= 100 && variables >= 200,
        "{maps} {programs} {functions} {variables}"
    );
}

fn map<'a>(maps: &'a [Map<'a>], name: &str) -> &'a Map<'a> {
    maps.iter().find(|map| map.name() == name).unwrap_or_else(|| panic!("no map {name}"))
}

#[test]
fn maps_are_what_their_source_says() {
    for file in ["clang-14/maps-el", "clang-14/maps-eb", "clang-22/maps-el", "clang-22/maps-eb"] {
        let object = open(&format!("bpf/{file}.bpf.o"));
        let maps = object.maps().unwrap();
        let mut names: Vec<_> = maps.iter().map(|map| map.name().to_string()).collect();
        names.sort();
        let expected = ["counts", "events", "inner_a", "inner_b", "outer", "outer_hash", "progs", "rb", "static_map"];
        assert_eq!(names, expected, "{file}");
        assert_eq!(object.maps().unwrap(), maps, "read twice");
        assert!(maps.windows(2).all(|pair| pair[0] != pair[1]));
        let counts = map(&maps, "counts");
        assert_eq!(counts.map_type().unwrap().to_string(), "hash");
        assert_eq!((counts.key_size(), counts.value_size(), counts.max_entries(), counts.flags()), (20, 72, 1024, 1));
        assert_eq!(counts.key().unwrap().to_string(), "struct key");
        assert_eq!(counts.var().unwrap().name(), "counts");
        let outer = map(&maps, "outer");
        assert_eq!((outer.map_type(), outer.value_size()), (Some(MapType::ARRAY_OF_MAPS), 4));
        let Some(Holds::Maps(inner)) = outer.holds() else { panic!("{outer:?}") };
        assert_eq!((inner.map_type(), inner.max_entries(), inner.value_size()), (Some(MapType(2)), 4, 8));
        let values = |map: &Map<'_>| -> Vec<_> {
            map.values().iter().map(|value| (value.index(), value.name().to_string())).collect()
        };
        assert_eq!(values(outer), [(0, "inner_a".into()), (1, "inner_b".into())]);
        let outer_hash = map(&maps, "outer_hash");
        assert!(matches!(outer_hash.holds(), Some(Holds::Maps(inner)) if inner.max_entries() == 8));
        assert_eq!((outer_hash.key(), outer_hash.key_size()), (None, 4));
        let progs = map(&maps, "progs");
        assert!(matches!(progs.holds(), Some(Holds::Programs)));
        assert_eq!(values(progs), [(1, "prog_a".into())]);
        let rb = map(&maps, "rb");
        assert_eq!((rb.map_type().unwrap().to_string(), rb.max_entries(), rb.key_size()), ("ringbuf".into(), 4096, 0));
        assert_eq!(map(&maps, "events").pinning(), Pinning::ByName);
        assert_eq!(map(&maps, "events").pinning().to_string(), "by_name");
        assert_eq!(map(&maps, "static_map").var().unwrap().linkage(), Linkage::Static);
    }
}

#[test]
fn programs_variables_and_the_licence_are_what_their_source_says() {
    for file in ["clang-14/maps-el", "clang-22/maps-eb"] {
        let object = open(&format!("bpf/{file}.bpf.o"));
        assert_eq!(object.license().unwrap().unwrap().as_name(), "Dual MIT/GPL");
        let names: Vec<_> = object.programs().map(|program| program.name().to_string()).collect();
        assert_eq!(names, [".text", "tp/syscalls/sys_enter_openat", "tp_btf/task_newtask"]);
        let text = object.program(".text").unwrap().functions().unwrap();
        let is = |name: &str| text.iter().find(|function| function.name() == name).unwrap().symbol();
        assert!(is("static_sub").is_local() && !is("global_sub").is_local() && is("hidden_sub").is_hidden());
        let kind = |name: &str| object.data_section(name).unwrap().kind();
        assert_eq!(kind(".maps"), DataKind::Maps);
        assert_eq!(kind(".data.custom"), DataKind::Data);
        assert_eq!(kind(".data.custom").to_string(), ".data");
        assert_eq!(kind(".rodata"), DataKind::ReadOnly);
        assert_eq!(kind(".ksyms"), DataKind::Ksyms);
        assert_eq!(kind("license"), DataKind::Other);
        let section = object.data_section(".data").unwrap();
        let find =
            |name: &str| section.variables().unwrap().find(|variable: &Variable<'_>| variable.name() == name).unwrap();
        let contents = section.contents().unwrap().unwrap();
        let at = find("g_data").offset() as usize;
        let bytes: [u8; 4] = *contents[at..].first_chunk().unwrap();
        let value = if file.ends_with("el") { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) };
        assert_eq!(value, 42);
        assert_eq!(find("aligned_pair").offset() % 32, 0);
        let bss = object.data_section(".bss").unwrap();
        assert!(bss.contents().unwrap().is_none());
    }
    let object = open("bpf/clang-22/struct_ops-el.bpf.o");
    assert!(object.data_sections().any(|section| section.kind() == DataKind::StructOps));
}

/// An object with one map, which has these members: name, id of the type.
fn one_map(types: impl Fn(&mut Blob), members: &[(&str, u32)], first: u32) -> Result<(), MapFault> {
    let mut blob = Blob::new();
    types(&mut blob);
    let words: Vec<u32> = members.iter().flat_map(|(name, ty)| [blob.string(name), *ty, 0]).collect();
    let (name, maps) = (blob.string("m"), blob.string(".maps"));
    blob.record(0, 4, members.len() as u32, false, 8, &words).record(name, VAR, 0, false, first, &[GLOBAL]);
    blob.record(maps, DATASEC, 1, false, 8, &[first + 1, 0, 8]);
    let object = object(&blob, |elf| {
        let maps = elf.section(".maps", [0; 8]);
        elf.variable("m", maps, 0);
    });
    match object.maps() {
        Ok(_) => Ok(()),
        Err(Error::Map { fault, .. }) => Err(fault),
        Err(error) => panic!("{error:?}"),
    }
}

#[test]
fn definitions_of_maps_that_are_none() {
    // 1 int, 2 int[13], 3 pointer to that, 4 pointer to int, 5 void pointer,
    // 6 int[1], 7 pointer to that, 8 array of pointers to int.
    let types = |blob: &mut Blob| {
        blob.int().record(0, 3, 0, false, 0, &[1, 1, 13]).ptr(2).ptr(1).ptr(0);
        blob.record(0, 3, 0, false, 0, &[1, 1, 1]).ptr(6).record(0, 3, 0, false, 0, &[4, 1, 0]);
    };
    let maps = |members: &[(&str, u32)]| one_map(types, members, 9);
    assert_eq!(maps(&[("type", 7), ("key", 4), ("key_size", 4)][..2]), Ok(()));
    assert_eq!(maps(&[]), Err(MapFault::NoType));
    assert!(matches!(maps(&[("type", 1)]), Err(MapFault::Field { field: "type", ty, .. }) if ty.id() == 1));
    assert!(matches!(maps(&[("type", 7), ("key", 1)]), Err(MapFault::Field { field: "key", .. })));
    assert!(matches!(maps(&[("type", 7), ("key", 5)]), Err(MapFault::Field { field: "key", ty, .. }) if ty.id() == 0));
    assert!(matches!(
        maps(&[("type", 7), ("key", 4), ("key_size", 3)]),
        Err(MapFault::Sizes { field: "key_size", found: 13, expected: 4, .. })
    ));
    assert!(matches!(maps(&[("type", 7), ("pinning", 3)]), Err(MapFault::Pinning(13))));
    assert!(
        matches!(maps(&[("type", 7), ("colour", 3)]), Err(MapFault::UnknownField(name)) if name.as_name() == "colour")
    );
    assert_eq!(maps(&[("type", 7), ("values", 8)]), Err(MapFault::ValuesOf(MapType(1))));
    assert!(matches!(maps(&[("type", 3), ("values", 8)]), Err(MapFault::NotAStruct { ty, .. }) if ty.id() == 1));
    assert!(matches!(maps(&[("type", 3), ("values", 1)]), Err(MapFault::Field { field: "values", .. })));
    let too_many = [("type", 7); 12];
    assert!(matches!(maps(&too_many), Err(MapFault::TooManyFields { found: 12, limit: 11, .. })));

    let mut elf = ElfBlob::bpf(ByteOrder::NATIVE);
    elf.section(".BTF", Blob::new().int().build());
    elf.section("maps", [0; 20]);
    assert!(matches!(BpfObject::parse(elf.build()).unwrap().maps(), Err(Error::LegacyMaps)));
}

#[test]
fn maps_outside_their_section_or_in_one_place() {
    let with = |entries: [u32; 6]| {
        let mut blob = Blob::new();
        blob.int().record(0, 3, 0, false, 0, &[1, 1, 1]).ptr(2);
        let (ty, a, b, maps) = (blob.string("type"), blob.string("a"), blob.string("b"), blob.string(".maps"));
        blob.record(0, 4, 1, false, 8, &[ty, 3, 0]);
        blob.record(a, VAR, 0, false, 4, &[STATIC]).record(b, VAR, 0, false, 4, &[STATIC]);
        blob.record(maps, DATASEC, 2, false, 16, &entries);
        let object = object(&blob, |elf| {
            elf.section(".maps", [0; 16]);
        });
        match object.maps() {
            Ok(maps) => Ok(maps.len()),
            Err(Error::Map { fault, .. }) => Err(fault),
            Err(error) => panic!("{error:?}"),
        }
    };
    assert_eq!(with([5, 0, 8, 6, 8, 8]), Ok(2));
    assert!(matches!(with([5, 0, 8, 6, 12, 8]), Err(MapFault::Outside { offset: 12, size: 8, section: 16, .. })));
    assert!(matches!(with([5, 0, 8, 6, 4, 8]), Err(MapFault::Overlaps(name)) if name.as_name() == "a"));
}

#[test]
fn what_is_no_object_is_refused() {
    let module = fixtures::read(&format!("modules/{}/veth.ko", fixtures::UNSORTED));
    assert!(matches!(
        BpfObject::parse(module),
        Err(Error::NotBpf { machine: Machine::X86_64, elf_type: ElfType::REL, .. })
    ));
    let btf = fixtures::read("bpf/pahole32/types32-mips.btf");
    assert!(matches!(BpfObject::parse(btf), Err(Error::NotElf)));
    let mut elf = ElfBlob::bpf(ByteOrder::NATIVE);
    elf.add(SectionBlob {
        name: "xdp".into(),
        kind: elf_blob::PROGBITS,
        flags: elf_blob::EXECUTABLE,
        data: vec![0; 12],
        ..Default::default()
    });
    assert!(matches!(BpfObject::parse(elf.build()), Err(Error::NoBtf)));
    elf.section(".BTF", Blob::new().int().build());
    let object = BpfObject::parse(elf.build()).unwrap();
    let program = object.program("xdp").unwrap();
    assert!(matches!(program.instructions(), Err(Error::ProgramLength { len: 12, .. })));
    assert_eq!(object.programs().map(btf_elf::ProgramSection::section).map(Section::size).collect::<Vec<_>>(), [12]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("prog.o");
    std::fs::write(&path, btf_tests::packed::encode(btf_elf::Compression::Zstd, &elf.build())).unwrap();
    assert_eq!(BpfObject::open(path).unwrap().programs().count(), 1);
}

/// Names of megabytes, shared by a hundred thousand DATASECs; a struct of a
/// million members that defines as many maps.
/// (libbpf goes on without a `.BTF.ext` that is damaged.)
#[test]
fn a_damaged_ext_keeps_nobody_from_the_rest() {
    for name in objects().into_iter().filter(|name| name.contains("/maps-")) {
        let sound = open(&name);
        let mut bytes = fixtures::read(&name);
        let section = sound.elf().section(".BTF.ext").unwrap();
        // The magic number.
        bytes[section.offset() as usize] ^= 0xff;
        let damaged = BpfObject::parse(bytes).unwrap();
        for _ in 0..2 {
            let error = damaged.btf_ext().unwrap_err();
            assert!(matches!(error, Error::Btf { section: ".BTF.ext", .. }), "{error:?}");
        }
        assert_eq!(damaged.maps().unwrap().len(), sound.maps().unwrap().len());
        assert_eq!(
            damaged.datasec_fixups().btf().unwrap().as_bytes(),
            sound.datasec_fixups().btf().unwrap().as_bytes()
        );
        let functions = |object: &BpfObject| -> Vec<(String, bool)> {
            let all = object.programs().flat_map(|program| program.functions().unwrap());
            all.map(|function| (function.name().to_string(), function.func().is_some())).collect()
        };
        let expected: Vec<_> = functions(&sound).into_iter().map(|(name, _)| (name, false)).collect();
        assert!(functions(&sound).iter().any(|(_, has_type)| *has_type));
        assert_eq!(functions(&damaged), expected);
    }
}

#[test]
fn objects_that_were_made_to_hurt() {
    let bounded = |object: &[u8]| {
        let start = Instant::now();
        let (_, heap) = memory::measure(|| {
            let object = BpfObject::parse(object.to_vec()).unwrap();
            let _ = (object.maps().is_ok(), object.datasec_fixups().btf_lenient().is_ok());
            for program in object.programs() {
                let _ = program.functions();
            }
            object.data_sections().filter(|section| section.layout().is_ok()).count()
        });
        assert!(start.elapsed() < Duration::from_secs(30), "{:?}", start.elapsed());
        assert!(heap.peak < 25 * object.len() as u64, "{} bytes of heap for {}", heap.peak, object.len());
    };
    let mut blob = Blob::new();
    let long = blob.string(vec![b'x'; 1 << 20]);
    blob.record(long, VAR, 0, false, 0, &[GLOBAL]);
    for _ in 0..100_000 {
        blob.record(long, DATASEC, 1, false, 8, &[1, 0, 4]);
    }
    let mut elf = ElfBlob::bpf(ByteOrder::NATIVE);
    elf.section(".BTF", blob.build());
    bounded(&elf.build());

    let mut blob = Blob::new();
    blob.int().record(0, 3, 0, false, 0, &[1, 1, 1]).ptr(2);
    let (ty, maps) = (blob.string("type"), blob.string(".maps"));
    let words: Vec<u32> = (0..60_000).flat_map(|_| [ty, 3, 0]).collect();
    blob.record(0, 4, 60_000, false, 8, &words);
    let mut entries = Vec::new();
    for id in 0..60_000u32 {
        blob.record(ty, VAR, 0, false, 4, &[STATIC]);
        entries.extend([id + 5, 0, 8]);
    }
    blob.record(maps, DATASEC, 60_000, false, 16, &entries);
    let mut elf = ElfBlob::bpf(ByteOrder::NATIVE);
    elf.section(".BTF", blob.build());
    elf.section(".maps", [0; 16]);
    bounded(&elf.build());
}

#[test]
fn a_program_section_has_its_lines_and_co_re_relocations() {
    let mut relocations = 0;
    for name in objects() {
        let object = open(&name);
        let Some(ext) = object.btf_ext().unwrap() else { continue };
        let mut lines = 0;
        for program in object.programs() {
            let size = program.section().size();
            assert!(program.lines().unwrap().all(|line| u64::from(line.insn_offset()) < size), "{name}");
            assert!(program.core_relos().unwrap().all(|relo| u64::from(relo.insn_offset()) < size), "{name}");
            lines += program.lines().unwrap().count();
            relocations += program.core_relos().unwrap().count();
            let section = program.btf_ext().unwrap();
            assert_eq!(section.map(btf_types::ExtSection::name), Some(program.name()).filter(|_| section.is_some()));
        }
        assert_eq!(lines, ext.line_infos().len(), "{name}");
    }
    assert!(relocations > 0);
}

#[test]
fn of_sections_of_one_name_the_first_has_what_ext_says() {
    let name = "bpf/clang-14/maps-el.bpf.o";
    let object = open(name);
    let program = object.programs().find(|program| program.lines().unwrap().count() > 0).unwrap();
    assert_eq!(program, object.program(program.name()).unwrap());
    let mut bytes = fixtures::read(name);
    // All section headers get one name, which the header of the section is at.
    let table = u64::from_le_bytes(*bytes[40..].first_chunk().unwrap()) as usize;
    let header = |index: u32| table + 64 * index as usize;
    let at = header(program.section().index());
    let offset: [u8; 4] = *bytes[at..].first_chunk().unwrap();
    for other in object.programs() {
        let at = header(other.section().index());
        bytes[at..at + 4].copy_from_slice(&offset);
    }
    let renamed = BpfObject::parse(bytes).unwrap();
    assert!(renamed.programs().count() > 1);
    let with_lines: Vec<_> = renamed.programs().map(|program| program.lines().unwrap().count() > 0).collect();
    assert!(with_lines[0] && !with_lines[1..].contains(&true), "{with_lines:?}");
}

#[test]
fn objects_out_of_readers_and_within_limits() {
    let bytes = fixtures::read("bpf/clang-14/maps-el.bpf.o");
    let expected = BpfObject::parse(bytes.clone()).unwrap().maps().unwrap().len();
    assert_eq!(BpfObject::from_reader(bytes.as_slice()).unwrap().maps().unwrap().len(), expected);
    assert_eq!(btf_elf::Elf::from_reader(bytes.as_slice()).unwrap().elf_type(), ElfType::REL);
    assert!(btf_elf::BtfFile::from_reader(bytes.as_slice()).unwrap().has_btf());
    let small = btf_elf::Limits::IMAGE.output(100);
    let limit = |error: Error| matches!(error, Error::TooLarge { len: 101, limit: 100, .. });
    assert!(limit(BpfObject::options().limits(small).read(bytes.as_slice()).unwrap_err()));
    assert!(limit(btf_elf::Elf::options().limits(small).read(bytes.as_slice()).unwrap_err()));
    // Packed, it decodes to more than that.
    let packed = btf_tests::packed::encode(btf_elf::Compression::Zstd, &bytes);
    let error = BpfObject::options().limits(small).parse(packed).unwrap_err();
    assert!(matches!(error, Error::OutputLimit { limit: 100, .. }), "{error}");
}

#[test]
fn the_struct_that_defines_a_map_and_weak_symbols() {
    let object = open("bpf/clang-14/maps-el.bpf.o");
    let maps = object.maps().unwrap();
    let counts = maps.iter().find(|map| map.name() == "counts").unwrap();
    let members: Vec<_> = counts.definition().members().map(|member| member.name().to_string()).collect();
    assert!(members.contains(&"max_entries".into()) && members.contains(&"map_flags".into()), "{members:?}");
    assert_eq!(counts.definition().id(), counts.var().unwrap().ty().peel_modifiers().id());
    let weak: Vec<_> = object.elf().symbols().unwrap().filter(|symbol| symbol.is_weak()).collect();
    assert!(weak.iter().any(|symbol| symbol.name() == "weak_data"), "{weak:?}");
    assert!(weak.iter().all(|symbol| !symbol.is_local()));
}

#[test]
fn instructions_are_a_collection() {
    let object = open("bpf/clang-14/maps-el.bpf.o");
    let program = object.programs().next().unwrap();
    let instructions = program.instructions().unwrap();
    assert_eq!((&instructions).into_iter().len(), instructions.len());
    assert_eq!(instructions, program.instructions().unwrap());
}

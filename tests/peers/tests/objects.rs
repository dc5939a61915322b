//! libbpf as an oracle: BPF objects, and their BTF as it sees them once it has
//! opened them.

#![cfg(feature = "peers-c")]
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    unreachable_pub,
    unsafe_code,
    reason = "tests, and C libraries"
)]

use std::{
    collections::BTreeMap,
    ffi::{CStr, CString},
    ptr, slice,
};

use btf_elf::{BpfObject, Holds, Pinning};
use btf_format::{ByteOrder, RawBtf, RawBtfExt, Word};
use btf_tests::fixtures;
use btf_types::Btf;
use libbpf_sys as sys;

/// A `struct bpf_object *`.
struct Libbpf(*mut sys::bpf_object);

impl Drop for Libbpf {
    fn drop(&mut self) {
        // SAFETY: it came from libbpf.
        unsafe { sys::bpf_object__close(self.0) }
    }
}

impl Libbpf {
    fn open(bytes: &[u8]) -> Option<Self> {
        // SAFETY: nothing is asked of the caller.
        unsafe { sys::libbpf_set_print(None) };
        // SAFETY: libbpf looks at the bytes while the object is open, and they
        // are leaked here; without options.
        let object = unsafe {
            let bytes: &'static [u8] = Vec::leak(bytes.to_vec());
            sys::bpf_object__open_mem(bytes.as_ptr().cast(), bytes.len() as sys::size_t, ptr::null())
        };
        (!object.is_null()).then_some(Self(object))
    }

    /// The BTF as libbpf has it, in native byte order.
    fn btf(&self) -> Vec<u8> {
        // SAFETY: the object is alive, and so is its BTF.
        unsafe {
            let btf = sys::bpf_object__btf(self.0);
            let mut len = 0;
            let data = sys::btf__raw_data(btf, &mut len);
            let mut bytes = slice::from_raw_parts(data.cast::<u8>(), len as usize).to_vec();
            btf_format::convert(&mut bytes, ByteOrder::NATIVE).unwrap();
            bytes
        }
    }

    fn maps(&self) -> BTreeMap<String, *mut sys::bpf_map> {
        let mut maps = BTreeMap::new();
        let mut map = ptr::null_mut();
        loop {
            // SAFETY: the object is alive; null is where to begin.
            map = unsafe { sys::bpf_object__next_map(self.0, map) };
            if map.is_null() {
                return maps;
            }
            // SAFETY: the map is the object's, and its name a C string.
            let name = unsafe { CStr::from_ptr(sys::bpf_map__name(map)) };
            maps.insert(name.to_string_lossy().into_owned(), map);
        }
    }
}

/// The records of BTF, with names in place of their offsets.
fn records(bytes: &[u8]) -> Vec<(Vec<u8>, Vec<String>)> {
    let raw = RawBtf::parse(bytes).unwrap();
    let record = |record: Result<btf_format::Record<'_>, _>| {
        let record = record.unwrap();
        let mut words = record.as_bytes().to_vec();
        let mut names = Vec::new();
        record.for_each_field(|field, value| {
            if field.holds == Word::Name {
                names.push(raw.strings().get(value).unwrap().to_string());
                words[field.at..field.at + 4].fill(0);
            }
        });
        (words, names)
    };
    raw.records().map(record).collect()
}

/// Names of objects, and what is in them.
type Objects = [(String, Vec<u8>)];

/// The objects of some folders of the fixtures.
fn objects_of(folders: &[&str]) -> Vec<(String, Vec<u8>)> {
    let names = folders.iter().flat_map(|folder| fixtures::files(folder));
    let mut objects: Vec<_> =
        names.filter(|name| name.ends_with(".o")).map(|name| (name.clone(), fixtures::read(&name))).collect();
    for (_, bytes) in objects.iter_mut().filter(|(name, _)| name.contains("/maps-")) {
        *bytes = as_libbpf_wants_it(std::mem::take(bytes));
    }
    objects
}

/// The committed ones.
fn objects() -> Vec<(String, Vec<u8>)> {
    objects_of(&["bpf/clang-14", "bpf/clang-22"])
}

/// The halves of a linked object need each other; and libbpf before 1.8
/// refuses longer headers in the other byte order.
fn libbpf_refuses(name: &str) -> bool {
    ["linked1", "linked2", "linked-eb"].iter().any(|known| name.contains(known))
}

/// An object whose variables of type `enum tristate` are of type `u32` instead,
/// and whose static map is global: libbpf takes no enum in `.kconfig` but one of
/// its own name, and no static maps.
fn as_libbpf_wants_it(mut object: Vec<u8>) -> Vec<u8> {
    let elf = btf_elf::Elf::parse(object.clone()).unwrap();
    let section = elf.section(".BTF").unwrap();
    let (order, btf) = (elf.byte_order(), elf.btf().unwrap());
    let tristate = btf.find::<btf_types::Enum<'_>>("tristate").unwrap().id();
    let u32 = btf.find::<btf_types::Typedef<'_>>("u32").unwrap().id();
    let blob = &mut object[section.offset() as usize..][..section.size() as usize];
    btf_format::convert(blob, ByteOrder::NATIVE).unwrap();
    for record in btf_format::RecordsMut::new(&mut blob[btf.type_section()], 0, btf_format::Layout::NONE) {
        let mut record = record.unwrap();
        if record.kind() == Some(btf_format::Kind::Var) {
            record
                .for_each_field(|field, value| if field.holds == Word::Id && value == tristate { u32 } else { value });
        }
    }
    // Linkage is neither id nor name: the last word of the record.
    let static_map = btf.find::<btf_types::Var<'_>>("static_map").unwrap().id();
    let record = RawBtf::parse(blob).unwrap().records().nth(static_map as usize - 1).unwrap().unwrap();
    let at = record.offset() as usize + record.as_bytes().len() - 4;
    blob[at..at + 4].copy_from_slice(&1u32.to_ne_bytes());
    btf_format::convert(blob, order).unwrap();
    // And `st_info` of its symbol.
    let symbol = elf.symbols().unwrap().find(|symbol| symbol.name() == "static_map").unwrap().index();
    let table = elf.section(".symtab").unwrap().offset();
    object[table as usize + 24 * symbol as usize + 4] = 0x11;
    object
}

/// BTF after fix-up, record by record: how many objects have the same.
fn same_btf(objects: &Objects) -> usize {
    let mut same = 0;
    for (name, bytes) in objects {
        let ours = BpfObject::parse(bytes.clone()).unwrap_or_else(|error| panic!("{name}: {error}"));
        let Some(theirs) = Libbpf::open(bytes) else {
            assert!(libbpf_refuses(name), "{name}");
            continue;
        };
        let fixed = ours.datasec_fixups().btf().unwrap_or_else(|error| panic!("{name}: {error}"));
        let (ours, theirs) = (records(fixed.as_bytes()), records(&theirs.btf()));
        assert_eq!(ours.len(), theirs.len(), "{name}");
        for (id, (ours, theirs)) in ours.iter().zip(&theirs).enumerate() {
            assert_eq!(ours, theirs, "{name}: type {}: {:?}", id + 1, fixed.type_by_id(id as u32 + 1));
        }
        same += 1;
    }
    same
}

/// Maps: how many are the same.
fn same_maps(objects: &Objects) -> usize {
    let mut same = 0;
    for (name, bytes) in objects {
        let ours = BpfObject::parse(bytes.clone()).unwrap();
        let Some(theirs) = Libbpf::open(bytes) else { continue };
        let theirs = theirs.maps();
        let maps = ours.maps().unwrap_or_else(|error| panic!("{name}: {error}"));
        for map in &maps {
            let map_name = map.name().to_string();
            let their = *theirs.get(&map_name).unwrap_or_else(|| panic!("{name}: no {map_name}"));
            // SAFETY: the map is the open object's.
            unsafe {
                assert_eq!(map.map_type().unwrap().0, sys::bpf_map__type(their), "{name}: {map_name}");
                assert_eq!(map.key_size(), sys::bpf_map__key_size(their), "{name}: {map_name}");
                assert_eq!(map.value_size(), sys::bpf_map__value_size(their), "{name}: {map_name}");
                assert_eq!(map.max_entries(), sys::bpf_map__max_entries(their), "{name}: {map_name}");
                assert_eq!(map.flags(), sys::bpf_map__map_flags(their), "{name}: {map_name}");
                assert_eq!(map.extra(), sys::bpf_map__map_extra(their), "{name}: {map_name}");
                assert_eq!(map.numa_node().unwrap_or(0), sys::bpf_map__numa_node(their), "{name}: {map_name}");
                let is_pinned = !sys::bpf_map__pin_path(their).is_null();
                assert_eq!(map.pinning() == Pinning::ByName, is_pinned, "{name}: {map_name}");
                assert_eq!(
                    map.key().map_or(0, btf_types::Type::id),
                    sys::bpf_map__btf_key_type_id(their),
                    "{name}: {map_name}"
                );
                let inner = sys::bpf_map__inner_map(their);
                match map.holds() {
                    Some(Holds::Maps(inner_map)) => {
                        assert_eq!(inner_map.map_type().unwrap().0, sys::bpf_map__type(inner), "{name}: {map_name}");
                        assert_eq!(inner_map.value_size(), sys::bpf_map__value_size(inner), "{name}: {map_name}");
                        assert_eq!(inner_map.max_entries(), sys::bpf_map__max_entries(inner), "{name}: {map_name}");
                    }
                    _ => assert!(inner.is_null(), "{name}: {map_name}"),
                }
            }
            same += 1;
        }
        let of_maps = ours.elf().section(".maps").map_or(0, |_| maps.len());
        // The rest are data sections: they are maps to libbpf, too.
        let data =
            theirs.keys().filter(|key| key.contains('.') || !maps.iter().any(|map| map.name() == key.as_bytes()));
        assert_eq!(of_maps + data.count(), theirs.len(), "{name}");
    }
    same
}

/// Programs and their instructions: how many functions are the same.
fn same_programs(objects: &Objects) -> usize {
    let mut same = 0;
    for (name, bytes) in objects {
        let ours = BpfObject::parse(bytes.clone()).unwrap();
        let Some(theirs) = Libbpf::open(bytes) else { continue };
        for program in ours.programs().filter(|program| program.name() != ".text") {
            for function in program.functions().unwrap().into_iter().filter(|function| !function.symbol().is_local()) {
                let function_name = CString::new(function.name().as_bytes()).unwrap();
                // SAFETY: the object is alive, and the name a C string.
                unsafe {
                    let their = sys::bpf_object__find_program_by_name(theirs.0, function_name.as_ptr());
                    assert!(!their.is_null(), "{name}: {function_name:?}");
                    let section = CStr::from_ptr(sys::bpf_program__section_name(their));
                    assert_eq!(program.name(), section.to_bytes()[..], "{name}");
                    let count = sys::bpf_program__insn_cnt(their);
                    assert_eq!(function.size(), 8 * count, "{name}: {function_name:?}");
                    // In native byte order; not yet relocated.
                    let insns = sys::bpf_program__insns(their).cast::<[u8; 8]>();
                    let insns = slice::from_raw_parts(insns, count as usize);
                    let code = program.instructions().unwrap();
                    for (index, bytes) in insns.iter().enumerate() {
                        let ours = code.at(function.offset() + 8 * index as u64).unwrap();
                        assert_eq!(ours.to_bytes(ByteOrder::NATIVE), *bytes, "{name}: {function_name:?} {index}");
                    }
                }
                same += 1;
            }
        }
    }
    same
}

/// `.BTF.ext`: how many objects have the same.
fn same_ext(objects: &Objects) -> usize {
    let mut same = 0;
    for (name, bytes) in objects {
        let Some(section) = btf_elf::Elf::parse(bytes.clone()).unwrap().section(".BTF.ext").map(|s| s.data().unwrap())
        else {
            continue;
        };
        // SAFETY: libbpf copies the bytes, and what it returns lives until it
        // is freed here.
        let theirs = unsafe {
            let ext = sys::btf_ext__new(section.as_ptr(), section.len() as u32);
            assert!(!ext.is_null(), "{name}: {}", std::io::Error::last_os_error());
            let mut len = 0;
            let data = sys::btf_ext__raw_data(ext, &mut len);
            let bytes = slice::from_raw_parts(data.cast::<u8>(), len as usize).to_vec();
            sys::btf_ext__free(ext);
            bytes
        };
        let mut theirs = theirs;
        btf_format::convert_ext(&mut theirs, ByteOrder::NATIVE).unwrap();
        let mut ours = section.to_vec();
        btf_format::convert_ext(&mut ours, ByteOrder::NATIVE).unwrap();
        assert_eq!(ours, theirs, "{name}");
        let object = BpfObject::parse(bytes.clone()).unwrap();
        let ext = object.btf_ext().unwrap().unwrap();
        let raw = RawBtfExt::parse(&theirs).unwrap();
        let funcs = raw.func_infos().flat_map(|block| block.records()).map(|info| (info.insn_off(), info.type_id()));
        let of_ours = ext.func_infos().map(|info| (info.insn_offset(), info.func().id()));
        assert!(funcs.eq(of_ours), "{name}");
        same += 1;
    }
    same
}

/// Files on disk, which `btf__parse` opens: how many have the same BTF.
fn same_elf_files(objects: &Objects) -> usize {
    let mut same = 0;
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in objects {
        let path = folder.path().join("file");
        std::fs::write(&path, bytes).unwrap();
        let path_text = CString::new(path.to_str().unwrap()).unwrap();
        let ours: Btf = btf_elf::BtfFile::open(&path).unwrap().btf().unwrap();
        // SAFETY: the path is a C string; what it returns lives until it is
        // freed here.
        unsafe {
            let btf = sys::btf__parse(path_text.as_ptr(), ptr::null_mut());
            if btf.is_null() {
                assert!(libbpf_refuses(name), "{name}");
                continue;
            }
            assert_eq!(ours.type_count(), sys::btf__type_cnt(btf), "{name}");
            assert_eq!(u64::from(ours.pointer_size()), sys::btf__pointer_size(btf) as u64, "{name}");
            let mut len = 0;
            let data = sys::btf__raw_data(btf, &mut len).cast::<u8>();
            let theirs = slice::from_raw_parts(data, len as usize).to_vec();
            assert_eq!(ours.to_bytes(ours.byte_order()).unwrap(), theirs, "{name}");
            sys::btf__free(btf);
        }
        same += 1;
    }
    same
}

#[test]
fn the_btf_of_objects_is_as_libbpf_sees_it() {
    assert_eq!(same_btf(&objects()), 88);
}

#[test]
fn maps_are_as_libbpf_sees_them() {
    assert_eq!(same_maps(&objects()), 46);
}

#[test]
fn programs_are_as_libbpf_sees_them() {
    assert_eq!(same_programs(&objects()), 340);
}

#[test]
fn ext_is_as_libbpf_sees_it() {
    assert_eq!(same_ext(&objects()), 73);
}

#[test]
fn elf_files_are_what_libbpf_makes_of_them() {
    assert_eq!(same_elf_files(&objects()), 96);
}

#[test]
#[ignore = "needs what `cargo xtask fetch-fixtures` fetches"]
fn fetched_objects_are_as_libbpf_sees_them() {
    let objects = objects_of(&["fetched/libbpf-tools", "fetched/xdp-tools"]);
    assert_eq!(same_btf(&objects), objects.len());
    assert_eq!(same_elf_files(&objects), objects.len());
    assert_eq!(same_ext(&objects), objects.len());
    let (maps, programs) = (same_maps(&objects), same_programs(&objects));
    println!("{} objects, {maps} maps, {programs} functions", objects.len());
    assert!(maps > 200 && programs > 400);
}

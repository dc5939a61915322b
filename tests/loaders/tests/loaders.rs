//! Both loaders on the running kernel, with an archive that has its BTF, and with
//! one that has modified BTF: the program must see the sizes of the *archive*.

#![cfg(any(feature = "aya", feature = "libbpf"))]
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "tests")]

mod own;

use std::fs;

use btf_archive::Archive;
use btf_kernel::{Host, Kernel, LoadedBtf};
use btf_relocate::{Relocator, Targets};
use btf_types::{Enum, Struct, Type};

/// Makes an archive with this BTF for this system.
fn archive(host: &Host, btf: &[u8]) -> (tempfile::TempDir, Archive) {
    let folder = tempfile::tempdir().unwrap();
    let version = host.version.as_deref().or(host.codename.as_deref()).unwrap_or("1");
    let place = folder.path().join(&host.distribution).join(version).join(&host.machine);
    fs::create_dir_all(&place).unwrap();
    fs::write(place.join(format!("{}.btf", host.release)), btf).unwrap();
    let archive = Archive::open(folder.path()).unwrap();
    (folder, archive)
}

fn run(name: &str, size_of: impl Fn(&Archive, &Host, &[u8]) -> btf_loaders::Result<u64>) {
    let Some(own) = own::btf() else { return };
    let host = Host::detect().unwrap();
    let object = btf_loaders::object();
    let size = u64::from(own.find::<Struct<'_>>("task_struct").unwrap().size());
    for by in [0, 64] {
        let (_folder, archive) = archive(&host, &own::larger(&own, by));
        let found = size_of(&archive, &host, &object).unwrap_or_else(|error| panic!("{name}: {error:?}"));
        assert_eq!(found, size + u64::from(by), "{name}");
    }
    let (_folder, other) = archive(&Host { release: "1.2.3".into(), ..host.clone() }, own.as_bytes());
    assert!(size_of(&other, &host, &object).unwrap_err().to_string().starts_with("no BTF for kernel "), "{name}");
}

#[cfg(feature = "aya")]
#[test]
fn aya() {
    run("aya", btf_loaders::with_aya::size_of_task_struct);
}

#[cfg(feature = "libbpf")]
#[test]
fn libbpf() {
    run("libbpf", btf_loaders::with_libbpf::size_of_task_struct);
}

/// A program loaded by aya has its BTF, and descriptors of programs and maps are
/// not accepted as BTF.
#[cfg(feature = "aya")]
#[test]
fn a_program_its_btf_and_descriptors_that_are_not() {
    use std::os::fd::AsFd;

    use aya::{maps::MapData, programs::RawTracePoint};
    use btf_kernel::{BtfUser, Error};

    if let Some(Err(error)) = LoadedBtf::all().next() {
        return btf_tests::skip(error);
    }
    let object = btf_loaders::object();
    let mut ebpf = aya::EbpfLoader::new().load(&object).unwrap();
    let program: &mut RawTracePoint = ebpf.program_mut("on_exec").unwrap().try_into().unwrap();
    program.load().unwrap();
    let (id, fd) = (program.info().unwrap().id(), program.fd().unwrap().as_fd().try_clone_to_owned().unwrap());

    let user = BtfUser::programs().map(Result::unwrap).find(|user| user.id == id).unwrap();
    assert_eq!((user.name.as_str(), user.attach_btf_id), ("on_exec", None));
    let of_program = LoadedBtf::of_program(id).unwrap();
    assert_eq!(Some(of_program.info().unwrap().id), user.btf_id);
    let btf = Kernel::running().read_loaded(&of_program).unwrap();
    assert!(btf.base().is_none() && btf.find::<btf_types::Func<'_>>("on_exec").is_ok());
    // aya creates the maps of data sections without BTF.
    let map = BtfUser::maps().map(Result::unwrap).find(|map| map.name == ".bss" && map.btf_id.is_none()).unwrap();
    let error = LoadedBtf::of_map(map.id).unwrap_err();
    assert!(matches!(error, Error::WithoutBtf { .. }), "{error}");
    assert_eq!(error.to_string(), format!("BPF map {} was loaded without BTF", map.id));

    let map = MapData::from_id(map.id).unwrap().fd().as_fd().try_clone_to_owned().unwrap();
    for (fd, name) in [(fd, "bpf-prog"), (map, "bpf-map")] {
        let error = LoadedBtf::try_from(fd).unwrap_err();
        assert!(matches!(error, Error::NotBtfDescriptor { .. }), "{error}");
        assert!(error.to_string().ends_with(&format!("is not BTF but anon_inode:{name}")), "{error}");
    }
}

/// libbpf creates maps with the BTF of the program.
#[cfg(feature = "libbpf")]
#[test]
fn a_map_and_its_btf() {
    use btf_kernel::BtfUser;
    use libbpf_rs::MapCore;

    if let Some(Err(error)) = LoadedBtf::all().next() {
        return btf_tests::skip(error);
    }
    let object = btf_loaders::object();
    let mut open = libbpf_rs::ObjectBuilder::default();
    let mut open = open.open_memory(&object).unwrap();
    open.progs_mut().for_each(|mut program| {
        let is_wanted = program.name() == "on_exec";
        program.set_autoload(is_wanted);
    });
    let object = open.load().unwrap();
    let ids: Vec<u32> = object.maps().map(|map| map.info().unwrap().info.id).collect();
    let maps: Vec<BtfUser> = BtfUser::maps().map(Result::unwrap).filter(|map| ids.contains(&map.id)).collect();
    let map = maps.iter().find(|map| map.name.ends_with(".bss")).unwrap_or_else(|| panic!("{maps:?}"));
    let of_map = LoadedBtf::of_map(map.id).unwrap().info().unwrap();
    assert_eq!(map.btf_id, Some(of_map.id));
    let has_it = |user: &BtfUser| user.name == "on_exec" && user.btf_id == map.btf_id;
    assert!(BtfUser::programs().map(Result::unwrap).any(|user| has_it(&user)));
}

/// Relocates an object, and runs it with a loader that has nothing left to relocate.
/// The program must see the values of the kernel's BTF.
fn run_relocated(name: &str, results: impl Fn(&[u8]) -> btf_loaders::Result<Vec<u64>>) {
    let Some(own) = own::btf() else { return };
    let size_of = |name: &str| u64::from(own.find::<Struct<'_>>(name).unwrap().size());
    let value_of = |name: &str, enumerator: &str| {
        let mut values = own.find::<Enum<'_>>(name).unwrap().values();
        values.find(|value| value.name() == enumerator).unwrap().value() as u64
    };
    let task = Type::from(own.find::<Struct<'_>>("task_struct").unwrap());
    let children = task.find_member("children").unwrap();
    let expected = [
        size_of("task_struct"),
        size_of("sk_buff"),
        u64::from(task.id()),
        value_of("bpf_map_type", "BPF_MAP_TYPE_RINGBUF"),
        value_of("pid_type", "PIDTYPE_MAX"),
        size_of("file"),
        task.find_member("comm").unwrap().0.ty().size_of().unwrap(),
        // `prev` is the second pointer in a list_head.
        children.1 / 8 + 8,
        u64::from(own.find::<Struct<'_>>("file").unwrap().id()),
    ];
    let relocator = Relocator::new(Targets::kernel(&own));
    let relocated = relocator.relocate_object(btf_loaders::object()).unwrap();
    let found = results(&relocated).unwrap_or_else(|error| panic!("{name}: {error:?}"));
    assert_eq!(found[..expected.len()], expected, "{name}");
}

#[cfg(feature = "aya")]
#[test]
fn aya_loads_what_was_relocated() {
    run_relocated("aya", btf_loaders::with_aya::results_of_relocated);
}

#[cfg(feature = "libbpf")]
#[test]
fn libbpf_loads_what_was_relocated() {
    run_relocated("libbpf", btf_loaders::with_libbpf::results_of_relocated);
}

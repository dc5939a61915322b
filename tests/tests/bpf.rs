//! The running kernel: its BTF, loading BTF into it, what is in it. Needs a
//! kernel with BTF, and the right to load; where those are missing, a test says
//! that it is skipped, and in CI fails. Lines of other libraries' behaviour have
//! their numbers in the names of the tests.

#![cfg(target_os = "linux")]

use std::{
    collections::BTreeSet,
    fs,
    os::fd::{AsFd, AsRawFd, OwnedFd},
};

use btf_format::ByteOrder;
use btf_kernel::{Error, Feature, Kernel, KernelVersion, LoadOptions, LoadedBtf, Source, is_supported};
use btf_tests::{blob::Blob, fixtures, skip};
use btf_types::{Btf, Struct};

/// Whether this kernel and user let no BTF be loaded, so that a test is skipped.
fn cannot_load() -> bool {
    match is_supported(Feature::Btf) {
        Ok(true) => false,
        Ok(false) => {
            skip("this kernel knows no BTF");
            true
        }
        Err(error) => {
            skip(format!("{error}: run as root"));
            true
        }
    }
}

fn int() -> Btf {
    Btf::parse(Blob::new().int().build()).unwrap()
}

#[test]
fn the_kernels_own_btf_is_mapped() {
    let kernel = Kernel::running();
    let btf = match kernel.btf() {
        Ok(btf) => btf,
        Err(error) => {
            skip(error);
            return;
        }
    };
    assert!(btf.find::<Struct<'_>>("task_struct").is_ok());
    let Ok(file) = fs::read("/sys/kernel/btf/vmlinux") else {
        skip("the kernel's BTF is not in sysfs");
        return;
    };
    assert_eq!(btf.as_bytes(), file);
    // Since 6.16 it is mapped; a fall-back would hide that it is not.
    let mut numbers = kernel.release().unwrap().split(|c: char| !c.is_ascii_digit()).map(str::parse::<u32>);
    let version = (numbers.next().unwrap().unwrap(), numbers.next().unwrap().unwrap());
    if version >= (6, 16) {
        assert!(matches!(kernel.source().unwrap(), Source::Mapped(_)), "{:?}", kernel.source());
    }
    for module in kernel.modules().unwrap() {
        assert!(kernel.module(&module).unwrap().base().unwrap().is_same(&btf), "{module}");
    }
}

#[test]
fn s_32_what_is_refused_says_why_with_a_log_of_any_length() {
    if cannot_load() {
        return;
    }
    // A struct that is inside itself.
    let mut blob = Blob::new();
    let name = blob.string("loop");
    blob.int().record(name, 4, 1, false, 4, &[name, 2, 0]);
    let refuse = |bytes: &[u8]| match LoadOptions::new().load_bytes(bytes) {
        Err(Error::Refused { source, log }) => (source, log),
        other => panic!("{other:?}"),
    };
    let (source, log) = refuse(&blob.build());
    assert_eq!(source.raw_os_error(), Some(17), "EEXIST");
    assert!(log.contains("Loop detected"), "{log}");
    let error = LoadedBtf::load(&Btf::parse(blob.build()).unwrap()).unwrap_err().to_string();
    assert!(error.starts_with("the kernel refuses the BTF: ") && error.contains("Loop detected"), "{error}");

    // Twenty thousand types that are sound before: a line of log for each.
    let mut blob = Blob::new();
    blob.int();
    for _ in 0..20_000 {
        blob.ptr(1);
    }
    let own = blob.string("bad name");
    blob.record(own, 4, 0, false, 0, &[]);
    let (_, log) = refuse(&blob.build());
    assert!(log.len() > 300_000 && log.contains("[1] INT int") && log.contains("Invalid name"), "{} bytes", log.len());

    // In the other byte order, nothing is right.
    let mut bytes = Blob::new().int().build();
    btf_format::convert(&mut bytes, ByteOrder::NATIVE.swapped()).unwrap();
    assert!(matches!(LoadOptions::new().load_bytes(&bytes), Err(Error::Refused { .. })));
    // But as `Btf` it is converted.
    assert!(LoadedBtf::load(&Btf::parse(bytes).unwrap()).is_ok());
    assert!(matches!(LoadOptions::new().load_bytes(b""), Err(Error::Refused { .. })));
    let error = LoadOptions::new().load_bytes(&vec![0; (16 << 20) + 1]).unwrap_err();
    assert!(matches!(error, Error::TooLarge { .. }), "{error}");
    // A descriptor that is no token.
    let file = fs::File::open("/dev/null").unwrap();
    let error = LoadOptions::new().token(file.as_fd()).log_level(2).load(&int()).unwrap_err();
    assert!(matches!(error, Error::Refused { .. } | Error::System { .. }), "{error:?}");
}

#[test]
fn s_33_by_id() {
    if cannot_load() {
        return;
    }
    let loaded = LoadedBtf::load(&int()).unwrap();
    let info = loaded.info().unwrap();
    assert_eq!((info.name.as_str(), info.is_kernel, info.size), ("", false, 24 + 16 + 5));
    let again = LoadedBtf::by_id(info.id).unwrap();
    assert_eq!(again.info().unwrap(), info);
    assert!(LoadedBtf::all().any(|found| found.unwrap().1 == info));
    for (missing, error) in [
        ("BTF", LoadedBtf::by_id(u32::MAX).unwrap_err()),
        ("program", LoadedBtf::of_program(u32::MAX).unwrap_err()),
        ("map", LoadedBtf::of_map(u32::MAX).unwrap_err()),
    ] {
        assert!(matches!(error, Error::NoSuchId { what, id: u32::MAX } if what == missing), "{error:?}");
    }
    drop((loaded, again));
    let gone = (0..100).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(20));
        matches!(LoadedBtf::by_id(info.id), Err(Error::NoSuchId { .. }))
    });
    assert!(gone, "nobody holds it any more");
}

#[test]
fn s_34_what_was_loaded_is_read_back() {
    if cannot_load() {
        return;
    }
    let object = btf_elf::BpfObject::parse(fixtures::read("bpf/clang-22/core_field_tgt1-el.o")).unwrap();
    let btf = object.fixup().btf().unwrap();
    let loaded = LoadedBtf::load(&btf).unwrap();
    assert_eq!(loaded.bytes().unwrap(), btf.as_bytes());
    assert_eq!(loaded.btf(None).unwrap().type_count(), btf.type_count());
    let id = loaded.info().unwrap().id;
    assert_eq!(Kernel::running().loaded_btf(id).unwrap().as_bytes(), btf.as_bytes());
    // The kernel's own has the first id.
    let Some((vmlinux, info)) = LoadedBtf::all().map(Result::unwrap).find(|(_, info)| info.name == "vmlinux") else {
        skip("the kernel has no BTF of its own");
        return;
    };
    assert!(info.is_kernel);
    let kernel = Kernel::running();
    assert_eq!(vmlinux.bytes().unwrap(), kernel.btf().unwrap().as_bytes());
    assert_eq!(kernel.loaded_btf(info.id).unwrap().type_count(), kernel.btf().unwrap().type_count());
    for (_, info) in LoadedBtf::all().map(Result::unwrap).filter(|(_, info)| info.is_kernel) {
        assert!(kernel.loaded_btf(info.id).is_ok(), "{info:?}");
    }
}

#[test]
fn s_35_descriptors_are_owned_and_closed() {
    if cannot_load() {
        return;
    }
    let loaded = LoadedBtf::load(&int()).unwrap();
    let number = loaded.as_fd().as_raw_fd();
    let link = || fs::read_link(format!("/proc/self/fd/{number}")).map(|path| path.display().to_string());
    assert!(link().unwrap().contains("btf"));
    let copy = loaded.try_clone().unwrap();
    assert_ne!(copy.as_fd().as_raw_fd(), number);
    let id = loaded.info().unwrap().id;
    drop(loaded);
    // (Another thread may have taken the number for something else.)
    assert!(link().map_or(true, |path| !path.contains("btf") || copy.info().unwrap().id == id));
    let fd: OwnedFd = copy.into();
    assert_eq!(LoadedBtf::from(fd).info().unwrap().id, id);
    assert!(matches!(
        LoadedBtf::from(OwnedFd::from(fs::File::open("/dev/null").unwrap())).info(),
        Err(Error::System { .. })
    ));
}

/// Every feature that this kernel should have by its age; distributions take
/// some back to older ones, none takes any away.
#[test]
fn s_36_the_running_kernel_knows_what_it_should() {
    if cannot_load() {
        return;
    }
    let kernel = Kernel::running();
    let version: KernelVersion = kernel.release().unwrap().parse().unwrap();
    for &feature in Feature::ALL {
        let supported = is_supported(feature).unwrap();
        assert!(supported || version < feature.since(), "{feature} on {version}");
        assert_eq!(is_supported(feature).unwrap(), supported, "asked again");
    }
}

/// 130 blobs, sound and unsound, with the verdict of Linux 6.18 on each: loaded
/// again, with the errno and the last line of the log.
#[test]
fn the_kernels_verdicts_and_its_logs() {
    if cannot_load() {
        return;
    }
    let is_of_the_table = Kernel::running().release().unwrap().starts_with("6.18.");
    let table = String::from_utf8(fixtures::read("kernel-verdicts/verdicts.tsv")).unwrap();
    let (mut accepted, mut refused) = (0, 0);
    for line in table.lines().filter(|line| !line.starts_with('#')) {
        let fields: Vec<&str> = line.split('\t').collect();
        let [file, verdict, errno, case, last] = fields[..] else { panic!("{line}") };
        let bytes = fixtures::read(&format!("kernel-verdicts/{file}"));
        let found = LoadOptions::new().load_bytes(&bytes);
        if !is_of_the_table {
            continue;
        }
        match (verdict, found) {
            ("accept", Ok(_)) => accepted += 1,
            ("reject", Err(Error::Refused { source, log })) => {
                refused += 1;
                let expected = match errno {
                    "EINVAL" => 22,
                    "EEXIST" => 17,
                    "E2BIG" => 7,
                    "ENOENT" => 2,
                    "EFAULT" => 14,
                    "ELOOP" => 40,
                    number => number.parse().unwrap_or_else(|_| panic!("{line}")),
                };
                assert_eq!(source.raw_os_error(), Some(expected), "{file}: {case}");
                let line = log.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default();
                assert_eq!(line.trim(), last.trim(), "{file}: {case}");
            }
            (_, found) => panic!("{file}: {case}: {verdict} expected: {found:?}"),
        }
    }
    if is_of_the_table {
        assert!(accepted > 40 && refused > 60, "{accepted} {refused}");
    } else {
        println!("skipped: the verdicts are of Linux 6.18");
    }
}

/// BPF objects' BTF, as a loader sees it, is what the kernel takes.
#[test]
fn objects_with_their_datasecs_filled_in_load() {
    if cannot_load() {
        return;
    }
    let (mut loaded, mut refused) = (0, BTreeSet::new());
    for folder in ["bpf/clang-14", "bpf/clang-22"] {
        for name in fixtures::files(folder).into_iter().filter(|name| name.ends_with(".o")) {
            let object = btf_elf::BpfObject::parse(fixtures::read(&name)).unwrap();
            let Ok(fixed) = object.fixup().btf() else {
                assert!(name.contains("linked2"), "{name}");
                continue;
            };
            match LoadedBtf::load(&fixed) {
                Ok(_) => loaded += 1,
                Err(error) => _ = refused.insert(format!("{name}: {error}")),
            }
        }
    }
    // One half of a linked object has extern functions; and clang 14 puts a
    // constant text into another section than its DATASEC, where libbpf leaves
    // it just so.
    let is_known = |name: &String| name.contains("linked1") || name.contains("clang-14/maps");
    assert!(loaded > 40 && refused.iter().all(is_known), "{loaded} loaded; {refused:#?}");
}

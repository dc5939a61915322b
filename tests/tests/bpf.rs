//! The running kernel: its BTF, loading BTF into it, what is in it. Needs a
//! kernel with BTF, and the right to load; where those are missing, a test says
//! that it is skipped, and in CI fails.

#![cfg(target_os = "linux")]
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "tests")]

use std::{
    collections::BTreeSet,
    fs::{self, File},
    os::{
        fd::{AsFd, AsRawFd, OwnedFd},
        unix::fs::{MetadataExt, symlink},
    },
};

use btf_format::ByteOrder;
use btf_kernel::{
    BpfObjectKind, BtfUser, Error, Feature, Kernel, KernelVersion, LoadOptions, LoadedBtf, Source, is_supported,
};
use btf_tests::{blob::Blob, fixtures, skip};
use btf_types::{Btf, Struct};

/// Returns whether no BTF can be loaded, so that a test is skipped.
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
    for module in kernel.sysfs_module_names().unwrap() {
        assert!(kernel.module(&module).unwrap().base().unwrap().is_same(&btf), "{module}");
    }
}

/// Returns whether bytes are in a mapping of a file.
fn is_mapped(bytes: &[u8], file: &File) -> bool {
    let inode = file.metadata().unwrap().ino().to_string();
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    maps.lines().any(|line| {
        let mut words = line.split_ascii_whitespace();
        let (start, end) = words.next().unwrap().split_once('-').unwrap();
        let [start, end] = [start, end].map(|address| usize::from_str_radix(address, 16).unwrap());
        words.nth(3) == Some(&inode) && (start..end).contains(&bytes.as_ptr().addr())
    })
}

#[test]
fn the_kernels_file_is_mapped_under_any_path() {
    const VMLINUX: &str = "/sys/kernel/btf/vmlinux";
    if !matches!(Kernel::running().source(), Ok(Source::Mapped(_))) {
        skip("the kernel's BTF cannot be mapped");
        return;
    }
    let vmlinux = File::open(VMLINUX).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let link = folder.path().join("link");
    symlink(VMLINUX, &link).unwrap();
    let of_fd = |fd: &dyn AsRawFd| format!("/proc/self/fd/{}", fd.as_raw_fd()).into();
    let mut paths = vec![VMLINUX.into(), link, of_fd(&vmlinux)];
    // A bind mount that is attached nowhere.
    let bind = rustix::mount::open_tree(rustix::fs::CWD, VMLINUX, rustix::mount::OpenTreeFlags::OPEN_TREE_CLONE);
    match &bind {
        Ok(bind) => paths.push(of_fd(bind)),
        Err(error) => skip(format!("no bind mount: {error}")),
    }
    let copy = folder.path().join("copy");
    fs::copy(VMLINUX, &copy).unwrap();
    let copied = btf_kernel::open_file(&copy).unwrap().btf_bytes().unwrap();
    assert!(!is_mapped(&copied, &vmlinux) && !is_mapped(&copied, &File::open(&copy).unwrap()));
    for path in paths {
        let opened = btf_kernel::open_file(&path).unwrap().btf_bytes().unwrap();
        assert!(is_mapped(&opened, &vmlinux), "{}", path.display());
        assert!(opened == copied, "{}", path.display());
    }
    let missing = btf_kernel::open_file(folder.path().join("missing")).unwrap_err().to_string();
    assert!(missing.contains("missing"), "{missing}");
}

#[test]
fn a_refusal_of_the_kernel_has_its_log_of_any_length() {
    if cannot_load() {
        return;
    }
    // A struct that is inside itself.
    let mut blob = Blob::new();
    let name = blob.string("loop");
    blob.int().record(name, 4, 1, false, 4, &[name, 2, 0]);
    let refuse = |bytes: &[u8]| match LoadOptions::new().load_bytes(bytes) {
        Err(Error::Rejected { error, log, .. }) => (error, log),
        other => panic!("{other:?}"),
    };
    let (source, log) = refuse(&blob.build());
    assert_eq!(source.raw_os_error(), Some(17), "EEXIST");
    assert!(log.contains("Loop detected"), "{log}");
    // The verifier's sentence comes first, and the errno once, also for whoever
    // prints the sources of errors.
    let error = LoadedBtf::load(&Btf::parse(blob.build()).unwrap()).unwrap_err();
    assert!(std::error::Error::source(&error).is_none());
    let error = error.to_string();
    assert!(error.starts_with("the kernel rejects the BTF: [2] STRUCT loop "), "{error}");
    assert!(error.ends_with("Loop detected (File exists (os error 17))"), "{error}");

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
    assert!(matches!(LoadOptions::new().load_bytes(&bytes), Err(Error::Rejected { .. })));
    // But as `Btf` it is converted.
    assert!(LoadedBtf::load(&Btf::parse(bytes).unwrap()).is_ok());
    assert!(matches!(LoadOptions::new().load_bytes(b""), Err(Error::Rejected { .. })));
    let error = LoadOptions::new().load_bytes(&vec![0; (16 << 20) + 1]).unwrap_err();
    assert!(matches!(error, Error::TooLarge { .. }), "{error}");
    // A descriptor that is no token.
    let file = fs::File::open("/dev/null").unwrap();
    let error = LoadOptions::new().token(file.as_fd()).log_level(2).load(&int()).unwrap_err();
    assert!(matches!(error, Error::Rejected { .. } | Error::System { .. }), "{error:?}");
}

#[test]
fn loaded_btf_is_opened_and_listed_by_id() {
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
        (BpfObjectKind::Btf, LoadedBtf::by_id(u32::MAX).unwrap_err()),
        (BpfObjectKind::Program, LoadedBtf::of_program(u32::MAX).unwrap_err()),
        (BpfObjectKind::Map, LoadedBtf::of_map(u32::MAX).unwrap_err()),
    ] {
        assert!(matches!(error, Error::NoSuchId { object, id: u32::MAX, .. } if object == missing), "{error:?}");
    }
    drop((loaded, again));
    let gone = (0..100).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(20));
        matches!(LoadedBtf::by_id(info.id), Err(Error::NoSuchId { .. }))
    });
    assert!(gone, "nobody holds it any more");
}

#[test]
fn loaded_btf_is_read_back_as_it_was() {
    if cannot_load() {
        return;
    }
    let object = btf_elf::BpfObject::parse(fixtures::read("bpf/clang-22/core_field_tgt1-el.o")).unwrap();
    let btf = object.datasec_fixups().btf().unwrap();
    let loaded = LoadedBtf::load(&btf).unwrap();
    assert_eq!(loaded.bytes().unwrap(), btf.as_bytes());
    assert_eq!(loaded.btf(None).unwrap().type_count(), btf.type_count());
    assert_eq!(Kernel::running().read_loaded(&loaded).unwrap().as_bytes(), btf.as_bytes());
    // The kernel's own has the first id.
    let Some((vmlinux, info)) = LoadedBtf::all().map(Result::unwrap).find(|(_, info)| info.name == "vmlinux") else {
        skip("the kernel has no BTF of its own");
        return;
    };
    assert!(info.is_kernel);
    let kernel = Kernel::running();
    assert_eq!(vmlinux.bytes().unwrap(), kernel.btf().unwrap().as_bytes());
    assert_eq!(kernel.read_loaded(&vmlinux).unwrap().type_count(), kernel.btf().unwrap().type_count());
    for (loaded, info) in LoadedBtf::all().map(Result::unwrap).filter(|(_, info)| info.is_kernel) {
        assert!(kernel.read_loaded(&loaded).is_ok(), "{info:?}");
    }
}

#[test]
fn descriptors_are_owned_and_closed() {
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
    assert_eq!(LoadedBtf::try_from(fd).unwrap().info().unwrap().id, id);
}

/// The kernel writes by what a descriptor is: of a link, a program, a map through
/// other pointers than of BTF.
#[test]
fn a_descriptor_is_taken_for_btf_only_if_it_is() {
    let socket = std::os::unix::net::UnixStream::pair().unwrap().0;
    let file = || fs::File::open("/dev/null").unwrap();
    let mut others: Vec<OwnedFd> = vec![socket.into(), file().into(), rustix::pipe::pipe().unwrap().0];
    // A file may have any name but that.
    let folder = tempfile::tempdir().unwrap();
    others.push(fs::File::create(folder.path().join("anon_inode:btf")).unwrap().into());
    others.push(rustix::event::eventfd(0, rustix::event::EventfdFlags::CLOEXEC).unwrap());
    for fd in others {
        let number = fd.as_raw_fd();
        let error = LoadedBtf::try_from(fd).unwrap_err();
        assert!(matches!(&error, Error::NotBtfDescriptor { number: is, .. } if *is == number), "{error}");
        assert!(error.to_string().starts_with(&format!("file descriptor {number} is not BTF but ")), "{error}");
    }
    if cannot_load() {
        return;
    }
    let loaded = LoadedBtf::load(&int()).unwrap();
    let id = loaded.info().unwrap().id;
    assert_eq!(LoadedBtf::try_from(OwnedFd::from(loaded)).unwrap().info().unwrap().id, id);
    assert_eq!(BtfUser::programs().find_map(Result::err).map(|error| error.to_string()), None);
}

#[test]
fn split_btf_is_not_loaded() {
    let base = int();
    let split = Btf::parse_split(Blob::split().build(), &base).unwrap();
    let error = LoadedBtf::load(&split).unwrap_err();
    assert!(matches!(error, Error::SplitBtf) && error.to_string().starts_with("split BTF"), "{error}");
}

/// Every feature that this kernel should have by its age; distributions take
/// some back to older ones, none takes any away.
#[test]
fn the_running_kernel_has_the_features_of_its_version() {
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
            ("reject", Err(Error::Rejected { error: source, log, .. })) => {
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
        skip("the verdicts are of Linux 6.18");
    }
}

/// Rewrites on request what this kernel does not know.
#[test]
fn btf_that_is_newer_than_the_kernel_loads_sanitized() {
    if cannot_load() {
        return;
    }
    if is_supported(Feature::Layout).unwrap() {
        return println!("skipped: this kernel knows all that there is");
    }
    let btf = Btf::parse(Blob::new().int().layout([(0, 0), (4, 0)]).build()).unwrap();
    assert!(matches!(LoadedBtf::load(&btf), Err(Error::Rejected { .. })));
    let loaded = LoadOptions::new().sanitize(true).load(&btf).unwrap();
    assert_eq!(loaded.btf(None).unwrap().types().len(), 1);
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
            let Ok(fixed) = object.datasec_fixups().btf() else {
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

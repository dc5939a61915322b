//! Kernels and their modules on made-up systems: every place where BTF is looked
//! for, and everything that can be wrong with it. (Of the running kernel, see
//! `bpf.rs`.)

#![cfg(target_os = "linux")]
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "tests")]

use std::{
    env, fs,
    os::unix::{
        fs::{PermissionsExt, symlink},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{Command, ExitStatus},
    thread,
};

use btf_elf::{BtfFile, Compression};
use btf_format::ByteOrder;
use btf_kernel::{Error, Kernel, Root, Source};
use btf_tests::{blob::Blob, elf_blob::ElfBlob, fixtures, image, packed, seccomp, skip};
use btf_types::{Kind, Struct, Type};

const RELEASE: &str = "5.4.0-42-generic";
const X86_64: u16 = 62;

/// A system in a folder that is removed when this is dropped.
struct System(tempfile::TempDir);

impl System {
    /// Without a file, but for the kernel's release.
    fn new() -> Self {
        let system = Self(tempfile::tempdir().unwrap());
        system.write("proc/sys/kernel/osrelease", format!("{RELEASE}\n").as_bytes());
        system
    }

    /// One whose kernel has BTF on disk.
    fn with_kernel() -> Self {
        let system = Self::new();
        system.write(&format!("boot/vmlinux-{RELEASE}"), &vmlinux());
        system
    }

    fn path(&self, inside: &str) -> PathBuf {
        self.0.path().join(inside.trim_start_matches('/'))
    }

    fn write(&self, inside: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path(inside);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        path
    }

    fn module(&self, inside: &str, name: &str) {
        self.write(&format!("lib/modules/{RELEASE}/{inside}"), &module(name));
    }

    fn kernel(&self) -> Kernel {
        Kernel::of(Root::new(self.0.path()))
    }
}

/// A kernel as an ELF file: `int`, a struct `task_struct`, and many pointers.
fn vmlinux() -> Vec<u8> {
    image::vmlinux(ByteOrder::NATIVE, X86_64)
}

/// The split BTF of a module that has a struct of its name, and a function
/// `NAME_init`.
fn split(name: &str) -> Vec<u8> {
    let base = btf_types::Btf::parse(image::btf(ByteOrder::NATIVE)).unwrap();
    let (ids, strings) = (base.type_count(), base.string_len());
    let mut blob = Blob::split();
    let own = strings + blob.string(name);
    let init = strings + blob.string(format!("{name}_init"));
    blob.record(own, 4, 1, false, 8, &[own, 2, 0]);
    blob.record(0, 13, 0, false, 1, &[]).record(init, 12, 0, false, ids + 1, &[]);
    blob.build()
}

fn module(name: &str) -> Vec<u8> {
    let mut elf = ElfBlob { machine: X86_64, ..ElfBlob::bpf(ByteOrder::NATIVE) };
    elf.section(".text", [0; 100]);
    elf.section(".BTF", split(name));
    elf.build()
}

/// Runs a test of this file once more, as a user without rights.
fn as_nobody(test: &str) -> ExitStatus {
    const NOBODY: u32 = 65534;
    let folder = tempfile::Builder::new().permissions(fs::Permissions::from_mode(0o755)).tempdir().unwrap();
    let program = folder.path().join("test");
    fs::copy(env::current_exe().unwrap(), &program).unwrap();
    Command::new(program).args(["--exact", test]).uid(NOBODY).gid(NOBODY).current_dir("/").status().unwrap()
}

fn tried(error: &Error) -> Vec<(String, bool)> {
    let (Error::NoKernelBtf { tried, .. } | Error::NoModuleBtf { tried, .. }) = error else { panic!("{error}") };
    tried.iter().map(|attempt| (attempt.path().display().to_string(), attempt.is_missing())).collect()
}

#[test]
fn vmlinux_is_searched_in_libbpfs_order_of_places() {
    let vmlinux = vmlinux();
    let image = image::bz_image(&packed::encode(Compression::Zstd, &vmlinux));
    let places = [
        ("/boot/vmlinux-{}", &vmlinux),
        ("/lib/modules/{}/vmlinux-{}", &vmlinux),
        ("/lib/modules/{}/build/vmlinux", &vmlinux),
        ("/usr/lib/modules/{}/kernel/vmlinux", &vmlinux),
        ("/usr/lib/debug/boot/vmlinux-{}", &vmlinux),
        ("/usr/lib/debug/boot/vmlinux-{}.debug", &vmlinux),
        ("/usr/lib/debug/lib/modules/{}/vmlinux", &vmlinux),
        ("/boot/vmlinuz-{}", &image),
        ("/lib/modules/{}/vmlinuz", &image),
        ("/usr/lib/modules/{}/vmlinuz", &image),
    ];
    // All of them, and then one after the other is gone.
    let system = System::new();
    for (place, contents) in places {
        system.write(&place.replace("{}", RELEASE), contents);
    }
    for (place, _) in places {
        let inside = place.replace("{}", RELEASE);
        let kernel = system.kernel();
        let btf = kernel.btf().unwrap_or_else(|error| panic!("{place}: {error}"));
        assert!(btf.find::<Struct<'_>>("task_struct").is_ok());
        assert_eq!(kernel.source().unwrap(), &Source::File(system.path(&inside)));
        assert!(kernel.btf().unwrap().is_same(&btf), "opened once");
        fs::remove_file(system.path(&inside)).unwrap();
    }
    let error = system.kernel().btf().unwrap_err();
    let tried = tried(&error);
    assert!(tried.len() > places.len() && tried.iter().all(|(_, is_missing)| *is_missing));
    let in_order: Vec<_> = tried.into_iter().map(|(path, _)| path).take(places.len()).collect();
    let expected = places.map(|(place, _)| system.path(&place.replace("{}", RELEASE)).display().to_string());
    assert_eq!(in_order, expected, "as libbpf's, and then images");
    assert!(error.to_string().starts_with(&format!("no BTF for kernel {RELEASE}; not found: ")), "{error}");
}

#[test]
fn unreadable_files_and_files_without_btf_are_skipped_and_reported() {
    let system = System::new();
    let mut without = ElfBlob { machine: X86_64, ..ElfBlob::bpf(ByteOrder::NATIVE) };
    without.section(".text", [0; 16]);
    system.write(&format!("boot/vmlinux-{RELEASE}"), &without.build());
    system.write(&format!("lib/modules/{RELEASE}/vmlinux-{RELEASE}"), b"garbage");
    fs::create_dir_all(system.path(&format!("lib/modules/{RELEASE}/build/vmlinux"))).unwrap();
    let link = system.path(&format!("usr/lib/modules/{RELEASE}/kernel/vmlinux"));
    fs::create_dir_all(link.parent().unwrap()).unwrap();
    symlink("vmlinux", &link).unwrap();
    let mut damaged = ElfBlob { machine: X86_64, ..ElfBlob::bpf(ByteOrder::NATIVE) };
    damaged.section(".BTF", &image::btf(ByteOrder::NATIVE)[..1000]);
    system.write(&format!("usr/lib/debug/boot/vmlinux-{RELEASE}"), &damaged.build());

    let error = system.kernel().btf().unwrap_err();
    let text = error.to_string();
    for fault in ["no .BTF section", "neither BTF nor ELF", "is a directory", "Too many levels", ".BTF: type section"] {
        assert!(text.contains(fault), "{fault} in {text}");
    }
    let missing = tried(&error).into_iter().filter(|(_, is_missing)| *is_missing).count();
    assert_eq!(missing, tried(&error).len() - 5);

    let found = system.write(&format!("usr/lib/debug/lib/modules/{RELEASE}/vmlinux"), &vmlinux());
    let kernel = system.kernel();
    assert!(kernel.btf().is_ok());
    assert_eq!(kernel.source().unwrap().path(), found);
}

#[test]
fn a_file_that_may_not_be_read_is_passed_over() {
    let system = System::with_kernel();
    let path = system.path(&format!("boot/vmlinux-{RELEASE}"));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).unwrap();
    if rustix::process::geteuid().is_root() {
        // Root may read anything: once more as somebody else.
        let status = as_nobody("a_file_that_may_not_be_read_is_passed_over");
        assert!(status.success(), "{status}");
        return;
    }
    let error = system.kernel().btf().unwrap_err().to_string();
    assert!(error.contains("Permission denied"), "{error}");
}

#[test]
fn the_release_is_given_or_told_by_the_system_or_asked_for() {
    let system = System::with_kernel();
    assert_eq!(system.kernel().release().unwrap(), RELEASE);
    assert!(!system.kernel().is_running());
    assert!(
        matches!(system.kernel().sysfs_module_names(), Err(Error::NotRunning { .. })),
        "nobody knows what is loaded"
    );
    assert!(matches!(system.kernel().loaded_module_names(), Err(Error::NotRunning { .. })));
    let other = system.kernel().with_release("6.1.0-9");
    assert_eq!(other.release().unwrap(), "6.1.0-9");
    assert!(other.btf().unwrap_err().to_string().contains("boot/vmlinux-6.1.0-9"));
    fs::remove_file(system.path("proc/sys/kernel/osrelease")).unwrap();
    let kernel = system.kernel();
    assert_eq!(kernel.release().unwrap(), RELEASE, "it has no other kernel");
    assert!(kernel.btf().is_ok());
    system.write("boot/vmlinuz-6.1.0-9", b"");
    let error = system.kernel().btf().unwrap_err();
    assert!(matches!(error, Error::NoRelease { .. }), "{error}");
    assert!(error.to_string().ends_with("boot: 5.4.0-42-generic, 6.1.0-9; give the release"), "{error}");
    let error = system.kernel().with_release("../6.1.0-9").btf().unwrap_err();
    assert!(matches!(error, Error::InvalidRelease { .. }), "{error}");
    assert!(system.kernel().with_release(RELEASE).btf().is_ok());
    let running = Kernel::running();
    assert!(running.is_running() && running.release().is_ok());
    assert!(Kernel::running().with_release(running.release().unwrap()).is_running());
    assert!(!Kernel::running().with_release(RELEASE).is_running());
}

/// The host of a container: its files in a folder, with the kernel that runs.
#[test]
fn sysfs_of_a_host_is_believed_if_its_kernel_runs() {
    let running = Kernel::running().release().unwrap().to_owned();
    let host = System::with_kernel();
    host.write("sys/kernel/btf/vmlinux", &image::btf(ByteOrder::NATIVE));
    host.write("sys/kernel/btf/veth", &split("veth"));
    host.write("sys/kernel/btf/bare", &Blob::split().build());
    host.write("sys/kernel/btf/damaged", b"garbage");
    host.write("proc/modules", b"veth 40960 0 - Live 0x0000000000000000\nbare 1 0 - Live 0x0\nno_btf 1 0 - Live 0x0\n");
    // Another release's: what is on disk counts.
    let kernel = host.kernel();
    assert!(!kernel.is_running());
    assert!(matches!(kernel.source().unwrap(), Source::File(_)));
    assert!(kernel.module("veth").is_err());

    host.write("proc/sys/kernel/osrelease", format!("{running}\n").as_bytes());
    let kernel = host.kernel();
    assert!(kernel.is_running());
    // It is no sysfs, so that it could change while it is mapped.
    assert_eq!(kernel.source().unwrap(), &Source::Read(host.path("sys/kernel/btf/vmlinux")));
    assert_eq!(kernel.sysfs_module_names().unwrap(), ["bare", "damaged", "veth"]);
    assert_eq!(kernel.loaded_module_names().unwrap(), ["bare", "no_btf", "veth"]);
    let veth = kernel.module("veth").unwrap();
    assert!(veth.base().unwrap().is_same(&kernel.btf().unwrap()));
    assert!(kernel.module("veth").unwrap().is_same(&veth), "opened once");
    assert!(kernel.module("bare").unwrap().own_ids().is_empty(), "just a header");
    let error = kernel.module("damaged").unwrap_err().to_string();
    assert!(error.contains("sys/kernel/btf/damaged: not BTF"), "{error}");
    // One that is in sysfs and no good, and on disk.
    host.write(&format!("lib/modules/{running}/kernel/damaged.ko"), &module("damaged"));
    assert!(host.kernel().module("damaged").is_ok());
    // Where sysfs is no good, the kernel on disk is.
    host.write("sys/kernel/btf/vmlinux", b"garbage");
    host.write(&format!("boot/vmlinux-{running}"), &vmlinux());
    assert!(matches!(host.kernel().source().unwrap(), Source::File(_)));
}

#[test]
fn modules_in_every_form_and_place() {
    let system = System::with_kernel();
    system.module("kernel/drivers/net/plain.ko", "plain");
    for (ending, compression) in [("xz", Compression::Xz), ("zst", Compression::Zstd), ("gz", Compression::Gzip)] {
        let name = format!("mod_{ending}");
        let path = format!("lib/modules/{RELEASE}/kernel/sound/mod-{ending}.ko.{ending}");
        system.write(&path, &packed::encode(compression, &module(&name)));
    }
    system.module("updates/dkms/both.ko", "updated");
    system.module("kernel/both.ko", "original");
    system.module("extra/added.ko", "added");
    system.module("kernel/unlisted.ko", "unlisted");
    let dep = "kernel/drivers/net/plain.ko: kernel/both.ko\nkernel/sound/mod-xz.ko.xz:\nkernel/both.ko:\n\
        kernel/gone.ko:\nextra/added.ko:\n";
    for with_dep in [true, false] {
        if with_dep {
            system.write(&format!("lib/modules/{RELEASE}/modules.dep"), dep.as_bytes());
        } else {
            fs::remove_file(system.path(&format!("lib/modules/{RELEASE}/modules.dep"))).unwrap();
        }
        let kernel = system.kernel();
        for name in ["plain", "mod_xz", "mod-zst", "mod-gz", "added", "unlisted"] {
            let btf = kernel.module(name).unwrap_or_else(|error| panic!("{name}: {error}"));
            let own = name.replace('-', "_");
            assert!(btf.find::<Struct<'_>>(&own).is_ok(), "{name}");
            assert!(btf.base().unwrap().is_same(&kernel.btf().unwrap()));
        }
        let kernel = system.kernel();
        let files = kernel.module_files().unwrap();
        let names: Vec<_> = files.names().collect();
        let mut expected = vec!["added", "both", "mod_gz", "mod_xz", "mod_zst", "plain", "unlisted"];
        if with_dep {
            expected.insert(2, "gone");
        }
        assert_eq!(names, expected);
        let both = files.get("both");
        assert!(both[0].ends_with("updates/dkms/both.ko") && both.len() == 2, "{both:?}");
        assert!(kernel.module("both").unwrap().find::<Struct<'_>>("updated").is_ok());
        let error = kernel.module("gone").unwrap_err().to_string();
        assert!(error.starts_with("no BTF for module gone"), "{error}");
    }
    for name in ["", "vmlinux", "../vmlinux", "a/b", "veth.ko"] {
        assert!(matches!(system.kernel().module(name), Err(Error::ModuleName { .. })), "{name}");
    }
}

/// On merged systems `/lib` is a link to `usr/lib`; in an image it may be an
/// absolute one. `build` leads to the kernel's source, and is not walked.
#[test]
fn links_in_the_tree_of_modules() {
    let system = System::with_kernel();
    system.write(&format!("usr/lib/modules/{RELEASE}/kernel/one.ko"), &module("one"));
    system.write("usr/src/linux/samples/sample.ko", &module("sample"));
    symlink("/usr/src/linux", system.path(&format!("usr/lib/modules/{RELEASE}/build"))).unwrap();
    system.write("usr/share/two.ko", &module("two"));
    symlink("/usr/share/two.ko", system.path(&format!("usr/lib/modules/{RELEASE}/two.ko"))).unwrap();
    symlink("/usr/lib", system.path("lib")).unwrap();
    let kernel = system.kernel();
    assert_eq!(kernel.module_files().unwrap().names().collect::<Vec<_>>(), ["one", "two"]);
    assert!(kernel.module("one").is_ok() && kernel.module("two").is_ok());
    // Only there.
    fs::remove_file(system.path("lib")).unwrap();
    assert!(system.kernel().module("one").is_ok());
}

#[test]
fn what_is_wrong_with_one_module_keeps_nobody_from_the_others() {
    let system = System::with_kernel();
    let mut without = ElfBlob { machine: X86_64, ..ElfBlob::bpf(ByteOrder::NATIVE) };
    without.section(".text", [0; 16]);
    system.write(&format!("lib/modules/{RELEASE}/kernel/without.ko"), &without.build());
    system.write(&format!("lib/modules/{RELEASE}/kernel/garbage.ko"), b"garbage");
    // Of another kernel: its ids do not exist in this one.
    let real = fixtures::read(&format!("modules/{}/veth.ko", fixtures::UNSORTED));
    system.write(&format!("lib/modules/{RELEASE}/kernel/veth.ko"), &real);
    for name in ["a", "b", "c"] {
        system.module(&format!("kernel/{name}.ko"), name);
    }
    let kernel = system.kernel();
    let modules = kernel.open_all_modules().unwrap();
    let faults: Vec<_> = modules.faults().iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(faults, ["garbage", "veth", "without"]);
    let text = modules.faults()[1].1.to_string();
    assert!(text.contains("not split from this base"), "{text}");
    // Looked up as one; each answer says whose it is.
    let objects: Vec<_> = modules
        .collection()
        .find_all::<Type<'_>>("b")
        .into_iter()
        .map(|found| found.object.name().to_string())
        .collect();
    assert_eq!(objects, ["b"]);
    let of_kernel = modules.collection().find_all::<Struct<'_>>("task_struct");
    assert_eq!(of_kernel.len(), 1);
    assert_eq!(of_kernel[0].object.name(), "vmlinux");
    let some = kernel.open_modules(["a", "no-such-module"]).unwrap();
    assert_eq!(some.faults().len(), 1);
    assert!(some.into_collection().find_all::<Type<'_>>("b").is_empty());
}

#[test]
fn the_module_that_defines_a_function_or_type() {
    let system = System::with_kernel();
    for name in ["a", "b", "c"] {
        system.module(&format!("kernel/{name}.ko"), name);
    }
    let kernel = system.kernel();
    let module = kernel.find_module_of("b_init", Kind::Func).unwrap().unwrap();
    assert_eq!(module.name(), "b");
    assert!(kernel.module("b").unwrap().is_same(module.btf()), "not opened again");
    assert!(kernel.find_module_of("b", Kind::Func).unwrap().is_none(), "it is a struct");
    assert_eq!(kernel.find_module_of("c", None).unwrap().unwrap().name(), "c");
    assert!(kernel.find_module_of("task_struct", None).unwrap().is_none(), "that is the kernel's own");
}

/// A struct of a header is in each module that uses it, and none of them is its
/// own: the answer is not just the first.
#[test]
fn a_type_that_several_modules_have_is_ambiguous() {
    let system = System::with_kernel();
    system.module("kernel/one.ko", "one");
    for file in ["two", "three"] {
        system.module(&format!("kernel/{file}.ko"), "shared");
    }
    let kernel = system.kernel();
    let error = kernel.find_module_of("shared", Kind::Struct).unwrap_err();
    assert!(matches!(&error, Error::AmbiguousModule { modules, .. } if modules == &["three", "two"]), "{error}");
    assert_eq!(error.to_string(), "`shared` is ambiguous: 2 modules have a STRUCT of this name: three, two");
    let all = kernel.find_all_modules_of("shared", None).unwrap();
    assert_eq!(all.iter().map(btf_kernel::Module::name).collect::<Vec<_>>(), ["three", "two"]);
    assert!(kernel.find_all_modules_of("nothing", None).unwrap().is_empty());
    // What is loaded takes precedence over what is just on disk.
    let running = Kernel::running().release().unwrap().to_owned();
    system.write("proc/sys/kernel/osrelease", running.as_bytes());
    system.write("sys/kernel/btf/vmlinux", &image::btf(ByteOrder::NATIVE));
    system.write("sys/kernel/btf/two", &split("shared"));
    system.write(&format!("lib/modules/{running}/kernel/three.ko"), &module("shared"));
    let kernel = system.kernel();
    assert_eq!(kernel.find_module_of("shared", Kind::Struct).unwrap().unwrap().name(), "two");
    assert_eq!(kernel.find_all_modules_of("shared", None).unwrap().len(), 2);
}

#[test]
fn a_module_that_brings_its_base_is_rebased() {
    let system = System::new();
    let release = fixtures::UNSORTED;
    system.write("proc/sys/kernel/osrelease", release.as_bytes());
    let mut elf = ElfBlob { elf_type: 2, machine: X86_64, ..ElfBlob::bpf(ByteOrder::Little) };
    elf.section(".BTF", fixtures::read(&format!("kernels/{release}/vmlinux.btf")));
    system.write(&format!("boot/vmlinux-{release}"), &elf.build());
    let pair = "split/amd64_6.1.0-56-cloud-amd64.veth.hdr32";
    let mut elf = ElfBlob { machine: X86_64, ..ElfBlob::bpf(ByteOrder::Little) };
    elf.section(".BTF", fixtures::read(&format!("{pair}.btf")));
    elf.section(".BTF.base", fixtures::read(&format!("{pair}.btf.base")));
    system.write(&format!("lib/modules/{release}/updates/veth.ko"), &elf.build());
    let kernel = system.kernel();
    let veth = kernel.module("veth").unwrap();
    assert!(veth.base().unwrap().is_same(&kernel.btf().unwrap()));
    assert!(veth.find::<Struct<'_>>("veth_priv").is_ok());
}

/// Systems whose kernel is built without sysfs or modules, and containers.
#[test]
fn a_system_without_modules_is_the_kernel_alone() {
    let system = System::with_kernel();
    let kernel = system.kernel();
    assert!(kernel.module_files().unwrap().is_empty() && kernel.module_names().unwrap().is_empty());
    assert!(kernel.find_module_of("task_struct", None).unwrap().is_none());
    let modules = kernel.open_all_modules().unwrap();
    assert!(modules.faults().is_empty());
    assert_eq!(modules.collection().objects().map(btf_types::Object::name).collect::<Vec<_>>(), ["vmlinux"]);
    assert_eq!(kernel.open_modules([]).unwrap().collection().objects().count(), 1);
    // The one that runs: sysfs has just its own, and /proc no list.
    let running = Kernel::running().release().unwrap().to_owned();
    system.write("proc/sys/kernel/osrelease", running.as_bytes());
    let kernel = system.kernel();
    assert!(kernel.sysfs_module_names().unwrap().is_empty(), "nor a folder for BTF");
    assert!(kernel.loaded_module_names().unwrap().is_empty());
    system.write("sys/kernel/btf/vmlinux", &image::btf(ByteOrder::NATIVE));
    let kernel = system.kernel();
    assert!(kernel.sysfs_module_names().unwrap().is_empty() && kernel.module_names().unwrap().is_empty());
    assert!(kernel.find_module_of("task_struct", None).unwrap().is_none());
    assert_eq!(kernel.open_all_modules().unwrap().collection().objects().count(), 1);
}

#[test]
fn a_system_without_anything() {
    let system = System::new();
    let error = system.kernel().module("veth").unwrap_err();
    assert!(matches!(error, Error::NoKernelBtf { .. }), "{error}");
    assert!(system.kernel().open_all_modules().is_err());
    let kernel = Kernel::of(Root::new("/nonexistent"));
    assert!(matches!(kernel.btf(), Err(Error::NoRelease { root, .. }) if root == Path::new("/nonexistent")));
    let kernel = kernel.with_release(RELEASE);
    assert!(matches!(kernel.module_files(), Err(Error::Io { .. })), "that the root is wrong does not go unnoticed");
}

#[test]
fn large_files_open_as_others_do() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vmlinux.btf");
    let mut bytes = fixtures::read(&format!("kernels/{}/vmlinux.btf", fixtures::UNSORTED));
    assert!(bytes.len() > 2 << 20);
    fs::write(&path, &bytes).unwrap();
    assert!(btf_kernel::open_file(&path).unwrap().btf_bytes().unwrap() == bytes);
    let rejected = |bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        let [ours, other] =
            [btf_kernel::open_file(&path), BtfFile::open(&path)].map(|file| file.and_then(|file| file.btf()));
        assert_eq!(ours.unwrap_err().to_string(), other.unwrap_err().to_string());
    };
    rejected(&bytes[..bytes.len() - 1]);
    let len = bytes.len();
    bytes[len / 4..len / 2].fill(0xff);
    rejected(&bytes);
    bytes[..2].fill(0);
    rejected(&bytes);
}

/// Threads that ask first, all at once, get the same.
#[test]
fn first_questions_of_several_threads() {
    let system = System::with_kernel();
    system.module("kernel/one.ko", "one");
    let kernel = system.kernel();
    let all: Vec<_> = std::thread::scope(|scope| {
        let ask = || (kernel.btf().unwrap(), kernel.module("one").unwrap());
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(ask)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    for (vmlinux, module) in &all {
        assert!(vmlinux.is_same(&all[0].0) && module.is_same(&all[0].1));
        assert!(module.base().unwrap().is_same(vmlinux));
    }
}

/// In a container whose filter knows no openat2(2), everything is found all the
/// same, and what can change is not mapped.
#[test]
fn where_openat2_is_refused() {
    let running = Kernel::running();
    for errno in [libc::EPERM, libc::ENOSYS] {
        thread::scope(|scope| {
            let work = || {
                if let Err(error) = seccomp::refuse_openat2(errno) {
                    return skip(format!("no seccomp: {error}"));
                }
                let folder = fs::File::open("/").unwrap();
                let flags = rustix::fs::OFlags::RDONLY;
                let opened = rustix::fs::openat2(&folder, "etc", flags, 0.into(), rustix::fs::ResolveFlags::IN_ROOT);
                assert_eq!(opened.unwrap_err().raw_os_error(), errno);
                vmlinux_is_searched_in_libbpfs_order_of_places();
                unreadable_files_and_files_without_btf_are_skipped_and_reported();
                sysfs_of_a_host_is_believed_if_its_kernel_runs();
                modules_in_every_form_and_place();
                links_in_the_tree_of_modules();
                let Ok(btf) = running.btf() else { return skip("the running kernel has no BTF") };
                let kernel = Kernel::running();
                assert_eq!(kernel.btf().unwrap().as_bytes(), btf.as_bytes());
                assert!(!matches!(kernel.source().unwrap(), Source::Mapped(_)), "{:?}", kernel.source());
            };
            scope.spawn(work).join().unwrap();
        });
    }
}

/// A small modules.dep that lists one module a hundred thousand times, links
/// that all lead to one file, and a file that is every place: each is opened once.
#[test]
fn what_is_shared_is_opened_once() {
    let system = System::with_kernel();
    let dep: String = (0..100_000).map(|index| format!("kernel/{index}/a.ko:\n")).collect();
    system.write(&format!("lib/modules/{RELEASE}/modules.dep"), dep.as_bytes());
    let kernel = system.kernel();
    let error = kernel.module("a").unwrap_err();
    assert!(tried(&error).len() <= 16, "{} attempts", tried(&error).len());
    assert!(error.to_string().len() < 5000, "{} bytes of text", error.to_string().len());
    assert!(kernel.module_files().unwrap().get("a").len() <= 16);

    let system = System::with_kernel();
    system.module("kernel/good.ko", "good");
    system.write(&format!("lib/modules/{RELEASE}/kernel/bad.ko"), b"garbage");
    for index in 0..10 {
        for target in ["good", "bad"] {
            let link = system.path(&format!("lib/modules/{RELEASE}/kernel/{target}{index}.ko"));
            symlink(format!("{target}.ko"), link).unwrap();
        }
    }
    let kernel = system.kernel();
    let good = kernel.module("good").unwrap();
    assert!(kernel.module("bad").is_err());
    for index in 0..10 {
        assert!(kernel.module(&format!("good{index}")).unwrap().is_same(&good));
        let error = kernel.module(&format!("bad{index}")).unwrap_err().to_string();
        assert!(error.contains(" is the same file as ") && error.ends_with("/bad.ko"), "{error}");
    }

    let system = System::new();
    let bad = system.write("boot/bad", b"garbage");
    for place in ["boot/vmlinux-{}", "boot/vmlinuz-{}", "boot/Image-{}"] {
        symlink("bad", system.path(&place.replace("{}", RELEASE))).unwrap();
    }
    let error = system.kernel().btf().unwrap_err();
    let text = error.to_string();
    assert_eq!(text.matches("is the same file as").count(), 2, "{text}");
    assert_eq!(text.matches("neither BTF nor ELF").count(), 1, "{text}");
    assert!(bad.exists());
}

/// Only regular files are read: a device may never end.
#[test]
fn devices_and_pipes_are_not_read() {
    let system = System::new();
    symlink("/dev/zero", system.path("device")).unwrap();
    fs::create_dir_all(system.path("boot")).unwrap();
    let pipe = system.path(&format!("boot/vmlinux-{RELEASE}"));
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let error = system.kernel().btf().unwrap_err().to_string();
    assert!(error.contains("not a regular file"), "{error}");
}

/// Text out of a tree is never printed unescaped.
#[test]
fn control_characters_of_a_tree_do_not_reach_a_terminal() {
    let system = System(tempfile::tempdir().unwrap());
    system.write("proc/sys/kernel/osrelease", b"9\x1b[31m.9\n");
    system.write("boot/vmlinux-9\x1b[31m.9", b"garbage");
    let kernel = system.kernel();
    for error in [kernel.btf().unwrap_err(), kernel.sysfs_module_names().unwrap_err()] {
        let text = error.to_string();
        assert!(!text.contains('\x1b') && text.contains("9\\u{1b}[31m.9"), "{text}");
    }
}

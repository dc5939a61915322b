//! Bundles of BTF that is trimmed to what programs need, and of modules.

#![cfg(target_os = "linux")]
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "tests")]

use std::{
    collections::BTreeSet,
    fs,
    path::Path,
    sync::atomic::{AtomicUsize, Ordering::SeqCst},
};

use btf_archive::{Archive, Error, Pack};
use btf_build::{Builder, IntEncoding};
use btf_elf::{BpfObject, Compression};
use btf_kernel::Host;
use btf_relocate::{Relocator, Targets, Trim};
use btf_tests::{described::core_relos, fixtures, packed, tars::tar};
use btf_types::{Btf, BtfExt, Struct, Type};

const COMPRESSIONS: [Option<Compression>; 4] =
    [None, Some(Compression::Gzip), Some(Compression::Xz), Some(Compression::Zstd)];

fn host(distribution: &str, version: &str, release: &str) -> Host {
    Host {
        distribution: distribution.into(),
        version: Some(version.into()),
        machine: "x86_64".into(),
        release: release.into(),
        ..Host::default()
    }
}

fn write(folder: &Path, path: &str, bytes: &[u8]) {
    let path = folder.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

fn bytes_of(pack: &Pack<'_>, archive: &Archive) -> Vec<u8> {
    let mut bytes = Vec::new();
    pack.write(archive, &mut bytes).unwrap();
    bytes
}

fn core_real() -> Trim {
    let object = BpfObject::parse(fixtures::read("bpf/clang-22/core_real-el.bpf.o")).unwrap();
    Trim::new().object(&object).unwrap()
}

/// The kernels of the fixtures as btfhub has them, one with its modules.
fn kernels() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let read = |release: &str, name: &str| fixtures::read(&format!("kernels/{release}/{name}.btf"));
    let old = tar(&[(&format!("{}.btf", fixtures::UNSORTED), &read(fixtures::UNSORTED, "vmlinux"))]);
    let old = packed::encode(Compression::Xz, &old);
    write(folder.path(), &format!("debian/12/x86_64/{}.btf.tar.xz", fixtures::UNSORTED), &old);
    let names = ["vmlinux", "openvswitch", "veth", "vxlan"];
    let files = names.map(|name| (name, read(fixtures::SORTED, name)));
    let files: Vec<(&str, &[u8])> = files.iter().map(|(name, bytes)| (*name, bytes.as_slice())).collect();
    let new = packed::encode(Compression::Gzip, &tar(&files));
    write(folder.path(), &format!("debian/13/x86_64/{}.btf.tar.gz", fixtures::SORTED), &new);
    folder
}

#[test]
fn what_is_packed_is_what_is_trimmed() {
    let folder = kernels();
    let archive = Archive::open(folder.path()).unwrap();
    let (trim, progress) = (core_real().keep("vport"), AtomicUsize::new(0));
    let pack = |compression: Option<Compression>| {
        let pack = Pack::new().trim(&trim).package_json(b"{}").progress(|done, all| {
            assert!(done <= all && all == 2);
            progress.store(done, SeqCst);
        });
        compression.into_iter().fold(pack, Pack::compression)
    };
    let plain = bytes_of(&pack(None), &archive);
    assert_eq!(progress.load(SeqCst), 2, "all are done at the end");
    assert!(plain.len() < 100_000, "{} bytes", plain.len());
    let (old, new) = (fixtures::UNSORTED, fixtures::SORTED);
    let names: Vec<_> = tar::Archive::new(&plain[..])
        .entries()
        .unwrap()
        .map(|entry| entry.unwrap().path().unwrap().display().to_string())
        .collect();
    let expected = [
        "package.json".into(),
        format!("btfhub-archive/debian/12/x86_64/{old}.btf"),
        format!("btfhub-archive/debian/13/x86_64/{new}.btf"),
        format!("btfhub-archive/debian/13/x86_64/{new}.btf.modules.tar"),
    ];
    assert_eq!(names, expected);
    for compression in COMPRESSIONS {
        let bundle = bytes_of(&pack(compression), &archive);
        assert_eq!(bundle, bytes_of(&pack(compression), &archive), "equal bytes for equal input");
        let bundle = Archive::parse(bundle).unwrap();
        let selected = bundle.select(&host("debian", "12", old)).unwrap();
        let vmlinux = Btf::parse(fixtures::read(&format!("kernels/{old}/vmlinux.btf"))).unwrap();
        assert_eq!(selected.btf().as_bytes(), trim.trim(&vmlinux).unwrap().as_bytes());
        assert_eq!(selected.module_names().count(), 0);
    }

    // A bundle is an archive, out of which the same bundle can be made.
    let bundle = Archive::parse(plain.clone()).unwrap();
    assert_eq!(bytes_of(&pack(None), &bundle), plain);
    assert_eq!(bytes_of(&Pack::new().package_json(b"{}"), &bundle), plain);

    // Modules are beside, on the kernel that was trimmed with them.
    let unpacked = bundle.unpack().unwrap();
    for archive in [bundle, unpacked.archive().unwrap()] {
        assert_eq!(archive.list().unwrap().len(), 2);
        let selected = archive.select(&host("debian", "13", new)).unwrap();
        assert_eq!(selected.module_names().collect::<Vec<_>>(), ["openvswitch"], "of the others nothing is needed");
        let module = selected.module("openvswitch").unwrap();
        let vport = Type::from(module.find_first::<Struct<'_>>("vport").unwrap());
        assert_eq!(vport.find_member("dev").unwrap().0.ty().to_string(), "struct net_device *");
        assert!(matches!(selected.module("veth"), Err(Error::NoModule { .. })));
    }
    let file = unpacked.btf_file_of(&host("debian", "13", new)).unwrap();
    assert!(Btf::parse(fs::read(file).unwrap()).is_ok(), "plain BTF, as libbpf takes it");
}

/// bpf-compatible unpacks a plain tar with all that is in it, and then reads
/// `package.json` and `btfhub-archive/ID/VERSION_ID/MACHINE/RELEASE.btf`. (Its reader,
/// bpf-compatible-rs 0.1.3, was run on such a bundle.)
#[test]
fn bundles_are_what_bpf_compatible_reads() {
    let folder = kernels();
    let archive = Archive::open(folder.path()).unwrap();
    let (trim, json) = (core_real(), br#"{"bpf_object":""}"#);
    let bundle = bytes_of(&Pack::new().trim(&trim).package_json(json), &archive);
    let unpacked = tempfile::tempdir().unwrap();
    tar::Archive::new(&bundle[..]).unpack(unpacked.path()).unwrap();
    assert_eq!(fs::read(unpacked.path().join("package.json")).unwrap(), json);
    for (version, release) in [("12", fixtures::UNSORTED), ("13", fixtures::SORTED)] {
        let path = format!("btfhub-archive/debian/{version}/x86_64/{release}.btf");
        let found = Btf::parse(fs::read(unpacked.path().join(path)).unwrap()).unwrap();
        let vmlinux = Btf::parse(fixtures::read(&format!("kernels/{release}/vmlinux.btf"))).unwrap();
        assert_eq!(found.as_bytes(), trim.trim(&vmlinux).unwrap().as_bytes(), "{release}");
    }
}

#[test]
fn modules_of_whole_kernels_are_packed_too() {
    let folder = kernels();
    let archive = Archive::open(folder.path()).unwrap();
    let bundle = Archive::parse(bytes_of(&Pack::new().release("7*"), &archive)).unwrap();
    let selected = bundle.select(&host("debian", "13", fixtures::SORTED)).unwrap();
    assert_eq!(selected.module_names().collect::<Vec<_>>(), ["openvswitch", "veth", "vxlan"]);
    let veth = fixtures::read(&format!("kernels/{}/veth.btf", fixtures::SORTED));
    assert_eq!(selected.module("veth").unwrap().as_bytes(), veth);
    // What a function makes of a kernel, no module is split from.
    let transformed = Pack::new().release("7*").transform(|btf| btf.to_bytes(btf.byte_order()));
    let bundle = Archive::parse(bytes_of(&transformed, &archive)).unwrap();
    assert_eq!(bundle.select(&host("debian", "13", fixtures::SORTED)).unwrap().module_names().count(), 0);
}

/// BTF with a struct that has a field, at each of these offsets in bits, and
/// something else, by which two are told apart.
fn small(offsets: &[u32], unneeded: &str) -> Vec<u8> {
    let mut b = Builder::new();
    let int = b.int("int", 4, IntEncoding::SIGNED).unwrap();
    for &offset in offsets {
        b.structure("task_struct", 4096).member("pid", int, offset).member("tgid", int, offset + 32).finish().unwrap();
    }
    b.structure(unneeded, 4).member("x", int, 0).finish().unwrap();
    b.finish().unwrap().as_bytes().to_vec()
}

/// A program that asks for the field.
fn program() -> BtfExt {
    let mut b = Builder::new();
    let int = b.int("int", 4, IntEncoding::SIGNED).unwrap();
    let task = b.structure("task_struct", 4).member("pid", int, 0).finish().unwrap();
    let [section, access] = ["kprobe/f", "0:0"].map(|string| b.string(string).unwrap());
    BtfExt::parse(core_relos(section, &[0, task, access, 0]), &b.finish().unwrap()).unwrap()
}

#[test]
fn what_is_left_out_is_reported() {
    let folder = tempfile::tempdir().unwrap();
    let path = |release: &str| format!("debian/12/x86_64/{release}.btf");
    write(folder.path(), &path("1.0"), &small(&[0], "a"));
    write(folder.path(), &path("2.0"), &small(&[0, 64], "a"));
    write(folder.path(), &path("3.0"), b"garbage");
    write(folder.path(), &path("4.0"), &small(&[0], "a")[..40]);
    write(folder.path(), &format!("{}.xz", path("5.0")), &packed::encode(Compression::Xz, &small(&[0], "a"))[..60]);
    let vmlinux = small(&[0], "a");
    let files: &[(&str, &[u8])] = &[("vmlinux", &vmlinux), ("veth", &small(&[0], "a")[..40])];
    write(folder.path(), &format!("{}.tar", path("6.0")), &tar(files));
    write(folder.path(), &path("7.0"), &small(&[320], "b"));
    let archive = Archive::open(folder.path()).unwrap();
    let ext = program();
    let trim = Trim::new().ext(&ext).unwrap();
    let mut bytes = Vec::new();
    let packed = Pack::new().trim(&trim).write(&archive, &mut bytes).unwrap();
    assert_eq!(packed.kernels, 3);
    let report: Vec<String> = packed.left_out.iter().map(ToString::to_string).collect();
    for (line, (release, reason)) in report.iter().zip([
        ("2.0", "cannot trim debian/12/x86_64/2.0.btf: program kprobe/f (section kprobe/f), instruction 0 (byte 0), byte_off of task_struct.pid (0:0): ambiguous: "),
        ("3.0", "no kernel BTF in "),
        ("4.0", "cannot read BTF from debian/12/x86_64/4.0.btf: "),
        ("5.0", "cannot decode"),
        ("6.0", "module veth"),
    ]) {
        assert!(line.starts_with(&path(release)) && line.contains(reason), "{line}");
    }
    assert_eq!(report.len(), 5, "{report:?}");
    let releases: Vec<String> = Archive::parse(bytes)
        .unwrap()
        .list()
        .unwrap()
        .iter()
        .map(|listed| listed.entry().unwrap().release.into())
        .collect();
    assert_eq!(releases, ["1.0", "6.0", "7.0"]);
    // Whole BTF is not trimmed, and so is not ambiguous.
    let packed = Pack::new().write(&archive, &mut Vec::new()).unwrap();
    assert_eq!((packed.kernels, packed.left_out.len()), (4, 3));
    // A bundle of nothing is none, and what there was stays.
    let out = folder.path().join("bundle.tar");
    fs::write(&out, "before").unwrap();
    let error = Pack::new().release("2.0").trim(&trim).write_file(&archive, &out).unwrap_err();
    assert!(matches!(error, Error::Trim { .. }), "{error}");
    assert_eq!(fs::read(&out).unwrap(), b"before");
}

/// Packs an archive as large as btfhub-archive, with few distinct files.
#[test]
fn three_thousand_kernels() {
    let folder = tempfile::tempdir().unwrap();
    let distinct: Vec<Vec<u8>> = (0..30).map(|number| small(&[number * 64], &format!("only_in_{number}"))).collect();
    let release = |number: usize| format!("5.{}.{}-generic", number / 100, number % 100);
    for number in 0..3000 {
        let version = if number % 2 == 0 { "20.04" } else { "22.04" };
        let path = format!("ubuntu/{version}/x86_64/{}.btf", release(number));
        write(folder.path(), &path, &distinct[number % 30]);
    }
    let archive = Archive::open(folder.path()).unwrap();
    let ext = program();
    let trim = Trim::new().ext(&ext).unwrap();
    let plain = bytes_of(&Pack::new().trim(&trim), &archive);
    let unpacked = Archive::parse(plain.clone()).unwrap().unpack().unwrap();
    let mut bundles = vec![Archive::parse(plain.clone()).unwrap(), unpacked.archive().unwrap()];
    for compression in COMPRESSIONS.into_iter().flatten() {
        let bundle = bytes_of(&Pack::new().trim(&trim).compression(compression), &archive);
        assert!(bundle.len() < plain.len() / 10, "{compression}: {} of {}", bundle.len(), plain.len());
        bundles.push(Archive::parse(bundle).unwrap());
    }
    for bundle in &bundles {
        assert_eq!(bundle.list().unwrap().len(), 3000);
        let mut offsets = BTreeSet::new();
        for number in [0, 1, 29, 30, 1717, 2222, 2998, 2999] {
            let version = if number % 2 == 0 { "20.04" } else { "22.04" };
            let selected = bundle.select(&host("ubuntu", version, &release(number))).unwrap();
            let btf = selected.btf();
            assert_eq!(btf.types().len(), 2, "int and task_struct, and no other struct");
            let task: Struct<'_> = btf.find("task_struct").unwrap();
            assert_eq!(task.members().len(), 1);
            let relocated = Relocator::new(Targets::custom(&btf)).relocate(&ext);
            let offset = relocated.iter().next().unwrap().target_value();
            assert_eq!(offset, (number % 30) as u64 * 8);
            offsets.insert(offset);
        }
        assert_eq!(offsets.len(), 6);
    }
}

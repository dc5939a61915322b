//! `btf kernel`, and kernels of other systems; as somebody without rights, too.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test")]

mod command;

use std::{
    fs,
    os::unix::{fs::PermissionsExt, process::CommandExt},
    path::Path,
    process::Command,
};

use btf_tests::{fixtures, image, packed, skip};
use btf_types::ByteOrder;
use command::{btf, text};

/// A system of the newest kernel of the fixtures, in an image, with a module.
fn system() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let release = fixtures::SORTED;
    let write = |inside: String, bytes: &[u8]| {
        let path = folder.path().join(inside);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    };
    let mut elf = btf_tests::elf_blob::ElfBlob {
        elf_type: 2,
        machine: 62,
        ..btf_tests::elf_blob::ElfBlob::bpf(ByteOrder::Little)
    };
    elf.section(".text", [0; 100]);
    elf.section(".BTF", fixtures::read(&format!("kernels/{release}/vmlinux.btf")));
    let image = image::bz_image(&packed::encode(btf_elf::Compression::Lz4, &elf.build()));
    write(format!("boot/vmlinuz-{release}"), &image);
    let module = fs::read(fixtures::folder().join(format!("modules/{release}/tun.ko.xz"))).unwrap();
    write(format!("lib/modules/{release}/kernel/drivers/net/tun.ko.xz"), &module);
    write("proc/sys/kernel/osrelease".into(), format!("{release}\n").as_bytes());
    write("proc/sys/kernel/arch".into(), b"x86_64\n");
    write("etc/os-release".into(), b"ID=debian\nVERSION_ID=\"13\"\n");
    folder
}

#[test]
fn another_system_by_its_root() {
    let folder = system();
    let root = folder.path().to_str().unwrap();
    let output = btf(&["kernel", "--root", root]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let expected = format!(
        "release      {release} (does not run)\nmachine      x86_64\nsystem       debian 13\n\
        BTF          {root}/boot/vmlinuz-{release} (file)\ntypes        121185, 5293890 bytes, little-endian\n\
        name-sorted  yes\nmodules      unknown with BTF in sysfs, 1 on disk\n",
        release = fixtures::SORTED
    );
    assert_eq!(text(&output.stdout), expected);
    let json = |arguments: &[&str]| -> serde_json::Value {
        let output = btf(&[arguments, &["--root", root]].concat());
        assert!(output.status.success(), "{}", text(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    };
    assert_eq!(json(&["kernel", "info", "--json"])["way"], "file");
    let modules = json(&["kernel", "modules", "--json"]);
    assert_eq!((&modules[0]["name"], &modules[0]["is_loaded"]), (&"tun".into(), &false.into()));
    assert_eq!(json(&["info", "--json", "--module", "tun"])["types"], 132);
    let output = btf(&["show", "tun_struct", "--module", "tun", "--root", root]);
    assert!(text(&output.stdout).starts_with("struct tun_struct {"), "{}", text(&output.stderr));
    let output = btf(&["find", "task_struct", "--kind", "struct", "--root", root]);
    assert!(text(&output.stdout).contains("task_struct"));
    let output = btf(&["dump", "--root", root, "--module", "tun"]);
    assert!(text(&output.stdout).starts_with("[121185] "), "{}", text(&output.stderr));
    let output = btf(&["info", "--root", root, "--release", "1.2.3"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).starts_with("btf: no BTF of kernel 1.2.3; not there: "), "{}", text(&output.stderr));
    let output = btf(&["show", "tun_struct", "--module", "tun", "--root", root, "./file.btf"]);
    assert!(text(&output.stderr).contains("which?"));
    assert_eq!(btf(&["info", "--root", root, "./file.btf"]).status.code(), Some(2));
}

#[test]
fn what_the_running_kernel_takes() {
    let output = btf(&["kernel", "features", "--json"]);
    let features: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(features[0]["name"], "btf");
    if !output.status.success() {
        skip(text(&output.stderr));
        return;
    }
    assert_eq!(features[0]["is_supported"], true);
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        path.display().to_string()
    };
    let mut blob = btf_tests::blob::Blob::new();
    let good = write("good.btf", &blob.int().build());
    let output = btf(&["kernel", "load", &good]);
    assert!(text(&output.stdout).contains("good.btf: the kernel takes it (id "), "{}", text(&output.stderr));
    let name = blob.string("bad name");
    let bad = write("bad.btf", &blob.record(name, 4, 0, false, 0, &[]).build());
    let output = btf(&["kernel", "load", &bad]);
    assert_eq!(output.status.code(), Some(1));
    let error = text(&output.stderr);
    assert!(error.contains("bad.btf: the kernel refuses the BTF: ") && error.contains("Invalid name"), "{error}");
    let output = btf(&["kernel", "load", "--log", &bad]);
    assert!(text(&output.stderr).contains("[1] INT int size=4"), "{}", text(&output.stderr));
    let output = btf(&["kernel", "list", "--json"]);
    let list: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(list.as_array().unwrap().iter().any(|row| row["name"] == "vmlinux" && row["is_kernel"] == true));
}

/// As `nobody`: what is a file can be read; what needs rights says which.
#[test]
fn without_rights() {
    const NOBODY: u32 = 65534;
    let folder = tempfile::Builder::new().permissions(fs::Permissions::from_mode(0o755)).tempdir().unwrap();
    let program = folder.path().join("btf");
    fs::copy(env!("CARGO_BIN_EXE_btf"), &program).unwrap();
    let file = folder.path().join("int.btf");
    fs::write(&file, btf_tests::blob::Blob::new().int().build()).unwrap();
    let nobody = |arguments: &[&str]| Command::new(&program).args(arguments).uid(NOBODY).gid(NOBODY).output();
    if let Err(error) = nobody(&["--version"]) {
        skip(format!("only root can become somebody without rights: {error}"));
        return;
    }
    if Path::new("/sys/kernel/btf/vmlinux").exists() {
        for arguments in [&["kernel"][..], &["info"], &["find", "task_struct"]] {
            let output = nobody(arguments).unwrap();
            assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
        }
    }
    for arguments in [&["kernel", "load", file.to_str().unwrap()][..], &["kernel", "features"], &["kernel", "list"]] {
        let output = nobody(arguments).unwrap();
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {error}");
        assert!(error.contains(" needs CAP_") && error.contains("Operation not permitted"), "{arguments:?}: {error}");
    }
    let output = nobody(&["kernel", "features"]).unwrap();
    assert!(!text(&output.stdout).contains(" no "), "unknown is not no: {}", text(&output.stdout));
}

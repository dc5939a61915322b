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
        BTF          {root}/boot/vmlinuz-{release} (file)\ntypes        121184, 5293890 bytes, little-endian\n\
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
    let said = text(&output.stderr);
    let expected = format!(
        "btf: no BTF for kernel 1.2.3; name a file to look at\n  not found: {root}/boot/vmlinux-1.2.3\n  not found: {root}/"
    );
    assert!(said.starts_with(&expected), "{said}");
    let output = btf(&["info", "--root", root, "--module", "tunn"]);
    assert_eq!(text(&output.stderr), "btf: no BTF for module tunn; there is tun\n");
    for command in ["kernel", "info"] {
        let output = btf(&[command, "--root", "/no/such"]);
        assert_eq!(text(&output.stderr), "btf: /no/such: no such directory\n");
    }
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
    assert!(text(&output.stdout).contains("good.btf: the kernel accepts it (id "), "{}", text(&output.stderr));
    let name = blob.string("bad name");
    let bad = write("bad.btf", &blob.record(name, 4, 0, false, 0, &[]).build());
    let output = btf(&["kernel", "load", &bad]);
    assert_eq!(output.status.code(), Some(1));
    let error = text(&output.stderr);
    assert!(error.contains("bad.btf: the kernel rejects the BTF: [2] STRUCT bad name "), "{error}");
    assert_eq!(error.matches("Invalid argument").count(), 1, "{error}");
    let output = btf(&["kernel", "load", "--log", &bad]);
    let error = text(&output.stderr);
    let lines: Vec<&str> = error.lines().collect();
    assert!(lines.iter().any(|line| line.starts_with("[1] INT int size=4")), "{error}");
    assert!(lines[lines.len() - 1].ends_with("bad.btf: the kernel rejects the BTF (Invalid argument (os error 22))"));
    let output = btf(&["kernel", "list", "--json"]);
    let list: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let vmlinux = list.as_array().unwrap().iter().find(|row| row["name"] == "vmlinux").unwrap();
    assert_eq!((&vmlinux["is_kernel"], &vmlinux["programs"]), (&true.into(), &serde_json::json!([])));
}

/// Objects as a compiler leaves them are not what a loader loads.
#[test]
fn objects_are_loaded_as_a_loader_would() {
    if !btf(&["kernel", "features"]).status.success() {
        return skip("needs the right to load BTF");
    }
    let object = fixtures::folder().join("bpf/clang-22/core_field_tgt1-el.o");
    let object = object.to_str().unwrap();
    let datasecs = fixtures::files("bpf/clang-22").into_iter().filter(|name| name.ends_with("globals-el.o"));
    for name in datasecs.map(|name| fixtures::folder().join(name).display().to_string()).chain([object.into()]) {
        let output = btf(&["kernel", "load", &name]);
        assert!(output.status.success(), "{}", text(&output.stderr));
    }
    let rejected = fixtures::files("bpf/clang-22").into_iter().filter(|name| name.ends_with(".o")).filter(|name| {
        let path = fixtures::folder().join(name);
        let load = |arguments: &[&str]| btf(&[&["kernel", "load", path.to_str().unwrap()], arguments].concat());
        load(&[]).status.success() && !load(&["--as-is"]).status.success()
    });
    assert!(rejected.count() > 5);
    let release = fixtures::SORTED;
    let base = fixtures::folder().join(format!("kernels/{release}/vmlinux.btf.xz"));
    let module = fixtures::folder().join(format!("modules/{release}/tun.ko.xz"));
    for base in [&[][..], &["--base", base.to_str().unwrap()]] {
        let output = btf(&[&["kernel", "load", module.to_str().unwrap()], base].concat());
        assert_eq!(output.status.code(), Some(1));
        assert!(text(&output.stderr).contains("tun.ko.xz: split BTF cannot be loaded"), "{}", text(&output.stderr));
    }
}

/// A kernel without modules, in a tree without /proc: nothing has to be given, and
/// nothing fails.
#[test]
fn a_tree_with_one_kernel_and_no_modules() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().to_str().unwrap();
    fs::create_dir_all(folder.path().join("boot")).unwrap();
    let image = btf_tests::image::vmlinux(ByteOrder::NATIVE, 62);
    fs::write(folder.path().join("boot/vmlinux-6.1.0-9-amd64"), image).unwrap();
    let output = btf(&["kernel", "modules", "--root", root]);
    assert!(output.status.success() && output.stdout.is_empty(), "{}", text(&output.stderr));
    let output = btf(&["kernel", "modules", "--root", root, "--json"]);
    assert_eq!(text(&output.stdout).trim(), "[]");
    let output = btf(&["kernel", "--root", root]);
    assert!(
        text(&output.stdout).starts_with("release      6.1.0-9-amd64 (does not run)\n"),
        "{}",
        text(&output.stderr)
    );
    fs::write(folder.path().join("boot/vmlinuz-5.4.0-1"), "").unwrap();
    let output = btf(&["kernel", "--root", root]);
    assert_eq!(output.status.code(), Some(1));
    let error = text(&output.stderr);
    assert!(error.contains(": 5.4.0-1, 6.1.0-9-amd64; give the release with --release"), "{error}");
    // This machine's own modules, be they any or none.
    assert!(btf(&["kernel", "modules"]).status.success());
}

#[test]
fn what_a_tree_says_does_not_reach_the_terminal_raw() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("a\x1b[1mb");
    let write = |inside: &str, bytes: &[u8]| {
        let path = root.join(inside);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    };
    let release = "9\x1b[31m.9";
    write("proc/sys/kernel/osrelease", release.as_bytes());
    write("proc/sys/kernel/arch", b"x86\x1b]0;title\x07");
    write("etc/os-release", b"ID=\"deb\x1b[2Jian\"\nVERSION_ID=\"1\xe2\x80\xae2\"\n");
    let image = btf_tests::image::vmlinux(ByteOrder::NATIVE, 62);
    write(&format!("boot/vmlinux-{release}"), &image);
    write(&format!("lib/modules/{release}/kernel/x\x1b[5m\ny.ko"), b"");
    let root = root.to_str().unwrap();
    for arguments in [
        &["kernel"][..],
        &["kernel", "modules"],
        &["info", "--module", "a\x1b[1m"],
        &["kernel", "--release", "1\x1b[1m"],
    ] {
        let output = btf(&[arguments, &["--root", root]].concat());
        for printed in [text(&output.stdout), text(&output.stderr)] {
            let is_raw = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
            assert!(!printed.contains(is_raw), "{arguments:?}: {printed:?}");
        }
    }
    let output = btf(&["kernel", "modules", "--root", root]);
    assert_eq!(text(&output.stdout).lines().count(), 1, "a name does not forge a line");
}

/// Run as `nobody`: what is a file can be read; what needs rights says which.
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

#[test]
fn modules_are_searched_or_hinted_at() {
    let folder = system();
    let root = folder.path().to_str().unwrap();
    let run = |arguments: &[&str]| btf(&[arguments, &["--root", root]].concat());
    for arguments in [["find", "tun_struct"], ["show", "tun_struct"]] {
        let output = run(&arguments);
        assert_eq!(output.status.code(), Some(1));
        let said = text(&output.stderr);
        assert!(said.contains(" tun_struct; module tun has it: --module tun"), "{said}");
    }
    let output = run(&["find", "--modules", "--kind", "struct", "tun_struct"]);
    let found = text(&output.stdout);
    assert!(found.ends_with(" tun_struct  (tun)\n") && found.lines().count() == 1, "{found}");
    // What is in the kernel is found once.
    let output = run(&["find", "--modules", "--json", "--kind", "struct", "sk_buff"]);
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((found.as_array().unwrap().len(), &found[0]["object"]), (1, &"vmlinux".into()));
    // Both the kernel's uses of its own type, and the module's.
    let output = run(&["find", "--modules", "--json", "--uses", "tun_struct"]);
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(!found.as_array().unwrap().is_empty());
    assert!(found.as_array().unwrap().iter().all(|found| found["object"] == "tun"), "{found}");
    assert_eq!(run(&["find", "--modules", "nosuch"]).status.code(), Some(1));
    assert_eq!(run(&["find", "--modules", "nosuch", "./file"]).status.code(), Some(2));
}

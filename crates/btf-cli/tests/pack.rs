//! `btf archive pack --programs`.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test")]

mod command;

use std::{fs, path::Path};

use btf_archive::Archive;
use btf_tests::fixtures;
use command::{btf, text};

const PROGRAMS: [&str; 2] = ["bpf/clang-22/core_real-el.bpf.o", "bpf/clang-22/core_type-el.bpf.o"];

/// An archive of a kernel, and of a file that is damaged.
fn archive(folder: &Path) -> String {
    let archive = folder.join("archive");
    let kernels = archive.join("debian/12/x86_64");
    fs::create_dir_all(&kernels).unwrap();
    let btf = fixtures::read(&format!("kernels/{}/vmlinux.btf", fixtures::UNSORTED));
    fs::write(kernels.join(format!("{}.btf", fixtures::UNSORTED)), btf).unwrap();
    fs::write(kernels.join("6.1.0-damaged.btf"), b"damaged").unwrap();
    archive.to_str().unwrap().into()
}

#[test]
fn kernels_are_trimmed_and_those_left_out_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let archive = archive(folder.path());
    let out = folder.path().join("bundle.tar.gz");
    let path = out.to_str().unwrap();
    let [one, other] = PROGRAMS.map(|name| fixtures::folder().join(name).display().to_string());
    let json = folder.path().join("package.json");
    fs::write(&json, "{\"name\":\"tool\"}").unwrap();
    let json = json.to_str().unwrap();
    let mut first = None;
    // Wherever the archive and the bundle are among the arguments.
    for arguments in [
        vec!["--programs", &one, &other, &archive, path],
        vec!["--programs", &one, "--programs", &other, "--", &archive, path],
        vec![&archive, path, "--programs", &one, &other],
        vec![&archive, "--distro", "debian", "--programs", &one, &other, path],
        vec!["--programs", &one, &other, "--distro", "debian", &archive, path],
        vec!["--json", json, "--programs", &one, &other, &archive, path],
        vec!["--programs", &one, &other, "--json", json, &archive, path],
        vec![&archive, path, "--programs", &one, &other, "--package-json", json],
        vec![&format!("--json={json}"), "--programs", &one, &other, &archive, path],
    ] {
        let output = btf(&[&["archive", "pack"], &arguments[..]].concat());
        assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
        assert_eq!(text(&output.stdout), format!("{path}: 1 kernel, 1 left out (gzip)\n"));
        let expected = "btf: left out debian/12/x86_64/6.1.0-damaged.btf: no kernel BTF in debian/12/x86_64/6.1.0-damaged.btf: neither BTF nor a tar of it, packed or not\n";
        assert_eq!(text(&output.stderr), expected);
        let bundle = Archive::open(&out).unwrap();
        let has_json = arguments.iter().any(|argument| argument.contains("json"));
        assert_eq!(bundle.package_json().unwrap().is_some(), has_json, "{arguments:?}");
        let kernel = bundle.read(bundle.list().unwrap()[0].path()).unwrap();
        assert!(kernel.types().len() < 1000);
        assert_eq!(kernel.as_bytes(), first.get_or_insert_with(|| kernel.as_bytes().to_vec()), "{arguments:?}");
        fs::remove_file(&out).unwrap();
    }
    let output = btf(&["archive", "pack", "--json", "--programs", &one, &archive, path]);
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&report["kernels"], &report["left_out"][0]["module"]), (&1.into(), &serde_json::Value::Null));
    assert_eq!(report["left_out"][0]["path"], "debian/12/x86_64/6.1.0-damaged.btf");
    assert!(report["left_out"][0]["reason"].as_str().unwrap().contains("neither BTF nor a tar"));
    assert_eq!(text(&output.stderr), "");
    // And `--keep`.
    let keep = ["archive", "pack", "--keep", "kobject", "--programs", &one, &archive, path];
    assert!(btf(&keep).status.success());
    let bundle = Archive::open(&out).unwrap();
    let kernel = bundle.read(bundle.list().unwrap()[0].path()).unwrap();
    kernel.find::<btf_types::Struct<'_>>("kobject").unwrap();
}

#[test]
fn nothing_is_overwritten_by_mistake() {
    let folder = tempfile::tempdir().unwrap();
    let archive = archive(folder.path());
    let program = folder.path().join("prog.bpf.o");
    fs::write(&program, fixtures::read(PROGRAMS[0])).unwrap();
    let path = program.to_str().unwrap();
    // The bundle was forgotten.
    let output = btf(&["archive", "pack", &archive, "--programs", path, path]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("cannot tell from the name of"), "{}", text(&output.stderr));
    for arguments in [vec![], vec![&*archive], vec!["--programs", path, "out.tar"], vec![&archive, "out.tar", path]] {
        let output = btf(&[&["archive", "pack"], &arguments[..]].concat());
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", text(&output.stderr));
    }
    let out = folder.path().join("bundle.tar");
    fs::write(&out, "before").unwrap();
    let name = fixtures::folder().join("bpf/core.h").display().to_string();
    let output = btf(&["archive", "pack", "--programs", &name, &archive, out.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("core.h"));
    assert_eq!(fs::read(&out).unwrap(), b"before");
    assert_eq!(fs::read(&program).unwrap(), fixtures::read(PROGRAMS[0]));
}

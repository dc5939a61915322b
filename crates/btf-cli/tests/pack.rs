//! `btf archive pack --programs`.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test")]

mod command;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::Duration,
};

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
        let expected = "btf: left out: no kernel BTF in debian/12/x86_64/6.1.0-damaged.btf: neither BTF nor a tar of it, packed or not\n";
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

/// The folders in which killed runs have left what they had begun.
fn left_in(folder: &Path) -> Vec<PathBuf> {
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    // Before it is locked, a folder is anybody's.
    paths.filter(|path| path.join("lock").exists()).collect()
}

/// Wherever it is interrupted, the bundle is the old one, or whole; and the next run
/// removes what was left.
#[test]
fn what_is_interrupted_leaves_nothing_half() {
    let folder = tempfile::tempdir().unwrap();
    let [source, bundles, temporary] = ["source", "bundles", "temporary"].map(|name| folder.path().join(name));
    for folder in [&source, &bundles, &temporary] {
        fs::create_dir(folder).unwrap();
    }
    let btf = fixtures::read(&format!("kernels/{}/vmlinux.btf", fixtures::UNSORTED));
    let kernels = source.join("debian/12/x86_64");
    fs::create_dir_all(&kernels).unwrap();
    for number in 0..6 {
        fs::write(kernels.join(format!("6.1.{number}.btf")), &btf).unwrap();
    }
    // A tar is unpacked to a temporary folder first.
    let archive = folder.path().join("archive.tar");
    let [source, archive] = [source, archive].map(|path| path.to_str().unwrap().to_owned());
    assert!(command::btf(&["archive", "pack", &source, &archive]).status.success());
    let out = bundles.join("bundle.tar");
    let program = fixtures::folder().join(PROGRAMS[0]).display().to_string();
    let run = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_btf"));
        command.env("TMPDIR", &temporary).stdout(Stdio::null()).stderr(Stdio::null());
        command.args(["archive", "pack", "--programs", &program, &archive]).arg(&out).spawn().unwrap()
    };
    assert!(run().wait().unwrap().success());
    let whole = fs::read(&out).unwrap();
    let mut interrupted = 0;
    for (signal, place, milliseconds) in [
        ("-KILL", &bundles, 0),
        ("-INT", &bundles, 0),
        ("-KILL", &temporary, 0),
        ("-INT", &temporary, 10),
        ("-KILL", &temporary, 40),
        ("-INT", &temporary, 80),
        ("-KILL", &temporary, 160),
    ] {
        for old in [None, Some(b"old".as_slice())] {
            let _ = fs::remove_file(&out);
            if let Some(old) = old {
                fs::write(&out, old).unwrap();
            }
            let before = left_in(place);
            let mut child = run();
            while left_in(place).iter().all(|path| before.contains(path)) && child.try_wait().unwrap().is_none() {
                thread::sleep(Duration::from_millis(1));
            }
            thread::sleep(Duration::from_millis(milliseconds));
            assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
            let status = child.wait().unwrap();
            let found = fs::read(&out).ok();
            let what = format!("{signal} after {milliseconds} ms in {}: {status}", place.display());
            assert!(found.as_deref() == old || found.as_deref() == Some(&whole), "{what}");
            assert!(left_in(&bundles).len() <= 1 && left_in(&temporary).len() <= 1, "{what}: others' are removed");
            interrupted += left_in(&bundles).len();
        }
    }
    assert!(interrupted > 0, "at least the first are interrupted");
    assert!(run().wait().unwrap().success());
    assert_eq!(fs::read(&out).unwrap(), whole);
    // Of what was interrupted in its last moment, an empty folder stays for an hour.
    for path in [&bundles, &temporary].into_iter().flat_map(|folder| fs::read_dir(folder).unwrap()) {
        let path = path.unwrap().path();
        assert!(path == out || fs::read_dir(&path).unwrap().count() == 0, "{}", path.display());
    }
}

#[test]
fn kernels_of_which_programs_need_no_type_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let kernels = folder.path().join("archive/debian/12/x86_64");
    fs::create_dir_all(&kernels).unwrap();
    fs::write(kernels.join("6.1.0-other.btf"), btf_tests::blob::Blob::new().int().build()).unwrap();
    let archive = folder.path().join("archive").display().to_string();
    let out = folder.path().join("bundle.tar").display().to_string();
    let program = fixtures::folder().join("bpf/clang-22/core_type-el.bpf.o").display().to_string();
    let output = btf(&["archive", "pack", "--programs", &program, "--", &archive, &out]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let path = "debian/12/x86_64/6.1.0-other.btf";
    let expected =
        format!("btf: the programs need no type of {path}: what is packed has none, and no kernel loads it\n");
    assert_eq!(text(&output.stderr), expected);
    let output = btf(&["archive", "pack", "--json", "--programs", &program, "--", &archive, &out]);
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["without_types"], serde_json::json!([path]));
}

//! `btf archive`, as somebody uses it whose kernel has no BTF.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test")]

mod command;

use std::fs;

use btf_tests::{fixtures, packed};
use command::{btf, text};

/// The kernels of the fixtures, as an archive.
fn archive() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (path, release) in [
        ("debian/12/x86_64", fixtures::UNSORTED),
        ("debian/13/x86_64", fixtures::SORTED),
        ("debian/14/s390x", fixtures::BIG_ENDIAN),
    ] {
        let folder = folder.path().join(path);
        fs::create_dir_all(&folder).unwrap();
        let btf = fixtures::read(&format!("kernels/{release}/vmlinux.btf"));
        let packed = packed::encode(btf_elf::Compression::Zstd, &btf);
        fs::write(folder.join(format!("{release}.btf.zst")), packed).unwrap();
    }
    folder
}

#[test]
fn list_select_pack_unpack() {
    let folder = archive();
    let path = folder.path().to_str().unwrap();
    let output = btf(&["archive", "ls", path]);
    assert_eq!(text(&output.stdout).lines().count(), 3, "{}", text(&output.stderr));
    let list: serde_json::Value = serde_json::from_slice(&btf(&["archive", "ls", "--json", path]).stdout).unwrap();
    assert_eq!((&list[2]["machine"], &list[2]["release"]), (&"s390x".into(), &fixtures::BIG_ENDIAN.into()));

    let out = folder.path().join("selected.btf");
    let host = |distro, version, machine, release| {
        ["--distro", distro, "--distro-version", version, "--machine", machine, "--release", release]
    };
    let debian13 = host("debian", "13", "x86_64", fixtures::SORTED);
    let select = |archive: &str, more: &[&str]| btf(&[&["archive", "select", archive], more].concat());
    let output = select(path, &[&debian13[..], &["--out", out.to_str().unwrap()]].concat());
    let expected = format!(
        "path    debian/13/x86_64/{release}.btf.zst\nrule    exact\ntypes   121184\n",
        release = fixtures::SORTED
    );
    assert_eq!(text(&output.stdout), expected, "{}", text(&output.stderr));
    assert_eq!(fs::read(&out).unwrap(), fixtures::read(&format!("kernels/{}/vmlinux.btf", fixtures::SORTED)));
    fs::remove_file(&out).unwrap();

    // A miss: 1, with what is near on stderr, and all of it in JSON.
    let miss = host("debian", "12", "x86_64", "6.1.0-57-cloud-amd64");
    let output = select(path, &[&miss[..], &["--json"]].concat());
    assert_eq!(output.status.code(), Some(1));
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["tried"][0], "debian/12/x86_64/6.1.0-57-cloud-amd64");
    assert!(document["nearest"][0].as_str().unwrap().contains(fixtures::UNSORTED));
    assert!(text(&output.stderr).contains("the nearest are debian/12/x86_64/6.1.0-56"), "{}", text(&output.stderr));
    let output = select(path, &[&miss[..], &["--json", "--nearest"]].concat());
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&document["rule"], &document["host"]["distribution"]), (&"nearest".into(), &"debian".into()));

    let bundle = folder.path().join("bundle.tar.gz");
    let bundle = bundle.to_str().unwrap();
    let output = btf(&["archive", "pack", "--full", "--arch", "amd64", path, bundle]);
    assert_eq!(text(&output.stdout), format!("{bundle}: 2 kernels (gzip)\n"), "{}", text(&output.stderr));
    let output = select(bundle, &debian13);
    assert!(text(&output.stdout).contains("rule    exact"), "{}", text(&output.stderr));
    let to = folder.path().join("unpacked");
    let output = btf(&["archive", "unpack", bundle, to.to_str().unwrap()]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(to.join(format!("btfhub-archive/debian/13/x86_64/{}.btf", fixtures::SORTED)).exists());
    let output = btf(&["archive", "unpack", bundle, to.to_str().unwrap()]);
    assert!(text(&output.stderr).contains("already exists"));
    let output = btf(&["archive", "pack", path, bundle]);
    assert_eq!(text(&output.stdout), format!("{bundle}: 3 kernels (gzip)\n"), "`--full` is the default");
    let output = btf(&["archive", "fetch", "--cache", path]);
    assert!(text(&output.stderr).contains("or for all"), "{}", text(&output.stderr));
}

#[test]
fn another_system_by_its_root() {
    let folder = archive();
    let system = tempfile::tempdir().unwrap();
    let write = |inside: &str, contents: &str| {
        let path = system.path().join(inside);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, contents).unwrap();
    };
    write("etc/os-release", "ID=debian\nVERSION_CODENAME=forky\n");
    write("proc/sys/kernel/osrelease", fixtures::BIG_ENDIAN);
    write("proc/sys/kernel/arch", "s390x\n");
    let (archive, root) = (folder.path().to_str().unwrap(), system.path().to_str().unwrap());
    for more in [&[][..], &["--no-kernel"], &["--with-type", "task_struct"]] {
        let output = btf(&[&["archive", "select", archive, "--root", root], more].concat());
        let expected = format!("path    debian/14/s390x/{}.btf.zst\nrule    alias\n", fixtures::BIG_ENDIAN);
        assert!(text(&output.stdout).starts_with(&expected), "{}{}", text(&output.stdout), text(&output.stderr));
    }
    let output = btf(&["archive", "select", archive, "--root", root, "--with-type", "no_such_type"]);
    assert!(text(&output.stderr).contains("has no type no_such_type"));
}

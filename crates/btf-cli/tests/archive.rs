//! `btf archive`, as somebody uses it whose kernel has no BTF.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test")]

mod command;

use std::{
    fs,
    io::Write,
    path::Path,
    process::{Command, Output, Stdio},
    thread,
};

use btf_tests::{fixtures, packed, tars};
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
    assert!(text(&output.stderr).ends_with("or for all with --all\n"), "{}", text(&output.stderr));
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

/// Runs it with bytes on stdin.
fn btf_with(stdin: &[u8], arguments: &[&str]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_btf"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut pipe = child.stdin.take().unwrap();
    let bytes = stdin.to_vec();
    // (It may end before it has read all.)
    let writer = thread::spawn(move || _ = pipe.write_all(&bytes));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    output
}

/// A small archive of one kernel, and options that say which.
const HOST: [&str; 8] = ["--distro", "d", "--distro-version", "9", "--machine", "x86_64", "--release", "1.2.3"];

fn small() -> Vec<u8> {
    tars::tar(&[("d/9/x86_64/1.2.3.btf", &tars::btf("small"))])
}

#[test]
fn dashes_are_stdin_and_stdout() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("small.tar");
    fs::write(&file, small()).unwrap();
    let file = file.to_str().unwrap();
    let packed = packed::encode(btf_elf::Compression::Gzip, &small());
    for name in ["-", "/dev/stdin"] {
        for bytes in [&small(), &packed] {
            let output = btf_with(bytes, &["archive", "ls", name]);
            assert!(text(&output.stdout).contains("1.2.3"), "{name}: {}", text(&output.stderr));
        }
        let output = btf_with(&packed, &[&["archive", "select", name], &HOST[..]].concat());
        assert!(text(&output.stdout).starts_with("path    d/9/x86_64/1.2.3.btf\n"), "{name}: {}", text(&output.stderr));
    }
    let to = folder.path().join("unpacked");
    assert!(btf_with(&packed, &["archive", "unpack", "-", to.to_str().unwrap()]).status.success());
    assert!(to.join("d/9/x86_64/1.2.3.btf").exists());
    // Bytes alone on stdout, the summary on stderr.
    for out in ["-", "/dev/stdout"] {
        let output = btf(&[&["archive", "select", file, "--out", out], &HOST[..]].concat());
        assert_eq!(output.stdout, tars::btf("small"), "{out}");
        assert!(text(&output.stderr).contains("rule    exact"), "{}", text(&output.stderr));
        let output = btf(&["archive", "pack", file, out, "--compress", "gzip"]);
        assert!(text(&output.stderr).contains("1 kernel (gzip)"), "{}", text(&output.stderr));
        let again = btf_with(&output.stdout, &[&["archive", "select", "-"], &HOST[..]].concat());
        assert!(text(&again.stdout).contains("rule    exact"), "{}", text(&again.stderr));
    }
    let names: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names.len(), 2, "no file is called -: {names:?}");
}

#[test]
fn bundles_are_what_their_names_say_or_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    fs::write(at("small.tar"), small()).unwrap();
    for (name, reason) in [
        ("x.tar.bz2", "only with gzip, xz and zstd"),
        ("x.tar.lz4", "only with gzip, xz and zstd"),
        ("x.zip", "use .tar, .tar.gz"),
        ("x", "or give the compression with --compress"),
    ] {
        let output = btf(&["archive", "pack", &at("small.tar"), &at(name)]);
        assert!(!output.status.success() && text(&output.stderr).contains(reason), "{}", text(&output.stderr));
        assert!(!Path::new(&at(name)).exists());
    }
    let output = btf(&["archive", "pack", &at("small.tar"), &at("x.zip"), "--compress", "xz", "--json"]);
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&document["kernels"], &document["compression"]), (&1.into(), &"xz".into()));
    // The document beside the kernels is one of JSON.
    fs::write(at("package.json"), "name = 'toml'").unwrap();
    let pack = |json: &str| btf(&["archive", "pack", "--package-json", json, &at("small.tar"), &at("y.tar")]);
    assert!(text(&pack(&at("package.json")).stderr).contains("not JSON"));
    assert!(text(&pack(&at("missing")).stderr).contains("No such file"));
    fs::write(at("package.json"), "{}").unwrap();
    assert!(pack(&at("package.json")).status.success());
}

#[test]
fn nothing_of_an_archive_reaches_a_terminal_raw() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("odd.tar");
    let path = "d\u{1b}[31m/9\n/x86_64/1.2.3\u{202e}.btf";
    fs::write(&file, tars::tar(&[(path, &tars::btf("odd"))])).unwrap();
    let file = file.to_str().unwrap();
    let is_plain = |bytes: &[u8]| text(bytes).chars().all(|c| c == '\n' || (!c.is_control() && c != '\u{202e}'));
    let output = btf(&["archive", "ls", file]);
    assert!(is_plain(&output.stdout) && text(&output.stdout).lines().count() == 1, "{}", text(&output.stdout));
    assert!(text(&output.stdout).contains("d\\u{1b}[31m"));
    let release = ["--machine", "x86_64", "--distro", "d", "--release", "1.2.3\u{202e}"];
    let output = btf(&[&["archive", "select", file], &release[..]].concat());
    assert!(is_plain(&output.stdout) && text(&output.stdout).lines().count() == 3, "{}", text(&output.stdout));
    let output = btf(&[&["archive", "select", file, "--with-type", "a\u{7}"], &release[..]].concat());
    assert!(is_plain(&output.stderr) && text(&output.stderr).contains("a\\u{7}"), "{}", text(&output.stderr));
}

#[test]
fn what_is_not_an_archive_is_said_whether_it_is_read_or_not() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("vmlinux.btf");
    fs::write(&file, tars::btf("single")).unwrap();
    let file = file.to_str().unwrap();
    for arguments in
        [&["archive", "ls", file][..], &["archive", "select", file], &["archive", "select", "--no-kernel", file]]
    {
        let output = btf(arguments);
        let expected = format!("btf: {file} is not an archive of BTF: it is BTF itself, not an archive of it\n");
        assert_eq!(text(&output.stderr), expected, "{arguments:?}");
        assert_eq!(output.status.code(), Some(1));
    }
    // One without kernels is one, and nothing is found.
    let empty = folder.path().join("empty");
    fs::create_dir(&empty).unwrap();
    let output = btf(&["archive", "ls", "--json", empty.to_str().unwrap()]);
    assert_eq!((text(&output.stdout).as_str(), output.status.code()), ("[]\n", Some(1)));
    assert!(text(&output.stderr).contains("no kernels in "), "{}", text(&output.stderr));
    // Where the kernel's own takes precedence, this is said.
    if btf_kernel::Kernel::running().btf().is_ok() {
        let output = btf(&["archive", "select", empty.to_str().unwrap()]);
        assert!(text(&output.stderr).contains("was not read (--no-kernel reads it)"), "{}", text(&output.stderr));
        assert!(text(&output.stdout).contains("rule    kernel\n"));
    }
}

/// An image or an unpacked root file system has no /proc.
#[test]
fn a_system_without_proc_says_its_distribution() {
    let folder = tempfile::tempdir().unwrap();
    let at = |path: &str| folder.path().join(path);
    for path in ["root/etc", "root/lib/modules/4.18.0-1.el8.x86_64", "root/bin"] {
        fs::create_dir_all(at(path)).unwrap();
    }
    fs::write(at("root/etc/os-release"), "ID=rocky\nID_LIKE=\"rhel centos fedora\"\nVERSION_ID=8.6\n").unwrap();
    let release = "4.18.0-1.el8.x86_64";
    let names = ["ol/8", "rhel/8"].map(|version| format!("{version}/x86_64/{release}.btf"));
    let (one, other) = (tars::btf("one"), tars::btf("other"));
    let files: [(&str, &[u8]); 2] = [(&names[0], &one), (&names[1], &other)];
    fs::write(at("archive.tar"), tars::tar(&files)).unwrap();
    let (archive, root) = (at("archive.tar"), at("root"));
    let (archive, root) = (archive.to_str().unwrap(), root.to_str().unwrap());
    let select = |more: &[&str]| btf(&[&["archive", "select", "--json", archive, "--root", root], more].concat());
    let output = select(&["--release", release, "--machine", "x86_64"]);
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["path"], names[1].as_str(), "ID_LIKE decides");
    let host = &document["host"];
    assert_eq!((&host["distribution"], &host["version"]), (&"rocky".into(), &"8.6".into()));
    // The machine is that of its programs.
    let output = select(&["--release", release]);
    assert!(text(&output.stderr).contains("machine"), "{}", text(&output.stderr));
    fs::write(at("root/bin/sh"), [b"\x7fELF\x02\x01", &[0; 12][..], &[62, 0]].concat()).unwrap();
    let output = select(&["--release", release]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    // The release is that of its only kernel.
    let output = select(&[]);
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["host"]["release"], release);
    fs::create_dir(at("root/lib/modules/4.18.0-2.el8.x86_64")).unwrap();
    let output = select(&[]);
    assert!(text(&output.stderr).contains("4.18.0-2.el8.x86_64"), "they are named: {}", text(&output.stderr));
}

/// A collection of kernels has no folders of distributions.
#[test]
fn a_folder_of_kernels_that_are_named_after_their_releases() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    fs::write(at("5.4.0-42-generic.btf"), tars::btf("one")).unwrap();
    fs::write(at("vmlinux-6.1.0-9-arm64"), tars::btf("other")).unwrap();
    fs::write(at("vmlinux.btf"), tars::btf("whose")).unwrap();
    let folder = folder.path().to_str().unwrap();
    let output = btf(&["archive", "ls", folder]);
    let rows: Vec<String> =
        text(&output.stdout).lines().map(|row| row.split_whitespace().collect::<String>()).collect();
    let size = tars::btf("one").len();
    assert_eq!(rows, [format!("---5.4.0-42-generic{size}"), format!("---6.1.0-9-arm64{}", size + 2)]);
    let tar = at("bundle.tar");
    assert!(btf(&["archive", "pack", folder, &tar]).status.success());
    for archive in [folder, &tar] {
        let select = |release: &str, more: &[&str]| {
            let host =
                ["--distro", "ubuntu", "--distro-version", "20.04", "--machine", "aarch64", "--release", release];
            btf(&[&["archive", "select", "--json", archive], &host[..], more].concat())
        };
        for (release, name) in [("5.4.0-42-generic", "one"), ("6.1.0-9-arm64", "other")] {
            let output = select(release, &["--with-type", name]);
            let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
            assert_eq!(document["rule"], "unique_release", "{}", text(&output.stderr));
        }
        let output = select("5.4.0-43-generic", &[]);
        let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(document["tried"].as_array().unwrap().last().unwrap(), "5.4.0-43-generic");
        assert!(document["nearest"][0].as_str().unwrap().ends_with("5.4.0-42-generic.btf"), "{document}");
        let output = select("5.4.0-43-generic", &["--nearest"]);
        assert!(text(&output.stdout).contains("nearest"), "{}", text(&output.stderr));
    }
}

fn git(folder: &Path, arguments: &[&str]) {
    let identity = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"];
    let output = Command::new("git").args(identity).args(arguments).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
}

/// Like in a hook of another repository, with all that git sets there; with
/// relative paths.
#[test]
fn fetch_inside_of_another_repository_prints_its_folder() {
    let place = tempfile::tempdir().unwrap();
    if Command::new("git").arg("--version").output().is_err() {
        btf_tests::skip("there is no git");
        return;
    }
    let hub = place.path().join("hub");
    fs::create_dir_all(hub.join("d/9/x86_64")).unwrap();
    fs::write(hub.join("d/9/x86_64/1.2.3.btf"), tars::btf("fetched")).unwrap();
    git(&hub, &["init", "-q", "-b", "main"]);
    git(&hub, &["add", "."]);
    git(&hub, &["commit", "-qm", "one"]);
    let other = place.path().join("other");
    fs::create_dir(&other).unwrap();
    git(&other, &["init", "-q", "-b", "main"]);
    fs::create_dir(other.join("objects")).unwrap();
    let variables = [
        ("GIT_DIR", other.join(".git")),
        ("GIT_WORK_TREE", other.clone()),
        ("GIT_INDEX_FILE", other.join("index")),
        ("GIT_COMMON_DIR", other.join(".git")),
        ("GIT_OBJECT_DIRECTORY", other.join("objects")),
        ("GIT_ALTERNATE_OBJECT_DIRECTORIES", other.join("objects")),
        ("GIT_QUARANTINE_PATH", other.join("objects")),
        ("GIT_NAMESPACE", "n".into()),
        ("GIT_CONFIG_COUNT", "1".into()),
        ("GIT_CONFIG_KEY_0", "core.worktree".into()),
        ("GIT_CONFIG_VALUE_0", other.clone()),
        ("GIT_SHALLOW_FILE", other.join("shallow")),
    ];
    let before = btf_tests::fixtures::below(&other);
    let fetch = |more: &[&str]| {
        Command::new(env!("CARGO_BIN_EXE_btf"))
            .args(["archive", "fetch", "--repo", "hub", "--cache", "cache", "--distro", "d"])
            .args(more)
            .current_dir(place.path())
            .envs(variables.iter().map(|(name, value)| (name, value)))
            .output()
            .unwrap()
    };
    // Twice: the first clones, the second has to find it again.
    for _ in 0..2 {
        let output = fetch(&[]);
        assert!(output.status.success(), "{}", text(&output.stderr));
        let folder = text(&output.stdout);
        assert_eq!(folder.lines().count(), 1, "{folder}");
        assert!(Path::new(folder.trim_end()).join("d/9/x86_64/1.2.3.btf").exists(), "{folder}");
        assert_eq!(text(&output.stderr), "1 kernel\n");
    }
    let document: serde_json::Value = serde_json::from_slice(&fetch(&["--json"]).stdout).unwrap();
    assert_eq!(document["kernels"][0], "d/9/x86_64/1.2.3.btf");
    assert_eq!(btf_tests::fixtures::below(&other), before, "the other repository is as it was");
}

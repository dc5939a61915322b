//! Files that are written whole or not at all: over existing files, and to what
//! is not a file.

#![cfg(target_os = "linux")]
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "tests")]

use std::{
    fs::{self, File, Permissions},
    io::{Read, Write},
    os::unix::fs::{MetadataExt, PermissionsExt, lchown, symlink},
    path::Path,
    process::Command,
    thread,
};

use btf_archive::{Archive, Error, OutputFile};
use btf_kernel::Host;
use btf_tests::{
    skip,
    tars::{btf, tar},
};

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn links_are_followed_and_stay() {
    let place = tempfile::tempdir().unwrap();
    let at = |name: &str| place.path().join(name);
    fs::write(at("victim"), "victim").unwrap();
    symlink("victim", at("link")).unwrap();
    symlink("nowhere", at("dangling")).unwrap();
    symlink("link", at("twice")).unwrap();
    for (name, target) in [("link", "victim"), ("dangling", "nowhere"), ("twice", "victim")] {
        OutputFile::write_bytes(at(name), name.as_bytes()).unwrap();
        assert!(at(name).is_symlink() && !at(target).is_symlink());
        assert_eq!(fs::read(at(target)).unwrap(), name.as_bytes());
    }
    symlink("loop", at("loop")).unwrap();
    OutputFile::write_bytes(at("loop"), b"new").unwrap_err();
    fs::remove_file(at("loop")).unwrap();
    // Folders, also over links, are no files; and there is no file in a file.
    fs::create_dir(at("folder")).unwrap();
    symlink("folder", at("to-folder")).unwrap();
    for name in ["folder", "to-folder", "victim/x", "missing/x", "folder/..", "/"] {
        let error = OutputFile::write_bytes(at(name), b"new").unwrap_err();
        assert!(matches!(&error, Error::Io { .. }), "{name}: {error}");
        assert!(error.to_string().starts_with("cannot create /"), "{error}");
    }
    assert_eq!(names(place.path()), ["dangling", "folder", "link", "nowhere", "to-folder", "twice", "victim"]);
}

#[test]
fn what_is_not_a_file_is_written_to_as_it_comes() {
    let place = tempfile::tempdir().unwrap();
    let pipe = place.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    symlink("pipe", place.path().join("link")).unwrap();
    for name in ["pipe", "link"] {
        let reader = thread::spawn({
            let pipe = pipe.clone();
            move || {
                let mut bytes = Vec::new();
                File::open(pipe).unwrap().read_to_end(&mut bytes).unwrap();
                bytes
            }
        });
        OutputFile::write_bytes(place.path().join(name), b"through").unwrap();
        assert_eq!(reader.join().unwrap(), b"through");
    }
    assert_eq!(names(place.path()), ["link", "pipe"]);
    OutputFile::write_bytes("/dev/null", b"x").unwrap();
    let error = OutputFile::write_bytes("/dev/full", b"x").unwrap_err();
    assert!(error.to_string().starts_with("cannot write /dev/full: No space left"), "{error}");
    assert!(!Path::new("/dev/full").is_file());
    // A file that this process has open, by its number: its end.
    let log = place.path().join("log");
    let mut file = File::create(&log).unwrap();
    file.write_all(b"first, ").unwrap();
    let number = std::os::fd::AsRawFd::as_raw_fd(&file);
    OutputFile::write_bytes(format!("/dev/fd/{number}"), b"second, ").unwrap();
    OutputFile::write_bytes(format!("/proc/self/fd/{number}"), b"third").unwrap();
    assert_eq!(fs::read(&log).unwrap(), b"first, second, third");
    // Also by a link of this user.
    let link = place.path().join("to-descriptor");
    symlink(format!("/proc/self/fd/{number}"), &link).unwrap();
    OutputFile::write_bytes(&link, b", fourth").unwrap();
    assert!(link.is_symlink());
    assert_eq!(fs::read(&log).unwrap(), b"first, second, third, fourth");
}

/// The rule of `fs.protected_symlinks`: links in folders that everybody can write to.
#[test]
fn links_that_another_user_has_laid_are_not_followed() {
    let place = tempfile::tempdir().unwrap();
    fs::set_permissions(place.path(), fs::Permissions::from_mode(0o1777)).unwrap();
    let (victim, laid) = (place.path().join("victim"), place.path().join("laid"));
    fs::write(&victim, "victim").unwrap();
    symlink("victim", &laid).unwrap();
    if lchown(&laid, Some(65534), None).is_err() {
        return skip("only root can give a link to another user");
    }
    OutputFile::write_bytes(&laid, b"new").unwrap();
    assert!(!laid.is_symlink() && fs::read(&laid).unwrap() == b"new");
    assert_eq!(fs::read(&victim).unwrap(), b"victim");
}

#[test]
fn permissions_are_those_of_any_new_file_or_of_the_one_replaced() {
    let place = tempfile::tempdir().unwrap();
    let at = |name: &str| place.path().join(name);
    fs::write(at("any"), "").unwrap();
    OutputFile::write_bytes(at("new"), b"new").unwrap();
    assert_eq!(mode(&at("new")), mode(&at("any")));
    for before in [0o600, 0o640, 0o644, 0o444, 0o755, 0o666, 0o4755, 0o000] {
        fs::write(at("old"), "old").unwrap();
        fs::set_permissions(at("old"), Permissions::from_mode(before)).unwrap();
        OutputFile::write_bytes(at("old"), b"new").unwrap();
        assert_eq!(mode(&at("old")), before & 0o777, "{before:o}");
        fs::remove_file(at("old")).unwrap();
    }
    if rustix::process::geteuid().is_root() {
        // The group is kept of this user's files; of another's, nobody gets to
        // do more, neither than before nor than with a new file.
        let new = mode(&at("any"));
        for (before, owner, expected) in [
            (0o640, 0, (0o640, 54321)),
            (0o664, 0, (0o664, 54321)),
            (0o600, 12345, (0o600, 0)),
            (0o640, 12345, (0o600, 0)),
            (0o666, 12345, (new, 0)),
            (0o777, 12345, (new, 0)),
        ] {
            fs::write(at("old"), "old").unwrap();
            lchown(at("old"), Some(owner), Some(54321)).unwrap();
            fs::set_permissions(at("old"), Permissions::from_mode(before)).unwrap();
            OutputFile::write_bytes(at("old"), b"new").unwrap();
            let metadata = fs::metadata(at("old")).unwrap();
            assert_eq!(metadata.uid(), 0);
            assert_eq!((mode(&at("old")), metadata.gid()), expected, "{before:o} of {owner}");
            fs::remove_file(at("old")).unwrap();
        }
    }
}

#[test]
fn what_is_not_committed_leaves_the_old_file_and_nothing_else() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("file");
    fs::write(&path, "old").unwrap();
    let mut file = OutputFile::create(&path).unwrap();
    file.write_all(&[7; 100_000]).unwrap();
    file.flush().unwrap();
    let partial = names(place.path()).into_iter().find(|name| name != "file").unwrap();
    assert_eq!(mode(&place.path().join(&partial)), 0o700, "nobody else sees what is not whole");
    assert_eq!(file.path(), path);
    assert_eq!(fs::read(&path).unwrap(), b"old");
    drop(file);
    assert_eq!(names(place.path()), ["file"]);
    assert_eq!(fs::read(&path).unwrap(), b"old");
    // What a killed process has left goes with the next one, and not what a
    // living one is at.
    let living = OutputFile::create(place.path().join("other")).unwrap();
    let dead = place.path().join(".btf-partial-killed");
    fs::create_dir(&dead).unwrap();
    fs::write(dead.join("lock"), "").unwrap();
    fs::write(dead.join("content"), vec![0; 1 << 20]).unwrap();
    OutputFile::write_bytes(&path, b"new").unwrap();
    assert!(!dead.exists());
    living.commit().unwrap();
    assert_eq!(names(place.path()), ["file", "other"]);
}

#[test]
fn a_selection_lends_a_file() {
    let archive = Archive::parse(tar(&[("d/9/x86_64/1.2.3.btf", &btf("lent"))])).unwrap();
    let host = Host {
        distribution: "d".into(),
        version: Some("9".into()),
        machine: "x86_64".into(),
        release: "1.2.3".into(),
        ..Host::default()
    };
    let selection = archive.select(&host).unwrap();
    let file = selection.temp_file().unwrap();
    let path = file.path().to_owned();
    assert_eq!(fs::read(&path).unwrap(), btf("lent"));
    assert_eq!(mode(path.parent().unwrap()), 0o700);
    drop(file);
    assert!(!path.parent().unwrap().exists());
}

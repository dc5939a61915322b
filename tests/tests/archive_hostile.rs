//! Archives that were made to hurt: what they list, what they cost, and where
//! they are unpacked to.

#![cfg(target_os = "linux")]
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "tests")]

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use btf_archive::{Archive, Error, SelectOptions};
use btf_elf::Compression;
use btf_kernel::Host;
use btf_tests::{
    fuzz,
    memory::{self, CountingAllocator},
    packed,
    tars::{btf, raw, tar},
};
use proptest::prelude::*;
use tar::EntryType::{Directory, Link, Regular, Symlink};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

/// A host of which every archive here has kernels.
fn host() -> Host {
    Host {
        distribution: "d".into(),
        version: Some("9".into()),
        machine: "x86_64".into(),
        release: "1.2.3".into(),
        ..Host::default()
    }
}

/// Parts of a path, the normal ones more often.
fn path() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        4 => prop::sample::select(vec!["a", "b", "9", "x86_64"]),
        1 => prop::sample::select(vec!["", ".", "..", "a\nb", "\u{1b}[31m"]),
    ];
    let file = prop::sample::select(vec!["1.2.3.btf", "1.2.4.btf.gz", "b", "", "."]);
    (prop::collection::vec(part, 0..4), file).prop_map(|(mut parts, file)| {
        parts.push(file);
        parts.join("/")
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    /// Whatever files and links are called, and wherever these lead, listed
    /// paths are relative and normal.
    #[test]
    fn links_and_files_of_any_name_stay_inside(
        members in prop::collection::vec((path(), 0..4_u8, path()), 1..8)
    ) {
        let contents = btf("kernel");
        let mut bytes = raw("a/9/x86_64/1.2.3.btf", Regular, "", contents.len() as u64, &contents);
        for (path, kind, target) in members {
            bytes.extend(match kind {
                0 => raw(&path, Regular, "", contents.len() as u64, &contents),
                1 => raw(&path, Directory, "", 0, b""),
                2 => raw(&path, Symlink, &target, 0, b""),
                _ => raw(&path, Link, &target, 0, b""),
            });
        }
        fuzz::archive(&bytes);
    }
}

#[test]
fn a_link_without_a_name_is_not_the_root_of_the_machine() {
    let contents = btf("evil");
    let file = raw("etc/x86_64/evil.btf", Regular, "", contents.len() as u64, &contents);
    for name in ["./", ".", "././"] {
        let bytes = [raw(name, Symlink, "etc", 0, b""), file.clone()].concat();
        let error = Archive::parse(bytes).unwrap().list().unwrap_err();
        assert!(matches!(error, Error::Refused { .. }), "{error}");
    }
}

#[test]
fn what_is_not_an_archive_is_named_and_not_printed() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("odd\u{1b}[31m");
    let text = b"# btf\n\n\x1b]0;owned\x07BTF (BPF Type Format)".repeat(30);
    let zip = [b"PK\x03\x04", &[7; 2000][..]].concat();
    for (contents, found) in [
        (btf("kernel"), "it is BTF itself, not an archive of it"),
        (b"\x7fELF".repeat(200), "it is an ELF file"),
        (text.clone(), "it is neither a tar, plain or compressed, nor a folder"),
        (zip, "it is neither a tar, plain or compressed, nor a folder"),
        (b"short".to_vec(), "it is neither a tar, plain or compressed, nor a folder"),
        (Vec::new(), "it is empty"),
    ] {
        fs::write(&file, &contents).unwrap();
        let expected = format!("is not an archive of BTF: {found}");
        let error = Archive::open(&file).unwrap_err().to_string();
        assert!(error.contains("odd\\u{1b}[31m") && error.ends_with(&expected), "{error}");
        assert!(!error.contains(|c: char| c.is_control()), "{error:?}");
        let error = Archive::parse(contents.clone()).unwrap_err().to_string();
        assert!(error.ends_with(&expected), "{error}");
        // Compressed, it shows when it is read.
        if !contents.is_empty() {
            fs::write(&file, packed::encode(Compression::Gzip, &contents)).unwrap();
            let error = Archive::open(&file).unwrap().list().unwrap_err().to_string();
            assert!(error.contains("odd\\u{1b}[31m") && error.ends_with(&expected), "{error}");
        }
    }
    // Nor is what a member is named, or what a host says of itself.
    let member = raw("/abs\x1b[31m\n", Regular, "", 0, b"");
    let error = Archive::parse(member).unwrap().list().unwrap_err().to_string();
    assert_eq!(error, "refusing /abs\\u{1b}[31m\\n: an absolute path");
    let archive = Archive::parse(tar(&[("d/9/x86_64/1.btf", &btf("x"))])).unwrap();
    let error = archive.select(&Host { release: "9\x1b[31m.9".into(), ..host() }).unwrap_err().to_string();
    assert!(error.starts_with("no BTF for kernel 9\\u{1b}[31m.9 of d 9 on x86_64"), "{error}");
}

/// Every decoder, and how far a bomb may go: 128 MiB, and 200 times its size.
#[test]
fn zeros_of_any_format_end_in_an_error() {
    let name = "d/9/x86_64/1.2.3.btf";
    for compression in [Compression::Gzip, Compression::Bzip2, Compression::Zstd, Compression::Xz] {
        let header = raw(name, Regular, "", 1 << 33, b"");
        let bomb = packed::padded(compression, &header, 176 << 20);
        let most = (128 << 20) + 200 * bomb.len() as u64;
        assert!(most < 176 << 20, "{compression}: {} bytes", bomb.len());
        let archive = Archive::parse(bomb).unwrap();
        let (result, heap) = memory::measure(|| match compression {
            Compression::Gzip => archive.read(name).map(drop),
            Compression::Zstd => {
                let elsewhere = tempfile::tempdir().unwrap();
                archive.unpack_into(elsewhere.path().join("x")).map(drop)
            }
            _ => archive.list().map(drop),
        });
        let error = result.unwrap_err();
        assert!(matches!(error, Error::Limit { .. }), "{compression}: {error}");
        assert!(heap.peak < 200 << 20, "{compression}: {} bytes of heap", heap.peak);
    }
}

#[test]
fn what_kernels_decode_to_is_counted_for_all_of_them_together() {
    // Each of them alone would be fine.
    let kernel = packed::padded(Compression::Xz, &btf("kernel"), 15 << 20);
    let names: Vec<String> = (0..20).map(|n| format!("d{n}/9/x86_64/1.2.3.btf.xz")).collect();
    let files: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), kernel.as_slice())).collect();
    let outer = packed::encode(Compression::Gzip, &tar(&files));
    let archive = Archive::parse(outer).unwrap();
    let options = SelectOptions::new().nearest(true);
    let other = Host { distribution: "other".into(), ..host() };
    let (result, heap) = memory::measure(|| archive.select_with(&other, &options).map(drop));
    let error = result.unwrap_err();
    assert!(matches!(error, Error::Limit { what: "bytes decoded for an archive of this size", .. }), "{error}");
    assert!(heap.peak < 300 << 20, "{} bytes of heap", heap.peak);
}

/// Allocated bytes and their peak grow with the archive, at three sizes.
#[test]
fn links_times_files_take_no_more_than_both() {
    for n in [500, 1000, 2000] {
        let mut bytes = Vec::new();
        for link in 0..n {
            bytes.extend(raw(&format!("d/{}", link + 10), Symlink, "9", 0, b""));
        }
        for file in 0..n {
            bytes.extend(raw(&format!("d/9/x86_64/{file}.btf"), Regular, "", 0, b""));
        }
        let len = bytes.len() as u64;
        let archive = Archive::parse(packed::encode(Compression::Gzip, &bytes)).unwrap();
        let (_, heap) = memory::measure(|| archive.list().map(drop));
        assert!(heap.peak < 6 * len + (8 << 20), "list {n}: {} bytes of heap for {len}", heap.peak);
        let (_, heap) = memory::measure(|| archive.select(&host()).map(drop));
        assert!(heap.peak < 6 * len + (8 << 20), "select {n}: {} bytes of heap for {len}", heap.peak);
    }
}

#[test]
fn a_nested_tar_of_many_files_is_gone_through_once() {
    let allocated = |count: usize| {
        let mut inner = Vec::new();
        for n in 0..count {
            inner.extend(raw(&format!("{n}"), Regular, "", 0, b""));
        }
        let file = packed::encode(Compression::Xz, &inner);
        let archive = Archive::parse(tar(&[("d/9/x86_64/1.2.3.btf.tar.xz", &file)])).unwrap();
        let (error, heap) = memory::measure(|| archive.select(&host()).unwrap_err());
        assert!(matches!(error, Error::NoBtf { .. }), "{error}");
        assert!(heap.peak < 4 * inner.len() as u64 + (24 << 20), "{count}: {} bytes of heap", heap.peak);
    };
    allocated(3_000);
    allocated(30_000);
}

/// One path can ask for more folders than it has bytes for.
#[test]
fn folders_are_made_in_proportion_to_files() {
    let mut bytes = Vec::new();
    for n in 0..300 {
        bytes.extend(raw(&format!("{n}/{}x", "a/".repeat(45)), Regular, "", 0, b""));
    }
    let elsewhere = tempfile::tempdir().unwrap();
    let archive = Archive::parse(bytes).unwrap();
    let error = archive.unpack_into(elsewhere.path().join("x")).unwrap_err();
    assert!(matches!(error, Error::Limit { what: "folders for so few files", .. }), "{error}");
    assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 0);
}

#[test]
fn odd_targets_of_unpacking_lose_nothing() {
    let place = tempfile::tempdir().unwrap();
    let at = |path: &str| place.path().join(path);
    let archive = Archive::parse(tar(&[("d/9/x86_64/1.btf", &btf("x")), ("package.json", b"{}")])).unwrap();
    let names = || {
        let mut names: Vec<_> = fs::read_dir(place.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    // An empty folder, by a path through itself, with its permissions.
    fs::create_dir(at("e")).unwrap();
    fs::set_permissions(at("e"), fs::Permissions::from_mode(0o750)).unwrap();
    archive.unpack_into(at("e/../e")).unwrap();
    assert!(at("e/d/9/x86_64/1.btf").exists() && at("e/package.json").exists());
    assert_eq!(fs::metadata(at("e")).unwrap().permissions().mode() & 0o777, 0o750);
    assert_eq!(names(), ["e"]);
    // New folders, one of which is made only to be left.
    archive.unpack_into(at("f/../g/h")).unwrap();
    assert!(at("g/h/package.json").exists());
    // What is there already, is a link or a file, or has no name of its own.
    fs::create_dir(at("empty")).unwrap();
    symlink("empty", at("link")).unwrap();
    symlink("nowhere", at("dangling")).unwrap();
    fs::write(at("file"), "mine").unwrap();
    let before = names();
    for target in ["e", "e/", "link", "dangling", "file", "empty/.."] {
        let error = archive.unpack_into(at(target)).unwrap_err();
        assert!(matches!(error, Error::Exists { .. }), "{target}: {error}");
    }
    assert!(archive.unpack_into(at("file/x")).is_err());
    assert_eq!(names(), before);
    assert_eq!(fs::read(at("file")).unwrap(), b"mine");
}

#[test]
fn while_it_is_filled_nobody_else_may_enter() {
    let place = tempfile::tempdir().unwrap();
    let target = place.path().join("x");
    let archive = Archive::parse(tar(&[("d/9/x86_64/1.btf", &vec![0; 8 << 20])])).unwrap();
    let is_done = AtomicBool::new(false);
    let seen = thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            let mut modes = std::collections::BTreeSet::new();
            while !is_done.load(Ordering::Relaxed) {
                for entry in fs::read_dir(place.path()).unwrap().flatten() {
                    let is_partial = entry.file_name().to_string_lossy().starts_with(".btf-partial-");
                    if let Some(metadata) = entry.metadata().ok().filter(|_| is_partial) {
                        modes.insert(metadata.permissions().mode() & 0o777);
                    }
                }
            }
            modes
        });
        for _ in 0..20 {
            archive.unpack_into(&target).unwrap();
            fs::remove_dir_all(&target).unwrap();
        }
        is_done.store(true, Ordering::Relaxed);
        watcher.join().unwrap()
    });
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), [0o700]);
}

/// Somebody who owns the folder around puts a link in the place of the folder
/// that is being filled, again and again.
#[test]
fn folders_swapped_while_unpacking_lead_nowhere() {
    let place = tempfile::tempdir().unwrap();
    let (inside, outside) = (place.path().join("inside"), place.path().join("outside"));
    fs::create_dir(&inside).unwrap();
    fs::create_dir_all(outside.join("content")).unwrap();
    let names: Vec<String> = (0..50).map(|n| format!("d/{n}/x86_64/1.btf")).collect();
    let files: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), &b"contents"[..])).collect();
    let archive = Archive::parse(tar(&files)).unwrap();
    let is_done = AtomicBool::new(false);
    let (swaps, results) = thread::scope(|scope| {
        let swapper = scope.spawn(|| {
            let mut swaps = 0;
            while !is_done.load(Ordering::Relaxed) {
                for entry in fs::read_dir(&inside).unwrap().flatten() {
                    let (path, aside) = (entry.path(), inside.join("aside"));
                    let is_partial = entry.file_name().to_string_lossy().starts_with(".btf-partial-");
                    if is_partial && fs::rename(&path, &aside).is_ok() {
                        swaps += usize::from(symlink(&outside, &path).is_ok());
                        thread::yield_now();
                        let _ = fs::remove_file(&path);
                        let _ = fs::rename(&aside, &path);
                    }
                }
            }
            swaps
        });
        let mut results = Vec::new();
        for n in 0..12 {
            results.push(archive.unpack_into(inside.join(format!("x{n}"))).is_ok());
        }
        is_done.store(true, Ordering::Relaxed);
        (swapper.join().unwrap(), results)
    });
    let whole = results.iter().filter(|is_ok| **is_ok).count();
    println!("{swaps} swaps, {whole} of {} unpacked", results.len());
    // Nothing was written through the link, and what got its name is whole.
    assert_eq!(fs::read_dir(outside.join("content")).unwrap().count(), 0);
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 1);
    for n in (0..12).filter(|n| results[*n]) {
        let folder = inside.join(format!("x{n}"));
        assert_eq!(btf_tests::fixtures::below(&folder).len(), 50, "{n}");
    }
}

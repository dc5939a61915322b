//! Names that many parts share: however much is printed, little is held.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

use std::{
    io::Read,
    path::Path,
    process::{Command, Stdio},
};

use btf_tests::blob::Blob;

/// The length of the name that is shared.
const NAME: usize = 1 << 20;
/// Number of parts that share it.
const PARTS: u32 = 64;
/// KiB of address space that the command gets: a fraction of what it prints.
const LIMIT: &str = "40960";

/// Runs the command within the limit; returns how many bytes it printed, and
/// what it said.
fn run(arguments: &[&str]) -> (u64, String, Option<i32>) {
    let script = format!("ulimit -v {LIMIT}; exec \"$@\"");
    let mut command = Command::new("sh");
    command.args(["-c", &script, "sh", env!("CARGO_BIN_EXE_btf")]).args(arguments);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdout = child.stdout.take().unwrap();
    let printed = std::io::copy(&mut stdout, &mut std::io::sink()).unwrap();
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    (printed, said, child.wait().unwrap().code())
}

fn write(folder: &Path, name: &str, blob: &Blob) -> String {
    let path = folder.join(name);
    std::fs::write(&path, blob.build()).unwrap();
    path.to_str().unwrap().into()
}

/// BTF whose second type, of a kind, has many parts of a long name; the first
/// is int.
fn shared(kind: u8, words: impl Fn(u32, u32) -> Vec<u32>) -> Blob {
    let mut blob = Blob::new();
    blob.int();
    let (long, top) = (blob.string(vec![b'n'; NAME]), blob.string("top"));
    let parts: Vec<u32> = (0..PARTS).flat_map(|index| words(long, index)).collect();
    blob.record(top, kind, PARTS, false, 4, &parts);
    blob
}

#[test]
fn names_that_are_shared_are_not_held() {
    let folder = tempfile::tempdir().unwrap();
    let members = write(folder.path(), "members.btf", &shared(4, |name, index| vec![name, 1, 32 * index]));
    let union = write(folder.path(), "union.btf", &shared(5, |name, _| vec![name, 1, 0]));
    let values = write(folder.path(), "values.btf", &shared(6, |name, index| vec![name, index]));
    let all = u64::from(PARTS) * NAME as u64;
    for file in [&members, &union, &values] {
        for arguments in
            [&["show", "top"][..], &["show", "--json", "top"], &["show", "*"], &["dump"], &["dump", "--format", "json"]]
        {
            let mut arguments = arguments.to_vec();
            arguments.push(file);
            let (printed, said, code) = run(&arguments);
            assert_eq!((code, said.as_str()), (Some(0), ""), "{arguments:?}");
            assert!(printed > all, "{arguments:?}: {printed}");
        }
    }
    let (printed, said, code) = run(&["find", "*", "--kind", "enumerator", &values]);
    assert_eq!((printed, code), (0, Some(1)), "{said}");
}

/// Tags, typedefs and variables by the thousand, all of one name.
#[test]
fn types_that_share_a_name_are_not_held() {
    let folder = tempfile::tempdir().unwrap();
    let mut blob = Blob::new();
    blob.int();
    let long = blob.string(vec![b'n'; NAME]);
    for _ in 0..PARTS {
        blob.record(long, 17, 0, false, 1, &[u32::MAX]).record(long, 8, 0, false, 1, &[]);
        blob.record(long, 14, 0, false, 1, &[1]);
    }
    let entries: Vec<u32> = (0..PARTS).flat_map(|index| [4 + 3 * index, 4 * index, 4]).collect();
    let section = blob.string(".data");
    blob.record(section, 15, PARTS, false, 4 * PARTS, &entries);
    let file = write(folder.path(), "types.btf", &blob);
    let all = u64::from(PARTS) * NAME as u64;
    for arguments in [&["dump"][..], &["dump", "--format", "json"], &["show", ".data"]] {
        let mut arguments = arguments.to_vec();
        arguments.push(&file);
        let (printed, said, code) = run(&arguments);
        assert_eq!((code, said.as_str()), (Some(0), ""), "{arguments:?}");
        assert!(printed > all, "{arguments:?}: {printed}");
    }
    for arguments in [&["info"][..], &["info", "--json"]] {
        let mut arguments = arguments.to_vec();
        arguments.push(&file);
        assert_eq!(run(&arguments).2, Some(0), "{arguments:?}");
    }
}

/// An unknown name is compared only with similar names.
#[test]
fn suggestions_are_few_however_many_names_there_are() {
    let folder = tempfile::tempdir().unwrap();
    let mut blob = Blob::new();
    // Of 4,000 bytes, as much as a NAME can have on some systems, and like it.
    let name = "n".repeat(4000);
    let like = blob.string(format!("{name}x"));
    for _ in 0..200_000 {
        blob.record(like, 16, 0, false, 4, &[]);
    }
    let file = write(folder.path(), "like.btf", &blob);
    let (printed, said, code) = run(&["show", &name, &file]);
    assert_eq!((printed, code), (0, Some(1)));
    assert!(said.ends_with(&format!("n in {file}\n")) && said.len() < 4100 + file.len(), "{said}");
}

//! `btf dump` against bpftool's output, by its checksum.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test")]

mod command;

use std::path::Path;

use btf_tests::fixtures;
use command::{btf, text};
use regex::bytes::{Captures, Regex};
use sha2::{Digest, Sha256};

/// Output of the command for a file with its base.
fn dump(format: &str, file: &Path, base: Option<&Path>) -> Vec<u8> {
    let mut arguments = vec!["dump", "--format", format, file.to_str().unwrap()];
    if let Some(base) = base {
        arguments.extend(["--base", base.to_str().unwrap()]);
    }
    let output = btf(&arguments);
    assert!(output.status.success(), "{}: {}", file.display(), text(&output.stderr));
    output.stdout
}

fn checksum(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// bpftool's fault, put into what has it not: values of unsigned ENUMs that do
/// not fit 31 bits come out as 64 bits of their sign.
fn with_the_fault_of_bpftool(json: &[u8]) -> Vec<u8> {
    let of_enum = Regex::new(r#""kind":"ENUM","name":"[^"]*","encoding":"UNSIGNED"[^\]]*\]"#).unwrap();
    let value = Regex::new(r#""val":(\d+)"#).unwrap();
    let extend = |captures: &Captures<'_>| {
        let value: u32 = std::str::from_utf8(&captures[1]).unwrap().parse().unwrap();
        format!("\"val\":{}", i64::from(value as i32) as u64).into_bytes()
    };
    of_enum
        .replace_all(json, |captures: &Captures<'_>| value.replace_all(&captures[0], extend).into_owned())
        .into_owned()
}

#[test]
fn text_and_json_are_bpftools() {
    let table = String::from_utf8(fixtures::read("golden/dump.tsv")).unwrap();
    // As it is committed: raw BTF, an object, or xz.
    let path = |name: &str| {
        let path = fixtures::folder().join(name);
        if path.exists() { path } else { fixtures::folder().join(format!("{name}.xz")) }
    };
    let mut compared = 0;
    for line in table.lines().filter(|line| !line.starts_with('#')) {
        let fields: Vec<&str> = line.split('\t').collect();
        let [file, base, raw, _, json] = fields.as_slice() else { panic!("{line}") };
        if !file.ends_with(".btf") && !file.ends_with(".o") {
            continue;
        }
        let base = (*base != "-").then(|| path(base));
        let text = dump("raw", &path(file), base.as_deref());
        assert_eq!(checksum(&text), *raw, "{file}");
        let document = dump("json", &path(file), base.as_deref());
        assert!(serde_json::from_slice::<serde_json::Value>(&document).is_ok(), "{file}");
        assert_eq!(checksum(&with_the_fault_of_bpftool(&document)), *json, "{file}");
        compared += 1;
    }
    assert!(compared > 70, "{compared}");
}

#[test]
fn datasecs_as_a_loader_sees_them() {
    let path = fixtures::folder().join("bpf/clang-22/maps-eb.bpf.o");
    let dump = |arguments: &[&str]| {
        let output = btf(&[&["dump"], arguments].concat());
        assert!(output.status.success(), "{}", text(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let (path, fixup) = (path.to_str().unwrap(), "--fixup");
    let as_it_is = dump(&[path]);
    let fixed = dump(&[fixup, path]);
    assert!(as_it_is.contains("DATASEC '.kconfig' size=0 vlen=6\n"));
    assert!(fixed.contains("DATASEC '.kconfig' size=85 vlen=6\n"));
    assert!(fixed.contains("offset=21 size=64 (VAR 'CONFIG_DEFAULT_HOSTNAME')"));
    let hidden = |dump: &str| dump.lines().find(|line| line.contains("VAR 'hidden_bss'")).unwrap().to_owned();
    assert!(hidden(&as_it_is).ends_with(", linkage=global"), "{}", hidden(&as_it_is));
    assert!(hidden(&fixed).ends_with(", linkage=static"), "{}", hidden(&fixed));
    let json: serde_json::Value = serde_json::from_str(&dump(&[fixup, "--format", "json", path])).unwrap();
    let types = json["types"].as_array().unwrap();
    assert!(types.iter().any(|ty| ty["name"] == "dummy_ksym" && ty["linkage"] == "global"));
    let raw = fixtures::folder().join("bpf/pahole32/types32-mips.btf");
    for arguments in [&["dump", fixup][..], &["dump", fixup, raw.to_str().unwrap()]] {
        let output = btf(arguments);
        assert_eq!(output.status.code(), Some(1));
        let text = String::from_utf8(output.stderr).unwrap();
        // (Without a file it is the kernel's, if that has any.)
        assert!(text.contains("--fixup is for BPF objects") || text.contains("name a file"), "{text}");
    }
}

#[test]
fn names_that_json_must_escape_are_escaped() {
    let mut blob = btf_tests::blob::Blob::new();
    let name = blob.string(b"a\"\\\x01\xff\x7f\xc3\xa9");
    blob.record(name, 16, 0, false, 4, &[]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("names.btf");
    std::fs::write(&path, blob.build()).unwrap();
    let document: serde_json::Value = serde_json::from_slice(&dump("json", &path, None)).unwrap();
    assert_eq!(document["types"][0]["name"], "a\"\\\u{1}\u{fffd}\u{7f}\u{e9}");
    assert_eq!(dump("raw", &path, None), b"[1] FLOAT 'a\"\\\x01\xff\x7f\xc3\xa9' size=4\n");
}

#[test]
fn what_cannot_be_dumped_says_so_in_a_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("damaged.btf");
    std::fs::write(&path, &fixtures::read("bpf/pahole32/types32-mips.btf")[..1000]).unwrap();
    for (arguments, code) in [
        (&["dump", path.to_str().unwrap()][..], 1),
        (&["dump", "/nonexistent"], 1),
        (&["dump", "--format", "xml"], 2),
        (&["no-such-command"], 2),
    ] {
        let output = btf(arguments);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}");
        assert!(output.stdout.is_empty());
        let lines = String::from_utf8(output.stderr).unwrap().lines().count();
        assert!(lines == 1 || code == 2, "{arguments:?}");
    }
}

/// 40 structs with two members each of the next: 2^40 lines, were there no end.
#[test]
fn what_doubles_without_end_is_shown_to_an_end() {
    let mut blob = btf_tests::blob::Blob::new();
    let name = blob.string("top");
    for id in 1..=40 {
        let name = if id == 1 { name } else { 0 };
        blob.record(name, 4, 2, false, 8, &[0, id + 1, 0, 0, id + 1, 32]);
    }
    blob.int();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("doubling.btf");
    std::fs::write(&path, blob.build()).unwrap();
    let output = btf(&["show", "top", path.to_str().unwrap()]);
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("\t...\n") && text.lines().count() < 250_000, "{} lines", text.lines().count());
    // Of itself, and by value.
    let mut blob = btf_tests::blob::Blob::new();
    let name = blob.string("top");
    blob.record(name, 4, 2, false, 8, &[0, 2, 0, 0, 2, 32]).record(0, 4, 2, false, 8, &[0, 2, 0, 0, 1, 32]);
    std::fs::write(&path, blob.build()).unwrap();
    for arguments in [&["show", "--expand", "top"][..], &["show", "top"], &["find", "top"], &["dump"], &["info"]] {
        let mut arguments = arguments.to_vec();
        arguments.push(path.to_str().unwrap());
        assert!(btf(&arguments).status.success(), "{arguments:?}");
    }
}

#[test]
fn an_option_of_another_format_is_named() {
    let object = command::fixture("bpf/clang-22/core_real-el.bpf.o");
    for (format, option, other) in [("rust", "--unsorted", "c"), ("c", "--globals", "rust"), ("raw", "--own", "c")] {
        let error = command::failed(&["dump", "--format", format, option, &object]);
        assert_eq!(error, format!("btf: {option} needs --format {other}\n"));
    }
}

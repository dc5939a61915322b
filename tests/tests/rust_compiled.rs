//! Rust types through rustc: it finds the sizes, alignments and offsets that they assert.

#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "tests")]

use std::{env, ffi::OsString, fs, process::Command};

use btf_codegen::rust::Types;
use btf_elf::BtfFile;
use btf_tests::{fixtures, skip};
use btf_types::Btf;

/// The compiler: `RUSTC`, or what is found by that name.
fn rustc() -> Option<OsString> {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    match Command::new(&rustc).arg("--version").output() {
        Ok(output) if output.status.success() => Some(rustc),
        Ok(output) => {
            skip(format!("rustc --version: {}", output.status));
            None
        }
        Err(error) => {
            skip(format!("rustc: {error}"));
            None
        }
    }
}

/// The first lines of what the compiler says of a library without `std`; nothing if it is
/// content. Assertions are evaluated, no code is made.
fn compile(rustc: &OsString, source: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("types.rs");
    fs::write(folder.path().join("lib.rs"), "#![no_std]\ninclude!(\"types.rs\");\n").unwrap();
    fs::write(&path, source).unwrap();
    let output = Command::new(rustc)
        .args(["--edition", "2021", "--crate-type", "lib", "--crate-name", "types", "--emit", "metadata", "-o"])
        .arg(folder.path().join("types.rmeta"))
        .arg(folder.path().join("lib.rs"))
        .output()
        .expect("rustc runs");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.success(), !text.contains("error"), "{text}");
    text.lines().take(20).collect::<Vec<_>>().join("\n")
}

fn open(name: &str) -> Btf {
    BtfFile::parse(fixtures::read(name)).unwrap().btf().unwrap()
}

#[test]
fn layouts_are_what_rustc_makes_of_the_text() {
    let Some(rustc) = rustc() else { return };
    for name in [
        "layout/armv7.btf",
        "layout/i686.btf",
        "layout/powerpc.btf",
        "layout/s390x.btf",
        "layout/x86_64.btf",
        "bpf/pahole32/types32-armv7.btf",
        "bpf/pahole32/types32-i686.btf",
        "bpf/pahole32/types32-mips.btf",
        "bpf/pahole32/types32-powerpc.btf",
        "bpf/clang-22/types-el.bpf.o",
        "bpf/clang-22/types-eb.bpf.o",
        "bpf/clang-22/enum64-el.bpf.o",
    ] {
        let source = Types::new().generate(&open(name)).unwrap();
        assert_eq!(compile(&rustc, &source), "", "{name}");
    }
}

#[test]
fn an_assertion_that_does_not_hold_is_found() {
    let Some(rustc) = rustc() else { return };
    let source = Types::new().root("packed_inside").generate(&open("layout/x86_64.btf")).unwrap();
    let right = "offset_of!(packed_inside, p) == 1";
    assert!(source.contains(right), "{source}");
    assert_eq!(compile(&rustc, &source), "");
    for (right, wrong) in [
        (right, "offset_of!(packed_inside, p) == 4"),
        ("size_of::<packed_inside>() == 6", "size_of::<packed_inside>() == 8"),
        ("align_of::<packed_inner>() == 1", "align_of::<packed_inner>() == 4"),
    ] {
        assert!(source.contains(right), "{right}");
        let errors = compile(&rustc, &source.replace(right, wrong));
        assert!(errors.contains("assertion failed"), "{right}: {errors}");
    }
}

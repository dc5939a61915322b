//! Sources of BTF: files with and without a base, and standard input.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

mod command;

use std::{
    fs,
    io::Write,
    process::{Command, Stdio},
};

use btf_tests::fixtures;
use command::{btf, text};

fn fixture(name: &str) -> String {
    let path = fixtures::folder().join(format!("kernels/{}/{name}.btf.xz", fixtures::SORTED));
    path.to_str().unwrap().into()
}

#[test]
fn a_base_is_for_split_btf() {
    let (vmlinux, module) = (fixture("vmlinux"), fixture("openvswitch"));
    for arguments in [&["dump"][..], &["info"], &["find", "list_head"], &["show", "list_head"]] {
        // On itself, much of it would make sense by chance.
        let output = btf(&[arguments, &[&vmlinux, "--base", &vmlinux]].concat());
        assert_eq!(output.status.code(), Some(1));
        let expected = format!("btf: {vmlinux}: this is not split BTF, and has no base; leave out --base\n");
        assert_eq!(text(&output.stderr), expected);
        // (What the file is, is told all the same.)
        assert!(output.stdout.is_empty() || arguments == ["info"]);
    }
    // The running kernel's BTF has no base.
    let object = fixtures::folder().join("bpf/clang-22/core_real-el.bpf.o").display().to_string();
    for arguments in [&["dump"][..], &["info"], &["find", "x"], &["show", "x"], &["verify"], &["relocs", &object]] {
        let output = btf(&[arguments, &["--base", &vmlinux]].concat());
        assert!(!output.status.success(), "{arguments:?}");
        assert!(text(&output.stderr).starts_with("btf: --base needs a file"), "{}", text(&output.stderr));
    }
    let output = btf(&["dump", &module]);
    assert_eq!(output.status.code(), Some(1));
    let expected = format!("btf: {module}: this is split BTF, such as a module's; give its base with --base FILE\n");
    assert_eq!(text(&output.stderr), expected);
    let output = btf(&["info", &module]);
    assert_eq!(text(&output.stdout), format!("source       {module}\nfile         xz > BTF\n"));
    assert!(btf(&["info", &module, "--base", &vmlinux]).status.success());
}

#[test]
fn what_is_extracted_is_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out.btf");
    let path = out.to_str().unwrap();
    let extract = |arguments: &[&str]| {
        let output = btf(&[&["extract"], arguments, &[path]].concat());
        assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
        assert!(output.stdout.is_empty() && output.stderr.is_empty());
        fs::read(&out).unwrap()
    };
    let release = fixtures::SORTED;
    assert_eq!(extract(&[&fixture("vmlinux")]), fixtures::read(&format!("kernels/{release}/vmlinux.btf")));
    // Split BTF without its base, and the other byte order.
    assert_eq!(extract(&[&fixture("openvswitch")]), fixtures::read(&format!("kernels/{release}/openvswitch.btf")));
    let foreign = fixtures::folder().join(format!("kernels/{}/vmlinux.btf.xz", fixtures::BIG_ENDIAN));
    let bytes = fixtures::read(&format!("kernels/{}/vmlinux.btf", fixtures::BIG_ENDIAN));
    assert_eq!(extract(&[foreign.to_str().unwrap()]), bytes);
    let module = fixtures::folder().join(format!("modules/{release}/tun.ko.xz"));
    let elf = btf_elf::BtfFile::open(&module).unwrap();
    assert_eq!(extract(&[module.to_str().unwrap()]), elf.btf_bytes().unwrap());
    let output = btf(&["extract", module.to_str().unwrap(), "-"]);
    assert_eq!(output.stdout, elf.btf_bytes().unwrap());
    // After an error, what was there is there.
    let output = btf(&["extract", "/etc/passwd", path]);
    assert_eq!((output.status.code(), fs::read(&out).unwrap()), (Some(1), elf.btf_bytes().unwrap().to_vec()));
    assert_eq!(btf(&["extract"]).status.code(), Some(2));
    // Nor is a source overwritten, where no other file is named.
    let source = folder.path().join("tun.ko.xz");
    fs::copy(&module, &source).unwrap();
    let output = btf(&["extract", source.to_str().unwrap()]);
    assert_eq!((output.status.code(), fs::read(&source).unwrap()), (Some(1), fs::read(&module).unwrap()));
    let said = text(&output.stderr);
    assert!(said.contains("exists, and is not raw BTF") && said.ends_with("tun.ko.xz OUT\n"), "{said}");
}

/// Files that do not end.
#[cfg(target_os = "linux")]
#[test]
fn no_more_is_read_than_of_any_kernel() {
    for arguments in [["relocs", "/dev/zero", "--explain"], ["relocate", "/dev/zero", "out.o"]] {
        let output = btf(&arguments);
        let said = text(&output.stderr);
        assert!(said.starts_with("btf: /dev/zero has more than ") && said.ends_with(" bytes\n"), "{said}");
    }
}

/// A kernel in an archive is a source like any other.
#[test]
fn members_of_archives() {
    let folder = tempfile::tempdir().unwrap();
    let inside = "debian/13/x86_64/6.12.0-1-amd64.btf";
    let path = folder.path().join(inside);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let raw = fixtures::read("bpf/pahole32/types32-mips.btf");
    fs::write(&path, &raw).unwrap();
    let bundle = folder.path().join("bundle.tar.gz");
    let bundle = bundle.to_str().unwrap();
    let output = btf(&["archive", "pack", "--full", folder.path().to_str().unwrap(), bundle]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let output = btf(&["extract", "--member", inside, bundle, "-"]);
    assert!(output.stdout == raw, "{}", text(&output.stderr));
    let output = btf(&["find", "--member", inside, "int", bundle]);
    assert!(text(&output.stdout).contains(" INT "), "{}", text(&output.stderr));
    assert!(btf(&["show", "int", "--member", inside, bundle]).status.success());
    let output = btf(&["info", "--member", "debian/13/x86_64/nosuch.btf", bundle]);
    assert_eq!(output.status.code(), Some(1));
}

#[cfg(target_os = "linux")]
#[test]
fn loaded_btf_by_its_id() {
    for arguments in [&["dump", "--id", "1", "--prog", "2"][..], &["info", "--map", "1", "./file"]] {
        assert_eq!(btf(arguments).status.code(), Some(2), "{arguments:?}");
    }
    let btf_of = |bytes: Vec<u8>| btf_types::Btf::parse(bytes).unwrap();
    let mut blob = btf_tests::blob::Blob::new();
    blob.int();
    let Ok(loaded) = btf_kernel::LoadedBtf::load(&btf_of(blob.build())) else {
        return btf_tests::skip("needs the right to load BTF");
    };
    let id = loaded.info().unwrap().id.to_string();
    let output = btf(&["dump", "--id", &id]);
    assert_eq!(text(&output.stdout), "[1] INT 'int' size=4 bits_offset=0 nr_bits=32 encoding=SIGNED\n");
    let output = btf(&["find", "int", "--id", &id]);
    assert!(text(&output.stdout).contains("#1 INT"), "{}", text(&output.stderr));
    assert_eq!(btf(&["extract", "--id", &id, "-"]).stdout, loaded.bytes().unwrap());
    let output = btf(&["show", "int", "--prog", "4294967295"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("4294967295"), "{}", text(&output.stderr));
}

#[test]
fn standard_input_is_a_file() {
    let raw = fixtures::read("bpf/pahole32/types32-mips.btf");
    let run = |arguments: &[&str], input: &[u8]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_btf"));
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // It need not be read to the end.
        let _ = child.stdin.take().unwrap().write_all(input);
        child.wait_with_output().unwrap()
    };
    let path = fixtures::folder().join("bpf/pahole32/types32-mips.btf");
    let expected = btf(&["dump", path.to_str().unwrap()]).stdout;
    assert_eq!(run(&["dump", "-"], &raw).stdout, expected);
    let output = run(&["find", "*", "-"], &raw);
    assert!(output.status.success() && !output.stdout.is_empty());
    let output = run(&["show", "*", "-"], &raw);
    assert!(output.status.success() && !output.stdout.is_empty());
    let output = run(&["info", "-"], b"nonsense");
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).starts_with("btf: standard input: "), "{}", text(&output.stderr));
}

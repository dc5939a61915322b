//! Where BTF is taken from: files with and without a base, and standard input.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

mod command;

use std::{
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
    let output = btf(&["dump", &module]);
    assert_eq!(output.status.code(), Some(1));
    let expected = format!("btf: {module}: this is split BTF, such as a module's; give its base with --base FILE\n");
    assert_eq!(text(&output.stderr), expected);
    let output = btf(&["info", &module]);
    assert_eq!(text(&output.stdout), format!("source       {module}\nfile         xz > BTF\n"));
    assert!(btf(&["info", &module, "--base", &vmlinux]).status.success());
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

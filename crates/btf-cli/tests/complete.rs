//! `btf completions`, and the names that its scripts ask for.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

mod command;

use std::{
    fs,
    process::{Command, Stdio},
};

use btf_tests::{blob::Blob, fixtures, skip};
use command::{btf, text};

/// Structs, an enumerator, and names that a shell would act on.
fn blob() -> Blob {
    let mut blob = Blob::new();
    blob.int();
    let mut name = |text: &str| blob.string(text);
    let (task, other, mm, pid, inner) = (name("task"), name("task_other"), name("mm"), name("pid"), name("min"));
    let (value, odd, spaced) = (name("TASK_DEAD"), name("task$(reboot)"), name("task other"));
    blob.record(0, 4, 1, false, 4, &[inner, 1, 0]); // 2: struct { int min; }
    blob.ptr(4); // 3
    blob.record(task, 4, 3, false, 16, &[mm, 3, 0, 0, 2, 64, pid, 1, 96]); // 4
    blob.record(other, 4, 0, false, 0, &[]).record(odd, 4, 0, false, 0, &[]).record(spaced, 4, 0, false, 0, &[]);
    blob.record(0, 6, 1, false, 4, &[value, 1]);
    blob
}

#[test]
fn names_are_completed_from_the_btf_that_the_line_is_about() {
    let folder = tempfile::tempdir().unwrap();
    let candidates = |words: &[&str]| {
        let output = btf(&[&["complete", "--"], words].concat());
        assert!(output.status.success() && output.stderr.is_empty(), "{}", text(&output.stderr));
        text(&output.stdout).lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let root = folder.path().join("root");
    fs::create_dir_all(root.join("boot")).unwrap();
    fs::create_dir_all(root.join("lib/modules/6.1.0/kernel")).unwrap();
    fs::write(root.join("lib/modules/6.1.0/kernel/tun.ko"), "").unwrap();
    let mut elf = btf_tests::elf_blob::ElfBlob {
        elf_type: 2,
        machine: 62,
        ..btf_tests::elf_blob::ElfBlob::bpf(btf_types::ByteOrder::Little)
    };
    elf.section(".BTF", blob().build());
    fs::write(root.join("boot/vmlinux-6.1.0"), elf.build()).unwrap();
    let root = root.to_str().unwrap();
    let at = |words: &[&str]| candidates(&[&words[..1], &["--root", root], &words[1..]].concat());
    assert_eq!(at(&["show", "ta"]), ["task", "task_other"]);
    assert_eq!(at(&["show", "struct", "task_"]), ["task_other"]);
    assert_eq!(at(&["show", "task.m"]), ["task.min", "task.mm"]);
    assert_eq!(at(&["show", "task.mm.p"]), ["task.mm.pid"]);
    assert_eq!(at(&["find", "--json", "TASK"]), ["TASK_DEAD"]);
    assert_eq!(at(&["min", "--keep", "task_"]), ["task_other"]);
    assert_eq!(at(&["dump", "--module", ""]), ["tun"]);
    assert_eq!(at(&["dump", "--module", "=", "t"]), ["tun"]);
    // What is no name is for the shell to complete.
    for words in [
        &["show", "--ro"][..],
        &["show", "./t"],
        &["show", ""],
        &["show", "task", "--base", "t"],
        &["find", "task", "t"],
        &["dump", "t"],
        &["nosuch", "t"],
        &["show", "nosuch.t"],
    ] {
        assert!(at(words).is_empty(), "{words:?}");
    }
    assert!(candidates(&[]).is_empty());
    assert!(candidates(&["show", "--root", "/no/such", "t"]).is_empty());
}

/// Runs the completion like a shell.
#[test]
fn a_shell_completes_names_and_what_clap_knows() {
    if Command::new("bash").arg("--version").output().is_err() {
        return skip("there is no bash");
    }
    let script = r#"
        source <("$BTF" completions bash)
        complete_line() {
            COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
            _btf_names "$1" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
            echo "${COMPREPLY[*]}"
        }
        complete_line "$BTF" ker
        complete_line "$BTF" find --kind enumer
        complete_line "$BTF" find --kin
    "#;
    let output = Command::new("bash")
        .args(["--norc", "-c", script])
        .env("BTF", env!("CARGO_BIN_EXE_btf"))
        .current_dir(fixtures::folder())
        .output()
        .unwrap();
    let printed = text(&output.stdout);
    let lines: Vec<&str> = printed.lines().collect();
    assert_eq!(lines, ["kernel", "enumerator", "--kind"], "{}", text(&output.stderr));
}

#[test]
fn a_reader_that_goes_is_no_failure() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_btf"));
        command.args(["completions", shell]).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success() && output.stderr.is_empty(), "{shell}: {}", text(&output.stderr));
    }
}

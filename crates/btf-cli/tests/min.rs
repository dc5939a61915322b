//! `btf min`.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

mod command;

use std::{
    fs,
    io::Write,
    process::{Command, Stdio},
};

use btf_tests::fixtures;
use btf_types::{Btf, Struct};
use command::{btf, failed, fixture, text};

fn kernel() -> String {
    fixture(&format!("kernels/{}/vmlinux.btf.xz", fixtures::UNSORTED))
}

const PROGRAM: &str = "bpf/clang-22/core_real-el.bpf.o";

#[test]
fn a_kernel_is_trimmed_as_bpftool_does() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("min.btf");
    let path = out.to_str().unwrap();
    let output = btf(&["min", &kernel(), path, &fixture(PROGRAM)]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!((text(&output.stdout), text(&output.stderr)), (String::new(), String::new()));
    let trimmed = Btf::parse(fs::read(&out).unwrap()).unwrap();
    let golden = fixtures::read(&format!("golden/amd64_{}.core_real.btf", fixtures::UNSORTED));
    let golden = Btf::parse(golden).unwrap();
    assert_eq!(trimmed.as_bytes().get(trimmed.type_section()), golden.as_bytes().get(golden.type_section()));

    // The program from standard input, the result to standard output.
    let mut child = Command::new(env!("CARGO_BIN_EXE_btf"))
        .args(["min", &kernel(), "-", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(&fixtures::read(PROGRAM)).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success() && output.stdout == fs::read(&out).unwrap());
}

#[test]
fn the_running_kernels_file_is_trimmed_like_a_copy() {
    const VMLINUX: &str = "/sys/kernel/btf/vmlinux";
    let Ok(vmlinux) = fs::read(VMLINUX) else { return btf_tests::skip("the kernel's BTF is not in sysfs") };
    let folder = tempfile::tempdir().unwrap();
    let [copy, link] = ["copy", "link"].map(|name| folder.path().join(name));
    fs::write(&copy, &vmlinux).unwrap();
    std::os::unix::fs::symlink(VMLINUX, &link).unwrap();
    let trimmed = [VMLINUX, link.to_str().unwrap(), copy.to_str().unwrap()].map(|source| {
        let output = btf(&["min", source, "-", &fixture(PROGRAM)]);
        assert!(output.status.success(), "{}", text(&output.stderr));
        output.stdout
    });
    assert!(trimmed.iter().all(|bytes| *bytes == trimmed[0]));
    Btf::parse(trimmed[0].clone()).unwrap().find::<Struct<'_>>("task_struct").unwrap();
}

#[test]
fn types_are_kept_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("min.btf");
    let path = out.to_str().unwrap();
    assert!(btf(&["min", "--keep", "list_head", "--keep", "kref", &kernel(), path]).status.success());
    let trimmed = Btf::parse(fs::read(&out).unwrap()).unwrap();
    for (name, members) in [("list_head", 2), ("kref", 1)] {
        assert_eq!(trimmed.find::<Struct<'_>>(name).unwrap().members().len(), members);
    }
    let error = failed(&["min", "--keep", "tsk_struct", &kernel(), path]);
    assert_eq!(
        error,
        format!("btf: no type named tsk_struct in {}; there is task_struct, tss_struct, sk_destruct\n", kernel())
    );
    assert_eq!(btf(&["min", &kernel(), path]).status.code(), Some(2), "nothing is asked for");
}

#[test]
fn a_module_is_trimmed_with_its_base() {
    let folder = tempfile::tempdir().unwrap();
    let [out, out_base] = ["min.btf", "base.btf"].map(|name| folder.path().join(name));
    let [path, base] = [&out, &out_base].map(|path| path.to_str().unwrap());
    let module = fixture(&format!("kernels/{}/openvswitch.btf.xz", fixtures::UNSORTED));
    let program = fixture(PROGRAM);
    let arguments = ["min", &module, "--base", &kernel(), path, &program, "--keep", "vport"];
    let error = failed(&arguments);
    assert!(error.contains("give --out-base for each --base"), "{error}");
    let output = btf(&[&arguments[..], &["--out-base", base]].concat());
    assert!(output.status.success(), "{}", text(&output.stderr));
    let base = Btf::parse(fs::read(&out_base).unwrap()).unwrap();
    base.find::<Struct<'_>>("task_struct").unwrap();
    let split = Btf::parse_split(fs::read(&out).unwrap(), &base).unwrap();
    let vport: Struct<'_> = split.find("vport").unwrap();
    assert!(vport.members().any(|member| member.name() == "dev"));
    assert!(split.types().len() < 100, "{}", split.types().len());
    let error = failed(&[&arguments[..4], &["-", &program, "--out-base", "-"]].concat());
    assert_eq!(error, "btf: standard output cannot take several files\n");
}

#[test]
fn what_cannot_be_trimmed_leaves_what_was_there() {
    let folder = tempfile::tempdir().unwrap();
    let [out, program] = ["min.btf", "prog.bpf.o"].map(|name| folder.path().join(name));
    let [path, damaged] = [&out, &program].map(|path| path.to_str().unwrap());
    fs::write(&out, "before").unwrap();
    let mut bytes = fixtures::read(PROGRAM);
    let name = bytes.windows(9).position(|name| name == b".BTF.ext\0").unwrap();
    bytes.splice(name..name + 4, *b".XXX");
    fs::write(&program, bytes).unwrap();
    let error = failed(&["min", &kernel(), path, &fixture(PROGRAM), damaged]);
    let expected = "the object has no .BTF.ext, which lists the types that its programs need: compile it with -g";
    assert_eq!(error, format!("btf: {damaged}: {expected}\n"));
    for (source, program, expected) in [
        ("/nowhere", fixture(PROGRAM), "/nowhere"),
        (&kernel(), "/nowhere.o".into(), "cannot read /nowhere.o"),
        (&kernel(), kernel(), "not an ELF"),
        ("-", "-".into(), "standard input can be read only once"),
    ] {
        let error = failed(&["min", source, path, &program]);
        assert!(error.contains(expected), "{error}");
    }
    assert_eq!(fs::read(&out).unwrap(), b"before");
}

#[test]
fn programs_that_need_nothing_are_told_of() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("min.btf");
    let output = btf(&["min", &kernel(), out.to_str().unwrap(), &fixture("bpf/clang-22/maps-el.bpf.o")]);
    assert!(output.status.success());
    assert!(text(&output.stderr).contains("what is written has none, and no kernel loads it"));
    assert_eq!(Btf::parse(fs::read(&out).unwrap()).unwrap().types().len(), 0);
}

//! The commands that write BTF.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

mod command;

use std::{fs, path::Path, process::Command};

use btf_tests::{blob::Blob, fixtures};
use btf_types::{Btf, ByteOrder, Type};
use command::{btf, failed, fixture, text};

fn kernel(release: &str, name: &str) -> String {
    fixture(&format!("kernels/{release}/{name}.btf.xz"))
}

/// Runs it, and asserts that it says nothing.
#[track_caller]
fn done(arguments: &[&str]) {
    let output = btf(arguments);
    assert!(output.status.success() && output.stdout.is_empty(), "{arguments:?}: {}", text(&output.stderr));
    assert_eq!(text(&output.stderr), "");
}

fn read(path: &Path) -> Btf {
    Btf::parse(fs::read(path).unwrap()).unwrap()
}

#[test]
fn a_kernel_and_its_modules_are_merged_with_their_base_or_on_it() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("one.btf");
    let path = out.to_str().unwrap();
    let [vmlinux, veth, vxlan] = ["vmlinux", "veth", "vxlan"].map(|name| kernel(fixtures::UNSORTED, name));
    // The base may come anywhere among them.
    done(&["merge", path, &veth, &vmlinux, &vxlan, "--base", &vmlinux]);
    let one = read(&out);
    assert!(!one.is_split());
    let base = Btf::parse(fixtures::read(&format!("kernels/{}/vmlinux.btf", fixtures::UNSORTED))).unwrap();
    assert!(one.types().zip(base.types()).all(|(new, old)| new.name() == old.name()), "the base comes first");
    let modules = (one.types().len() - base.types().len()) as u32;

    done(&["merge", path, &veth, &vxlan, "--base", &vmlinux]);
    let split = Btf::parse_split(fs::read(&out).unwrap(), &base).unwrap();
    assert_eq!(split.types().len() as u32, modules);

    // Standard output.
    let output = btf(&["merge", "-", &veth, &vxlan, "--base", &vmlinux]);
    assert!(output.stdout == fs::read(&out).unwrap());

    let error = failed(&["merge", path, &veth]);
    assert!(error.contains("give its base with --base FILE"), "{error}");
    let big = kernel(fixtures::BIG_ENDIAN, "vmlinux");
    let error = failed(&["merge", path, &vmlinux, &big]);
    assert_eq!(error, format!("btf: {big}: cannot add big-endian BTF to little-endian BTF\n"));
    assert!(fs::read(&out).unwrap() == output.stdout, "what was there is as it was");
    assert_eq!(btf(&["merge", path]).status.code(), Some(2));
}

#[test]
fn of_equal_types_one_stays() {
    let folder = tempfile::tempdir().unwrap();
    let (twice, out) = (folder.path().join("twice.btf"), folder.path().join("once.btf"));
    let [twice, path] = [&twice, &out].map(|path| path.to_str().unwrap());
    let [vmlinux, veth] = ["vmlinux", "veth"].map(|name| kernel(fixtures::UNSORTED, name));
    done(&["merge", twice, &vmlinux, &vmlinux]);
    done(&["dedup", twice, path]);
    let once = read(&out);
    let base = Btf::parse(fixtures::read(&format!("kernels/{}/vmlinux.btf", fixtures::UNSORTED))).unwrap();
    // Variables and their sections stay apart.
    let count = |btf: &Btf| btf.types().filter(|ty| !matches!(ty, Type::Var(_) | Type::Datasec(_))).count();
    assert!(count(&once) <= count(&base) && count(&once) > count(&base) * 9 / 10);

    // Standard input and output.
    let output = btf(&["dedup", path, "-"]);
    assert!(output.stdout == fs::read(&out).unwrap(), "deduplicated again");

    done(&["merge", twice, &veth, &veth, "--base", &vmlinux]);
    done(&["dedup", twice, path, "--base", &vmlinux]);
    let split = Btf::parse_split(fs::read(&out).unwrap(), &base).unwrap();
    let veth = Btf::parse_split(fixtures::read(&format!("kernels/{}/veth.btf", fixtures::UNSORTED)), &base).unwrap();
    assert!(split.types().len() <= veth.types().len());

    // The byte order stays.
    let big = kernel(fixtures::BIG_ENDIAN, "vmlinux");
    done(&["dedup", &big, path]);
    assert_eq!(read(&out).byte_order(), ByteOrder::Big);
    let before = fs::read(&out).unwrap();
    assert!(failed(&["dedup", twice, path]).contains("--base FILE"));
    assert!(fs::read(&out).unwrap() == before, "what was there is as it was");
}

#[test]
fn sorted_as_kernels_are() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("sorted.btf");
    let path = out.to_str().unwrap();
    done(&["sort", &kernel(fixtures::UNSORTED, "vmlinux"), path]);
    assert!(read(&out).is_name_sorted());
    // What is sorted stays as it is, in its byte order.
    let name = format!("kernels/{}/vmlinux.btf", fixtures::BIG_ENDIAN);
    done(&["sort", &fixture(&format!("{name}.xz")), path]);
    assert!(fs::read(&out).unwrap() == fixtures::read(&name));
    let base = kernel(fixtures::UNSORTED, "vmlinux");
    done(&["sort", &kernel(fixtures::UNSORTED, "veth"), path, "--base", &base]);
    assert!(failed(&["sort", "/nowhere", path]).contains("/nowhere"));
}

#[test]
fn distilled_as_libbpf_does_and_rebased_again() {
    let folder = tempfile::tempdir().unwrap();
    let [out, out_base, again] = ["out", "base", "again"].map(|name| folder.path().join(name));
    let [out, out_base, again] = [&out, &out_base, &again].map(|path| path.to_str().unwrap());
    let name = "split/s390x_7.2.13+deb14-s390x.veth.hdr32";
    let module = format!("{name}__on__s390x_{}.btf", fixtures::BIG_ENDIAN);
    let base = kernel(fixtures::BIG_ENDIAN, "vmlinux");
    done(&["distill", &fixture(&module), "--base", &base, out, out_base]);
    assert!(fs::read(out).unwrap() == fixtures::read(&format!("{name}.btf")));
    assert!(fs::read(out_base).unwrap() == fixtures::read(&format!("{name}.btf.base")));
    done(&["rebase", out, "--distilled-base", out_base, "--base", &base, again]);
    assert!(fs::read(again).unwrap() == fixtures::read(&module));

    let error = failed(&["distill", &fixture(&module), "--base", &base, "-", out_base]);
    assert!(error.contains("two files"), "{error}");
    let other = kernel(fixtures::UNSORTED, "vmlinux");
    failed(&["rebase", out, "--distilled-base", out_base, "--base", &other, again]);
    assert_eq!(btf(&["distill", &fixture(&module), out, out_base]).status.code(), Some(2), "a base is needed");
    // The base is mandatory, so leaving it out is no advice.
    let expected = format!("btf: {other}: this is not split BTF, such as a module's, and has no base\n");
    assert_eq!(failed(&["distill", &other, "--base", &other, out, out_base]), expected);
    assert_eq!(failed(&["rebase", &other, "--distilled-base", out_base, "--base", &base, again]), expected);
    assert_eq!(failed(&["sort", out, again, "--base", &base, "--base", &other]), expected);
}

#[test]
fn encoded_for_a_byte_order_or_a_kernel() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out.btf");
    let path = out.to_str().unwrap();
    let name = format!("kernels/{}/vmlinux.btf", fixtures::UNSORTED);
    let source = fixture(&format!("{name}.xz"));
    done(&["encode", &source, path]);
    assert!(fs::read(&out).unwrap() == fixtures::read(&name));
    done(&["encode", &source, path, "--byte-order", "be"]);
    assert_eq!(read(&out).byte_order(), ByteOrder::Big);
    done(&["encode", path, path, "--byte-order", "le"]);
    assert!(fs::read(&out).unwrap() == fixtures::read(&name), "there and back, in place");
    done(&["encode", &source, path, "--kernel", "6.1"]);
    let error = failed(&["encode", &source, path, "--kernel", "5.4"]);
    assert!(error.contains("cannot be read by the kernel") && error.contains("came with Linux"), "{error}");
    assert!(fs::read(&out).unwrap() == fixtures::read(&name));
    assert_eq!(btf(&["encode", &source, path, "--kernel", "six"]).status.code(), Some(2));
    assert_eq!(btf(&["encode", &source, path, "--byte-order", "middle"]).status.code(), Some(2));
}

/// Kernels reject the DATASECs that a compiler writes.
#[test]
fn for_a_kernel_an_object_is_encoded_as_a_loader_fixes_it_up() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out.btf");
    let path = out.to_str().unwrap();
    for name in ["maps", "tags", "core_real", "enum64", "struct_ops"] {
        let object = fixture(&format!("bpf/clang-22/{name}-el.bpf.o"));
        for version in ["4.18", "5.0", "5.4", "5.11", "6.1", "6.18"] {
            let verify = ["verify", path, "--kernel", version];
            done(&["encode", "--kernel", version, "--sanitize", &object, path]);
            let output = btf(&verify);
            assert!(output.status.success(), "{name} for {version}: {}", text(&output.stdout));
        }
    }
    let object = fixture("bpf/clang-22/core_real-el.bpf.o");
    let stored = btf(&["extract", &object, "-"]).stdout;
    done(&["encode", "--kernel", "6.18", "--as-is", &object, path]);
    assert!(fs::read(&out).unwrap() == stored, "as stored in the file");
    assert!(!btf(&["verify", path, "--kernel", "6.18"]).status.success());
    done(&["encode", &object, path]);
    assert!(fs::read(&out).unwrap() == stored, "without a kernel");
    assert_eq!(btf(&["encode", "--as-is", &object, path]).status.code(), Some(2));
}

#[test]
fn what_a_kernel_does_not_accept_is_refused_with_the_option_that_helps() {
    let folder = tempfile::tempdir().unwrap();
    let [file, out] = ["in.btf", "out.btf"].map(|name| folder.path().join(name));
    let [path, out] = [&file, &out].map(|path| path.to_str().unwrap());
    let mut blob = Blob::new();
    let name = blob.string("state");
    fs::write(&file, blob.record(name, 6, 1, false, 8, &[name, 1]).build()).unwrap();
    let expected = format!(
        "btf: {path}: cannot encode for Linux 4.20: type 1 (ENUM state) is rejected by the kernel for its size: not 4 bytes; --sanitize rewrites such types\n"
    );
    assert_eq!(failed(&["encode", "--kernel", "4.20", path, out]), expected);
    done(&["encode", "--kernel", "4.20", "--sanitize", path, out]);
    done(&["encode", "--kernel", "5.5", path, out]);
}

#[test]
fn files_are_named_by_errors() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("in.btf");
    let path = file.to_str().unwrap();
    let mut blob = Blob::new();
    let name = blob.string("loop");
    fs::write(&file, blob.record(name, 4, 1, false, 4, &[name, 1, 0]).build()).unwrap();
    for format in ["c", "rust"] {
        let output = btf(&["dump", "--format", format, path]);
        let error = text(&output.stderr);
        assert!(!output.status.success() && error.starts_with(&format!("btf: {path}: ")), "{error}");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_standard_output_is_named() {
    let object = fixture("bpf/clang-22/core_real-el.bpf.o");
    for arguments in [&["dump", &object][..], &["extract", &object, "-"], &["completions", "bash"]] {
        let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_btf")).args(arguments).stdout(full).output().unwrap();
        let error = text(&output.stderr);
        assert!(error.starts_with("btf: cannot write to standard output: No space left on device"), "{error}");
    }
}

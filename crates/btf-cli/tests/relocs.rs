//! `btf relocs` and `btf relocate`.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test")]

mod command;

use std::fs;

use btf_elf::{BpfObject, Elf};
use btf_relocate::{Relocator, Targets};
use btf_tests::fixtures;
use btf_types::Btf;
use command::{btf, fixture, text};

#[test]
fn rows_are_those_of_libbpf() {
    for (object, target, golden) in [
        ("core_field-eb.bpf.o", "golden/core/core_field_tgt1-eb.btf", "core_field-eb"),
        ("core_type-el.bpf.o", "golden/core/core_type_tgt1-el.btf", "core_type-el"),
        ("core_real-el.bpf.o", "kernels/6.1.0-56-cloud-amd64/vmlinux.btf.xz", "core_real.amd64.6.1.0-56-cloud-amd64"),
    ] {
        let object = fixture(&format!("bpf/clang-22/{object}"));
        let output = btf(&["relocs", &object, "--target", &fixture(target)]);
        assert!(output.status.success(), "{}", text(&output.stderr));
        let golden = fixtures::read(&format!("golden/core/{golden}.tsv"));
        assert_eq!(text(&output.stdout), text(&golden), "{object}");
    }
}

#[test]
fn sentences_and_json_say_why() {
    let object = fixture("bpf/clang-22/core_real-el.bpf.o");
    let target = fixture("kernels/6.1.0-56-cloud-amd64/vmlinux.btf.xz");
    let explained = btf(&["relocs", &object, "--target", &target, "--explain"]);
    let expected = "raw_tp/sched_process_exec, instruction 53: byte_off: task_struct___pre514.state (0:0): \
                    no such member in struct task_struct; did you mean `__state`?\n";
    assert!(text(&explained.stdout).contains(expected), "{}", text(&explained.stdout));
    let json = btf(&["relocs", &object, "--target", &target, "--json"]);
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    let relocations = json.as_array().unwrap();
    assert_eq!(relocations.len(), 59);
    let poisoned = relocations.iter().find(|relocation| relocation["outcome"] == "poison").unwrap();
    assert_eq!(poisoned["candidates"][0]["verdict"], "no_member");
    assert_eq!(poisoned["local_type"], "task_struct___pre514");
}

#[test]
fn a_relocated_object_has_the_values_and_no_relocations() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out.o");
    for order in ["el", "eb"] {
        let object = format!("bpf/clang-22/core_field-{order}.bpf.o");
        let target = format!("golden/core/core_field_tgt1-{order}.btf");
        let output = btf(&["relocate", &fixture(&object), "--target", &fixture(&target), out.to_str().unwrap()]);
        assert!(output.status.success(), "{}", text(&output.stderr));
        let (before, after) = (fixtures::read(&object), fs::read(&out).unwrap());
        let (before, after) = (BpfObject::parse(before).unwrap(), BpfObject::parse(after).unwrap());
        assert_eq!(after.btf_ext().unwrap().unwrap().core_relos().len(), 0);
        let relocator = Relocator::new(Targets::custom(&Btf::parse(fixtures::read(&target)).unwrap()));
        let relocated = relocator.relocate(before.btf_ext().unwrap().unwrap());
        let mut changed = 0;
        for (program, patched) in before.programs().zip(after.programs()) {
            let mut code = program.instructions().unwrap().as_bytes().to_vec();
            changed += code.len();
            relocated.apply(program.name(), &mut code).unwrap();
            assert_eq!(code, patched.instructions().unwrap().as_bytes(), "{object}: {}", program.name());
        }
        assert!(changed > 0);
        // All other sections are as they were, but for the header of .BTF.ext.
        for (old, new) in before.elf().sections().zip(after.elf().sections()) {
            let same = old.data().ok() == new.data().ok();
            assert!(same || old.is_executable() || old.is_named(b".BTF.ext"), "{}", old.name());
        }
    }
    let (object, target) = (fixture("bpf/clang-22/core_type-el.bpf.o"), fixture("golden/core/core_type_tgt1-el.btf"));
    let output = btf(&["relocate", &object, "--target", &target, "-"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(Elf::parse(output.stdout).unwrap().is_bpf());
}

#[test]
fn what_cannot_be_relocated_says_so() {
    let output = btf(&["relocs", &fixture("bpf/pahole32/types32-mips.btf")]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("types32-mips.btf"), "{}", text(&output.stderr));
    let output = btf(&["relocs", "/nonexistent.o"]);
    assert!(text(&output.stderr).starts_with("btf: cannot read /nonexistent.o: "), "{}", text(&output.stderr));
}

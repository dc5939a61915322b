//! Fuzz targets of CO-RE relocation: of whole objects, of `.BTF.ext` with
//! arbitrary types on both sides, and of programs made from a description.

use std::fmt::Write;

use btf_elf::BpfObject;
use btf_relocate::{Outcome, Relocated, Relocation, Relocator, Targets};
use btf_types::{Btf, BtfExt, Collection};

use crate::{
    described::{Description, Program},
    fuzz::{Sink, base, bounded, decoded_len, halves, len_of, within_tables},
};

/// Maximum number of relocations per input that are explained.
const EXPLAINED: usize = 64;

/// Relocates the input: as a BPF object, for its own types and for others; as a
/// `.BTF.ext`; and as the three parts of a [`triple`].
pub fn relocate(input: &[u8]) {
    if let Ok(object) = BpfObject::parse(input.to_vec()) {
        relocate_object(&object, input);
    }
    if let Ok(ext) = BtfExt::parse(input.to_vec(), base()) {
        check(input.len(), &ext, Targets::custom(base()), &[]);
    }
    let Some((local, rest)) = halves(input) else { return };
    let Some((ext, target)) = halves(rest) else { return };
    let Ok(local) = Btf::parse(local.to_vec()) else { return };
    let Ok(ext) = BtfExt::parse(ext.to_vec(), &local) else { return };
    // The input also serves as the instructions.
    check(input.len(), &ext, Targets::custom(&local), input);
    if let Ok(target) = Btf::parse(target.to_vec()) {
        check(input.len(), &ext, Targets::kernel(&target), input);
    }
    if let Ok(module) = Btf::parse_split(target.to_vec(), base()) {
        let mut modules = Collection::new("vmlinux", base().clone());
        modules.add("module", module).expect("it is split from that base");
        check(input.len(), &ext, Targets::kernel(base()).modules(&modules), input);
    }
}

/// Joins the `.BTF` and `.BTF.ext` of a program and the BTF that it is relocated
/// for to one input.
///
/// # Panics
///
/// If the first two are too long.
#[must_use]
pub fn triple(local: &[u8], ext: &[u8], target: &[u8]) -> Vec<u8> {
    crate::fuzz::pair(local, &crate::fuzz::pair(ext, target))
}

fn relocate_object(object: &BpfObject, bytes: &[u8]) {
    let Ok(Some(ext)) = object.btf_ext() else { return };
    for (targets, of_targets) in [(Targets::custom(base()), base()), (Targets::kernel(ext.btf()), ext.btf())] {
        let len = decoded_len(object.elf(), bytes.len()) + len_of(of_targets);
        let relocator = Relocator::new(targets);
        let relocated = within_tables("Relocator::relocate", len, || relocator.relocate(ext));
        explain(&relocated, len);
        for program in object.programs() {
            let Ok(code) = program.section().data() else { continue };
            apply(&relocated, program.section().name().as_bytes(), &code);
        }
        match within_tables("Relocator::relocate_object", len, || relocator.relocate_object(bytes.to_vec())) {
            Ok(patched) => {
                assert_eq!(patched.len(), bytes.len(), "nothing is moved");
                let again = BpfObject::parse(patched).expect("it is an object as before");
                let ext = again.btf_ext().expect("it is sound as before").expect("it is there as before");
                assert_eq!(ext.core_relos().len(), 0);
            }
            Err(error) => _ = format!("{error} {error:?}"),
        }
    }
}

/// Relocates a program, explains the results and patches `code`. `len` is the size of
/// the input in bytes, without the base.
fn check(len: usize, ext: &BtfExt, targets: Targets, code: &[u8]) {
    let len = len + len_of(base());
    let relocator = Relocator::new(targets);
    let relocated = within_tables("Relocator::relocate", len, || relocator.relocate(ext));
    explain(&relocated, len);
    for section in ext.sections().take(16) {
        apply(&relocated, section.name().as_bytes(), code);
    }
    // The results of a second run, from the cache, are the same.
    let again = relocator.relocate(ext);
    for (first, second) in relocated.iter().zip(&again).take(EXPLAINED) {
        assert_eq!(first.outcome(), second.outcome());
        assert_eq!(first.candidate_count(), second.candidate_count());
    }
}

fn explain(relocated: &Relocated, len: usize) {
    assert_eq!(relocated.iter().len(), relocated.iter().count());
    for relocation in relocated.iter().take(EXPLAINED) {
        bounded("explain", len, || {
            let mut sink = Sink(0);
            let _ = write!(sink, "{} {:?} {}", relocation.explain(), relocation, relocation.path());
            let _ = write!(sink, "{}", relocation.program());
            for candidate in relocation.candidates() {
                let _ = write!(sink, "{candidate:?}");
            }
        });
        check_result(relocation);
    }
}

/// Checks that the values of a relocation are consistent.
fn check_result(relocation: Relocation<'_>) {
    match relocation.outcome() {
        Outcome::Value { local, target, .. } => {
            assert_eq!((local, target), (relocation.local_value(), relocation.target_value()));
        }
        Outcome::Poison => assert_eq!(relocation.target_value(), 0),
        Outcome::Fault(fault) => {
            assert!(fault.errno() > 0);
            let _ = fault.to_string();
        }
        other => panic!("{other:?}"),
    }
}

/// Patches the code of a section, whole and in two halves.
fn apply(relocated: &Relocated, section: &[u8], code: &[u8]) {
    let mut whole = code.to_vec();
    match relocated.apply(section, &mut whole) {
        Err(error) => {
            assert_eq!(whole, code, "an error changes nothing");
            let _ = format!("{error} {error:?} {}", error.reason().errno());
        }
        Ok(()) => {
            let at = code.len() / 16 * 8;
            let mut parts = code.to_vec();
            let (first, second) = parts.split_at_mut(at);
            let results = [relocated.apply_at(section, 0, first), relocated.apply_at(section, at as u64, second)];
            // The cut may be inside a `ld_imm64`.
            if results.iter().all(Result::is_ok) {
                assert_eq!(parts, whole, "parts are patched as the whole is");
            }
        }
    }
}

/// Relocates a program made from a description.
pub fn described_relocations(input: &[u8]) {
    let Program { local, ext, target, code } = Description::new(input).program();
    let len = local.len() + ext.len() + target.len() + code.len();
    let Ok(local) = Btf::parse(local) else { return };
    let Ok(ext) = BtfExt::parse(ext, &local) else { return };
    let Ok(target) = Btf::parse(target) else { return };
    let relocator = Relocator::new(Targets::custom(&target));
    let relocated = within_tables("Relocator::relocate", len, || relocator.relocate(&ext));
    for relocation in relocated.iter().take(EXPLAINED) {
        bounded("explain", len, || {
            let mut sink = Sink(0);
            let _ = write!(sink, "{} {relocation:?}", relocation.explain());
        });
        check_result(relocation);
    }
    for section in ext.sections().take(4) {
        let mut code = code.clone();
        within_tables("Relocated::apply", len, || _ = relocated.apply(section.name(), &mut code));
    }
}

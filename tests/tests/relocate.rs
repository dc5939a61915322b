//! Relocations of the BPF objects among the fixtures: each against the result
//! that libbpf computed.

#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "tests")]

use std::fmt::Write;

use btf_relocate::{Outcome, Relocated, Relocator, Targets, Verdict};
use btf_tests::fixtures::{self, CoreCase, btf_ext};
use btf_types::{Btf, Collection};

/// Number of rows of all golden files.
const ROWS: usize = 2153;

/// The columns of `btf relocs`, as the golden files have them.
fn table(relocated: &Relocated) -> String {
    let mut text = String::new();
    for relocation in relocated {
        let outcome = match relocation.outcome() {
            Outcome::Value { .. } => "ok".to_owned(),
            Outcome::Poison => "poison".to_owned(),
            Outcome::Fault(fault) => format!("error {}", fault.errno()),
            other => panic!("{other:?}"),
        };
        writeln!(
            text,
            "{}\t{}\t{}\t{}\t{}\t{}\t{outcome}\t{}\t{}\t{}",
            relocation.section(),
            relocation.insn_offset(),
            relocation.kind(),
            relocation.local_type().name(),
            relocation.access_string(),
            relocation.candidate_count(),
            relocation.local_value(),
            relocation.target_value(),
            relocation.target_type().map_or(0, btf_types::Type::id),
        )
        .unwrap();
    }
    text
}

/// The types of a kernel and its modules, or custom BTF.
fn targets(case: &CoreCase) -> Targets {
    let target = Btf::parse(fixtures::read(&case.target)).unwrap();
    if case.modules.is_empty() {
        return Targets::custom(&target);
    }
    let mut modules = Collection::new("vmlinux", target.clone());
    for module in &case.modules {
        modules.add(module.as_str(), Btf::parse_split(fixtures::read(module), &target).unwrap()).unwrap();
    }
    Targets::kernel(&target).modules(&modules)
}

#[test]
fn all_results_are_those_of_libbpf() {
    let mut rows = 0;
    for case in fixtures::core_cases() {
        let relocated = Relocator::new(targets(&case)).relocate(&btf_ext(&case.object));
        let golden = String::from_utf8(fixtures::read(&case.golden)).unwrap();
        for (found, expected) in table(&relocated).lines().zip(golden.lines()) {
            assert_eq!(found, expected, "{case:?}");
        }
        assert_eq!(relocated.iter().len(), golden.lines().count(), "{case:?}");
        rows += golden.lines().count();
        for relocation in &relocated {
            println!("{}", relocation.explain());
        }
    }
    assert_eq!(rows, ROWS);
}

#[test]
fn parts_of_a_section_are_patched_as_the_whole_is() {
    let mut parts = 0;
    for case in fixtures::core_cases() {
        let relocated = Relocator::new(targets(&case)).relocate(&btf_ext(&case.object));
        for section in btf_ext(&case.object).sections() {
            let before = fixtures::section(&case.object, &section.name().to_string()).unwrap();
            let mut whole = before.clone();
            if relocated.apply(section.name(), &mut whole).is_err() {
                continue;
            }
            // The second half of a ld_imm64 has no opcode.
            for at in (0..before.len()).step_by(8).filter(|&at| before[at] != 0) {
                let mut code = before.clone();
                let (first, second) = code.split_at_mut(at);
                relocated.apply_at(section.name(), 0, first).unwrap();
                relocated.apply_at(section.name(), at as u64, second).unwrap();
                assert_eq!(code, whole, "{case:?}: {} at {at}", section.name());
                parts += 2;
            }
        }
    }
    assert!(parts > 1000, "{parts}");
}

#[test]
fn a_program_that_is_relocated_for_its_own_types_stays_as_it_is() {
    let mut compared = 0;
    for name in ["bpf/clang-14", "bpf/clang-22"].into_iter().flat_map(fixtures::files) {
        if !name.ends_with(".bpf.o") || fixtures::section(&name, ".BTF.ext").is_none() {
            continue;
        }
        let ext = btf_ext(&name);
        let relocated = Relocator::new(Targets::custom(ext.btf())).relocate(&ext);
        for relocation in relocated.iter().filter(|relocation| relocation.candidate_count() == 1) {
            match relocation.outcome() {
                // No FLOAT matches another, as in libbpf.
                Outcome::Value { .. } if relocation.path().to_string() == "floats" => {}
                Outcome::Value { local, target, .. } => assert_eq!(local, target, "{name}: {relocation:?}"),
                // No kernel gives what is no relocation.
                Outcome::Fault(fault) => assert_eq!(fault.errno(), 22, "{name}: {relocation:?}"),
                outcome => assert_eq!(outcome, Outcome::Poison, "{name}: {relocation:?}"),
            }
            compared += 1;
        }
    }
    assert!(compared > 1000, "{compared}");
}

#[test]
fn errors_name_program_instruction_relocation_and_value() {
    let object = "bpf/clang-22/core_forms-el.bpf.o";
    let target = Btf::parse(fixtures::read("golden/core/core_forms_tgt1-el.btf")).unwrap();
    let relocated = Relocator::new(Targets::custom(&target)).relocate(&btf_ext(object));
    let error = |section: &str, change: fn(&mut [u8])| {
        let mut code = fixtures::section(object, section).unwrap();
        change(&mut code);
        relocated.apply(section, &mut code).unwrap_err().to_string()
    };
    assert_eq!(
        error("fentry/far_ldx", |_| {}),
        "program far_ldx (section fentry/far_ldx), instruction 2 (byte 16), byte_off of far.after (0:1): \
         offset 40004 exceeds 32767, the maximum of a load or store"
    );
    assert_eq!(
        error("fentry/size_16", |_| {}),
        "program size_16 (section fentry/size_16), instruction 1 (byte 8), byte_off of resized.u128_part (0:11): \
         no instruction accesses 16 bytes"
    );
    assert_eq!(
        error("fentry/loads", |code| code[8 + 2] = 7),
        "program loads (section fentry/loads), instruction 1 (byte 8), byte_off of moved.b (0:0): \
         the instruction has the value 7, expected 0 (to be replaced by 53)"
    );
    assert_eq!(
        error("fentry/loads", |code| code[8] = 0x95),
        "program loads (section fentry/loads), instruction 1 (byte 8), byte_off of moved.b (0:0): \
         opcode 0x95 cannot be relocated: expected arithmetic with an immediate, a load, a store or ld_imm64"
    );
}

#[test]
fn candidates_and_why_each_was_dropped() {
    let target = Btf::parse(fixtures::read("golden/core/core_ambiguous_tgt1-el.btf")).unwrap();
    let relocated = Relocator::new(Targets::custom(&target)).relocate(&btf_ext("bpf/clang-22/core_ambiguous-el.bpf.o"));
    let verdicts = |section: &str, number: usize| {
        let relocation = relocated.section(section).nth(number).unwrap();
        let candidates = relocation.candidates();
        candidates.map(|candidate| (candidate.ty().to_string(), candidate.verdict())).collect::<Vec<_>>()
    };
    let [(first, Verdict::Match), (second, Verdict::Match), (third, Verdict::NoMember { level: 1, .. })] =
        &verdicts("raw_tp/agree", 0)[..]
    else {
        panic!("{:?}", verdicts("raw_tp/agree", 0))
    };
    assert_eq!([first, second, third], ["struct agree", "struct agree___v2", "struct agree___v3"]);
    // Later ones of the type are told that it was left out.
    assert!(matches!(
        verdicts("raw_tp/agree", 2)[..],
        [(_, Verdict::Dropped), (_, Verdict::Match), (_, Verdict::Match)]
    ));
    let relocation = relocated.section("raw_tp/offset").next().unwrap();
    assert_eq!(
        relocation.explain().to_string(),
        "offset.a (0:0): ambiguous: the field is at bit 64 of struct offset (type 7), and at bit 0 of struct offset___v2 \
         (type 8)"
    );
}

/// The candidates of the first object are found by a pass over the kernel's
/// types, those of later ones by the index of names.
#[test]
fn the_first_object_and_later_ones_have_the_same_candidates() {
    let mut compared = 0;
    for case in fixtures::core_cases() {
        let ext = btf_ext(&case.object);
        let order = if case.object.contains("-el.") { "el" } else { "eb" };
        let others = ["core_bits", "core_match"].map(|name| format!("bpf/clang-22/{name}-{order}.bpf.o"));
        let other = others.into_iter().find(|other| *other != case.object).unwrap();
        let (first, later) = (Relocator::new(targets(&case)), Relocator::new(targets(&case)));
        let _ = later.relocate(&btf_ext(&other));
        let candidates = |relocator: &Relocator| {
            let relocated = relocator.relocate(&ext);
            let of = |relocation: btf_relocate::Relocation<'_>| {
                let of = relocation.candidates().map(|candidate| format!("{candidate:?}"));
                (of.collect::<Vec<_>>(), format!("{:?}", relocation.outcome()))
            };
            relocated.iter().map(of).collect::<Vec<_>>()
        };
        let found = candidates(&first);
        assert_eq!(found, candidates(&later), "{case:?}");
        compared += found.len();
    }
    assert_eq!(compared, ROWS);
}

/// Offset of `sh_offset` in a section header of 64 bits, in bytes.
const SH_OFFSET: usize = 24;

#[test]
fn a_program_that_overlaps_other_parts_of_its_file_is_not_patched() {
    use btf_relocate::ObjectError;

    let bytes = fixtures::read("bpf/clang-22/core_forms-el.bpf.o");
    let object = btf_elf::BpfObject::parse(bytes.clone()).unwrap();
    let relocator = Relocator::new(Targets::custom(object.btf()));
    let [_, table] = object.elf().headers();
    relocator.relocate_object(bytes.clone()).unwrap();

    let relocated = relocator.relocate(object.btf_ext().unwrap().unwrap());
    let name = relocated.iter().next().unwrap().section();
    let program = object.elf().section(name.as_bytes()).unwrap();
    let header = usize::try_from(table.start).unwrap() + program.index() as usize * size_of::<[u8; 64]>();
    let btf = object.elf().section(".BTF").unwrap();
    let before = program.offset() - 8;
    for offset in [btf.offset(), btf.offset() + btf.size() - 8, table.start, 0, before] {
        let mut moved = bytes.clone();
        moved[header + SH_OFFSET..][..8].copy_from_slice(&offset.to_le_bytes());
        match relocator.relocate_object(moved) {
            Err(ObjectError::Overlapping { section, .. }) => assert_eq!(section.to_string(), name.to_string()),
            other => panic!("at {offset}: {other:?}"),
        }
    }
}

//! Relocations of the BPF objects among the fixtures: each against the result
//! that libbpf computed.

#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "tests")]

use std::fmt::Write;

use btf_relocate::{Outcome, Relocated, Relocator, Targets};
use btf_tests::fixtures::{self, CoreCase};
use btf_types::{Btf, BtfExt, Collection};

/// Number of rows of all golden files.
const ROWS: usize = 2153;

fn open(object: &str) -> BtfExt {
    let section = |name| fixtures::section(object, name).unwrap_or_else(|| panic!("{object}: {name}"));
    let btf = Btf::parse(section(".BTF")).unwrap_or_else(|error| panic!("{object}: {error}"));
    BtfExt::parse(section(".BTF.ext"), &btf).unwrap_or_else(|error| panic!("{object}: {error}"))
}

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
        let relocated = Relocator::new(targets(&case)).relocate(&open(&case.object));
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

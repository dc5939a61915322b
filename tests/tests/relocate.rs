//! Relocations of the BPF objects among the fixtures: each against the result
//! that libbpf computed.

#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "tests")]

use std::fmt::Write;

use btf_relocate::{Outcome, Relocated, Relocator, Targets};
use btf_tests::fixtures;
use btf_types::{Btf, BtfExt};

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

#[test]
fn all_results_are_those_of_libbpf() {
    let mut rows = 0;
    let cases = [("core_field-el", "core_field_tgt1-el"), ("core_field-eb", "core_field_tgt1-eb")]
        .into_iter()
        .chain([("core_type-el", "core_type_tgt1-el"), ("core_type-eb", "core_type_tgt1-eb")])
        .map(|(object, target)| (object.to_owned(), object.to_owned(), format!("golden/core/{target}.btf")));
    let kernels = [("el", "amd64", fixtures::UNSORTED), ("el", "amd64", fixtures::SORTED)]
        .into_iter()
        .chain([("eb", "s390x", fixtures::BIG_ENDIAN)])
        .map(|(order, machine, release)| {
            (
                format!("core_real-{order}"),
                format!("core_real.{machine}.{release}"),
                format!("kernels/{release}/vmlinux.btf"),
            )
        });
    for (object, golden, target) in cases.chain(kernels) {
        let ext = open(&format!("bpf/clang-22/{object}.bpf.o"));
        let target = Btf::parse(fixtures::read(&target)).unwrap();
        let relocated = Relocator::new(Targets::custom(&target)).relocate(&ext);
        let golden = String::from_utf8(fixtures::read(&format!("golden/core/{golden}.tsv"))).unwrap();
        assert_eq!(table(&relocated), golden, "{object}");
        rows += golden.lines().count();
        for relocation in &relocated {
            println!("{}", relocation.explain());
        }
    }
    assert_eq!(rows, 359);
}

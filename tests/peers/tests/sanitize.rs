//! Sanitized BTF beside libbpf's. Needs the right to load BTF.

#![cfg(feature = "peers-c")]
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "tests")]

use std::process::Command;

use btf_build::sanitize;
use btf_elf::BpfObject;
use btf_format::{Feature, FeatureSet};
use btf_tests::{fixtures, skip};
use btf_types::{Btf, Kind, Type};

/// Features, and their numbers in libbpf.
const FEATURES: [(Feature, u32); 7] = [
    (Feature::Func, 3),
    (Feature::Datasec, 4),
    (Feature::FuncLinkage, 5),
    (Feature::Float, 11),
    (Feature::DeclTag, 13),
    (Feature::TypeTag, 14),
    (Feature::Enum64, 17),
];

/// A type as text: kind, name, size, what it refers to, elements.
fn row(ty: Type<'_>) -> String {
    let btf = ty.record().unwrap();
    let mut row = format!("{:?} {}", ty.kind(), ty.name());
    // Names by their text, as both add strings of their own.
    let words: Vec<u32> =
        btf.as_bytes()[4..].chunks_exact(4).map(|w| u32::from_ne_bytes(w.try_into().unwrap())).collect();
    match ty.kind() {
        Some(Kind::Struct | Kind::Union) => {
            row.push_str(&format!(" {}", words[1]));
            for member in words[2..].chunks_exact(3) {
                row.push_str(&format!(" {}:{}", member[1], member[2]));
            }
        }
        Some(Kind::Enum | Kind::FuncProto) => {
            row.push_str(&format!(" {}", words[1]));
            for value in words[2..].chunks_exact(2) {
                row.push_str(&format!(" {}", value[1]));
            }
        }
        _ => row.push_str(&format!(" {:?}", &words[1..])),
    }
    row
}

#[test]
fn each_missing_feature_is_made_up_for_as_libbpf_does() {
    match btf_kernel::is_supported(Feature::Btf) {
        Ok(true) => {}
        Ok(false) => return skip("this kernel has no BTF"),
        Err(error) => return skip(format!("{error}: run as root")),
    }
    let (mut compared, mut unprepared) = (0, 0);
    let names = ["bpf/clang-14", "bpf/clang-22"].into_iter().flat_map(fixtures::files);
    for name in names.filter(|name| name.ends_with("el.bpf.o")) {
        let object = BpfObject::parse(fixtures::read(&name)).unwrap();
        let Ok(btf) = object.datasec_fixups().btf() else { continue };
        for (feature, number) in FEATURES {
            let output = Command::new(env!("CARGO_BIN_EXE_libbpf-sanitizes"))
                .arg(fixtures::folder().join(&name))
                .arg(number.to_string())
                .output()
                .unwrap();
            if !output.status.success() {
                unprepared += 1;
                continue;
            }
            let theirs = Btf::parse(output.stdout).unwrap();
            // What the running kernel does not know is nothing that libbpf 1.7 does.
            let mut features = FeatureSet::ALL;
            features.remove(feature);
            let ours = sanitize(&btf, features).unwrap();
            // What libbpf leaves as it is: kernels without FUNC know no kind_flag and no
            // INT of 128 bits, and those before 5.5 only enums of 4 bytes.
            let is_left = |id| {
                let Some(head) = btf.record(id).map(|record| record.head()) else { return false };
                let is_old = matches!(feature, Feature::Func | Feature::Datasec | Feature::FuncLinkage);
                match head.info().kind() {
                    Some(Kind::Int) => feature == Feature::Func && head.size_or_type() == 16,
                    Some(Kind::Enum) => is_old && head.size_or_type() != 4,
                    _ => feature == Feature::Func && head.info().kind_flag(),
                }
            };
            let [ours, theirs] = [ours, theirs].map(|btf| btf.types().map(row).collect::<Vec<_>>());
            for (id, (ours, theirs)) in (1..).zip(ours.iter().zip(&theirs)).filter(|&(id, _)| !is_left(id)) {
                assert_eq!(ours, theirs, "{name} without {feature}, type {id}");
            }
            let is_added = btf.types().any(|ty| is_left(ty.id()));
            assert!(ours.len() == theirs.len() || is_added, "{name} without {feature}");
            compared += 1;
        }
    }
    println!("{compared} compared; {unprepared} that libbpf does not prepare");
    assert!(compared >= 60, "{compared} compared; {unprepared} that libbpf does not prepare");
}

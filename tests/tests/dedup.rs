//! Deduplicated BTF of BPF objects: their `.BTF.ext` goes along, and relocations come
//! to what they came to before.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "tests")]

use std::{collections::BTreeMap, fmt::Write};

use btf_build::{Merge, dedup};
use btf_relocate::{Outcome, Relocator, Targets};
use btf_tests::fixtures;
use btf_types::{Btf, BtfExt, ByteOrder, CoreReloKind, Remap};

/// Results of relocations, without the ids of the object's types.
fn results(relocator: &Relocator, ext: &BtfExt) -> String {
    let mut text = String::new();
    let relocated = relocator.relocate(ext);
    for relocation in &relocated {
        // Ids of the object's types are other ones.
        let name = |id: u64| relocated.local().type_by_id(id.try_into().unwrap()).unwrap().name().to_string();
        let (local, target) = match (relocation.kind(), relocation.local_value(), relocation.target_value()) {
            (CoreReloKind::TypeIdLocal, local, target) => (name(local), name(target)),
            (CoreReloKind::TypeIdTarget, local, target) => (name(local), target.to_string()),
            (_, local, target) => (local.to_string(), target.to_string()),
        };
        let outcome = match relocation.outcome() {
            Outcome::Value { .. } => "value",
            Outcome::Poison => "poison",
            Outcome::Fault(_) => "fault",
            other => panic!("{other:?}"),
        };
        writeln!(
            text,
            "{} {} {} {} {} {outcome} {local} {target} {}",
            relocation.section(),
            relocation.insn_offset(),
            relocation.kind(),
            relocation.local_type().name(),
            relocation.access_string(),
            relocation.target_type().map_or(0, btf_types::Type::id),
        )
        .unwrap();
    }
    text
}

/// `.BTF.ext` by what it refers to: functions and lines.
fn described(ext: &BtfExt) -> String {
    let mut text = String::new();
    for section in ext.sections() {
        writeln!(text, "{}", section.name()).unwrap();
        for info in section.func_infos() {
            writeln!(text, "{} {} {}", info.insn_offset(), info.func().name(), info.func().proto()).unwrap();
        }
        for info in section.line_infos() {
            writeln!(text, "{} {} {}", info.insn_offset(), info.file(), info.text()).unwrap();
        }
    }
    text
}

struct Object {
    name: String,
    btf: Btf,
    ext: BtfExt,
}

fn objects() -> Vec<Object> {
    let mut all = Vec::new();
    for name in ["clang-14", "clang-22"].iter().flat_map(|compiler| fixtures::files(&format!("bpf/{compiler}"))) {
        let sections = (fixtures::section(&name, ".BTF"), fixtures::section(&name, ".BTF.ext"));
        if let (Some(btf), Some(ext)) = sections {
            let btf = Btf::parse(btf).unwrap();
            let ext = BtfExt::parse(ext, &btf).unwrap();
            all.push(Object { name, btf, ext });
        }
    }
    assert!(all.len() > 20);
    all
}

fn relocators() -> BTreeMap<String, Relocator> {
    let mut all = BTreeMap::new();
    for release in [fixtures::UNSORTED, fixtures::SORTED, fixtures::BIG_ENDIAN] {
        let kernel = Btf::parse(fixtures::read(&format!("kernels/{release}/vmlinux.btf"))).unwrap();
        all.insert(release.into(), Relocator::new(Targets::kernel(&kernel)));
    }
    all
}

#[track_caller]
fn compare(relocators: &BTreeMap<String, Relocator>, object: &Object, ext: &BtfExt) {
    let Object { name, .. } = object;
    assert_eq!(described(ext), described(&object.ext), "{name}");
    for (release, relocator) in relocators {
        assert_eq!(results(relocator, ext), results(relocator, &object.ext), "{name} on {release}");
    }
}

#[test]
fn relocations_come_to_what_they_came_to() {
    let relocators = relocators();
    for object in objects() {
        let (small, remap) = dedup(&object.btf).unwrap();
        compare(&relocators, &object, &remap.remap_ext(&object.ext, &small).unwrap());
    }
}

#[test]
fn those_of_objects_that_were_merged_do_too() {
    let relocators = relocators();
    for order in [ByteOrder::Little, ByteOrder::Big] {
        let objects: Vec<Object> = objects().into_iter().filter(|object| object.btf.byte_order() == order).collect();
        let mut merge = Merge::new();
        let remaps: Vec<Remap> =
            objects.iter().map(|object| merge.add_with_ext(&object.btf, &object.ext).unwrap()).collect();
        let merged = merge.finish().unwrap();
        let others = objects.iter().zip(&remaps).map(|(object, remap)| remap.remap_ext(&object.ext, &merged).unwrap());
        let (small, remap) = dedup(&merged).unwrap();
        println!("{order}: {} of {} types", small.types().len(), merged.types().len());
        assert!(small.types().len() < merged.types().len());
        for (object, other) in objects.iter().zip(others) {
            compare(&relocators, object, &remap.remap_ext(&other, &small).unwrap());
        }
    }
}

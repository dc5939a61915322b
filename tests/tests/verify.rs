//! Predictions of BPF_BTF_LOAD's verdict, and the kernel's own. The kernel is
//! asked where it is Linux 6.18 and lets BTF be loaded; elsewhere those tests say
//! that they are skipped, and in CI fail.

#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "tests")]

mod records;

use btf_build::{Reject, Rule, Verify, verify};
use btf_format::KernelVersion;
use btf_tests::{blob::Blob, fixtures, skip};
use proptest::prelude::*;
use records::{blob, record, special};

const PROVED: KernelVersion = KernelVersion::new(6, 18);

/// Error number of a prediction; `None` if it is accepted.
fn errno(predicted: &Result<(), Reject>) -> Option<i32> {
    predicted.as_ref().err().map(|reject| reject.errno().raw())
}

#[test]
fn verdicts_of_the_table_are_predicted_with_errno_type_and_log() {
    let table = String::from_utf8(fixtures::read("kernel-verdicts/verdicts.tsv")).unwrap();
    let mut rejected = 0;
    for line in table.lines().filter(|line| !line.starts_with('#')) {
        let fields: Vec<&str> = line.split('\t').collect();
        let [file, verdict, expected, case, last] = fields[..] else { panic!("{line}") };
        let predicted = verify(&fixtures::read(&format!("kernel-verdicts/{file}")), PROVED);
        match &predicted {
            Ok(()) => assert_eq!(verdict, "accept", "{file}: {case}"),
            Err(reject) => {
                assert_eq!(verdict, "reject", "{file}: {case}: {reject}");
                let expected = if expected == "524" { "ENOTSUPP" } else { expected };
                assert_eq!(reject.errno().as_str(), expected, "{file}: {case}: {reject}");
                assert!(last.contains(reject.rule().log()), "{file}: {case}: {reject}");
                if let Some((id, _)) = last.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
                    assert_eq!(reject.id().to_string(), id, "{file}: {case}: {reject}");
                }
                rejected += 1;
            }
        }
    }
    assert_eq!(rejected, 69);
}

#[test]
fn the_running_kernels_own_btf_is_accepted() {
    match std::fs::read("/sys/kernel/btf/vmlinux") {
        Ok(bytes) => assert_eq!(verify(&bytes, PROVED), Ok(())),
        Err(error) => skip(format!("the kernel's BTF cannot be read: {error}")),
    }
}

#[test]
fn only_one_version_is_proved() {
    assert!(Verify::kernel(PROVED).is_proved());
    assert!(Verify::kernel(PROVED.with_patch(44)).is_proved());
    assert!(!Verify::kernel(KernelVersion::new(6, 17)).is_proved());
    assert!(!Verify::kernel(PROVED).pointer_size(4).is_proved());
    assert!(!Verify::kernel(PROVED).features(btf_format::FeatureSet::ALL).is_proved());
}

#[cfg(target_os = "linux")]
mod kernel {
    use btf_kernel::{Error, Feature, Kernel, LoadOptions, is_supported};

    use super::*;

    /// Returns whether the kernel cannot be asked, so that a test is skipped.
    pub(super) fn cannot_ask() -> bool {
        match is_supported(Feature::Btf) {
            Ok(true) if Kernel::running().release().is_ok_and(|release| release.starts_with("6.18.")) => return false,
            Ok(_) => skip("the predictions are of Linux 6.18"),
            Err(error) => skip(format!("{error}: run as root")),
        }
        true
    }

    /// Error number of the kernel, with its log; `None` if it accepts.
    pub(super) fn ask(bytes: &[u8]) -> Option<(i32, String)> {
        match LoadOptions::new().load_bytes(bytes) {
            Ok(_) => None,
            Err(Error::Rejected { error, log, .. }) => Some((error.raw_os_error().unwrap(), log)),
            Err(error) => panic!("{error}"),
        }
    }

    fn assert_agree(bytes: &[u8]) -> Result<(), TestCaseError> {
        let predicted = verify(bytes, PROVED);
        let answer = ask(bytes);
        prop_assert_eq!(
            errno(&predicted),
            answer.as_ref().map(|(errno, _)| *errno),
            "predicted {:?}, the kernel's log: {}\n{:02x?}",
            predicted,
            answer.map_or_else(String::new, |(_, log)| log),
            bytes
        );
        if let Err(reject) = &predicted {
            // What is accepted opens; what is rejected may.
            prop_assert!(!reject.to_string().is_empty());
        } else {
            prop_assert!(btf_types::Btf::parse(bytes.to_vec()).is_ok());
        }
        Ok(())
    }

    /// A change of a word: where, and to what.
    fn change() -> impl Strategy<Value = (prop::sample::Index, u32)> {
        let value = prop_oneof![
            4 => 0..16_u32, 1 => any::<u32>(), 1 => Just(u32::MAX), 1 => Just(0x000f_ffff), 1 => (0..32_u32).prop_map(|bit| 1 << bit)
        ];
        (any::<prop::sample::Index>(), value)
    }

    /// 4,096 cases, or more by `PROPTEST_CASES`.
    fn cases() -> ProptestConfig {
        let default = ProptestConfig::default();
        ProptestConfig { cases: default.cases.max(4096), ..default }
    }

    proptest! {
        #![proptest_config(cases())]

        #[test]
        fn the_kernel_agrees_on_types_roughly_as_they_should_be(records in prop::collection::vec(record(), 1..10)) {
            if cannot_ask() {
                return Ok(());
            }
            assert_agree(&blob(&records))?;
        }

        #[test]
        fn the_kernel_agrees_on_locks_lists_and_trees(records in special()) {
            if cannot_ask() {
                return Ok(());
            }
            assert_agree(&blob(&records))?;
        }

        #[test]
        fn the_kernel_agrees_on_changed_words(
            records in prop::collection::vec(record(), 1..6),
            changes in prop::collection::vec(change(), 1..3),
            cut in 0..40_usize,
        ) {
            if cannot_ask() {
                return Ok(());
            }
            let mut bytes = blob(&records);
            for (at, value) in changes {
                let at = 4 * at.index(bytes.len() / 4);
                bytes[at..at + 4].copy_from_slice(&value.to_ne_bytes());
            }
            // Some lose their end, too.
            bytes.truncate(bytes.len() - cut.saturating_sub(32));
            assert_agree(&bytes)?;
        }
    }
}

/// Prediction and kernel once disagreed on these.
#[test]
fn cases_that_property_tests_found() {
    const STRUCT: u8 = 4;
    const UNION: u8 = 5;
    // Structs of these names and sizes, and a type that has them as members.
    let of = |kind: u8, parts: &[(&str, u32)]| {
        let mut blob = Blob::new();
        let mut members = Vec::new();
        let [name, m] = ["a", "m"].map(|name| blob.string(name));
        for (index, &(part, size)) in parts.iter().enumerate() {
            let part = blob.string(part);
            blob.record(part, STRUCT, 0, false, size, &[]);
            members.extend([m, index as u32 + 1, if kind == UNION { 0 } else { index as u32 * 32 }]);
        }
        blob.record(name, kind, parts.len() as u32, false, 8, &members);
        blob
    };
    let structs = |parts: &[(&str, u32)]| of(STRUCT, parts).build();
    // A lock, and behind it a union of a lock and a struct.
    let beside_union = || {
        let mut blob = of(UNION, &[("bpf_spin_lock", 4), ("b", 4)]);
        let [name, m] = ["c", "m"].map(|name| blob.string(name));
        blob.record(name, STRUCT, 2, false, 12, &[m, 1, 0, m, 3, 32]);
        blob.build()
    };
    // A struct with a kptr and an array of reference counts.
    let array = |count: u32| {
        let mut blob = Blob::new();
        let [name, m, int, kptr, part] = ["a", "m", "int", "kptr", "bpf_refcount"].map(|name| blob.string(name));
        blob.record(int, 1, 0, false, 4, &[32]);
        blob.record(part, STRUCT, 0, false, 4, &[]);
        blob.record(0, 3, 0, false, 0, &[2, 1, count]);
        // To itself: a struct that kernels have too would need a destructor.
        blob.record(kptr, 18, 0, false, 6, &[]);
        blob.record(0, 2, 0, false, 4, &[]);
        blob.record(name, STRUCT, 2, false, 8 + 4 * count, &[m, 5, 0, m, 3, 64]);
        blob.build()
    };
    for (blob, expected) in [
        (structs(&[("bpf_res_spin_lock", 1)]), None),
        (structs(&[("bpf_spin_lock", 1)]), Some(14)),
        (structs(&[("bpf_refcount", 4), ("bpf_refcount", 4)]), None),
        (structs(&[("bpf_spin_lock", 4), ("bpf_res_spin_lock", 4)]), Some(22)),
        (structs(&[("bpf_spin_lock", 4), ("bpf_spin_lock", 4)]), Some(7)),
        (of(UNION, &[("bpf_spin_lock", 8)]).build(), None),
        (of(UNION, &[("bpf_spin_lock", 4), ("bpf_spin_lock", 4)]).build(), None),
        (beside_union(), None),
        (array(1), None),
        (array(2), Some(22)),
    ] {
        let predicted = verify(&blob, PROVED);
        assert_eq!(errno(&predicted), expected, "{predicted:?}");
        #[cfg(target_os = "linux")]
        if !kernel::cannot_ask() {
            assert_eq!(kernel::ask(&blob).map(|(errno, _)| errno), expected, "{predicted:?}");
        }
    }
}

/// `Rule` is part of what a rejection is asked for.
#[test]
fn rejections_read_as_sentences() {
    let reject = verify(b"no", PROVED).unwrap_err();
    assert_eq!(reject.rule(), Rule::HdrLenPresent);
    assert_eq!(
        reject.to_string(),
        "the kernel requires that the bytes reach to the end of hdr_len (EINVAL, logged as \"hdr_len not found\")"
    );
}

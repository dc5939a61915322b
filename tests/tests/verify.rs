//! Predictions of BPF_BTF_LOAD's verdict, and the kernel's own. The kernel is
//! asked where it is Linux 6.18 and lets BTF be loaded; elsewhere those tests say
//! that they are skipped, and in CI fail.

#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "tests")]

use btf_build::{Reject, Rule, Verify, verify};
use btf_format::KernelVersion;
use btf_tests::{fixtures, skip};
use proptest::prelude::*;

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

    /// Whether the kernel cannot be asked, so that a test is skipped.
    fn cannot_ask() -> bool {
        match is_supported(Feature::Btf) {
            Ok(true) if Kernel::running().release().is_ok_and(|release| release.starts_with("6.18.")) => return false,
            Ok(_) => skip("the predictions are of Linux 6.18"),
            Err(error) => skip(format!("{error}: run as root")),
        }
        true
    }

    /// Error number of the kernel, with its log; `None` if it accepts.
    fn ask(bytes: &[u8]) -> Option<(i32, String)> {
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

    /// Strings that the kernel treats in different ways.
    const STRINGS: &[&[u8]] = &[
        b"",
        b"a",
        b"b",
        b"int",
        b".data",
        b"?x y",
        b"a-b",
        b"9a",
        b"\xe9t\xe9",
        b"\x01",
        b"kptr",
        b"kptr_untrusted",
        b"bpf_spin_lock",
        b"bpf_res_spin_lock",
        b"bpf_list_head",
        b"bpf_list_node",
        b"bpf_rb_root",
        b"bpf_rb_node",
        b"bpf_refcount",
        b"contains:a:b",
        b"contains:a",
        b"contains:a:",
        b"contains:bpf_list_node:a",
    ];

    fn offset_of(index: usize) -> u32 {
        STRINGS.iter().take(index).map(|text| text.len() as u32 + 1).sum()
    }

    /// A record, roughly as it should be.
    #[derive(Debug, Clone)]
    struct Record {
        kind: u8,
        name: usize,
        kind_flag: bool,
        vlen: u32,
        size: u32,
        target: u32,
        elements: Vec<(usize, u32, u32)>,
    }

    fn record() -> impl Strategy<Value = Record> {
        let kind = prop_oneof![8 => 1..=19_u8, 1 => Just(4), 1 => Just(2), 1 => Just(10), 1 => Just(18)];
        let size = prop_oneof![
            4 => Just(4_u32), 4 => Just(8), 2 => Just(16), 1 => Just(24), 2 => Just(32), 2 => Just(64), 1 => Just(1),
            1 => Just(2), 1 => Just(0), 1 => Just(3), 1 => Just(12)
        ];
        let offset = prop_oneof![
            3 => Just(0_u32), 2 => Just(32), 2 => Just(64), 1 => Just(128), 1 => Just(192), 1 => Just(8), 1 => Just(3),
            1 => Just(0x0500_0000), 1 => Just(0x0800_0008), 1 => Just(0x2100_0000)
        ];
        let name = prop_oneof![5 => 1..4_usize, 1 => Just(0), 3 => 0..STRINGS.len()];
        let element = (prop_oneof![6 => 1..4_usize, 1 => 0..STRINGS.len()], 0..12_u32, offset);
        (
            kind,
            name,
            prop::bool::weighted(0.15),
            prop_oneof![12 => Just(0_u32), 1 => 0..4_u32],
            size,
            0..12_u32,
            prop::collection::vec(element, 0..4),
        )
            .prop_map(|(kind, name, kind_flag, vlen, size, target, elements)| Record {
                kind,
                name,
                kind_flag,
                vlen,
                size,
                target,
                elements,
            })
    }

    impl Record {
        fn words(&self) -> Vec<u32> {
            let count = self.elements.len() as u32;
            let first = self.elements.first().copied().unwrap_or((0, 1, 0));
            let names_itself = !matches!(self.kind, 2 | 3 | 9 | 10 | 11 | 13) || self.vlen == 1;
            let name = if names_itself { offset_of(self.name) } else { 0 };
            let (vlen, third, rest): (u32, u32, Vec<u32>) = match self.kind {
                1 => (self.vlen, self.size, vec![(first.2 & 0x0300_0000) | (self.size * 8).min(255)]),
                3 => (self.vlen, self.vlen, vec![self.target, first.1, first.2 & 0xff]),
                4 | 5 => {
                    let mask = if self.kind == 5 && self.target != 0 { 0xff00_0000 } else { u32::MAX };
                    let member = |&(name, id, offset): &(usize, u32, u32)| [offset_of(name), id, offset & mask];
                    (count, self.size, self.elements.iter().flat_map(member).collect())
                }
                6 => {
                    (count, self.size, self.elements.iter().flat_map(|&(name, id, _)| [offset_of(name), id]).collect())
                }
                7 => (self.vlen, self.vlen, Vec::new()),
                12 => (self.vlen, self.target, Vec::new()),
                13 => (
                    count,
                    self.target,
                    self.elements.iter().flat_map(|&(name, id, _)| [offset_of(name), id]).collect(),
                ),
                14 => (self.vlen, self.target, vec![first.2 & 3]),
                15 => {
                    let entry = |&(_, id, offset): &(usize, u32, u32)| [id, (offset / 8) & 0xff, 4];
                    (count, self.size, self.elements.iter().flat_map(entry).collect())
                }
                16 => (self.vlen, self.size, Vec::new()),
                17 => (self.vlen, self.target, vec![if first.2 == 0 { u32::MAX } else { first.1 }]),
                19 => {
                    let value = |&(name, id, offset): &(usize, u32, u32)| [offset_of(name), id, offset];
                    (count, self.size, self.elements.iter().flat_map(value).collect())
                }
                _ => (self.vlen, self.target, Vec::new()),
            };
            let flag = (self.vlen == 2 || matches!(self.kind, 4..=7 | 17..=19)) && self.kind_flag;
            let info = u32::from(flag) << 31 | u32::from(self.kind) << 24 | vlen;
            [&[name, info, third][..], &rest].concat()
        }
    }

    /// Bytes of a header, types and strings.
    fn blob(records: &[Record]) -> Vec<u8> {
        let types: Vec<u8> = records.iter().flat_map(Record::words).flat_map(u32::to_ne_bytes).collect();
        let strings: Vec<u8> = STRINGS.iter().flat_map(|text| text.iter().copied().chain([0])).collect();
        let mut bytes = Vec::new();
        btf_format::Assembly::new(&types, &strings).write(|part| bytes.extend_from_slice(part)).unwrap();
        bytes
    }

    /// A change of a word: where, and to what.
    fn change() -> impl Strategy<Value = (prop::sample::Index, u32)> {
        let value = prop_oneof![
            4 => 0..16_u32, 1 => any::<u32>(), 1 => Just(u32::MAX), 1 => Just(0x000f_ffff), 1 => (0..32_u32).prop_map(|bit| 1 << bit)
        ];
        (any::<prop::sample::Index>(), value)
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 4096, ..ProptestConfig::default() })]

        #[test]
        fn the_kernel_agrees_on_types_roughly_as_they_should_be(records in prop::collection::vec(record(), 1..10)) {
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

/// `Rule` is part of what a rejection is asked for.
#[test]
fn rejections_read_as_sentences() {
    let reject = verify(b"no", PROVED).unwrap_err();
    assert_eq!(reject.rule(), Rule::HdrLenPresent);
    assert_eq!(
        reject.to_string(),
        "violates the rule that the bytes reach to the end of hdr_len (EINVAL, logged as \"hdr_len not found\")"
    );
}

//! The fuzz targets, on stable: over their seeds, and over mutations of them.

#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "tests")]

use btf_format::{ByteOrder, RawBtfExt, convert_ext};
use btf_tests::{blob::Blob, fixtures, fuzz, memory::CountingAllocator, relocating, seeds, trimming};
use btf_types::{Btf, Kind};
use proptest::{collection::vec, prelude::*, sample::Index, test_runner::Config};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

#[test]
fn seeds_pass_their_targets() {
    for &(target, run) in fuzz::TARGETS {
        let seeds = seeds::of(target);
        assert!(seeds.len() > 5, "{target} has seeds");
        for (_, bytes) in seeds {
            run(&bytes);
        }
    }
}

#[test]
fn ext_of_both_byte_orders_and_compilers_is_read() {
    for (name, mut bytes) in seeds::of("ext") {
        let original = bytes.clone();
        let order = if name.contains("-eb") { ByteOrder::Big } else { ByteOrder::Little };
        convert_ext(&mut bytes, ByteOrder::NATIVE).unwrap();
        let ext = RawBtfExt::parse(&bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(ext.func_infos().count() > 0, "{name}");
        assert!(ext.line_infos().flat_map(|block| block.records()).any(|line| line.line() > 0), "{name}");
        let relos = ext.core_relos().flat_map(|block| block.records()).count();
        assert_eq!(relos > 0, name.contains("core_type"), "{name}");
        convert_ext(&mut bytes, order).unwrap();
        assert_eq!(bytes, original, "{name}");
    }
}

/// One change to a blob.
#[derive(Debug, Clone)]
enum Mutation {
    Byte(Index, u8),
    Word(Index, u32),
    Header(usize, u32),
    FromEnd(usize, u32),
    Cut(Index),
    Insert(Index, Vec<u8>),
    Copy(Index, Index, usize),
}

impl Mutation {
    fn apply(&self, bytes: &mut Vec<u8>) {
        if bytes.is_empty() {
            return;
        }
        match self {
            Self::Byte(at, byte) => {
                let at = at.index(bytes.len());
                bytes[at] = *byte;
            }
            Self::Word(at, word) => {
                let at = at.index(bytes.len()) & !3;
                write(bytes, at, *word);
            }
            Self::Header(field, word) => write(bytes, field * 4, *word),
            Self::FromEnd(from_end, word) => {
                let at = bytes.len().saturating_sub(*from_end) & !3;
                write(bytes, at, *word);
            }
            Self::Cut(at) => bytes.truncate(at.index(bytes.len())),
            Self::Insert(at, new) => {
                let at = at.index(bytes.len());
                bytes.splice(at..at, new.iter().copied());
            }
            Self::Copy(from, to, len) => {
                let (from, to) = (from.index(bytes.len()), to.index(bytes.len()));
                let len = (*len).min(bytes.len() - from.max(to));
                bytes.copy_within(from..from + len, to);
            }
        }
    }
}

fn write(bytes: &mut [u8], at: usize, word: u32) {
    if let Some(place) = bytes.get_mut(at..at + 4) {
        place.copy_from_slice(&word.to_ne_bytes());
    }
}

/// Words that are likely to matter: small, at a limit, or an info word.
fn word() -> impl Strategy<Value = u32> {
    prop_oneof![
        0u32..200,
        (0u32..4).prop_map(|n| u32::MAX - n),
        (0u32..32).prop_map(|bit| 1 << bit),
        (0u32..25, 0u32..6, any::<bool>()).prop_map(|(kind, vlen, flag)| u32::from(flag) << 31 | kind << 24 | vlen),
        any::<u32>(),
    ]
}

fn mutation() -> impl Strategy<Value = Mutation> {
    prop_oneof![
        4 => (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Mutation::Byte(at, byte)),
        8 => (any::<Index>(), word()).prop_map(|(at, word)| Mutation::Word(at, word)),
        1 => (0usize..8, word()).prop_map(|(field, word)| Mutation::Header(field, word)),
        1 => any::<Index>().prop_map(Mutation::Cut),
        1 => (any::<Index>(), vec(any::<u8>(), 1..16)).prop_map(|(at, new)| Mutation::Insert(at, new)),
        2 => (any::<Index>(), any::<Index>(), 1usize..64).prop_map(|(from, to, len)| Mutation::Copy(from, to, len)),
    ]
}

/// Mutations, half of them in the table of sections, which is at the end.
fn elf_mutation() -> impl Strategy<Value = Mutation> {
    let in_table = (0usize..1500, word()).prop_map(|(from_end, word)| Mutation::FromEnd(from_end, word));
    prop_oneof![1 => mutation(), 1 => in_table]
}

fn mutate(mut bytes: Vec<u8>, mutations: &[Mutation]) -> Vec<u8> {
    mutations.iter().for_each(|mutation| mutation.apply(&mut bytes));
    bytes
}

fn seed(target: &str) -> impl Strategy<Value = Vec<u8>> + use<> {
    let small = seeds::of(target).into_iter().map(|(_, bytes)| bytes).filter(|bytes| bytes.len() < 20_000);
    proptest::sample::select(small.collect::<Vec<_>>())
}

proptest! {
    #![proptest_config(Config { cases: 500, failure_persistence: None, ..Config::default() })]

    /// Any mutated blob fails with an error, or can be walked completely.
    #[test]
    fn mutated_blobs_fail_or_can_be_walked(bytes in seed("open"), mutations in vec(mutation(), 1..6)) {
        let bytes = mutate(bytes, &mutations);
        for (_, run) in fuzz::TARGETS {
            run(&bytes);
        }
    }

    #[test]
    fn mutated_splits_fail_or_can_be_walked(bytes in seed("split"), mutations in vec(mutation(), 1..6)) {
        let bytes = mutate(bytes, &mutations);
        fuzz::split(&bytes);
        fuzz::rebase(&bytes);
    }

    #[test]
    fn mutated_ext_fails_or_can_be_walked(bytes in seed("ext"), mutations in vec(mutation(), 1..6)) {
        let bytes = mutate(bytes, &mutations);
        fuzz::ext(&bytes);
        fuzz::rewrite(&bytes);
    }

    #[test]
    fn mutated_ext_of_the_small_base_is_rewritten(mutations in vec(mutation(), 0..4)) {
        let bytes = mutate(seeds::ext_of_base(), &mutations);
        fuzz::ext(&bytes);
        fuzz::rewrite(&bytes);
    }

    #[test]
    fn mutated_elf_files_fail_or_can_be_read(bytes in seed("elf"), mutations in vec(elf_mutation(), 1..6)) {
        let bytes = mutate(bytes, &mutations);
        fuzz::elf(&bytes);
        fuzz::object(&bytes);
    }

    #[test]
    fn mutated_programs_fail_or_are_relocated(bytes in seed("relocate"), mutations in vec(mutation(), 1..6)) {
        let bytes = mutate(bytes, &mutations);
        relocating::relocate(&bytes);
        trimming::trim(&bytes);
    }

    #[test]
    fn mutated_images_fail_or_can_be_read(bytes in seed("image"), mutations in vec(mutation(), 1..6)) {
        fuzz::image(&mutate(bytes, &mutations));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn mutated_texts_are_read(
        os in seed("os_release"), dep in seed("modules_dep"), mutations in vec(mutation(), 1..6),
    ) {
        fuzz::os_release(&mutate(os, &mutations));
        fuzz::modules_dep(&mutate(dep, &mutations));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn mutated_archives_fail_or_can_be_read(bytes in seed("archive"), mutations in vec(mutation(), 1..6)) {
        fuzz::archive(&mutate(bytes, &mutations));
    }

    #[test]
    fn mutated_packed_bytes_fail_or_decode(bytes in seed("decode"), mutations in vec(mutation(), 1..6)) {
        fuzz::decode(&mutate(bytes, &mutations));
    }

    /// Random records of known kinds, with ids and names mostly in range.
    #[test]
    fn random_records_fail_or_can_be_walked(
        records in vec((1u8..23, any::<bool>(), 0u32..12, vec(0u32..12, 0..9)), 0..12),
    ) {
        let mut blob = Blob::new();
        blob.string("a name");
        for (kind, flag, third, words) in records {
            let (fixed, element) = match Kind::try_from(kind) {
                Ok(kind) => (kind.shape().fixed.len(), kind.shape().element.len()),
                Err(_) => continue,
            };
            let vlen = words.len().saturating_sub(fixed).checked_div(element).unwrap_or(0);
            let mut words = words;
            words.resize(fixed + vlen * element, 0);
            blob.record(words.first().copied().unwrap_or(0) % 8, kind, vlen as u32, flag, third, &words);
        }
        let bytes = blob.build();
        for (_, run) in fuzz::TARGETS {
            run(&bytes);
        }
    }
}

proptest! {
    #![proptest_config(Config { cases: 60, failure_persistence: None, ..Config::default() })]

    /// Descriptions make inputs that are nearly sound; they cost what their bytes allow.
    #[test]
    fn described_inputs_cost_no_more_than_their_bytes_allow(bytes in vec(any::<u8>(), 0..200)) {
        fuzz::described_btf(&bytes);
        fuzz::described_object(&bytes);
        relocating::described_relocations(&bytes);
        trimming::trim(&bytes);
        #[cfg(target_os = "linux")]
        fuzz::described_archive(&bytes);
    }
}

/// Kernels are too large for a thousand mutations; some, all over the file.
#[test]
fn mutated_kernels_fail_or_can_be_walked() {
    let bytes = fixtures::read(&format!("kernels/{}/vmlinux.btf", fixtures::SORTED));
    let mut opened = 0;
    for step in 0..60usize {
        let mut bytes = bytes.clone();
        let at = (bytes.len() / 60 * step) & !3;
        write(&mut bytes, at, (step as u32).wrapping_mul(0x9e37_79b9) >> (step % 24));
        if let Ok(btf) = Btf::parse(bytes) {
            opened += 1;
            assert!(btf.types().map(|ty| ty.name().as_bytes().len()).sum::<usize>() > 0);
        }
    }
    assert!(opened > 5, "what is in the strings is anyone's business");
}

//! Making BTF by arbitrary calls, and out of damaged BTF.

#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "tests")]

use btf_tests::{fixtures, fuzz, judging, making, seeds};
use proptest::{collection::vec, prelude::*, sample::Index, test_runner::Config};

#[test]
fn seeds_pass() {
    for (target, run) in fuzz::TARGETS.iter().filter(|(target, _)| matches!(*target, "builder" | "judge" | "remake")) {
        let seeds = seeds::of(target);
        assert!(seeds.len() > 5);
        for (name, bytes) in seeds {
            // The name of the one that fails is the last that is printed.
            println!("{target}: {name}");
            run(&bytes);
        }
    }
}

proptest! {
    #![proptest_config(Config { failure_persistence: None, cases: 500, ..Config::default() })]

    #[test]
    fn any_calls_are_good(calls in vec(any::<u8>(), 0..600)) {
        making::builder(&calls);
    }

    #[test]
    fn damaged_btf_is_remade_or_refused(
        file in any::<Index>(),
        changes in vec((any::<Index>(), any::<u8>()), 0..6),
    ) {
        let files = fixtures::files("bpf/pahole32");
        let files: Vec<&String> = files.iter().filter(|name| name.ends_with(".btf")).collect();
        let mut bytes = fixtures::read(file.get::<&String>(&files));
        let len = bytes.len();
        for (at, byte) in changes {
            // Not the header, which is refused soon.
            bytes[24 + at.index(len - 24)] = byte;
        }
        making::remake(&bytes);
        judging::judge(&bytes);
    }
}

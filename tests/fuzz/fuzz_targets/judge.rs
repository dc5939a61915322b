#![no_main]

btf_tests::fuzz_target!(btf_tests::judging::judge);

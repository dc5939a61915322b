#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| btf_tests::rust_types::rust_types(input));

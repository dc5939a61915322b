#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| btf_tests::headers::c_header(input));

//! Types of the BPF program `fixtures/bpf/events.bpf.c`, written by `build.rs`. They
//! contain the only unsafe code of the package.

include!(concat!(env!("OUT_DIR"), "/types.rs"));

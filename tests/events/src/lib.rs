//! Types of the BPF program `fixtures/bpf/events.bpf.c`, which `build.rs` writes: the
//! only unsafe code of the package.

include!(concat!(env!("OUT_DIR"), "/types.rs"));

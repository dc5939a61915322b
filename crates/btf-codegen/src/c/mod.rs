//! C headers: `vmlinux.h`, or what a program needs of it.
//!
//! [`Header`] is where to begin. By default a header is sorted, so that it changes
//! only where the types do, and has exactly the layout that the BTF says. With
//! [`Header::unsorted`] it is what `bpftool btf dump ... format c unsorted` (7.8)
//! prints, byte for byte.

mod asserts;
mod composite;
mod declare;
mod emit;
mod enumeration;
mod header;
mod kfuncs;
mod layout;
mod libbpf;
mod names;
mod order;
mod padding;
mod printer;
mod scalar;
mod scope;
mod sort;

pub use header::Header;

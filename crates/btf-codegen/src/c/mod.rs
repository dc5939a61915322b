//! C headers: `vmlinux.h`, or the types that a program needs.
//!
//! Start with [`Header`]:
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use btf_codegen::c::Header;
//! # let bytes = std::fs::read("doc/socket.btf").unwrap();
//! # let vmlinux = btf_types::Btf::parse(bytes)?;
//!
//! let mut header = Vec::new();                    // or a file
//! Header::new().write_to(&vmlinux, &mut header)?;
//! # assert!(header.starts_with(b"#ifndef __VMLINUX_H__\n"));
//! # Ok(())
//! # }
//! ```
//!
//! Types that are contained by value are defined before those that contain
//! them; types that are only pointed to have a forward declaration. Accesses
//! are recorded for CO-RE (`preserve_access_index`), unless
//! `BPF_NO_PRESERVE_ACCESS_INDEX` is defined or
//! [`Header::preserve_access_index`] is `false`. Prototypes of the kfuncs
//! follow the types, unless `BPF_NO_KFUNC_PROTOTYPES` is defined. Headers are
//! for clang and GCC, in C11 or C17 with GNU extensions.
//!
//! # Layout
//!
//! Types have the layout of the BTF, on its machine and for `-target bpf` of
//! the same byte order and pointer size; [`Header::static_asserts`] makes the
//! compiler check it. The layout of each struct is computed as compilers do
//! before it is written, first in the form of libbpf. If that layout is wrong,
//! for the minimum or the maximum alignment of machines, gaps are filled
//! explicitly; if that is not enough, the struct is `packed`.
//!
//! # Differences from bpftool
//!
//! With [`Header::unsorted`] the header is equal to the output of `bpftool btf
//! dump file FILE format c unsorted` of bpftool 7.8 (with root types:
//! `root_id`), byte for byte. Without it, the header is that of `format c`,
//! with these differences:
//!
//! | bpftool 7.8 | here |
//! |---|---|
//! | loses the type that is sorted first | writes all types |
//! | never treats unions as packed | packed unions are `packed`; `aligned(N)` if larger than its members |
//! | unions without members have no size | they are padded to it |
//! | aligns 16-byte integers to 8, and does not pack structs for them | `packed` if one is not at a multiple of 16, so that all compilers agree |
//! | treats a struct as packed if a member is misaligned, but not for bitfields or packed types inside | `packed` whenever the layout needs it |
//! | `long: 0` and the like, which on arm raise the alignment of a struct | smaller units where that would be too much |
//! | members without a name whose type has one (`struct ns_tree;`), which needs `-fms-extensions` | the members of that type, without its name |
//! | enumerations of 2 bytes, and of 8 with small or negative values, get the size of `int` | `mode(HI)`, `mode(word)`, `mode(DI)` |
//! | `__builtin_va_list` is the compiler's, which for `-target bpf` differs from the kernel's | the type in the BTF, as `__builtin_va_list_` |
//! | does not recognize bitfields in BTF from before Linux 5.0 | writes them as bitfields |
//! | members in the order of the BTF | by offset (Rust orders them otherwise); members that overlap others, extend beyond the end or cannot be declared are left out with a comment |
//! | names are unchanged | see below |
//!
//! # Names
//!
//! A second type with a name is `NAME___2`, as in bpftool, which CO-RE treats as
//! a flavor of the same type. Names that are C keywords or not identifiers, as
//! in Rust, Go and C++, are replaced by identifiers, with the original name in
//! a comment: programs can use the types, but CO-RE does not find them in a
//! kernel. Integers with names unknown to C (`u32`, `usize`) get the names of
//! C. Kfuncs whose names are not identifiers, or are not unique, are omitted
//! with a comment, and so are tags that would end their attribute.
//!
//! # Split BTF
//!
//! The header of a module includes the types of its base. With [`Header::own`]
//! it has only those of the module, for inclusion after the header of the base,
//! and forward declarations of the base's structs and unions that it points to.
//!
//! # Cost
//!
//! As a process, all types of a kernel take 50 ms of CPU time, sorted 74 ms, a
//! root type 13 ms, on a busy machine where bpftool 7.1 (unsorted) takes 97 ms.
//! Text is written in pieces of 32 KiB. The number of steps is limited in proportion to the size
//! of the BTF: repeating anonymous types, padding or parameters more often is
//! [`Error::TooComplex`](crate::Error::TooComplex).

mod asserts;
mod composite;
mod declare;
mod emit;
mod enumeration;
mod hash;
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
mod texts;

pub use header::Header;

//! C headers: `vmlinux.h`, or what a program needs of it.
//!
//! [`Header`] is where to begin:
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
//! What is held by value is defined before what holds it; of what is only pointed to
//! there is a forward declaration. Accesses are recorded for CO-RE
//! (`preserve_access_index`), unless `BPF_NO_PRESERVE_ACCESS_INDEX` is defined or
//! [`Header::preserve_access_index`] is `false`. After all types there are prototypes of
//! the kfuncs, unless `BPF_NO_KFUNC_PROTOTYPES` is defined. Headers are for clang and
//! GCC, as C11 or later with GNU extensions.
//!
//! # Layout
//!
//! The header has the layout of the BTF, on the machine that the BTF is of and for
//! `-target bpf` of the same byte order and pointer size; with
//! [`Header::static_asserts`] the compiler checks that. Each struct is laid out as
//! compilers do it before it is written, first as libbpf writes it. If that has not
//! the right layout, for the least and the most alignment that machines give, gaps are
//! filled without help of alignment; if that does not do, the struct is `packed`.
//!
//! # Differences from bpftool
//!
//! With [`Header::unsorted`] the header is what `bpftool btf dump file FILE format c
//! unsorted` of bpftool 7.8 prints (with root types: `root_id`), byte for byte. Without,
//! it is what `format c` prints, but for this:
//!
//! | bpftool 7.8 | here |
//! |---|---|
//! | loses the type that is sorted first | it is there |
//! | takes no union for packed | packed unions are `packed`; `aligned(N)` if larger than its members |
//! | unions without members have no size | they are padded to it |
//! | aligns integers of 16 bytes to 8, and takes what has one for not packed | `packed`, where it is not at a multiple of 16, so that all compilers agree |
//! | takes a struct for packed if a member is out of place, not if a bitfield or something packed inside is | `packed` whenever the layout needs it |
//! | `long: 0` and the like, which on arm raise the alignment of a struct | smaller units where that would be too much |
//! | members without a name whose type has one (`struct ns_tree;`), which needs `-fms-extensions` | the members of that type, without its name |
//! | enumerations of 2 bytes, and of 8 with small or negative values, get the size of `int` | `mode(HI)`, `mode(word)`, `mode(DI)` |
//! | `__builtin_va_list` is the compiler's, for `-target bpf` another than the kernel's | what the BTF says, as `__builtin_va_list_` |
//! | bitfields as BTF before Linux 5.0 has them are no bitfields | they are |
//! | members in the order of the BTF | in the order of their offsets (Rust has others); what overlaps others, is beyond the end or cannot be declared is left out with a comment |
//! | names are what they are | see below |
//!
//! # Names
//!
//! A second type of a name is `NAME___2`, as with bpftool, which CO-RE takes for the
//! same type. Names that are no identifiers of C, or keywords, as producers for Rust, Go
//! and C++ have them, become identifiers, with the real name in a comment: programs can
//! use the types, but CO-RE does not find them in a kernel. Integers whose names are
//! not C's (`u32`, `usize`) are spelled as C does it. Kfuncs whose names are no
//! identifiers, or are used twice, are left out with a comment, and so are tags that
//! would not stay inside their attribute.
//!
//! # Split BTF
//!
//! The header of a module has the types of its base too, so that it stands alone;
//! with [`Header::own`] it has only the module's, for inclusion behind the header of
//! the base, whose structs and unions it declares where it points to them.
//!
//! # What it costs
//!
//! As a process, all types of a kernel take some 40 ms, sorted some 85 ms, a root type
//! some 8 ms (bpftool 7.1: 90 ms, unsorted). Text goes out in pieces of 32 KiB. Types may take steps in proportion to the
//! size of the BTF; what repeats anonymous types, padding or parameters more often than
//! that is [`Error::TooComplex`](crate::Error::TooComplex).

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

pub use header::Header;

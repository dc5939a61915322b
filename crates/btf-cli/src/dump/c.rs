//! C headers, which BPF programs include.

use btf_codegen::c::Header;
use clap::Args;

use super::code::{Code, RootType, code, refuse_given};
use crate::{Result, output::Stdout, source::Opened};

/// Options for headers.
#[derive(Args)]
pub(super) struct HeaderArguments {
    /// Write the output of bpftool 7.8 for `format c unsorted`, including its
    /// faults.
    #[arg(long)]
    unsorted: bool,
    /// Omit the types of the kernel from a module's header, which is then
    /// included after the kernel's.
    #[arg(long)]
    own: bool,
    /// Add a `_Static_assert` for each size and offset.
    #[arg(long)]
    static_asserts: bool,
    /// Omit the attribute by which accesses are relocated to the running kernel
    /// (CO-RE).
    #[arg(long)]
    no_preserve_access_index: bool,
    /// The macro of the include guard.
    #[arg(long, value_name = "MACRO")]
    guard: Option<String>,
}

impl HeaderArguments {
    /// Rejects options that are only for headers.
    pub(super) fn check_unused(&self) -> Result {
        let options = [
            ("--unsorted", self.unsorted),
            ("--own", self.own),
            ("--static-asserts", self.static_asserts),
            ("--no-preserve-access-index", self.no_preserve_access_index),
            ("--guard", self.guard.is_some()),
        ];
        refuse_given(options, "c")
    }
}

pub(super) fn write(
    arguments: &HeaderArguments,
    roots: &[RootType],
    Opened { btf, name, .. }: &Opened,
    out: &mut Stdout,
) -> Result {
    let mut header = Header::new()
        .unsorted(arguments.unsorted)
        .own(arguments.own)
        .static_asserts(arguments.static_asserts)
        .preserve_access_index(!arguments.no_preserve_access_index);
    if let Some(guard) = &arguments.guard {
        header = header.guard(guard);
    }
    for root in roots {
        header = match root {
            RootType::Id(id) => header.root_id(*id),
            RootType::Name(name) => header.root(name),
        };
    }
    code(name, header.write_to(btf, &mut Code(out)))
}

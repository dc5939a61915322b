//! Rust types, for programs that read kernel data or BPF maps.

use btf_codegen::rust::{Traits, Types};
use btf_types::ByteOrder;
use clap::{Args, ValueEnum};

use super::code::{Code, RootType, code, refuse_given};
use crate::{Result, output::Stdout, source::Opened, write::encode::Order};

/// Options for Rust types.
#[derive(Args)]
pub(super) struct TypesArguments {
    /// Write a struct for each section of global variables of a BPF object, with the
    /// types that it needs. Implies --fixup.
    #[arg(long)]
    pub(super) globals: bool,
    /// The byte order of the machines that run the code. For the other order, scalars
    /// are wrapped.
    #[arg(long, value_enum, value_name = "ORDER")]
    code_order: Option<Order>,
    /// Implement traits of another crate for each type. May be repeated.
    #[arg(long, value_enum, value_name = "CRATE")]
    implement: Vec<Crate>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Crate {
    /// FromBytes, KnownLayout, Immutable and IntoBytes of zerocopy 0.8.
    Zerocopy,
    /// Pod of aya.
    Aya,
}

impl TypesArguments {
    /// Rejects options that are only for Rust.
    pub(super) fn check_unused(&self) -> Result {
        let options = [
            ("--globals", self.globals),
            ("--code-order", self.code_order.is_some()),
            ("--implement", !self.implement.is_empty()),
        ];
        refuse_given(options, "rust")
    }
}

pub(super) fn write(
    arguments: &TypesArguments,
    roots: &[RootType],
    Opened { btf, name, .. }: &Opened,
    out: &mut Stdout,
) -> Result {
    let order = arguments.code_order.map_or(ByteOrder::Little, ByteOrder::from);
    let mut types = Types::new().globals(arguments.globals).byte_order(order);
    for implement in &arguments.implement {
        types = types.implement(match implement {
            Crate::Zerocopy => Traits::Zerocopy,
            Crate::Aya => Traits::Aya,
        });
    }
    for root in roots {
        types = match root {
            RootType::Id(id) => types.root_id(*id),
            RootType::Name(name) => types.root(name),
        };
    }
    code(name, types.write_to(btf, &mut Code(out)))
}

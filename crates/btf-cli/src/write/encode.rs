//! `btf encode`: BTF written anew, for a byte order or a kernel.

use std::path::PathBuf;

use btf_build::Encode;
use btf_types::format::{ByteOrder, KernelVersion};
use clap::{Args, ValueEnum};

use super::Input;
use crate::Result;

#[derive(Args, Debug)]
pub(crate) struct Arguments {
    #[command(flatten)]
    input: Input,
    /// The file to write; `-` for standard output.
    out: PathBuf,
    /// The byte order; by default that which the BTF has.
    #[arg(long, value_enum, value_name = "ORDER")]
    byte_order: Option<Order>,
    /// The version of the kernel that is to read it: what that cannot read is an
    /// error that names the type.
    #[arg(long, value_name = "VERSION")]
    kernel: Option<KernelVersion>,
    /// Rewrite what that kernel cannot read, instead of refusing it; ids stay.
    #[arg(long, requires = "kernel")]
    sanitize: bool,
}

#[derive(ValueEnum, Debug, Clone, Copy)]
pub(crate) enum Order {
    /// Little-endian.
    Le,
    /// Big-endian.
    Be,
}

impl From<Order> for ByteOrder {
    fn from(order: Order) -> Self {
        match order {
            Order::Le => Self::Little,
            Order::Be => Self::Big,
        }
    }
}

pub(crate) fn run(arguments: &Arguments) -> Result {
    let mut encode = Encode::new();
    if let Some(order) = arguments.byte_order {
        encode = encode.byte_order(order.into());
    }
    if let Some(version) = arguments.kernel {
        encode = encode.for_kernel(version).sanitize(arguments.sanitize);
    }
    crate::output::write_file(&arguments.out, &encode.encode(&arguments.input.open()?)?)
}

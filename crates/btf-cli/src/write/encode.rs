//! `btf encode`: rewrites BTF for a byte order or a kernel.

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
    /// The byte order. Default: unchanged.
    #[arg(long, value_enum, value_name = "ORDER")]
    byte_order: Option<Order>,
    /// The kernel version. Types that it cannot read are errors.
    #[arg(long, value_name = "VERSION")]
    kernel: Option<KernelVersion>,
    /// Rewrite types that the kernel cannot read, instead of failing. Ids are
    /// unchanged.
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

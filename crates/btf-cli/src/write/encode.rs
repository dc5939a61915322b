//! `btf encode`: rewrites BTF for a byte order or a kernel.

use std::path::PathBuf;

use btf_build::{Encode, Error};
use btf_types::format::{ByteOrder, KernelVersion};
use clap::{Args, ValueEnum};

use super::Input;
use crate::{Result, output::write_file, with_causes};

#[derive(Args, Debug)]
pub(crate) struct Arguments {
    #[command(flatten)]
    input: Input,
    /// The file to write; `-` for standard output.
    out: PathBuf,
    /// The byte order. Default: unchanged.
    #[arg(long, value_enum, value_name = "ORDER")]
    byte_order: Option<Order>,
    /// The kernel version. Types that it cannot read are errors. The DATASECs of
    /// a BPF object are fixed up, as by a loader; without this option, the BTF
    /// is written as stored in the file.
    #[arg(long, value_name = "VERSION")]
    kernel: Option<KernelVersion>,
    /// Rewrite types that the kernel cannot read, instead of failing. Ids are
    /// unchanged.
    #[arg(long, requires = "kernel")]
    sanitize: bool,
    /// Write the BTF of a BPF object as stored in the file, instead of with its
    /// DATASECs fixed up as by a loader.
    #[arg(long, requires = "kernel")]
    as_is: bool,
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
    let is_fixed_up = arguments.kernel.is_some() && !arguments.as_is;
    let btf = if is_fixed_up { arguments.input.open_fixed_up()? } else { arguments.input.open()? };
    let bytes = encode.encode(&btf).map_err(|error| arguments.input.fault(&*arguments.explain(error)))?;
    write_file(&arguments.out, &bytes)
}

impl Arguments {
    /// Adds the version of the kernel to an error, and the option that would
    /// help.
    fn explain(&self, error: Error) -> Box<dyn std::error::Error> {
        let Some(version) = self.kernel else { return error.into() };
        let hint = match error {
            Error::Unreadable { .. } | Error::Rejected { .. } if !self.sanitize => "; --sanitize rewrites such types",
            _ => "",
        };
        format!("cannot encode for Linux {version}: {}{hint}", with_causes(&error)).into()
    }
}

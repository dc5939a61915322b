//! The layers of a file, and the contents inside of all.

use std::fmt;

use btf_types::Bytes;

use crate::{Compression, Elf, ImageKind, Machine};

/// What is inside, when all else is taken off.
#[derive(Debug)]
pub(crate) enum Content {
    Raw(Bytes),
    Elf(Box<Elf>),
}

/// One thing that a file is, around the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Layer {
    /// Compressed bytes.
    #[non_exhaustive]
    Compressed {
        /// What with.
        compression: Compression,
        /// Where in the layer around they begin, in **bytes**.
        offset: u64,
    },
    /// A kernel image.
    Image(ImageKind),
    /// ELF.
    #[non_exhaustive]
    Elf {
        /// The machine that it is for, with its class and byte order.
        machine: Machine,
    },
    /// BTF itself.
    #[non_exhaustive]
    Btf {
        /// Where in the layer around it begins, in **bytes**.
        offset: u64,
    },
}

impl Layer {
    pub(crate) fn of_elf(elf: &Elf) -> Self {
        Self::Elf { machine: elf.machine() }
    }
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = |f: &mut fmt::Formatter<'_>, offset: u64| match offset {
            0 => Ok(()),
            offset => write!(f, " at offset {offset}"),
        };
        match *self {
            Self::Compressed { compression, offset } => {
                write!(f, "{compression}")?;
                at(f, offset)
            }
            Self::Image(kind) => write!(f, "{kind}"),
            Self::Elf { machine } => {
                write!(f, "ELF of {} bits, {}, ", if machine.is_64() { 64 } else { 32 }, machine.byte_order())?;
                match machine.name() {
                    Some(name) => f.write_str(name),
                    None => write!(f, "machine {}", machine.e_machine()),
                }
            }
            Self::Btf { offset } => {
                f.write_str("BTF")?;
                at(f, offset)
            }
        }
    }
}

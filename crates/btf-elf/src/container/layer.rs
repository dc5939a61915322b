//! Layers of a file, and the innermost contents.

use std::fmt;

use btf_types::Bytes;

use crate::{Compression, Elf, ImageKind, Machine};

/// Innermost contents of a file.
#[derive(Debug)]
pub(crate) enum Content {
    Raw(Bytes),
    Elf(Box<Elf>),
}

/// Layer of a file, which contains the next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Layer {
    /// Compressed bytes.
    #[non_exhaustive]
    Compressed {
        /// Compression.
        compression: Compression,
        /// Offset in the enclosing layer in **bytes**.
        offset: u64,
    },
    /// A kernel image.
    Image(ImageKind),
    /// ELF.
    #[non_exhaustive]
    Elf {
        /// Machine, with its class and byte order.
        machine: Machine,
    },
    /// BTF.
    #[non_exhaustive]
    Btf {
        /// Offset in the enclosing layer in **bytes**.
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

//! Readers of ELF structures of either class and byte order.

use btf_types::ByteOrder;
use object::{
    Endianness,
    pod::{self, Pod},
};

use crate::Error;

pub(crate) fn endian(order: ByteOrder) -> Endianness {
    match order {
        ByteOrder::Little => Endianness::Little,
        ByteOrder::Big => Endianness::Big,
    }
}

pub(crate) fn word(bytes: [u8; 4], order: ByteOrder) -> u32 {
    match order {
        ByteOrder::Little => u32::from_le_bytes(bytes),
        ByteOrder::Big => u32::from_be_bytes(bytes),
    }
}

/// Returns the record at the start of `bytes`, which are at `offset` in the
/// file.
pub(crate) fn first<T: Pod>(bytes: &[u8], offset: u64) -> Result<&T, Error> {
    pod::from_bytes(bytes).map(|(first, _)| first).map_err(|()| Error::Elf { what: "cut off", offset })
}

/// Returns a record of a table, whose last record may be truncated.
pub(crate) fn record<T: Pod>(table: &[u8], index: usize) -> Option<&T> {
    let rest = table.get(index.checked_mul(size_of::<T>())?..)?;
    pod::from_bytes(rest).ok().map(|(record, _)| record)
}

/// Defines newtypes for the numbers of ELF, with constants.
macro_rules! numbers {
    ($($(#[$doc:meta])* $name:ident($int:ty) { $($(#[$constant_doc:meta])* $constant:ident = $value:expr,)* })*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub $int);

        impl $name {
            $($(#[$constant_doc])* pub const $constant: Self = Self($value);)*
        }
    )*};
}

/// Displays a number by its name in `elf.h`, or else as a number.
macro_rules! display_names {
    ($name:ident: $($constant:ident => $text:literal,)*) => {
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                match *self {
                    $(Self::$constant => f.pad($text),)*
                    Self(other) => std::fmt::Display::fmt(&other, f),
                }
            }
        }
    };
}

pub(crate) use {display_names, numbers};

//! Rust types of integers, floats and enumerations.

use btf_types::{AnyEnum, Float, Int};

/// A Rust scalar, or its substitute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scalar {
    /// An integer or float of Rust.
    Plain(Plain),
    /// A boolean of one byte, which may hold anything.
    Bool,
    /// A 16-byte integer, whose alignment depends on the machine.
    Wide { is_signed: bool },
    /// Bytes, as Rust has no such scalar.
    Bytes(u32),
}

/// A primitive scalar of up to 8 bytes, which Rust has on all machines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Plain {
    I8,
    U8,
    I16,
    U16,
    I32,
    U32,
    I64,
    U64,
    F32,
    F64,
}

impl Plain {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::I8 => "i8",
            Self::U8 => "u8",
            Self::I16 => "i16",
            Self::U16 => "u16",
            Self::I32 => "i32",
            Self::U32 => "u32",
            Self::I64 => "i64",
            Self::U64 => "u64",
            Self::F32 => "f32",
            Self::F64 => "f64",
        }
    }

    /// Size in bytes.
    pub(super) fn size(self) -> u32 {
        match self {
            Self::I8 | Self::U8 => 1,
            Self::I16 | Self::U16 => 2,
            Self::I32 | Self::U32 | Self::F32 => 4,
            Self::I64 | Self::U64 | Self::F64 => 8,
        }
    }

    /// Returns the integer with a size in bytes.
    pub(super) fn of_size(size: u32, is_signed: bool) -> Option<Self> {
        Some(match (size, is_signed) {
            (1, true) => Self::I8,
            (1, false) => Self::U8,
            (2, true) => Self::I16,
            (2, false) => Self::U16,
            (4, true) => Self::I32,
            (4, false) => Self::U32,
            (8, true) => Self::I64,
            (8, false) => Self::U64,
            _ => return None,
        })
    }
}

impl Scalar {
    pub(super) fn of_int(int: Int<'_>) -> Self {
        match int.size() {
            1 if int.is_bool() => Self::Bool,
            // Before there was FLOAT, floats were INTs.
            4 if int.as_type().is_named("float") => Self::Plain(Plain::F32),
            8 if int.as_type().is_named("double") => Self::Plain(Plain::F64),
            16 => Self::Wide { is_signed: int.is_signed() },
            size => Plain::of_size(size, int.is_signed()).map_or(Self::Bytes(size), Self::Plain),
        }
    }

    pub(super) fn of_float(float: Float<'_>) -> Self {
        match float.size() {
            4 => Self::Plain(Plain::F32),
            8 => Self::Plain(Plain::F64),
            size => Self::Bytes(size),
        }
    }

    /// Returns the integer type of an enumeration.
    pub(super) fn of_enum(any: AnyEnum<'_>) -> Self {
        Plain::of_size(any.size(), any.is_signed()).map_or(Self::Bytes(any.size()), Self::Plain)
    }

    /// Returns the minimum and maximum alignment on the machines that Rust supports, in bytes.
    pub(super) fn host_align(self) -> (u64, u64) {
        match self {
            Self::Bool | Self::Bytes(_) => (1, 1),
            Self::Wide { .. } => WIDE,
            Self::Plain(plain) if plain.size() == 8 => WIDE,
            Self::Plain(plain) => (plain.size().into(), plain.size().into()),
        }
    }
}

/// Alignment of types made of `u64`s: 4 on some 32-bit machines, such as i686, otherwise 8.
pub(super) const WIDE: (u64, u64) = (4, 8);

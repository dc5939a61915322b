//! Reasons why a relocation has no result.

use std::fmt::{self, Write};

use btf_types::{CoreReloKind, Error, Type};

/// Reason why a relocation cannot be resolved: libbpf refuses to load the object,
/// even if the instruction is never reached.
///
/// A field that the kernel does not have is not a fault: the instruction is
/// poisoned, see [`Outcome::Poison`](crate::Outcome::Poison).
///
/// Types and access strings of more than 128 bytes are cut short in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// The kind of the relocation is unknown.
    #[error("unknown relocation kind {number}")]
    #[non_exhaustive]
    UnknownKind {
        /// The number, `enum bpf_core_relo_kind`.
        number: u32,
    },
    /// The access string does not fit the kind of the relocation: that of a
    /// type must be `0`, that of an enumerator one number.
    #[error("access string {access:?} does not fit relocation {kind}")]
    #[non_exhaustive]
    AccessString {
        /// The access string.
        access: String,
        /// The kind.
        kind: CoreReloKind,
    },
    /// The access string has a number beyond the last member, element or
    /// enumerator of a local type.
    #[error("access string {access:?}: {ty} has no member, element or enumerator {index}")]
    #[non_exhaustive]
    AccessIndex {
        /// The access string.
        access: String,
        /// The local type, as C writes it.
        ty: String,
        /// The index that is too large.
        index: u32,
    },
    /// The access string continues in a local type that has neither members nor
    /// elements.
    #[error("access string {access:?} continues in {ty}, which has neither members nor elements")]
    #[non_exhaustive]
    AccessBeyond {
        /// The access string.
        access: String,
        /// The local type, as C writes it.
        ty: String,
    },
    /// The relocation is of an enumerator, but the local type is not an enum.
    #[error("relocation {kind} needs an enum, found {ty}")]
    #[non_exhaustive]
    NotEnum {
        /// The kind.
        kind: CoreReloKind,
        /// The local type, as C writes it.
        ty: String,
    },
    /// The local type has no name by which to find candidates.
    #[error("the local type (type {id}) is anonymous, so that it has no candidates in the kernel")]
    #[non_exhaustive]
    Anonymous {
        /// The id of the local type.
        id: u32,
    },
    /// The size of a type is needed, but it has none.
    #[error("no size of {ty}: {error}")]
    #[non_exhaustive]
    Size {
        /// The type, as C writes it.
        ty: String,
        /// The reason.
        error: Box<Error>,
    },
    /// The offset of a field exceeds 32 bits.
    #[error("the offset of the field, {bits} bits, exceeds {limit}", limit = u32::MAX)]
    #[non_exhaustive]
    OffsetTooLarge {
        /// The offset in bits.
        bits: u64,
    },
    /// The path to a field has more levels than libbpf follows.
    #[error("the access string has more than {limit} levels of members and elements")]
    #[non_exhaustive]
    TooDeep {
        /// The number of levels.
        limit: u32,
    },
    /// Two types are nested deeper than libbpf compares.
    #[error("the types are nested more than {limit} levels deep and were not compared")]
    #[non_exhaustive]
    CompareTooDeep {
        /// The number of levels.
        limit: u32,
    },
    /// A bitfield spans more than the eight bytes that one load reads.
    #[error("the bitfield of {ty} at bit {bit_offset} needs a load of more than 8 bytes")]
    #[non_exhaustive]
    Bitfield {
        /// The type of the bitfield, as C writes it.
        ty: String,
        /// The offset in bits.
        bit_offset: u64,
    },
    /// The kind of relocation does not apply to array elements.
    #[error("relocation {kind} does not apply to an array element")]
    #[non_exhaustive]
    ArrayElement {
        /// The kind.
        kind: CoreReloKind,
    },
    /// Candidates have the field at different offsets.
    #[error("ambiguous: the field is at bit {first} of {first_type}, and at bit {second} of {second_type}")]
    #[non_exhaustive]
    AmbiguousOffset {
        /// The offset in bits in the first candidate.
        first: u64,
        /// The first candidate.
        first_type: String,
        /// The offset in bits in another.
        second: u64,
        /// The other candidate.
        second_type: String,
    },
    /// Candidates give different values.
    #[error("ambiguous: the value is {first} with {first_type}, and {second} with {second_type}")]
    #[non_exhaustive]
    AmbiguousValue {
        /// The value by the first candidate.
        first: u64,
        /// The first candidate.
        first_type: String,
        /// The value by another.
        second: u64,
        /// The other candidate.
        second_type: String,
    },
    /// Comparing the object with the kernel's BTF takes more steps than the budget,
    /// which no compiler's output does.
    #[error("too complex: gave up after {limit} steps")]
    #[non_exhaustive]
    TooComplex {
        /// The number of steps.
        limit: u64,
    },
}

const EINVAL: i32 = 22;
const E2BIG: i32 = 7;
const EOPNOTSUPP: i32 = 95;

impl Fault {
    /// The number of the error that libbpf fails with (`EINVAL` is 22).
    #[must_use]
    pub fn errno(&self) -> i32 {
        match self {
            Self::Anonymous { .. } => EOPNOTSUPP,
            Self::TooDeep { .. } | Self::Bitfield { .. } | Self::OffsetTooLarge { .. } | Self::TooComplex { .. } => {
                E2BIG
            }
            Self::Size { error, .. } if matches!(**error, Error::TypeTooLarge { .. }) => E2BIG,
            _ => EINVAL,
        }
    }
}

/// Maximum length in bytes of a type or an access string in an error. Thousands
/// of relocations can share one that is longer.
const LONGEST: usize = 128;

/// Formats a type or an access string for an error, truncated if it is long.
pub(crate) fn shortened(text: impl fmt::Display) -> String {
    let mut short = Shortened(String::new());
    // An error means that the text was cut.
    let _ = write!(short, "{text}");
    short.0
}

/// Shortens a type for an error, without reading more of its name.
pub(crate) fn shortened_type(ty: Type<'_>) -> String {
    let name = ty.name_start(LONGEST + 1);
    if name.as_bytes().len() <= LONGEST {
        return shortened(ty);
    }
    let word = match ty {
        Type::Struct(_) => "struct ",
        Type::Union(_) => "union ",
        Type::Enum(_) | Type::Enum64(_) => "enum ",
        _ => "",
    };
    shortened(format_args!("{word}{name}"))
}

/// Text that is truncated if it is long.
struct Shortened(String);

impl Write for Shortened {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = LONGEST.saturating_sub(self.0.len());
        if text.len() <= room {
            self.0.push_str(text);
            return Ok(());
        }
        let end = (0..=room).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(0);
        self.0.push_str(text.get(..end).unwrap_or_default());
        self.0.push_str("...");
        Err(fmt::Error)
    }
}

#[cfg(test)]
mod tests {
    use btf_types::Btf;

    use super::*;

    #[test]
    fn types_of_long_names_are_cut() {
        let btf = Btf::parse(&include_bytes!("../doc/fields.btf")[..]).unwrap();
        let thing = btf.find_first::<Type<'_>>("thing").unwrap();
        assert_eq!(shortened_type(thing), shortened(thing));
        let mut b = btf_build::Builder::new();
        let long = b.structure("n".repeat(1000), 0).finish().unwrap();
        let btf = b.finish().unwrap();
        let long = btf.type_by_id(long).unwrap();
        assert_eq!(shortened_type(long), shortened(long));
        assert_eq!(shortened_type(long), format!("struct {}...", "n".repeat(LONGEST - 7)));
    }

    #[test]
    fn long_text_is_cut_between_characters() {
        assert_eq!(shortened("struct a"), "struct a");
        let long = shortened("ä".repeat(100));
        assert_eq!(long, format!("{}...", "ä".repeat(64)));
        assert_eq!(shortened(format_args!("x{}", "ä".repeat(100))), format!("x{}...", "ä".repeat(63)));
    }
}

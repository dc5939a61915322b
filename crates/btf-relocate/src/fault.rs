//! Reasons why a relocation has no result.

use std::fmt::{self, Write};

use btf_types::{CoreReloKind, Error};

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
    /// The number of the relocation's kind is not known.
    #[error("unknown relocation kind {number}")]
    #[non_exhaustive]
    UnknownKind {
        /// The number, `enum bpf_core_relo_kind`.
        number: u32,
    },
    /// The access string does not fit the kind of the relocation: that of a
    /// type must be `0`, that of an enumerator one number.
    #[error("access string {access} does not fit a {kind} relocation")]
    #[non_exhaustive]
    AccessString {
        /// The access string.
        access: String,
        /// The kind.
        kind: CoreReloKind,
    },
    /// The access string has a number beyond the last member, element or
    /// enumerator of a local type.
    #[error("access string {access}: {ty} has no number {index}")]
    #[non_exhaustive]
    AccessIndex {
        /// The access string.
        access: String,
        /// The local type, as C writes it.
        ty: String,
        /// The number that is too large.
        index: u32,
    },
    /// The access string goes on where the local type has neither members nor
    /// elements.
    #[error("access string {access} goes on at {ty}, which has neither members nor elements")]
    #[non_exhaustive]
    AccessBeyond {
        /// The access string.
        access: String,
        /// The local type, as C writes it.
        ty: String,
    },
    /// The relocation is of an enumerator, but the local type is not an enum.
    #[error("a {kind} relocation needs an enum, not {ty}")]
    #[non_exhaustive]
    NotEnum {
        /// The kind.
        kind: CoreReloKind,
        /// The local type, as C writes it.
        ty: String,
    },
    /// The local type has no name to find candidates by.
    #[error("anonymous types cannot be relocated: type {id} has no name")]
    #[non_exhaustive]
    Anonymous {
        /// The id of the local type.
        id: u32,
    },
    /// A size is needed that a type does not have.
    #[error("size of {ty}: {source}")]
    #[non_exhaustive]
    Size {
        /// The type, as C writes it.
        ty: String,
        /// The reason.
        source: Box<Error>,
    },
    /// An offset exceeds what 32 bits count.
    #[error("offset of {bits} bits exceeds {limit}", limit = u32::MAX)]
    #[non_exhaustive]
    OffsetTooLarge {
        /// The offset in bits.
        bits: u64,
    },
    /// The path to a field has more levels than libbpf follows.
    #[error("more than {limit} levels of members and elements")]
    #[non_exhaustive]
    TooDeep {
        /// The number of levels.
        limit: u32,
    },
    /// Two types are nested deeper than libbpf compares.
    #[error("types nested more than {limit} levels deep are not compared")]
    #[non_exhaustive]
    CompareTooDeep {
        /// The number of levels.
        limit: u32,
    },
    /// A bitfield spans more than the eight bytes that one load reads.
    #[error("bitfield of {ty} at bit {bit_offset} cannot be read by one load of at most 8 bytes")]
    #[non_exhaustive]
    Bitfield {
        /// The type of the bitfield, as C writes it.
        ty: String,
        /// The offset in bits.
        bit_offset: u64,
    },
    /// The relocation asks for something that an array element does not have.
    #[error("a {kind} relocation cannot be applied to an array element")]
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
    #[error("ambiguous: the value is {first} by {first_type}, and {second} by {second_type}")]
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
    /// The object and the kernel's BTF take too much work to compare. No
    /// compiler's output does.
    #[error("too complex (gave up after {limit} steps)")]
    #[non_exhaustive]
    TooMuch {
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
            Self::TooDeep { .. } | Self::Bitfield { .. } | Self::OffsetTooLarge { .. } | Self::TooMuch { .. } => E2BIG,
            Self::Size { source, .. } if matches!(**source, Error::TooBig { .. }) => E2BIG,
            _ => EINVAL,
        }
    }
}

/// Maximum length in bytes of a type or an access string in an error. Thousands
/// of relocations can share one that is longer.
const LONGEST: usize = 128;

/// A type or an access string for an error, cut short if it is long.
pub(crate) fn shortened(text: impl fmt::Display) -> String {
    let mut short = Shortened(String::new());
    // It fails where the text is cut.
    let _ = write!(short, "{text}");
    short.0
}

/// Text of which the end is lost if it is long.
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
    use super::*;

    #[test]
    fn long_text_is_cut_between_characters() {
        assert_eq!(shortened("struct a"), "struct a");
        let long = shortened("ä".repeat(100));
        assert_eq!(long, format!("{}...", "ä".repeat(64)));
        assert_eq!(shortened(format_args!("x{}", "ä".repeat(100))), format!("x{}...", "ä".repeat(63)));
    }
}

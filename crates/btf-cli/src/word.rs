//! Keyword before the name of a type: `struct` of `struct sk_buff`.

use btf_types::{Kind, Type};

/// Keyword before a name.
#[derive(Clone, Copy)]
pub(crate) enum Word<'n> {
    Any,
    /// `struct`, or the name of a kind.
    Kind(&'n str),
}

/// Keywords of C.
const WORDS: [&str; 4] = ["struct", "union", "enum", "typedef"];

/// Returns `true` for a C keyword that precedes the name of a type.
pub(crate) fn is_keyword(text: &str) -> bool {
    WORDS.contains(&text)
}

impl<'n> Word<'n> {
    /// Splits a keyword off a name.
    pub(crate) fn split(name: &'n str) -> (Self, &'n str) {
        match name.split_once(' ') {
            Some((word, bare)) if is_keyword(word) || word.parse::<Kind>().is_ok() => (Self::Kind(word), bare),
            _ => (Self::Any, name),
        }
    }

    /// Returns `true` if the keyword fits a type.
    pub(crate) fn is_before(self, ty: Type<'_>) -> bool {
        match self {
            Self::Any => true,
            Self::Kind("struct") => matches!(ty, Type::Struct(_) | Type::Fwd(_)),
            Self::Kind("union") => matches!(ty, Type::Union(_) | Type::Fwd(_)),
            Self::Kind("enum") => matches!(ty, Type::Enum(_) | Type::Enum64(_)),
            Self::Kind(word) => ty.kind().is_some_and(|kind| word.parse() == Ok(kind)),
        }
    }
}

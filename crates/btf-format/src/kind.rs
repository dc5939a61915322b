//! The kinds of types, by number, name and record shape.
//!
//! Source: `include/uapi/linux/btf.h` (`BTF_KIND_*`), and
//! `Documentation/bpf/btf.rst`, "Type Encoding".

use core::fmt;

use crate::{Name, Shape};

/// Kind of a type that this library models: 1 to 19.
///
/// Kind 0 (`BTF_KIND_UNKN`) is invalid in a record; id 0 means `void`. Of kinds
/// 20 to 22 (`LOC_PARAM`, `LOC_PROTO`, `LOCSEC`, expected in Linux 7.4), only
/// the roles of the words are known: see [`Shape::of`].
///
/// ```
/// # fn main() -> Result<(), btf_format::Error> {
/// use btf_format::Kind;
///
/// assert_eq!((Kind::Struct.number(), Kind::from_number(19)), (4, Some(Kind::Enum64)));
/// assert_eq!((Kind::FuncProto.to_string(), "func_proto".parse()), ("FUNC_PROTO".into(), Ok(Kind::FuncProto)));
/// assert_eq!(Kind::from_number(99), None);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
#[non_exhaustive]
pub enum Kind {
    /// An integer, boolean or character.
    Int = 1,
    /// A pointer.
    Ptr = 2,
    /// An array with a number of elements (nelems).
    Array = 3,
    /// A structure.
    Struct = 4,
    /// A union.
    Union = 5,
    /// An enumeration with 32-bit values.
    Enum = 6,
    /// A forward declaration of a structure or union.
    Fwd = 7,
    /// A `typedef`.
    Typedef = 8,
    /// The qualifier `volatile`.
    Volatile = 9,
    /// The qualifier `const`.
    Const = 10,
    /// The qualifier `restrict`.
    Restrict = 11,
    /// A function: a name for a [`Kind::FuncProto`]. Since Linux 5.0.
    Func = 12,
    /// Return type and parameters of a function. Since Linux 5.0.
    FuncProto = 13,
    /// A variable. Since Linux 5.2.
    Var = 14,
    /// Variables (and extern functions) of an ELF section. Since Linux 5.2.
    Datasec = 15,
    /// A floating-point number. Since Linux 5.13.
    Float = 16,
    /// `btf_decl_tag` of a declaration, member or parameter. Since Linux 5.16.
    DeclTag = 17,
    /// `btf_type_tag` of a type. Since Linux 5.17.
    TypeTag = 18,
    /// An enumeration with 64-bit values. Since Linux 6.0.
    Enum64 = 19,
}

impl Kind {
    /// All modeled kinds, in ascending order of their numbers.
    pub const ALL: &'static [Self] = &[
        Self::Int,
        Self::Ptr,
        Self::Array,
        Self::Struct,
        Self::Union,
        Self::Enum,
        Self::Fwd,
        Self::Typedef,
        Self::Volatile,
        Self::Const,
        Self::Restrict,
        Self::Func,
        Self::FuncProto,
        Self::Var,
        Self::Datasec,
        Self::Float,
        Self::DeclTag,
        Self::TypeTag,
        Self::Enum64,
    ];

    /// The kind with this number; `None` if this library does not model it.
    #[must_use]
    #[inline]
    pub const fn from_number(number: u8) -> Option<Self> {
        Some(match number {
            1 => Self::Int,
            2 => Self::Ptr,
            3 => Self::Array,
            4 => Self::Struct,
            5 => Self::Union,
            6 => Self::Enum,
            7 => Self::Fwd,
            8 => Self::Typedef,
            9 => Self::Volatile,
            10 => Self::Const,
            11 => Self::Restrict,
            12 => Self::Func,
            13 => Self::FuncProto,
            14 => Self::Var,
            15 => Self::Datasec,
            16 => Self::Float,
            17 => Self::DeclTag,
            18 => Self::TypeTag,
            19 => Self::Enum64,
            _ => return None,
        })
    }

    /// The number in a record's info word.
    #[must_use]
    #[inline]
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The name without its `BTF_KIND_` prefix, as `bpftool` prints it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Int => "INT",
            Self::Ptr => "PTR",
            Self::Array => "ARRAY",
            Self::Struct => "STRUCT",
            Self::Union => "UNION",
            Self::Enum => "ENUM",
            Self::Fwd => "FWD",
            Self::Typedef => "TYPEDEF",
            Self::Volatile => "VOLATILE",
            Self::Const => "CONST",
            Self::Restrict => "RESTRICT",
            Self::Func => "FUNC",
            Self::FuncProto => "FUNC_PROTO",
            Self::Var => "VAR",
            Self::Datasec => "DATASEC",
            Self::Float => "FLOAT",
            Self::DeclTag => "DECL_TAG",
            Self::TypeTag => "TYPE_TAG",
            Self::Enum64 => "ENUM64",
        }
    }

    /// Returns `true` if a kernel accepts this name for a type of this kind, by
    /// the rules of Linux 6.9 and later. (Earlier kernels also require an
    /// identifier for a DATASEC.)
    ///
    /// | kinds | name |
    /// |---|---|
    /// | PTR, ARRAY, VOLATILE, CONST, RESTRICT, FUNC_PROTO | none |
    /// | STRUCT, UNION, ENUM, ENUM64 | none, or an [identifier](Name::is_kernel_identifier) |
    /// | FWD, TYPEDEF, FUNC, VAR | an identifier |
    /// | DATASEC | a [section name](Name::is_kernel_section_name) |
    /// | DECL_TAG, TYPE_TAG | any, but not none |
    /// | INT, FLOAT | any or none |
    #[must_use]
    pub fn accepts_name(self, name: Name<'_>) -> bool {
        match self {
            Self::Ptr | Self::Array | Self::Volatile | Self::Const | Self::Restrict | Self::FuncProto => {
                name.is_empty()
            }
            Self::Struct | Self::Union | Self::Enum | Self::Enum64 => name.is_empty() || name.is_kernel_identifier(),
            Self::Fwd | Self::Typedef | Self::Func | Self::Var => name.is_kernel_identifier(),
            Self::Datasec => name.is_kernel_section_name(),
            Self::DeclTag | Self::TypeTag => !name.is_empty(),
            Self::Int | Self::Float => true,
        }
    }

    /// Roles of the words of this kind's records.
    #[must_use]
    #[inline]
    pub const fn shape(self) -> Shape {
        Shape::of_kind(self)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl From<Kind> for u8 {
    fn from(kind: Kind) -> Self {
        kind.number()
    }
}

impl TryFrom<u8> for Kind {
    type Error = UnknownKind;

    fn try_from(number: u8) -> Result<Self, UnknownKind> {
        Self::from_number(number).ok_or(UnknownKind(number))
    }
}

impl core::str::FromStr for Kind {
    type Err = ParseKindError;

    /// Reads a name as [`Kind::as_str`] writes it, in upper or lower case, with or
    /// without the prefix `BTF_KIND_`.
    fn from_str(s: &str) -> Result<Self, ParseKindError> {
        const PREFIX: &str = "BTF_KIND_";
        let bare = match s.get(..PREFIX.len()) {
            Some(head) if head.eq_ignore_ascii_case(PREFIX) => s.get(PREFIX.len()..).unwrap_or(s),
            _ => s,
        };
        Self::ALL.iter().copied().find(|kind| kind.as_str().eq_ignore_ascii_case(bare)).ok_or(ParseKindError(()))
    }
}

/// Error of converting a number that is not of a modeled kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("unknown BTF kind {0}, expected 1 to 19")]
#[non_exhaustive]
pub struct UnknownKind(pub u8);

/// Error of parsing a [`Kind`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the name of a BTF kind, expected one such as STRUCT or FUNC_PROTO")]
pub struct ParseKindError(());

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_kinds_are_inverse() {
        for (index, kind) in Kind::ALL.iter().copied().enumerate() {
            assert_eq!(usize::from(kind.number()), index + 1);
            assert_eq!(Kind::try_from(kind.number()), Ok(kind));
        }
        for number in (20..=u8::MAX).chain([0]) {
            assert_eq!(Kind::try_from(number), Err(UnknownKind(number)));
        }
    }

    #[test]
    fn names_that_kernels_load() {
        let accepting = |name: &'static str| {
            let kinds = Kind::ALL.iter().filter(|kind| kind.accepts_name(name.into()));
            kinds.map(|kind| kind.number()).collect::<Vec<_>>()
        };
        assert_eq!(accepting(""), [1, 2, 3, 4, 5, 6, 9, 10, 11, 13, 16, 19]);
        assert_eq!(accepting("foo.bar"), [1, 4, 5, 6, 7, 8, 12, 14, 15, 16, 17, 18, 19]);
        assert_eq!(accepting("?foo bar"), [1, 15, 16, 17, 18]);
        assert_eq!(accepting("foo\nbar"), [1, 16, 17, 18]);
    }

    #[test]
    fn names_parse_back() {
        for &kind in Kind::ALL {
            assert_eq!(kind.as_str().parse(), Ok(kind));
        }
        assert_eq!("btf_kind_func_proto".parse(), Ok(Kind::FuncProto));
        assert!("".parse::<Kind>().is_err());
        assert!("BTF_KIND_".parse::<Kind>().is_err());
        assert!("structs".parse::<Kind>().is_err());
    }
}

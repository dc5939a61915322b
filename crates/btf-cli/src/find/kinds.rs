//! The kinds that `btf find` can be narrowed to.

use btf_types::Kind;
use clap::builder::{PossibleValuesParser, TypedValueParser};

/// A kind of type, or what is not a type but has a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    Type(Kind),
    Enumerator,
}

const ENUMERATOR: &str = "enumerator";

/// All that can be asked for.
const NAMES: [&str; 20] = [
    "int",
    "ptr",
    "array",
    "struct",
    "union",
    "enum",
    "fwd",
    "typedef",
    "volatile",
    "const",
    "restrict",
    "func",
    "func_proto",
    "var",
    "datasec",
    "float",
    "decl_tag",
    "type_tag",
    "enum64",
    ENUMERATOR,
];

/// Reads a kind, and lists them all in the help and to shells.
pub(super) fn parser() -> impl TypedValueParser<Value = What> {
    PossibleValuesParser::new(NAMES).try_map(|name| match name.eq_ignore_ascii_case(ENUMERATOR) {
        true => Ok(What::Enumerator),
        false => name.parse().map(What::Type),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_kinds_are_listed() {
        let listed: Vec<_> = NAMES.iter().filter_map(|name| name.parse::<Kind>().ok()).collect();
        assert!(Kind::ALL.iter().eq(&listed));
    }
}

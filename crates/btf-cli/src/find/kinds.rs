//! Kinds for `btf find --kind`.

use btf_types::Kind;
use clap::builder::{PossibleValuesParser, TypedValueParser};

/// Kind of type, or of another named item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    Type(Kind),
    Enumerator,
}

const ENUMERATOR: &str = "enumerator";

/// All names of kinds.
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

/// Returns the parser of kinds, which lists them in the help and in
/// completions.
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

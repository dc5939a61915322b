//! Groups of kinds, and of INTs, that the passes have in common.

use btf_types::Kind;

/// Returns whether an INT, given its data, has a size that C has, and uses all its
/// bits.
pub(super) const fn is_regular_int(data: u32) -> bool {
    matches!(data & 0xff, 8 | 16 | 32 | 64 | 128) && data >> 16 & 0xff == 0
}

/// Returns whether a kind is a qualifier, typedef or type tag.
pub(super) const fn is_modifier(kind: Kind) -> bool {
    matches!(kind, Kind::Typedef | Kind::Volatile | Kind::Const | Kind::Restrict | Kind::TypeTag)
}

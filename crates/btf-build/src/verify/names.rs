//! Names that kernels accept.

use btf_types::{Name, format::Feature};

use super::limits::Limits;

/// Rule of a kernel for a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum NameRule {
    /// Identifier.
    Identifier,
    /// Name of a variable, which has always allowed dots.
    Variable,
    /// Name of a DATASEC.
    Section,
}

impl NameRule {
    /// Returns whether the kernel accepts the string that bytes begin with, to a
    /// NUL or the end.
    pub(crate) fn accepts(self, bytes: &[u8], limits: &Limits) -> bool {
        match self {
            Self::Identifier => is_name(bytes, limits, limits.dots),
            Self::Section if limits.features.contains(Feature::OptionalDatasec) => {
                let len = bytes.iter().take(limits.name_len + 1).position(|&byte| byte == 0).unwrap_or(bytes.len());
                bytes.get(..len).is_some_and(|name| Name::new(name).is_kernel_section_name())
            }
            Self::Variable | Self::Section => is_name(bytes, limits, true),
        }
    }

    /// A name that the kernel accepts, like one that it does not.
    pub(crate) fn mended(self, name: &[u8], limits: &Limits) -> Vec<u8> {
        let dots = limits.dots || self != Self::Identifier;
        let mend = |(index, &byte): (usize, &u8)| {
            let is_fine = if index == 0 { can_begin(byte, dots) } else { can_contain(byte, dots) };
            if is_fine { byte } else { b'_' }
        };
        name.iter().take(limits.name_len).enumerate().map(mend).collect()
    }
}

/// Returns whether an identifier can contain a byte: letters are those of
/// Latin-1.
#[inline]
pub(super) const fn can_contain(byte: u8, dots: bool) -> bool {
    // Without branches, for many bytes to be looked at in one step.
    ((byte | 0x20).wrapping_sub(b'a') < 26)
        | (byte.wrapping_sub(b'0') < 10)
        | (byte == b'_')
        | ((byte == b'.') & dots)
        | ((byte >= 0xc0) & (byte != 0xd7) & (byte != 0xf7))
}

/// Returns whether an identifier can begin with a byte.
#[inline]
pub(super) const fn can_begin(byte: u8, dots: bool) -> bool {
    can_contain(byte, dots) && !byte.is_ascii_digit()
}

fn is_name(bytes: &[u8], limits: &Limits, dots: bool) -> bool {
    let Some((&first, rest)) = bytes.split_first() else { return false };
    if !can_begin(first, dots) {
        return false;
    }
    for &byte in rest.iter().take(limits.name_len) {
        if !can_contain(byte, dots) {
            return byte == 0;
        }
    }
    rest.len() < limits.name_len
}

//! The names that kernels accept.

use btf_types::{Name, format::Feature};

use super::limits::Limits;

/// What a kernel wants of a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum NameRule {
    /// An identifier.
    Identifier,
    /// The name of a variable, which could contain dots from the start.
    Variable,
    /// The name of a DATASEC.
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
        let is_first = |byte: u8| class(byte) & FIRST != 0 && (dots || byte != b'.');
        let is_inner = |byte: u8| class(byte) != 0 && (dots || byte != b'.');
        let mend = |(index, &byte): (usize, &u8)| {
            let is_fine = if index == 0 { is_first(byte) } else { is_inner(byte) };
            if is_fine { byte } else { b'_' }
        };
        name.iter().take(limits.name_len).enumerate().map(mend).collect()
    }
}

/// Classes of bytes.
const INNER: u8 = 1;
const FIRST: u8 = 2;

/// What a byte can be in an identifier: letters are those of Latin-1.
const fn class(byte: u8) -> u8 {
    match byte {
        b'0'..=b'9' => INNER,
        0xd7 | 0xf7 => 0,
        b'a'..=b'z' | b'A'..=b'Z' | b'_' | b'.' | 0xc0..=0xff => INNER | FIRST,
        _ => 0,
    }
}

fn is_name(bytes: &[u8], limits: &Limits, dots: bool) -> bool {
    let Some((&first, rest)) = bytes.split_first() else { return false };
    let is_dotless = |byte: u8| dots || byte != b'.';
    if class(first) & FIRST == 0 || !is_dotless(first) {
        return false;
    }
    for &byte in rest.iter().take(limits.name_len) {
        if class(byte) == 0 || !is_dotless(byte) {
            return byte == 0;
        }
    }
    rest.len() < limits.name_len
}

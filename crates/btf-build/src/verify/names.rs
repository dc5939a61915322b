//! The names that kernels accept.

use btf_types::{Name, format::Feature};

use super::limits::Limits;

/// Returns whether the string that bytes begin with, to a NUL or the end, is an
/// identifier.
pub(super) fn is_identifier(bytes: &[u8], limits: &Limits) -> bool {
    is_name(bytes, limits, limits.dots)
}

/// Returns whether it is the name of a variable, which could contain dots from
/// the start.
pub(super) fn is_variable(bytes: &[u8], limits: &Limits) -> bool {
    is_name(bytes, limits, true)
}

/// Returns whether it is the name of a DATASEC.
pub(super) fn is_section(bytes: &[u8], limits: &Limits) -> bool {
    if !limits.features.contains(Feature::OptionalDatasec) {
        return is_name(bytes, limits, true);
    }
    let len = bytes.iter().take(limits.name_len + 1).position(|&byte| byte == 0).unwrap_or(bytes.len());
    bytes.get(..len).is_some_and(|name| Name::new(name).is_kernel_section_name())
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

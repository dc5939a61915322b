//! Integers and floats in C.
//!
//! Names known to C compilers are kept. Other names are replaced by a spelling with
//! the same size and encoding.

use btf_types::{Float, Int, Name};

use super::{emit::is_polynomial, printer::Printer};

/// Form of a scalar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spelling {
    /// By its name.
    Name,
    /// By the name of another type, of the same size.
    Other(&'static str),
    /// Struct of bytes, as no scalar of C has this size.
    Bytes,
}

impl Printer<'_, '_> {
    /// Returns the form of an integer.
    pub(super) fn spelling(&mut self, int: Int<'_>) -> Spelling {
        let pointer_size = self.btf.pointer_size();
        *self.spellings.entry(int.id()).or_insert_with(|| Spelling::of_int(int, pointer_size))
    }
}

impl Spelling {
    fn of_int(int: Int<'_>, pointer_size: u8) -> Self {
        let (name, size) = (int.as_type().name_start(64), int.size());
        if size == 16 && pointer_size == 4 {
            // Compilers for 32-bit machines have no 16-byte integers.
            return Self::Bytes;
        }
        if is_polynomial(name) || size_of(name, pointer_size) == Some(size) || is_float(name, size) {
            return Self::Name;
        }
        Self::Other(match (size, int.is_signed()) {
            (1, _) if int.is_bool() => "_Bool",
            (1, true) => "signed char",
            (1, false) => "unsigned char",
            (2, true) => "short",
            (2, false) => "unsigned short",
            (4, true) => "int",
            (4, false) => "unsigned int",
            (8, true) => "long long",
            (8, false) => "unsigned long long",
            (16, true) => "__int128",
            (16, false) => "unsigned __int128",
            _ => return Self::Bytes,
        })
    }

    pub(super) fn of_float(float: Float<'_>) -> Self {
        match float.size() {
            size if is_float(float.as_type().name_start(64), size) => Self::Name,
            4 => Self::Other("float"),
            8 => Self::Other("double"),
            _ => Self::Bytes,
        }
    }
}

/// Returns `true` if C has a float with this name and size. (Before FLOAT, they were INTs.)
fn is_float(name: Name<'_>, size: u32) -> bool {
    matches!((name.as_bytes(), size), (b"float", 4) | (b"double", 8) | (b"long double", 8 | 12 | 16))
}

/// Returns the size of a C integer type, whose words may be in any order.
fn size_of(name: Name<'_>, pointer_size: u8) -> Option<u32> {
    let (mut char, mut short, mut int, mut long, mut int128, mut bool, mut sign) = (0, 0, 0, 0, 0, 0, 0);
    for word in name.as_bytes().split(|byte| *byte == b' ') {
        *match word {
            b"char" => &mut char,
            b"short" => &mut short,
            b"int" => &mut int,
            b"long" => &mut long,
            b"__int128" => &mut int128,
            b"_Bool" => &mut bool,
            b"signed" | b"unsigned" => &mut sign,
            _ => return None,
        } += 1;
    }
    Some(match (char, short, int, long, int128, bool, sign) {
        (1, 0, 0, 0, 0, 0, ..=1) | (0, 0, 0, 0, 0, 1, 0) => 1,
        (0, 1, ..=1, 0, 0, 0, ..=1) => 2,
        (0, 0, 1, 0, 0, 0, ..=1) | (0, 0, 0, 0, 0, 0, 1) => 4,
        (0, 0, ..=1, 1, 0, 0, ..=1) => pointer_size.into(),
        (0, 0, ..=1, 2, 0, 0, ..=1) => 8,
        (0, 0, 0, 0, 1, 0, ..=1) => 16,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_c_have_a_size() {
        for (name, size) in [
            ("int", Some(4)),
            ("unsigned", Some(4)),
            ("long unsigned int", Some(8)),
            ("unsigned long", Some(8)),
            ("long long int", Some(8)),
            ("short unsigned int", Some(2)),
            ("signed char", Some(1)),
            ("_Bool", Some(1)),
            ("unsigned __int128", Some(16)),
            ("__int128 unsigned", Some(16)),
            ("unsigned _Bool", None),
            ("u32", None),
            ("long short", None),
            ("int int", None),
            ("", None),
            ("long  int", None),
        ] {
            assert_eq!(size_of(name.into(), 8), size, "{name}");
        }
        assert_eq!(size_of("long int".into(), 4), Some(4));
    }
}

//! Names: bytes, almost always UTF-8.

use core::{
    borrow::Borrow,
    fmt,
    hash::{Hash, Hasher},
    str,
};

use crate::Escaped;

/// A string of the string section: a name, the value of a tag, the name of a
/// section.
///
/// The format defines no encoding. Most names are C identifiers, but Rust and
/// C++ producers write others, and tags hold free text. A name is therefore
/// bytes, and no name is rejected or altered. [`Display`](fmt::Display) escapes
/// control characters and replaces invalid UTF-8, as [`Escaped`] does.
///
/// A name is equal to any text or bytes with the same contents:
///
/// ```
/// use btf_format::Name;
///
/// let name = Name::new(b"sk_buff___old");
/// assert_eq!(name, "sk_buff___old");
/// assert_eq!(name.essential(), b"sk_buff");
/// assert_eq!(name.flavor(), Some("old".into()));
/// assert!(name.is_c_identifier() && !name.is_empty());
/// ```
#[derive(Clone, Copy, Eq, PartialOrd, Ord, Default)]
pub struct Name<'a>(&'a [u8]);

/// Table of the bytes that can occur in a C identifier.
const IS_INNER: [bool; 256] = {
    let (mut is_inner, mut byte) = ([false; 256], 0u8);
    let mut rest: &mut [bool] = &mut is_inner;
    while let Some((is_inner, others)) = rest.split_first_mut() {
        *is_inner = byte.is_ascii_alphanumeric() || byte == b'_';
        (rest, byte) = (others, byte.wrapping_add(1));
    }
    is_inner
};

impl<'a> Name<'a> {
    /// The empty name, which anonymous types and members have.
    pub const EMPTY: Self = Self(b"");

    /// Maximum length of a name that kernels accept, in bytes without the NUL
    /// (`KSYM_NAME_LEN`).
    pub const MAX_KERNEL_LEN: usize = 512;

    /// Makes a name from these bytes, which should not contain NUL.
    #[must_use]
    #[inline]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The bytes, without the terminating NUL.
    #[must_use]
    #[inline]
    pub const fn as_bytes(self) -> &'a [u8] {
        self.0
    }

    /// Returns `true` if the name is empty: the type or member is anonymous.
    #[must_use]
    #[inline]
    pub const fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    /// The name as a string.
    ///
    /// # Errors
    ///
    /// If it is not UTF-8.
    #[inline]
    pub fn to_str(self) -> Result<&'a str, str::Utf8Error> {
        str::from_utf8(self.0)
    }
}

impl<'a> Name<'a> {
    /// Returns `true` if the name is a C identifier: an ASCII letter or `_`,
    /// then letters, digits and `_`. (Keywords are included.)
    #[must_use]
    pub fn is_c_identifier(self) -> bool {
        let is_inner = |&byte: &u8| IS_INNER.get(usize::from(byte)).is_some_and(|is_inner| *is_inner);
        self.0.first().is_some_and(|byte| !byte.is_ascii_digit()) && self.0.iter().all(is_inner)
    }

    /// Returns `true` if a kernel accepts the name as an identifier: for
    /// enumerators, and for named members, parameters and most kinds of types
    /// ([`Kind::accepts_name`](crate::Kind::accepts_name)).
    ///
    /// An identifier is a letter, `_` or `.`, followed by letters, digits, `_`
    /// and `.`, and has at most 512 bytes. Letters are those of Latin-1, as in
    /// the kernel's `isalpha`. The `$`, `-`, spaces and brackets of Rust and
    /// C++ names are not allowed.
    ///
    /// Source: `btf_name_valid_identifier` in `kernel/bpf/btf.c`.
    #[must_use]
    pub fn is_kernel_identifier(self) -> bool {
        let is_letter = |byte: &u8| match byte {
            b'_' | b'.' => true,
            // Multiplication and division sign.
            0xd7 | 0xf7 => false,
            0xc0..=0xff => true,
            _ => byte.is_ascii_alphabetic(),
        };
        let is_inner = |byte: &u8| is_letter(byte) || byte.is_ascii_digit();
        self.0.len() <= Self::MAX_KERNEL_LEN && self.0.first().is_some_and(is_letter) && self.0.iter().all(is_inner)
    }

    /// Returns `true` if a kernel accepts the name for a DATASEC: one to 512
    /// bytes, all of them printable. Kernels before about 6.9 require an
    /// [identifier](Name::is_kernel_identifier).
    ///
    /// Source: `btf_name_valid_section` in `kernel/bpf/btf.c`.
    #[must_use]
    pub fn is_kernel_section_name(self) -> bool {
        let is_printable = |byte: &u8| !matches!(byte, 0..=0x1f | 0x7f..=0x9f);
        (1..=Self::MAX_KERNEL_LEN).contains(&self.0.len()) && self.0.iter().all(is_printable)
    }

    /// The name without its flavor (the "essential name" by which CO-RE
    /// compares): `foo` for `foo___v2`.
    ///
    /// The essential name ends before the last `___` with a character other
    /// than `_` on both sides. `a____b`, `___a` and `a___` have no flavor.
    ///
    /// Source: `bpf_core_essential_name_len` in `tools/lib/bpf/relo_core.c`.
    #[must_use]
    pub fn essential(self) -> Self {
        let is_flavor = |window: &[u8]| match window {
            [before, b'_', b'_', b'_', after] => *before != b'_' && *after != b'_',
            _ => false,
        };
        match self.0.windows(5).rposition(is_flavor) {
            Some(at) => Self(self.0.get(..=at).unwrap_or(self.0)),
            None => self,
        }
    }

    /// The flavor: `v2` for `foo___v2`.
    #[must_use]
    pub fn flavor(self) -> Option<Self> {
        let rest = self.0.get(self.essential().0.len()..)?;
        rest.strip_prefix(b"___").map(Self)
    }
}

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Escaped::new(self.0).fmt(f)
    }
}

impl fmt::Debug for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0.escape_ascii())
    }
}

impl AsRef<[u8]> for Name<'_> {
    fn as_ref(&self) -> &[u8] {
        self.0
    }
}

impl Borrow<[u8]> for Name<'_> {
    fn borrow(&self) -> &[u8] {
        self.0
    }
}

impl<'a> From<&'a str> for Name<'a> {
    fn from(text: &'a str) -> Self {
        Self(text.as_bytes())
    }
}

impl<'a> From<&'a [u8]> for Name<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }
}

impl<'a, const N: usize> From<&'a [u8; N]> for Name<'a> {
    fn from(bytes: &'a [u8; N]) -> Self {
        Self(bytes)
    }
}

/// A name is equal to anything with equal bytes: names, strings, slices,
/// arrays.
impl<T: AsRef<[u8]> + ?Sized> PartialEq<T> for Name<'_> {
    #[inline]
    fn eq(&self, other: &T) -> bool {
        self.0 == other.as_ref()
    }
}

/// Hashes as the bytes, so that maps can be searched by bytes ([`Borrow`]).
impl Hash for Name<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

macro_rules! equal_to {
    ($($other:ty),*) => {$(
        impl PartialEq<Name<'_>> for $other {
            #[inline]
            fn eq(&self, other: &Name<'_>) -> bool {
                other == self
            }
        }
    )*};
}

equal_to!(str, &str, [u8], &[u8]);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compares_with_text_and_bytes() {
        let name = Name::from("sk_buff");
        assert_eq!(name, "sk_buff");
        assert_eq!("sk_buff", name);
        assert_eq!(name, b"sk_buff"[..]);
        assert_ne!(name, "sk_buf");
        assert_eq!(name, String::from("sk_buff"));
        assert_eq!(name, *b"sk_buff");
        assert_eq!(Name::from(b"sk_buff"), name);
        assert!(Name::from("a") < Name::from("b"));
    }

    #[test]
    fn essential_names_are_libbpfs() {
        for (name, essential, flavor) in [
            ("a___b", "a", Some("b")),
            ("foo___v2___x", "foo___v2", Some("x")),
            ("a____b", "a____b", None),
            ("___a", "___a", None),
            ("a___", "a___", None),
            ("a____b___c", "a____b", Some("c")),
            ("", "", None),
            ("a__b", "a__b", None),
        ] {
            assert_eq!(Name::from(name).essential(), essential, "{name}");
            assert_eq!(Name::from(name).flavor(), flavor.map(Name::from), "{name}");
        }
    }

    #[test]
    fn display_escapes_and_replaces() {
        assert_eq!(Name::from("a\nb").to_string(), "a\\nb");
        assert_eq!(Name::new(b"a\xffb").to_string(), "a\u{fffd}b");
        assert_eq!(Name::from("\u{e9}t\u{e9}").to_string(), "\u{e9}t\u{e9}");
        assert_eq!(format!("{:>4}|{:<4}|", Name::from("ab"), Name::from("cd")), "  ab|cd  |");
        assert_eq!(format!("{:?}", Name::new(b"a\"\xff")), r#""a\"\xff""#);
    }

    #[test]
    fn identifiers_of_c_and_of_the_kernel() {
        let long = "a".repeat(Name::MAX_KERNEL_LEN);
        let longer = "a".repeat(Name::MAX_KERNEL_LEN + 1);
        for (bytes, of_c, of_kernel, of_section) in [
            (&b""[..], false, false, false),
            (b"task_struct", true, true, true),
            (b"_1", true, true, true),
            (b"1_", false, false, true),
            (b".data", false, true, true),
            (b"foo.isra.0", false, true, true),
            (b"?struct_ops", false, false, true),
            (b"core::fmt", false, false, true),
            (b"Vec<u8>", false, false, true),
            (b"with space", false, false, true),
            (b"dollar$", false, false, true),
            (b"na\xefve", false, true, true),
            (b"a\xd7b", false, false, true),
            (b"\xf7", false, false, true),
            (b"a\x85", false, false, false),
            (b"a\n", false, false, false),
            (b"a\x7f", false, false, false),
            (b"a\xa0", false, false, true),
            (long.as_bytes(), true, true, true),
            (longer.as_bytes(), true, false, false),
        ] {
            let name = Name::new(bytes);
            let found = (name.is_c_identifier(), name.is_kernel_identifier(), name.is_kernel_section_name());
            assert_eq!(found, (of_c, of_kernel, of_section), "{name:?}");
        }
    }
}

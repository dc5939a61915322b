//! Names: bytes that are almost always UTF-8.

use core::{borrow::Borrow, fmt, str};

use crate::Escaped;

/// A string of the string section: a name, a tag's value, a section's name.
///
/// The format defines no encoding. C identifiers are the rule, but Rust and
/// C++ producers write other things, and tags hold free text; so a name is
/// bytes, and none is ever refused or altered. [`Display`](fmt::Display)
/// escapes control characters and replaces what is not UTF-8, as [`Escaped`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Name<'a>(&'a [u8]);

impl<'a> Name<'a> {
    /// The name of what has none.
    pub const EMPTY: Self = Self(b"");

    /// A name with these bytes; what a NUL and the bytes after it would mean
    /// is for the caller to know.
    #[must_use]
    #[inline]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The bytes, without the NUL that ends them.
    #[must_use]
    #[inline]
    pub const fn as_bytes(self) -> &'a [u8] {
        self.0
    }

    /// Whether there is no name: whether the type or member is anonymous.
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
    /// The name without its flavour, which is what CO-RE compares: `foo` of
    /// `foo___v2`.
    ///
    /// It is cut at the last `___` that has something other than `_` on both
    /// sides: `a____b`, `___a` and `a___` are whole.
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

    /// The flavour: `v2` of `foo___v2`.
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

macro_rules! equal_to {
    ($($other:ty),*) => {$(
        impl PartialEq<$other> for Name<'_> {
            #[inline]
            fn eq(&self, other: &$other) -> bool {
                let other: &[u8] = other.as_ref();
                self.0 == other
            }
        }

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
}

//! Owned names.

use alloc::{boxed::Box, string::String, vec::Vec};
use core::{borrow::Borrow, fmt};

use btf_format::Name;

/// A [`Name`] that owns its bytes.
///
/// ```
/// # fn main() -> Result<(), btf_types::Error> {
/// use btf_types::{Btf, OwnedName};
///
/// # let vmlinux = Btf::parse(std::fs::read("doc/kernel.btf").unwrap())?;
/// let owned: OwnedName = vmlinux.type_by_id(17)?.name().into();
/// drop(vmlinux);
/// assert_eq!(owned, "sk_buff");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct OwnedName(Box<[u8]>);

impl OwnedName {
    /// The name.
    #[must_use]
    pub fn as_name(&self) -> Name<'_> {
        Name::new(&self.0)
    }
}

impl From<&[u8]> for OwnedName {
    fn from(bytes: &[u8]) -> Self {
        Self(bytes.into())
    }
}

impl From<Vec<u8>> for OwnedName {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes.into())
    }
}

impl From<&str> for OwnedName {
    fn from(text: &str) -> Self {
        text.as_bytes().into()
    }
}

impl From<String> for OwnedName {
    fn from(text: String) -> Self {
        text.into_bytes().into()
    }
}

impl From<Name<'_>> for OwnedName {
    fn from(name: Name<'_>) -> Self {
        name.as_bytes().into()
    }
}

impl AsRef<[u8]> for OwnedName {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Borrow<[u8]> for OwnedName {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

macro_rules! equal_to {
    ($($other:ty),*) => {$(
        impl PartialEq<$other> for OwnedName {
            fn eq(&self, other: &$other) -> bool {
                self.as_name() == *other
            }
        }

        impl PartialEq<OwnedName> for $other {
            fn eq(&self, other: &OwnedName) -> bool {
                other == self
            }
        }
    )*};
}

equal_to!(str, &str, String, [u8], &[u8]);

impl PartialEq<Name<'_>> for OwnedName {
    fn eq(&self, other: &Name<'_>) -> bool {
        self.as_name() == *other
    }
}

impl fmt::Display for OwnedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_name().fmt(f)
    }
}

impl fmt::Debug for OwnedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_name().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn equal_to_text_bytes_and_names() {
        let name = OwnedName::from("sk_buff");
        assert_eq!(name, "sk_buff");
        assert_eq!(String::from("sk_buff"), name);
        assert_eq!(name, b"sk_buff"[..]);
        assert_eq!(name, Name::from("sk_buff"));
        assert_eq!(Name::from("sk_buff"), name);
        assert_ne!(name, *"sk_buf");
        assert_eq!(OwnedName::from(String::from("sk_buff")), name);
    }

    #[test]
    fn found_in_a_set_by_its_bytes() {
        let names = HashSet::from([OwnedName::from("a"), OwnedName::from("b")]);
        assert!(names.contains(&b"a"[..]) && !names.contains(&b"c"[..]));
    }
}

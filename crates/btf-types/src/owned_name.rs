//! A name that outlives the BTF that it is of.

use alloc::{boxed::Box, vec::Vec};
use core::fmt;

use btf_format::Name;

/// A [`Name`] that owns its bytes.
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

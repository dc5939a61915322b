//! Types in errors.

use core::fmt;

use btf_format::Kind;

use crate::{Name, OwnedName, Type};

/// Maximum length in bytes of a name that is kept: in a hostile file, thousands
/// of errors can be about types that share a name of megabytes.
const LIMIT: usize = 256;

/// Id, kind and name of the type that an error is about. Outlives the BTF.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TypeRef {
    id: u32,
    kind: Option<Kind>,
    name: OwnedName,
}

impl TypeRef {
    /// The id; 0 for `void`.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.id
    }

    /// The kind; `None` for `void` and unknown kinds.
    #[must_use]
    pub fn kind(&self) -> Option<Kind> {
        self.kind
    }

    /// The name, or its first 256 bytes.
    #[must_use]
    pub fn name(&self) -> Name<'_> {
        self.name.as_name()
    }
}

impl From<Type<'_>> for TypeRef {
    fn from(ty: Type<'_>) -> Self {
        Self { id: ty.id(), kind: ty.kind(), name: ty.name_start(LIMIT).into() }
    }
}

impl fmt::Display for TypeRef {
    /// Writes `STRUCT task_struct (type 7)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.id == 0 {
            return f.write_str("void");
        }
        let kind = self.kind.map_or("type of unknown kind", Kind::as_str);
        match self.name() {
            name if name.is_empty() => write!(f, "anonymous {kind} (type {})", self.id),
            name => write!(f, "{kind} {name} (type {})", self.id),
        }
    }
}

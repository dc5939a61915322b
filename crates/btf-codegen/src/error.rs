//! Errors of generating code.

use std::{fmt, io};

use btf_types::{Kind, OwnedName, Type};

/// Error of generating source code from BTF.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The output could not be written.
    #[error("cannot write the generated code")]
    Output(#[source] io::Error),
    /// The writer refused the output, and did not say why.
    #[error("cannot write the generated code: the writer failed")]
    Writer,
    /// No type has the name or id of a root type.
    #[error("no type {root}, which was to be a root type")]
    #[non_exhaustive]
    NoSuchRoot {
        /// The name; of an id, the number behind `#`.
        root: String,
    },
    /// What a root type's name stands for has no definition in C: it is a function,
    /// a variable, a section or an integer.
    #[error("root type {root} has no definition in C: it is {}", article(*.kind))]
    #[non_exhaustive]
    NotDefinable {
        /// The name of the root type.
        root: String,
        /// The kind of the type of this name.
        kind: Option<Kind>,
    },
    /// A type contains itself, not through a pointer to something named. No such
    /// type can be declared in C.
    #[error("{ty} contains itself by value")]
    #[non_exhaustive]
    Cycle {
        /// The type.
        ty: TypeRef,
    },
    /// Types refer to each other, or are inside each other, for too long.
    #[error("{ty} is nested too deeply: more than {limit} types")]
    #[non_exhaustive]
    TooDeep {
        /// The type at which the limit was reached.
        ty: TypeRef,
        /// The limit.
        limit: u32,
    },
    /// A variable of a section overlaps another, or is beyond the end of the section. So
    /// it is before the sections of an object were fixed up.
    #[error("{variable} in section {section} overlaps another variable or the end of the section: was it fixed up?")]
    #[non_exhaustive]
    Misplaced {
        /// The name of the section.
        section: OwnedName,
        /// The variable.
        variable: TypeRef,
    },
    /// Anonymous types, padding or parameters are repeated far more often than the
    /// BTF has types. No compiler writes such BTF.
    #[error("{ty} expands to too much code: more than {limit} steps for this BTF")]
    #[non_exhaustive]
    TooMuch {
        /// The type at which the limit was reached.
        ty: TypeRef,
        /// The limit.
        limit: u64,
    },
}

/// The kind, name and id of a type that an error is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TypeRef {
    id: u32,
    kind: Option<Kind>,
    name: OwnedName,
}

/// Bytes of a name that an error keeps.
const NAME: usize = 256;

impl TypeRef {
    pub(crate) fn of(ty: Type<'_>) -> Self {
        Self { id: ty.id(), kind: ty.kind(), name: ty.name_start(NAME).into() }
    }

    /// The id of the type.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.id
    }

    /// The kind of the type; `None` for `void` and kinds that are unknown.
    #[must_use]
    pub fn kind(&self) -> Option<Kind> {
        self.kind
    }

    /// The name of the type, or its first 256 bytes.
    #[must_use]
    pub fn name(&self) -> btf_types::Name<'_> {
        self.name.as_name()
    }
}

impl fmt::Display for TypeRef {
    /// Writes the kind, the name and the id: `STRUCT foo (type 12)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.map_or("type", Kind::as_str))?;
        match self.name() {
            name if name.is_empty() => write!(f, " (anonymous, type {})", self.id),
            name => write!(f, " {name} (type {})", self.id),
        }
    }
}

fn article(kind: Option<Kind>) -> String {
    match kind {
        Some(kind @ Kind::Int) => format!("an {kind}"),
        Some(kind) => format!("a {kind}"),
        None => "of an unknown kind".into(),
    }
}

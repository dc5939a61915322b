//! Errors of generating code.

use std::io;

use btf_types::{Kind, OwnedName, TypeRef};

/// Error of generating source code from BTF.
///
/// Each message is complete: [`source`](std::error::Error::source) has nothing to
/// add.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The output could not be written.
    #[error("cannot write the generated code: {0}")]
    Output(io::Error),
    /// The [`fmt::Write`](std::fmt::Write) failed, without a reason.
    #[error("cannot write the generated code: the writer failed")]
    Writer,
    /// No type has the name or id of a root type.
    #[error("no such root type: `{root}`")]
    #[non_exhaustive]
    NoSuchRoot {
        /// The name, or `#` and the id.
        root: String,
    },
    /// A root type cannot be defined: it is a function, a variable, a section
    /// or an integer.
    #[error("root type `{root}` cannot be defined: it is {}", article(*.kind))]
    #[non_exhaustive]
    NotDefinable {
        /// The name of the root type.
        root: String,
        /// The kind of the type of this name.
        kind: Option<Kind>,
    },
    /// A type contains itself, and not through a pointer to a named type. It cannot
    /// be declared.
    #[error("{ty} contains itself")]
    #[non_exhaustive]
    Cycle {
        /// The type.
        ty: TypeRef,
    },
    /// Types are nested too deeply, or form too long a chain.
    #[error("{ty} refers to a chain of more than {limit} types, which may be a cycle")]
    #[non_exhaustive]
    TooDeep {
        /// The type at which the limit was reached.
        ty: TypeRef,
        /// The limit.
        limit: u32,
    },
    /// A variable overlaps another one or the end of its section, as in objects whose
    /// DATASECs were not fixed up.
    #[error("{variable} overlaps another variable or the end of section {section}: fix up the DATASECs first")]
    #[non_exhaustive]
    Misplaced {
        /// The name of the section.
        section: OwnedName,
        /// The variable.
        variable: TypeRef,
    },
    /// The code would repeat anonymous types, padding, parameters or long names far
    /// more often than the BTF has types. No compiler writes such BTF.
    #[error("{ty} is too complex: gave up after {limit} steps")]
    #[non_exhaustive]
    TooComplex {
        /// The type at which the limit was reached.
        ty: TypeRef,
        /// The limit.
        limit: u64,
    },
}

fn article(kind: Option<Kind>) -> String {
    match kind {
        Some(kind @ Kind::Int) => format!("an {kind}"),
        Some(kind) => format!("a {kind}"),
        None => "of an unknown kind".into(),
    }
}

#[cfg(test)]
mod tests {
    use btf_messages::{Messages, examples};
    use btf_types::{Btf, Type};

    use super::*;

    #[test]
    fn messages_stand_alone() {
        let btf = Btf::parse(&include_bytes!("../doc/socket.btf")[..]).unwrap();
        let ty = || TypeRef::from(btf.find_first::<Type<'_>>("sk_buff").unwrap());
        let mut messages = Messages::new(env!("CARGO_MANIFEST_DIR"));
        examples!(messages: Error {
            Output => Error::Output(io::ErrorKind::BrokenPipe.into()),
            Writer => Error::Writer,
            NoSuchRoot => Error::NoSuchRoot { root: "sk_buf".into() },
            NotDefinable => Error::NotDefinable { root: "consume_skb".into(), kind: Some(Kind::Func) },
            Cycle => Error::Cycle { ty: ty() },
            TooDeep => Error::TooDeep { ty: ty(), limit: 64 },
            Misplaced => Error::Misplaced { section: ".bss".into(), variable: ty() },
            TooComplex => Error::TooComplex { ty: ty(), limit: 1_000_000 },
        });
        messages.check(true);
    }
}

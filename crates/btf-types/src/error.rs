//! What can go wrong: at opening, or in asking for an id that is not there.

use btf_format::ByteOrder;

/// Why BTF could not be opened, or has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The bytes are not BTF, or damaged.
    #[error(transparent)]
    Format(#[from] btf_format::Error),
    /// Split BTF, such as a kernel module's, was opened on its own.
    #[error("split BTF: give its base (the string section does not begin with an empty string)")]
    SplitWithoutBase,
    /// Split BTF has another byte order than the base it was given.
    #[error("split BTF is {split}, but the base it was given is {base}")]
    ByteOrderOfBase {
        /// The order of the split BTF.
        split: ByteOrder,
        /// The order of the base.
        base: ByteOrder,
    },
    /// Base and split BTF together have more types or longer strings than
    /// 32-bit ids and offsets can count.
    #[error("{what} of base and split BTF together exceed {limit}", limit = u32::MAX)]
    TooLarge {
        /// What there is too much of.
        what: &'static str,
    },
    /// A record refers to a type that does not exist.
    #[error("type {id} (record at offset {offset}) refers to type {found} at offset {at}, but there are only {count} types{}", wrong_base(.split))]
    IdOutOfRange {
        /// The id of the type whose record it is.
        id: u32,
        /// Where the record begins, in bytes from the start of the blob.
        offset: u64,
        /// Where the id stands, in bytes from the start of the blob.
        at: u64,
        /// The id that it refers to.
        found: u32,
        /// The number of types, `void` and those of the base included.
        count: u32,
        /// Whether it is split BTF, so that a wrong base may be the reason.
        split: bool,
    },
    /// A record has a name outside the string section.
    #[error("type {id} (record at offset {offset}) has the name offset {found} at offset {at}, but there are only {len} bytes of strings{}", wrong_base(.split))]
    NameOutOfRange {
        /// The id of the type whose record it is.
        id: u32,
        /// Where the record begins, in bytes from the start of the blob.
        offset: u64,
        /// Where the name offset stands, in bytes from the start of the blob.
        at: u64,
        /// The name offset.
        found: u32,
        /// Bytes of strings, those of the base included.
        len: u32,
        /// Whether it is split BTF, so that a wrong base may be the reason.
        split: bool,
    },
    /// A FUNC refers to something that is not a FUNC_PROTO.
    #[error("FUNC {id} (record at offset {offset}) refers to type {found}, expected a FUNC_PROTO{}", wrong_base(.split))]
    FuncWithoutProto {
        /// The id of the FUNC.
        id: u32,
        /// Where its record begins, in bytes from the start of the blob.
        offset: u64,
        /// The id that it refers to.
        found: u32,
        /// Whether it is split BTF, so that a wrong base may be the reason.
        split: bool,
    },
    /// There is no type with this id.
    #[error("no type {id}, there are {count} (0 to {})", .count.saturating_sub(1))]
    NoSuchId {
        /// The id that was asked for.
        id: u32,
        /// The number of types, `void` and those of the base included.
        count: u32,
    },
}

fn wrong_base(split: &bool) -> &'static str {
    if *split { ": damaged, or not split from this base" } else { "" }
}

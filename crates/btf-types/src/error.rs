//! What can go wrong: at opening, or in asking for an id that is not there.

use alloc::{boxed::Box, vec::Vec};
use core::fmt;

use btf_format::{ByteOrder, Kind};

use crate::OwnedName;

/// Why BTF could not be opened, or has no answer.
///
/// ```
/// # fn main() -> Result<(), btf_types::Error> {
/// use btf_types::{Btf, Error, Struct};
///
/// # let vmlinux = Btf::parse(std::fs::read("doc/kernel.btf").unwrap())?;
/// match vmlinux.find::<Struct<'_>>("sk_buf") {
///     Err(Error::NoSuchName { name, .. }) => assert_eq!(name, "sk_buf"),
///     found => panic!("{found:?}"),
/// }
/// # Ok(())
/// # }
/// ```
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
    #[non_exhaustive]
    ByteOrderOfBase {
        /// The order of the split BTF.
        split: ByteOrder,
        /// The order of the base.
        base: ByteOrder,
    },
    /// Base and split BTF together have more types or longer strings than
    /// 32-bit ids and offsets can count.
    #[error("{what} of base and split BTF together exceed {limit}", limit = u32::MAX)]
    #[non_exhaustive]
    TooLarge {
        /// What there is too much of.
        what: &'static str,
    },
    /// A record refers to a type that does not exist.
    #[error("type {id} (record at offset {offset}) refers to type {found} at offset {at}, but there are only {count} types{}", wrong_base(.split))]
    #[non_exhaustive]
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
    #[non_exhaustive]
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
    #[non_exhaustive]
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
    /// `.BTF.ext` has another byte order than the `.BTF` beside it.
    #[error(".BTF.ext is {ext}, but the .BTF that it was opened with is {btf}")]
    #[non_exhaustive]
    ByteOrderOfExt {
        /// The order of `.BTF.ext`.
        ext: ByteOrder,
        /// The order of `.BTF`.
        btf: ByteOrder,
    },
    /// `.BTF.ext` names a type or a string that `.BTF` does not have.
    #[error(".BTF.ext has {what} {found}, which .BTF does not have: there are {limit}")]
    #[non_exhaustive]
    ExtReference {
        /// What is named.
        what: &'static str,
        /// The id, or the offset in bytes.
        found: u32,
        /// The number of types, or of bytes of strings.
        limit: u32,
    },
    /// `.BTF.ext` names program sections by strings that overlap so much that
    /// together they are many times as long as the file.
    #[error(".BTF.ext has section names of more than {limit} bytes together, as they overlap")]
    #[non_exhaustive]
    ExtNames {
        /// The most bytes that they may have, in proportion to the file.
        limit: u64,
    },
    /// Something that is to be rewritten for another BTF refers to a type or a
    /// string that the other BTF does not have.
    #[error("{what} {found} has no counterpart in the new BTF")]
    #[non_exhaustive]
    NotMapped {
        /// A type, or a string.
        what: &'static str,
        /// The old id, or the old offset in bytes.
        found: u32,
    },
    /// The access string of a CO-RE relocation is none.
    #[error(
        "CO-RE relocation at byte {insn_off} of its section has the access string {found:?}, expected up to 64 numbers such as 0:1:2"
    )]
    #[non_exhaustive]
    AccessString {
        /// Where the instruction is, in bytes.
        insn_off: u32,
        /// The string.
        found: OwnedName,
    },
    /// It was to be rebased, and is not split.
    #[error("not split BTF: it has no base to be exchanged")]
    NotSplit,
    /// The base that was to be exchanged has a type that no distilled base has.
    #[error("type {id} of the base, {} {name:?}, expected a named INT, FLOAT, ENUM, STRUCT, UNION or FWD: not a distilled base", kind_or_void(.kind))]
    #[non_exhaustive]
    NotDistilled {
        /// The id of the type.
        id: u32,
        /// Its kind.
        kind: Option<Kind>,
        /// Its name.
        name: OwnedName,
    },
    /// A type of the distilled base is not in the new base.
    #[error("the new base has no counterpart of {} {name}", kind_or_type(.kind))]
    #[non_exhaustive]
    NoCounterpart {
        /// Its kind.
        kind: Option<Kind>,
        /// Its name.
        name: OwnedName,
    },
    /// A type of the distilled base could be any of several in the new base.
    #[error("the new base has several counterparts of {} {name}: {}", kind_or_type(.kind), List(.ids))]
    #[non_exhaustive]
    SeveralCounterparts {
        /// Its kind.
        kind: Option<Kind>,
        /// Its name.
        name: OwnedName,
        /// The ids in the new base, rising.
        ids: Vec<u32>,
    },
    /// A string of the distilled base is the name of none of its types, so
    /// that nothing tells where the new base has it.
    #[error("string at offset {offset} of the distilled base is the name of none of its types")]
    #[non_exhaustive]
    NoCounterpartString {
        /// Its offset in bytes.
        offset: u32,
    },
    /// Split BTF was added to a collection of another base.
    #[error("{name} is not split from the base of the collection")]
    #[non_exhaustive]
    NotOfCollection {
        /// The name that it was to be added under.
        name: Box<str>,
    },
    /// A collection has an object of this name.
    #[error("there is a {name} already")]
    #[non_exhaustive]
    NameTaken {
        /// The name.
        name: Box<str>,
    },
    /// Several modules have a type of this name and kind.
    #[error("{} modules have a {} {name}: {}", .objects.len(), Kinds(.kinds), List(.objects))]
    #[non_exhaustive]
    AmbiguousObjects {
        /// The name that was asked for.
        name: OwnedName,
        /// The kinds that were asked for; empty: any.
        kinds: &'static [Kind],
        /// The modules.
        objects: Vec<Box<str>>,
    },
    /// There is no type with this id.
    #[error("no type {id}: ids are 0 to {}", .count.saturating_sub(1))]
    #[non_exhaustive]
    NoSuchId {
        /// The id that was asked for.
        id: u32,
        /// The number of types, `void` and those of the base included.
        count: u32,
    },
    /// There is no type of this name and kind.
    #[error("no {} is named {name}", Kinds(.kinds))]
    #[non_exhaustive]
    NoSuchName {
        /// The name that was asked for.
        name: OwnedName,
        /// The kinds that were asked for; empty: any.
        kinds: &'static [Kind],
    },
    /// There is no enumerator of this name.
    #[error("no enumerator is named {name}")]
    #[non_exhaustive]
    NoSuchEnumerator {
        /// The name that was asked for.
        name: OwnedName,
    },
    /// There are several enumerators of this name, none nearer than the others.
    #[error("{} enumerations have an enumerator {name}: {}", .ids.len(), List(.ids))]
    #[non_exhaustive]
    AmbiguousEnumerator {
        /// The name that was asked for.
        name: OwnedName,
        /// The ids of the enumerations, rising.
        ids: Vec<u32>,
    },
    /// There are several types of this name and kind, none nearer than the
    /// others.
    #[error("{} types are named {name}: {}; which {}?", .ids.len(), List(.ids), Kinds(.kinds))]
    #[non_exhaustive]
    Ambiguous {
        /// The name that was asked for.
        name: OwnedName,
        /// The kinds that were asked for; empty: any.
        kinds: &'static [Kind],
        /// The ids of those that there are, rising.
        ids: Vec<u32>,
    },
    /// A path leads nowhere: there is no such member or element, or it is no
    /// path.
    #[error("type {id} has no {rest}, of the path {path}")]
    #[non_exhaustive]
    NoSuchMember {
        /// The id of the type where the path ends.
        id: u32,
        /// The whole path.
        path: OwnedName,
        /// What was not found, and all that would have followed.
        rest: OwnedName,
    },
    /// No machine has pointers of this size.
    #[error("pointers of {found} bytes, expected 4 or 8")]
    #[non_exhaustive]
    PointerSize {
        /// The size in bytes.
        found: u8,
    },
    /// The type has no size: it is `void`, a function, a forward declaration,
    /// or made of one.
    #[error("type {id} has no size: it is {}", kind_or_void(.kind))]
    #[non_exhaustive]
    Unsized {
        /// The id of what has none.
        id: u32,
        /// Its kind; `None` for `void` and unknown kinds.
        kind: Option<Kind>,
    },
    /// What was asked of the type cannot be told of so large a one.
    #[error("type {id} has more than {limit} bytes")]
    #[non_exhaustive]
    TooBig {
        /// The id of the type.
        id: u32,
        /// The most bytes that it could have.
        limit: u64,
    },
    /// A chain of types, each made of the next, is longer than any that a
    /// compiler writes, or closes in a loop.
    #[error("type {id} goes on for more than {limit} types")]
    #[non_exhaustive]
    TooDeep {
        /// The id of the type where the chain begins.
        id: u32,
        /// The most types that are followed.
        limit: u32,
    },
    /// Type information that was asked about would take more steps than are
    /// taken for one question.
    #[error("type {id} takes more than {limit} steps")]
    #[non_exhaustive]
    TooMuch {
        /// The id of the type that was asked about.
        id: u32,
        /// The most steps that are taken.
        limit: u32,
    },
}

fn kind_or_type(kind: &Option<Kind>) -> &'static str {
    kind.map_or("type", Kind::as_str)
}

fn kind_or_void(kind: &Option<Kind>) -> &'static str {
    kind.map_or("void or of an unknown kind", Kind::as_str)
}

/// Kinds in a text: `STRUCT or UNION`.
pub(crate) struct Kinds<'a>(pub(crate) &'a [Kind]);

impl fmt::Display for Kinds<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("type");
        }
        self.0
            .iter()
            .enumerate()
            .try_for_each(|(index, kind)| write!(f, "{}{kind}", if index == 0 { "" } else { " or " }))
    }
}

/// A list in a text: the first of them, if there are many.
struct List<'a, T>(&'a [T]);

impl<T: fmt::Display> fmt::Display for List<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 8;
        for (index, item) in self.0.iter().take(SHOWN).enumerate() {
            write!(f, "{}{item}", if index == 0 { "" } else { ", " })?;
        }
        if self.0.len() > SHOWN { f.write_str(", ...") } else { Ok(()) }
    }
}

fn wrong_base(split: &bool) -> &'static str {
    if *split { ": damaged, or not split from this base" } else { ": damaged, or split BTF without its base" }
}

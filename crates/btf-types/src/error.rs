//! Errors of opening, queries, rebasing and collections.

use alloc::{boxed::Box, vec::Vec};
use core::fmt;

use btf_format::{ByteOrder, Kind, Name};

use crate::{OwnedName, TypeRef};

/// Error of opening BTF or `.BTF.ext`, of a query, or of rebasing.
///
/// Each message is complete: [`source`](core::error::Error::source) has nothing to
/// add.
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
    /// The bytes are not BTF, or are damaged.
    #[error(transparent)]
    Format(#[from] btf_format::Error),
    /// Split BTF, such as a kernel module's, was opened on its own.
    #[error("split BTF, as its string section does not begin with an empty string: open it with its base")]
    SplitWithoutBase,
    /// Split BTF and its base have different byte orders.
    #[error("the split BTF is {split}, but its base is {base}")]
    #[non_exhaustive]
    ByteOrderOfBase {
        /// The order of the split BTF.
        split: ByteOrder,
        /// The order of the base.
        base: ByteOrder,
    },
    /// Base and split BTF together exceed the range of 32-bit ids or string
    /// offsets.
    #[error("base and split BTF together have more than {limit} {what}", limit = u32::MAX)]
    #[non_exhaustive]
    TooLarge {
        /// The quantity: `types` or `bytes of strings`.
        what: &'static str,
    },
    /// A record refers to a type that does not exist.
    #[error("type {id} (record at offset {offset}) refers to type {found} (word at offset {at}), but ids end at {}{}", .count.saturating_sub(1), wrong_base(.split))]
    #[non_exhaustive]
    IdOutOfRange {
        /// The id of the type that the record defines.
        id: u32,
        /// Offset of the record in bytes from the start of the blob.
        offset: u64,
        /// Offset of the id in bytes from the start of the blob.
        at: u64,
        /// The id that it refers to.
        found: u32,
        /// The number of types, including `void` and those of the base.
        count: u32,
        /// True for split BTF, where a wrong base may be the reason.
        split: bool,
    },
    /// A record has a name outside the string section.
    #[error("type {id} (record at offset {offset}) has its name at string offset {found} (word at offset {at}), but there are only {len} bytes of strings{}", wrong_base(.split))]
    #[non_exhaustive]
    NameOutOfRange {
        /// The id of the type that the record defines.
        id: u32,
        /// Offset of the record in bytes from the start of the blob.
        offset: u64,
        /// Offset of the name offset in bytes from the start of the blob.
        at: u64,
        /// The name offset.
        found: u32,
        /// Length of all strings in bytes, including those of the base.
        len: u32,
        /// True for split BTF, where a wrong base may be the reason.
        split: bool,
    },
    /// A FUNC refers to something that is not a FUNC_PROTO.
    #[error("FUNC {id} (record at offset {offset}) refers to type {found}, expected a FUNC_PROTO{}", wrong_base(.split))]
    #[non_exhaustive]
    FuncWithoutProto {
        /// The id of the FUNC.
        id: u32,
        /// Offset of its record in bytes from the start of the blob.
        offset: u64,
        /// The id that it refers to.
        found: u32,
        /// True for split BTF, where a wrong base may be the reason.
        split: bool,
    },
    /// `.BTF.ext` and `.BTF` have different byte orders.
    #[error("the .BTF.ext is {ext}, but the .BTF is {btf}")]
    #[non_exhaustive]
    ByteOrderOfExt {
        /// The order of `.BTF.ext`.
        ext: ByteOrder,
        /// The order of `.BTF`.
        btf: ByteOrder,
    },
    /// `.BTF.ext` refers to a type or a string that `.BTF` does not have.
    #[error(".BTF.ext refers to {what} {found}, but .BTF has only {limit} {}", if *.what == "type" { "types" } else { "bytes of strings" })]
    #[non_exhaustive]
    ExtReference {
        /// The reference: `type`, or a string such as `section name at offset`.
        what: &'static str,
        /// The id, or the offset in bytes.
        found: u32,
        /// The number of types, or of bytes of strings.
        limit: u32,
    },
    /// A func_info record of `.BTF.ext` refers to a type that is not a FUNC.
    #[error("a func_info record of .BTF.ext refers to {ty}, expected a FUNC")]
    #[non_exhaustive]
    ExtNotFunc {
        /// The type.
        ty: TypeRef,
    },
    /// Section names in `.BTF.ext` overlap so much that together they are many
    /// times as long as the file.
    #[error("the section names of .BTF.ext overlap and have more than {limit} bytes in all")]
    #[non_exhaustive]
    ExtNames {
        /// Maximum number of bytes, in proportion to the file.
        limit: u64,
    },
    /// A rewritten record refers to a type that the new BTF does not have.
    #[error("{ty} has no matching type in the new BTF")]
    #[non_exhaustive]
    TypeNotMapped {
        /// The type in the old BTF.
        ty: TypeRef,
    },
    /// A rewritten record refers to a string that the new BTF does not have.
    #[error("string `{string}` (offset {offset}) is not in the new BTF")]
    #[non_exhaustive]
    StringNotMapped {
        /// The string, or its first 256 bytes.
        string: OwnedName,
        /// Offset of the string in the old BTF in bytes.
        offset: u32,
    },
    /// A CO-RE relocation has an invalid access string.
    #[error(
        "CO-RE relocation at byte {insn_off} of section {section} has the access string {found:?}, expected up to 64 numbers such as 0:1:2"
    )]
    #[non_exhaustive]
    AccessString {
        /// The program section.
        section: OwnedName,
        /// Offset of the instruction in its section in bytes.
        insn_off: u32,
        /// The string.
        found: OwnedName,
    },
    /// BTF that is not split cannot be rebased.
    #[error("cannot rebase: the BTF is not split")]
    NotSplit,
    /// The old base has a type that a distilled base cannot have.
    #[error("not a distilled base: it has {ty}, expected only named INT, FLOAT, ENUM, STRUCT, UNION and FWD")]
    #[non_exhaustive]
    NotDistilled {
        /// The type.
        ty: TypeRef,
    },
    /// A type of the distilled base is not in the new base.
    #[error("the new base has no matching type for {} {name}", kind_or_type(.kind))]
    #[non_exhaustive]
    NoCounterpart {
        /// Kind of the type.
        kind: Option<Kind>,
        /// Name of the type.
        name: OwnedName,
    },
    /// Several types of the new base match a type of the distilled base.
    #[error("the new base has several matching types for {} {name} (ids {})", kind_or_type(.kind), List(.ids))]
    #[non_exhaustive]
    SeveralCounterparts {
        /// Kind of the type.
        kind: Option<Kind>,
        /// Name of the type.
        name: OwnedName,
        /// The ids in the new base, ascending.
        ids: Vec<u32>,
    },
    /// A string of the distilled base is not the name of any of its types, so
    /// that it has no offset in the new base.
    #[error("the string at offset {offset} of the distilled base is not the name of a type")]
    #[non_exhaustive]
    NoCounterpartString {
        /// Offset of the string in bytes.
        offset: u32,
    },
    /// Split BTF was added to a collection with another base.
    #[error("cannot add `{name}` to the collection: it is not split from the base of the collection")]
    #[non_exhaustive]
    NotOfCollection {
        /// The name that it was to be added under.
        name: Box<str>,
    },
    /// A collection already has an object of this name.
    #[error("cannot add `{name}` to the collection: it already has an object of this name")]
    #[non_exhaustive]
    NameTaken {
        /// The name.
        name: Box<str>,
    },
    /// Several modules have a type of this name and kind.
    #[error("`{name}` is ambiguous: {} modules have a {} of this name: {}", .objects.len(), Kinds(.kinds), List(.objects))]
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
    #[error("no type with id {id}: ids are 0 to {}", .count.saturating_sub(1))]
    #[non_exhaustive]
    NoSuchId {
        /// The id that was asked for.
        id: u32,
        /// The number of types, including `void` and those of the base.
        count: u32,
    },
    /// There is no type of this name and kind.
    #[error("no {} named `{name}`", Kinds(.kinds))]
    #[non_exhaustive]
    NoSuchName {
        /// The name that was asked for.
        name: OwnedName,
        /// The kinds that were asked for; empty: any.
        kinds: &'static [Kind],
    },
    /// There is no enumerator of this name.
    #[error("no enumerator named `{name}`")]
    #[non_exhaustive]
    NoSuchEnumerator {
        /// The name that was asked for.
        name: OwnedName,
    },
    /// Several enumerators in the same layer have this name.
    #[error("`{name}` is ambiguous: {} enums (ids {}) have an enumerator of this name", .ids.len(), List(.ids))]
    #[non_exhaustive]
    AmbiguousEnumerator {
        /// The name that was asked for.
        name: OwnedName,
        /// The ids of the enums, ascending.
        ids: Vec<u32>,
    },
    /// Several types in the same layer have this name and kind.
    #[error("`{name}` is ambiguous: {} types{} (ids {}) have this name; look one up by its id", .ids.len(), OfKinds(.kinds), List(.ids))]
    #[non_exhaustive]
    Ambiguous {
        /// The name that was asked for.
        name: OwnedName,
        /// The kinds that were asked for; empty: any.
        kinds: &'static [Kind],
        /// The ids, ascending.
        ids: Vec<u32>,
    },
    /// A path names a member or element that does not exist, or is not a path.
    #[error("{ty} has no {} (path `{path}`)", Part(.rest))]
    #[non_exhaustive]
    NoSuchMember {
        /// The type where the path ends.
        ty: TypeRef,
        /// The whole path.
        path: OwnedName,
        /// The part of the path that was not found, and all that follows.
        rest: OwnedName,
    },
    /// The pointer size is neither 4 nor 8 bytes.
    #[error("pointer size of {found} bytes, expected 4 or 8")]
    #[non_exhaustive]
    PointerSize {
        /// The size in bytes.
        found: u8,
    },
    /// The type has no size: it is `void`, a function or a forward declaration,
    /// or contains one.
    #[error("{ty} has no size")]
    #[non_exhaustive]
    Unsized {
        /// The type without a size: the given type, or one that it contains.
        ty: TypeRef,
    },
    /// The type is larger than the operation allows.
    #[error("{ty} is larger than {limit} bytes")]
    #[non_exhaustive]
    TypeTooLarge {
        /// The type.
        ty: TypeRef,
        /// Maximum size in bytes.
        limit: u64,
    },
    /// A chain of types is longer than any that a compiler writes, or is a cycle.
    #[error("{ty} refers to a chain of more than {limit} types, which may be a cycle")]
    #[non_exhaustive]
    TooDeep {
        /// The type at the start of the chain.
        ty: TypeRef,
        /// Maximum number of types.
        limit: u32,
    },
    /// A query takes more steps than its budget.
    #[error("{ty} is too complex: gave up after {limit} steps")]
    #[non_exhaustive]
    TooComplex {
        /// The type that was queried.
        ty: TypeRef,
        /// Maximum number of steps.
        limit: u32,
    },
}

fn kind_or_type(kind: &Option<Kind>) -> &'static str {
    kind.map_or("type", Kind::as_str)
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

/// Kinds after the word "types": ` of kind STRUCT or UNION`; empty for any.
struct OfKinds<'a>(&'a [Kind]);

impl fmt::Display for OfKinds<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { Ok(()) } else { write!(f, " of kind {}", Kinds(self.0)) }
    }
}

/// First part of the unresolved path: "member `mm`" or "element `[3]`".
struct Part<'a>(&'a OwnedName);

impl fmt::Display for Part<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rest: &[u8] = self.0.as_ref();
        if rest.first() == Some(&b'[') {
            let end = rest.iter().position(|&byte| byte == b']').map_or(rest.len(), |end| end + 1);
            return write!(f, "element `{}`", Name::new(rest.get(..end).unwrap_or_default()));
        }
        let name = rest.strip_prefix(b".").or(rest.strip_prefix(b"->")).unwrap_or(rest);
        let is_end =
            |at: usize| name.get(at..).is_some_and(|rest| matches!(rest, [b'.' | b'[', ..] | [b'-', b'>', ..]));
        let end = (0..name.len()).find(|&at| is_end(at)).unwrap_or(name.len());
        write!(f, "member `{}`", Name::new(name.get(..end).unwrap_or_default()))
    }
}

/// The first elements of a list in a text.
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

#[cfg(test)]
mod tests {
    use btf_messages::{Messages, examples};

    use super::*;
    use crate::{Btf, Struct, Type, WrongKind};

    #[test]
    fn messages_stand_alone() {
        let btf = Btf::parse(&include_bytes!("../doc/kernel.btf")[..]).unwrap();
        let of = |name: &str| TypeRef::from(btf.find_first::<Type<'_>>(name).unwrap());
        let structs = <Struct<'_> as crate::View>::KINDS;
        let mut messages = Messages::new(env!("CARGO_MANIFEST_DIR"));
        messages.allow_ids(
            "the file is damaged, and the names of its types may be too",
            &["Error::IdOutOfRange", "Error::NameOutOfRange", "Error::FuncWithoutProto"],
        );
        messages.allow_ids("there is no type with this id", &["Error::ExtReference", "Error::NoSuchId"]);
        examples!(messages: Error {
            Format => btf_format::RawBtf::parse(b"no BTF").unwrap_err().into(),
            SplitWithoutBase => Error::SplitWithoutBase,
            ByteOrderOfBase => Error::ByteOrderOfBase { split: ByteOrder::Big, base: ByteOrder::Little },
            TooLarge => Error::TooLarge { what: "bytes of strings" },
            IdOutOfRange => Error::IdOutOfRange { id: 7, offset: 120, at: 128, found: 900, count: 43, split: false },
            NameOutOfRange => Error::NameOutOfRange { id: 7, offset: 120, at: 120, found: 90_000, len: 512, split: true },
            FuncWithoutProto => Error::FuncWithoutProto { id: 7, offset: 120, found: 3, split: false },
            ByteOrderOfExt => Error::ByteOrderOfExt { ext: ByteOrder::Big, btf: ByteOrder::Little },
            ExtReference => Error::ExtReference { what: "type", found: 900, limit: 43 },
            ExtNotFunc => Error::ExtNotFunc { ty: of("sk_buff") },
            ExtNames => Error::ExtNames { limit: 65_536 },
            TypeNotMapped => Error::TypeNotMapped { ty: of("sk_buff") },
            StringNotMapped => Error::StringNotMapped { string: "sk_buff".into(), offset: 34 },
            AccessString => Error::AccessString { section: "kprobe/tcp_sendmsg".into(), insn_off: 16, found: "0:x".into() },
            NotSplit => Error::NotSplit,
            NotDistilled => Error::NotDistilled { ty: of("consume_skb") },
            NoCounterpart => Error::NoCounterpart { kind: Some(Kind::Struct), name: "sk_buff".into() },
            SeveralCounterparts => Error::SeveralCounterparts { kind: Some(Kind::Struct), name: "sk_buff".into(), ids: [4, 9].into() },
            NoCounterpartString => Error::NoCounterpartString { offset: 34 },
            NotOfCollection => Error::NotOfCollection { name: "veth".into() },
            NameTaken => Error::NameTaken { name: "veth".into() },
            AmbiguousObjects => Error::AmbiguousObjects { name: "port".into(), kinds: structs, objects: ["ovs", "veth"].map(Box::from).into() },
            NoSuchId => Error::NoSuchId { id: 900, count: 43 },
            NoSuchName => btf.find::<Struct<'_>>("sk_buf").unwrap_err(),
            NoSuchEnumerator => btf.find_enumerator("NO_SUCH").unwrap_err(),
            AmbiguousEnumerator => Error::AmbiguousEnumerator { name: "IDLE".into(), ids: [4, 9].into() },
            Ambiguous => Error::Ambiguous { name: "dir_entry".into(), kinds: structs, ids: [3905, 25537].into() },
            NoSuchMember => btf.path("sk_buff.no_such.member").unwrap_err(),
            PointerSize => Error::PointerSize { found: 2 },
            Unsized => Error::Unsized { ty: of("consume_skb") },
            TypeTooLarge => Error::TypeTooLarge { ty: of("sk_buff"), limit: u32::MAX.into() },
            TooDeep => Error::TooDeep { ty: of("sk_buff"), limit: 64 },
            TooComplex => Error::TooComplex { ty: of("sk_buff"), limit: 1_000_000 },
        });
        messages.add("WrongKind", &WrongKind { expected: structs, found: Some(Kind::Int) });
        messages.check(true);
    }

    #[test]
    fn the_part_of_a_path_that_is_missing() {
        for (rest, part) in [
            (".mm.x", "member `mm`"),
            ("->mm[3]", "member `mm`"),
            ("mm->x", "member `mm`"),
            ("[3].x", "element `[3]`"),
            ("[3", "element `[3`"),
            (".", "member ``"),
        ] {
            assert_eq!(alloc::format!("{}", Part(&rest.into())), part);
        }
    }

    #[test]
    fn types_are_named_as_far_as_they_can_be() {
        let btf = Btf::parse(&include_bytes!("../doc/kernel.btf")[..]).unwrap();
        let list_head = btf.find::<Struct<'_>>("list_head").unwrap();
        let show = |ty: Type<'_>| alloc::format!("{}", TypeRef::from(ty));
        assert_eq!(show(list_head.into()), alloc::format!("STRUCT list_head (type {})", list_head.id()));
        let pointer = list_head.members().next().unwrap().ty();
        assert_eq!(show(pointer), alloc::format!("anonymous PTR (type {})", pointer.id()));
        assert_eq!(show(Type::Void), "void");
    }
}

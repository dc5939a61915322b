//! Errors of building BTF.

use btf_types::{ByteOrder, Kind, OwnedName, format::KernelVersion};

/// Error of building, copying, merging, rewriting or encoding BTF.
///
/// Each message is complete: [`source`](std::error::Error::source) has nothing to
/// add.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A name contains a NUL byte, where it would end.
    #[error("name {name:?} contains a NUL byte")]
    #[non_exhaustive]
    NulInName {
        /// The name.
        name: OwnedName,
    },
    /// A type without a name is of a kind that needs one.
    #[error("{kind} without a name: this kind needs one")]
    #[non_exhaustive]
    NameMissing {
        /// The kind.
        kind: Kind,
    },
    /// A reference is to an id that does not exist.
    #[error("no type with id {id} in the builder: ids are 0 to {}", .count.saturating_sub(1))]
    #[non_exhaustive]
    NoSuchId {
        /// The id.
        id: u32,
        /// The number of types, including `void` and those of the base.
        count: u32,
    },
    /// A definition is of an id that was not declared.
    #[error("cannot define type {id}: it was not declared in this builder")]
    #[non_exhaustive]
    NotDeclared {
        /// The id.
        id: u32,
    },
    /// A declared type is defined a second time.
    #[error("cannot define type {id}: it is already defined")]
    #[non_exhaustive]
    AlreadyDefined {
        /// The id.
        id: u32,
    },
    /// Declared types were not defined.
    #[error("{} declared but not defined: {}", Count(.ids.len()), List(.ids))]
    #[non_exhaustive]
    Undefined {
        /// The ids, ascending.
        ids: Vec<u32>,
    },
    /// A type has a size that its kind cannot have.
    #[error("{} of {size} bytes, expected {expected}", Named(*.kind, .name))]
    #[non_exhaustive]
    Size {
        /// The kind.
        kind: Kind,
        /// The name of the type.
        name: OwnedName,
        /// The size in bytes.
        size: u32,
        /// The possible sizes.
        expected: &'static str,
    },
    /// The bits of an integer do not fit its bytes.
    #[error("INT `{name}` of {size} bytes cannot hold {bits} bits at bit {bit_offset}")]
    #[non_exhaustive]
    IntBits {
        /// The name of the integer.
        name: OwnedName,
        /// Size of the integer in bytes.
        size: u32,
        /// The offset of its value in bits.
        bit_offset: u8,
        /// The size of its value in bits.
        bits: u8,
    },
    /// A type exceeds the maximum number of members, values, parameters or
    /// variables.
    #[error("{} has more than {max} elements", Named(*.kind, .name), max = btf_types::format::Info::MAX_VLEN)]
    #[non_exhaustive]
    TooManyElements {
        /// The kind of the type.
        kind: Kind,
        /// The name of the type.
        name: OwnedName,
    },
    /// A member of a struct with bitfields has an offset of more than 24 bits.
    #[error(
        "{} has both bitfields and a member at bit {bit_offset}: beside bitfields, offsets have 24 bits",
        Named(*.kind, .name)
    )]
    #[non_exhaustive]
    OffsetBesideBitfield {
        /// The kind of the type.
        kind: Kind,
        /// The name of the type.
        name: OwnedName,
        /// The offset in bits.
        bit_offset: u32,
    },
    /// A bitfield has no bits.
    #[error("bitfield `{name}` has 0 bits, expected 1 to 255")]
    #[non_exhaustive]
    EmptyBitfield {
        /// The name of the member.
        name: OwnedName,
    },
    /// A member of a union is not at offset 0.
    #[error("member `{name}` of a union is at bit {bit_offset}, expected 0")]
    #[non_exhaustive]
    UnionOffset {
        /// The name of the member.
        name: OwnedName,
        /// The offset in bits.
        bit_offset: u32,
    },
    /// A value does not fit its signed or unsigned enum.
    #[error("enumerator `{name}` = {value} does not fit {} {kind}", if *.signed { "a signed" } else { "an unsigned" })]
    #[non_exhaustive]
    EnumValue {
        /// The kind of the enum.
        kind: Kind,
        /// The name of the enumerator.
        name: OwnedName,
        /// The value.
        value: i128,
        /// True for a signed enum.
        signed: bool,
    },
    /// A linkage does not fit its 24 bits.
    #[error("linkage {linkage} of FUNC `{name}` does not fit 24 bits")]
    #[non_exhaustive]
    Linkage {
        /// The name of the function.
        name: OwnedName,
        /// The number.
        linkage: u32,
    },
    /// A component_idx does not fit its 31 bits.
    #[error("component_idx {component} of DECL_TAG `{name}` does not fit 31 bits")]
    #[non_exhaustive]
    Component {
        /// The tag.
        name: OwnedName,
        /// The number.
        component: u32,
    },
    /// A FUNC refers to something that is not a FUNC_PROTO.
    #[error("FUNC `{name}` refers to type {id} ({}), expected a FUNC_PROTO", kind_or_void(.kind))]
    #[non_exhaustive]
    FuncWithoutProto {
        /// The name of the function.
        name: OwnedName,
        /// The id that it refers to.
        id: u32,
        /// The kind of that type.
        kind: Option<Kind>,
    },
    /// The result exceeds 32-bit ids or string offsets.
    #[error("the result has more than {limit} {what}", limit = u32::MAX)]
    #[non_exhaustive]
    TooLarge {
        /// The quantity: `types` or `bytes of strings`.
        what: &'static str,
    },
    /// The base of split BTF was not added.
    #[error("cannot add split BTF: its base was not added; add the base first")]
    OtherBase,
    /// `.BTF.ext` was opened with another BTF than the one it is added with.
    #[error("cannot add the .BTF.ext: it was opened with another BTF")]
    OtherExt,
    /// BTF of different byte orders cannot be merged.
    #[error("cannot add {found} BTF to {expected} BTF")]
    #[non_exhaustive]
    ByteOrder {
        /// The byte order of what is added.
        found: ByteOrder,
        /// The byte order of what it is added to.
        expected: ByteOrder,
    },
    /// BTF that is not split cannot be distilled.
    #[error("cannot distill: the BTF is not split")]
    NotSplit,
    /// Split BTF refers to a type of its base that no distilled base can hold.
    #[error("cannot distill: the split BTF refers to {} `{name}` (type {id} of the base), which a distilled base cannot have", kind_or_void(.kind))]
    #[non_exhaustive]
    NotDistillable {
        /// The id in the base.
        id: u32,
        /// The kind.
        kind: Option<Kind>,
        /// The name.
        name: OwnedName,
    },
    /// A list of new ids is not a permutation of the own ids.
    #[error("not a permutation of the own ids, {first} to {}: {reason}", (.first + .count).saturating_sub(1))]
    #[non_exhaustive]
    NotPermutation {
        /// The first own id.
        first: u32,
        /// The number of own types.
        count: u32,
        /// The reason.
        reason: &'static str,
    },
    /// Names or types are too similar to be compared within the step budget.
    #[error("too complex: gave up comparing similar names and types after {limit} steps")]
    #[non_exhaustive]
    TooComplex {
        /// Maximum number of steps.
        limit: u64,
    },
    /// Long names share their bytes, and exceed the limit of bytes to compare.
    #[error("names that overlap have more than the limit of {limit} bytes in all")]
    #[non_exhaustive]
    NamesShared {
        /// Maximum number of bytes that are compared.
        limit: u64,
    },
    /// The kernel that BTF is encoded for cannot read it.
    #[error("type {id} ({}{}{name}) cannot be read by the kernel: {what} came with Linux {since}", kind_or_unknown(.kind), if .name.as_ref().is_empty() { "" } else { " " })]
    #[non_exhaustive]
    Unreadable {
        /// The id of the first type that cannot be read.
        id: u32,
        /// Kind of the type; `None` if this library does not model it.
        kind: Option<Kind>,
        /// Name of the type.
        name: OwnedName,
        /// The unsupported feature.
        what: &'static str,
        /// The first kernel that supports it.
        since: KernelVersion,
    },
    /// The kernel that BTF is encoded for does not accept a type that it can
    /// read, which sanitizing would rewrite.
    #[error("type {id} ({}{}{name}) is rejected by the kernel for {what}", kind_or_unknown(.kind), if .name.as_ref().is_empty() { "" } else { " " })]
    #[non_exhaustive]
    Rejected {
        /// The id of the first such type.
        id: u32,
        /// Kind of the type; `None` if this library does not model it.
        kind: Option<Kind>,
        /// Name of the type.
        name: OwnedName,
        /// The part that is not accepted.
        what: &'static str,
    },
    /// The kernel that BTF is encoded for cannot read its header.
    #[error("the BTF cannot be read by the kernel: {what} came with Linux {since}")]
    #[non_exhaustive]
    UnreadableHeader {
        /// The unsupported feature.
        what: &'static str,
        /// The first kernel that supports it.
        since: KernelVersion,
    },
    /// The kernel that BTF is encoded for cannot read a kind of type that came
    /// after this library.
    #[error("`{name}` (type {id}) has the unknown kind {kind}: it is not known which kernels can read it")]
    #[non_exhaustive]
    UnknownKind {
        /// The id of the type.
        id: u32,
        /// The number of its kind.
        kind: u8,
        /// Name of the type.
        name: OwnedName,
    },
    /// The layout section cannot be omitted: only it gives the size of a type.
    #[error("cannot omit the layout section: only it gives the size of kind {kind}, which `{name}` (type {id}) has")]
    #[non_exhaustive]
    LayoutNeeded {
        /// The id of the type.
        id: u32,
        /// The number of its kind.
        kind: u8,
        /// Name of the type.
        name: OwnedName,
    },
    /// The header has an invalid size.
    #[error("BTF header of {found} bytes, expected {expected}")]
    #[non_exhaustive]
    HeaderSize {
        /// The size in bytes.
        found: u32,
        /// The possible sizes.
        expected: &'static str,
    },
    /// The bytes are not BTF, or cannot be written.
    #[error(transparent)]
    Format(#[from] btf_types::format::Error),
    /// The input or the result cannot be opened.
    #[error(transparent)]
    Btf(btf_types::Error),
}

impl From<btf_types::Error> for Error {
    fn from(error: btf_types::Error) -> Self {
        match error {
            btf_types::Error::Format(error) => Self::Format(error),
            error => Self::Btf(error),
        }
    }
}

fn kind_or_void(kind: &Option<Kind>) -> &'static str {
    kind.map_or("VOID or an unknown kind", Kind::as_str)
}

fn kind_or_unknown(kind: &Option<Kind>) -> &'static str {
    kind.map_or("of an unknown kind", Kind::as_str)
}

/// Kind and name of a type in a message.
struct Named<'a>(Kind, &'a OwnedName);

impl std::fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self(kind, name) = self;
        if name.as_name().is_empty() { write!(f, "anonymous {kind}") } else { write!(f, "{kind} `{name}`") }
    }
}

/// A number of types in a message.
struct Count(usize);

impl std::fmt::Display for Count {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            1 => f.write_str("1 type is"),
            count => write!(f, "{count} types are"),
        }
    }
}

/// The first ids of a list in a message.
struct List<'a>(&'a [u32]);

impl std::fmt::Display for List<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        const SHOWN: usize = 16;
        for (index, id) in self.0.iter().take(SHOWN).enumerate() {
            write!(f, "{}{id}", if index == 0 { "" } else { ", " })?;
        }
        if self.0.len() > SHOWN { f.write_str(", ...") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use btf_messages::{Messages, examples};
    use btf_types::Btf;

    use super::*;
    use crate::{Builder, Reject, Rule};

    #[test]
    fn messages_stand_alone() {
        let name = || OwnedName::from("task_struct");
        let kind = Kind::Struct;
        let mut messages = Messages::new(env!("CARGO_MANIFEST_DIR"));
        messages.allow_ids("there is no type with this id", &["Error::NoSuchId", "Error::NotDeclared"]);
        messages.allow_ids("a type has no name before it is defined", &["Error::AlreadyDefined"]);
        examples!(messages: Error {
            NulInName => Error::NulInName { name: "a\0b".into() },
            NameMissing => Error::NameMissing { kind: Kind::Typedef },
            NoSuchId => Builder::new().ptr(9).unwrap_err(),
            NotDeclared => Error::NotDeclared { id: 9 },
            AlreadyDefined => Error::AlreadyDefined { id: 3 },
            Undefined => Error::Undefined { ids: vec![3, 4] },
            Size => Error::Size { kind: Kind::Int, name: "int".into(), size: 17, expected: "1, 2, 4, 8 or 16" },
            IntBits => Error::IntBits { name: "int".into(), size: 4, bit_offset: 8, bits: 32 },
            TooManyElements => Error::TooManyElements { kind, name: name() },
            OffsetBesideBitfield => Error::OffsetBesideBitfield { kind, name: name(), bit_offset: 1 << 24 },
            EmptyBitfield => Error::EmptyBitfield { name: "flags".into() },
            UnionOffset => Error::UnionOffset { name: "flags".into(), bit_offset: 32 },
            EnumValue => Error::EnumValue { kind: Kind::Enum, name: "MAX".into(), value: 1 << 40, signed: false },
            Linkage => Error::Linkage { name: "main".into(), linkage: 1 << 24 },
            Component => Error::Component { name: "user".into(), component: 1 << 31 },
            FuncWithoutProto => Error::FuncWithoutProto { name: "main".into(), id: 3, kind: Some(Kind::Int) },
            TooLarge => Error::TooLarge { what: "types" },
            OtherBase => Error::OtherBase,
            OtherExt => Error::OtherExt,
            ByteOrder => Error::ByteOrder { found: ByteOrder::Big, expected: ByteOrder::Little },
            NotSplit => Error::NotSplit,
            NotDistillable => Error::NotDistillable { id: 3, kind: Some(Kind::Func), name: "main".into() },
            NotPermutation => Error::NotPermutation { first: 1, count: 4, reason: "an id occurs twice" },
            TooComplex => Error::TooComplex { limit: 1_000_000 },
            NamesShared => Error::NamesShared { limit: 65_536 },
            Unreadable => Error::Unreadable {
                id: 3,
                kind: Some(Kind::Enum64),
                name: "flags".into(),
                what: "its kind",
                since: KernelVersion::new(6, 0),
            },
            Rejected => Error::Rejected {
                id: 3,
                kind: Some(Kind::Enum),
                name: "state".into(),
                what: "its size: not 4 bytes",
            },
            UnreadableHeader => Error::UnreadableHeader { what: "split BTF", since: KernelVersion::new(5, 11) },
            UnknownKind => Error::UnknownKind { id: 3, kind: 30, name: name() },
            LayoutNeeded => Error::LayoutNeeded { id: 3, kind: 30, name: name() },
            HeaderSize => Error::HeaderSize { found: 28, expected: "24 or 32" },
            Format => Btf::parse(&b"no BTF"[..]).map_err(Error::from).unwrap_err(),
            Btf => btf_types::Error::NotSplit.into(),
        });
        for &rule in Rule::ALL {
            messages.add(&format!("Reject::{rule:?}"), &Reject::of_blob(rule));
        }
        messages.check(true);
    }
}

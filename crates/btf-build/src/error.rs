//! Errors of building BTF.

use btf_types::{ByteOrder, Kind, OwnedName, format::KernelVersion};

/// Error of building, copying, merging or encoding BTF.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A name has a NUL in it, where it would end.
    #[error("name {name:?} contains a NUL byte")]
    #[non_exhaustive]
    NulInName {
        /// The name.
        name: OwnedName,
    },
    /// A type of this kind has a name.
    #[error("{kind} needs a name")]
    #[non_exhaustive]
    NameMissing {
        /// The kind.
        kind: Kind,
    },
    /// There is no type with this id that could be referred to.
    #[error("no type {id} in the builder: ids are 0 to {}", .count.saturating_sub(1))]
    #[non_exhaustive]
    NoSuchId {
        /// The id.
        id: u32,
        /// The number of types, `void` and those of the base included.
        count: u32,
    },
    /// A type was to be defined that was not declared.
    #[error("cannot define type {id}: it was not declared in this builder")]
    #[non_exhaustive]
    NotDeclared {
        /// The id.
        id: u32,
    },
    /// A type was to be defined a second time.
    #[error("cannot define type {id}: it is defined already")]
    #[non_exhaustive]
    AlreadyDefined {
        /// The id.
        id: u32,
    },
    /// Types were declared, and not defined.
    #[error("{} declared but not defined: {}", Count(.ids.len()), List(.ids))]
    #[non_exhaustive]
    Undefined {
        /// The ids, rising.
        ids: Vec<u32>,
    },
    /// No type of this kind can have this size.
    #[error("{kind} {name:?} of {size} bytes, expected {expected}")]
    #[non_exhaustive]
    Size {
        /// The kind.
        kind: Kind,
        /// The name of the type.
        name: OwnedName,
        /// The size in bytes.
        size: u32,
        /// The sizes that there are.
        expected: &'static str,
    },
    /// The bits of an integer do not fit its bytes.
    #[error("INT {name:?} of {size} bytes cannot hold {bits} bits from bit {bit_offset} on")]
    #[non_exhaustive]
    IntBits {
        /// The name of the integer.
        name: OwnedName,
        /// Its size in bytes.
        size: u32,
        /// The offset of its value in bits.
        bit_offset: u8,
        /// The size of its value in bits.
        bits: u8,
    },
    /// A type has more members, values, parameters or variables than a record
    /// can hold.
    #[error("{kind} {name:?} has more than {max} elements", max = btf_types::format::Info::MAX_VLEN)]
    #[non_exhaustive]
    TooManyElements {
        /// The kind of the type.
        kind: Kind,
        /// The name of the type.
        name: OwnedName,
    },
    /// A member lies too far from the start of a struct that has bitfields.
    #[error(
        "{kind} {name:?} cannot have bitfields: it has a member at bit {bit_offset}, and bitfields leave 24 bits for offsets"
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
    #[error("bitfield {name:?} has 0 bits, expected 1 to 255")]
    #[non_exhaustive]
    EmptyBitfield {
        /// The name of the member.
        name: OwnedName,
    },
    /// A member of a union does not begin where the union does.
    #[error("member {name:?} of a union is at bit {bit_offset}, expected 0")]
    #[non_exhaustive]
    UnionOffset {
        /// The name of the member.
        name: OwnedName,
        /// The offset in bits.
        bit_offset: u32,
    },
    /// A value does not fit its enumeration, signed or unsigned as that is.
    #[error("enumerator {name:?} = {value} does not fit {} {kind}", if *.signed { "a signed" } else { "an unsigned" })]
    #[non_exhaustive]
    EnumValue {
        /// The kind of the enumeration.
        kind: Kind,
        /// The name of the enumerator.
        name: OwnedName,
        /// The value.
        value: i128,
        /// Whether the enumeration is signed.
        signed: bool,
    },
    /// A linkage has a number that a record cannot hold.
    #[error("linkage {linkage} of FUNC {name:?} does not fit 24 bits")]
    #[non_exhaustive]
    Linkage {
        /// The name of the function.
        name: OwnedName,
        /// The number.
        linkage: u32,
    },
    /// The component of a tag has a number that a record cannot hold.
    #[error("component {component} of DECL_TAG {name:?} does not fit 31 bits")]
    #[non_exhaustive]
    Component {
        /// The tag.
        name: OwnedName,
        /// The number.
        component: u32,
    },
    /// A FUNC refers to something that is not a FUNC_PROTO.
    #[error("FUNC {name:?} refers to type {id}, which is {}, expected a FUNC_PROTO", kind_or_void(.kind))]
    #[non_exhaustive]
    FuncWithoutProto {
        /// The name of the function.
        name: OwnedName,
        /// The id that it refers to.
        id: u32,
        /// The kind of that type.
        kind: Option<Kind>,
    },
    /// The result has more than 32-bit ids and offsets can count.
    #[error("{what} of the result exceed {limit}", limit = u32::MAX)]
    #[non_exhaustive]
    TooLarge {
        /// What there is too much of.
        what: &'static str,
    },
    /// Split BTF was given whose base is not the one that is needed.
    #[error("the BTF is split from another base than the one it is added to; merge its base first")]
    OtherBase,
    /// A `.BTF.ext` was given that was opened with another BTF.
    #[error("the .BTF.ext was opened with another BTF than the one it is added with")]
    OtherExt,
    /// BTF of two byte orders was to become one.
    #[error("cannot add {found} BTF to {expected} BTF")]
    #[non_exhaustive]
    ByteOrder {
        /// The byte order of what is added.
        found: ByteOrder,
        /// The byte order of what it is added to.
        expected: ByteOrder,
    },
    /// BTF that is not split has no base that could be distilled.
    #[error("not split BTF: there is no base to distill")]
    NotSplit,
    /// Split BTF refers to a type of its base that no distilled base can hold.
    #[error("cannot distill: type {id} of the base, {} {name:?}, is referred to", kind_or_void(.kind))]
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
    #[error("not a permutation of the ids {first} to {}: {reason}", (.first + .count).saturating_sub(1))]
    #[non_exhaustive]
    NotPermutation {
        /// The first own id.
        first: u32,
        /// The number of own types.
        count: u32,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Names, or types, are too alike to be sorted or told apart in acceptable time.
    #[error("names or types are too alike: comparing them takes more than {limit} steps")]
    #[non_exhaustive]
    TooManySteps {
        /// The most steps that are taken.
        limit: u64,
    },
    /// Names share their bytes, and are too long to be compared in acceptable time.
    #[error("too many names share long strings: to compare them takes more than {limit} bytes")]
    #[non_exhaustive]
    NamesShared {
        /// The most bytes that are compared.
        limit: u64,
    },
    /// The kernel that BTF is encoded for cannot read it.
    #[error("type {id} ({}{}{name}) cannot be read by the kernel: {what} came with Linux {since}", kind_or_unknown(.kind), if .name.as_ref().is_empty() { "" } else { " " })]
    #[non_exhaustive]
    Unreadable {
        /// The id of the first type that cannot be read.
        id: u32,
        /// Its kind, `None` if this library does not model it.
        kind: Option<Kind>,
        /// Its name.
        name: OwnedName,
        /// What the kernel does not know.
        what: &'static str,
        /// The first kernel that does.
        since: KernelVersion,
    },
    /// The kernel that BTF is encoded for cannot read its header.
    #[error("the BTF cannot be read by the kernel: {what} came with Linux {since}")]
    #[non_exhaustive]
    UnreadableHeader {
        /// What the kernel does not know.
        what: &'static str,
        /// The first kernel that does.
        since: KernelVersion,
    },
    /// The kernel that BTF is encoded for cannot read a kind of type that came
    /// after this library.
    #[error("type {id} ({name:?}) is of kind {kind}, and it is unknown which kernel can read it")]
    #[non_exhaustive]
    UnknownKind {
        /// The id of the type.
        id: u32,
        /// The number of its kind.
        kind: u8,
        /// Its name.
        name: OwnedName,
    },
    /// The layout section cannot be left out, as nothing else tells the size of
    /// a type.
    #[error("the layout section is needed: nothing else tells the size of type {id}, of kind {kind}")]
    #[non_exhaustive]
    LayoutNeeded {
        /// The id of the type.
        id: u32,
        /// The number of its kind.
        kind: u8,
    },
    /// No header has this size.
    #[error("header of {found} bytes, expected {expected}")]
    #[non_exhaustive]
    HeaderSize {
        /// The size in bytes.
        found: u32,
        /// The sizes that are possible.
        expected: &'static str,
    },
    /// The bytes cannot be written, or are not BTF.
    #[error(transparent)]
    Format(#[from] btf_types::format::Error),
    /// The result, or what it is made of, is not BTF that can be opened.
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
    kind.map_or("void or of an unknown kind", Kind::as_str)
}

fn kind_or_unknown(kind: &Option<Kind>) -> &'static str {
    kind.map_or("of an unknown kind", Kind::as_str)
}

/// A number of types in a text.
struct Count(usize);

impl std::fmt::Display for Count {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            1 => f.write_str("1 type is"),
            count => write!(f, "{count} types are"),
        }
    }
}

/// Ids in a text: the first of them, if there are many.
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

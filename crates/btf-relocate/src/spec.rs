//! Access specifications: a path from a root type to a field.
//!
//! An access string includes every level, also anonymous ones. Types of
//! different kernels agree on names, not on indices. So a specification also
//! has the levels that are comparable: the root, named members, and array
//! elements.
//!
//! Source: `bpf_core_parse_spec` in `tools/lib/bpf/relo_core.c`.

use btf_types::{AnyEnum, Array, CoreRelo, CoreReloKind, EnumValue, Member, Name, Type, View};

use crate::{
    Fault,
    budget::Budget,
    fault::{shortened, shortened_type},
};

/// Maximum number of levels of a path (`BPF_CORE_SPEC_MAX_LEN`).
pub(crate) const MAX_LEVELS: usize = 64;

/// A relocation of a program, before it is resolved.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Request<'a> {
    pub(crate) kind: CoreReloKind,
    /// The root type.
    pub(crate) ty: Type<'a>,
    /// The access string.
    pub(crate) access: Name<'a>,
}

impl<'a> Request<'a> {
    pub(crate) fn new(relo: CoreRelo<'a>) -> Self {
        Self { kind: relo.kind(), ty: relo.ty(), access: relo.access_string() }
    }

    /// Parses the numbers of the access string.
    fn numbers(self) -> impl Iterator<Item = Result<u32, Fault>> {
        let parse = |number: &[u8]| str::from_utf8(number).ok()?.parse().ok();
        let numbers = self.access.as_bytes().split(|&byte| byte == b':').enumerate();
        numbers.map(move |(level, number)| parse(number).filter(|_| level < MAX_LEVELS).ok_or_else(|| self.malformed()))
    }

    fn malformed(self) -> Fault {
        Fault::AccessString { access: shortened(self.access), kind: self.kind }
    }

    fn beyond(self, ty: Type<'_>, index: u32) -> Fault {
        Fault::AccessIndex { access: shortened(self.access), ty: shortened_type(ty), index }
    }
}

/// A level of a path that is comparable between kernels.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Accessor<'a> {
    /// The root, or an array element: its type, and the index.
    Element { ty: Type<'a>, index: u32 },
    /// A named member of a composite.
    Member { owner: Type<'a>, index: u32, member: Member<'a> },
}

/// A path from a root type to a field.
#[derive(Debug, Clone, Default)]
pub(crate) struct Spec<'a> {
    /// Levels that are comparable between kernels, root first.
    pub(crate) accessors: Vec<Accessor<'a>>,
    /// Index at each level, including anonymous ones.
    pub(crate) raw: Vec<u32>,
    /// Offset of the field from the root in bits.
    pub(crate) bit_offset: u64,
}

impl<'a> Spec<'a> {
    /// Returns the specification of a field relocation in the program's own types.
    pub(crate) fn of_field(request: Request<'a>) -> Result<Self, Fault> {
        let mut spec = Self::default();
        spec.follow(request)?;
        Ok(spec)
    }

    /// Clears the path, and keeps its buffers.
    pub(crate) fn clear(&mut self) {
        self.accessors.clear();
        self.raw.clear();
        self.bit_offset = 0;
    }

    /// Sets this to the specification of a field relocation in the program's own types.
    pub(crate) fn follow(&mut self, request: Request<'a>) -> Result<(), Fault> {
        self.clear();
        for number in request.numbers() {
            self.raw.push(number?);
        }
        let mut ty = resolve(request.ty)?;
        for level in 0..self.raw.len() {
            let Some(&index) = self.raw.get(level) else { break };
            ty = resolve(ty)?;
            if level == 0 {
                self.push_element(ty, index)?;
            } else if let Some(member) = member(ty, index) {
                let member = member.ok_or_else(|| request.beyond(ty, index))?;
                self.advance(raw_offset(member).into())?;
                if !member.name().is_empty() {
                    self.accessors.push(Accessor::Member { owner: ty, index, member });
                }
                ty = member.ty();
            } else if let Type::Array(array) = ty {
                if index >= array.nelems() && !self.is_flexible(array) {
                    return Err(request.beyond(ty, index));
                }
                ty = resolve(array.element())?;
                self.push_element(ty, index)?;
            } else {
                return Err(Fault::AccessBeyond { access: shortened(request.access), ty: shortened_type(ty) });
            }
        }
        Ok(())
    }

    /// Adds the level of an array element (or of the root, which is accessed
    /// like one).
    pub(crate) fn push_element(&mut self, ty: Type<'a>, index: u32) -> Result<(), Fault> {
        self.accessors.push(Accessor::Element { ty, index });
        let size = size_of(ty)?;
        // Both are below 2^32.
        self.advance(u64::from(index).saturating_mul(size).saturating_mul(8))
    }

    /// Advances the offset by a number of bits.
    pub(crate) fn advance(&mut self, bits: u64) -> Result<(), Fault> {
        let bits = self.bit_offset.saturating_add(bits);
        if bits > u32::MAX.into() {
            return Err(Fault::OffsetTooLarge { bits });
        }
        self.bit_offset = bits;
        Ok(())
    }

    /// Returns `true` if an array that the path has just reached is flexible:
    /// it is the last member of its struct, and has 0 elements.
    pub(crate) fn is_flexible(&self, array: Array<'_>) -> bool {
        let Some(&Accessor::Member { owner, index, .. }) = self.accessors.last() else { return false };
        array.nelems() == 0 && members(owner).is_some_and(|members| members.len() == index as usize + 1)
    }
}

/// Returns the local enumerator of a relocation: its name, and its value as an
/// instruction holds it.
pub(crate) fn local_enumerator(request: Request<'_>) -> Result<(Name<'_>, u64), Fault> {
    let ty = resolve(request.ty)?;
    if !is_enum(ty) {
        return Err(Fault::NotEnum { kind: request.kind, ty: shortened_type(ty) });
    }
    let mut numbers = request.numbers();
    match (numbers.next(), numbers.next()) {
        (Some(index), None) => {
            let index = index?;
            enumerator(ty, index).ok_or_else(|| request.beyond(ty, index))
        }
        _ => Err(request.malformed()),
    }
}

/// Checks that the access string of a type relocation is `0`.
pub(crate) fn check_type_access(request: Request<'_>) -> Result<(), Fault> {
    if request.access == "0" { Ok(()) } else { Err(request.malformed()) }
}

/// Iterates over the names and values of an enum's enumerators; none for other types.
pub(crate) fn enumerators<'a>(ty: Type<'a>) -> impl Iterator<Item = (Name<'a>, u64)> {
    AnyEnum::of(ty).into_iter().flat_map(|any| any.values().map(move |value| in_instruction(any, value)))
}

/// Returns the name and value of an enumerator by index.
fn enumerator(ty: Type<'_>, index: u32) -> Option<(Name<'_>, u64)> {
    let any = AnyEnum::of(ty)?;
    any.values().nth(index as usize).map(|value| in_instruction(any, value))
}

/// Returns the name and value of an enumerator. An instruction holds the value of an
/// ENUM sign-extended, even if the ENUM is unsigned.
fn in_instruction<'a>(of: AnyEnum<'a>, value: EnumValue<'a>) -> (Name<'a>, u64) {
    let bits = value.value() as u64;
    (value.name(), if of.is_enum64() { bits } else { i64::from(bits as i32) as u64 })
}

/// Returns the members of a struct or union; `None` for other types.
pub(crate) fn members<'a>(ty: Type<'a>) -> Option<btf_types::Members<'a>> {
    match ty {
        Type::Struct(view) => Some(view.members()),
        Type::Union(view) => Some(view.members()),
        _ => None,
    }
}

/// Returns a member of a struct or union by index, `Some(None)` beyond the last one;
/// `None` for other types.
fn member(ty: Type<'_>, index: u32) -> Option<Option<Member<'_>>> {
    members(ty).map(|mut members| members.nth(index as usize))
}

/// Offset of a member in bits, as stored in its record. Like libbpf, it ignores
/// the offset that the INT of a bitfield may have (before Linux 5.0).
pub(crate) fn raw_offset(member: Member<'_>) -> u32 {
    member.encoded().0
}

pub(crate) fn is_enum(ty: Type<'_>) -> bool {
    matches!(ty, Type::Enum(_) | Type::Enum64(_))
}

pub(crate) fn is_composite(ty: Type<'_>) -> bool {
    matches!(ty, Type::Struct(_) | Type::Union(_))
}

/// Returns the type behind typedefs, qualifiers and TYPE_TAGs.
pub(crate) fn resolve(ty: Type<'_>) -> Result<Type<'_>, Fault> {
    ty.resolve().map_err(|source| unsized_type(ty, source))
}

/// Resolves a type, and charges each type on the path.
pub(crate) fn resolve_within<'a>(ty: Type<'a>, budget: &Budget) -> Result<Type<'a>, Fault> {
    if !ty.is_modifier() {
        return Ok(ty);
    }
    let passed = ty.chain().take_while(|ty| ty.is_modifier()).count();
    budget.spend(1 + passed as u64)?;
    resolve(ty)
}

/// Returns the size of a type in bytes.
pub(crate) fn size_of(ty: Type<'_>) -> Result<u64, Fault> {
    ty.size_of().map_err(|source| unsized_type(ty, source))
}

fn unsized_type(ty: Type<'_>, source: btf_types::Error) -> Fault {
    Fault::Size { ty: shortened_type(ty), error: Box::new(source) }
}

/// Class of a relocation kind, by the subject of the relocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    Field,
    Type,
    Enumerator,
}

impl Class {
    pub(crate) fn of(kind: CoreReloKind) -> Result<Self, Fault> {
        use CoreReloKind as K;
        Ok(match kind {
            K::FieldByteOffset
            | K::FieldByteSize
            | K::FieldExists
            | K::FieldSigned
            | K::FieldLshiftU64
            | K::FieldRshiftU64 => Self::Field,
            K::TypeIdLocal | K::TypeIdTarget | K::TypeExists | K::TypeSize | K::TypeMatches => Self::Type,
            K::EnumvalExists | K::EnumvalValue => Self::Enumerator,
            other => return Err(Fault::UnknownKind { number: other.into() }),
        })
    }
}

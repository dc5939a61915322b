//! Order of a sorted header. It depends only on names: the same types have the
//! same order whatever their ids.
//!
//! Enumerations come first, then typedefs of integers and floats, then structs
//! and unions, then typedefs of functions, then the rest, each by name. A
//! typedef is placed with its type. Types of the same name are sorted by their
//! contents.
//!
//! Source: `sort_btf_c` in `tools/bpf/bpftool/btf.c`.

use std::cmp::Ordering;

use btf_types::{AnyEnum, Btf, Composite, Name, Type, View};

use super::order::has_place;

/// Maximum number of types in a chain.
const HOPS: u32 = 64;
/// Number of groups.
const RANKS: usize = 6;
/// Rank of all types without a rank of their own.
const LAST: usize = RANKS - 1;
/// Number of bytes of a name that are compared: the maximum length in kernels.
const NAME: usize = Name::MAX_KERNEL_LEN;
/// Number of bytes of names in the [`head`] of a type.
const HEAD: usize = 16;
/// Head of a prototype, and of pointers to and qualifiers of one: none has a name.
const PROTOTYPE: u128 = 0;

/// Types that have a definition in a header, or lead to one, in the groups of a sorted
/// header.
pub(super) struct Groups<'btf> {
    top: Option<&'btf Btf>,
    /// Ids of each group.
    ids: std::array::IntoIter<Vec<u32>, RANKS>,
}

impl<'btf> Groups<'btf> {
    pub(super) fn new(layers: &[&'btf Btf]) -> Self {
        let mut ids: [Vec<u32>; RANKS] = Default::default();
        for ty in layers.iter().flat_map(|layer| layer.types()).filter(|ty| has_place(*ty)) {
            if let Some(ids) = ids.get_mut(rank(ty)) {
                ids.push(ty.id());
            }
        }
        Self { top: layers.last().copied(), ids: ids.into_iter() }
    }

    /// Returns the ids of the next group in order, without types that are already done. Of
    /// pointers and arrays, nearly all are.
    pub(super) fn next(&mut self, is_done: impl Fn(u32) -> bool) -> Option<Vec<u32>> {
        let ids = self.ids.next()?;
        let ty = |id| self.top.and_then(|top| top.type_by_id(id).ok()).unwrap_or(Type::Void);
        // Most types without names are prototypes, which need no sorting.
        let (mut places, mut prototypes) = (Vec::new(), Vec::new());
        for id in ids.into_iter().filter(|id| !is_done(*id)) {
            match head(ty(id)) {
                Some(PROTOTYPE) => prototypes.push(id),
                Some(head) => places.push(Place { head, id }),
                None => {}
            }
        }
        // Heads decide most comparisons without reading the rest of the names.
        places.sort_unstable();
        for same in places.chunk_by_mut(|a, b| a.head == b.head) {
            // Types without names have nothing else to compare.
            if same.len() > 1 && same.first().is_some_and(|place| !is_nameless(ty(place.id))) {
                sort_by_names(same, ty);
            }
        }
        prototypes.extend(places.iter().map(|place| place.id));
        Some(prototypes)
    }
}

/// Sort key of a type. For types with names, equal heads need a comparison of the names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    head: u128,
    id: u32,
}

/// Sorts types of the same head by names, then contents. The sort is stable, so equal types
/// stay in the order of their ids.
fn sort_by_names<'btf>(places: &mut [Place], ty: impl Fn(u32) -> Type<'btf>) {
    let names = |ty: Type<'btf>| (sort_name(ty, NAME), ty.name_start(NAME));
    let mut named: Vec<_> = places.iter().map(|place| (names(ty(place.id)), *place)).collect();
    named.sort_by(|(a, _), (b, _)| compare_names(*a, *b));
    for same in named.chunk_by_mut(|(a, _), (b, _)| compare_names(*a, *b).is_eq()) {
        if same.len() > 1 {
            same.sort_by_cached_key(|(_, place)| hash(ty(place.id), true, 0));
        }
    }
    places.iter_mut().zip(named).for_each(|(to, (_, place))| *to = place);
}

/// Returns the group of a type.
fn rank(ty: Type<'_>) -> usize {
    match ty {
        Type::Enum(_) | Type::Enum64(_) => usize::from(!ty.is_anonymous()),
        Type::Struct(_) | Type::Union(_) if !ty.is_anonymous() => 3,
        // A TYPE_TAG has a name, though no definition.
        Type::Typedef(_) | Type::TypeTag(_) if !ty.is_anonymous() => rank_of_target(ty),
        _ => LAST,
    }
}

fn is_nameless(ty: Type<'_>) -> bool {
    sort_name(ty, 1).is_empty() && ty.is_anonymous()
}

/// Returns the start of the name that a type is sorted by. If that is empty, it is a NUL and
/// the start of its own name; if both are empty, the hash. `None` if the type has no place.
fn head(ty: Type<'_>) -> Option<u128> {
    if matches!(ty, Type::FuncProto(_)) && ty.is_anonymous() {
        return Some(PROTOTYPE);
    }
    if leads_nowhere(ty) {
        return None;
    }
    let mut head = [0; HEAD];
    let sort_name = sort_name(ty, HEAD);
    let (start, name) = if sort_name.is_empty() { (1, ty.name_start(HEAD - 1)) } else { (0, sort_name) };
    if name.is_empty() {
        return Some(hash(ty, true, 0).into());
    }
    head.iter_mut().skip(start).zip(name.as_bytes()).for_each(|(to, from)| *to = *from);
    Some(u128::from_be_bytes(head))
}

/// Compares pairs of names. Names at the same address are equal.
fn compare_names(a: (Name<'_>, Name<'_>), b: (Name<'_>, Name<'_>)) -> Ordering {
    let compare = |a: &[u8], b: &[u8]| if std::ptr::eq(a, b) { Ordering::Equal } else { a.cmp(b) };
    compare(a.0.as_bytes(), b.0.as_bytes()).then_with(|| compare(a.1.as_bytes(), b.1.as_bytes()))
}

/// Returns the rank of the type that a typedef leads to. An anonymous type ranks as a named
/// one, as the typedef names it.
fn rank_of_target(ty: Type<'_>) -> usize {
    let mut inner = ty;
    for _ in 0..HOPS {
        inner = match inner {
            Type::Enum(_) | Type::Enum64(_) => return 1,
            Type::Int(_) | Type::Float(_) => return 2,
            Type::Struct(_) | Type::Union(_) => return 3,
            Type::FuncProto(_) => return 4,
            Type::Array(array) => array.element(),
            _ => match inner.target() {
                Some(target) => target,
                None => return LAST,
            },
        };
    }
    LAST
}

/// Returns `true` for a type without a definition that leads to no other
/// definition, except through a typedef that has its own place.
fn leads_nowhere(ty: Type<'_>) -> bool {
    if matches!(ty, Type::Struct(_) | Type::Union(_) | Type::Enum(_) | Type::Enum64(_) | Type::Typedef(_)) {
        return false;
    }
    let mut inner = ty;
    for _ in 0..HOPS {
        inner = match inner {
            Type::Void | Type::Int(_) | Type::Float(_) => return true,
            Type::Struct(_) | Type::Union(_) | Type::Enum(_) | Type::Enum64(_) => return !inner.is_anonymous(),
            // The typedef precedes `ty`, unless `ty` has a rank of its own.
            Type::Typedef(_) => return !matches!(ty, Type::TypeTag(_)) && rank_of_target(inner) < LAST,
            Type::Array(array) => array.element(),
            _ => match inner.target() {
                Some(target) => target,
                None => return false,
            },
        };
    }
    false
}

/// Returns the first `limit` bytes of the name that a type is sorted by: that of the type
/// it leads to, or of the first value of an anonymous enumeration.
fn sort_name(ty: Type<'_>, limit: usize) -> Name<'_> {
    if let Some(any) = AnyEnum::of(ty).filter(|_| ty.is_anonymous()) {
        return any.values().next().map_or(Name::EMPTY, |value| value.name_start(limit));
    }
    let mut inner = ty;
    for _ in 0..HOPS {
        inner = match inner {
            Type::Array(array) => array.element(),
            _ => match inner.target() {
                Some(target) => target,
                None => return inner.name_start(limit),
            },
        };
    }
    Name::EMPTY
}

fn mix(hash: u64, value: u64) -> u64 {
    hash.wrapping_mul(31).wrapping_add(value)
}

fn mix_name(hash: u64, name: Name<'_>) -> u64 {
    if name.is_empty() {
        return hash;
    }
    // As on x86, where `char` is signed.
    mix(hash, name.as_bytes().iter().fold(0, |hash, byte| mix(hash, *byte as i8 as u64)))
}

/// Returns a hash of the names in a type, which orders types of the same name.
fn hash(ty: Type<'_>, with_members: bool, hops: u32) -> u64 {
    let mut of = mix_name(0, ty.name_start(NAME));
    if hops == HOPS {
        return of;
    }
    if let Some(any) = AnyEnum::of(ty) {
        return any.values().fold(of, |of, value| mix_name(of, value.name_start(NAME)));
    }
    if let Some(composite) = Composite::of(ty) {
        if with_members {
            for member in composite.members() {
                of = mix(mix_name(of, member.name_start(NAME)), hash(member.ty(), false, hops + 1));
            }
        }
        return of;
    }
    match ty {
        Type::Array(array) => mix(mix(of, array.nelems().into()), hash(array.element(), with_members, hops + 1)),
        _ => match ty.target() {
            Some(target) => mix(of, hash(target, with_members, hops + 1)),
            None => of,
        },
    }
}

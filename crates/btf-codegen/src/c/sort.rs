//! Order of a sorted header. It depends only on names: the same types have the
//! same order whatever their ids.
//!
//! Enumerations come first, then structs and unions, then typedefs of
//! functions, then the rest, each by name. A typedef is placed with its type.
//! Types of the same name are sorted by their contents.
//!
//! Source: `sort_btf_c` in `tools/bpf/bpftool/btf.c`.

use std::{cell::OnceCell, cmp::Ordering};

use btf_types::{AnyEnum, Btf, Composite, Name, Type, View};

use super::order::has_place;

/// Maximum number of types of a chain.
const HOPS: u32 = 64;
/// The rank of what has none.
const LAST: u8 = 10;
/// Bytes of a name that are looked at: as many as a kernel's names have at most.
const NAME: usize = Name::MAX_KERNEL_LEN;

/// The place of a type among others.
struct Key<'btf> {
    rank: u8,
    sort_name: Name<'btf>,
    own_name: Name<'btf>,
    ty: Type<'btf>,
    /// Made when it is needed: few types have names that others have.
    hash: OnceCell<u64>,
}

/// The types of these layers for which a header has a definition, or that lead to some,
/// in the order of a sorted header.
pub(super) fn sorted<'btf>(layers: &[&'btf Btf]) -> Vec<Type<'btf>> {
    let keys: Vec<_> = layers.iter().flat_map(|layer| layer.types()).filter_map(Key::of).collect();
    // Most are told apart by what fits into a number, without a look at the names.
    let mut order: Vec<_> = keys.iter().map(|key| (key.head(), key)).collect();
    order.sort_by(|(a_head, a), (b_head, b)| a_head.cmp(b_head).then_with(|| a.compare(b)));
    order.into_iter().map(|(_, key)| key.ty).collect()
}

impl<'btf> Key<'btf> {
    fn of(ty: Type<'btf>) -> Option<Self> {
        let rank = match ty {
            Type::Enum(_) | Type::Enum64(_) => u8::from(!ty.is_anonymous()),
            Type::Struct(_) | Type::Union(_) if !ty.is_anonymous() => 3,
            Type::Typedef(_) if !ty.is_anonymous() => rank_of_target(ty),
            Type::Typedef(_) => LAST,
            _ if !has_place(ty) || leads_nowhere(ty) => return None,
            // A tag has a name too, though not one of a definition.
            Type::TypeTag(_) if !ty.is_anonymous() => rank_of_target(ty),
            _ => LAST,
        };
        let own_name = ty.name_start(NAME);
        let sort_name = match ty {
            Type::Struct(_) | Type::Union(_) => own_name,
            _ => sort_name(ty),
        };
        Some(Self { rank, sort_name, own_name, ty, hash: OnceCell::new() })
    }

    fn is_nameless(&self) -> bool {
        self.sort_name.is_empty() && self.own_name.is_empty()
    }

    /// The rank, and as much of the names as fits: of the one that is sorted by, or, if
    /// that is empty, of the own name behind its end. What has no names has nothing else.
    fn head(&self) -> u128 {
        if self.is_nameless() {
            return u128::from(self.rank) << 120 | u128::from(self.disambiguation());
        }
        let own_name = if self.sort_name.is_empty() { self.own_name } else { Name::EMPTY };
        let (rank, end) = ([self.rank], [0]);
        let bytes = [rank.as_slice(), self.sort_name.as_bytes(), &end, own_name.as_bytes()];
        let mut head = [0; 16];
        head.iter_mut().zip(bytes.into_iter().flatten()).for_each(|(to, from)| *to = *from);
        u128::from_be_bytes(head)
    }

    /// Compares what has the same head. Equal are types that only their ids tell apart.
    fn compare(&self, other: &Self) -> Ordering {
        if self.is_nameless() {
            return Ordering::Equal;
        }
        compare_names(self.sort_name, other.sort_name)
            .then_with(|| compare_names(self.own_name, other.own_name))
            .then_with(|| self.disambiguation().cmp(&other.disambiguation()))
    }

    fn disambiguation(&self) -> u64 {
        *self.hash.get_or_init(|| hash(self.ty, true, 0))
    }
}

/// Compares names, of which those at the same place are equal.
fn compare_names(a: Name<'_>, b: Name<'_>) -> Ordering {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    if std::ptr::eq(a, b) { Ordering::Equal } else { a.cmp(b) }
}

/// The rank of what a typedef is for, which is named by it if by nothing else.
fn rank_of_target(ty: Type<'_>) -> u8 {
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
    let mut inner = ty;
    for _ in 0..HOPS {
        inner = match inner {
            Type::Void | Type::Int(_) | Type::Float(_) => return true,
            Type::Struct(_) | Type::Union(_) | Type::Enum(_) | Type::Enum64(_) => return !inner.is_anonymous(),
            // Its place is before, unless this has a rank of its own.
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

/// The name that a type is sorted by: that of what it refers to in the end, and of an
/// enumeration without a name that of its first value.
fn sort_name(ty: Type<'_>) -> Name<'_> {
    if let Some(any) = AnyEnum::of(ty).filter(|_| ty.is_anonymous()) {
        return any.values().next().map_or(Name::EMPTY, |value| value.name_start(NAME));
    }
    let mut inner = ty;
    for _ in 0..HOPS {
        inner = match inner {
            Type::Array(array) => array.element(),
            _ => match inner.target() {
                Some(target) => target,
                None => return inner.name_start(NAME),
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
    // As x86 has it, where a `char` is signed.
    mix(hash, name.as_bytes().iter().fold(0, |hash, byte| mix(hash, *byte as i8 as u64)))
}

/// A hash of the names in a type, by which types of one name are ordered.
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

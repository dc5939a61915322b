//! Alignment, which stands nowhere in BTF: it is told from what there is.
//!
//! A scalar is taken to be aligned to its size, a struct to its most aligned
//! member. A struct in which a member is not where that would put it, or whose
//! size is not a multiple of it, was packed. This goes further than libbpf's
//! `btf__align_of`, on purpose:
//!
//! * integers and floats of 16 bytes count as such, not as 8;
//! * with 4-byte pointers, integers and floats of 8 bytes count as 8 where all
//!   offsets allow that (arm, mips, powerpc), and as 4 where they do not (i386);
//! * unions can be packed too;
//! * a bitfield across the boundary of its type means packed.
//!
//! What cannot be told: that a packed struct happens to lie as if it were not,
//! and alignment that an attribute raised.

use alloc::{collections::BTreeMap, vec::Vec};

use crate::{Error, Member, Members, Struct, Type, Union, peel::HOPS};

/// How many members are looked at for one question.
const STEPS: u32 = 1_000_000;

/// An alignment, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Align {
    /// What all offsets must be multiples of.
    must: u64,
    /// What they may be multiples of, if they all are.
    may: u64,
}

impl Align {
    const NONE: Self = Self { must: 1, may: 1 };

    fn max(self, other: Self) -> Self {
        Self { must: self.must.max(other.must), may: self.may.max(other.may) }
    }

    /// Of a scalar of `size` bytes: the largest power of two that divides it.
    fn of_scalar(size: u32, pointer_size: u8) -> Self {
        let may = 1 << size.trailing_zeros().min(4);
        let must = if pointer_size == 4 && may == 8 { 4 } else { may };
        if size == 0 { Self::NONE } else { Self { must, may } }
    }
}

/// What was found out of the structs and unions inside the one in question, so
/// that each is looked at once, however many ways lead to it.
#[derive(Default)]
struct Aligner {
    known: BTreeMap<u32, Align>,
    steps: u32,
}

impl Aligner {
    /// The alignment of any type that has one.
    fn of(&mut self, ty: Type<'_>, depth: u32) -> Result<Align, Error> {
        let mut inner = ty;
        for _ in 0..=HOPS {
            let (size, handle) = match inner {
                Type::Int(view) => (view.size(), view.0),
                Type::Float(view) => (view.size(), view.0),
                Type::Enum(view) => (view.size(), view.0),
                Type::Enum64(view) => (view.size(), view.0),
                Type::Ptr(view) => {
                    let size = view.0.btf.pointer_size().into();
                    return Ok(Align { must: size, may: size });
                }
                Type::Struct(s) => return self.of_composite(inner, s.size(), s.members(), depth),
                Type::Union(u) => return self.of_composite(inner, u.size(), u.members(), depth),
                _ if inner.is_modifier() || matches!(inner, Type::Array(_) | Type::Var(_)) => {
                    inner = inner.target().unwrap_or(Type::Void);
                    continue;
                }
                _ => return Err(Error::Unsized { id: inner.id(), kind: inner.kind() }),
            };
            return Ok(Align::of_scalar(size, handle.btf.pointer_size()));
        }
        Err(Error::TooDeep { id: ty.id(), limit: HOPS })
    }

    fn of_composite(&mut self, ty: Type<'_>, size: u32, members: Members<'_>, depth: u32) -> Result<Align, Error> {
        if let Some(&known) = self.known.get(&ty.id()) {
            return Ok(known);
        }
        if depth == HOPS {
            return Err(Error::TooDeep { id: ty.id(), limit: HOPS });
        }
        let mut align = Align::NONE;
        let mut aligns = Vec::with_capacity(members.len());
        for member in members.clone() {
            self.steps += 1;
            if self.steps > STEPS {
                return Err(Error::TooMuch { id: ty.id(), limit: STEPS });
            }
            let of_member = self.of(member.ty(), depth + 1)?;
            align = align.max(of_member);
            aligns.push(of_member);
        }
        let fits = |by: fn(&Align) -> u64| {
            let is_multiple = u64::from(size) % by(&align) == 0;
            is_multiple && members.clone().zip(&aligns).all(|(member, align)| is_in_place(member, by(align)))
        };
        let align = if fits(|align| align.may) {
            Align { must: align.must, may: align.may }
        } else if fits(|align| align.must) {
            Align { must: align.must, may: align.must }
        } else {
            Align::NONE
        };
        self.known.insert(ty.id(), align);
        Ok(align)
    }
}

/// Whether a member lies where one of this alignment would.
fn is_in_place(member: Member<'_>, align: u64) -> bool {
    let offset = u64::from(member.bit_offset());
    match member.bitfield_size() {
        None => offset % (8 * align) == 0,
        Some(bits) => match member.ty().size_of() {
            Ok(unit @ 1..) => offset % (8 * unit) + u64::from(bits) <= 8 * unit,
            _ => true,
        },
    }
}

impl Type<'_> {
    /// Alignment in **bytes**, a power of two, as far as the module's page
    /// says that it can be told. 1 for a packed struct or union.
    ///
    /// Cost: each struct or union inside is looked at once.
    ///
    /// # Errors
    ///
    /// [`Error::Unsized`] for `void`, functions and forward declarations, and
    /// what has one of them as a member; [`Error::TooDeep`] after 64 types in a
    /// chain, or structs inside each other; [`Error::TooMuch`] after a million
    /// members.
    pub fn align_of(self) -> Result<u64, Error> {
        Aligner::default().of(self, 0).map(|align| align.may)
    }
}

macro_rules! packed {
    ($($kind:ident)*) => {$(
        impl $kind<'_> {
            /// Whether it was packed: whether some member is not where its
            /// alignment would put it, or the size is no multiple of it.
            ///
            /// # Errors
            ///
            /// Those of [`Type::align_of`].
            pub fn is_packed(self) -> Result<bool, Error> {
                let mut aligner = Aligner::default();
                let mut natural = Align::NONE;
                for member in self.members() {
                    natural = natural.max(aligner.of(member.ty(), 1)?);
                }
                Ok(natural.must > 1 && aligner.of(self.into(), 0)? == Align::NONE)
            }
        }
    )*};
}

packed!(Struct Union);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_align_to_what_divides_their_size() {
        for (size, align) in [(0, 1), (1, 1), (2, 2), (3, 1), (4, 4), (8, 8), (10, 2), (12, 4), (16, 16), (32, 16)] {
            assert_eq!(Align::of_scalar(size, 8), Align { must: align, may: align }, "{size}");
        }
        assert_eq!(Align::of_scalar(8, 4), Align { must: 4, may: 8 });
        assert_eq!(Align::of_scalar(16, 4), Align { must: 16, may: 16 });
    }
}

//! Alignment, which BTF does not record: it is derived from the layout of
//! types.
//!
//! A scalar is aligned to its size, a struct to its most aligned member. A
//! struct is packed if a member is not where its alignment would put it, or if
//! its size is not a multiple of its alignment. Differences from libbpf's
//! `btf__align_of`, on purpose:
//!
//! * Integers and floats of 16 bytes are aligned to 16, not 8.
//! * With 4-byte pointers, the structs of the BTF show whether integers and
//!   floats of 8 bytes are aligned to 8 (arm, mips, powerpc) or to 4 (i386).
//! * Unions can be packed.
//! * A bitfield that crosses the boundary of its type means packed.
//!
//! Not detected: a packed struct with the layout of an ordinary one, and
//! alignment raised by an attribute.

use alloc::collections::BTreeMap;
use core::{
    cmp::Ordering,
    sync::atomic::{AtomicU8, Ordering::Relaxed},
};

use crate::{Composite, Error, Member, Struct, Type, Union, View, layer::Layer, peel::HOPS};

/// Maximum number of members for one query.
const STEPS: u32 = 1_000_000;

/// Alignment of a type in **bytes**, as far as BTF shows it: the minimum and
/// the maximum that the compiler may have used, both powers of two.
///
/// They differ only with 4-byte pointers, for types that contain integers or
/// floats of 8 bytes, if no struct of the BTF shows whether these are aligned
/// to 4 (i386) or to 8 (arm, mips, powerpc).
///
/// ```
/// # fn main() -> Result<(), btf_types::Error> {
/// use btf_types::{Btf, Struct};
///
/// # let vmlinux = Btf::parse(std::fs::read("doc/kernel.btf").unwrap())?;
/// let sk_buff = vmlinux.find::<Struct<'_>>("sk_buff")?.alignment()?;
/// assert_eq!((sk_buff.least(), sk_buff.most(), sk_buff.exact()), (8, 8, Some(8)));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Alignment {
    /// Alignment that all offsets must have.
    must: u64,
    /// Alignment that offsets may have.
    may: u64,
}

impl Alignment {
    const NONE: Self = Self::exactly(1);

    const fn exactly(bytes: u64) -> Self {
        Self { must: bytes, may: bytes }
    }

    /// Minimum alignment in **bytes**: every offset of the type is a multiple
    /// of it.
    #[must_use]
    pub const fn least(self) -> u64 {
        self.must
    }

    /// Maximum alignment in **bytes** that the type may have: see
    /// [`Type::align_of`].
    #[must_use]
    pub const fn most(self) -> u64 {
        self.may
    }

    /// Alignment in **bytes** if it is unambiguous.
    #[must_use]
    pub const fn exact(self) -> Option<u64> {
        if self.must == self.may { Some(self.may) } else { None }
    }

    fn max(self, other: Self) -> Self {
        Self { must: self.must.max(other.must), may: self.may.max(other.may) }
    }

    /// Alignment of a scalar of `size` bytes: the largest power of two that
    /// divides it.
    fn of_scalar(size: u32, btf: &Layer) -> Self {
        match size.trailing_zeros().min(4) {
            _ if size == 0 => Self::NONE,
            3 => btf.wide_align(),
            bits => Self::exactly(1 << bits),
        }
    }
}

/// Undetermined: 4 or 8.
const EITHER: u8 = 12;

/// Alignment of scalars of 8 bytes, or [`EITHER`]; 0 before it is determined.
#[derive(Default)]
pub(crate) struct WideAlign(AtomicU8);

impl Layer {
    /// Returns the alignment of scalars of 8 bytes. With 4-byte pointers the
    /// structs show it: a scalar at an odd multiple of 4 means 4, and a gap of
    /// 4 bytes before one means 8. The majority decides, as some structs are
    /// packed. Without any, it is undetermined.
    fn wide_align(&self) -> Alignment {
        if self.pointer_size() != 4 {
            return Alignment::exactly(8);
        }
        let known = match self.wide_align.0.load(Relaxed) {
            0 => self.learn_wide(),
            known => known,
        };
        match known {
            4 | 8 => Alignment::exactly(known.into()),
            _ => Alignment { must: 4, may: 8 },
        }
    }

    /// Determines the alignment of scalars of 8 bytes from the nearest layer
    /// that shows it, and stores it in each layer on the way. (Concurrent calls
    /// store the same value.)
    fn learn_wide(&self) -> u8 {
        let known = |layer: &Self| match layer.wide_align.0.load(Relaxed) {
            0 => layer.look_at_wide(),
            known => Some(known),
        };
        let (mut passed, mut found) = (0, EITHER);
        for layer in self.layers() {
            passed += 1;
            if let Some(known) = known(layer) {
                found = known;
                break;
            }
        }
        self.layers().take(passed).for_each(|layer| layer.wide_align.0.store(found, Relaxed));
        found
    }

    /// Returns 4 or 8, if own structs show it.
    fn look_at_wide(&self) -> Option<u8> {
        let (mut to_4, mut to_8) = (0u32, 0u32);
        for members in self.types().filter_map(Struct::of).map(Struct::members) {
            let mut end = 0;
            for member in members {
                let offset = u64::from(member.bit_offset());
                let size = member.ty().size_of().unwrap_or(0);
                let is_wide = size == 8
                    && member.bitfield_size().is_none()
                    && matches!(
                        member.ty().peel_modifiers(),
                        Type::Int(_) | Type::Float(_) | Type::Enum(_) | Type::Enum64(_)
                    );
                to_4 += u32::from(is_wide && offset % 64 == 32);
                to_8 += u32::from(is_wide && offset % 64 == 0 && end + 32 <= offset);
                end = offset + member.bitfield_size().map_or(size * 8, u64::from);
            }
        }
        match to_4.cmp(&to_8) {
            Ordering::Less => Some(8),
            Ordering::Greater => Some(4),
            Ordering::Equal => None,
        }
    }
}

/// Result of testing the offsets of all members against their minimum and
/// maximum alignment.
struct InPlace {
    must: bool,
    may: bool,
}

/// Alignments of the structs and unions inside a type. Each is computed once,
/// however many paths lead to it.
#[derive(Default)]
struct Aligner {
    known: BTreeMap<u32, Alignment>,
    steps: u32,
}

impl Aligner {
    /// Returns the alignment of any type that has one.
    fn of(&mut self, ty: Type<'_>, depth: u32) -> Result<Alignment, Error> {
        let mut inner = ty;
        for _ in 0..=HOPS {
            let (size, handle) = match inner {
                Type::Int(view) => (view.size(), view.0),
                Type::Float(view) => (view.size(), view.0),
                Type::Enum(view) => (view.size(), view.0),
                Type::Enum64(view) => (view.size(), view.0),
                Type::Ptr(view) => {
                    return Ok(Alignment::exactly(view.0.btf.pointer_size().into()));
                }
                Type::Struct(s) => return self.of_composite(s.into(), depth),
                Type::Union(u) => return self.of_composite(u.into(), depth),
                _ if inner.is_modifier() || matches!(inner, Type::Array(_) | Type::Var(_)) => {
                    inner = inner.inner().unwrap_or(Type::Void);
                    continue;
                }
                _ => return Err(Error::Unsized { ty: inner.into() }),
            };
            return Ok(Alignment::of_scalar(size, handle.btf));
        }
        Err(Error::TooDeep { ty: ty.into(), limit: HOPS })
    }

    fn of_composite(&mut self, ty: Composite<'_>, depth: u32) -> Result<Alignment, Error> {
        if let Some(&known) = self.known.get(&ty.id()) {
            return Ok(known);
        }
        if depth == HOPS {
            return Err(Error::TooDeep { ty: Type::from(ty).into(), limit: HOPS });
        }
        let mut align = Alignment::NONE;
        let mut in_place = InPlace { must: true, may: true };
        for member in ty.members() {
            self.steps += 1;
            if self.steps > STEPS {
                return Err(Error::TooComplex { ty: Type::from(ty).into(), limit: STEPS });
            }
            let of_member = self.of(member.ty(), depth + 1)?;
            align = align.max(of_member);
            in_place.must &= is_in_place(member, of_member.must);
            in_place.may &= is_in_place(member, of_member.may);
        }
        let fits = |align: u64| u64::from(ty.size()) % align == 0;
        let align = if in_place.may && fits(align.may) {
            align
        } else if in_place.must && fits(align.must) {
            Alignment::exactly(align.must)
        } else {
            Alignment::NONE
        };
        self.known.insert(ty.id(), align);
        Ok(align)
    }
}

/// Returns `true` if a member is where this alignment would put it.
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
    /// Returns the alignment in **bytes**, a power of two: the maximum of
    /// [`Type::alignment`].
    ///
    /// ```
    /// # fn main() -> Result<(), btf_types::Error> {
    /// use btf_types::{Btf, Type};
    ///
    /// # let vmlinux = Btf::parse(std::fs::read("doc/kernel.btf").unwrap())?;
    /// assert_eq!(vmlinux.find::<Type<'_>>("sk_buff")?.align_of()?, 8);
    /// assert_eq!(vmlinux.path("task_struct.comm")?.ty().align_of()?, 1);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`Type::alignment`].
    pub fn align_of(self) -> Result<u64, Error> {
        self.alignment().map(Alignment::most)
    }

    /// Derives the alignment, which BTF does not record, from the layout.
    ///
    /// A scalar is aligned to its size, up to 16 bytes. A struct or union is
    /// aligned to its most aligned member, or to 1 if it is packed: if a member
    /// is not where its alignment would put it, or the size is not a multiple
    /// of the alignment. A packed struct with the layout of an ordinary one,
    /// and alignment raised by an attribute, are not detected.
    ///
    /// libbpf's `btf__align_of` differs for integers and floats of 16 bytes,
    /// for those of 8 bytes with 4-byte pointers, and for packed unions.
    ///
    /// Cost: each struct or union inside is visited once.
    ///
    /// # Errors
    ///
    /// [`Error::Unsized`] for `void`, functions and forward declarations, and
    /// for types with such a member; [`Error::TooDeep`] after 64 types in a
    /// chain, or 64 nested structs; [`Error::TooComplex`] after a million
    /// members.
    pub fn alignment(self) -> Result<Alignment, Error> {
        Aligner::default().of(self, 0)
    }
}

macro_rules! packed {
    ($($kind:ident)*) => {$(
        impl $kind<'_> {
            /// Returns `true` if the type is packed: a member is not where its
            /// alignment would put it, or the size is not a multiple of the
            /// alignment.
            ///
            /// # Errors
            ///
            /// Those of [`Type::align_of`].
            pub fn is_packed(self) -> Result<bool, Error> {
                let mut aligner = Aligner::default();
                let mut natural = Alignment::NONE;
                for member in self.members() {
                    natural = natural.max(aligner.of(member.ty(), 1)?);
                }
                Ok(natural.must > 1 && aligner.of(self.as_type(), 0)? == Alignment::NONE)
            }
        }
    )*};
}

packed!(Struct Union Composite);

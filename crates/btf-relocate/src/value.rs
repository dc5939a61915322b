//! Values of relocations, with which instructions are patched.
//!
//! Source: `bpf_core_calc_field_relo` and its neighbors in
//! `tools/lib/bpf/relo_core.c`.

use btf_types::{ByteOrder, CoreReloKind, IntEncoding, Member, Type};

use crate::{
    Fault,
    budget::Budget,
    fault::shortened_type,
    spec::{Accessor, Spec, resolve_within as resolve, size_of},
};

/// Steps per value, mainly to find a size.
const STEPS: u64 = 4;

/// Value of a field relocation in the types of one side.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FieldValue<'a> {
    pub(crate) value: u64,
    /// The instruction must have the local value. False for the load of a bitfield,
    /// as compilers choose among several.
    pub(crate) is_exact: bool,
    /// The scalar that a load or store accesses, and its size in bytes; only for a
    /// byte offset.
    pub(crate) access: Option<(Type<'a>, u64)>,
}

impl<'a> FieldValue<'a> {
    fn exact(value: u64) -> Self {
        Self { value, is_exact: true, access: None }
    }

    /// Returns the value for the field that a path leads to. `order` is the byte
    /// order of the object.
    pub(crate) fn of(kind: CoreReloKind, spec: &Spec<'a>, order: ByteOrder, budget: &Budget) -> Result<Self, Fault> {
        budget.spend(STEPS)?;
        if kind == CoreReloKind::FieldExists {
            return Ok(Self::exact(1));
        }
        match spec.accessors.last() {
            Some(&Accessor::Member { member, .. }) => Self::of_member(kind, member, spec.bit_offset, order, budget),
            Some(&Accessor::Element { ty, .. }) => Self::of_element(kind, ty, spec.bit_offset, budget),
            None => Err(Fault::ArrayElement { kind }),
        }
    }

    fn of_element(kind: CoreReloKind, ty: Type<'a>, bit_offset: u64, budget: &Budget) -> Result<Self, Fault> {
        match kind {
            CoreReloKind::FieldByteOffset => {
                let (_, size) = scalar(ty, budget)?;
                Ok(Self { access: Some((ty, size)), ..Self::exact(bit_offset / 8) })
            }
            CoreReloKind::FieldByteSize => Ok(Self::exact(size_of(ty)?)),
            _ => Err(Fault::ArrayElement { kind }),
        }
    }

    fn of_member(
        kind: CoreReloKind,
        member: Member<'a>,
        bit_offset: u64,
        order: ByteOrder,
        budget: &Budget,
    ) -> Result<Self, Fault> {
        let ty = resolve(member.ty(), budget)?;
        let (load, bits) = match member.encoded().1 {
            Some(bits) => (Load::of_bitfield(ty, bit_offset, bits)?, u64::from(bits)),
            None => {
                let size = size_of(ty)?;
                (Load { offset: bit_offset / 8, size }, size * 8)
            }
        };
        let is_bitfield = member.encoded().1.is_some();
        let of = |value| Self { value, is_exact: !is_bitfield, access: None };
        let in_load = bit_offset - load.offset * 8;
        Ok(match kind {
            CoreReloKind::FieldByteOffset if is_bitfield => of(load.offset),
            CoreReloKind::FieldByteOffset => {
                let (_, size) = scalar(ty, budget)?;
                Self { access: Some((ty, size)), ..of(load.offset) }
            }
            CoreReloKind::FieldByteSize => of(load.size),
            CoreReloKind::FieldSigned => Self::exact(is_signed(ty).into()),
            // Shifts of fields that are not bitfields may exceed 64 bits. No program
            // uses them, and libbpf lets them wrap around.
            CoreReloKind::FieldLshiftU64 => of(match order {
                ByteOrder::Little => shift(64u64.wrapping_sub(in_load + bits)),
                ByteOrder::Big => shift(8u64.wrapping_sub(load.size).wrapping_mul(8).wrapping_add(in_load)),
            }),
            CoreReloKind::FieldRshiftU64 => Self::exact(shift(64u64.wrapping_sub(bits))),
            _ => return Err(Fault::UnknownKind { number: kind.into() }),
        })
    }
}

/// Truncates a shift to 32 bits, as libbpf does.
fn shift(bits: u64) -> u64 {
    (bits as u32).into()
}

/// The load that reads a field: offset and size in bytes.
#[derive(Debug, Clone, Copy)]
struct Load {
    offset: u64,
    size: u64,
}

impl Load {
    /// Returns the smallest aligned load, at least as large as the declared type,
    /// that contains all of a bitfield.
    fn of_bitfield(ty: Type<'_>, bit_offset: u64, bits: u8) -> Result<Self, Fault> {
        let too_wide = || Fault::Bitfield { ty: shortened_type(ty), bit_offset };
        let mut size = match ty {
            Type::Int(view) => view.size().into(),
            Type::Enum(view) => view.size().into(),
            Type::Enum64(view) => view.size().into(),
            _ => 0,
        };
        if size == 0 {
            return Err(too_wide());
        }
        loop {
            let offset = bit_offset / 8 / size * size;
            if bit_offset + u64::from(bits) <= (offset + size) * 8 {
                return Ok(Self { offset, size });
            }
            if size >= 8 {
                return Err(too_wide());
            }
            size *= 2;
        }
    }
}

fn is_signed(ty: Type<'_>) -> bool {
    match ty {
        Type::Int(view) => view.is_signed(),
        Type::Enum(view) => view.is_signed(),
        Type::Enum64(view) => view.is_signed(),
        _ => false,
    }
}

/// Returns the innermost element type of an array, or the type itself, with its size in
/// bytes.
fn scalar<'a>(ty: Type<'a>, budget: &Budget) -> Result<(Type<'a>, u64), Fault> {
    let mut scalar = resolve(ty, budget)?;
    // A longer chain of arrays has no size.
    for _ in 0..64 {
        let Type::Array(array) = scalar else { break };
        scalar = resolve(array.element(), budget)?;
    }
    Ok((scalar, size_of(scalar)?))
}

/// Returns whether the size of a load or store can be changed: for pointers and
/// unsigned integers, which are zero-extended.
///
/// `local` and `target` are the fields' types, without modifiers.
pub(crate) fn can_change_size(local: Type<'_>, target: Type<'_>) -> bool {
    match (local, target) {
        (Type::Ptr(_), Type::Ptr(_)) => true,
        (Type::Int(local), Type::Int(target)) => {
            local.encoding() != IntEncoding::SIGNED && target.encoding() != IntEncoding::SIGNED
        }
        _ => false,
    }
}

//! Alignment and size as computed by libbpf, which decide what is packed.
//!
//! Source: `btf__align_of` in `tools/lib/bpf/btf.c`, `btf_is_struct_packed` in
//! `tools/lib/bpf/btf_dump.c`.

use std::fmt;

use btf_types::{Composite, Member, Type};

use super::printer::Printer;
use crate::{
    Error,
    element::{HOPS, innermost},
};

/// Returns the size of a type as computed by libbpf: 0 if it has none.
pub(super) fn size_of(ty: Type<'_>) -> u64 {
    ty.size_of().ok().filter(|size| *size <= u32::MAX.into()).unwrap_or(0)
}

impl<'btf> Printer<'btf, '_> {
    /// Alignment in bytes; 0 for what has none.
    pub(super) fn align_as_libbpf(&mut self, ty: Type<'btf>) -> Result<u64, fmt::Error> {
        let known = self.aligns.get(ty.id() as usize).copied().unwrap_or(0);
        if let Some(align) = known.checked_sub(1) {
            return Ok(align.into());
        }
        let align = self.align_within(ty, 0)?;
        self.keep_align(ty, align);
        Ok(align)
    }

    pub(super) fn keep_align(&mut self, ty: Type<'btf>, align: u64) {
        if let Some(known) = self.aligns.get_mut(ty.id() as usize) {
            // At most the size of a pointer.
            *known = align as u8 + 1;
        }
    }

    fn align_within(&mut self, ty: Type<'btf>, depth: u32) -> Result<u64, fmt::Error> {
        let pointer_size = u64::from(self.btf.pointer_size());
        let Some((inner, _)) = innermost(ty) else {
            self.fail(Error::TooDeep { ty: ty.into(), limit: HOPS })?;
            return Ok(0);
        };
        let size = match inner {
            Type::Int(view) => view.size(),
            Type::Float(view) => view.size(),
            Type::Enum(view) => view.size(),
            Type::Enum64(view) => view.size(),
            Type::Ptr(_) => return Ok(pointer_size),
            Type::Struct(s) => return self.align_of_composite(s.into(), depth),
            Type::Union(u) => return self.align_of_composite(u.into(), depth),
            _ => return Ok(0),
        };
        Ok(pointer_size.min(size.into()))
    }

    fn align_of_composite(&mut self, ty: Composite<'btf>, depth: u32) -> Result<u64, fmt::Error> {
        let known = self.aligns.get(ty.id() as usize).copied().unwrap_or(0);
        if let Some(align) = known.checked_sub(1) {
            return Ok(align.into());
        }
        if depth == HOPS {
            self.fail(Error::TooDeep { ty: Type::from(ty).into(), limit: HOPS })?;
        }
        let aligned = ty.members().map(|member| {
            self.step()?;
            Ok((member, self.align_within(member.ty(), depth + 1)?))
        });
        let align = align_of(ty, aligned)?;
        self.keep_align(ty.into(), align);
        Ok(align)
    }

    /// Returns `true` if a struct is packed by libbpf's rules.
    pub(super) fn is_packed_as_libbpf(&mut self, ty: Composite<'btf>) -> Result<bool, fmt::Error> {
        is_packed(ty, ty.members().map(|member| Ok((member, self.align_as_libbpf(member.ty())?))))
    }
}

/// Alignment in bytes of a struct or union with these members, which have theirs; 0 if one
/// has none.
pub(super) fn align_of<'btf>(
    ty: Composite<'btf>,
    aligned: impl Iterator<Item = Result<(Member<'btf>, u64), fmt::Error>>,
) -> Result<u64, fmt::Error> {
    let mut largest = 1;
    for member in aligned {
        let (member, align) = member?;
        let (offset, bits) = member.encoded();
        if align == 0 {
            return Ok(0);
        }
        largest = largest.max(align);
        if bits.is_none() && u64::from(offset) % (8 * align) != 0 {
            return Ok(1);
        }
    }
    Ok(if u64::from(ty.size()) % largest == 0 { largest } else { 1 })
}

/// Returns `true` if a struct is packed by libbpf's rules, given its members
/// and their alignment.
pub(super) fn is_packed<'btf>(
    ty: Composite<'btf>,
    aligned: impl Iterator<Item = Result<(Member<'btf>, u64), fmt::Error>>,
) -> Result<bool, fmt::Error> {
    let mut largest = 1;
    for member in aligned {
        let (member, align) = member?;
        let (offset, bits) = member.encoded();
        if align > 0 && bits.is_none() && u64::from(offset) % (8 * align) != 0 {
            return Ok(true);
        }
        largest = largest.max(align);
    }
    Ok(u64::from(ty.size()) % largest != 0)
}

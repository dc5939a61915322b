//! Alignment and size as computed by libbpf, which decide whether a struct is packed.
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

/// Properties of a type by libbpf's rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rules {
    /// Alignment in bytes, at most the size of a pointer; 0 if the type has none.
    pub(super) align: u8,
    /// True for a packed struct.
    pub(super) packed: bool,
}

impl Rules {
    /// Applies the rules to a struct or union, given its members with their alignments in
    /// bytes.
    pub(super) fn of<'btf>(
        ty: Composite<'btf>,
        aligned: impl Iterator<Item = Result<(Member<'btf>, u8), fmt::Error>>,
    ) -> Result<Self, fmt::Error> {
        let is_union = ty.is_union();
        let (mut largest, mut has_none) = (1, false);
        for member in aligned {
            let (member, align) = member?;
            has_none |= align == 0;
            if has_none && is_union {
                break;
            }
            let (offset, bits) = member.encoded();
            if align > 0 && bits.is_none() && offset % (8 * u32::from(align)) != 0 {
                return Ok(Self { align: u8::from(!has_none), packed: !is_union });
            }
            largest = largest.max(align);
        }
        let is_whole = ty.size().is_multiple_of(largest.into());
        let align = if is_whole { largest } else { 1 };
        Ok(Self { align: if has_none { 0 } else { align }, packed: !is_union && !is_whole })
    }
}

impl<'btf> Printer<'btf, '_> {
    /// Returns the size of a type as computed by libbpf: 0 if it has none.
    pub(super) fn size_as_libbpf(&self, ty: Type<'btf>) -> u64 {
        match self.measures.get(ty.id()) {
            Some(known) => known.size,
            None => ty.size_of().ok().filter(|size| *size <= u32::MAX.into()).unwrap_or(0),
        }
    }

    /// Applies libbpf's rules to a type.
    pub(super) fn as_libbpf(&mut self, ty: Type<'btf>) -> Result<Rules, fmt::Error> {
        match self.known_rules(ty.id()) {
            Some(known) => Ok(known),
            None => self.apply_rules(ty, 0),
        }
    }

    /// Returns the properties of a type, if the rules were applied to it before.
    #[inline]
    fn known_rules(&self, id: u32) -> Option<Rules> {
        self.rules.get(id as usize).copied().flatten()
    }

    pub(super) fn keep_rules(&mut self, ty: Type<'btf>, rules: Rules) {
        if let Some(known) = self.rules.get_mut(ty.id() as usize) {
            *known = Some(rules);
        }
    }

    #[inline(never)]
    fn apply_rules(&mut self, ty: Type<'btf>, depth: u32) -> Result<Rules, fmt::Error> {
        let pointer_size = self.btf.pointer_size();
        let Some((inner, _)) = innermost(ty) else {
            self.fail(Error::TooDeep { ty: ty.into(), limit: HOPS })?;
            return Err(fmt::Error);
        };
        let scalar = |size: u32| Rules { align: size.min(pointer_size.into()) as u8, packed: false };
        let rules = match inner {
            Type::Int(view) => scalar(view.size()),
            Type::Float(view) => scalar(view.size()),
            Type::Enum(view) => scalar(view.size()),
            Type::Enum64(view) => scalar(view.size()),
            Type::Ptr(_) => scalar(pointer_size.into()),
            Type::Struct(s) => self.apply_rules_inside(s.into(), depth)?,
            Type::Union(u) => self.apply_rules_inside(u.into(), depth)?,
            _ => scalar(0),
        };
        self.keep_rules(ty, rules);
        Ok(rules)
    }

    fn apply_rules_inside(&mut self, ty: Composite<'btf>, depth: u32) -> Result<Rules, fmt::Error> {
        if let Some(known) = self.known_rules(ty.id()) {
            return Ok(known);
        }
        if depth == HOPS {
            self.fail(Error::TooDeep { ty: Type::from(ty).into(), limit: HOPS })?;
        }
        let aligned = ty.members().map(|member| {
            self.step()?;
            let rules = match self.known_rules(member.type_id()) {
                Some(known) => known,
                None => self.apply_rules(member.ty(), depth + 1)?,
            };
            Ok((member, rules.align))
        });
        let rules = Rules::of(ty, aligned)?;
        self.keep_rules(ty.into(), rules);
        Ok(rules)
    }
}

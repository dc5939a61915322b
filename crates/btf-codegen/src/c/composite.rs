//! Definitions of structs and unions.
//!
//! Source: `btf_dump_emit_struct_def` in `tools/lib/bpf/btf_dump.c`.

use std::{borrow::Cow, fmt};

use btf_types::{Composite, Member, Name};

use super::{
    layout::{Field, Place, Plan, arrange, arrange_union, largest_of, largest_unit},
    names::identifier,
    padding::{Pad, Padding},
    printer::Printer,
};

/// Size of the largest padding unit in packed types, in bits.
const PACKED_UNIT: u64 = 64;

impl<'btf> Printer<'btf, '_> {
    /// Writes a struct or union with its members.
    pub(super) fn composite(&mut self, ty: Composite<'btf>) -> fmt::Result {
        if self.level == 0 {
            self.put_real_name(ty.into())?;
        }
        self.put_tag_name(ty.into())?;
        self.members(ty)
    }

    /// Writes a struct or union with its members, but without its name.
    pub(super) fn body(&mut self, ty: Composite<'btf>) -> fmt::Result {
        self.put(if ty.is_union() { "union" } else { "struct" })?;
        self.members(ty)
    }

    fn members(&mut self, ty: Composite<'btf>) -> fmt::Result {
        let shares_scope = std::mem::take(&mut self.shares_scope);
        self.put(" {")?;
        self.nest(ty)?;
        let plan = if self.form.exact {
            let packed = self.as_libbpf(ty.into())?.packed;
            Plan::AsLibbpf { packed }
        } else {
            self.layout(ty)?.plan
        };
        let has_scope = !shares_scope && !self.form.exact;
        if has_scope {
            self.scopes.open();
        }
        match plan {
            Plan::Filled { .. } if ty.is_union() => self.union_filled(ty)?,
            Plan::Filled { packed } => self.struct_filled(ty, packed)?,
            Plan::AsLibbpf { packed } => self.members_as_libbpf(ty, packed)?,
            Plan::Unknown | Plan::Raised(_) => self.members_as_libbpf(ty, false)?,
        }
        if has_scope {
            self.scopes.close();
        }
        self.level -= 1;
        if ty.members().len() > 0 || ty.size() > 0 {
            self.line()?;
        }
        self.put("}")?;
        match plan {
            Plan::AsLibbpf { packed: true } | Plan::Filled { packed: true } => self.put(" __attribute__((packed))"),
            Plan::Raised(power) => {
                self.put(" __attribute__((aligned(")?;
                self.put_number(1u64 << power.min(63))?;
                self.put(")))")
            }
            _ => Ok(()),
        }
    }

    fn members_as_libbpf(&mut self, ty: Composite<'btf>, packed: bool) -> fmt::Result {
        let (mut at, mut is_bitfield) = (0, false);
        for member in ty.members() {
            let (offset, width) = member.encoded();
            let offset = u64::from(offset);
            let in_bitfield = is_bitfield && width.is_some();
            if at < offset {
                let align = if packed { 1 } else { self.as_libbpf(member.ty())?.align.into() };
                self.padding(Padding::as_libbpf(at, offset, align, in_bitfield, self.btf.pointer_size()))?;
            }
            self.member(member, offset, width)?;
            at = offset + width.map_or_else(|| self.size_as_libbpf(member.ty()) * 8, u64::from);
            is_bitfield = width.is_some();
        }
        if !ty.is_union() {
            let align = self.as_libbpf(ty.into())?.align;
            let end = u64::from(ty.size()) * 8;
            self.padding(Padding::as_libbpf(at, end, align.into(), false, self.btf.pointer_size()))?;
        }
        Ok(())
    }

    fn struct_filled(&mut self, ty: Composite<'btf>, packed: bool) -> fmt::Result {
        let mut fields = self.fields(ty)?;
        arrange(&mut fields, ty.size());
        let pointer_size = self.btf.pointer_size();
        let largest = if packed { PACKED_UNIT } else { largest_unit(&fields) };
        let mut at = 0;
        for field in &fields {
            if let Place::Out(why) = field.place {
                self.left_out(field, why)?;
                continue;
            }
            self.padding(Padding::filling(at, field.offset, largest, pointer_size))?;
            self.member(field.member, field.offset, field.member.bitfield_size())?;
            at = field.offset + field.bits();
        }
        self.padding(Padding::filling(at, u64::from(ty.size()) * 8, largest, pointer_size))
    }

    fn union_filled(&mut self, ty: Composite<'btf>) -> fmt::Result {
        let mut fields = self.fields(ty)?;
        arrange_union(&mut fields, ty.size());
        for field in &fields {
            match field.place {
                Place::Out(why) => self.left_out(field, why)?,
                _ => self.member(field.member, 0, field.member.bitfield_size())?,
            }
        }
        if largest_of(&fields) == ty.size().into() {
            return Ok(());
        }
        self.line()?;
        self.put("struct {")?;
        self.level += 1;
        self.padding(Padding::filling(0, u64::from(ty.size()) * 8, PACKED_UNIT, self.btf.pointer_size()))?;
        self.level -= 1;
        self.line()?;
        self.put("} __attribute__((packed));")
    }

    /// Writes padding, one bitfield per line.
    fn padding(&mut self, padding: Padding) -> fmt::Result {
        for Pad { unit, bits } in padding {
            self.step()?;
            self.line()?;
            self.put(unit.as_str())?;
            self.put(": ")?;
            self.put_number(bits)?;
            self.put(";")?;
        }
        Ok(())
    }

    fn member(&mut self, member: Member<'btf>, offset: u64, width: Option<u8>) -> fmt::Result {
        let ty = member.ty();
        self.step()?;
        let raw = member.name();
        let name = if self.form.exact { Cow::Borrowed(raw.as_bytes()) } else { identifier(raw) };
        let is_changed = matches!(name, Cow::Owned(_));
        let name = if self.form.exact || name.is_empty() { name } else { self.scopes.claim(name) };
        self.line()?;
        let outside = self.assert_member(&name, offset, ty, width.is_some())?;
        if raw.is_empty() {
            // An unnamed member of a struct or union type stands for the members of that type.
            let has_members = width.is_none() && Composite::try_from(ty.peel_modifiers()).is_ok();
            self.shares_scope = has_members && !self.form.exact;
            self.inlines = has_members && !self.form.exact;
        }
        self.declare(ty, Name::new(&name))?;
        (self.shares_scope, self.inlines) = (false, false);
        if let Some(outside) = outside {
            self.assert_outside(&outside);
        }
        if let Some(width) = width {
            self.put(": ")?;
            self.put_number(width)?;
        }
        self.put(";")?;
        if is_changed {
            self.put(" ")?;
            self.comment(raw, "")?;
        }
        Ok(())
    }

    /// Writes a comment for a member that C cannot declare.
    fn left_out(&mut self, field: &Field<'btf>, why: &str) -> fmt::Result {
        self.line()?;
        let name = field.member.name();
        let name = if name.is_empty() { Name::from("a member") } else { name };
        self.comment(name, why)
    }
}

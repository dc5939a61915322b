//! `btf show --json`: the contents of the text as JSON.

use std::io::{self, Write};

use btf_types::{Btf, Composite, EnumValues, Hole, Members, Path, Type, View};

use super::{Form, at, declare, layout::Style};
use crate::{json::Json, tag};

/// Maximum nesting of members.
const DEPTH: usize = 64;
/// Maximum number of nested members.
const INSIDE: u32 = 100_000;

/// Writer of types, one object each.
pub(super) struct Show<'j, 'o, W: Write> {
    pub(super) json: &'j mut Json<'o, W>,
    style: Style,
    /// Remaining number of nested members.
    inside: u32,
}

impl<'j, 'o, W: Write> Show<'j, 'o, W> {
    pub(super) fn new(json: &'j mut Json<'o, W>, style: Style) -> Self {
        Self { json, style, inside: 0 }
    }

    fn id_and_kind(&mut self, ty: Type<'_>) -> io::Result<()> {
        self.json.key("id")?;
        self.json.number(ty.id())?;
        self.json.key("kind")?;
        match (ty, ty.kind()) {
            (Type::Void, _) => self.json.str("VOID"),
            (_, kind) => self.json.str(kind.map_or("UNKNOWN", btf_types::Kind::as_str)),
        }
    }

    /// Writes a type in C syntax.
    fn type_of(&mut self, key: &str, ty: Type<'_>) -> io::Result<()> {
        self.json.key(key)?;
        self.json.display(ty)?;
        self.json.key("type_id")?;
        self.json.number(ty.id())
    }

    fn size(&mut self, ty: Type<'_>) -> io::Result<()> {
        self.json.key("size")?;
        self.json.maybe(ty.size_of().ok())
    }

    fn holes(&mut self, holes: &[Hole]) -> io::Result<()> {
        self.json.key("holes")?;
        self.json.begin_array()?;
        for hole in holes {
            self.json.begin_object()?;
            self.json.key("bit_offset")?;
            self.json.number(hole.bit_offset)?;
            self.json.key("bits")?;
            self.json.number(hole.bits)?;
            self.json.end_object()?;
        }
        self.json.end_array()
    }

    /// Writes members. Unnamed ones, or all with --expand, include their own
    /// members. Offsets are relative to the enclosing struct.
    fn members<'btf>(&mut self, members: Members<'btf>, open: &mut Vec<Type<'btf>>) -> io::Result<()> {
        self.json.key("members")?;
        self.json.begin_array()?;
        for member in members {
            self.json.begin_object()?;
            self.json.key("name")?;
            self.json.name(member.name())?;
            self.type_of("type", member.ty())?;
            self.json.key("bit_offset")?;
            self.json.number(member.bit_offset())?;
            self.json.key("bitfield_size")?;
            self.json.maybe(member.bitfield_size())?;
            self.size(member.ty())?;
            if let Some(inner) = self.inner(member.ty(), open) {
                match inner {
                    Type::Enum(e) => self.values(e.is_signed(), e.values())?,
                    Type::Enum64(e) => self.values(e.is_signed(), e.values())?,
                    inner => {
                        open.push(inner);
                        Composite::of(inner).map_or(Ok(()), |composite| self.members(composite.members(), open))?;
                        open.pop();
                    }
                }
            }
            self.json.end_object()?;
        }
        self.json.end_array()
    }

    /// Returns the type of a member whose own members are written.
    fn inner<'btf>(&mut self, ty: Type<'btf>, open: &[Type<'btf>]) -> Option<Type<'btf>> {
        let (base, is_behind_pointer) = declare::base(ty)?;
        let expands = self.style.expand && !is_behind_pointer;
        let inner = if expands { base.peel_modifiers() } else { base };
        let count = match inner {
            Type::Struct(_) | Type::Union(_) => Composite::of(inner)?.members().len(),
            Type::Enum(e) if inner.is_anonymous() => e.values().len(),
            Type::Enum64(e) if inner.is_anonymous() => e.values().len(),
            _ => return None,
        };
        if !(expands || inner.is_anonymous()) || open.len() >= DEPTH || open.contains(&inner) {
            return None;
        }
        self.inside = self.inside.checked_sub(u32::try_from(count).ok()?)?;
        Some(inner)
    }

    fn values(&mut self, is_signed: bool, values: EnumValues<'_>) -> io::Result<()> {
        self.json.key("is_signed")?;
        self.json.bool(is_signed)?;
        self.json.key("values")?;
        self.json.begin_array()?;
        for value in values {
            self.json.begin_object()?;
            self.json.key("name")?;
            self.json.name(value.name())?;
            self.json.key("value")?;
            self.json.number(value.value())?;
            self.json.end_object()?;
        }
        self.json.end_array()
    }

    fn prototype(&mut self, proto: btf_types::FuncProto<'_>) -> io::Result<()> {
        self.json.key("returns")?;
        self.json.begin_object()?;
        self.type_of("type", proto.return_type())?;
        self.json.end_object()?;
        self.json.key("parameters")?;
        self.json.begin_array()?;
        for param in proto.params() {
            self.json.begin_object()?;
            self.json.key("name")?;
            self.json.name(param.name())?;
            match param.is_vararg() {
                true => {
                    self.json.key("type")?;
                    self.json.str("...")?;
                }
                false => self.type_of("type", param.ty())?,
            }
            self.json.end_object()?;
        }
        self.json.end_array()
    }
}

impl<W: Write> Form for Show<'_, '_, W> {
    fn separate(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn id(&mut self, _: Type<'_>) -> io::Result<()> {
        Ok(())
    }

    /// Writes a type with all of its contents.
    fn ty(&mut self, btf: &Btf, ty: Type<'_>) -> io::Result<()> {
        self.inside = INSIDE;
        self.json.begin_object()?;
        self.id_and_kind(ty)?;
        self.json.key("name")?;
        self.json.name(ty.name())?;
        self.size(ty)?;
        match ty {
            Type::Struct(s) => {
                self.json.key("is_packed")?;
                self.json.bool(s.is_packed().unwrap_or(false))?;
                self.holes(&s.holes())?;
                self.json.key("padding_bits")?;
                self.json.number(s.padding())?;
                self.members(s.members(), &mut vec![ty])?;
            }
            Type::Union(u) => {
                self.json.key("is_packed")?;
                self.json.bool(u.is_packed().unwrap_or(false))?;
                self.json.key("padding_bits")?;
                self.json.number(u.padding())?;
                self.members(u.members(), &mut vec![ty])?;
            }
            Type::Enum(e) => self.values(e.is_signed(), e.values())?,
            Type::Enum64(e) => self.values(e.is_signed(), e.values())?,
            Type::Func(func) => {
                self.json.key("linkage")?;
                self.json.display(func.linkage())?;
                self.prototype(func.proto())?;
                self.json.key("tags")?;
                self.json.begin_array()?;
                btf.decl_tags_of(ty).try_for_each(|tag| self.json.name(tag.name()))?;
                self.json.end_array()?;
            }
            Type::FuncProto(proto) => self.prototype(proto)?,
            Type::Var(var) => {
                self.json.key("linkage")?;
                self.json.display(var.linkage())?;
                self.type_of("type", var.ty())?;
            }
            Type::Datasec(section) => {
                self.json.key("variables")?;
                self.json.begin_array()?;
                for entry in section.entries() {
                    self.json.begin_object()?;
                    self.json.key("name")?;
                    self.json.name(entry.ty().name())?;
                    self.json.key("offset")?;
                    self.json.number(entry.offset())?;
                    self.json.key("size")?;
                    self.json.number(entry.size())?;
                    let ty = if let Type::Var(var) = entry.ty() { var.ty() } else { entry.ty() };
                    self.type_of("type", ty)?;
                    self.json.end_object()?;
                }
                self.json.end_array()?;
            }
            Type::DeclTag(tag) => {
                self.json.key("target")?;
                self.json.begin_object()?;
                self.id_and_kind(tag.target())?;
                self.json.key("name")?;
                self.json.name(tag.target().name())?;
                self.json.end_object()?;
                self.json.key("component")?;
                self.json.maybe(tag.component_idx())?;
                self.json.key("component_name")?;
                match tag::component(tag) {
                    Some(name) => self.json.name(name)?,
                    None => self.json.null()?,
                }
            }
            Type::Array(array) => self.type_of("type", array.element())?,
            ty => {
                if let Some(target) = ty.target() {
                    self.type_of("type", target)?;
                }
            }
        }
        self.json.end_object()
    }

    /// Writes a path by steps: one for each pointer.
    fn path(&mut self, _: &Btf, text: &str, path: &Path<'_>) -> io::Result<()> {
        self.json.begin_object()?;
        self.json.key("path")?;
        self.json.str(text)?;
        self.json.key("steps")?;
        self.json.begin_array()?;
        for step in path.steps() {
            self.json.begin_object()?;
            self.json.key("from")?;
            self.json.display(step.from)?;
            self.json.key("from_id")?;
            self.json.number(step.from.id())?;
            self.json.key("bit_offset")?;
            self.json.number(step.bit_offset)?;
            self.json.key("bitfield_size")?;
            self.json.maybe(step.bitfield_size)?;
            self.type_of("type", step.to)?;
            self.size(step.to)?;
            self.json.end_object()?;
        }
        self.json.end_array()?;
        self.json.end_object()
    }

    /// Writes the members at an offset of a type.
    fn at(&mut self, text: &str, ty: Type<'_>, offset: u64) -> io::Result<()> {
        let (places, more) = at::places(ty, offset);
        self.json.begin_object()?;
        self.json.key("name")?;
        self.json.str(text)?;
        self.json.key("offset")?;
        self.json.number(offset)?;
        self.json.key("is_cut")?;
        self.json.bool(more)?;
        self.json.key("members")?;
        self.json.begin_array()?;
        for place in &places {
            self.json.begin_object()?;
            self.json.key("path")?;
            self.json.begin_array()?;
            for part in &place.path {
                match part {
                    at::Part::Member(name) => self.json.name(*name)?,
                    at::Part::Element(index) => self.json.number(*index)?,
                }
            }
            self.json.end_array()?;
            self.json.key("bit_offset")?;
            self.json.number(place.bit_offset)?;
            self.json.key("bitfield_size")?;
            self.json.maybe(place.bitfield_size)?;
            self.type_of("type", place.ty)?;
            self.json.end_object()?;
        }
        self.json.end_array()?;
        self.json.end_object()
    }
}

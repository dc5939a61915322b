//! Structs and unions.

use btf_types::{Composite, Name, Type};

use super::{
    generator::{Generator, put},
    layout::{Body, Field, Item, Layout, Place, Plan, What, Writing},
    names::{Ident, Taken},
    naming::field_name,
};
use crate::Error;

/// Names of the members of one type in the generated code.
#[derive(Debug, Default)]
pub(super) struct FieldNames {
    /// Names of the members, by index.
    names: Vec<String>,
    /// Names in use by fields and getters.
    pub(super) taken: Taken,
}

impl FieldNames {
    /// Makes these names unique, and keeps their indexes.
    pub(super) fn new(names: impl Iterator<Item = String>) -> Self {
        let mut taken = Taken::default();
        let names = names.map(|name| taken.claim(name)).collect();
        Self { names, taken }
    }

    pub(super) fn get(&self, field: &Field<'_>) -> &str {
        self.names.get(field.index as usize).map_or("", String::as_str)
    }
}

/// A field of bytes, which holds members that have accessors.
#[derive(Debug)]
struct Storage {
    name: String,
    /// In bytes.
    offset: u64,
    size: u64,
}

/// Accessors of a member.
#[derive(Debug)]
pub(super) struct Access<'f, 'btf> {
    pub(super) field: Field<'btf>,
    pub(super) getter: &'f str,
    pub(super) setter: String,
    /// Name of the field of bytes that holds the member.
    pub(super) bytes: &'f str,
    /// Offset in that field, in bits.
    pub(super) at: u64,
}

impl<'btf> Generator<'btf, '_> {
    /// Writes a struct or union: its definition, its methods and its assertions.
    pub(super) fn composite(&mut self, ty: Composite<'btf>) -> Result<(), Error> {
        let id = ty.as_type();
        if !self.selection.is_defined(ty.id()) {
            self.declared(id);
            return Ok(());
        }
        let layout = self.layout(ty, 0)?;
        let body = self.body(ty, 0)?;
        debug_assert_eq!(body.layout, layout, "a layout is what it is");
        let mut names = FieldNames::new(ty.members().map(field_name));
        let name = self.name_of(id);
        self.put("    /// ");
        self.put_declaration(id, Name::EMPTY, None);
        put!(self, ", {} bytes", ty.size());
        self.put(match body.layout.plan {
            Plan::Packed => ", packed.\n",
            _ => ".\n",
        });
        self.head(body.layout);
        put!(self, "    pub struct {name} {{\n");
        self.members(&name, ty.size().into(), &body, &mut names)
    }

    /// Writes an opaque type, of which only the name is known.
    pub(super) fn declared(&mut self, ty: Type<'btf>) {
        let name = self.name_of(ty);
        self.put("    /// ");
        self.put_declaration(ty, Name::EMPTY, None);
        self.put(", not defined here: only pointed to.\n    #[repr(C)]\n");
        put!(self, "    pub struct {name} {{\n        _opaque: [u8; 0],\n    }}\n\n");
    }

    /// Writes the attributes of a struct or union.
    pub(super) fn head(&mut self, layout: Layout) {
        match layout.plan {
            Plan::Packed => self.put("    #[repr(C, packed)]\n"),
            Plan::Fields { is_aligned: false } => self.put("    #[repr(C)]\n"),
            _ if layout.align() == 1 => self.put("    #[repr(C)]\n"),
            _ => put!(self, "    #[repr(C, align({}))]\n", layout.align()),
        }
        self.put("    #[derive(Debug)]\n");
        self.derives();
    }

    /// Writes the fields of a struct, union or section, and everything that follows it.
    pub(super) fn members(
        &mut self,
        name: &str,
        size: u64,
        body: &Body<'btf>,
        names: &mut FieldNames,
    ) -> Result<(), Error> {
        let storage = self.fields_of(body, size, names)?;
        self.put("    }\n\n");
        self.add_plain(name);
        self.methods(name, body, names, &storage)?;
        self.asserts(name, size, body, names)?;
        self.flush_full()
    }

    /// Writes the fields. Returns the fields of bytes that hold members.
    fn fields_of(&mut self, body: &Body<'btf>, size: u64, names: &mut FieldNames) -> Result<Vec<Storage>, Error> {
        let mut storage = Vec::new();
        if body.layout.plan == Plan::Opaque {
            let name = names.taken.claim("_bytes".into());
            put!(self, "        {name}: [u8; {size}],\n");
            storage.push(Storage { name, offset: 0, size });
        }
        for item in &body.items {
            self.step()?;
            storage.extend(self.field(item, names)?);
            self.flush_full()?;
        }
        Ok(storage)
    }

    fn field(&mut self, item: &Item<'btf>, names: &mut FieldNames) -> Result<Option<Storage>, Error> {
        let word = match item.what {
            What::Field(field, _, writing @ (Writing::Plain | Writing::Lowered)) => {
                self.put("        /// ");
                self.put_declaration(field.ty, field.name, None);
                put!(self, ", offset {}\n        pub {}: ", item.offset, Ident(names.get(&field)));
                self.put_value_type(field.ty, writing, 0)?;
                self.put(",\n");
                return Ok(None);
            }
            What::Field(_, _, Writing::Bytes) => "_bytes",
            What::Bits => "_bits",
            What::Padding => "_pad",
        };
        let name = names.taken.claim(format!("{word}_{}", item.offset));
        put!(self, "        {name}: [u8; {}],\n", item.size);
        let has_members = !matches!(item.what, What::Padding);
        Ok(has_members.then_some(Storage { name, offset: item.offset, size: item.size }))
    }

    /// Writes the accessors of members that are not fields: bitfields, and members in bytes.
    fn methods(&mut self, name: &str, body: &Body<'btf>, names: &FieldNames, storage: &[Storage]) -> Result<(), Error> {
        let mut setters = Taken::default();
        if !storage.is_empty() {
            body.fields.iter().for_each(|field| drop(setters.claim(names.get(field).to_owned())));
        }
        let mut is_first = true;
        for field in &body.fields {
            let Some((bytes, at)) = holder(storage, field) else { continue };
            self.step()?;
            let getter = names.get(field);
            let setter = setters.claim(format!("set_{getter}"));
            if is_first {
                put!(self, "    impl {name} {{\n");
            } else {
                self.put("\n");
            }
            is_first = false;
            let access = Access { field: *field, getter, setter, bytes, at };
            match field.place {
                Place::Bits(unit, width) => self.bitfield(&access, unit, width)?,
                Place::Bytes(_) => self.access(&access)?,
                Place::Nowhere => {}
            }
            self.flush_full()?;
        }
        self.put(if is_first { "" } else { "    }\n\n" });
        Ok(())
    }

    /// Writes the accessors of a member in bytes.
    fn access(&mut self, access: &Access<'_, 'btf>) -> Result<(), Error> {
        let Access { field, getter, setter, bytes, at } = access;
        self.used.read_at = true;
        self.put("        /// ");
        self.put_declaration(field.ty, field.name, None);
        put!(self, ", offset {}.\n        #[inline]\n        pub fn {}(&self) -> ", field.offset / 8, Ident(getter));
        self.put_value_type(field.ty, Writing::Plain, 0)?;
        put!(self, " {{\n            read_at(&self.{bytes}, {})\n        }}\n", at / 8);
        self.used.write_at = true;
        put!(self, "\n        /// Sets [`Self::{getter}`].\n        #[inline]\n");
        put!(self, "        pub fn {}(&mut self, value: ", Ident(setter));
        self.put_value_type(field.ty, Writing::Plain, 0)?;
        put!(self, ") {{\n            write_at(&mut self.{bytes}, {}, value);\n        }}\n", at / 8);
        Ok(())
    }
}

/// Returns the field of bytes that holds a member, and the first bit of the member in it;
/// `None` if the member cannot be read there.
fn holder<'s>(storage: &'s [Storage], field: &Field<'_>) -> Option<(&'s str, u64)> {
    let index = storage.partition_point(|bytes| 8 * bytes.offset <= field.offset).checked_sub(1)?;
    let bytes = storage.get(index)?;
    let at = field.offset - 8 * bytes.offset;
    let (width, is_readable) = match field.place {
        Place::Bytes(measure) => (8 * measure.size, at.is_multiple_of(8)),
        Place::Bits(_, width) => (width, !field.name.is_empty()),
        Place::Nowhere => return None,
    };
    (is_readable && at + width <= 8 * bytes.size).then_some((bytes.name.as_str(), at))
}

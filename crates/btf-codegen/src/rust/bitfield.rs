//! Accessors of bitfields, in the bit order of the machine that the BTF is for, regardless
//! of the machine that the code runs on.

use btf_types::{AnyEnum, Type, View};

use super::{
    composite::Access,
    generator::{Generator, put},
    layout::Measure,
    names::Ident,
    scalar::Plain,
};
use crate::Error;

/// Value of a bitfield, and its conversion from and to bits.
struct Value {
    ty: String,
    is_signed: bool,
    /// Code before and after the bits.
    from_bits: (String, String),
    /// Code after `value`.
    to_bits: &'static str,
}

impl<'btf> Generator<'btf, '_> {
    /// Writes the methods for a bitfield.
    pub(super) fn bitfield(&mut self, access: &Access<'_, 'btf>, unit: Measure, width: u64) -> Result<(), Error> {
        let Access { field, getter, setter, bytes, at } = access;
        let value = self.value(field.ty, unit);
        let (wide, kind) = if width > 64 { ("_wide", "128") } else { ("", "64") };
        let used = if width > 64 { &mut self.used.wide_bits } else { &mut self.used.bits };
        *used = true;
        let signed = if value.is_signed { "_signed" } else { "" };
        self.put("        /// ");
        self.put_declaration(field.ty, field.name, Some(width as u8));
        put!(self, ", bit {}.\n        #[inline]\n", field.offset);
        put!(self, "        pub fn {}(&self) -> {} {{\n", Ident(getter), value.ty);
        let (before, behind) = &value.from_bits;
        put!(self, "            {before}get{signed}_bits{wide}(&self.{bytes}, {at}, {width}){behind}\n        }}\n");
        put!(self, "\n        /// Sets [`Self::{getter}`].\n        #[inline]\n");
        put!(self, "        pub fn {}(&mut self, value: {}) {{\n", Ident(setter), value.ty);
        let to_bits = value.to_bits;
        put!(
            self,
            "            set_bits{wide}(&mut self.{bytes}, {at}, {width}, value{to_bits} as u{kind});\n        }}\n"
        );
        Ok(())
    }

    fn value(&self, ty: Type<'btf>, unit: Measure) -> Value {
        let ty = ty.peel_modifiers();
        let is_signed = match ty {
            Type::Int(int) => int.is_signed() && !int.is_bool(),
            _ => AnyEnum::of(ty).is_some_and(AnyEnum::is_signed),
        };
        let integer = |signed, unsigned| if is_signed { signed } else { unsigned };
        let plain = Plain::of_size(unit.size as u32, is_signed).map(Plain::as_str);
        // If no integer has the size, a larger one holds the bits.
        let primitive = plain.unwrap_or(if unit.size > 8 {
            integer("i128", "u128")
        } else if unit.size > 4 {
            integer("i64", "u64")
        } else {
            integer("i32", "u32")
        });
        match (ty, self.enum_integer(ty)) {
            (Type::Int(int), _) if int.is_bool() => {
                Value { ty: "bool".into(), is_signed, from_bits: (String::new(), " != 0".into()), to_bits: "" }
            }
            (_, Some((plain, Some(order)))) => Value {
                ty: self.name_of(ty),
                is_signed,
                from_bits: (format!("{}({order}::new(", self.name_of(ty)), format!(" as {}))", plain.as_str())),
                to_bits: ".0.get()",
            },
            (_, Some((plain, None))) => Value {
                ty: self.name_of(ty),
                is_signed,
                from_bits: (format!("{}(", self.name_of(ty)), format!(" as {})", plain.as_str())),
                to_bits: ".0",
            },
            _ => Value {
                ty: primitive.into(),
                is_signed,
                from_bits: (String::new(), format!(" as {primitive}")),
                to_bits: "",
            },
        }
    }
}

//! Enumerations: an integer that may have any value, and constants.

use btf_types::{AnyEnum, Name};

use super::{
    generator::{Generator, put},
    names::{Ident, Taken, identifier},
    naming::NAME,
    scalar::Plain,
};
use crate::Error;

impl<'btf> Generator<'btf, '_> {
    /// Writes an enumeration.
    pub(super) fn enumeration(&mut self, any: AnyEnum<'btf>) -> Result<(), Error> {
        let ty = any.into();
        let name = self.name_of(ty);
        self.put("    /// ");
        self.put_declaration(ty, Name::EMPTY, None);
        put!(self, ", {} bytes.\n    #[repr(transparent)]\n", any.size());
        let Some((plain, foreign)) = self.enum_integer(ty) else {
            self.put("    #[derive(PartialEq, Eq, Hash, Debug)]\n");
            self.derives();
            put!(self, "    pub struct {name}(pub [u8; {}]);\n\n", any.size());
            self.add_plain(&name);
            return Ok(());
        };
        let order = if foreign.is_some() { "" } else { "PartialOrd, Ord, " };
        put!(self, "    #[derive(PartialEq, Eq, {order}Hash, Debug)]\n");
        self.derives();
        put!(self, "    pub struct {name}(pub ");
        self.put_plain(plain);
        self.put(");\n\n");
        if any.values().len() > 0 {
            put!(self, "    impl {name} {{\n");
            let mut taken = Taken::default();
            for value in any.values() {
                self.step()?;
                let constant = taken.claim(identifier(value.name_start(NAME)));
                put!(self, "        pub const {}: Self = Self(", Ident(&constant));
                let number = fit(value.value(), plain);
                match foreign {
                    Some(order @ "Le") => put!(self, "{order}({}::to_le({number}))", plain.as_str()),
                    Some(order) => put!(self, "{order}({}::to_be({number}))", plain.as_str()),
                    None => self.put_number(number),
                }
                self.put(");\n");
                self.flush_full()?;
            }
            self.put("    }\n\n");
        }
        self.add_plain(&name);
        put!(self, "    const _: () = assert_eq(::core::mem::size_of::<{name}>(), {});\n\n", any.size());
        Ok(())
    }
}

/// Truncates a value to the integer, which may be smaller than the value in the BTF.
fn fit(value: i128, plain: Plain) -> i128 {
    match plain {
        Plain::I8 => (value as i8).into(),
        Plain::U8 => (value as u8).into(),
        Plain::I16 => (value as i16).into(),
        Plain::U16 => (value as u16).into(),
        Plain::I32 => (value as i32).into(),
        Plain::U32 => (value as u32).into(),
        Plain::I64 => (value as i64).into(),
        _ => (value as u64).into(),
    }
}

//! Assertions of sizes, alignments and offsets, which rustc checks.

use super::{
    composite::FieldNames,
    generator::{Generator, put},
    layout::{Body, What, Writing},
    names::Ident,
};
use crate::Error;

impl<'btf> Generator<'btf, '_> {
    /// Writes the assertions of a struct or union.
    pub(super) fn asserts(
        &mut self,
        name: &str,
        size: u64,
        body: &Body<'btf>,
        names: &FieldNames,
    ) -> Result<(), Error> {
        put!(self, "    const _: () = {{\n        assert_eq(::core::mem::size_of::<{name}>(), {size});\n");
        put!(self, "        assert_eq(::core::mem::align_of::<{name}>(), {});\n", body.layout.align());
        for item in &body.items {
            self.step()?;
            if let What::Field(field, _, Writing::Plain | Writing::Lowered) = item.what {
                let field = Ident(names.get(&field));
                put!(self, "        assert_eq(::core::mem::offset_of!({name}, {field}), {});\n", item.offset);
                self.flush_full()?;
            }
        }
        self.put("    };\n\n");
        Ok(())
    }
}

//! Globals: the sections of a BPF object, each a struct of its full size.

use btf_types::{Datasec, DatasecEntry, Linkage, Type};

use super::{
    composite::FieldNames,
    generator::{Generator, put},
    layout::{Body, Field, Place},
    names::{identifier, type_identifier},
    naming::NAME,
};
use crate::Error;

/// Returns `true` for a section with data that a program shares with its
/// loader.
pub(super) fn is_data(section: Datasec<'_>) -> bool {
    ![".maps", ".ksyms"].iter().any(|name| section.as_type().is_named(name))
}

impl<'btf> Generator<'btf, '_> {
    /// Names the sections.
    pub(super) fn name_sections(&mut self) {
        for section in self.selection.sections.clone() {
            let name = section.as_type().name_start(NAME);
            // Dots become underscores here, so that they do not add a hash to the name.
            let bare = name.as_bytes().strip_prefix(b".").unwrap_or(name.as_bytes());
            let bare: Vec<u8> = bare.iter().map(|byte| if *byte == b'.' { b'_' } else { *byte }).collect();
            self.names.give(section.id(), type_identifier(bare.as_slice().into()));
        }
    }

    /// Writes a section.
    pub(super) fn section(&mut self, section: Datasec<'btf>) -> Result<(), Error> {
        let fields = self.variables(section)?;
        let size = u64::from(section.size());
        let name = self.name_of(section.into());
        let body = Body::of(fields, size, false);
        let of_entry = |entry: DatasecEntry<'_>| identifier(entry.ty().name_start(NAME));
        let mut names = FieldNames::new(section.entries().map(of_entry));
        self.put("    /// Section `");
        put!(self, "{}", section.as_type().name_start(NAME));
        put!(self, "`, {size} bytes.\n");
        self.head(body.layout);
        put!(self, "    pub struct {name} {{\n");
        self.members(&name, size, &body, &mut names)
    }

    /// Returns the variables of a section that are not static, sorted by offset.
    fn variables(&mut self, section: Datasec<'btf>) -> Result<Vec<Field<'btf>>, Error> {
        let mut entries: Vec<DatasecEntry<'btf>> = section.entries().collect();
        entries.sort_by_key(|entry| (entry.offset(), entry.size()));
        let mut fields = Vec::with_capacity(entries.len());
        let mut end = 0;
        for entry in entries {
            self.step()?;
            // Static variables become padding; compilers may leave their sizes and offsets open.
            let Type::Var(var) = entry.ty() else { continue };
            if var.linkage() == Linkage::Static {
                continue;
            }
            let (start, size) = (u64::from(entry.offset()), u64::from(entry.size()));
            if start < end || start + size > section.size().into() {
                return Err(Error::Misplaced {
                    section: section.as_type().name_start(NAME).into(),
                    variable: entry.ty().into(),
                });
            }
            end = start + size;
            let measure = self.measure(var.ty(), 0)?.filter(|measure| measure.size <= size);
            if let Some(measure) = measure {
                fields.push(Field {
                    ty: var.ty(),
                    name: entry.ty().name_start(NAME),
                    index: entry.index(),
                    offset: 8 * start,
                    place: Place::Bytes(measure),
                });
            }
        }
        Ok(fields)
    }
}

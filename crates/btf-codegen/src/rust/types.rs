//! [`Types`]: contents and form of the generated code.

use std::{fmt, io};

use btf_types::{AnyEnum, Btf, ByteOrder, Composite, Datasec, Type, View};

use super::generator::{Generator, put};
use crate::{Error, output::Bytes, root::Root};

/// Rust code with the types of a BTF.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use btf_codegen::rust::Types;
/// # let bytes = std::fs::read("doc/socket.btf").unwrap();
/// # let btf = btf_types::Btf::parse(bytes)?;
///
/// let source = Types::new().root("sk_buff").generate(&btf)?;
/// assert!(source.contains("pub struct sk_buff {\n"));
/// assert!(source.contains("assert_eq(::core::mem::offset_of!(sk_buff, len), 8);"));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Types {
    roots: Vec<Root>,
    form: Form,
}

/// Form of the types.
#[derive(Debug, Clone)]
pub(super) struct Form {
    pub(super) byte_order: ByteOrder,
    pub(super) globals: bool,
    pub(super) implements: Vec<Traits>,
    module: String,
}

/// Traits of other crates for conversion between bytes and types, see
/// [`Types::implement`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Traits {
    /// `FromBytes`, `IntoBytes`, `KnownLayout` and `Immutable` of zerocopy 0.8, which are
    /// derived. The crate that includes the text depends on zerocopy with its feature
    /// `derive`.
    Zerocopy,
    /// `Pod` of aya, for maps and ring buffers.
    Aya,
}

impl Default for Types {
    fn default() -> Self {
        let form =
            Form { byte_order: ByteOrder::Little, globals: false, implements: Vec::new(), module: "types".into() };
        Self { roots: Vec::new(), form }
    }
}

impl Types {
    /// Makes code with all types that have a name, in a module `types`, for little-endian
    /// machines.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a root type: only root types are written, with the types that they need. A name
    /// stands for all types of this name; `struct NAME`, `union NAME`, `enum NAME` and
    /// `typedef NAME` only for those of the kind.
    #[must_use]
    pub fn root(mut self, name: impl Into<String>) -> Self {
        self.roots.push(Root::Name(name.into()));
        self
    }

    /// Adds root types by their names, as [`Types::root`] does.
    #[must_use]
    pub fn roots<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.roots.extend(names.into_iter().map(|name| Root::Name(name.into())));
        self
    }

    /// Adds a root type by its id.
    #[must_use]
    pub fn root_id(mut self, id: u32) -> Self {
        self.roots.push(Root::Id(id));
        self
    }

    /// Adds a struct for each section with data of a BPF object: `.data`, `.rodata`,
    /// `.bss`, `.kconfig` and others. The BTF has to be that of the object after its
    /// fix-up (`DatasecFixups` of btf-elf), as compilers leave sizes and offsets open.
    /// Without root types, only these are written, and what they need.
    #[must_use]
    pub fn globals(mut self, globals: bool) -> Self {
        self.form.globals = globals;
        self
    }

    /// Sets the byte order of the machines that the code runs on. The default is
    /// little-endian. If the BTF has the other byte order, scalars are wrapped.
    ///
    /// In a build script, `CARGO_CFG_TARGET_ENDIAN` is the byte order of the target.
    #[must_use]
    pub fn byte_order(mut self, order: ByteOrder) -> Self {
        self.form.byte_order = order;
        self
    }

    /// Implements traits of another crate for all types.
    #[must_use]
    pub fn implement(mut self, traits: Traits) -> Self {
        if !self.form.implements.contains(&traits) {
            self.form.implements.push(traits);
        }
        self
    }

    /// Sets the name of the module that contains the types. The default is `types`.
    #[must_use]
    pub fn module(mut self, name: impl Into<String>) -> Self {
        self.form.module = name.into();
        self
    }

    /// Returns the code as text.
    ///
    /// # Errors
    ///
    /// [`Error`], if a root type does not exist or a type cannot be declared in Rust.
    pub fn generate(&self, btf: &Btf) -> Result<String, Error> {
        let mut text = String::new();
        self.write(btf, &mut text)?;
        Ok(text)
    }

    /// Writes the code as text.
    ///
    /// # Errors
    ///
    /// As for [`Types::generate`], or if the text cannot be written. Text that was written
    /// before an error stays.
    pub fn write(&self, btf: &Btf, out: &mut impl fmt::Write) -> Result<(), Error> {
        self.print(btf, out)
    }

    /// Writes the code to a file or any other writer of bytes, in pieces of about 32 KiB.
    ///
    /// # Errors
    ///
    /// As for [`Types::write`].
    pub fn write_to(&self, btf: &Btf, out: &mut impl io::Write) -> Result<(), Error> {
        Bytes::write(out, |out| self.print(btf, out))
    }

    fn print(&self, btf: &Btf, out: &mut dyn fmt::Write) -> Result<(), Error> {
        let roots = Root::all(&self.roots, btf)?;
        let mut generator = Generator::new(btf, &self.form, out);
        generator.select(&roots)?;
        generator.refuse_cycles()?;
        generator.name_types()?;
        generator.name_sections();
        generator.begin(&self.form.module);
        generator.items()?;
        generator.support();
        generator.traits()?;
        generator.put("}\n");
        generator.flush()
    }
}

impl<'btf> Generator<'btf, '_> {
    fn begin(&mut self, module: &str) {
        let (order, bits) = match self.btf.byte_order() {
            ByteOrder::Little => ("little", 8 * self.btf.pointer_size()),
            ByteOrder::Big => ("big", 8 * self.btf.pointer_size()),
        };
        put!(
            self,
            "// Types of BTF for {order}-endian machines with pointers of {bits} bits, made by btf-codegen.\n\n"
        );
        self.put(concat!(
            "#[allow(\n    dead_code,\n    improper_ctypes_definitions,\n    missing_docs,\n    non_camel_case_types,\n    non_snake_case,\n",
            "    non_upper_case_globals,\n    unreachable_pub,\n    unsafe_code,\n    clippy::all,\n    clippy::nursery,\n    clippy::pedantic,\n    clippy::restriction\n)]\n",
        ));
        put!(self, "pub mod {} {{\n", super::names::Ident(module));
        if self.foreign().is_none() {
            put!(self, "    const _: () = assert!(\n        cfg!(target_endian = \"{order}\"),\n");
            put!(self, "        \"these types are for {order}-endian machines: generate them for others\"\n    );\n\n");
        }
    }

    /// Writes all types, sorted by name.
    fn items(&mut self) -> Result<(), Error> {
        let sections = self.selection.sections.iter().map(|section| Type::from(*section));
        let types = self.selection.types.iter().copied().filter(|ty| self.has_item(*ty)).chain(sections);
        let mut types: Vec<Type<'btf>> = types.collect();
        types.sort_unstable_by(|a, b| self.names.get(a.id()).cmp(&self.names.get(b.id())));
        for ty in types {
            self.current = ty;
            if let Some(composite) = Composite::of(ty) {
                self.composite(composite)?;
            } else if let Some(any) = AnyEnum::of(ty) {
                self.enumeration(any)?;
            } else if let Some(section) = Datasec::of(ty) {
                self.section(section)?;
            } else if let Type::Typedef(typedef) = ty {
                self.alias(typedef)?;
            } else {
                self.declared(ty);
            }
            self.flush_full()?;
        }
        Ok(())
    }

    /// Returns `true` if a type has an item of its own.
    fn has_item(&self, ty: Type<'btf>) -> bool {
        let Some(name) = self.names.get(ty.id()) else { return false };
        match ty {
            Type::Typedef(typedef) => {
                !self.selection.same.contains_key(&ty.id()) && self.names.get(typedef.target().id()) != Some(name)
            }
            _ => !self.selection.same.contains_key(&ty.id()),
        }
    }
}

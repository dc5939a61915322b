//! `_Static_assert`s of sizes and offsets.

use std::fmt::{self, Write};

use btf_types::{AnyEnum, Composite, Name, Type, View};

use super::{names::Written, printer::Printer};

/// The assertions of one definition, gathered while it is written.
#[derive(Debug, Default)]
pub(super) struct Asserts {
    text: String,
    /// The type that is defined: `struct foo`.
    root: String,
    /// The member inside of which others are: `lock.`.
    path: String,
    /// The bits before it.
    bits: u64,
    /// There are no ways to what is written by names of members.
    is_hidden: bool,
}

/// What is to be restored behind a member.
#[derive(Debug)]
pub(super) struct Outside {
    path: usize,
    bits: u64,
    is_hidden: bool,
}

impl Asserts {
    fn begin(&mut self, root: String, size: u32) {
        self.text.clear();
        self.path.clear();
        self.bits = 0;
        self.is_hidden = false;
        let _ = writeln!(self.text, "_Static_assert(sizeof({root}) == {size}, \"size of {root}\");");
        self.root = root;
    }

    fn offset(&mut self, name: &str, bits: u64) {
        let (root, path) = (&self.root, &self.path);
        let at = (self.bits + bits) / 8;
        let _ = writeln!(
            self.text,
            "_Static_assert(__builtin_offsetof({root}, {path}{name}) == {at}, \"offset of {path}{name} in {root}\");"
        );
    }
}

impl<'btf> Printer<'btf, '_> {
    fn asserts_wanted(&self) -> bool {
        self.form.static_asserts && !self.muted
    }

    /// Begins the assertions of a struct or union.
    pub(super) fn begin_asserts(&mut self, ty: Type<'btf>) -> fmt::Result {
        if self.asserts_wanted()
            && let Some(composite) = Composite::of(ty)
        {
            let name = self.resolved(ty);
            let word = if composite.is_union() { "union" } else { "struct" };
            self.asserts.begin(format!("{word} {}", Name::new(&name)), composite.size());
        }
        Ok(())
    }

    /// Begins those of a struct or union that only a typedef names.
    pub(super) fn begin_typedef_asserts(&mut self, target: Type<'btf>, name: &Written<'btf>) -> fmt::Result {
        self.asserts.text.clear();
        self.asserts.is_hidden = true;
        if self.asserts_wanted()
            && let Some(composite) = Composite::of(target.peel_qualifiers())
            && target.peel_qualifiers().is_anonymous()
        {
            self.asserts.begin(Name::new(name).to_string(), composite.size());
        }
        Ok(())
    }

    /// Writes the assertion of an enumeration.
    pub(super) fn enum_asserts(&mut self, ty: Type<'btf>) -> fmt::Result {
        let Some(any) = AnyEnum::of(ty).filter(|any| any.values().len() > 0) else { return Ok(()) };
        if !self.asserts_wanted() || ty.is_anonymous() {
            return Ok(());
        }
        let name = self.resolved(ty);
        self.asserts.begin(format!("enum {}", Name::new(&name)), any.size());
        self.end_asserts()
    }

    /// Goes into a member, at this bit of what it is in.
    pub(super) fn assert_member(&mut self, name: &[u8], bits: u64, ty: Type<'btf>, is_bitfield: bool) -> Outside {
        let outside =
            Outside { path: self.asserts.path.len(), bits: self.asserts.bits, is_hidden: self.asserts.is_hidden };
        if !self.asserts_wanted() || self.asserts.is_hidden {
            return outside;
        }
        let asserts = &mut self.asserts;
        let name = String::from_utf8_lossy(name);
        if !name.is_empty() && !is_bitfield {
            asserts.offset(&name, bits);
        }
        asserts.bits += bits;
        let declarator = ty.declarator();
        if !declarator.base().is_some_and(|base| base.is_anonymous() && Composite::of(base).is_some()) {
            // Others have their own.
            asserts.is_hidden = !name.is_empty();
            return outside;
        }
        asserts.path.push_str(&name);
        for ty in declarator.chain() {
            match ty {
                Type::Array(array) if array.nelems() > 0 && !name.is_empty() => asserts.path.push_str("[0]"),
                _ if ty.is_modifier() => {}
                _ => asserts.is_hidden = true,
            }
        }
        if !name.is_empty() {
            asserts.path.push('.');
        }
        outside
    }

    /// Goes out of a member.
    pub(super) fn assert_outside(&mut self, outside: &Outside) {
        self.asserts.path.truncate(outside.path);
        self.asserts.bits = outside.bits;
        self.asserts.is_hidden = outside.is_hidden;
    }

    /// Writes the assertions of a definition.
    pub(super) fn end_asserts(&mut self) -> fmt::Result {
        if self.asserts.text.is_empty() || !self.asserts_wanted() {
            return Ok(());
        }
        let text = std::mem::take(&mut self.asserts.text);
        self.put(&text)?;
        self.asserts.text = text;
        self.asserts.text.clear();
        self.put("\n")
    }
}

//! `_Static_assert`s of sizes and offsets.

use std::fmt;

use btf_types::{AnyEnum, Composite, Name, Type, View};

use super::{names::Written, printer::Printer};

/// Assertions of one definition. They are written in a second walk over it rather than
/// collected, which would take too much memory where many members share one long name.
#[derive(Debug, Default)]
pub(super) struct Asserts {
    /// True while the definition is visited for assertions.
    is_active: bool,
    /// The defined type, as spelled in C: `struct foo`.
    root: String,
    /// Path of the enclosing member: `lock.`.
    path: String,
    /// Bit offset of that member in the definition.
    bits: u64,
    /// True for members that get no assertions here: no path leads to them, or their type
    /// has assertions of its own.
    is_hidden: bool,
}

/// State to restore after a member.
#[derive(Debug)]
pub(super) struct Outside {
    path: usize,
    bits: u64,
}

impl<'btf> Printer<'btf, '_> {
    fn asserts_wanted(&self) -> bool {
        self.form.static_asserts && !self.muted
    }

    /// Writes the assertions of a struct or union that was defined.
    pub(super) fn composite_asserts(&mut self, composite: Composite<'btf>) -> fmt::Result {
        if !self.asserts_wanted() {
            return Ok(());
        }
        let name = self.resolved(composite.into());
        let word = if composite.is_union() { "union" } else { "struct" };
        let root = format!("{word} {}", Name::new(&name));
        self.put_asserts(root, composite.size(), |printer| printer.composite(composite))
    }

    /// Writes the assertions of a struct or union that only a typedef names.
    pub(super) fn typedef_asserts(&mut self, target: Type<'btf>, name: &Written<'btf>) -> fmt::Result {
        let of = target.peel_qualifiers();
        match Composite::of(of).filter(|_| self.asserts_wanted() && of.is_anonymous()) {
            Some(composite) => {
                let name = Name::new(name);
                self.put_asserts(name.to_string(), composite.size(), |printer| printer.declare(target, name))
            }
            None => Ok(()),
        }
    }

    /// Writes the assertion of an enumeration.
    pub(super) fn enum_asserts(&mut self, ty: Type<'btf>) -> fmt::Result {
        let Some(any) = AnyEnum::of(ty).filter(|any| any.values().len() > 0) else { return Ok(()) };
        if !self.asserts_wanted() || ty.is_anonymous() {
            return Ok(());
        }
        let name = self.resolved(ty);
        self.put_asserts(format!("enum {}", Name::new(&name)), any.size(), |_| Ok(()))
    }

    /// Writes the assertions of the size of `root` and of the offsets of the members that
    /// `go_through` visits.
    fn put_asserts(
        &mut self,
        root: String,
        size: u32,
        go_through: impl FnOnce(&mut Self) -> fmt::Result,
    ) -> fmt::Result {
        self.put_all(&["_Static_assert(sizeof(", &root, ") == "])?;
        self.put_number(size)?;
        self.put_all(&[", \"size of ", &root, "\");\n"])?;
        self.asserts = Asserts { is_active: true, root, ..Asserts::default() };
        self.muted = true;
        let gone = go_through(self);
        self.muted = false;
        self.asserts.is_active = false;
        gone?;
        self.put("\n")
    }

    /// Writes the assertion of a member's offset. `bits` is relative to the enclosing type.
    fn put_offset_assert(&mut self, name: &str, bits: u64) -> fmt::Result {
        let asserts = std::mem::take(&mut self.asserts);
        self.muted = false;
        let Asserts { root, path, .. } = &asserts;
        self.put_all(&["_Static_assert(__builtin_offsetof(", root, ", ", path, name, ") == "])?;
        self.put_number((asserts.bits + bits) / 8)?;
        self.put_all(&[", \"offset of ", path, name, " in ", root, "\");\n"])?;
        self.muted = true;
        self.asserts = asserts;
        Ok(())
    }

    fn put_all(&mut self, texts: &[&str]) -> fmt::Result {
        texts.iter().try_for_each(|text| self.put(text))
    }

    /// Asserts the offset of a member and enters it. `bits` is relative to the enclosing type.
    /// Returns the state for `assert_outside`, or `None` if no assertions are wanted.
    pub(super) fn assert_member(
        &mut self,
        name: &[u8],
        bits: u64,
        ty: Type<'btf>,
        is_bitfield: bool,
    ) -> Result<Option<Outside>, fmt::Error> {
        if !self.asserts.is_active || self.asserts.is_hidden {
            return Ok(None);
        }
        let outside = Outside { path: self.asserts.path.len(), bits: self.asserts.bits };
        let name = String::from_utf8_lossy(name);
        if !name.is_empty() && !is_bitfield {
            self.put_offset_assert(&name, bits)?;
        }
        let asserts = &mut self.asserts;
        asserts.bits += bits;
        let declarator = ty.declarator();
        if !declarator.base().is_some_and(|base| base.is_anonymous() && Composite::of(base).is_some()) {
            // A named type has assertions of its own; other types have no members.
            asserts.is_hidden = !name.is_empty();
            return Ok(Some(outside));
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
        Ok(Some(outside))
    }

    /// Leaves a member.
    pub(super) fn assert_outside(&mut self, outside: &Outside) {
        self.asserts.path.truncate(outside.path);
        self.asserts.bits = outside.bits;
        self.asserts.is_hidden = false;
    }
}

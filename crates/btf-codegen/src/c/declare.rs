//! Declarations: the [`Style`] of headers.
//!
//! Source: `btf_dump_emit_type_chain` in `tools/lib/bpf/btf_dump.c`.

use std::fmt;

use btf_types::{Composite, FwdKind, Group, Name, Param, Style, Type, TypeTag, View};

use super::{names::is_identifier, printer::Printer, scalar::Spelling};
use crate::Error;

/// Maximum number of types in a declaration.
const HOPS: u32 = 64;

impl<'btf> Printer<'btf, '_> {
    /// Writes the declaration of `name` with type `ty`; anonymous types are written with
    /// their members or values.
    pub(super) fn declare(&mut self, ty: Type<'btf>, name: Name<'_>) -> fmt::Result {
        if !name.is_empty() && self.declare_as_before(ty, name)? {
            return self.step();
        }
        let declarator = ty.declarator();
        if declarator.base().is_none() {
            return self.fail(Error::TooDeep { ty: ty.into(), limit: HOPS });
        }
        let start = self.position();
        self.name_place = None;
        declarator.write(name, self)?;
        if self.has_failed() {
            return Err(fmt::Error);
        }
        self.keep_text(ty, start);
        Ok(())
    }

    /// Writes a declaration with the text kept from an earlier one of the same type.
    /// Returns `false` if no text is kept.
    fn declare_as_before(&mut self, ty: Type<'btf>, name: Name<'_>) -> Result<bool, fmt::Error> {
        let texts = std::mem::take(&mut self.texts);
        let result = match texts.get(ty.id()) {
            Some((before, after)) => self
                .put_bytes(before)
                .and_then(|()| self.put_name(name))
                .and_then(|()| self.put_bytes(after))
                .map(|()| true),
            None => Ok(false),
        };
        self.texts = texts;
        result
    }

    /// Keeps the text from `start` on, a declaration, if it has a name.
    fn keep_text(&mut self, ty: Type<'btf>, start: u64) {
        let Some(name) = self.name_place.take() else { return };
        // A FUNC or VAR is declared with its own name.
        if self.muted || matches!(ty, Type::Func(_) | Type::Var(_)) {
            return;
        }
        let places = [start, name.start, name.end].map(|position| self.in_buffer(position));
        let [Some(start), Some(name), Some(name_end)] = places else { return };
        if let Some((before, after)) = self.buffer.get(start..name).zip(self.buffer.get(name_end..)) {
            self.texts.keep(ty.id(), before, after);
        }
    }

    fn put_scalar(&mut self, ty: Type<'btf>, spelling: Spelling, size: u32) -> fmt::Result {
        match spelling {
            Spelling::Name => self.put_name(ty.name()),
            Spelling::Other(name) => self.put(name),
            Spelling::Bytes if size == 0 => self.put("struct {}"),
            Spelling::Bytes => {
                self.put("struct { unsigned char bytes[")?;
                self.put_number(size)?;
                self.put("]; }")
            }
        }
    }

    /// Writes a type tag as an attribute. Unless the output is exact, a tag whose text could
    /// end the attribute is replaced by a comment.
    fn put_tag(&mut self, tag: TypeTag<'btf>) -> fmt::Result {
        let name = tag.name();
        if self.form.exact || is_harmless(name.as_bytes(), tag.is_attribute()) {
            self.put(if tag.is_attribute() { " __attribute__((" } else { " __attribute__((btf_type_tag(\"" })?;
            self.put_name(name)?;
            self.put(if tag.is_attribute() { "))" } else { "\")))" })
        } else {
            self.put(" ")?;
            self.comment(name, " is left out")
        }
    }

    /// Writes tags, each after the qualifiers directly outside it. This reproduces a libbpf
    /// bug; compilers do not qualify tagged types.
    fn put_tags_as_libbpf(&mut self, modifiers: &[Type<'btf>]) -> fmt::Result {
        let mut rest = modifiers;
        while let Some((Type::TypeTag(tag), outside)) = rest.split_last() {
            let (further, qualifiers) = split_qualifiers(outside);
            for qualifier in qualifiers.iter().rev().filter_map(|ty| ty.qualifier()) {
                self.put(qualifier)?;
                self.put(" ")?;
            }
            self.put_tag(*tag)?;
            rest = further;
        }
        Ok(())
    }
}

/// Returns `true` if a tag cannot end its attribute.
fn is_harmless(text: &[u8], is_attribute: bool) -> bool {
    let mut depth = 0u32;
    let is_plain = text.iter().all(|byte| match byte {
        b'(' => {
            depth += 1;
            true
        }
        b')' => {
            let is_open = depth > 0 || !is_attribute;
            depth = depth.saturating_sub(1);
            is_open
        }
        b'"' | b'\\' => false,
        b'_' | b',' | b' ' => true,
        byte if is_attribute => byte.is_ascii_alphanumeric(),
        byte => (b' '..=b'~').contains(byte),
    });
    is_plain && (depth == 0 || !is_attribute) && !(is_attribute && text.is_empty())
}

/// Splits modifiers, outermost first, after the innermost tag: returns those up to it, and
/// the qualifiers inside it.
fn split_qualifiers<'m, 'btf>(modifiers: &'m [Type<'btf>]) -> (&'m [Type<'btf>], &'m [Type<'btf>]) {
    let count = modifiers.iter().rev().take_while(|ty| ty.qualifier().is_some()).count();
    modifiers.split_at_checked(modifiers.len() - count).unwrap_or((modifiers, &[]))
}

impl<'btf> Style<'btf> for Printer<'btf, '_> {
    fn base(&mut self, ty: Type<'btf>) -> fmt::Result {
        let inlines = std::mem::take(&mut self.inlines);
        if inlines && let Some(composite) = Composite::of(ty.peel_modifiers()) {
            return self.body(composite);
        }
        match ty {
            Type::Int(_) | Type::Float(_) if self.form.exact => self.put_name(ty.name()),
            Type::Int(int) => {
                let spelling = self.spelling(int);
                self.put_scalar(ty, spelling, int.size())
            }
            Type::Float(float) => self.put_scalar(ty, Spelling::of_float(float), float.size()),
            Type::Struct(s) if ty.is_anonymous() => self.composite(s.into()),
            Type::Union(u) if ty.is_anonymous() => self.composite(u.into()),
            Type::Enum(e) if ty.is_anonymous() && e.values().len() == 0 && !self.form.exact => self.put("int"),
            Type::Enum64(e) if ty.is_anonymous() && e.values().len() == 0 && !self.form.exact => self.put("int"),
            Type::Enum(_) | Type::Enum64(_) if ty.is_anonymous() => self.enumeration(ty),
            Type::Struct(_) | Type::Union(_) | Type::Enum(_) | Type::Enum64(_) => self.put_tag_name(ty),
            Type::Fwd(_) if ty.is_anonymous() && !self.form.exact => self.put("void"),
            Type::Fwd(fwd) => {
                self.put(if fwd.declares() == FwdKind::Union { "union " } else { "struct " })?;
                self.put_type_name(ty)
            }
            Type::Typedef(_) => self.put_type_name(ty),
            // `void`, or a kind that is not a type: only pointers to it can be declared.
            _ => self.put("void"),
        }
    }

    fn param_name(&mut self, param: Param<'btf>) -> Name<'btf> {
        if self.form.exact {
            return param.name();
        }
        // Compilers do not need parameter names, and BTF may contain any text.
        let name = param.name_start(Name::MAX_KERNEL_LEN + 1);
        if name.as_bytes().len() <= Name::MAX_KERNEL_LEN && is_identifier(name) { name } else { Name::EMPTY }
    }

    fn declared(&mut self, name: Name<'_>, needs_space: bool) -> fmt::Result {
        if name.is_empty() {
            return Ok(());
        }
        self.put(if needs_space { " " } else { "" })?;
        let start = self.position();
        self.put_name(name)?;
        self.name_place = Some(start..self.position());
        Ok(())
    }

    fn open(&mut self, group: Group<'btf>) -> fmt::Result {
        let is_apart = matches!(group.ty, Type::FuncProto(_)) || group.is_named && group.needs_space;
        self.put(if is_apart { " (" } else { "(" })
    }

    fn nelems(&mut self, nelems: u32) -> fmt::Result {
        self.put_number(nelems)
    }

    fn tag(&mut self, tag: TypeTag<'btf>) -> fmt::Result {
        self.put_tag(tag)
    }

    fn before_base(&mut self, modifiers: &[Type<'btf>]) -> fmt::Result {
        if modifiers.is_empty() {
            return Ok(());
        }
        let qualifiers = if self.form.exact { split_qualifiers(modifiers).1 } else { modifiers };
        for qualifier in qualifiers.iter().rev().filter_map(|ty| ty.qualifier()) {
            self.put(qualifier)?;
            self.put(" ")?;
        }
        Ok(())
    }

    fn after_base(&mut self, modifiers: &[Type<'btf>]) -> fmt::Result {
        if modifiers.is_empty() {
            return Ok(());
        }
        if self.form.exact {
            return self.put_tags_as_libbpf(split_qualifiers(modifiers).0);
        }
        modifiers.iter().rev().try_for_each(|ty| match ty {
            Type::TypeTag(tag) => self.put_tag(*tag),
            _ => Ok(()),
        })
    }

    fn after_pointer(&mut self, modifiers: &[Type<'btf>]) -> fmt::Result {
        if modifiers.is_empty() {
            return Ok(());
        }
        let (tagged, qualifiers) = split_qualifiers(modifiers);
        for qualifier in qualifiers.iter().rev().filter_map(|ty| ty.qualifier()) {
            self.put(" ")?;
            self.put(qualifier)?;
        }
        if self.form.exact {
            return self.put_tags_as_libbpf(tagged);
        }
        tagged.iter().rev().try_for_each(|ty| match (ty, ty.qualifier()) {
            (Type::TypeTag(tag), _) => self.put_tag(*tag),
            (_, Some(qualifier)) => {
                self.put(" ")?;
                self.put(qualifier)
            }
            _ => Ok(()),
        })
    }

    fn spend(&mut self) -> bool {
        self.step().is_ok()
    }
}

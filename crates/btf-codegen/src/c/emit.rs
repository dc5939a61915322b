//! Definitions, and the forward declarations that they need.
//!
//! Source: `btf_dump_emit_type` in `tools/lib/bpf/btf_dump.c`.

use std::fmt;

use btf_types::{Composite, FwdKind, Name, Type, Typedef};

use super::printer::{Printer, state};

/// The type that only the compiler defines.
const VA_LIST: &str = "__builtin_va_list";

/// C spellings of the integers in Arm's intrinsics, for which GCC has its own names.
const POLYNOMIALS: [(&str, &str); 4] = [
    ("__Poly8_t", "unsigned char"),
    ("__Poly16_t", "unsigned short"),
    ("__Poly64_t", "unsigned long long"),
    ("__Poly128_t", "unsigned __int128"),
];

/// Returns `true` for Arm's polynomial types, for which the header has
/// typedefs.
pub(super) fn is_polynomial(name: Name<'_>) -> bool {
    POLYNOMIALS.iter().any(|(polynomial, _)| name == *polynomial)
}

impl<'btf> Printer<'btf, '_> {
    /// Writes the dependencies of a type, then its definition. Structs, unions and enums are
    /// defined only at the top level, where `container` is 0.
    #[inline]
    pub(super) fn emit(&mut self, ty: Type<'btf>, container: u32, hops: u32) -> fmt::Result {
        if self.is(ty.id(), state::EMITTED) { Ok(()) } else { self.emit_first(ty, container, hops) }
    }

    /// Does the work of `emit` for a type that is not [`state::EMITTED`].
    #[inline(never)]
    fn emit_first(&mut self, ty: Type<'btf>, container: u32, hops: u32) -> fmt::Result {
        let id = ty.id();
        if self.is(id, state::EMITTING) {
            return self.emit_inside(ty, container);
        }
        let hops = self.hop(ty, hops)?;
        match ty {
            Type::Int(_) => {
                if self.form.exact {
                    // libbpf numbers structs as if the name of an INT were a tag.
                    self.claim_as_tag(ty);
                }
                self.emit_alias(ty)?;
                self.set(id, state::EMITTED);
            }
            Type::Enum(_) | Type::Enum64(_) => {
                if container == 0 {
                    self.enumeration(ty)?;
                    self.end_definition()?;
                    self.enum_asserts(ty)?;
                }
                self.set(id, state::EMITTED);
            }
            Type::Fwd(fwd) => {
                if self.form.exact || !ty.is_anonymous() {
                    self.put(if fwd.declares() == FwdKind::Union { "union " } else { "struct " })?;
                    self.put_type_name(ty)?;
                    self.end_definition()?;
                }
                self.set(id, state::EMITTED);
            }
            Type::Typedef(typedef) => {
                self.set(id, state::EMITTING);
                self.emit_target(ty, id, hops)?;
                if !self.is(id, state::FORWARD) {
                    self.typedef(typedef)?;
                }
                self.set(id, state::EMITTED);
                self.unset(id, state::EMITTING);
            }
            Type::Struct(s) => self.emit_composite(s.into(), container, hops)?,
            Type::Union(u) => self.emit_composite(u.into(), container, hops)?,
            Type::Array(array) => self.emit(array.element(), container, hops)?,
            Type::FuncProto(proto) => {
                self.emit(proto.return_type(), container, hops)?;
                for param in proto.params() {
                    self.step()?;
                    if !self.is(param.type_id(), state::EMITTED) {
                        self.emit(param.ty(), container, hops)?;
                    }
                }
            }
            Type::Ptr(ptr) => {
                if self.base_end > 0 {
                    self.declare_of_base(ptr.target())?;
                }
                self.emit_target(ty, container, hops)?;
            }
            Type::Const(_) | Type::Volatile(_) | Type::Restrict(_) | Type::TypeTag(_) => {
                self.emit_target(ty, container, hops)?;
            }
            _ => {}
        }
        Ok(())
    }

    /// Emits the type that a type refers to.
    #[inline]
    fn emit_target(&mut self, ty: Type<'btf>, container: u32, hops: u32) -> fmt::Result {
        if ty.target_id().is_some_and(|id| self.is(id, state::EMITTED)) {
            return Ok(());
        }
        self.emit_first(ty.target().unwrap_or(Type::Void), container, hops)
    }

    /// Handles a reference to a type that is still being emitted: writes a forward
    /// declaration, or the typedef itself.
    fn emit_inside(&mut self, ty: Type<'btf>, container: u32) -> fmt::Result {
        let id = ty.id();
        if self.is(id, state::FORWARD) {
            return Ok(());
        }
        match ty {
            Type::Struct(_) | Type::Union(_) => {
                if id == container || ty.is_anonymous() {
                    return Ok(());
                }
                self.forward(ty)?;
            }
            Type::Typedef(typedef) => self.typedef(typedef)?,
            _ => return Ok(()),
        }
        self.set(id, state::FORWARD);
        Ok(())
    }

    fn emit_composite(&mut self, composite: Composite<'btf>, container: u32, hops: u32) -> fmt::Result {
        let (ty, id) = (Type::from(composite), composite.id());
        let is_top = container == 0;
        self.set(id, state::EMITTING);
        if is_top || ty.is_anonymous() {
            // All members will be written, so their types are emitted first.
            let container = if ty.is_anonymous() { container } else { id };
            for member in composite.members() {
                self.step()?;
                if !self.is(member.type_id(), state::EMITTED) {
                    self.emit(member.ty(), container, hops)?;
                }
            }
        } else if !self.is(id, state::FORWARD) && id != container {
            self.forward(ty)?;
            self.set(id, state::FORWARD);
        }
        self.unset(id, state::EMITTING);
        if is_top {
            self.composite(composite)?;
            self.end_definition()?;
            self.composite_asserts(composite)?;
            self.set(id, state::EMITTED);
        }
        Ok(())
    }

    /// Writes a forward declaration of a struct or union.
    fn forward(&mut self, ty: Type<'btf>) -> fmt::Result {
        self.put_tag_name(ty)?;
        self.end_definition()
    }

    /// Writes a forward declaration of the pointee, skipping modifiers, if it is a struct or
    /// union that the header of the base defines.
    fn declare_of_base(&mut self, target: Type<'btf>) -> fmt::Result {
        let is_outside =
            |ty: &Type<'_>| matches!(ty, Type::Const(_) | Type::Volatile(_) | Type::Restrict(_) | Type::TypeTag(_));
        let Some(ty) = [target].into_iter().chain(target.chain()).find(|ty| !is_outside(ty)) else { return Ok(()) };
        let is_declarable = matches!(ty, Type::Struct(_) | Type::Union(_)) && !ty.is_anonymous();
        if !is_declarable || ty.id() >= self.base_end || self.is(ty.id(), state::FORWARD) {
            return Ok(());
        }
        self.set(ty.id(), state::FORWARD);
        self.forward(ty)
    }

    /// Writes the forward declarations that a prototype needs of types in the header of the
    /// base.
    pub(super) fn declare_for_prototype(&mut self, proto: Type<'btf>) -> fmt::Result {
        // The container is not 0, as all definitions have been written.
        if self.base_end == 0 { Ok(()) } else { self.emit(proto, u32::MAX, 0) }
    }

    fn typedef(&mut self, typedef: Typedef<'btf>) -> fmt::Result {
        let ty = Type::from(typedef);
        // Compilers define it differently by machine. Unless the output is exact, the type in
        // the BTF is defined, under another name.
        if self.form.exact && typedef.name() == VA_LIST {
            return Ok(());
        }
        let target = typedef.target();
        if target.id() == 0 && typedef.name() == "__gnuc_va_list" {
            // Old GCC records `void`, with which nothing can be declared.
            self.put("typedef __builtin_va_list __gnuc_va_list")?;
            return self.end_definition();
        }
        let name = self.resolved(ty);
        self.put_real_name(ty)?;
        self.put("typedef ")?;
        self.declare(target, Name::new(&name))?;
        self.end_definition()?;
        self.typedef_asserts(target, &name)
    }

    /// Writes the typedef of one of Arm's polynomial types; nothing for other integers.
    fn emit_alias(&mut self, ty: Type<'btf>) -> fmt::Result {
        let name = ty.name_start(16);
        match POLYNOMIALS.iter().find(|(polynomial, _)| name == *polynomial) {
            Some((name, of)) => {
                self.put("typedef ")?;
                self.put(of)?;
                self.put(" ")?;
                self.put(name)?;
                self.end_definition()
            }
            None => Ok(()),
        }
    }

    fn end_definition(&mut self) -> fmt::Result {
        self.put(";\n\n")
    }
}

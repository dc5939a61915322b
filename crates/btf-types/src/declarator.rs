//! C declarations: `const struct sk_buff *skb`, `int (*f)(void *, long)`.
//!
//! A declaration is read from the inside out: a chain of types leads from the
//! declared name to the base. The base is written first, then the part left of
//! the name, from the base outward, then the name, then the part right of it,
//! from the name inward.
//!
//! A [`Style`] decides how the parts are written. `Display`, a layout with
//! members in place of a struct's name, and a printer of C share everything
//! else.
//!
//! Source: `btf_dump_emit_type_chain` in `tools/lib/bpf/btf_dump.c`.

use alloc::{string::String, vec::Vec};
use core::fmt;

use crate::{FuncProto, FwdKind, Name, Param, Type, TypeTag, peel::HOPS};

/// Maximum number of types that are written. The rest is `...`.
const TYPES: u32 = 4096;
/// Maximum number of bytes of names, after which names are written as `...`.
/// The last name may exceed it; the declared name is not counted.
const NAME_BYTES: usize = 1 << 18;
/// Maximum nesting of prototypes in each other's parameters.
const DEPTH: u32 = 8;

/// Style in which a declaration is written, and the writer.
///
/// Define only the methods that differ from `Display`. They write to the style
/// itself, which is a [`fmt::Write`].
///
/// ```
/// # fn main() -> Result<(), btf_types::Error> {
/// use std::fmt::Write;
///
/// use btf_types::{Btf, Struct, Style, Type};
///
/// /// Writes structs by their id.
/// struct Ids(String);
///
/// impl Write for Ids {
///     fn write_str(&mut self, text: &str) -> std::fmt::Result {
///         self.0.write_str(text)
///     }
/// }
///
/// impl<'btf> Style<'btf> for Ids {
///     fn base(&mut self, ty: Type<'btf>) -> std::fmt::Result {
///         write!(self, "struct_{}", ty.id())
///     }
/// }
///
/// # let btf = Btf::parse(std::fs::read("doc/kernel.btf").unwrap())?;
/// let skb: Struct<'_> = btf.find("sk_buff")?;
/// let mut ids = Ids(String::new());
/// skb.as_type().declarator().write("skb", &mut ids).unwrap();
/// assert_eq!(ids.0, format!("struct_{} skb", skb.id()));
/// # Ok(())
/// # }
/// ```
pub trait Style<'btf>: fmt::Write {
    /// Writes the base of a declaration: a keyword and a name, or a body. It is
    /// never a pointer, array, prototype or modifier.
    ///
    /// # Errors
    ///
    /// If the text cannot be written.
    fn base(&mut self, ty: Type<'btf>) -> fmt::Result {
        match keyword_of(ty) {
            Ok(keyword) => {
                let is_anonymous = ty.is_anonymous();
                match (keyword, is_anonymous) {
                    ("", true) => self.write_str("(anon)"),
                    (keyword, true) => write!(self, "{keyword} {{...}}"),
                    (keyword, false) => {
                        let space = if keyword.is_empty() { "" } else { " " };
                        let name = self.type_name(ty);
                        write!(self, "{keyword}{space}{name}")
                    }
                }
            }
            Err(Other::Void) => self.write_str("void"),
            Err(Other::Section) => {
                let name = self.type_name(ty);
                write!(self, "SEC(\"{name}\")")
            }
            Err(Other::DeclTag(is_attribute)) => {
                let name = self.type_name(ty);
                write_attribute(self, "btf_decl_tag", name, is_attribute)
            }
            Err(Other::Unknown(kind_number)) => write!(self, "(kind {kind_number})"),
        }
    }

    /// Returns the name to write for a type or tag, by default that of the BTF.
    fn type_name(&mut self, ty: Type<'btf>) -> Name<'btf> {
        ty.name()
    }

    /// Returns the name to write for a parameter.
    fn param_name(&mut self, param: Param<'btf>) -> Name<'btf> {
        param.name()
    }

    /// Writes the declared name, which may be empty. `needs_space` is true if
    /// it follows a word.
    ///
    /// # Errors
    ///
    /// If the text cannot be written.
    fn declared(&mut self, name: Name<'_>, needs_space: bool) -> fmt::Result {
        if name.is_empty() { Ok(()) } else { write!(self, "{}{name}", if needs_space { " " } else { "" }) }
    }

    /// Writes the parenthesis before the `*` of a pointer to an array or
    /// function.
    ///
    /// # Errors
    ///
    /// If the text cannot be written.
    fn open(&mut self, group: Group<'btf>) -> fmt::Result {
        self.write_str(if group.needs_space { " (" } else { "(" })
    }

    /// Writes the number of elements between the brackets of an array.
    ///
    /// # Errors
    ///
    /// If the text cannot be written.
    fn nelems(&mut self, nelems: u32) -> fmt::Result {
        if nelems == 0 { Ok(()) } else { write!(self, "{nelems}") }
    }

    /// Writes a TYPE_TAG, with a space before it: ` __attribute__((btf_type_tag("user")))`.
    ///
    /// # Errors
    ///
    /// If the text cannot be written.
    fn tag(&mut self, tag: TypeTag<'btf>) -> fmt::Result {
        self.write_str(" ")?;
        let name = self.type_name(tag.into());
        write_attribute(self, "btf_type_tag", name, tag.is_attribute())
    }

    /// Writes the modifiers before the base, each followed by a space: the
    /// qualifiers. `modifiers` are qualifiers and TYPE_TAGs, outermost first.
    ///
    /// # Errors
    ///
    /// If the text cannot be written.
    fn before_base(&mut self, modifiers: &[Type<'btf>]) -> fmt::Result {
        for qualifier in modifiers.iter().filter_map(|ty| ty.qualifier()) {
            self.write_str(qualifier)?;
            self.write_str(" ")?;
        }
        Ok(())
    }

    /// Writes the modifiers after the base: the TYPE_TAGs, innermost first.
    ///
    /// # Errors
    ///
    /// If the text cannot be written.
    fn after_base(&mut self, modifiers: &[Type<'btf>]) -> fmt::Result {
        modifiers.iter().rev().try_for_each(|ty| match ty {
            Type::TypeTag(tag) => self.tag(*tag),
            _ => Ok(()),
        })
    }

    /// Writes the modifiers of a pointer after its `*`, innermost first.
    ///
    /// # Errors
    ///
    /// If the text cannot be written.
    fn after_pointer(&mut self, modifiers: &[Type<'btf>]) -> fmt::Result {
        for (index, ty) in modifiers.iter().rev().enumerate() {
            match (ty, ty.qualifier()) {
                (Type::TypeTag(tag), _) => self.tag(*tag)?,
                (_, Some(qualifier)) => {
                    self.write_str(if index > 0 { " " } else { "" })?;
                    self.write_str(qualifier)?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Takes one type from the budget. Returns `false` if none is left; `...`
    /// is then written instead.
    fn spend(&mut self) -> bool {
        true
    }
}

/// Parenthesis in a declaration: `(*` before the name, `)` after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Group<'btf> {
    /// The array or prototype that the pointer refers to.
    pub ty: Type<'btf>,
    /// True if the parenthesis follows a word, false if it follows a `*`.
    pub needs_space: bool,
    /// True if it belongs to the declared name and not to a parameter.
    pub is_outermost: bool,
    /// True if the declaration or parameter has a name.
    pub is_named: bool,
}

/// Bases that are not a keyword and a name.
enum Other {
    Void,
    Section,
    /// True for an attribute.
    DeclTag(bool),
    /// The number of the kind.
    Unknown(u8),
}

fn keyword_of(ty: Type<'_>) -> Result<&'static str, Other> {
    Ok(match ty {
        Type::Void => return Err(Other::Void),
        Type::Datasec(_) => return Err(Other::Section),
        Type::DeclTag(view) => return Err(Other::DeclTag(view.is_attribute())),
        Type::Unknown(view) => return Err(Other::Unknown(view.kind_number())),
        Type::Struct(_) => "struct",
        Type::Union(_) => "union",
        Type::Enum(_) | Type::Enum64(_) => "enum",
        Type::Fwd(view) if view.declares() == FwdKind::Union => "union",
        Type::Fwd(_) => "struct",
        _ => "",
    })
}

/// Types of a declaration. Most declarations have few, which need no
/// allocation.
#[derive(Debug, Clone)]
enum Chain<'btf> {
    Few([Type<'btf>; FEW], usize),
    Many(Vec<Type<'btf>>),
}

/// Maximum number of types without an allocation.
const FEW: usize = 4;

impl Default for Chain<'_> {
    fn default() -> Self {
        Self::Few([Type::Void; FEW], 0)
    }
}

impl<'btf> Chain<'btf> {
    fn len(&self) -> usize {
        self.as_slice().len()
    }

    #[inline]
    fn as_slice(&self) -> &[Type<'btf>] {
        match self {
            Self::Few(types, len) => types.get(..*len).unwrap_or_default(),
            Self::Many(types) => types,
        }
    }

    fn push(&mut self, ty: Type<'btf>) {
        match self {
            Self::Few(types, len) => match types.get_mut(*len) {
                Some(place) => {
                    *place = ty;
                    *len += 1;
                }
                None => *self = Self::Many(types.iter().copied().chain([ty]).collect()),
            },
            Self::Many(types) => types.push(ty),
        }
    }
}

/// A type as C declares it: the base, and the pointers, arrays and functions
/// around it. See [`Type::declarator`].
#[derive(Debug, Clone)]
pub struct Declarator<'btf> {
    /// The chain, beginning with the declared type.
    chain: Chain<'btf>,
    /// Number of types of the chain outside of the base's modifiers.
    outer: usize,
    /// `None` if the chain is too long.
    base: Option<Type<'btf>>,
    /// Own name of a FUNC or VAR.
    own_name: Option<Name<'btf>>,
}

impl<'btf> Declarator<'btf> {
    #[inline]
    fn new(ty: Type<'btf>, spend: impl FnMut() -> bool) -> Self {
        let mut declarator = Self { chain: Chain::default(), outer: 0, base: None, own_name: None };
        declarator.follow(ty, spend);
        declarator
    }

    fn follow(&mut self, ty: Type<'btf>, mut spend: impl FnMut() -> bool) {
        // A FUNC or VAR is declared by its own name.
        let mut next = match ty {
            Type::Func(func) => {
                self.own_name = Some(func.name());
                func.proto().into()
            }
            Type::Var(var) => {
                self.own_name = Some(var.name());
                var.ty()
            }
            ty => ty,
        };
        while spend() {
            let inner = match next {
                Type::Ptr(ptr) => ptr.target(),
                Type::Array(array) => array.element(),
                Type::FuncProto(proto) => proto.return_type(),
                Type::Const(_) | Type::Volatile(_) | Type::Restrict(_) | Type::TypeTag(_) => {
                    next.target().unwrap_or(Type::Void)
                }
                _ => {
                    self.base = Some(next);
                    break;
                }
            };
            if self.chain.len() == HOPS as usize {
                break;
            }
            self.chain.push(next);
            if !is_qualifier(&next) {
                self.outer = self.chain.len();
            }
            next = inner;
        }
    }

    /// The base of the declaration, after all pointers, arrays, prototypes
    /// (then it is the return type) and modifiers other than typedefs; `None`
    /// if the chain has more than 64 types.
    #[must_use]
    #[inline]
    pub fn base(&self) -> Option<Type<'btf>> {
        self.base
    }

    /// Types from the declared one to the base, without the base: pointers,
    /// arrays, prototypes, qualifiers and TYPE_TAGs.
    #[must_use]
    #[inline]
    pub fn chain(&self) -> &[Type<'btf>] {
        self.chain.as_slice()
    }

    /// Qualifiers and TYPE_TAGs of the base, outermost first.
    #[must_use]
    #[inline]
    pub fn base_modifiers(&self) -> &[Type<'btf>] {
        self.split().1
    }

    /// Iterates over the qualifiers that are written before the base: `const`.
    pub fn base_qualifiers(&self) -> impl Iterator<Item = &'static str> {
        self.base_modifiers().iter().filter_map(|ty| ty.qualifier())
    }

    /// Splits the chain into the part outside of the base's modifiers, and
    /// these.
    #[inline]
    fn split(&self) -> (&[Type<'btf>], &[Type<'btf>]) {
        let chain = self.chain();
        chain.split_at_checked(self.outer).unwrap_or((chain, &[]))
    }

    /// Writes the declaration of this name.
    ///
    /// # Errors
    ///
    /// If the text cannot be written.
    pub fn write<'n, S: Style<'btf> + ?Sized>(&self, name: impl Into<Name<'n>>, style: &mut S) -> fmt::Result {
        self.write_base(style)?;
        self.write_after_base(name, style)
    }

    /// Writes the base and its qualifiers: `const struct foo`.
    ///
    /// # Errors
    ///
    /// If the text cannot be written.
    pub fn write_base<S: Style<'btf> + ?Sized>(&self, style: &mut S) -> fmt::Result {
        style.before_base(self.base_modifiers())?;
        match self.base {
            Some(base) => style.base(base),
            None => style.write_str("..."),
        }
    }

    /// Writes the declaration without the base and its qualifiers: ` *name[3]` of
    /// `const struct foo *name[3]`.
    ///
    /// # Errors
    ///
    /// If the text cannot be written.
    pub fn write_after_base<'n, S: Style<'btf> + ?Sized>(
        &self,
        name: impl Into<Name<'n>>,
        style: &mut S,
    ) -> fmt::Result {
        match self.own_name {
            Some(name) => Writer { style, is_outermost: true, depth: DEPTH }.after_base(self, name),
            None => Writer { style, is_outermost: true, depth: DEPTH }.after_base(self, name.into()),
        }
    }
}

fn is_qualifier(ty: &Type<'_>) -> bool {
    matches!(ty, Type::Const(_) | Type::Volatile(_) | Type::Restrict(_) | Type::TypeTag(_))
}

/// Writer of the part of a declaration after the base.
struct Writer<'s, S: ?Sized> {
    style: &'s mut S,
    is_outermost: bool,
    /// Remaining nesting of prototypes.
    depth: u32,
}

impl<'btf, S: Style<'btf> + ?Sized> Writer<'_, S> {
    fn after_base(&mut self, declarator: &Declarator<'btf>, name: Name<'_>) -> fmt::Result {
        let (outer, on_base) = declarator.split();
        self.style.after_base(on_base)?;
        let needs_space = if outer.is_empty() { true } else { self.left(outer, name)? };
        if self.is_outermost {
            self.style.declared(name, needs_space)?;
        } else if !name.is_empty() {
            self.style.write_str(if needs_space { " " } else { "" })?;
            write!(self.style, "{name}")?;
        }
        if outer.is_empty() { Ok(()) } else { self.right(outer, name) }
    }

    /// Writes the part left of the name, from the base outward. Returns `true`
    /// if the name would follow a word.
    fn left(&mut self, outer: &[Type<'btf>], name: Name<'_>) -> Result<bool, fmt::Error> {
        let mut needs_space = true;
        for (index, ty) in outer.iter().enumerate().rev() {
            match ty {
                Type::Ptr(_) => {
                    self.style.write_str(if needs_space { " *" } else { "*" })?;
                    // Qualifiers of an array or function have no meaning here.
                    let modifiers = modifiers_of(outer, index);
                    self.style.after_pointer(modifiers)?;
                    needs_space = !modifiers.is_empty();
                }
                Type::Array(_) | Type::FuncProto(_) if is_pointed_to(outer, index) => {
                    let (is_outermost, is_named) = (self.is_outermost, !name.is_empty());
                    self.style.open(Group { ty: *ty, needs_space, is_outermost, is_named })?;
                    needs_space = false;
                }
                _ => {}
            }
        }
        Ok(needs_space)
    }

    /// Writes the part right of the name, from the name inward.
    fn right(&mut self, outer: &[Type<'btf>], name: Name<'_>) -> fmt::Result {
        for (index, ty) in outer.iter().enumerate() {
            let closes = is_pointed_to(outer, index);
            match ty {
                Type::Array(array) => {
                    self.style.write_str(if closes { ")[" } else { "[" })?;
                    self.style.nelems(array.nelems())?;
                    self.style.write_str("]")?;
                }
                Type::FuncProto(proto) => {
                    self.style.write_str(match (closes, name.is_empty() && index == 0) {
                        (true, _) => ")(",
                        (false, true) => " (",
                        (false, false) => "(",
                    })?;
                    self.params(*proto)?;
                    self.style.write_str(")")?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn params(&mut self, proto: FuncProto<'btf>) -> fmt::Result {
        let Some(depth) = self.depth.checked_sub(1) else { return self.style.write_str("...") };
        let params = proto.params();
        let count = params.len();
        // `(void)` for no parameters, and for a single one without type and
        // name, which older compilers wrote for it.
        if count == 0 || count == 1 && proto.is_variadic() {
            return self.style.write_str("void");
        }
        for (index, param) in params.enumerate() {
            if index > 0 {
                self.style.write_str(", ")?;
            }
            if !self.style.spend() || index + 1 == count && param.is_vararg() {
                return self.style.write_str("...");
            }
            let declarator = Declarator::new(param.ty(), || self.style.spend());
            declarator.write_base(self.style)?;
            let name = self.style.param_name(param);
            Writer { style: self.style, is_outermost: false, depth }.after_base(&declarator, name)?;
        }
        Ok(())
    }
}

/// Returns the modifiers directly outside of a type of a chain, outermost
/// first.
fn modifiers_of<'c, 'btf>(outer: &'c [Type<'btf>], index: usize) -> &'c [Type<'btf>] {
    let outside = outer.get(..index).unwrap_or_default();
    let count = outside.iter().rev().take_while(|ty| is_qualifier(ty)).count();
    outside.get(index - count..).unwrap_or_default()
}

/// Returns `true` if a pointer refers to this array or prototype: it is neither
/// an element of another array nor the declared type itself.
fn is_pointed_to(outer: &[Type<'_>], index: usize) -> bool {
    let outward = outer.get(..index).unwrap_or_default().iter().rev().find(|ty| !is_qualifier(ty));
    matches!(outward, Some(Type::Ptr(_)))
}

fn write_attribute(out: &mut (impl fmt::Write + ?Sized), tag: &str, name: Name<'_>, is_attribute: bool) -> fmt::Result {
    match is_attribute {
        true => write!(out, "__attribute__(({name}))"),
        false => write!(out, "__attribute__(({tag}(\"{name}\")))"),
    }
}

/// Budget of a [`Style`] for one declaration: 4,096 types, and 256 KiB of
/// names, which the last name may exceed. A hostile file can declare
/// arbitrarily many types with arbitrarily long names.
#[derive(Debug, Clone)]
pub struct Budget {
    types: u32,
    name_bytes: usize,
}

impl Default for Budget {
    fn default() -> Self {
        Self { types: TYPES, name_bytes: NAME_BYTES }
    }
}

impl Budget {
    /// Takes one type from the budget. Returns `false` if none is left. See
    /// [`Style::spend`].
    pub fn spend_type(&mut self) -> bool {
        let left = self.types;
        self.types = left.saturating_sub(1);
        left > 0 && self.name_bytes > 0
    }

    /// Takes the bytes of a name from the budget. If none are left, returns
    /// `...` without computing the name.
    pub fn spend_name<'n>(&mut self, name: impl FnOnce() -> Name<'n>) -> Name<'n> {
        if self.name_bytes == 0 {
            return Name::from("...");
        }
        let name = name();
        self.name_bytes = self.name_bytes.saturating_sub(name.as_bytes().len());
        name
    }
}

/// Style of `Display`: names of the BTF, within a budget.
struct Plain<'f, W: ?Sized> {
    out: &'f mut W,
    budget: Budget,
}

impl<W: fmt::Write + ?Sized> fmt::Write for Plain<'_, W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.out.write_str(text)
    }
}

impl<'btf, W: fmt::Write + ?Sized> Style<'btf> for Plain<'_, W> {
    fn type_name(&mut self, ty: Type<'btf>) -> Name<'btf> {
        self.budget.spend_name(|| ty.name())
    }

    fn param_name(&mut self, param: Param<'btf>) -> Name<'btf> {
        self.budget.spend_name(|| param.name())
    }

    fn spend(&mut self) -> bool {
        self.budget.spend_type()
    }
}

impl fmt::Display for Type<'_> {
    /// Writes the type as in a cast. At most 4,096 types and 256 KiB of names
    /// are written; the rest is `...`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.declare(Name::EMPTY).fmt(f)
    }
}

impl<'btf> Type<'btf> {
    /// Returns the declaration of a name with this type: `int (*name)(void)`.
    ///
    /// ```
    /// # fn main() -> Result<(), btf_types::Error> {
    /// use btf_types::Btf;
    ///
    /// # let vmlinux = Btf::parse(std::fs::read("doc/kernel.btf").unwrap())?;
    /// let func = vmlinux.path("work_struct.func")?.ty();
    /// assert_eq!(func.declare("func").to_string(), "work_func_t func");
    /// let pointer = func.peel_typedefs();
    /// assert_eq!(pointer.declare("func").to_string(), "void (*func)(struct work_struct *work)");
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn declare<'n>(self, name: impl Into<Name<'n>>) -> Declaration<'btf, 'n> {
        Declaration { ty: self, name: name.into() }
    }

    /// Returns this type as C declares it, for writing in a [`Style`] of your
    /// own.
    #[must_use]
    #[inline]
    pub fn declarator(self) -> Declarator<'btf> {
        Declarator::new(self, || true)
    }
}

/// C declaration: see [`Type::declare`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Declaration<'btf, 'n> {
    ty: Type<'btf>,
    name: Name<'n>,
}

impl Declaration<'_, '_> {
    fn write(&self, out: &mut impl fmt::Write) -> fmt::Result {
        let mut style = Plain { out, budget: Budget::default() };
        Declarator::new(self.ty, || style.spend()).write(self.name, &mut style)
    }
}

impl fmt::Display for Declaration<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if f.width().is_none() {
            return self.write(f);
        }
        // Padding, which is rare, needs the whole text.
        let mut text = String::new();
        self.write(&mut text)?;
        f.pad(&text)
    }
}

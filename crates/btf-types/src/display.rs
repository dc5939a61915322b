//! Types as C declares them: `const struct sk_buff *`, `int (*)(void *, long)`.
//!
//! A declaration is read from the inside out: a chain of types from the
//! outermost (what the declared thing is) to the base. The base is written
//! first, then what stands to the left of the name, from the base outward, then
//! the name, then what stands to its right, from the name inward.

use core::{cell::Cell, fmt};

use crate::{FuncProto, FwdKind, Name, Type, peel::HOPS};

/// How many types are written, before the rest is `...`.
const TYPES: u32 = 4096;
/// After how many bytes of names the rest is `...`. A single name may be longer;
/// that of the declared thing does not count.
const NAME_BYTES: usize = 1 << 18;
/// How many prototypes are written inside each other's parameters.
const DEPTH: u32 = 8;

impl fmt::Display for Type<'_> {
    /// The type as a cast would name it. At most 4,096 types are written, and no
    /// name after 256 KiB of them; what is beyond that is `...`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.declare(Name::EMPTY).fmt(f)
    }
}

impl<'btf> Type<'btf> {
    /// The declaration of something of this type: `int (*name)(void)`.
    #[must_use]
    pub fn declare<'n>(self, name: impl Into<Name<'n>>) -> Declaration<'btf, 'n> {
        Declaration { ty: self, name: name.into() }
    }
}

/// A declaration in C, see [`Type::declare`].
#[derive(Debug, Clone, Copy)]
pub struct Declaration<'btf, 'n> {
    ty: Type<'btf>,
    name: Name<'n>,
}

impl fmt::Display for Declaration<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Padding needs the whole text; that is seldom asked for.
        let budget = Budget { types: Cell::new(TYPES), name_bytes: Cell::new(NAME_BYTES) };
        if f.width().is_some() {
            let text = alloc::format!("{}", Unpadded(self, &budget));
            f.pad(&text)
        } else {
            Unpadded(self, &budget).fmt(f)
        }
    }
}

struct Unpadded<'d, 'btf, 'n>(&'d Declaration<'btf, 'n>, &'d Budget);

impl fmt::Display for Unpadded<'_, '_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(Declaration { ty, name }, budget) = self;
        // What declares itself does so by its own name.
        match ty {
            Type::Func(func) => write(f, func.proto().into(), func.name(), budget, DEPTH),
            Type::Var(var) => write(f, var.ty(), var.name(), budget, DEPTH),
            ty => write(f, *ty, *name, budget, DEPTH),
        }
    }
}

struct Budget {
    types: Cell<u32>,
    name_bytes: Cell<usize>,
}

impl Budget {
    /// Takes off a type; whether it may be written.
    fn spend(&self) -> bool {
        let left = self.types.get();
        self.types.set(left.saturating_sub(1));
        left > 0 && self.name_bytes.get() > 0
    }

    /// Takes off the bytes of a name, which is written whole or not at all; and
    /// if it is not, nobody has to look for its end.
    fn spend_name<'n>(&self, name: impl FnOnce() -> Name<'n>) -> Name<'n> {
        if self.name_bytes.get() == 0 {
            return Name::from("...");
        }
        let name = name();
        self.name_bytes.set(self.name_bytes.get().saturating_sub(name.as_bytes().len()));
        name
    }
}

/// The types from the declared one to the base, as far as they are followed.
struct Chain<'btf> {
    types: [Type<'btf>; HOPS as usize],
    len: usize,
    /// The base; `None` if there was no end to the chain.
    base: Option<Type<'btf>>,
}

impl<'btf> Chain<'btf> {
    fn new(ty: Type<'btf>, budget: &Budget) -> Self {
        let mut chain = Self { types: [Type::Void; HOPS as usize], len: 0, base: None };
        let mut next = ty;
        while budget.spend() {
            let target = match next {
                Type::Ptr(_)
                | Type::Array(_)
                | Type::FuncProto(_)
                | Type::Const(_)
                | Type::Volatile(_)
                | Type::Restrict(_)
                | Type::TypeTag(_) => next.inner(),
                _ => None,
            };
            let (Some(target), Some(place)) = (target, chain.types.get_mut(chain.len)) else {
                chain.base = target.is_none().then_some(next);
                break;
            };
            *place = next;
            chain.len += 1;
            next = target;
        }
        chain
    }

    fn types(&self) -> &[Type<'btf>] {
        self.types.get(..self.len).unwrap_or_default()
    }
}

fn is_qualifier(ty: &Type<'_>) -> bool {
    matches!(ty, Type::Const(_) | Type::Volatile(_) | Type::Restrict(_) | Type::TypeTag(_))
}

fn write(f: &mut fmt::Formatter<'_>, ty: Type<'_>, name: Name<'_>, budget: &Budget, depth: u32) -> fmt::Result {
    let chain = Chain::new(ty, budget);
    let types = chain.types();
    // What qualifies the base stands before it; a tag stands after it.
    let outer = types.len() - types.iter().rev().take_while(|ty| is_qualifier(ty)).count();
    let (outer, on_base) = types.split_at_checked(outer).unwrap_or((types, &[]));
    for ty in on_base.iter().filter(|ty| !matches!(ty, Type::TypeTag(_))) {
        write!(f, "{} ", keyword(*ty))?;
    }
    write_base(f, chain.base, budget)?;
    for ty in on_base.iter().rev() {
        write_tag(f, *ty, budget)?;
    }
    // Whether a name or a `*` right here would run into a word.
    let mut needs_space = true;
    for (index, ty) in outer.iter().enumerate().rev() {
        let outward = outer.get(..index).unwrap_or_default().iter().rev().find(|ty| !is_qualifier(ty));
        match ty {
            Type::Ptr(_) => {
                f.write_str(if needs_space { " *" } else { "*" })?;
                needs_space = false;
            }
            Type::Array(_) | Type::FuncProto(_) if matches!(outward, Some(Type::Ptr(_))) => {
                f.write_str(if needs_space { " (" } else { "(" })?;
                needs_space = false;
            }
            _ if is_qualifier(ty) => {
                // Of a pointer; what an array or function would be qualified
                // by says nothing.
                let inward = outer.get(index + 1..).unwrap_or_default().iter().find(|ty| !is_qualifier(ty));
                if matches!(inward, Some(Type::Ptr(_))) {
                    match ty {
                        Type::TypeTag(_) => write_tag(f, *ty, budget)?,
                        _ => write!(f, "{}{}", if needs_space { " " } else { "" }, keyword(*ty))?,
                    }
                    needs_space = true;
                }
            }
            _ => {}
        }
    }
    if !name.is_empty() {
        write!(f, "{}{name}", if needs_space { " " } else { "" })?;
    }
    for (index, ty) in outer.iter().enumerate() {
        let outward = outer.get(..index).unwrap_or_default().iter().rev().find(|ty| !is_qualifier(ty));
        let closes = matches!(outward, Some(Type::Ptr(_)));
        match ty {
            Type::Array(array) => {
                write!(f, "{}[", if closes { ")" } else { "" })?;
                if array.nelems() > 0 {
                    write!(f, "{}", array.nelems())?;
                }
                f.write_str("]")?;
            }
            Type::FuncProto(proto) => {
                let open = match (closes, name.is_empty() && index == 0) {
                    (true, _) => ")(",
                    (false, true) => " (",
                    (false, false) => "(",
                };
                f.write_str(open)?;
                write_params(f, *proto, budget, depth)?;
                f.write_str(")")?;
            }
            _ => {}
        }
    }
    Ok(())
}

fn write_params(f: &mut fmt::Formatter<'_>, proto: FuncProto<'_>, budget: &Budget, depth: u32) -> fmt::Result {
    let Some(depth) = depth.checked_sub(1) else { return f.write_str("...") };
    let params = proto.params();
    let count = params.len();
    // `(void)` for none; for one without type or name too, as older compilers
    // wrote it.
    if count == 0 || count == 1 && proto.is_variadic() {
        return f.write_str("void");
    }
    for (index, param) in params.enumerate() {
        if index > 0 {
            f.write_str(", ")?;
        }
        if !budget.spend() || index + 1 == count && param.is_vararg() {
            return f.write_str("...");
        }
        write(f, param.ty(), budget.spend_name(|| param.name()), budget, depth)?;
    }
    Ok(())
}

fn write_base(f: &mut fmt::Formatter<'_>, base: Option<Type<'_>>, budget: &Budget) -> fmt::Result {
    let Some(base) = base else { return f.write_str("...") };
    let keyword = match base {
        Type::Void => return f.write_str("void"),
        Type::Struct(_) => "struct ",
        Type::Union(_) => "union ",
        Type::Enum(_) | Type::Enum64(_) => "enum ",
        Type::Fwd(view) if view.declares() == FwdKind::Union => "union ",
        Type::Fwd(_) => "struct ",
        Type::Datasec(view) => return write!(f, "SEC(\"{}\")", budget.spend_name(|| view.name())),
        Type::DeclTag(view) => {
            return write_attribute(f, "btf_decl_tag", budget.spend_name(|| view.name()), view.is_attribute());
        }
        Type::Unknown(view) => return write!(f, "(kind {})", view.kind_number()),
        _ => "",
    };
    match (keyword, base.is_anonymous()) {
        ("", true) => f.write_str("(anon)"),
        (keyword, true) => write!(f, "{keyword}{{...}}"),
        (keyword, false) => write!(f, "{keyword}{}", budget.spend_name(|| base.name())),
    }
}

fn write_tag(f: &mut fmt::Formatter<'_>, ty: Type<'_>, budget: &Budget) -> fmt::Result {
    let Type::TypeTag(tag) = ty else { return Ok(()) };
    f.write_str(" ")?;
    write_attribute(f, "btf_type_tag", budget.spend_name(|| tag.name()), tag.is_attribute())
}

fn write_attribute(f: &mut fmt::Formatter<'_>, tag: &str, name: Name<'_>, is_attribute: bool) -> fmt::Result {
    if is_attribute { write!(f, "__attribute__(({name}))") } else { write!(f, "__attribute__(({tag}(\"{name}\")))") }
}

fn keyword(ty: Type<'_>) -> &'static str {
    match ty {
        Type::Const(_) => "const",
        Type::Volatile(_) => "volatile",
        _ => "restrict",
    }
}

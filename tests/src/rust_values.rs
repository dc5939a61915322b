//! Values passed from C to Rust and back: a C initializer, and code that uses the types
//! written by btf-codegen, for each scalar in a struct.
//!
//! Whether a member is a Rust field, or has methods of its name, is read from the
//! generated text.

use std::{collections::HashMap, fmt::Write as _};

use btf_types::{AnyEnum, Composite, Member, Type, View};

/// Contents of a generated text, by type name.
#[derive(Debug, Default)]
pub struct Text {
    /// Types of fields, and return types of methods.
    fields: HashMap<String, HashMap<String, String>>,
    methods: HashMap<String, HashMap<String, String>>,
    /// Underlying types of enumerations.
    enums: HashMap<String, String>,
    aliases: HashMap<String, String>,
}

impl Text {
    /// Parses a generated text.
    #[must_use]
    pub fn read(text: &str) -> Self {
        let mut read = Self::default();
        let mut current = String::new();
        let mut is_impl = false;
        for line in text.lines() {
            let words = |prefix: &str| line.strip_prefix(prefix).map(|rest| rest.trim_end_matches([' ', '{']));
            if let Some(alias) = line.strip_prefix("    pub type ") {
                let (name, of) = alias.split_once(" = ").expect("an alias");
                read.aliases.insert(name.into(), of.trim_end_matches(';').into());
            } else if let Some((name, of)) =
                line.strip_prefix("    pub struct ").and_then(|rest| rest.strip_suffix(");")?.split_once("(pub "))
            {
                read.enums.insert(name.into(), of.into());
            } else if let Some(name) = words("    pub struct ") {
                current = name.into();
                is_impl = false;
            } else if let Some(name) = words("    impl ") {
                current = name.into();
                is_impl = true;
            } else if let Some(field) = line.strip_prefix("        pub ").filter(|_| !is_impl)
                && let Some((name, ty)) = field.split_once(": ")
            {
                let fields = read.fields.entry(current.clone()).or_default();
                fields.insert(bare(name), ty.trim_end_matches(',').into());
            } else if let Some(method) = line.strip_prefix("        pub fn ")
                && let Some((name, ty)) = method.split_once("(&self) -> ")
            {
                let methods = read.methods.entry(current.clone()).or_default();
                methods.insert(bare(name), ty.trim_end_matches(" {").into());
            }
        }
        read
    }

    /// Resolves aliases of a type.
    fn resolved<'t>(&'t self, mut ty: &'t str) -> &'t str {
        while let Some(of) = self.aliases.get(ty) {
            ty = of;
        }
        ty
    }
}

fn bare(name: &str) -> String {
    name.trim_start_matches("r#").into()
}

/// Values for one struct or union.
#[derive(Debug, Default)]
pub struct Values {
    /// Designators and values: `.a.b[1] = 0x12,`.
    pub c: String,
    /// Assertions that the scalars in `value` have these values.
    pub reads: String,
    /// Statements that set the scalars in `value`.
    pub writes: String,
    /// Number of scalars that have a value.
    pub count: usize,
    seed: u64,
    temporaries: usize,
}

/// Access to a scalar: an expression that reads it, and the text before and after a value
/// to set it.
struct Reached {
    read: String,
    before: String,
    behind: String,
}

impl Values {
    /// Makes values from a seed for all scalars of a type. Only one member of a union gets
    /// values.
    #[must_use]
    pub fn of(ty: Composite<'_>, name: &str, text: &Text, seed: u64) -> Self {
        let mut values = Self { seed, ..Self::default() };
        values.composite(ty, name, text, "", "value");
        values
    }

    fn next(&mut self) -> u64 {
        // splitmix64
        self.seed = self.seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.seed ^ (self.seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn composite(&mut self, ty: Composite<'_>, name: &str, text: &Text, c: &str, place: &str) {
        if ty.is_union() {
            let one = self.next() as usize % ty.members().len().max(1);
            ty.members().skip(one).take(1).for_each(|member| self.member(member, name, text, c, place));
        } else {
            ty.members().for_each(|member| self.member(member, name, text, c, place));
        }
    }

    fn member(&mut self, member: Member<'_>, owner: &str, text: &Text, c: &str, place: &str) {
        let is_anonymous = member.name().is_empty();
        let inner = Composite::of(member.ty().peel_modifiers());
        let first = inner.and_then(|inner| inner.members().next()).map(|first| first.name().to_string());
        if is_anonymous && inner.is_none() {
            // An unnamed bitfield is only padding.
            return;
        }
        let name = match is_anonymous {
            false => member.name().to_string(),
            true => format!("anon_{}", first.expect("it has members")),
        };
        let c = if is_anonymous { c.to_owned() } else { format!("{c}.{name}") };
        if let Some(ty) = text.fields.get(owner).and_then(|fields| fields.get(&name)) {
            self.value(member.ty(), None, ty, text, &c, &format!("{place}.{name}"));
            return;
        }
        let method = text.methods.get(owner).and_then(|methods| methods.get(&name));
        let ty = method.unwrap_or_else(|| panic!("{owner}.{name}: neither field nor method"));
        // Methods are called on copies: they take a reference, and the place may be in a packed
        // struct.
        let read = format!("{{ {place} }}.{name}()");
        let before = format!("{{ let mut of = {place}; of.set_{name}(");
        let behind = format!("); {place} = of; }}");
        if inner.is_none() && !matches!(member.ty().peel_modifiers(), Type::Array(_)) {
            let reached = Reached { read, before, behind };
            self.scalar(member.ty().peel_modifiers(), member.bitfield_size(), ty, text, &c, reached);
            return;
        }
        self.temporaries += 1;
        let copy = format!("copy{}", self.temporaries);
        let _ = writeln!(self.reads, "let {copy} = {read};");
        let _ = writeln!(self.writes, "let mut {copy} = {read};");
        self.value(member.ty(), None, ty, text, &c, &copy);
        let _ = writeln!(self.writes, "{before}{copy}{behind}");
    }

    fn value(&mut self, ty: Type<'_>, bits: Option<u8>, rust_type: &str, text: &Text, c: &str, place: &str) {
        let rust_type = text.resolved(rust_type);
        match ty.peel_modifiers() {
            Type::Array(array) => {
                let of = rust_type.strip_prefix('[').and_then(|ty| ty.rsplit_once("; ")).expect("an array").0;
                // Some compilers flatten multidimensional arrays in BTF. C accepts a flat list
                // for both.
                let element = array.element().peel_modifiers();
                let is_flat = Composite::of(element).is_none() && !matches!(element, Type::Array(_));
                if is_flat {
                    let _ = write!(self.c, "\t{c} = {{");
                }
                for index in 0..array.nelems() {
                    let c = if is_flat { String::new() } else { format!("{c}[{index}]") };
                    self.value(array.element(), None, of, text, &c, &format!("{place}[{index}]"));
                }
                if is_flat {
                    self.c.push_str(" },\n");
                }
            }
            Type::Struct(s) => self.composite(s.into(), rust_type, text, c, place),
            Type::Union(u) => self.composite(u.into(), rust_type, text, c, place),
            inner => {
                let reached =
                    Reached { read: format!("{{ {place} }}"), before: format!("{place} = "), behind: ";".into() };
                self.scalar(inner, bits, rust_type, text, c, reached);
            }
        }
    }

    fn scalar(
        &mut self,
        ty: Type<'_>,
        bits: Option<u8>,
        rust_type: &str,
        text: &Text,
        c: &str,
        Reached { read, before, behind }: Reached,
    ) {
        let rust_type = text.resolved(rust_type);
        let bits = bits.map_or(8 * ty.size_of().expect("it has a size"), u64::from).min(64);
        let value = self.next() >> (64 - bits);
        let is_signed = match ty {
            Type::Int(int) => int.is_signed(),
            _ => AnyEnum::of(ty).is_some_and(AnyEnum::is_signed),
        };
        let signed = ((value << (64 - bits)) as i64) >> (64 - bits);
        // Before BTF_KIND_FLOAT, floats were INTs.
        let is_float = matches!(ty, Type::Float(_)) || ty.is_named("double") || ty.is_named("float");
        let of_c = match (ty, is_signed) {
            _ if is_float => format!("{}.5", value % 1000),
            (Type::Int(int), _) if int.is_bool() => format!("{}", value & 1),
            // C has no literal for the smallest number.
            (_, true) if signed == i64::MIN => "(-9223372036854775807LL - 1)".into(),
            (_, true) => format!("{signed}LL"),
            (Type::Ptr(_), _) => format!("(void *){value}ULL"),
            _ => format!("{value}ULL"),
        };
        let _ = match c {
            "" => write!(self.c, " {of_c},"),
            _ => writeln!(self.c, "\t{c} = {of_c},"),
        };
        let number = match (ty, is_signed) {
            _ if is_float => format!("{}.5", value % 1000),
            (Type::Int(int), _) if int.is_bool() => format!("{}", value & 1 == 1),
            (_, true) => format!("{signed}"),
            _ => format!("{value}"),
        };
        // Unwraps the wrapper types from the outermost to the innermost.
        let (mut get, mut wrappers, mut inner) = (read.clone(), Vec::new(), rust_type);
        loop {
            inner = text.resolved(inner);
            match inner.split_once('<') {
                Some((wrapper @ ("Align4" | "Be" | "Le"), of)) => {
                    wrappers.push(format!("{wrapper}::new("));
                    get.push_str(".get()");
                    inner = of.strip_suffix('>').unwrap_or(of);
                }
                Some((wrapper @ ("Ptr" | "FnPtr"), _)) => {
                    wrappers.push(format!("{wrapper}::new("));
                    get.push_str(".addr()");
                    break;
                }
                _ if matches!(inner, "Bool" | "U128" | "I128") => {
                    wrappers.push(format!("{inner}::new("));
                    get.push_str(".get()");
                    break;
                }
                _ => match text.enums.get(inner) {
                    Some(of) => {
                        wrappers.push(format!("{inner}("));
                        get.push_str(".0");
                        inner = of;
                    }
                    None => break,
                },
            }
        }
        let set = format!("{}{number}{}", wrappers.concat(), ")".repeat(wrappers.len()));
        let _ = writeln!(self.reads, "assert_eq!({get}, {number}, \"{c}\");");
        let _ = writeln!(self.writes, "{before}{set}{behind}");
        self.count += 1;
    }
}

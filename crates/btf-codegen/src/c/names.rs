//! Unique C identifiers for names.
//!
//! C has a name space for the tags of structs, unions and enums, and one for
//! typedefs, enumerators and functions. BTF may have several types with one name:
//! the first that is needed gets the name, others get `NAME___2`, `NAME___3`,
//! which CO-RE treats as flavors of the same type.
//!
//! Source: `btf_dump_resolve_name` in `tools/lib/bpf/btf_dump.c`.

use std::{
    borrow::Cow,
    collections::{HashMap, hash_map::Entry},
    fmt,
};

use btf_types::{FwdKind, Name, Type};

use super::{
    hash::Keyed,
    printer::{Printer, state},
};

/// Maximum length of a name with a number that libbpf writes, in bytes.
const LIBBPF_NAME: usize = 255;

/// Keyword before a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Word {
    Struct,
    Union,
    Enum,
    /// Typedefs, enumerators and functions.
    None,
}

impl Word {
    pub(super) fn of(ty: Type<'_>) -> Self {
        match ty {
            Type::Struct(_) => Self::Struct,
            Type::Union(_) => Self::Union,
            Type::Fwd(fwd) if fwd.declares() == FwdKind::Union => Self::Union,
            Type::Fwd(_) => Self::Struct,
            Type::Enum(_) | Type::Enum64(_) => Self::Enum,
            _ => Self::None,
        }
    }

    /// Returns the keyword, and the space between it and a name.
    pub(super) fn before_name(self) -> &'static str {
        match self {
            Self::Struct => "struct ",
            Self::Union => "union ",
            Self::Enum => "enum ",
            Self::None => "",
        }
    }
}

/// Items with one name.
#[derive(Debug, Clone, Copy)]
struct Users {
    /// Number of definitions.
    count: u32,
    /// Keyword of the first definition, or of the forward declarations before it.
    word: Word,
}

/// A name space.
#[derive(Debug, Default)]
pub(super) struct Names<'btf>(HashMap<Cow<'btf, [u8]>, Users, Keyed>);

impl<'btf> Names<'btf> {
    /// Makes room for this many names.
    pub(super) fn reserve(&mut self, count: usize) {
        self.0.reserve(count);
    }

    /// Counts another definition with this name, and returns its number.
    fn next(&mut self, name: Cow<'btf, [u8]>) -> u32 {
        let users = self.0.entry(name).or_insert(Users { count: 0, word: Word::None });
        users.count += 1;
        users.count
    }

    /// Returns the number of a definition or forward declaration with this name. Only a type
    /// and its forward declarations share one.
    fn claim(&mut self, name: Cow<'btf, [u8]>, word: Word, is_forward: bool) -> u32 {
        let is_numbered = self.is_numbered(&name);
        let mut users = match self.0.entry(name.clone()) {
            Entry::Occupied(users) => *users.get(),
            Entry::Vacant(vacant) if !is_numbered => {
                vacant.insert(Users { count: u32::from(!is_forward), word });
                return 1;
            }
            Entry::Vacant(_) => Users { count: 1, word: Word::None },
        };
        let mut number = 1;
        if users.word == word && (is_forward || users.count == 0) {
            users.count = users.count.max(u32::from(!is_forward));
        } else {
            number = users.count.max(1) + 1;
            let mut numbered = with_number(&name, number);
            while self.0.contains_key(numbered.as_slice()) {
                number += 1;
                numbered = with_number(&name, number);
            }
            users.count = number;
        }
        self.0.insert(name, users);
        number
    }

    /// Returns `true` if the name is used.
    pub(super) fn contains(&self, name: &[u8]) -> bool {
        self.0.contains_key(name) || self.is_numbered(name)
    }

    /// Returns `true` for a name that was made by adding a number. Such names
    /// are not stored, as many may begin with one long name.
    fn is_numbered(&self, name: &[u8]) -> bool {
        let users = without_number(name).and_then(|(name, number)| Some((self.0.get(name)?, number)));
        users.is_some_and(|(users, number)| number <= users.count)
    }
}

fn with_number(name: &[u8], number: u32) -> Vec<u8> {
    [name, format!("___{number}").as_bytes()].concat()
}

/// Splits a name in the form that [`with_number`] makes into name and number.
pub(super) fn without_number(name: &[u8]) -> Option<(&[u8], u32)> {
    if !name.last()?.is_ascii_digit() {
        return None;
    }
    let digits = name.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    let (name, number) = name.split_at_checked(name.len() - digits)?;
    let number = str::from_utf8(number).ok().filter(|number| !number.starts_with('0'))?.parse().ok()?;
    Some((name.strip_suffix(b"___")?, number)).filter(|_| number > 1)
}

/// A name as written in the header.
pub(super) type Written<'btf> = Cow<'btf, [u8]>;

/// Returns `true` if a name is written unchanged: printable ASCII.
fn is_plain(name: &[u8]) -> bool {
    const ONES: u64 = 0x0101_0101_0101_0101;
    // Sets the high bit of each byte below ` ` or above `~`. Because of carries, bytes above
    // the first such byte are unreliable.
    let strange = |word: u64| (word.wrapping_sub(0x20 * ONES) | word | word.wrapping_add(ONES)) & (0x80 * ONES);
    let Some(last) = name.last_chunk() else { return name.iter().all(|byte| (b' '..=b'~').contains(byte)) };
    let words = name.chunks_exact(8).map(|word| word.try_into().map_or(0, u64::from_le_bytes));
    words.fold(strange(u64::from_le_bytes(*last)), |all, word| all | strange(word)) == 0
}

/// Returns the identifier for a name: the name itself, borrowed, if it is empty or an
/// identifier that is not a keyword.
pub(super) fn identifier(name: Name<'_>) -> Written<'_> {
    if name.is_c_identifier() || name.is_empty() {
        return match is_keyword(name.as_bytes()) {
            false => Cow::Borrowed(name.as_bytes()),
            true => Cow::Owned([name.as_bytes(), b"_"].concat()),
        };
    }
    let starts_with_digit = name.as_bytes().first().is_some_and(u8::is_ascii_digit);
    let underscore = starts_with_digit.then_some(b'_');
    let inner = name.as_bytes().iter().map(|&byte| if byte.is_ascii_alphanumeric() { byte } else { b'_' });
    Cow::Owned(underscore.into_iter().chain(inner).collect())
}

/// Returns `true` if a name can be written unchanged.
pub(super) fn is_identifier(name: Name<'_>) -> bool {
    name.is_c_identifier() && !is_keyword(name.as_bytes())
}

/// Prefixes of the names of macros and built-in functions that compilers define.
const PREFIXES: [&[u8]; 9] = [
    b"__builtin_",
    b"__has_",
    b"__is_target_",
    b"__ATOMIC_",
    b"__BPF_FEATURE_",
    b"__FPCLASS_",
    b"__GCC_",
    b"__MEMORY_SCOPE_",
    b"__OPENCL_MEMORY_SCOPE_",
];

/// Returns `true` for a name that compilers define: by its prefix, or of the form
/// `__NAME__`, which predefined macros have.
fn is_predefined(word: &[u8]) -> bool {
    let is_macro = || {
        let name = word.strip_prefix(b"__").and_then(|rest| rest.strip_suffix(b"__")).unwrap_or_default();
        !name.is_empty() && !name.iter().any(u8::is_ascii_lowercase)
    };
    word.starts_with(b"__") && (PREFIXES.iter().any(|prefix| word.starts_with(prefix)) || is_macro())
}

/// Returns `true` for words that C compilers reserve: keywords of C17, GNU C and clang, and
/// predefined macros. (`bool`, `true` and `false` are the kernel's own.)
fn is_keyword(word: &[u8]) -> bool {
    if word.first() == Some(&b'_') {
        return is_predefined(word)
            || matches!(
                word,
                b"_Accum"
                    | b"_Alignas"
                    | b"_Alignof"
                    | b"_Atomic"
                    | b"_BitInt"
                    | b"_Bool"
                    | b"_Complex"
                    | b"_Countof"
                    | b"_Decimal128"
                    | b"_Decimal32"
                    | b"_Decimal64"
                    | b"_ExtInt"
                    | b"_Float128x"
                    | b"_Float16"
                    | b"_Float32"
                    | b"_Float32x"
                    | b"_Float64"
                    | b"_Float64x"
                    | b"_Fract"
                    | b"_Generic"
                    | b"_Imaginary"
                    | b"_Nonnull"
                    | b"_Noreturn"
                    | b"_Null_unspecified"
                    | b"_Nullable"
                    | b"_Nullable_result"
                    | b"_Pragma"
                    | b"_Sat"
                    | b"_Static_assert"
                    | b"_Thread_local"
                    | b"__GXX_ABI_VERSION"
                    | b"__NO_MATH_INLINES"
                    | b"__NSConstantString"
                    | b"__OBJC_BOOL_IS_BOOL"
                    | b"__PRAGMA_REDEFINE_EXTNAME"
                    | b"__SEG_FS"
                    | b"__SEG_GS"
                    | b"__aarch64__"
                    | b"__alignof"
                    | b"__alignof__"
                    | b"__amd64__"
                    | b"__arm__"
                    | b"__arm_agnostic"
                    | b"__arm_in"
                    | b"__arm_inout"
                    | b"__arm_locally_streaming"
                    | b"__arm_new"
                    | b"__arm_out"
                    | b"__arm_preserves"
                    | b"__arm_streaming"
                    | b"__arm_streaming_compatible"
                    | b"__asm"
                    | b"__asm__"
                    | b"__attribute"
                    | b"__attribute__"
                    | b"__auto_type"
                    | b"__bf16"
                    | b"__bpf__"
                    | b"__cdecl"
                    | b"__clang__"
                    | b"__clang_major__"
                    | b"__clang_minor__"
                    | b"__clang_patchlevel__"
                    | b"__clang_version__"
                    | b"__complex"
                    | b"__complex__"
                    | b"__const"
                    | b"__const__"
                    | b"__extension__"
                    | b"__fastcall"
                    | b"__float128"
                    | b"__fp16"
                    | b"__func__"
                    | b"__funcref"
                    | b"__gnu_linux__"
                    | b"__i386__"
                    | b"__ibm128"
                    | b"__imag"
                    | b"__imag__"
                    | b"__inline"
                    | b"__inline__"
                    | b"__int128"
                    | b"__is_bitwise_cloneable"
                    | b"__is_destructible"
                    | b"__is_identifier"
                    | b"__is_nothrow_destructible"
                    | b"__label__"
                    | b"__linux__"
                    | b"__llvm__"
                    | b"__mips__"
                    | b"__module_private__"
                    | b"__null"
                    | b"__nullptr"
                    | b"__objc_no"
                    | b"__objc_yes"
                    | b"__pascal"
                    | b"__pic__"
                    | b"__pie__"
                    | b"__powerpc64__"
                    | b"__powerpc__"
                    | b"__private_extern__"
                    | b"__ptrauth"
                    | b"__real"
                    | b"__real__"
                    | b"__regcall"
                    | b"__restrict"
                    | b"__restrict__"
                    | b"__riscv"
                    | b"__s390__"
                    | b"__s390x__"
                    | b"__seg_fs"
                    | b"__seg_gs"
                    | b"__signed"
                    | b"__signed__"
                    | b"__stdcall"
                    | b"__thiscall"
                    | b"__thread"
                    | b"__typeof"
                    | b"__typeof__"
                    | b"__typeof_unqual"
                    | b"__typeof_unqual__"
                    | b"__unix__"
                    | b"__vectorcall"
                    | b"__volatile"
                    | b"__volatile__"
                    | b"__x86_64"
                    | b"__x86_64__"
            );
    }
    matches!(
        word,
        b"asm"
            | b"auto"
            | b"break"
            | b"case"
            | b"char"
            | b"const"
            | b"continue"
            | b"default"
            | b"do"
            | b"double"
            | b"else"
            | b"enum"
            | b"extern"
            | b"float"
            | b"for"
            | b"goto"
            | b"if"
            | b"inline"
            | b"int"
            | b"long"
            | b"register"
            | b"restrict"
            | b"return"
            | b"short"
            | b"signed"
            | b"sizeof"
            | b"static"
            | b"struct"
            | b"switch"
            | b"typedef"
            | b"typeof"
            | b"union"
            | b"unsigned"
            | b"void"
            | b"volatile"
            | b"while"
    )
}

/// Returns `true` for a forward declaration, of which there can be many.
fn is_forward(ty: Type<'_>) -> bool {
    match ty {
        Type::Fwd(_) => true,
        Type::Enum(e) => e.values().len() == 0,
        _ => false,
    }
}

impl<'btf> Printer<'btf, '_> {
    /// Returns the name of a type as written in the header; empty if it has none.
    #[inline]
    pub(super) fn resolved(&mut self, ty: Type<'btf>) -> Written<'btf> {
        let raw = ty.name();
        if raw.is_empty() || self.is(ty.id(), state::AS_IT_IS) {
            return Cow::Borrowed(raw.as_bytes());
        }
        self.resolved_first(ty, raw)
    }

    /// Returns the name of a type that is not [`state::AS_IT_IS`].
    #[inline(never)]
    fn resolved_first(&mut self, ty: Type<'btf>, raw: Name<'btf>) -> Written<'btf> {
        let id = ty.id();
        let name = if self.form.exact { Cow::Borrowed(raw.as_bytes()) } else { identifier(raw) };
        if !self.is(id, state::NAMED) {
            self.set(id, state::NAMED);
            if self.form.exact {
                // The name is read in full, but libbpf truncates a name with a number.
                self.spend_name(name.len());
            }
            let word = Word::of(ty);
            let names = if word == Word::None { &mut self.idents } else { &mut self.tags };
            let number = match (self.form.exact, is_forward(ty)) {
                (true, true) => 1,
                (true, false) => names.next(name.clone()),
                (false, is_forward) => names.claim(name.clone(), word, is_forward),
            };
            if number > 1 {
                self.set(id, state::SUFFIXED);
                self.suffixes.insert(id, number);
            }
        }
        if !self.is(id, state::SUFFIXED) {
            if matches!(name, Cow::Borrowed(name) if is_plain(name)) {
                self.set(id, state::AS_IT_IS);
            }
            return name;
        }
        let number = self.suffixes.get(&id).copied().unwrap_or(1);
        if !self.form.exact {
            return Cow::Owned(with_number(&name, number));
        }
        let mut numbered = with_number(name.get(..LIBBPF_NAME).unwrap_or(&name), number);
        numbered.truncate(LIBBPF_NAME);
        Cow::Owned(numbered)
    }

    /// Counts the name of a type among the tags of structs, unions and enums.
    pub(super) fn claim_as_tag(&mut self, ty: Type<'btf>) {
        let name = ty.name();
        if !name.is_empty() {
            self.spend_name(name.as_bytes().len());
            self.tags.next(Cow::Borrowed(name.as_bytes()));
        }
    }

    /// Writes the name of a type.
    pub(super) fn put_type_name(&mut self, ty: Type<'btf>) -> fmt::Result {
        if self.is(ty.id(), state::AS_IT_IS) {
            return self.put_ascii(ty.name().as_bytes());
        }
        let name = self.resolved(ty);
        self.put_name(Name::new(&name))
    }

    /// Writes the keyword and name of a struct, union or enum.
    pub(super) fn put_tag_name(&mut self, ty: Type<'btf>) -> fmt::Result {
        let word = Word::of(ty);
        if ty.is_anonymous() {
            return self.put(word.before_name().trim_ascii_end());
        }
        self.put(word.before_name())?;
        self.put_type_name(ty)
    }

    /// Writes the name of an enumerator.
    pub(super) fn put_enumerator(&mut self, raw: Name<'btf>) -> fmt::Result {
        let name = if self.form.exact { Cow::Borrowed(raw.as_bytes()) } else { identifier(raw) };
        let number = match self.form.exact {
            true => self.idents.next(name.clone()),
            false => self.idents.claim(name.clone(), Word::None, false),
        };
        self.put_name(Name::new(&name))?;
        if number > 1 {
            self.put("___")?;
            self.put_number(number)?;
        }
        Ok(())
    }

    /// Writes a name.
    #[inline]
    pub(super) fn put_name(&mut self, name: Name<'_>) -> fmt::Result {
        match is_plain(name.as_bytes()) {
            true => self.put_ascii(name.as_bytes()),
            false => fmt::Write::write_fmt(self, format_args!("{name}")),
        }
    }

    /// Writes a comment with a name in it.
    pub(super) fn comment(&mut self, name: Name<'_>, text: &str) -> fmt::Result {
        self.put("/* ")?;
        self.put(&name.to_string().replace("*/", "* /").replace("/*", "/ *"))?;
        self.put(text)?;
        self.put(" */")
    }

    /// Writes the original name of a type as a comment above its definition, if it had to be
    /// changed.
    pub(super) fn put_real_name(&mut self, ty: Type<'btf>) -> fmt::Result {
        let name = ty.name();
        if self.form.exact || name.is_empty() || is_identifier(name) {
            return Ok(());
        }
        self.comment(name, "")?;
        self.put("\n")
    }
}

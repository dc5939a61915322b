//! Names in the generated code: unique Rust identifiers.
//!
//! Rust has one name space for all types. A type keeps its name if that is an identifier
//! and no other type has it, whatever else is in the BTF. Which of several types with one
//! name keeps it, and the suffixes of the others, depend on their contents, not on ids.

use std::{
    collections::HashMap,
    fmt::{self, Write as _},
};

use btf_types::Name;

/// Maximum length of a name without a suffix, in bytes.
const LONGEST: usize = 200;

/// A Rust identifier, displayed with `r#` where needed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ident<'n>(pub(super) &'n str);

impl fmt::Display for Ident<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if is_keyword(self.0) {
            f.write_str("r#")?;
        }
        f.write_str(self.0)
    }
}

/// Returns the identifier for a name, which may be a keyword that [`Ident`] writes with `r#`.
pub(super) fn identifier(name: Name<'_>) -> String {
    if name.as_bytes().len() <= LONGEST && name.is_c_identifier() {
        let text = String::from_utf8_lossy(name.as_bytes()).into_owned();
        return match text.as_str() {
            // These cannot be written with `r#`.
            "self" | "Self" | "super" | "crate" | "_" => text + "_",
            _ => text,
        };
    }
    let is_digit = name.as_bytes().first().is_none_or(u8::is_ascii_digit);
    let underscore = is_digit.then_some('_');
    let inner = name.as_bytes().iter().take(LONGEST);
    let inner = inner.map(|&byte| if byte.is_ascii_alphanumeric() { char::from(byte) } else { '_' });
    let mut text: String = underscore.into_iter().chain(inner).collect();
    // The hash distinguishes names that differ only in replaced or omitted bytes.
    let _ = write!(text, "_{:08x}", Hash::of(name.as_bytes()));
    text
}

/// Returns the name of an item inside a named one.
pub(super) fn inside(outer: &str, inner: &str) -> String {
    let name = format!("{outer}__{inner}");
    if name.len() <= LONGEST {
        return name;
    }
    let hash = Hash::of(name.as_bytes());
    let start: String = name.chars().take(LONGEST).collect();
    format!("{start}_{hash:08x}")
}

/// Returns the identifier for a type's name.
pub(super) fn type_identifier(name: Name<'_>) -> String {
    let mut ident = identifier(name);
    if is_reserved(&ident) {
        ident.push('_');
    }
    ident
}

/// Returns `true` for the name of a primitive type.
pub(super) fn is_primitive(name: &str) -> bool {
    matches!(
        name,
        "bool"
            | "char"
            | "str"
            | "i8"
            | "i16"
            | "i32"
            | "i64"
            | "i128"
            | "isize"
            | "u8"
            | "u16"
            | "u32"
            | "u64"
            | "u128"
            | "usize"
            | "f16"
            | "f32"
            | "f64"
            | "f128"
    )
}

/// Returns `true` if a type with this name would shadow a name of Rust or of the generated
/// code. (A type with a constructor also shadows variables.)
fn is_reserved(name: &str) -> bool {
    is_primitive(name)
        || matches!(
            name,
            "Ptr"
                | "FnPtr"
                | "Bool"
                | "U128"
                | "I128"
                | "Align4"
                | "Be"
                | "Le"
                | "Swap"
                | "Plain"
                | "AsBytes"
                | "assert_eq"
                | "found"
                | "expected"
                | "read_at"
                | "write_at"
                | "get_bits"
                | "get_signed_bits"
                | "set_bits"
                | "get_bits_wide"
                | "get_signed_bits_wide"
                | "set_bits_wide"
                | "value"
                | "bytes"
                | "at"
                | "width"
                | "f"
                | "core"
                | "std"
                | "alloc"
                | "Option"
                | "Some"
                | "None"
                | "Result"
                | "Ok"
                | "Err"
                | "Box"
                | "String"
                | "Vec"
                | "Copy"
                | "Clone"
                | "Send"
                | "Sync"
                | "Sized"
                | "Drop"
                | "Fn"
                | "FnMut"
                | "FnOnce"
                | "Default"
                | "Debug"
                | "Eq"
                | "PartialEq"
                | "Ord"
                | "PartialOrd"
                | "Hash"
                | "Iterator"
                | "Extend"
                | "IntoIterator"
                | "DoubleEndedIterator"
                | "ExactSizeIterator"
                | "FromIterator"
                | "From"
                | "Into"
                | "TryFrom"
                | "TryInto"
                | "AsRef"
                | "AsMut"
                | "ToOwned"
                | "ToString"
                | "Unpin"
        )
}

/// Returns `true` for a keyword of any edition that is an identifier after
/// `r#`.
pub(super) fn is_keyword(word: &str) -> bool {
    matches!(
        word,
        "abstract"
            | "as"
            | "async"
            | "await"
            | "become"
            | "box"
            | "break"
            | "const"
            | "continue"
            | "do"
            | "dyn"
            | "else"
            | "enum"
            | "extern"
            | "false"
            | "final"
            | "fn"
            | "for"
            | "gen"
            | "if"
            | "impl"
            | "in"
            | "let"
            | "loop"
            | "macro"
            | "match"
            | "mod"
            | "move"
            | "mut"
            | "override"
            | "priv"
            | "pub"
            | "ref"
            | "return"
            | "static"
            | "struct"
            | "trait"
            | "true"
            | "try"
            | "type"
            | "typeof"
            | "unsafe"
            | "unsized"
            | "use"
            | "virtual"
            | "where"
            | "while"
            | "yield"
    )
}

/// Names in use, of types or of the members of one type, and the number to try next for each.
#[derive(Debug, Default)]
pub(super) struct Taken(HashMap<String, u32>);

impl Taken {
    /// Takes a name, or the first of `NAME_2`, `NAME_3` that is free.
    pub(super) fn claim(&mut self, name: String) -> String {
        let Some(next) = self.0.get(&name).copied() else {
            self.0.insert(name.clone(), 2);
            return name;
        };
        let mut number = next;
        let numbered = loop {
            let numbered = format!("{name}_{number}");
            number += 1;
            if !self.0.contains_key(&numbered) {
                break numbered;
            }
        };
        self.0.insert(name, number);
        self.0.insert(numbered.clone(), 2);
        numbered
    }
}

/// Names of types, by id.
#[derive(Debug)]
pub(super) struct Names {
    /// Indexes of `texts`; 0 for a type without a name.
    by_id: Vec<u32>,
    texts: Vec<Box<str>>,
    pub(super) taken: Taken,
}

impl Names {
    pub(super) fn new(count: usize) -> Self {
        Self { by_id: vec![0; count], texts: vec![Box::default()], taken: Taken::default() }
    }

    /// Returns the name of a type.
    pub(super) fn get(&self, id: u32) -> Option<&str> {
        let number = *self.by_id.get(id as usize).filter(|number| **number > 0)?;
        self.texts.get(number as usize).map(AsRef::as_ref)
    }

    /// Gives a type this name, or if it is taken, this name with a number.
    pub(super) fn give(&mut self, id: u32, name: String) {
        let name = self.taken.claim(name);
        if let Some(number) = self.by_id.get_mut(id as usize) {
            *number = self.texts.len() as u32;
            self.texts.push(name.into());
        }
    }

    /// Gives a type the name of another.
    pub(super) fn share(&mut self, id: u32, of: u32) {
        let number = self.by_id.get(of as usize).copied().unwrap_or(0);
        if let Some(known) = self.by_id.get_mut(id as usize) {
            *known = number;
        }
    }
}

/// 32-bit FNV-1a, which is the same on all machines and in all versions.
#[derive(Debug, Clone, Copy)]
pub(super) struct Hash(u32);

impl Hash {
    pub(super) fn new() -> Self {
        Self(0x811c_9dc5)
    }

    pub(super) fn of(bytes: &[u8]) -> u32 {
        let mut hash = Self::new();
        hash.add(bytes);
        hash.0
    }

    pub(super) fn add(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u32::from(*byte)).wrapping_mul(0x0100_0193);
        }
    }

    /// Adds a name and a terminator.
    pub(super) fn add_name(&mut self, name: Name<'_>) {
        self.add(name.as_bytes());
        self.add(&[0]);
    }

    pub(super) fn add_number(&mut self, number: u64) {
        self.add(&number.to_le_bytes());
    }

    pub(super) fn value(self) -> u32 {
        self.0
    }
}

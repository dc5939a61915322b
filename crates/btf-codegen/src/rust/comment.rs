//! Documentation: the declaration in C.

use std::fmt::{self, Write as _};

use btf_types::{Name, Param, Style, Type};

use super::{generator::Generator, naming::NAME};

/// Maximum number of bytes of a declaration that are written.
const LONGEST: usize = 240;
/// Maximum number of types in a declaration that are written.
const TYPES: u32 = 64;

/// A declaration of limited length.
struct Short<'s> {
    text: &'s mut String,
    end: usize,
    types: u32,
}

impl fmt::Write for Short<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.text.len() + text.len() > self.end {
            return Err(fmt::Error);
        }
        self.text.push_str(text);
        Ok(())
    }
}

impl<'btf> Style<'btf> for Short<'_> {
    fn type_name(&mut self, ty: Type<'btf>) -> Name<'btf> {
        ty.name_start(NAME)
    }

    fn param_name(&mut self, param: Param<'btf>) -> Name<'btf> {
        param.name_start(NAME)
    }

    fn spend(&mut self) -> bool {
        self.types = self.types.saturating_sub(1);
        self.types > 0
    }
}

impl<'btf> Generator<'btf, '_> {
    /// Writes the C declaration of a name with a type, between backticks.
    pub(super) fn put_declaration(&mut self, ty: Type<'btf>, name: Name<'_>, bits: Option<u8>) {
        self.put("`");
        let end = self.text.len() + LONGEST;
        let mut short = Short { text: &mut self.text, end, types: TYPES };
        let name = Name::new(name.as_bytes().get(..NAME).unwrap_or(name.as_bytes()));
        let whole = ty.declarator().write(name, &mut short).and_then(|()| match bits {
            Some(bits) => write!(short, ": {bits}"),
            None => Ok(()),
        });
        // A backtick in the declaration would end the code span.
        while let Some(at) = self.text.get(end - LONGEST..).and_then(|text| text.find('`')) {
            self.text.replace_range(end - LONGEST + at..=end - LONGEST + at, "'");
        }
        self.put(if whole.is_ok() { "`" } else { "...`" });
    }
}

//! Text: one line for each type, and an indented line for each of its elements,
//! byte for byte as in `bpftool btf dump`. Names are written unchanged, except
//! that control characters are escaped on a terminal.

use std::io::{self, Write};

use btf_types::{Kind, Name, Type};

use super::Writer;
use crate::output::Output;

pub(super) struct Raw<'o, W: Write> {
    out: &'o mut Output<W>,
    number: itoa::Buffer,
    /// True at the beginning of a line.
    begins: bool,
}

impl<'o, W: Write> Raw<'o, W> {
    pub(super) fn new(out: &'o mut Output<W>) -> Self {
        Self { out, number: itoa::Buffer::new(), begins: false }
    }

    fn push(&mut self, text: &str) -> io::Result<()> {
        self.out.bytes(text.as_bytes())
    }

    fn key(&mut self, key: &str) -> io::Result<()> {
        if !self.begins {
            self.push(" ")?;
        }
        self.begins = false;
        self.push(key)?;
        self.push("=")
    }

    fn name(&mut self, name: Name<'_>) -> io::Result<()> {
        self.begins = false;
        self.push("'")?;
        match name.as_bytes() {
            [] => self.push("(anon)")?,
            _ if self.out.is_terminal() => write!(self.out, "{name}")?,
            bytes => self.out.bytes(bytes)?,
        }
        self.push("'")
    }
}

impl<W: Write> Writer for Raw<'_, W> {
    fn ty(&mut self, id: u32, kind: &str, name: Name<'_>) -> io::Result<()> {
        self.push("[")?;
        self.out.bytes(self.number.format(id).as_bytes())?;
        self.push("] ")?;
        self.push(kind)?;
        self.push(" ")?;
        self.name(name)
    }

    fn end_ty(&mut self) -> io::Result<()> {
        self.push("\n")
    }

    fn number(&mut self, key: &str, value: i128) -> io::Result<()> {
        self.key(key)?;
        self.out.bytes(self.number.format(value).as_bytes())
    }

    fn word(&mut self, key: &str, value: &str) -> io::Result<()> {
        self.key(key)?;
        self.push(value)
    }

    fn comma(&mut self) -> io::Result<()> {
        self.push(",")
    }

    fn parts(&mut self, _: &str) -> io::Result<()> {
        Ok(())
    }

    fn part(&mut self, name: Option<Name<'_>>) -> io::Result<()> {
        self.push("\n\t")?;
        self.begins = true;
        name.map_or(Ok(()), |name| self.name(name))
    }

    fn value(&mut self, value: i128, suffix: &str) -> io::Result<()> {
        self.number("val", value)?;
        self.push(suffix)
    }

    fn entry(&mut self, ty: Type<'_>) -> io::Result<()> {
        self.push(" (")?;
        self.push(ty.kind().map_or("UNKNOWN", Kind::as_str))?;
        self.push(" ")?;
        self.name(ty.name())?;
        self.push(")")
    }

    fn end_part(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn end_parts(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::tests::written;

    #[test]
    fn a_terminal_gets_no_control_characters() {
        let name = Name::new(b"a\x1b]0;title\x07\xff");
        let on = |is_terminal| written(is_terminal, false, |out| Raw::new(out).ty(1, "FLOAT", name));
        assert_eq!(on(false), b"[1] FLOAT 'a\x1b]0;title\x07\xff'");
        assert_eq!(on(true), "[1] FLOAT 'a\\u{1b}]0;title\\u{7}\u{fffd}'".as_bytes());
    }
}

//! Streaming JSON writer, which keeps no part of the document in memory.
//!
//! Strings are written unchanged, except that invalid UTF-8 becomes U+FFFD, and
//! all control characters are escaped, including those that only a terminal
//! interprets.

use std::{
    fmt,
    io::{self, Write},
};

use btf_types::Name;

use crate::output::Output;

/// Writer of one document.
pub(crate) struct Json<'o, W: Write> {
    out: &'o mut Output<W>,
    /// True if the next item needs a comma.
    follows: bool,
    number: itoa::Buffer,
}

impl<'o, W: Write> Json<'o, W> {
    pub(crate) fn new(out: &'o mut Output<W>) -> Self {
        Self { out, follows: false, number: itoa::Buffer::new() }
    }

    /// Ends the line of the document.
    pub(crate) fn end(self) -> io::Result<()> {
        self.out.text("\n")
    }

    #[inline]
    fn separate(&mut self) -> io::Result<()> {
        match std::mem::replace(&mut self.follows, true) {
            true => self.out.bytes(b","),
            false => Ok(()),
        }
    }

    #[inline]
    fn open(&mut self, brace: &[u8]) -> io::Result<()> {
        self.separate()?;
        self.follows = false;
        self.out.bytes(brace)
    }

    #[inline]
    fn close(&mut self, brace: &[u8]) -> io::Result<()> {
        self.follows = true;
        self.out.bytes(brace)
    }

    pub(crate) fn begin_object(&mut self) -> io::Result<()> {
        self.open(b"{")
    }

    pub(crate) fn end_object(&mut self) -> io::Result<()> {
        self.close(b"}")
    }

    pub(crate) fn begin_array(&mut self) -> io::Result<()> {
        self.open(b"[")
    }

    pub(crate) fn end_array(&mut self) -> io::Result<()> {
        self.close(b"]")
    }

    /// Writes a key that needs no escaping, before its value.
    #[inline]
    pub(crate) fn key(&mut self, key: &str) -> io::Result<()> {
        self.separate()?;
        self.out.bytes(b"\"")?;
        self.out.bytes(key.as_bytes())?;
        self.out.bytes(b"\":")?;
        self.follows = false;
        Ok(())
    }

    #[inline]
    pub(crate) fn number(&mut self, number: impl itoa::Integer) -> io::Result<()> {
        self.separate()?;
        self.out.bytes(self.number.format(number).as_bytes())
    }

    /// Writes a number, or null.
    pub(crate) fn maybe(&mut self, number: Option<impl itoa::Integer>) -> io::Result<()> {
        match number {
            Some(number) => self.number(number),
            None => self.null(),
        }
    }

    pub(crate) fn null(&mut self) -> io::Result<()> {
        self.separate()?;
        self.out.bytes(b"null")
    }

    pub(crate) fn bool(&mut self, value: bool) -> io::Result<()> {
        self.separate()?;
        self.out.bytes(if value { b"true" } else { b"false" })
    }

    /// Writes a name as text.
    #[inline]
    pub(crate) fn name(&mut self, name: Name<'_>) -> io::Result<()> {
        self.separate()?;
        self.out.bytes(b"\"")?;
        let bytes = name.as_bytes();
        if bytes.iter().all(|byte| is_plain(*byte)) {
            self.out.bytes(bytes)?;
        } else {
            for chunk in bytes.utf8_chunks() {
                self.escaped(chunk.valid())?;
                if !chunk.invalid().is_empty() {
                    self.out.bytes("\u{fffd}".as_bytes())?;
                }
            }
        }
        self.out.bytes(b"\"")
    }

    pub(crate) fn str(&mut self, text: &str) -> io::Result<()> {
        self.name(text.into())
    }

    /// Writes the `Display` of a type or an error.
    pub(crate) fn display(&mut self, text: impl fmt::Display) -> io::Result<()> {
        self.separate()?;
        self.out.bytes(b"\"")?;
        let mut adapter = Adapter { json: self, error: None };
        let written = fmt::write(&mut adapter, format_args!("{text}"));
        let error = adapter.error;
        written.map_err(|_| error.unwrap_or_else(|| io::Error::other("formatter error")))?;
        self.out.bytes(b"\"")
    }

    fn escaped(&mut self, text: &str) -> io::Result<()> {
        let mut plain = 0;
        for (at, c) in text.char_indices().filter(|(_, c)| c.is_control() || matches!(c, '"' | '\\')) {
            self.out.bytes(text.get(plain..at).unwrap_or_default().as_bytes())?;
            match c {
                '"' => self.out.bytes(b"\\\"")?,
                '\\' => self.out.bytes(b"\\\\")?,
                '\n' => self.out.bytes(b"\\n")?,
                '\t' => self.out.bytes(b"\\t")?,
                c => write!(self.out, "\\u{:04x}", u32::from(c))?,
            }
            plain = at + c.len_utf8();
        }
        self.out.bytes(text.get(plain..).unwrap_or_default().as_bytes())
    }
}

fn is_plain(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\')
}

/// Escapes text while it is formatted.
struct Adapter<'j, 'o, W: Write> {
    json: &'j mut Json<'o, W>,
    error: Option<io::Error>,
}

impl<W: Write> fmt::Write for Adapter<'_, '_, W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.json.escaped(text).map_err(|error| {
            self.error = Some(error);
            fmt::Error
        })
    }
}

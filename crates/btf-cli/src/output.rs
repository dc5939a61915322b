//! Standard output with column positions, without control characters that a
//! terminal would interpret.

use std::{
    env,
    fmt::{self, Write as _},
    io::{self, BufWriter, IsTerminal, StdoutLock, Write},
    path::Path,
};

use btf_archive::OutputFile;
use clap::ValueEnum;

use crate::Result;

/// Use of colors. By default: on a terminal, unless NO_COLOR is set or TERM is
/// "dumb"; elsewhere if CLICOLOR_FORCE is set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    #[default]
    Auto,
    Always,
    Never,
}

impl Color {
    /// Returns `true` if colors are used. NO_COLOR and CLICOLOR_FORCE count if
    /// they are not empty, and the latter if it is not 0.
    fn is_wanted(self, is_terminal: bool) -> bool {
        let is_set = |name| env::var_os(name).is_some_and(|value| !value.is_empty());
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Auto if is_set("NO_COLOR") => false,
            Self::Auto
                if is_set("CLICOLOR_FORCE") && env::var_os("CLICOLOR_FORCE").is_none_or(|value| value != "0") =>
            {
                true
            }
            Self::Auto => is_terminal && env::var_os("TERM").is_none_or(|term| term != "dumb"),
        }
    }
}

/// Returns `true` for `-`: standard input or output.
pub(crate) fn is_dash(path: &Path) -> bool {
    path == Path::new("-")
}

/// Writes a file, which is replaced atomically; `-` is standard output.
pub(crate) fn write_file(path: &Path, bytes: &[u8]) -> Result {
    if !is_dash(path) {
        return Ok(OutputFile::write_bytes(path, bytes)?);
    }
    let mut out = io::stdout().lock();
    if out.is_terminal() {
        return Err("binary output is not for a terminal; name a file, or redirect the output".into());
    }
    out.write_all(bytes)?;
    Ok(out.flush()?)
}

/// Standard output.
pub(crate) type Stdout = Output<StdoutLock<'static>>;

/// Buffered text writer that counts columns. Text that exceeds the buffer is
/// passed through.
pub(crate) struct Output<W: Write> {
    to: BufWriter<W>,
    is_terminal: bool,
    color: bool,
    /// Characters since the last line end.
    column: usize,
    /// Bytes written, including those in the buffer.
    written: u64,
}

/// Size of the buffer in bytes.
const BUFFER: usize = 1 << 16;
/// Width of a tab.
const TAB: usize = 8;

impl Stdout {
    pub(crate) fn new(color: Color) -> Self {
        let is_terminal = io::stdout().is_terminal();
        Self::to(io::stdout().lock(), is_terminal, color.is_wanted(is_terminal))
    }
}

impl<W: Write> Output<W> {
    fn to(writer: W, is_terminal: bool, color: bool) -> Self {
        Self { to: BufWriter::with_capacity(BUFFER, writer), is_terminal, color, column: 0, written: 0 }
    }

    /// Returns `true` if the output is a terminal.
    pub(crate) fn is_terminal(&self) -> bool {
        self.is_terminal
    }

    /// Number of bytes written so far.
    pub(crate) fn written(&self) -> u64 {
        self.written
    }

    /// Writes formatted text, for `write!`.
    pub(crate) fn write_fmt(&mut self, text: fmt::Arguments<'_>) -> io::Result<()> {
        let mut adapter = Adapter { output: self, error: None };
        match (adapter.write_fmt(text), adapter.error) {
            (Ok(()), _) => Ok(()),
            (Err(_), error) => Err(error.unwrap_or_else(|| io::Error::other("formatter error"))),
        }
    }

    pub(crate) fn text(&mut self, text: &str) -> io::Result<()> {
        self.count(text);
        self.bytes(text.as_bytes())
    }

    /// Writes bytes without counting columns.
    #[inline]
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.written += bytes.len() as u64;
        self.to.write_all(bytes)
    }

    fn count(&mut self, text: &str) {
        for byte in text.bytes() {
            match byte {
                b'\n' => self.column = 0,
                b'\t' => self.column += TAB - self.column % TAB,
                // Only the first byte of a UTF-8 character is counted.
                0x80..=0xbf => {}
                _ => self.column += 1,
            }
        }
    }

    pub(crate) fn tabs(&mut self, count: usize) -> io::Result<()> {
        (0..count).try_for_each(|_| self.text("\t"))
    }

    /// Writes spaces up to a column, but at least `least`.
    pub(crate) fn pad_to(&mut self, column: usize, least: usize) -> io::Result<()> {
        const SPACES: &str = "                                                                ";
        let mut count = column.saturating_sub(self.column).max(least);
        while count > 0 {
            let spaces = SPACES.get(..count).unwrap_or(SPACES);
            self.text(spaces)?;
            count -= spaces.len();
        }
        Ok(())
    }

    /// Writes a comment, dimmed if colors are used.
    pub(crate) fn comment(&mut self, text: fmt::Arguments<'_>) -> io::Result<()> {
        if self.color {
            self.bytes(b"\x1b[2m")?;
        }
        self.text("/* ")?;
        self.write_fmt(text)?;
        self.text(" */")?;
        if self.color {
            self.bytes(b"\x1b[0m")?;
        }
        Ok(())
    }

    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

/// Keeps the [`io::Error`] of a write while text is formatted.
struct Adapter<'o, W: Write> {
    output: &'o mut Output<W>,
    error: Option<io::Error>,
}

impl<W: Write> fmt::Write for Adapter<'_, W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.output.text(text).map_err(|error| {
            self.error = Some(error);
            fmt::Error
        })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Returns the bytes written to a terminal, or to a file.
    pub(crate) fn written(
        is_terminal: bool,
        color: bool,
        write: impl FnOnce(&mut Output<&mut Vec<u8>>) -> io::Result<()>,
    ) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut output = Output::to(&mut bytes, is_terminal, color);
        write(&mut output).unwrap();
        output.flush().unwrap();
        drop(output);
        bytes
    }

    #[test]
    fn columns_are_of_characters() {
        let text = written(false, false, |out| {
            out.text("a\n\tb\u{e9}")?;
            out.pad_to(12, 1)?;
            out.text("|")?;
            out.pad_to(5, 1)?;
            write!(out, "{}", 1)?;
            out.pad_to(100, 0)?;
            out.comment(format_args!("c"))
        });
        let expected = format!("a\n\tb\u{e9}  | 1{}/* c */", " ".repeat(85));
        assert_eq!(String::from_utf8(text).unwrap(), expected);
        let text = written(true, true, |out| out.comment(format_args!("{}", 1)));
        assert_eq!(text, b"\x1b[2m/* 1 */\x1b[0m");
    }
}

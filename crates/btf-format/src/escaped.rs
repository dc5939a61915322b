//! Escaping of text from files.

use core::{fmt, iter, str};

/// Displays bytes from a file (a name, a path, a message) so that they cannot
/// control a terminal or forge a line of output.
///
/// * Control characters (C0 with newline and ESC, DEL, C1) are escaped:
///   `\n`, `\u{1b}`.
/// * Invisible characters, and those that change the direction of text, are
///   escaped: `\u{202e}`.
/// * Bytes that are not UTF-8 are replaced by U+FFFD, once for each ill-formed
///   sequence.
/// * Everything else is written as it is, including backslashes. The output is
///   for people and cannot be parsed back.
///
/// All escaping happens here: [`Name`](crate::Name) and all other strings of a
/// file are printed through it. Width, fill and precision apply to the escaped
/// text.
///
/// ```
/// use btf_format::Escaped;
///
/// assert_eq!(Escaped::new("task_struct").to_string(), "task_struct");
/// assert_eq!(Escaped::new(b"a\x1b[2J\xff").to_string(), "a\\u{1b}[2J\u{fffd}");
/// // A path, whatever the system encodes it in:
/// let path = std::path::Path::new("/tmp/a\nb");
/// assert_eq!(Escaped::new(path.as_os_str().as_encoded_bytes()).to_string(), "/tmp/a\\nb");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Escaped<'a>(&'a [u8]);

impl<'a> Escaped<'a> {
    /// Wraps bytes for display.
    #[must_use]
    pub fn new<T: AsRef<[u8]> + ?Sized>(bytes: &'a T) -> Self {
        Self(bytes.as_ref())
    }

    /// The characters of the output.
    fn chars(self) -> impl Iterator<Item = char> + use<'a> {
        self.0.utf8_chunks().flat_map(|chunk| {
            let replacement = (!chunk.invalid().is_empty()).then_some(char::REPLACEMENT_CHARACTER);
            chunk.valid().chars().flat_map(escape).chain(replacement)
        })
    }
}

/// Returns a printable character itself, or the escape sequence of any other.
fn escape(c: char) -> impl Iterator<Item = char> {
    let (plain, escaped) = if is_unsafe(c) { (None, Some(c.escape_default())) } else { (Some(c), None) };
    plain.into_iter().chain(escaped.into_iter().flatten())
}

/// Returns `true` if the text is all printable ASCII, which is fast to test.
fn is_printable(bytes: &[u8]) -> bool {
    bytes.iter().fold(true, |all, byte| all & matches!(byte, b' '..=b'~'))
}

/// Returns `true` if a character controls a terminal, is invisible, or changes
/// the direction of text.
fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Most text is printable as it is.
        if let Ok(text) = str::from_utf8(self.0)
            && (is_printable(self.0) || !text.chars().any(is_unsafe))
        {
            return f.pad(text);
        }
        let text = || self.chars().take(f.precision().unwrap_or(usize::MAX));
        let missing = f.width().map_or(0, |width| width.saturating_sub(text().take(width).count()));
        let before = match f.align() {
            Some(fmt::Alignment::Right) => missing,
            Some(fmt::Alignment::Center) => missing / 2,
            Some(fmt::Alignment::Left) | None => 0,
        };
        let fill = f.fill();
        let padded = iter::repeat_n(fill, before).chain(text()).chain(iter::repeat_n(fill, missing - before));
        for c in padded {
            fmt::Write::write_char(f, c)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0.escape_ascii())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_bytes_are_escaped_and_bad_utf8_is_replaced() {
        for (bytes, text) in [
            (&b""[..], ""),
            (b"plain_name", "plain_name"),
            (b"back\\slash", "back\\slash"),
            (b"a\nb\tc\rd", "a\\nb\\tc\\rd"),
            (b"\x1b[31mred\x1b[0m", "\\u{1b}[31mred\\u{1b}[0m"),
            (b"\0\x7f", "\\u{0}\\u{7f}"),
            // CSI and OSC of C1: as bytes they are not UTF-8, as characters
            // they are control characters.
            (b"\x9b2J", "\u{fffd}2J"),
            ("\u{9b}2J".as_bytes(), "\\u{9b}2J"),
            (b"a\xff\xfeb", "a\u{fffd}\u{fffd}b"),
            ("a\u{202e}b\u{2066}".as_bytes(), "a\\u{202e}b\\u{2066}"),
            ("zero\u{200b}width\u{feff}".as_bytes(), "zero\\u{200b}width\\u{feff}"),
            ("line\u{2028}".as_bytes(), "line\\u{2028}"),
            ("\u{e9}t\u{e9} \u{4e2d}".as_bytes(), "\u{e9}t\u{e9} \u{4e2d}"),
        ] {
            assert_eq!(Escaped::new(bytes).to_string(), text);
        }
    }

    #[test]
    fn nothing_that_is_printed_acts_on_a_terminal() {
        for c in ('\0'..=char::MAX).filter(|&c| is_unsafe(c)) {
            let printed = Escaped::new(c.encode_utf8(&mut [0; 4])).to_string();
            assert!(printed.bytes().all(|byte| byte.is_ascii_graphic()), "{c:?}: {printed}");
        }
        for byte in 0..=u8::MAX {
            assert!(!Escaped::new(&[byte]).to_string().chars().any(is_unsafe), "{byte:#x}");
        }
    }

    #[test]
    fn padding_counts_what_is_printed() {
        assert_eq!(format!("{:>4}|{:<4}|", Escaped::new("ab"), Escaped::new("cd")), "  ab|cd  |");
        assert_eq!(format!("{E:>6}|{E:<6}|{E:*^6}|{E:6}|"), "  a\\nb|a\\nb  |*a\\nb*|a\\nb  |");
        assert_eq!(format!("{E:2}|{E:.2}|{E:4.1}|"), "a\\nb|a\\|a   |");
        const E: Escaped<'static> = Escaped(b"a\nb");
    }
}

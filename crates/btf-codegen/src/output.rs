//! Buffer of text for a writer of bytes.

use std::{fmt, io};

use crate::Error;

/// Writes text as bytes, and keeps the error that a [`fmt::Write`] cannot return.
pub(crate) struct Bytes<'o, W> {
    out: &'o mut W,
    error: Option<io::Error>,
}

impl<'o, W: io::Write> Bytes<'o, W> {
    /// Calls `print` with a text writer that writes to `out`.
    pub(crate) fn write(out: &'o mut W, print: impl FnOnce(&mut Self) -> Result<(), Error>) -> Result<(), Error> {
        let mut bytes = Self { out, error: None };
        let result = print(&mut bytes);
        match bytes.error {
            Some(error) => Err(Error::Output(error)),
            None => result,
        }
    }
}

impl<W: io::Write> fmt::Write for Bytes<'_, W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.out.write_all(text.as_bytes()).map_err(|error| {
            self.error = Some(error);
            fmt::Error
        })
    }
}

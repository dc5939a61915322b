//! Common parts of C and Rust output: root types, and the writer.

use std::{convert::Infallible, io, str::FromStr};

use crate::{Result, output::Stdout, source::SourceName, with_causes};

/// Requested type, by name or id.
#[derive(Debug, Clone)]
pub(super) enum RootType {
    Id(u32),
    Name(String),
}

impl FromStr for RootType {
    type Err = Infallible;

    fn from_str(text: &str) -> std::result::Result<Self, Infallible> {
        let id = text.strip_prefix('#').unwrap_or(text).parse();
        Ok(id.map_or_else(|_| Self::Name(text.into()), Self::Id))
    }
}

/// Rejects the first option that is given, as it is for another format.
pub(super) fn refuse_given<const N: usize>(options: [(&str, bool); N], format: &str) -> Result {
    match options.into_iter().find(|(_, is_given)| *is_given) {
        Some((option, _)) => Err(format!("{option} needs --format {format}").into()),
        None => Ok(()),
    }
}

/// Standard output as a writer. Code contains no control characters.
pub(super) struct Code<'o>(pub(super) &'o mut Stdout);

impl io::Write for Code<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.bytes(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Result of writing code. A closed pipe is an error of the output, not of the code.
pub(super) fn code(name: &SourceName, result: std::result::Result<(), btf_codegen::Error>) -> Result {
    result.map_err(|error| match error {
        btf_codegen::Error::Output(error) => error.into(),
        error => format!("{name}: {}", with_causes(&error)).into(),
    })
}

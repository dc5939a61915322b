//! Input: a file that is read on demand, or bytes in memory.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

use btf_types::Bytes;

use crate::{Error, FilePart, Limits};

/// File, or bytes in memory.
#[derive(Debug)]
pub(crate) enum Input {
    Bytes(Bytes),
    File {
        file: File,
        len: u64,
        /// Maximum number of bytes that are read at once: a sparse file can
        /// have any length.
        limit: u64,
    },
}

impl Input {
    /// Opens a file. One that is not seekable (such as a pipe) or has no length
    /// is read whole, within the limit.
    pub(crate) fn open(path: &Path, limits: &Limits) -> Result<Self, Error> {
        Self::of(File::open(path)?, is_generated(path), limits)
    }

    /// Makes an input from an open file. `is_generated` is true if the kernel
    /// generates the contents while they are read.
    pub(crate) fn of(file: File, is_generated: bool, limits: &Limits) -> Result<Self, Error> {
        let metadata = file.metadata()?;
        if metadata.is_dir() {
            return Err(io::Error::from(io::ErrorKind::IsADirectory).into());
        }
        if metadata.is_file() && metadata.len() > 0 && !is_generated {
            return Ok(Self::File { file, len: metadata.len(), limit: limits.max_output() });
        }
        Self::read_all(file, limits)
    }

    /// Reads to the end, within the limit.
    pub(crate) fn read_all(reader: impl Read, limits: &Limits) -> Result<Self, Error> {
        let mut bytes = Vec::new();
        reader.take(limits.max_output().saturating_add(1)).read_to_end(&mut bytes)?;
        let len = bytes.len() as u64;
        if len > limits.max_output() {
            return Err(Error::TooLarge { len, limit: limits.max_output() });
        }
        Ok(Self::Bytes(bytes.into()))
    }

    pub(crate) fn is_in_memory(&self) -> bool {
        matches!(self, Self::Bytes(_))
    }

    pub(crate) fn len(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::File { len, .. } => *len,
        }
    }

    /// Returns the first bytes, at most `len`.
    pub(crate) fn start(&self, len: usize) -> Result<Bytes, Error> {
        self.read(0, (len as u64).min(self.len()), || FilePart::Start)
    }

    /// Returns all bytes, within a limit.
    pub(crate) fn all(&self, limit: u64) -> Result<Bytes, Error> {
        let len = self.len();
        if len > limit {
            return Err(Error::TooLarge { len, limit });
        }
        self.read(0, len, || FilePart::Whole)
    }

    /// Reads a range. `part` names it in the error if it is outside the file.
    pub(crate) fn read(&self, offset: u64, len: u64, part: impl FnOnce() -> FilePart) -> Result<Bytes, Error> {
        let file_len = self.len();
        let end = offset.checked_add(len).filter(|&end| end <= file_len);
        let range = end.and_then(|end| Some(usize::try_from(offset).ok()?..usize::try_from(end).ok()?));
        let Some(range) = range else {
            return Err(Error::OutsideFile { part: part(), offset, len, file_len });
        };
        match self {
            Self::Bytes(bytes) => Ok(bytes.slice(range)),
            Self::File { limit, .. } if len > *limit => Err(Error::TooLarge { len, limit: *limit }),
            Self::File { file, .. } => {
                let mut buffer = vec![0; range.len()];
                read_exact_at(file, &mut buffer, offset)?;
                Ok(buffer.into())
            }
        }
    }
}

/// Returns `true` for a file that the kernel generates while it is read, whose
/// length is an upper bound.
fn is_generated(path: &Path) -> bool {
    path.starts_with("/proc") || path.starts_with("/sys")
}

#[cfg(unix)]
#[allow(clippy::disallowed_methods, reason = "one of two ways that differ between systems")]
pub(crate) fn read_exact_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, buffer, offset)
}

#[cfg(windows)]
pub(crate) fn read_exact_at(file: &File, mut buffer: &mut [u8], mut offset: u64) -> io::Result<()> {
    while !buffer.is_empty() {
        match std::os::windows::fs::FileExt::seek_read(file, buffer, offset) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(read) => {
                buffer = buffer.get_mut(read..).unwrap_or_default();
                offset += read as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

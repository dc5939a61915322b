//! Options for opening files.

use std::{fmt, fs::File, io::Read, marker::PhantomData, path::Path};

use btf_types::Bytes;

use super::{btf_file, input::Input};
use crate::{BpfObject, BtfFile, Elf, Error, Limits};

/// Options for opening a file as a [`BtfFile`], an [`Elf`] or a [`BpfObject`].
///
/// ```
/// use btf_elf::{BtfFile, Error, Limits};
///
/// let result = BtfFile::options().limits(Limits::BTF.output(1 << 20)).parse(b"no BTF".as_slice());
/// assert!(matches!(result, Err(Error::NotRecognized { .. })));
/// ```
pub struct FileOptions<T> {
    limits: Limits,
    opens: PhantomData<fn() -> T>,
}

/// What can be opened.
pub trait Open: Sized {
    #[doc(hidden)]
    #[allow(private_interfaces, reason = "nobody outside can call it")]
    fn new(input: Input, limits: Limits) -> Result<Self, Error>;
}

impl<T: Open> FileOptions<T> {
    pub(crate) fn new() -> Self {
        Self { limits: Limits::IMAGE, opens: PhantomData }
    }

    /// Sets the limits on what is read at once and decoded; by default
    /// [`Limits::IMAGE`].
    #[must_use]
    pub fn limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// Opens a file. It is kept open, and read as far as is needed.
    ///
    /// # Errors
    ///
    /// [`Error::File`] with the reason: [`Error::Io`], and those of
    /// [`parse`](Self::parse).
    pub fn open(&self, path: impl AsRef<Path>) -> Result<T, Error> {
        let path = path.as_ref();
        let input = Input::open(path, &self.limits);
        input.and_then(|input| T::new(input, self.limits)).map_err(|error| error.of_file(path))
    }

    /// Opens bytes in memory.
    ///
    /// # Errors
    ///
    /// Those of `T`'s own `open`, without the [`Error::File`] around them.
    pub fn parse(&self, bytes: impl Into<Bytes>) -> Result<T, Error> {
        T::new(Input::Bytes(bytes.into()), self.limits)
    }

    /// Opens a file that is open for reading already. It is read from its
    /// start, wherever it was read before.
    ///
    /// # Errors
    ///
    /// Those of [`parse`](Self::parse); [`Error::Io`].
    pub fn open_file(&self, file: File) -> Result<T, Error> {
        T::new(Input::of(file, false, &self.limits)?, self.limits)
    }

    /// Opens all that a reader yields: it is read to its end, within the
    /// limits.
    ///
    /// # Errors
    ///
    /// Those of [`parse`](Self::parse); [`Error::Io`]; [`Error::TooLarge`].
    pub fn read(&self, reader: impl Read) -> Result<T, Error> {
        T::new(Input::read_all(reader, &self.limits)?, self.limits)
    }
}

#[allow(private_interfaces, reason = "nobody outside can call it")]
impl Open for BtfFile {
    fn new(input: Input, limits: Limits) -> Result<Self, Error> {
        btf_file::open(input, limits)
    }
}

#[allow(private_interfaces, reason = "nobody outside can call it")]
impl Open for Elf {
    fn new(input: Input, limits: Limits) -> Result<Self, Error> {
        Self::with_limits(input, limits)
    }
}

#[allow(private_interfaces, reason = "nobody outside can call it")]
impl Open for BpfObject {
    fn new(input: Input, limits: Limits) -> Result<Self, Error> {
        btf_file::open(input, limits)?.into_object()
    }
}

impl<T> Clone for FileOptions<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for FileOptions<T> {}

impl<T> fmt::Debug for FileOptions<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileOptions").field("limits", &self.limits).finish()
    }
}

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

/// Gives what can be opened the ways to open it: each with its docs for `open`.
macro_rules! opening {
    ($($type:ident, $name:literal { $(#[$open:meta])* })*) => {$(
        impl $type {
            $(#[$open])*
            pub fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
                Self::options().open(path)
            }

            /// Opens bytes in memory: those that `include_bytes!` has put into a
            /// program, for one.
            ///
            /// # Errors
            ///
            #[doc = concat!("Those of [`", $name, "::open`], without the [`Error::File`] around them.")]
            pub fn parse(bytes: impl Into<Bytes>) -> Result<Self, Error> {
                Self::options().parse(bytes)
            }

            /// Opens all that a reader yields, which is read to its end.
            ///
            /// # Errors
            ///
            #[doc = concat!("Those of [`", $name, "::open`], without the [`Error::File`] around them.")]
            pub fn from_reader(reader: impl Read) -> Result<Self, Error> {
                Self::options().read(reader)
            }

            /// Options for opening a file: limits.
            #[must_use]
            pub fn options() -> FileOptions<Self> {
                FileOptions::new()
            }
        }
    )*};
}

opening! {
    BtfFile, "BtfFile" {
        /// Opens a file. Its format is detected from the contents, not the name.
        ///
        /// Of an ELF file only the table of sections is read, and later what is
        /// asked for; anything else is read whole.
        ///
        /// # Errors
        ///
        /// [`Error::File`] with the reason: [`Error::Io`];
        /// [`Error::NotRecognized`] for an unknown format; [`Error::NotInImage`];
        /// those of [`Elf::open`]; [`Error::TooLarge`], [`Error::Decode`] and those
        /// of the limits, if it is compressed. A missing `.BTF` section is not an
        /// error here.
    }
    Elf, "Elf" {
        /// Opens a file. It is kept open, and read section by section.
        ///
        /// # Errors
        ///
        /// [`Error::File`] with the reason: [`Error::Io`], [`Error::NotElf`],
        /// [`Error::Elf`], [`Error::OutsideFile`], [`Error::SectionsOverlap`]. A
        /// missing `.BTF` section is not an error.
    }
    BpfObject, "BpfObject" {
        /// Opens a file, which may be compressed.
        ///
        /// # Errors
        ///
        /// [`Error::File`] with what is wrong with it: what [`Elf::open`] and
        /// [`Elf::btf`] say, [`Error::NotBpf`] if it is for another machine or
        /// linked, [`Error::Elf`] if its sections overlap. What is wrong with
        /// `.BTF.ext`, or a single map, section or variable, is told when that is
        /// asked for.
    }
}

impl<T: Open> FileOptions<T> {
    fn new() -> Self {
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

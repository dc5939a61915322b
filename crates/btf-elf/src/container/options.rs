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

/// Types that can be opened from a file.
pub trait Open: Sized {
    #[doc(hidden)]
    #[allow(private_interfaces, reason = "nobody outside can call it")]
    fn new(input: Input, limits: Limits) -> Result<Self, Error>;
}

/// Defines the methods that open a type, with the docs of its `open`.
macro_rules! opening {
    ($($type:ident, $name:literal { $(#[$open:meta])* })*) => {$(
        impl $type {
            $(#[$open])*
            pub fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
                Self::options().open(path)
            }

            /// Opens bytes in memory, such as those of `include_bytes!`.
            ///
            /// # Errors
            ///
            #[doc = concat!("Those of [`", $name, "::open`], without the [`Error::File`] around them.")]
            pub fn parse(bytes: impl Into<Bytes>) -> Result<Self, Error> {
                Self::options().parse(bytes)
            }

            /// Opens the bytes of a reader, which is read to its end.
            ///
            /// # Errors
            ///
            #[doc = concat!("Those of [`", $name, "::open`], without the [`Error::File`] around them.")]
            pub fn from_reader(reader: impl Read) -> Result<Self, Error> {
                Self::options().read(reader)
            }

            /// Returns options for opening a file: limits.
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
        /// For an ELF file, only the header, the section table and the section
        /// names are read at first; sections are read on demand. Any other file
        /// is read whole.
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
        /// [`Error::File`] with the reason: those of [`Elf::open`] and
        /// [`Elf::btf`]; [`Error::NotBpf`] if the file is for another machine
        /// or is linked; [`Error::Elf`] if its sections overlap. Errors in
        /// `.BTF.ext`, or in a single map, section or variable, are returned
        /// when that is read.
    }
}

impl<T: Open> FileOptions<T> {
    fn new() -> Self {
        Self { limits: Limits::IMAGE, opens: PhantomData }
    }

    /// Sets the limits on bytes that are read at once or decoded. The default
    /// is [`Limits::IMAGE`].
    #[must_use]
    pub fn limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// Opens a file. It is kept open, and read on demand.
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
    /// Those of `T::open`, without the enclosing [`Error::File`].
    pub fn parse(&self, bytes: impl Into<Bytes>) -> Result<T, Error> {
        T::new(Input::Bytes(bytes.into()), self.limits)
    }

    /// Opens a file that is already open for reading. It is read from its
    /// start.
    ///
    /// # Errors
    ///
    /// Those of [`parse`](Self::parse); [`Error::Io`].
    pub fn open_file(&self, file: File) -> Result<T, Error> {
        T::new(Input::of(file, false, &self.limits)?, self.limits)
    }

    /// Opens the bytes of a reader, which is read to its end, within the
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

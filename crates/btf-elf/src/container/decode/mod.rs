//! Decoding of compressed data, with one interface for all formats.
//!
//! The format is detected from the first bytes, never from the name of the
//! file. Each format is a feature of this crate and has its own library. A
//! [`Decoder`] wraps any of them and enforces the limits.

#[cfg(feature = "bzip2")]
mod bzip2;
#[cfg(feature = "lz4")]
mod lz4;
#[cfg(feature = "zstd")]
mod zstd;

use std::{
    fmt,
    io::{self, BufReader, Read},
    str::FromStr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
};

use crate::{Error, Limits};

/// Compression format.
///
/// ```
/// # fn main() -> Result<(), btf_elf::Error> {
/// use std::io::Read;
///
/// use btf_elf::{Compression, Limits};
///
/// # let bytes = std::fs::read("doc/kernel.btf.gz").unwrap();
/// let compression = Compression::detect(&bytes).expect("it is compressed");
/// assert_eq!(compression, Compression::Gzip);
///
/// let mut start = [0; 4];
/// compression.decoder(bytes.as_slice(), &Limits::BTF)?.read_exact(&mut start)?;
/// assert_eq!(start[..2], [0x9f, 0xeb]);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Compression {
    /// gzip (RFC 1952), with any number of members.
    Gzip,
    /// zlib (RFC 1950), in compressed sections of ELF files. It has no magic
    /// number, and is not detected.
    Zlib,
    /// xz, with any number of streams.
    Xz,
    /// lzma, the predecessor of xz.
    Lzma,
    /// zstd (RFC 8878), with any number of frames.
    Zstd,
    /// bzip2, with any number of streams.
    Bzip2,
    /// lz4 frames, and the legacy format of kernel images.
    Lz4,
}

impl Compression {
    /// All formats.
    pub const ALL: &'static [Self] =
        &[Self::Gzip, Self::Zlib, Self::Xz, Self::Lzma, Self::Zstd, Self::Bzip2, Self::Lz4];

    /// Number of leading **bytes** of a file that [`detect`](Self::detect) needs.
    pub const DETECT_BYTES: usize = 13;

    /// Detects the compression from the first bytes; `None` if there is none.
    ///
    /// lzma has no magic number. Its header of 13 bytes is checked for values
    /// that an encoder writes, as in xz-utils.
    #[must_use]
    pub fn detect(start: &[u8]) -> Option<Self> {
        match start {
            [0x1f, 0x8b, 8, ..] => Some(Self::Gzip),
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Some(Self::Xz),
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Some(Self::Zstd),
            // A skippable frame may come first.
            [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Some(Self::Zstd),
            [b'B', b'Z', b'h', b'1'..=b'9', 0x31, 0x41, 0x59, 0x26, 0x53, 0x59, ..]
            | [b'B', b'Z', b'h', b'1'..=b'9', 0x17, 0x72, 0x45, 0x38, 0x50, 0x90, ..] => Some(Self::Bzip2),
            [0x04, 0x22, 0x4d, 0x18, ..] | [0x02, 0x21, 0x4c, 0x18, ..] => Some(Self::Lz4),
            _ => is_lzma(start).then_some(Self::Lzma),
        }
    }

    /// Name of the format, which is also that of its command-line tool.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zlib => "zlib",
            Self::Xz => "xz",
            Self::Lzma => "lzma",
            Self::Zstd => "zstd",
            Self::Bzip2 => "bzip2",
            Self::Lz4 => "lz4",
        }
    }

    /// Feature of this crate that decodes the format.
    #[must_use]
    pub const fn feature(self) -> &'static str {
        match self {
            Self::Zlib => "gzip",
            Self::Lzma => "xz",
            other => other.as_str(),
        }
    }

    /// Returns `true` if the feature that decodes the format is enabled.
    #[must_use]
    pub const fn is_supported(self) -> bool {
        match self {
            Self::Gzip | Self::Zlib => cfg!(feature = "gzip"),
            Self::Xz | Self::Lzma => cfg!(feature = "xz"),
            Self::Zstd => cfg!(feature = "zstd"),
            Self::Bzip2 => cfg!(feature = "bzip2"),
            Self::Lz4 => cfg!(feature = "lz4"),
        }
    }

    /// Decodes the bytes of a reader.
    ///
    /// # Errors
    ///
    /// [`Error::FeatureOff`] if the feature is disabled; [`Error::Decode`] if
    /// the header is invalid.
    pub fn decoder<R: Read>(self, reader: R, limits: &Limits) -> Result<Decoder<R>, Error> {
        if !self.is_supported() {
            return Err(Error::FeatureOff { compression: self });
        }
        let progress = Arc::new(Progress::default());
        let counted = Counted { reader, progress: Arc::clone(&progress) };
        let inner = Inner::new(self, counted, limits).map_err(|error| self.error(error, limits))?;
        Ok(Decoder { inner, compression: self, limits: *limits, progress, produced: 0 })
    }

    /// Decodes bytes in memory.
    ///
    /// ```
    /// # fn main() -> Result<(), btf_elf::Error> {
    /// use btf_elf::{Compression, Error, Limits};
    ///
    /// # let bytes = std::fs::read("doc/kernel.btf.gz").unwrap();
    /// let btf = Compression::Gzip.decode(&bytes, &Limits::BTF)?;
    /// let small = Limits::BTF.output(btf.len() as u64 - 1);
    /// assert!(matches!(Compression::Gzip.decode(&bytes, &small), Err(Error::OutputLimit { .. })));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Compression::decoder`]; [`Error::Decode`] if the data is damaged or
    /// truncated; [`Error::OutputLimit`], [`Error::WindowLimit`],
    /// [`Error::RatioLimit`].
    pub fn decode(self, bytes: &[u8], limits: &Limits) -> Result<Vec<u8>, Error> {
        let mut decoded = Vec::new();
        self.decode_into(&mut decoded, bytes, limits).map(|()| decoded)
    }

    /// Decodes bytes in memory and appends to `decoded`. After an error,
    /// `decoded` has the bytes before the fault.
    pub(crate) fn decode_into(self, decoded: &mut Vec<u8>, bytes: &[u8], limits: &Limits) -> Result<(), Error> {
        self.decoder(bytes, limits)?.read_rest(decoded)
    }

    /// Converts an error of the decoder.
    fn error(self, error: io::Error, limits: &Limits) -> Error {
        let error = match error.downcast::<Error>() {
            Ok(ours) => return ours,
            Err(error) => error,
        };
        if error.kind() == io::ErrorKind::OutOfMemory || is_too_large_a_window(&error) {
            return Error::WindowLimit { compression: self, limit: limits.max_window() };
        }
        Error::Decode { compression: self, error }
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Compression {
    type Err = ParseCompressionError;

    /// Reads a name as [`Compression::as_str`] writes it, in upper or lower case.
    fn from_str(s: &str) -> Result<Self, ParseCompressionError> {
        let is_it = |known: &Self| known.as_str().eq_ignore_ascii_case(s);
        Self::ALL.iter().copied().find(is_it).ok_or(ParseCompressionError(()))
    }
}

/// Error of parsing a [`Compression`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("unknown compression, expected one such as gzip or xz")]
pub struct ParseCompressionError(());

/// Returns `true` for the header of an lzma file: properties (lc, lp and pb,
/// which encoders leave at or near 3, 0 and 2), the size of the dictionary (a
/// power of two, or one and a half times that), and the decoded size (unknown,
/// or below 256 GiB). As in xz, lc + lp is at most 4: a decoder allocates 1.5
/// KiB times 2^(lc + lp) before it reads anything.
fn is_lzma(start: &[u8]) -> bool {
    let Some((&[properties, ref sizes @ ..], _)) = start.split_first_chunk::<13>() else { return false };
    let Some((&dictionary, size)) = sizes.split_first_chunk::<4>() else { return false };
    let (dictionary, Ok(size)) = (u32::from_le_bytes(dictionary), <[u8; 8]>::try_from(size)) else { return false };
    let size = u64::from_le_bytes(size);
    let is_size_of_dictionary = dictionary >= 4096
        && (dictionary.is_power_of_two() || (dictionary % 3 == 0 && (dictionary / 3).is_power_of_two()))
        || dictionary == u32::MAX;
    let (lc, lp, pb) = (properties % 9, properties / 9 % 5, properties / 45);
    lc + lp <= 4 && pb <= 4 && is_size_of_dictionary && (size == u64::MAX || (size != 0 && size < 1 << 38))
}

/// Returns `true` if ruzstd reports too large a window.
#[cfg(feature = "zstd")]
fn is_too_large_a_window(error: &io::Error) -> bool {
    use ruzstd::decoding::errors::FrameDecoderError;
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<FrameDecoderError>());
    matches!(inner, Some(FrameDecoderError::WindowSizeTooBig { .. }))
}

#[cfg(not(feature = "zstd"))]
fn is_too_large_a_window(_: &io::Error) -> bool {
    false
}

/// Decoder for the bytes of a reader, within limits.
///
/// An I/O error contains an [`Error`] of this crate; [`io::Error::downcast`]
/// extracts it.
pub struct Decoder<R: Read> {
    inner: Inner<R>,
    compression: Compression,
    limits: Limits,
    progress: Arc<Progress>,
    produced: u64,
}

impl<R: Read> Decoder<R> {
    /// The format.
    #[must_use]
    pub fn compression(&self) -> Compression {
        self.compression
    }

    /// Number of **bytes** decoded so far.
    #[must_use]
    pub fn produced(&self) -> u64 {
        self.produced
    }

    /// Number of **bytes** read so far, including those read ahead.
    #[must_use]
    pub fn consumed(&self) -> u64 {
        self.progress.consumed.load(Relaxed)
    }

    fn check(&self) -> Result<(), Error> {
        let (compression, output, ratio) = (self.compression, self.limits.max_output(), self.limits.max_ratio());
        if self.produced > output {
            return Err(Error::OutputLimit { compression, limit: output });
        }
        if self.produced > Limits::RATIO_FROM && self.produced / ratio.max(1) > self.consumed() {
            return Err(Error::RatioLimit { compression, limit: ratio });
        }
        Ok(())
    }

    fn next(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        loop {
            match self.inner.read(buffer) {
                Ok(read) => {
                    self.produced += read as u64;
                    return self.check().map(|()| read);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.compression.error(error, &self.limits)),
            }
        }
    }

    /// Grows the capacity by about half, but not beyond the limit on the
    /// output.
    fn reserve(&self, decoded: &mut Vec<u8>, more: usize) {
        if decoded.capacity() - decoded.len() < more {
            let left = self.limits.max_output().saturating_sub(self.produced);
            let left = usize::try_from(left).unwrap_or(usize::MAX);
            decoded.reserve_exact(more.saturating_add(left.min(decoded.len() / 2 + BUFFER)));
        }
    }

    /// Appends all remaining decoded bytes.
    pub(crate) fn read_rest(&mut self, decoded: &mut Vec<u8>) -> Result<(), Error> {
        let mut buffer = vec![0; BUFFER];
        loop {
            match self.next(&mut buffer)? {
                0 => return Ok(()),
                read => {
                    self.reserve(decoded, read);
                    decoded.extend_from_slice(buffer.get(..read).unwrap_or_default());
                }
            }
        }
    }
}

impl<R: Read> Read for Decoder<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.next(buffer).map_err(io::Error::other)
    }
}

impl<R: Read> fmt::Debug for Decoder<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decoder")
            .field("compression", &self.compression)
            .field("consumed", &self.consumed())
            .field("produced", &self.produced)
            .finish_non_exhaustive()
    }
}

/// Number of bytes that are read or decoded at a time.
const BUFFER: usize = 64 << 10;

/// Progress of the reader below a decoder.
#[derive(Debug, Default)]
struct Progress {
    consumed: AtomicU64,
    at_end: AtomicBool,
}

/// Reader that counts its progress.
struct Counted<R> {
    reader: R,
    progress: Arc<Progress>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(buffer)?;
        self.progress.consumed.fetch_add(read as u64, Relaxed);
        if read == 0 && !buffer.is_empty() {
            self.progress.at_end.store(true, Relaxed);
        }
        Ok(read)
    }
}

/// Decoder of the library for a format.
enum Inner<R: Read> {
    #[cfg(feature = "gzip")]
    Gzip(flate2::bufread::MultiGzDecoder<BufReader<Counted<R>>>),
    #[cfg(feature = "gzip")]
    Zlib(flate2::bufread::ZlibDecoder<BufReader<Counted<R>>>),
    #[cfg(feature = "xz")]
    Xz(Box<lzma_rust2::XzReader<BufReader<Counted<R>>>>),
    #[cfg(feature = "xz")]
    Lzma(Box<lzma_rust2::LzmaReader<BufReader<Counted<R>>>>),
    #[cfg(feature = "zstd")]
    Zstd(Box<zstd::Frames<BufReader<Counted<R>>>>),
    #[cfg(feature = "bzip2")]
    Bzip2(Box<bzip2::Streams<BufReader<Counted<R>>>>),
    #[cfg(feature = "lz4")]
    Lz4(Box<lz4::Frames<BufReader<Counted<R>>>>),
    /// Placeholder for formats whose feature is disabled. It is never read.
    #[allow(dead_code, reason = "with all features on, nothing makes one")]
    None(BufReader<Counted<R>>),
}

impl<R: Read> Inner<R> {
    #[allow(unused_variables, reason = "with no feature on, nothing has limits")]
    fn new(compression: Compression, counted: Counted<R>, limits: &Limits) -> io::Result<Self> {
        #[allow(unused_variables, reason = "with no feature on, it does not matter")]
        let progress = Arc::clone(&counted.progress);
        let reader = BufReader::with_capacity(BUFFER, counted);
        #[cfg(feature = "xz")]
        let kibibytes = u32::try_from(limits.max_window() >> 10).unwrap_or(u32::MAX).saturating_add(XZ_OVERHEAD_KIB);
        Ok(match compression {
            #[cfg(feature = "gzip")]
            Compression::Gzip => Self::Gzip(flate2::bufread::MultiGzDecoder::new(reader)),
            #[cfg(feature = "gzip")]
            Compression::Zlib => Self::Zlib(flate2::bufread::ZlibDecoder::new(reader)),
            #[cfg(feature = "xz")]
            Compression::Xz => Self::Xz(lzma_rust2::XzReader::new_mem_limit(reader, true, kibibytes).into()),
            #[cfg(feature = "xz")]
            Compression::Lzma => Self::Lzma(lzma_rust2::LzmaReader::new_mem_limit(reader, kibibytes, None)?.into()),
            #[cfg(feature = "zstd")]
            Compression::Zstd => Self::Zstd(zstd::Frames::new(reader, limits.max_window()).into()),
            #[cfg(feature = "bzip2")]
            Compression::Bzip2 => Self::Bzip2(bzip2::Streams::new(reader).into()),
            #[cfg(feature = "lz4")]
            Compression::Lz4 => Self::Lz4(lz4::Frames::new(reader, progress).into()),
            #[allow(unreachable_patterns, reason = "with all features on there are no others")]
            _ => Self::None(reader),
        })
    }
}

/// Memory of the xz decoder besides its window, in KiB.
#[cfg(feature = "xz")]
const XZ_OVERHEAD_KIB: u32 = 1024;

impl<R: Read> Read for Inner<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            #[cfg(feature = "gzip")]
            Self::Gzip(decoder) => decoder.read(buffer),
            #[cfg(feature = "gzip")]
            Self::Zlib(decoder) => decoder.read(buffer),
            #[cfg(feature = "xz")]
            Self::Xz(decoder) => decoder.read(buffer),
            #[cfg(feature = "xz")]
            Self::Lzma(decoder) => decoder.read(buffer),
            #[cfg(feature = "zstd")]
            Self::Zstd(decoder) => decoder.read(buffer),
            #[cfg(feature = "bzip2")]
            Self::Bzip2(decoder) => decoder.read(buffer),
            #[cfg(feature = "lz4")]
            Self::Lz4(decoder) => decoder.read(buffer),
            Self::None(reader) => reader.read(buffer),
        }
    }
}

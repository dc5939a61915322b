//! Readers of a tar: bytes, a file, or a decoder.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read},
    ops::Range,
};

use crate::{detect::BLOCK, platform};

/// Reader of an archive.
pub(crate) trait Source: BufRead {
    /// Skips bytes without reading them, if that is possible and faster.
    fn jump(&mut self, _count: u64) -> io::Result<bool> {
        Ok(false)
    }
}

impl Source for &[u8] {}
impl<R: Read> Source for BufReader<btf_elf::Decoder<R>> {}

/// Plain tar file, of which skipped parts are not read.
pub(crate) struct Plain {
    file: File,
    len: u64,
    /// Offset in the file of the end of the buffer.
    position: u64,
    buffer: Vec<u8>,
    /// Unread part of the buffer.
    ready: Range<usize>,
}

/// Buffer size: enough for a header, as most contents are skipped.
const BUFFER: usize = 2 * BLOCK;

impl Plain {
    /// Reads a file from its start.
    pub(crate) fn new(file: File) -> io::Result<Self> {
        let len = file.metadata()?.len();
        Ok(Self { file, len, position: 0, buffer: vec![0; BUFFER], ready: 0..0 })
    }
}

impl Read for Plain {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.ready.is_empty() && buffer.len() >= BUFFER {
            let read = platform::read_at(&self.file, buffer, self.position)?;
            self.position += read as u64;
            return Ok(read);
        }
        let available = self.fill_buf()?;
        let len = available.len().min(buffer.len());
        if let (Some(to), Some(from)) = (buffer.get_mut(..len), available.get(..len)) {
            to.copy_from_slice(from);
        }
        self.consume(len);
        Ok(len)
    }
}

impl BufRead for Plain {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.ready.is_empty() {
            let read = platform::read_at(&self.file, &mut self.buffer, self.position)?;
            self.position += read as u64;
            self.ready = 0..read;
        }
        Ok(self.buffer.get(self.ready.clone()).unwrap_or_default())
    }

    fn consume(&mut self, count: usize) {
        self.ready.start = (self.ready.start + count).min(self.ready.end);
    }
}

impl Source for Plain {
    fn jump(&mut self, count: u64) -> io::Result<bool> {
        let beyond = match count.checked_sub(self.ready.len() as u64) {
            // Inside the buffer.
            None => return Ok(false),
            Some(beyond) => beyond,
        };
        let to = self.position.checked_add(beyond).filter(|&to| to <= self.len);
        if let Some(to) = to {
            self.position = to;
            self.ready = 0..0;
        }
        Ok(to.is_some())
    }
}

/// Reader that fails at a limit.
pub(crate) struct Bounded<R> {
    reader: R,
    left: u64,
}

impl<R> Bounded<R> {
    /// Limits a reader to this many bytes.
    pub(crate) fn new(reader: R, left: u64) -> Self {
        Self { reader, left }
    }
}

impl<R: BufRead> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let allowed = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        if allowed == 0 {
            // An end exactly at the limit is not an error.
            return if buffer.is_empty() { Ok(0) } else { self.fill_buf().map(<[u8]>::len) };
        }
        let read = self.reader.read(buffer.get_mut(..allowed).unwrap_or_default())?;
        self.left = self.left.saturating_sub(read as u64);
        Ok(read)
    }
}

impl<R: BufRead> BufRead for Bounded<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let available = self.reader.fill_buf()?;
        match usize::try_from(self.left) {
            Ok(0) if !available.is_empty() => Err(io::ErrorKind::FileTooLarge.into()),
            Ok(left) if left < available.len() => Ok(available.get(..left).unwrap_or_default()),
            _ => Ok(available),
        }
    }

    fn consume(&mut self, count: usize) {
        self.left = self.left.saturating_sub(count as u64);
        self.reader.consume(count);
    }
}

impl<R: Source> Source for Bounded<R> {
    fn jump(&mut self, count: u64) -> io::Result<bool> {
        let has_jumped = count <= self.left && self.reader.jump(count)?;
        if has_jumped {
            self.left -= count;
        }
        Ok(has_jumped)
    }
}

//! Concatenated bzip2 streams.

use std::io::{self, BufRead, Read};

use bzip2::bufread::BzDecoder;

pub(super) struct Streams<R: BufRead> {
    decoder: Option<BzDecoder<R>>,
    streams: u64,
    produced: u64,
}

/// Maximum number of short streams. Making a decoder takes as long as decoding
/// some hundred kilobytes, and an empty stream has only 14 bytes.
const STREAMS: u64 = 1024;
/// Average decoded length in bytes at and above which streams are not limited.
const STREAM_LEN: u64 = 8 << 10;

impl<R: BufRead> Streams<R> {
    pub(super) fn new(reader: R) -> Self {
        Self { decoder: Some(BzDecoder::new(reader)), streams: 1, produced: 0 }
    }

    /// Opens the next stream, if there is one.
    fn open(&mut self) -> io::Result<()> {
        let Some(mut reader) = self.decoder.take().map(BzDecoder::into_inner) else { return Ok(()) };
        if reader.fill_buf()?.is_empty() {
            return Ok(());
        }
        self.streams += 1;
        let limit = STREAMS + self.produced / STREAM_LEN;
        if self.streams > limit {
            let text = format!("more than {limit} streams in {} decoded bytes", self.produced);
            return Err(io::Error::new(io::ErrorKind::InvalidData, text));
        }
        self.decoder = Some(BzDecoder::new(reader));
        Ok(())
    }
}

impl<R: BufRead> Read for Streams<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let Some(decoder) = &mut self.decoder else { return Ok(0) };
            let read = decoder.read(buffer)?;
            if read > 0 || buffer.is_empty() {
                self.produced += read as u64;
                return Ok(read);
            }
            self.open()?;
        }
    }
}

//! Concatenated zstd frames, including skippable ones, with their checksums.

use std::io::{self, BufRead, Read};

use ruzstd::decoding::{
    BlockDecodingStrategy, FrameDecoder,
    errors::{FrameDecoderError, ReadFrameHeaderError},
};

pub(super) struct Frames<R> {
    reader: R,
    decoder: FrameDecoder,
    /// True if the decoder is inside a frame.
    is_open: bool,
    /// True if a frame has begun: the input may then end before the next one.
    is_begun: bool,
}

impl<R: BufRead> Frames<R> {
    pub(super) fn new(reader: R, window: u64) -> Self {
        let mut decoder = FrameDecoder::new();
        decoder.set_max_window_size(window);
        Self { reader, decoder, is_open: false, is_begun: false }
    }

    /// Opens the next frame; `false` at the end of the file.
    fn open(&mut self) -> io::Result<bool> {
        loop {
            if self.is_begun && self.reader.fill_buf()?.is_empty() {
                return Ok(false);
            }
            self.is_begun = true;
            match self.decoder.reset(&mut self.reader) {
                Ok(()) => {
                    self.is_open = true;
                    return Ok(true);
                }
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame { length, .. })) => {
                    let length = u64::from(length);
                    let skipped = io::copy(&mut self.reader.by_ref().take(length), &mut io::sink())?;
                    if skipped < length {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                }
                Err(error) => return Err(io::Error::other(error)),
            }
        }
    }

    fn close(&mut self) -> io::Result<()> {
        self.is_open = false;
        match (self.decoder.get_checksum_from_data(), self.decoder.get_calculated_checksum()) {
            (Some(expected), Some(found)) if expected != found => {
                let text = format!("checksum {found:#010x}, expected {expected:#010x}");
                Err(io::Error::new(io::ErrorKind::InvalidData, text))
            }
            _ => Ok(()),
        }
    }
}

impl<R: BufRead> Read for Frames<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if !self.is_open && !self.open()? {
                return Ok(0);
            }
            let read = self.decoder.read(buffer)?;
            if read > 0 || buffer.is_empty() {
                return Ok(read);
            }
            if self.decoder.is_finished() {
                self.close()?;
            } else {
                let one = BlockDecodingStrategy::UptoBlocks(1);
                self.decoder.decode_blocks(&mut self.reader, one).map_err(io::Error::other)?;
            }
        }
    }
}

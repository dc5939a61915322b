//! Concatenated lz4 frames.

use std::{
    io::{self, BufRead, Read},
    sync::{Arc, atomic::Ordering::Relaxed},
};

use lz4_flex::frame::FrameDecoder;

use super::Progress;

pub(super) struct Frames<R: Read> {
    decoder: FrameDecoder<R>,
    progress: Arc<Progress>,
    /// True for the legacy format, whose frames end at the end of the file.
    is_legacy: Option<bool>,
    is_between: bool,
}

impl<R: BufRead> Frames<R> {
    pub(super) fn new(reader: R, progress: Arc<Progress>) -> Self {
        Self { decoder: FrameDecoder::new(reader), progress, is_legacy: None, is_between: false }
    }
}

impl<R: BufRead> Read for Frames<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.is_legacy.is_none() {
            self.is_legacy = Some(self.decoder.get_mut().fill_buf()?.first() == Some(&0x02));
        }
        loop {
            let read = self.decoder.read(buffer)?;
            if read > 0 || buffer.is_empty() {
                self.is_between = false;
                return Ok(read);
            }
            // The end of a frame or of the file, which the decoder does not
            // distinguish. But it tries to read more bytes only at the end of
            // the file.
            if self.progress.at_end.load(Relaxed) {
                return match self.is_between || self.is_legacy == Some(true) {
                    true => Ok(0),
                    false => Err(io::ErrorKind::UnexpectedEof.into()),
                };
            }
            self.is_between = true;
        }
    }
}

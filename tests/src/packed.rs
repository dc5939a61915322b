//! Compression in every format that btf-elf decompresses.

use std::io::{self, Read, Write};

use btf_elf::Compression;

/// Compresses bytes.
///
/// # Panics
///
/// If the encoder fails, or the format has no encoder.
#[must_use]
pub fn encode(compression: Compression, bytes: &[u8]) -> Vec<u8> {
    encode_reader(compression, bytes)
}

/// Compresses zeros: a decompression bomb.
#[must_use]
pub fn zeros(compression: Compression, len: u64) -> Vec<u8> {
    encode_reader(compression, io::repeat(0).take(len))
}

/// Compresses bytes followed by a number of zeros.
#[must_use]
pub fn padded(compression: Compression, bytes: &[u8], zeros: u64) -> Vec<u8> {
    encode_reader(compression, bytes.chain(io::repeat(0).take(zeros)))
}

/// Compresses the bytes of a reader.
///
/// # Panics
///
/// If the encoder fails, or the format has no encoder.
#[must_use]
pub fn encode_reader(compression: Compression, mut reader: impl Read) -> Vec<u8> {
    fn through<W: Write>(mut writer: W, reader: &mut impl Read) -> W {
        io::copy(reader, &mut writer).expect("memory can be written to");
        writer
    }
    let best = flate2::Compression::best();
    match compression {
        Compression::Gzip => through(flate2::write::GzEncoder::new(Vec::new(), best), &mut reader).finish().unwrap(),
        Compression::Zlib => through(flate2::write::ZlibEncoder::new(Vec::new(), best), &mut reader).finish().unwrap(),
        Compression::Bzip2 => {
            through(bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast()), &mut reader).finish().unwrap()
        }
        Compression::Xz => {
            let options = lzma_rust2::XzOptions::with_preset(1);
            through(lzma_rust2::XzWriter::new(Vec::new(), options).unwrap(), &mut reader).finish().unwrap()
        }
        Compression::Lzma => {
            let options = lzma_rust2::LzmaOptions::with_preset(1);
            let writer = lzma_rust2::LzmaWriter::new_use_header(Vec::new(), &options, None).unwrap();
            through(writer, &mut reader).finish().unwrap()
        }
        Compression::Zstd => ruzstd::encoding::compress_to_vec(reader, ruzstd::encoding::CompressionLevel::Fastest),
        Compression::Lz4 => {
            let info = lz4_flex::frame::FrameInfo::new().content_checksum(true);
            let writer = lz4_flex::frame::FrameEncoder::with_frame_info(info, Vec::new());
            through(writer, &mut reader).finish().unwrap()
        }
        other => panic!("{other} is not known here"),
    }
}

/// Compresses bytes with lz4 in the legacy format, as used for kernels.
///
/// # Panics
///
/// If the encoder fails.
#[must_use]
pub fn lz4_legacy(bytes: &[u8]) -> Vec<u8> {
    let mut packed = vec![0x02, 0x21, 0x4c, 0x18];
    for block in bytes.chunks(8 << 20) {
        let block = lz4_flex::block::compress(block);
        packed.extend((block.len() as u32).to_le_bytes());
        packed.extend(block);
    }
    packed
}

//! Conversion of whole blobs from one byte order to the other.
//!
//! Every field of the format is a 32-bit word, but for two bytes of magic,
//! single bytes, and the 16 bits of flags in a layout entry. What is not a
//! field (strings, gaps, trailing bytes) stays as it is. So the two directions
//! are exact inverses of each other.
//!
//! Source: `btf_bswap_hdr` and `btf_bswap_type_rest` in `tools/lib/bpf/btf.c`.

use crate::{ByteOrder, Error, ExtHeader, Header, Layout, Preamble, ext, record};

/// Converts a `.BTF` blob in place to the byte order `to`; nothing happens if
/// it already has that order.
///
/// # Errors
///
/// Those of [`Header::parse`]; if the records do not use up the type section
/// exactly, or one is of a kind of which more than the size would have to be
/// known (kinds 20 to 22 are known to consist of 32-bit words); if the header
/// has unknown data. After an error the blob is as it was.
pub fn convert(blob: &mut [u8], to: ByteOrder) -> Result<(), Error> {
    let header = Header::parse(blob)?;
    let from = header.byte_order();
    if from == to {
        return Ok(());
    }
    let hdr_len = header.hdr_len();
    header.check_known()?;
    let types = header.types();
    let mut offset = types.start as u64;
    let mut rest = blob.get(types.clone()).unwrap_or_default();
    while !rest.is_empty() {
        let (_, size) = record::measure(rest, offset, from, Layout::NONE)?;
        rest = rest.get(size..).unwrap_or_default();
        offset += size as u64;
    }
    swap_header(blob, hdr_len);
    swap_words(blob.get_mut(types).unwrap_or_default());
    for entry in blob.get_mut(header.layout()).unwrap_or_default().chunks_exact_mut(4) {
        if let [_, _, flags @ ..] = entry {
            flags.reverse();
        }
    }
    Ok(())
}

/// Converts a `.BTF.ext` blob in place to the byte order `to`; nothing
/// happens if it already has that order.
///
/// # Errors
///
/// Those of [`RawBtfExt::parse`](crate::RawBtfExt::parse), but for the byte
/// order; if the header, or a record, is longer than what is known and has
/// data other than zeros there. After an error the blob is as it was.
pub fn convert_ext(blob: &mut [u8], to: ByteOrder) -> Result<(), Error> {
    let header = ExtHeader::parse(blob)?;
    if header.byte_order() == to {
        return Ok(());
    }
    let hdr_len = header.hdr_len();
    header.check_known()?;
    for extent in header.extents {
        ext::check(extent, blob, &header, |block| {
            let records = blob.get(block.records.clone()).unwrap_or_default().chunks_exact(block.rec_size);
            let has_unknown = |record: &[u8]| record.iter().skip(block.known()).any(|&byte| byte != 0);
            match records.into_iter().position(has_unknown) {
                Some(index) => Err(Error::ExtUnknownData {
                    section: block.section,
                    offset: (block.records.start + index * block.rec_size) as u64,
                }),
                None => Ok(()),
            }
        })?;
    }
    swap_header(blob, hdr_len);
    for extent in header.extents {
        swap_words(extent.of_mut(blob, hdr_len));
    }
    Ok(())
}

/// Swaps the magic and all words of a header.
fn swap_header(blob: &mut [u8], hdr_len: u32) {
    let Some(header) = blob.get_mut(..hdr_len as usize) else {
        return;
    };
    let (start, words) = header.split_at_mut(size_of::<Preamble>());
    if let [magic_0, magic_1, _version, _flags, hdr_len @ ..] = start {
        core::mem::swap(magic_0, magic_1);
        hdr_len.reverse();
    }
    // Bytes that do not fill a word are unknown data, and those are zero.
    swap_words(words);
}

fn swap_words(bytes: &mut [u8]) {
    for word in bytes.chunks_exact_mut(4) {
        word.reverse();
    }
}

//! Conversion of whole blobs from one byte order to the other.
//!
//! Every field of the format is a 32-bit word, except two bytes of magic,
//! single bytes, and the 16 bits of flags in a layout entry. Bytes that are not
//! fields (strings, gaps, trailing bytes) are unchanged. The two directions are
//! thus exact inverses.
//!
//! Source: `btf_bswap_hdr` and `btf_bswap_type_rest` in `tools/lib/bpf/btf.c`.

use core::ops::Range;

use crate::{ByteOrder, Error, ExtHeader, Header, Layout, Preamble, ext, record};

/// Converts a `.BTF` blob in place to the byte order `to`. Does nothing if it
/// already has that order.
///
/// ```
/// # fn main() -> Result<(), btf_format::Error> {
/// use btf_format::{ByteOrder, Header, convert};
///
/// # let original = std::fs::read("doc/kernel.btf").unwrap();
/// let mut bytes = original.clone();
/// convert(&mut bytes, ByteOrder::Big)?;
/// assert_eq!(Header::parse(&bytes)?.byte_order(), ByteOrder::Big);
/// convert(&mut bytes, ByteOrder::Little)?;
/// assert_eq!(bytes, original);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// Those of [`Header::parse`]; if the records do not fill the type section
/// exactly; if a record has a kind whose fields are unknown (those of kinds 20
/// to 22 are 32-bit words); if the header has unknown fields that are not zero.
/// After an error, the blob is unchanged.
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
    swap_header(blob.get_mut(..hdr_len as usize).unwrap_or_default());
    swap_words(blob.get_mut(types).unwrap_or_default());
    swap_layout(blob.get_mut(header.layout()).unwrap_or_default());
    Ok(())
}

/// Calls `put` with each part of a native blob in order, converted to the other
/// byte order as by [`convert`]: a converted copy takes a single pass.
///
/// The header must have passed [`Header::check_known`], and all kinds must be 1
/// to 22: the fields of other kinds are unknown.
#[doc(hidden)]
pub fn put_converted(blob: &[u8], header: &Header, mut put: impl FnMut(&[u8])) {
    // The rest of the header is zero.
    let header_end = Header::SIZE_WITH_LAYOUT.min(header.hdr_len());
    let mut sections: [(Range<usize>, Swap); 3] =
        [(0..header_end as usize, swap_header), (header.types(), swap_words), (header.layout(), swap_layout)];
    sections.sort_unstable_by_key(|(section, _)| section.start);
    let mut done = 0;
    for (section, swap) in sections.into_iter().filter(|(section, _)| !section.is_empty()) {
        put(blob.get(done..section.start).unwrap_or_default());
        done = section.end;
        put_swapped(blob.get(section).unwrap_or_default(), swap, &mut put);
    }
    put(blob.get(done..).unwrap_or_default());
}

/// Function that swaps the fields of a part of a blob.
pub(crate) type Swap = fn(&mut [u8]);

/// Calls `put` with each piece of `bytes` in order, swapped. Pieces consist of
/// whole words.
pub(crate) fn put_swapped(bytes: &[u8], swap: Swap, put: &mut impl FnMut(&[u8])) {
    let mut buffer = [0; 4096];
    for piece in bytes.chunks(buffer.len()) {
        let Some(swapped) = buffer.get_mut(..piece.len()) else { continue };
        swapped.copy_from_slice(piece);
        swap(swapped);
        put(swapped);
    }
}

/// Converts a `.BTF.ext` blob in place to the byte order `to`. Does nothing if
/// it already has that order.
///
/// ```
/// # fn main() -> Result<(), btf_format::Error> {
/// use btf_format::{ByteOrder, ExtHeader, convert_ext};
///
/// # let mut bytes = std::fs::read("doc/probe.btf.ext").unwrap();
/// convert_ext(&mut bytes, ByteOrder::Big)?;
/// assert_eq!(ExtHeader::parse(&bytes)?.byte_order(), ByteOrder::Big);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// Those of [`RawBtfExt::parse`](crate::RawBtfExt::parse), except for the byte
/// order; if the header or a record has unknown fields that are not zero. After
/// an error, the blob is unchanged.
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
    swap_header(blob.get_mut(..hdr_len as usize).unwrap_or_default());
    for extent in header.extents {
        swap_words(extent.of_mut(blob, hdr_len));
    }
    Ok(())
}

/// Swaps the magic and all words of a header.
pub(crate) fn swap_header(header: &mut [u8]) {
    let Some((start, words)) = header.split_at_mut_checked(size_of::<Preamble>()) else {
        return;
    };
    if let [magic_0, magic_1, _version, _flags, hdr_len @ ..] = start {
        core::mem::swap(magic_0, magic_1);
        hdr_len.reverse();
    }
    // Trailing bytes that do not fill a word are unknown fields, which are
    // zero.
    swap_words(words);
}

pub(crate) fn swap_words(bytes: &mut [u8]) {
    for word in bytes.chunks_exact_mut(4).filter_map(<[u8]>::first_chunk_mut) {
        *word = u32::from_ne_bytes(*word).swap_bytes().to_ne_bytes();
    }
}

/// Swaps the flags of each entry of a layout section.
pub(crate) fn swap_layout(entries: &mut [u8]) {
    for entry in entries.chunks_exact_mut(4) {
        if let [_, _, flags @ ..] = entry {
            flags.reverse();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Assembly, Info, LayoutEntry, TypeRecord};

    #[test]
    fn what_is_put_is_what_is_converted_in_place() {
        let types: Vec<u8> = (0..2500u32)
            .flat_map(|id| TypeRecord::new(id, Info::of(crate::Kind::Ptr).word(), id).as_bytes().to_vec())
            .collect();
        let layout: Vec<u8> = LayoutEntry::known().flat_map(|entry| entry.as_bytes().to_vec()).collect();
        for (layout, hdr_len) in [(&[][..], 24), (&[], 27), (&layout, 32), (&layout, 9000)] {
            let assembly = Assembly::new(&types, b"\0int\0odd").layout(layout).hdr_len(hdr_len);
            let mut blob = Vec::new();
            assembly.write(|part| blob.extend_from_slice(part)).unwrap();
            // Trailing bytes stay.
            blob.extend(b"trailing");
            let (mut put, order) = (Vec::new(), ByteOrder::NATIVE.swapped());
            put_converted(&blob, &Header::parse(&blob).unwrap(), |part| put.extend_from_slice(part));
            let mut converted = blob.clone();
            convert(&mut converted, order).unwrap();
            assert!(put == converted && put != blob, "{hdr_len}");
            let mut assembled = Vec::new();
            assembly.byte_order(order).write(|part| assembled.extend_from_slice(part)).unwrap();
            assert!(assembled == converted[..blob.len() - 8], "{hdr_len}");
        }
    }

    #[test]
    fn sections_in_another_order_and_gaps_are_put_too() {
        // Strings, a gap, the layout, types.
        let words = [0x0001_eb9f, 32, 16, 12, 0, 3, 8, 4];
        let mut blob: Vec<u8> = words.iter().flat_map(|word: &u32| word.to_ne_bytes()).collect();
        blob[..4]
            .copy_from_slice(Preamble::new(crate::MAGIC, crate::VERSION, 0, 32).as_bytes().first_chunk::<4>().unwrap());
        blob.extend(b"\0a\0gap!?");
        blob.truncate(32 + 8);
        blob.extend(LayoutEntry::new(0, 0, 0x1234).as_bytes());
        blob.extend(b"more");
        blob.extend(TypeRecord::new(1, Info::of(crate::Kind::Ptr).word(), 0x0102_0304).as_bytes());
        let header = Header::parse(&blob).unwrap();
        let mut put = Vec::new();
        put_converted(&blob, &header, |part| put.extend_from_slice(part));
        let mut converted = blob.clone();
        convert(&mut converted, ByteOrder::NATIVE.swapped()).unwrap();
        assert_eq!(put, converted);
    }
}

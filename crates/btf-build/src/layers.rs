//! Layers of a BTF for writers: records and strings as stored.

use btf_types::{
    Btf, Bytes, OwnedName,
    format::{Assembly, Layout, Record, Records},
};

use crate::Error;

/// A BTF and those below it, from the lowest.
#[derive(Debug, Clone)]
pub(crate) struct Layers {
    /// The offset of the first own string of each, and the layer.
    layers: Vec<(u32, Btf)>,
    /// Bytes of all strings.
    strings_len: u32,
}

impl Layers {
    pub(crate) fn new(btf: &Btf) -> Self {
        let mut layers: Vec<_> = btf.layers().map(|layer| (0, layer.clone())).collect();
        layers.reverse();
        let mut strings_len = 0;
        for (first, layer) in &mut layers {
            *first = strings_len;
            // Opening has checked that the sum fits.
            strings_len += own_strings(layer).len() as u32;
        }
        Self { layers, strings_len }
    }

    /// The offset of the first own string of each layer, and the layer.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &Btf)> {
        self.layers.iter().map(|(first, layer)| (*first, layer))
    }

    /// The offset of the first own string of a layer, and the layer.
    pub(crate) fn get(&self, number: usize) -> Option<(u32, &Btf)> {
        self.layers.get(number).map(|(first, layer)| (*first, layer))
    }

    /// Bytes of all strings.
    pub(crate) fn strings_len(&self) -> u32 {
        self.strings_len
    }

    /// The number of the layer that owns a string offset.
    pub(crate) fn of_string(&self, offset: u32) -> usize {
        self.layers.partition_point(|&(first, _)| first <= offset).saturating_sub(1)
    }

    /// The strings of the layer that owns an offset, from that offset on.
    pub(crate) fn tail(&self, offset: u32) -> &[u8] {
        let Some((first, layer)) = self.layers.get(self.of_string(offset)) else {
            return &[];
        };
        own_strings(layer).get((offset - first) as usize..).unwrap_or_default()
    }

    /// The string at an offset.
    pub(crate) fn string(&self, offset: u32) -> &[u8] {
        terminated(self.tail(offset))
    }
}

/// The string that `tail` begins with, which ends with its first NUL.
pub(crate) fn terminated(tail: &[u8]) -> &[u8] {
    tail.get(..memchr::memchr(0, tail).unwrap_or(tail.len())).unwrap_or_default()
}

/// Own strings of a BTF.
pub(crate) fn own_strings(btf: &Btf) -> &[u8] {
    btf.as_bytes().get(btf.string_section()).unwrap_or_default()
}

/// The layout section of a BTF, empty if there is none.
pub(crate) fn own_layout(btf: &Btf) -> &[u8] {
    btf.as_bytes().get(btf.layout_section()).unwrap_or_default()
}

/// Returns the layout section of a BTF, or that of the nearest layer below that
/// has one.
pub(crate) fn layout(btf: &Btf) -> Layout<'_> {
    btf.layers().map(own_layout).find(|layout| !layout.is_empty()).map_or(Layout::NONE, Layout::new)
}

/// The own records of a BTF, each with its id.
pub(crate) fn own_records(btf: &Btf) -> impl Iterator<Item = (u32, Record<'_>)> {
    own_records_of(btf, layout(btf))
}

/// Iterates over the own records, given the layout section: finding it visits
/// the layers below.
pub(crate) fn own_records_of<'a>(btf: &'a Btf, layout: Layout<'a>) -> impl Iterator<Item = (u32, Record<'a>)> {
    let types = btf.type_section();
    let offset = types.start as u64;
    let records = Records::new(btf.as_bytes().get(types).unwrap_or_default(), offset, layout);
    // Opening has checked that all records can be read.
    btf.own_ids().zip(records.flatten())
}

/// The name of a type, for an error.
pub(crate) fn name_of(btf: &Btf, id: u32) -> OwnedName {
    btf.type_by_id(id).map_or_else(|_| OwnedName::default(), |ty| ty.name().into())
}

/// Completes a blob of which there are the types, behind room for a header of
/// `hdr_len` bytes: writes the header, and appends the layout section and the pieces
/// of the string section.
pub(crate) fn complete(mut blob: Vec<u8>, hdr_len: u32, layout: &[u8], strings: &[&[u8]]) -> Result<Vec<u8>, Error> {
    let types_end = blob.len();
    blob.reserve_exact(layout.len() + strings.iter().map(|piece| piece.len()).sum::<usize>());
    blob.extend_from_slice(layout);
    strings.iter().for_each(|piece| blob.extend_from_slice(piece));
    let (types, rest) = blob.split_at_checked(types_end).unwrap_or_default();
    let (layout, strings) = rest.split_at_checked(layout.len()).unwrap_or_default();
    let types = types.get(hdr_len as usize..).unwrap_or_default();
    let mut header = Vec::with_capacity(hdr_len as usize);
    let assembly = Assembly::new(types, strings).layout(layout).hdr_len(hdr_len);
    assembly.write_header(|part| header.extend_from_slice(part))?;
    debug_assert_eq!(header.len(), hdr_len as usize, "the header fills its room");
    blob.iter_mut().zip(header).for_each(|(to, from)| *to = from);
    Ok(blob)
}

/// Opens what was written in native byte order, as of the byte order and the
/// size of pointers of another.
pub(crate) fn open(blob: impl Into<Bytes>, base: Option<&Btf>, like: &Btf) -> Result<Btf, Error> {
    Ok(Btf::from_native(blob, base, like.byte_order(), like.known_pointer_size())?)
}

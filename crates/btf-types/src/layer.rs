//! Layers: the types and strings of one BTF, with links to the layers below.

use alloc::{boxed::Box, sync::Weak, vec::Vec};
use core::ops::Range;

use btf_format::{ByteOrder, Header, Layout, Name, RawBtf, Records, TypeRecord};
use bytes::Bytes;
use once_cell::race::OnceBox;

use crate::{
    Btf, DeclTags, Error, Type, Types, align::WideAlign, decl_tag::TagTable, flavor::FlavorStrings, names::Names, open,
    view::Handle,
};

/// One opened and checked BTF, with links to the layers below it.
pub(crate) struct Layer {
    /// Weak reference to this layer, from which a view makes a [`Btf`].
    pub(crate) this: Weak<Self>,
    /// The whole blob in native byte order.
    pub(crate) blob: Bytes,
    /// Type section.
    types: Bytes,
    /// String section.
    strings: Bytes,
    /// Layout section, or that of the nearest layer below that has one.
    layout: Bytes,
    /// Offset in `types` of the record of each own id.
    offsets: Vec<u32>,
    /// First own id: 1, or the number of types of the base.
    first_id: u32,
    /// First own string offset: 0, or the length of the base's strings in
    /// bytes.
    first_string: u32,
    pub(crate) header: Header,
    below: Option<Below>,
    /// Byte order of the original blob.
    pub(crate) byte_order: ByteOrder,
    /// Size of a pointer in bytes, if known.
    pub(crate) pointer_size: Option<u8>,
    /// True if an INT, here or below, does not fill its bytes.
    irregular_ints: bool,
    /// True if all own types are of kinds 1 to 19.
    only_kinds: bool,
    pub(crate) names: Names,
    pub(crate) wide_align: WideAlign,
    /// Tags by declaration, made on first use.
    tags: OnceBox<TagTable>,
}

/// Links to the layers below.
struct Below {
    base: Btf,
    /// A layer farther below. These links find the owner of an id in
    /// logarithmic time.
    far: Btf,
    /// Number of layers below.
    depth: u32,
}

impl Below {
    fn new(base: &Btf) -> Self {
        let depth = |btf: &Btf| btf.layer().depth();
        let (near, further) = (far(base), far(far(base)));
        // Jumps follow skew binary numbers: after two jumps of equal length,
        // the next one covers both.
        let is_carry = depth(base) - depth(near) == depth(near) - depth(further);
        let far = if is_carry { further } else { base };
        Self { base: base.clone(), far: far.clone(), depth: depth(base) + 1 }
    }
}

/// Target of the jump from this layer; the lowest layer points to itself.
fn far(btf: &Btf) -> &Btf {
    btf.layer().below.as_ref().map_or(btf, |below| &below.far)
}

impl Drop for Layer {
    /// Drops one layer at a time: a recursive drop of a long chain would
    /// overflow the stack.
    fn drop(&mut self) {
        let mut below = self.below.take();
        while let Some(Below { base, far, .. }) = below {
            // `base` keeps `far` alive, directly or indirectly.
            drop(far);
            below = base.into_layer().and_then(|mut layer| layer.below.take());
        }
    }
}

impl Layer {
    /// Opens a blob in native byte order; `byte_order` is the original order.
    pub(crate) fn open(
        blob: Bytes,
        base: Option<&Btf>,
        byte_order: ByteOrder,
        pointer_size: Option<u8>,
    ) -> Result<Self, Error> {
        if let Some(base) = base
            && base.byte_order() != byte_order
        {
            return Err(Error::ByteOrderOfBase { split: byte_order, base: base.byte_order() });
        }
        if let Some(found) = pointer_size
            && !matches!(found, 4 | 8)
        {
            return Err(Error::PointerSize { found });
        }
        let below = base.map(Btf::layer);
        let raw = RawBtf::parse(&blob)?;
        let header = *raw.header();
        let index = open::check(&raw, below)?;
        let own_layout = blob.slice(header.layout());
        Ok(Self {
            this: Weak::new(),
            types: blob.slice(header.types()),
            strings: blob.slice(header.strings()),
            layout: below.filter(|_| own_layout.is_empty()).map_or(own_layout, |below| below.layout.clone()),
            offsets: index.offsets,
            first_id: below.map_or(1, Self::type_count),
            first_string: below.map_or(0, Self::strings_len),
            pointer_size: pointer_size.or(below.and_then(|below| below.pointer_size)).or(index.pointer_size),
            only_kinds: index.only_kinds,
            irregular_ints: index.irregular_ints || below.is_some_and(|below| below.irregular_ints),
            below: base.map(Below::new),
            names: Names::default(),
            wide_align: WideAlign::default(),
            tags: OnceBox::new(),
            header,
            byte_order,
            blob,
        })
    }

    /// The base of this layer.
    pub(crate) fn base(&self) -> Option<&Btf> {
        self.below.as_ref().map(|below| &below.base)
    }

    /// Number of layers below this one.
    pub(crate) fn depth(&self) -> u32 {
        self.below.as_ref().map_or(0, |below| below.depth)
    }

    /// Iterates over this layer, its base, the base of that, and so on.
    pub(crate) fn layers(&self) -> impl Iterator<Item = &Self> {
        core::iter::successors(Some(self), |layer| layer.base().map(Btf::layer))
    }

    /// Returns the nearest of [`Layer::layers`] for which `is_in` holds. It
    /// must then hold for all layers below.
    fn owner(&self, is_in: impl Fn(&Self) -> bool) -> Option<&Self> {
        let mut layer = self;
        while !is_in(layer) {
            let below = layer.below.as_ref()?;
            layer = if is_in(below.far.layer()) { below.base.layer() } else { below.far.layer() };
        }
        Some(layer)
    }

    /// Iterates over the own types, as [`Btf::types`].
    #[inline]
    pub(crate) fn types(&self) -> Types<'_> {
        Types::new(self, &self.types, &self.offsets, self.first_id)
    }

    /// Number of own types.
    pub(crate) fn own_count(&self) -> u32 {
        self.offsets.len() as u32
    }

    /// Ids of the own types.
    pub(crate) fn own_ids(&self) -> Range<u32> {
        self.first_id..self.type_count()
    }

    /// Returns an own type by its index among own types.
    #[inline]
    pub(crate) fn own(&self, number: u32) -> Option<Handle<'_>> {
        let offset = *self.offsets.get(number as usize)?;
        Some(Handle { btf: self, offset, id: self.first_id + number })
    }

    /// Iterates over the records of own types.
    pub(crate) fn own_records(&self) -> impl ExactSizeIterator<Item = TypeRecord> {
        let types: &[u8] = &self.types;
        self.offsets.iter().map(|&offset| record_in(types, offset))
    }

    /// Size of a pointer in bytes, 8 by default.
    #[inline]
    pub(crate) fn pointer_size(&self) -> u8 {
        self.pointer_size.unwrap_or(8)
    }

    #[inline]
    pub(crate) fn has_irregular_ints(&self) -> bool {
        self.irregular_ints
    }

    /// Returns the tags of a declaration, or of one of its components.
    pub(crate) fn decl_tags(&self, target: u32, component: Option<u32>) -> DeclTags<'_> {
        self.tag_table().of(self, target, component)
    }

    /// Returns the tags of a declaration and of all of its components.
    pub(crate) fn all_decl_tags(&self, target: u32) -> DeclTags<'_> {
        self.tag_table().of_all(self, target)
    }

    fn tag_table(&self) -> &TagTable {
        self.tags.get_or_init(|| Box::new(TagTable::new(self.types())))
    }

    /// Checks that the roles of all words of all own types are known.
    #[inline]
    pub(crate) fn check_roles(&self) -> Result<(), Error> {
        if self.only_kinds { Ok(()) } else { self.check_each_role() }
    }

    #[cold]
    fn check_each_role(&self) -> Result<(), Error> {
        let records = Records::new(&self.types, self.header.types().start as u64, self.layout());
        for record in records {
            record?.check_roles()?;
        }
        Ok(())
    }

    /// Returns the type with this id, from the layer that owns it.
    ///
    /// Always inlined, with its callees: a caller that matches on the result
    /// then compares kinds without making a `Type`.
    #[inline(always)]
    pub(crate) fn type_at(&self, id: u32) -> Option<Type<'_>> {
        match self.handle_at(id) {
            Some(handle) => Some(Type::of(handle)),
            None if id == 0 => Some(Type::Void),
            None => None,
        }
    }

    /// Returns the type with an id that was checked at opening.
    #[inline]
    pub(crate) fn type_of(&self, id: u32) -> Type<'_> {
        let ty = self.type_at(id);
        debug_assert!(ty.is_some(), "ids in records are checked at opening: {id}");
        ty.unwrap_or(Type::Void)
    }

    /// Returns the handle of the type with this id, without reading its kind;
    /// `None` for `void`.
    #[inline(always)]
    pub(crate) fn handle_at(&self, id: u32) -> Option<Handle<'_>> {
        let mut layer = self;
        let mut offset = self.offset_of(id);
        if offset.is_none() {
            layer = self.owner_of_id(id)?;
            offset = layer.offset_of(id);
        }
        Some(Handle { btf: layer, offset: offset?, id })
    }

    /// Offset of the record of an own id in the type section.
    #[inline]
    fn offset_of(&self, id: u32) -> Option<u32> {
        self.offsets.get(id.wrapping_sub(self.first_id) as usize).copied()
    }

    /// Returns the layer below that owns an id.
    #[cold]
    #[inline(never)]
    fn owner_of_id(&self, id: u32) -> Option<&Self> {
        self.owner(|layer| layer.first_id <= id)
    }

    /// Returns the record at an offset of the index.
    #[inline(always)]
    pub(crate) fn record(&self, offset: u32) -> TypeRecord {
        record_in(&self.types, offset)
    }

    /// Returns the bytes from the record at `offset` to the end of the type
    /// section.
    #[inline]
    pub(crate) fn bytes_at(&self, offset: u32) -> &[u8] {
        self.types.get(offset as usize..).unwrap_or_default()
    }

    /// Returns the first 12 bytes of the record at `offset`, and the rest of the
    /// type section.
    #[inline(always)]
    pub(crate) fn parts_at(&self, offset: u32) -> (TypeRecord, &[u8]) {
        let types: &[u8] = &self.types;
        let end = offset as usize + size_of::<TypeRecord>();
        let parts = types.split_at_checked(end);
        debug_assert!(parts.is_some(), "the index holds offsets of records");
        match parts {
            Some((_, rest)) => (record_in(types, offset), rest),
            None => (TypeRecord::ZERO, &[]),
        }
    }

    /// Returns the name at an offset that was checked at opening.
    #[inline]
    pub(crate) fn name_at(&self, offset: u32) -> Name<'_> {
        let tail = self.string_at(offset);
        let len = memchr::memchr(0, tail);
        debug_assert!(len.is_some(), "strings are terminated, and offsets of names in range: {offset}");
        let len = len.unwrap_or(0);
        Name::new(tail.get(..len).unwrap_or_default())
    }

    /// Returns the name at an offset, or its first `limit` bytes.
    #[inline]
    pub(crate) fn name_start(&self, offset: u32, limit: usize) -> Name<'_> {
        let text = self.string_at(offset);
        if text.first() == Some(&0) {
            return Name::EMPTY;
        }
        let text = text.get(..limit).unwrap_or(text);
        Name::new(text.get(..memchr::memchr(0, text).unwrap_or(text.len())).unwrap_or_default())
    }

    /// Returns the strings of the layer that owns an offset, from there on.
    #[inline]
    pub(crate) fn string_at(&self, offset: u32) -> &[u8] {
        match self.strings.get(offset.wrapping_sub(self.first_string) as usize..) {
            Some(tail) => tail,
            None => self.string_elsewhere(offset),
        }
    }

    #[inline(never)]
    fn string_elsewhere(&self, offset: u32) -> &[u8] {
        let owner = self.owner(|layer| layer.first_string <= offset);
        owner.and_then(|owner| owner.strings.get((offset - owner.first_string) as usize..)).unwrap_or_default()
    }

    /// First own string offset, and the own strings.
    pub(crate) fn own_strings(&self) -> (u32, &[u8]) {
        (self.first_string, &self.strings)
    }

    /// Returns the end of the essential name of the name at an offset, if it
    /// has a flavor.
    #[inline]
    pub(crate) fn flavor_at(&self, offset: u32) -> Option<u32> {
        match offset.checked_sub(self.first_string) {
            Some(own) => Some(self.first_string + self.own_flavors().end_of_essential(own)?),
            None => self.flavor_elsewhere(offset),
        }
    }

    #[inline(never)]
    fn flavor_elsewhere(&self, offset: u32) -> Option<u32> {
        self.owner(|layer| layer.first_string <= offset)?.flavor_at(offset)
    }

    fn own_flavors(&self) -> &FlavorStrings {
        self.names.flavor_strings.get_or_init(|| Box::new(FlavorStrings::new(&self.strings)))
    }

    /// Number of types, as [`Btf::type_count`].
    #[inline]
    pub(crate) fn type_count(&self) -> u32 {
        self.first_id + self.offsets.len() as u32
    }

    /// Length of all strings in bytes, including those of the base.
    pub(crate) fn strings_len(&self) -> u32 {
        self.first_string + self.strings.len() as u32
    }

    /// The layout section, or that of the nearest layer below that has one.
    pub(crate) fn layout(&self) -> Layout<'_> {
        Layout::new(&self.layout)
    }
}

/// Returns the first 12 bytes of the record at an offset of the index, in the type
/// section.
///
/// Returned by value, zeroed in the impossible case. With a reference, the
/// compiler would select one of two addresses, and each read would depend on
/// the selection. With a call in that case, it would have to assume that memory
/// changed, and repeat the bounds check later.
#[inline(always)]
pub(crate) fn record_in(types: &[u8], offset: u32) -> TypeRecord {
    let start = offset as usize;
    let record = types.get(start..start + size_of::<TypeRecord>()).and_then(TypeRecord::first);
    debug_assert!(record.is_some(), "the index holds offsets of records");
    match record {
        Some(record) => *record,
        None => TypeRecord::ZERO,
    }
}

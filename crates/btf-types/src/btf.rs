//! The holder: the bytes, the index, the base.

use alloc::{boxed::Box, sync::Arc, vec::Vec};
use core::{fmt, iter::FusedIterator, ops::Range, slice};

use btf_format::{ByteOrder, Header, Layout, Name, RawBtf, TypeRecord};
use bytes::Bytes;
use once_cell::race::OnceBox;

use crate::{DeclTags, Error, Type, align::WideAlign, decl_tag::TagTable, names::Names, open, view::Handle};

/// The types of a kernel, a module or an object, opened and checked.
///
/// Cloning it copies a pointer.
#[derive(Clone)]
pub struct Btf(Arc<Inner>);

/// What a [`Btf`] points to.
pub(crate) struct Inner {
    /// The whole blob in native byte order.
    blob: Bytes,
    /// Its type section.
    types: Bytes,
    /// Its string section.
    strings: Bytes,
    /// Where in `types` the record of each own id begins.
    offsets: Box<[u32]>,
    /// The first own id: 1, or the number of types of the base.
    first_id: u32,
    /// The first own string offset: 0, or the bytes of the base's strings.
    first_string: u32,
    header: Header,
    base: Option<Btf>,
    /// The byte order that the blob had before it was made native.
    byte_order: ByteOrder,
    /// Bytes of a pointer, as far as that is known.
    pointer_size: Option<u8>,
    /// Whether there is an INT, here or below, that does not fill its bytes.
    irregular_ints: bool,
    /// What is made on the first question for it.
    pub(crate) names: Names,
    pub(crate) wide_align: WideAlign,
    tags: OnceBox<TagTable>,
}

impl Btf {
    /// Opens BTF that stands alone: the kernel's, or a BPF object's.
    ///
    /// The bytes are held, not copied, unless they are of the other byte
    /// order, in which case a converted copy is held instead. [`Bytes`] is
    /// made from a `Vec<u8>`, from a `&'static [u8]`, or with
    /// [`Bytes::from_owner`] from whatever owns bytes, such as a mapped file.
    ///
    /// Everything that later answers rely on is checked here: the header, that
    /// sections lie inside the blob and apart, that strings are terminated,
    /// that records fit and use up the type section, that all ids and name
    /// offsets of known kinds exist, and that each FUNC has a FUNC_PROTO.
    /// What a *kernel* would accept is another question; vmlinux itself breaks
    /// some of its rules.
    ///
    /// # Errors
    ///
    /// If one of these does not hold; [`Error::SplitWithoutBase`] if the BTF
    /// continues another one.
    pub fn parse(bytes: impl Into<Bytes>) -> Result<Self, Error> {
        Self::open(bytes.into(), None, None)
    }

    /// Opens split BTF, which continues the ids and strings of `base`: a
    /// kernel module's, on the kernel's.
    ///
    /// # Errors
    ///
    /// As for [`Btf::parse`]. That the base is the right one does not stand in
    /// the file: with a wrong one, ids or names usually turn out not to
    /// exist, and the error says so.
    pub fn parse_split(bytes: impl Into<Bytes>, base: &Self) -> Result<Self, Error> {
        Self::open(bytes.into(), Some(base), None)
    }

    /// Opens BTF whose pointers are known to have this many bytes, 4 or 8:
    /// an ELF file's class says it. Otherwise as [`Btf::parse`], or with a
    /// base as [`Btf::parse_split`].
    ///
    /// # Errors
    ///
    /// As for those; [`Error::PointerSize`] if it is neither 4 nor 8.
    pub fn parse_with_pointer_size(
        bytes: impl Into<Bytes>,
        base: Option<&Self>,
        pointer_size: u8,
    ) -> Result<Self, Error> {
        match pointer_size {
            4 | 8 => Self::open(bytes.into(), base, Some(pointer_size)),
            found => Err(Error::PointerSize { found }),
        }
    }

    fn open(mut blob: Bytes, base: Option<&Self>, pointer_size: Option<u8>) -> Result<Self, Error> {
        let byte_order = Header::parse(&blob)?.byte_order();
        if let Some(base) = base
            && base.byte_order() != byte_order
        {
            return Err(Error::ByteOrderOfBase { split: byte_order, base: base.byte_order() });
        }
        if !byte_order.is_native() {
            let mut native = Vec::from(blob);
            btf_format::convert(&mut native, ByteOrder::NATIVE)?;
            blob = native.into();
        }
        let raw = RawBtf::parse(&blob)?;
        let header = *raw.header();
        let index = open::check(&raw, base.map(|base| &*base.0))?;
        Ok(Self(Arc::new(Inner {
            types: blob.slice(header.types()),
            strings: blob.slice(header.strings()),
            offsets: index.offsets,
            pointer_size: pointer_size.or(base.and_then(Self::known_pointer_size)).or(index.pointer_size),
            irregular_ints: index.irregular_ints || base.is_some_and(|base| base.0.irregular_ints),
            names: Names::default(),
            wide_align: WideAlign::default(),
            tags: OnceBox::new(),
            first_id: base.map_or(1, Self::type_count),
            first_string: base.map_or(0, |base| base.0.strings_len()),
            header,
            base: base.cloned(),
            byte_order,
            blob,
        })))
    }

    /// The BTF that this one continues, if it is split.
    #[must_use]
    pub fn base(&self) -> Option<&Self> {
        self.0.base.as_ref()
    }

    /// Whether this continues another BTF.
    #[must_use]
    pub fn is_split(&self) -> bool {
        self.0.base.is_some()
    }

    /// This BTF, its base, the base of that, and so on.
    pub fn layers(&self) -> impl Iterator<Item = &Self> {
        core::iter::successors(Some(self), |btf| btf.base())
    }

    /// Whether this is the same BTF: a clone, and not just one that is equal.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Which of [`Btf::layers`] owns a type; `None` for `void`, and for a type
    /// of another BTF.
    #[must_use]
    pub fn layer_of<'btf>(&self, ty: impl Into<Type<'btf>>) -> Option<&Self> {
        let owner = ty.into().handle()?.btf;
        self.layers().find(|layer| core::ptr::eq(&*layer.0, owner))
    }

    /// Bytes of a pointer: as set when this was opened, or else as the BTF
    /// shows by the size of its `long`, or else 8, as in BPF objects.
    #[must_use]
    pub fn pointer_size(&self) -> u8 {
        self.0.pointer_size()
    }

    /// The same without the guess at the end.
    #[must_use]
    pub fn known_pointer_size(&self) -> Option<u8> {
        self.0.pointer_size
    }

    /// The tags that *this* BTF puts on a declaration, which may be its base's.
    pub fn decl_tags_of<'btf>(&'btf self, ty: impl Into<Type<'btf>>) -> DeclTags<'btf> {
        self.0.decl_tags(ty.into().id(), None)
    }

    /// The number of types: `void`, those of the base, and own ones. All ids
    /// are below it.
    #[must_use]
    #[inline]
    pub fn type_count(&self) -> u32 {
        self.0.type_count()
    }

    /// The ids of own types: all but `void` (0) if this is not split, and
    /// those after the base's if it is.
    #[must_use]
    #[inline]
    pub fn own_ids(&self) -> Range<u32> {
        self.0.first_id..self.type_count()
    }

    /// The type with this id, own or of the base; 0 is `void`.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchId`] if there is none. This is the only step that can
    /// fail: all that is reached from a type exists.
    #[inline]
    pub fn type_by_id(&self, id: u32) -> Result<Type<'_>, Error> {
        match self.0.type_at(id) {
            Some(ty) => Ok(ty),
            None => Err(Error::NoSuchId { id, count: self.type_count() }),
        }
    }

    /// The own types, in the order of their ids. Neither `void` nor the types
    /// of the base are among them.
    #[must_use]
    #[inline]
    pub fn types(&self) -> Types<'_> {
        self.0.types()
    }

    /// The byte order of the bytes that this was opened from.
    #[must_use]
    pub fn byte_order(&self) -> ByteOrder {
        self.0.byte_order
    }

    /// The header of the blob.
    #[must_use]
    pub fn header(&self) -> &Header {
        &self.0.header
    }

    /// The whole blob in native byte order: what it was opened from, unless
    /// that was of the other order.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0.blob
    }

    /// A copy of the blob in the given byte order. In the order that it was
    /// opened from, this is what it was opened from.
    ///
    /// # Errors
    ///
    /// Those of [`btf_format::convert`]: if there is a type of a kind, or data
    /// in the header, of which nobody knows how to convert it.
    pub fn to_bytes(&self, byte_order: ByteOrder) -> Result<Vec<u8>, Error> {
        let mut bytes = self.0.blob.to_vec();
        btf_format::convert(&mut bytes, byte_order)?;
        Ok(bytes)
    }
}

impl fmt::Debug for Btf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Btf")
            .field("ids", &self.own_ids())
            .field("bytes", &self.0.blob.len())
            .field("byte_order", &self.0.byte_order)
            .field("base", &self.0.base)
            .finish()
    }
}

impl Btf {
    pub(crate) fn inner(&self) -> &Inner {
        &self.0
    }
}

impl Inner {
    /// This layer, its base, the base of that, and so on.
    pub(crate) fn layers(&self) -> impl Iterator<Item = &Self> {
        core::iter::successors(Some(self), |layer| layer.base.as_ref().map(|base| &*base.0))
    }

    /// Own types, as [`Btf::types`].
    #[inline]
    pub(crate) fn types(&self) -> Types<'_> {
        Types { btf: self, offsets: self.offsets.iter(), id: self.first_id }
    }

    /// The number of own types.
    pub(crate) fn own_count(&self) -> u32 {
        self.offsets.len() as u32
    }

    /// An own type by its number among own types, from 0.
    #[inline]
    pub(crate) fn own(&self, number: u32) -> Option<Handle<'_>> {
        let offset = *self.offsets.get(number as usize)?;
        Some(Handle { btf: self, offset, id: self.first_id + number })
    }

    /// The record of each own type.
    pub(crate) fn own_records(&self) -> impl Iterator<Item = &TypeRecord> {
        self.offsets.iter().map(|&offset| self.record(offset))
    }

    /// Bytes of a pointer, known or not.
    pub(crate) fn pointer_size(&self) -> u8 {
        self.pointer_size.unwrap_or(8)
    }

    #[inline]
    pub(crate) fn has_irregular_ints(&self) -> bool {
        self.irregular_ints
    }

    /// The tags of a declaration, or of one of its components.
    pub(crate) fn decl_tags(&self, target: u32, component: Option<u32>) -> DeclTags<'_> {
        let table = self.tags.get_or_init(|| Box::new(TagTable::new(self.types())));
        table.of(self, target, component)
    }

    /// The type with this id, in this layer or the one that owns it.
    ///
    /// Inlined by force, like what it calls: then a caller who matches on the
    /// result gets a comparison of the kind, and no `Type` is ever made.
    #[inline(always)]
    pub(crate) fn type_at(&self, id: u32) -> Option<Type<'_>> {
        match self.handle_at(id) {
            Some(handle) => Some(Type::of(handle)),
            None if id == 0 => Some(Type::Void),
            None => None,
        }
    }

    /// The same for an id that was checked at opening.
    #[inline]
    pub(crate) fn type_of(&self, id: u32) -> Type<'_> {
        self.type_at(id).unwrap_or(Type::Void)
    }

    /// The type with this id without asking for its kind; `None` for `void`.
    #[inline(always)]
    pub(crate) fn handle_at(&self, id: u32) -> Option<Handle<'_>> {
        let mut layer = self;
        let mut offset = self.offset_of(id);
        if offset.is_none() {
            layer = self.owner(id)?;
            offset = layer.offset_of(id);
        }
        Some(Handle { btf: layer, offset: offset?, id })
    }

    /// Where the record of an own id begins in the type section.
    #[inline]
    fn offset_of(&self, id: u32) -> Option<u32> {
        self.offsets.get(id.wrapping_sub(self.first_id) as usize).copied()
    }

    /// The base, near or far, that owns an id.
    #[inline(never)]
    fn owner(&self, id: u32) -> Option<&Self> {
        let mut layer = self;
        while id < layer.first_id {
            layer = &layer.base.as_ref()?.0;
        }
        Some(layer)
    }

    /// The record at an offset of the index.
    #[inline(always)]
    pub(crate) fn record(&self, offset: u32) -> &TypeRecord {
        static ZERO: TypeRecord = TypeRecord::ZERO;
        let start = offset as usize;
        self.types.get(start..start + size_of::<TypeRecord>()).and_then(TypeRecord::first).unwrap_or(&ZERO)
    }

    /// The record at `offset`, and what follows it up to the end of the type
    /// section.
    #[inline]
    pub(crate) fn bytes_at(&self, offset: u32) -> &[u8] {
        self.types.get(offset as usize..).unwrap_or_default()
    }

    /// What follows the 12 bytes of the record at `offset`, up to the end of
    /// the type section.
    #[inline]
    pub(crate) fn rest_at(&self, offset: u32) -> &[u8] {
        self.types.get(offset as usize + size_of::<TypeRecord>()..).unwrap_or_default()
    }

    /// The name at an offset that was checked at opening.
    #[inline]
    pub(crate) fn name_at(&self, offset: u32) -> Name<'_> {
        let tail = self.string_at(offset);
        let len = memchr::memchr(0, tail).unwrap_or(0);
        Name::new(tail.get(..len).unwrap_or_default())
    }

    /// The strings of the layer that owns an offset, from that offset on.
    #[inline]
    pub(crate) fn string_at(&self, offset: u32) -> &[u8] {
        match self.strings.get(offset.wrapping_sub(self.first_string) as usize..) {
            Some(tail) => tail,
            None => self.string_elsewhere(offset),
        }
    }

    #[inline(never)]
    fn string_elsewhere(&self, offset: u32) -> &[u8] {
        self.base.as_ref().map_or(&[], |base| base.0.string_at(offset))
    }

    /// The number of types, as [`Btf::type_count`].
    #[inline]
    pub(crate) fn type_count(&self) -> u32 {
        self.first_id + self.offsets.len() as u32
    }

    /// Bytes of all strings, the base's included.
    pub(crate) fn strings_len(&self) -> u32 {
        self.first_string + self.strings.len() as u32
    }

    /// The layout section, or that of the nearest base that has one.
    pub(crate) fn layout(&self) -> Layout<'_> {
        let own = Layout::new(self.blob.get(self.header.layout()).unwrap_or_default());
        own.or(self.base.as_ref().map_or(Layout::NONE, |base| base.0.layout()))
    }
}

/// Iterator over the own types of a [`Btf`], see [`Btf::types`].
#[derive(Clone)]
pub struct Types<'btf> {
    btf: &'btf Inner,
    /// The records that are left.
    offsets: slice::Iter<'btf, u32>,
    /// The id of the first of them.
    id: u32,
}

impl<'btf> Iterator for Types<'btf> {
    type Item = Type<'btf>;

    #[inline]
    fn next(&mut self) -> Option<Type<'btf>> {
        let &offset = self.offsets.next()?;
        let id = self.id;
        self.id += 1;
        Some(Type::of(Handle { btf: self.btf, offset, id }))
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        self.offsets.size_hint()
    }
}

impl DoubleEndedIterator for Types<'_> {
    #[inline]
    fn next_back(&mut self) -> Option<Self::Item> {
        let &offset = self.offsets.next_back()?;
        let id = self.id + self.offsets.len() as u32;
        Some(Type::of(Handle { btf: self.btf, offset, id }))
    }
}

impl ExactSizeIterator for Types<'_> {}
impl FusedIterator for Types<'_> {}

impl fmt::Debug for Types<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.clone()).finish()
    }
}

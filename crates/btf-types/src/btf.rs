//! The BTF of a kernel, a module or an object: one pointer to its layer.

use alloc::{sync::Arc, vec::Vec};
use core::{fmt, ops::Range};

use btf_format::{ByteOrder, Name, Record};
use bytes::Bytes;

use crate::{AllTypes, DeclTags, Error, ParseOptions, Type, Types, View, layer::Layer};

/// The types of a kernel, a module or an object, opened and checked.
///
/// Cloning it copies a pointer.
#[derive(Clone)]
pub struct Btf(Arc<Layer>);

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
    /// ```
    /// # fn main() -> Result<(), btf_types::Error> {
    /// use btf_types::{Btf, Bytes, Error, Type};
    ///
    /// # let file = std::fs::read("doc/kernel.btf").unwrap();
    /// let vmlinux = Btf::parse(file)?; // std::fs::read("/sys/kernel/btf/vmlinux")?
    /// assert_eq!(vmlinux.types().len(), 60);
    /// assert!(matches!(vmlinux.type_by_id(0)?, Type::Void));
    ///
    /// assert!(matches!(Btf::parse(Bytes::from_static(b"\x7fELF")), Err(Error::Format(_))));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// If one of these does not hold; [`Error::SplitWithoutBase`] if the BTF
    /// continues another one.
    pub fn parse(bytes: impl Into<Bytes>) -> Result<Self, Error> {
        Self::options().parse(bytes)
    }

    /// Opens split BTF, which continues the ids and strings of `base`: a
    /// kernel module's, on the kernel's.
    ///
    /// ```
    /// # fn main() -> Result<(), btf_types::Error> {
    /// use btf_types::{Btf, Error, Struct};
    ///
    /// # let vmlinux = Btf::parse(std::fs::read("doc/kernel.btf").unwrap())?;
    /// # let bytes = std::fs::read("doc/veth.btf").unwrap();
    /// let veth = Btf::parse_split(bytes.clone(), &vmlinux)?;
    /// assert_eq!(veth.own_ids(), 61..66); // vmlinux has 1 to 60
    ///
    /// let private: Struct<'_> = veth.find("veth_priv")?;
    /// let work = private.member("work").unwrap();
    /// assert_eq!(work.ty(), vmlinux.find("work_struct")?); // the same type
    ///
    /// assert!(matches!(Btf::parse(bytes), Err(Error::SplitWithoutBase)));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`Btf::parse`]. Split BTF does not record which base it needs:
    /// with a wrong one, ids or names usually turn out not to exist, and the
    /// error says so.
    pub fn parse_split(bytes: impl Into<Bytes>, base: &Self) -> Result<Self, Error> {
        Self::options().base(base).parse(bytes)
    }

    /// Returns options for opening BTF: its base, the size of its pointers.
    #[must_use]
    pub fn options() -> ParseOptions<'static> {
        ParseOptions::default()
    }

    /// Opens bytes that a program has written in native byte order, for BTF
    /// that had, or is to have, the order `byte_order`: so that neither the
    /// writer nor this has to swap them. [`Btf::to_bytes`] does, when asked.
    ///
    /// `pointer_size` is that of the BTF that was rewritten:
    /// [`Btf::known_pointer_size`].
    ///
    /// # Errors
    ///
    /// As for [`ParseOptions::parse`], and [`Error::Format`] if the bytes are
    /// not in native byte order.
    pub fn from_native(
        bytes: impl Into<Bytes>,
        base: Option<&Self>,
        byte_order: ByteOrder,
        pointer_size: Option<u8>,
    ) -> Result<Self, Error> {
        let mut layer = Layer::open(bytes.into(), base, byte_order, pointer_size)?;
        Ok(Self(Arc::new_cyclic(|this| {
            layer.this = this.clone();
            layer
        })))
    }

    /// The BTF that this one continues, if it is split.
    #[must_use]
    pub fn base(&self) -> Option<&Self> {
        self.0.base()
    }

    /// Whether this continues another BTF.
    #[must_use]
    pub fn is_split(&self) -> bool {
        self.0.base().is_some()
    }

    /// This BTF, its base, the base of that, and so on.
    ///
    /// ```
    /// # fn main() -> Result<(), btf_types::Error> {
    /// use btf_types::Btf;
    ///
    /// # let vmlinux = Btf::parse(std::fs::read("doc/kernel.btf").unwrap())?;
    /// # let veth = Btf::parse_split(std::fs::read("doc/veth.btf").unwrap(), &vmlinux)?;
    /// let mut layers = veth.layers();
    /// assert!(layers.next().unwrap().is_same(&veth));
    /// assert!(layers.next().unwrap().is_same(&vmlinux));
    /// assert!(layers.next().is_none());
    /// # Ok(())
    /// # }
    /// ```
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
    ///
    /// ```
    /// # fn main() -> Result<(), btf_types::Error> {
    /// use btf_types::{Btf, Func};
    ///
    /// # let vmlinux = Btf::parse(std::fs::read("doc/kernel.btf").unwrap())?;
    /// # let veth = Btf::parse_split(std::fs::read("doc/veth.btf").unwrap(), &vmlinux)?;
    /// let xmit: Func<'_> = veth.find("veth_xmit")?;
    /// let consume: Func<'_> = veth.find("consume_skb")?;
    /// assert!(veth.layer_of(xmit).unwrap().is_same(&veth));
    /// assert!(veth.layer_of(consume).unwrap().is_same(&vmlinux));
    /// # Ok(())
    /// # }
    /// ```
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

    /// The tags that *this* BTF puts on a declaration and on its members or
    /// parameters; those of the declaration come first.
    ///
    /// ```
    /// # fn main() -> Result<(), btf_types::Error> {
    /// use btf_types::{Btf, Func};
    ///
    /// # let vmlinux = Btf::parse(std::fs::read("doc/kernel.btf").unwrap())?;
    /// let acquire: Func<'_> = vmlinux.find("bpf_task_acquire")?;
    /// let tags: Vec<_> = vmlinux.all_decl_tags_of(acquire).map(|tag| (tag.name(), tag.component_idx())).collect();
    /// assert_eq!(tags, [("bpf_kfunc".into(), None), ("arg:nonnull".into(), Some(0))]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn all_decl_tags_of<'btf>(&'btf self, ty: impl Into<Type<'btf>>) -> DeclTags<'btf> {
        self.0.all_decl_tags(ty.into().id())
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
        self.0.own_ids()
    }

    /// The type with this id, own or of the base; 0 is `void`.
    ///
    /// ```
    /// # fn main() -> Result<(), btf_types::Error> {
    /// use btf_types::{Btf, Error};
    ///
    /// # let vmlinux = Btf::parse(std::fs::read("doc/kernel.btf").unwrap())?;
    /// assert_eq!(vmlinux.type_by_id(17)?.to_string(), "struct sk_buff");
    /// assert_eq!(vmlinux.type_by_id(0)?.to_string(), "void");
    /// assert!(matches!(vmlinux.type_by_id(61), Err(Error::NoSuchId { id: 61, .. })));
    /// # Ok(())
    /// # }
    /// ```
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

    /// The record of a type, own or of the base, as its blob has it in native
    /// byte order: for those who rewrite it. `None` for `void`, and if there is
    /// no such type.
    ///
    /// ```
    /// # fn main() -> Result<(), btf_types::Error> {
    /// # let btf = btf_types::Btf::parse(std::fs::read("doc/point.btf").unwrap())?;
    /// let of_all: Vec<u8> = btf.own_ids().flat_map(|id| btf.record(id).unwrap().as_bytes().to_vec()).collect();
    /// assert_eq!(of_all, btf.as_bytes()[btf.type_section()]);
    /// assert!(btf.record(0).is_none());
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    #[inline]
    pub fn record(&self, id: u32) -> Option<Record<'_>> {
        self.0.handle_at(id)?.whole_record()
    }

    /// The own types, in the order of their ids. Neither `void` nor the types
    /// of the base are among them.
    ///
    /// ```
    /// # fn main() -> Result<(), btf_types::Error> {
    /// use btf_types::{Btf, Kind};
    ///
    /// # let vmlinux = Btf::parse(std::fs::read("doc/kernel.btf").unwrap())?;
    /// # let veth = Btf::parse_split(std::fs::read("doc/veth.btf").unwrap(), &vmlinux)?;
    /// let functions = veth.types().filter(|ty| ty.kind() == Some(Kind::Func));
    /// assert_eq!(functions.map(|ty| ty.name().to_string()).collect::<Vec<_>>(), ["veth_xmit"]);
    ///
    /// // The iterator has a length, and two ends.
    /// assert_eq!(veth.types().len(), 5);
    /// assert_eq!(veth.types().next_back().unwrap().id(), 65);
    /// # Ok(())
    /// # }
    /// ```
    #[inline]
    pub fn types(&self) -> Types<'_> {
        self.0.types()
    }

    /// The types of the base, if this is split, and own types: all but `void`, by
    /// rising id.
    ///
    /// ```
    /// # fn main() -> Result<(), btf_types::Error> {
    /// use btf_types::{Btf, Struct, View};
    ///
    /// # let vmlinux = Btf::parse(std::fs::read("doc/kernel.btf").unwrap())?;
    /// # let veth = Btf::parse_split(std::fs::read("doc/veth.btf").unwrap(), &vmlinux)?;
    /// // The structs of more than 32 bytes, of the kernel and of the module.
    /// let large = veth.all_types().filter_map(Struct::of).filter(|s| s.size() > 32);
    /// let large: Vec<_> = large.map(|s| s.name().to_string()).collect();
    /// assert_eq!(large, ["sk_buff", "task_struct", "veth_priv"]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn all_types(&self) -> AllTypes<'_> {
        AllTypes::new(&self.0)
    }

    /// Types of a kind that have no name, own ones and then those of the base, each
    /// by rising id.
    ///
    /// ```
    /// # fn main() -> Result<(), btf_types::Error> {
    /// use btf_types::{AnyEnum, Btf};
    ///
    /// # let vmlinux = Btf::parse(std::fs::read("doc/kernel.btf").unwrap())?;
    /// let constants = vmlinux.anonymous::<AnyEnum<'_>>().flat_map(|e| e.values());
    /// let constants: Vec<_> = constants.map(|value| value.to_string()).collect();
    /// assert_eq!(constants, ["BPF_F_INDEX_MASK = 4294967295", "BPF_F_CTXLEN_MASK = 4503595332403200"]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn anonymous<'btf, K: View<'btf>>(&'btf self) -> impl Iterator<Item = K> {
        self.layers().flat_map(Self::types).filter(|ty| ty.is_anonymous()).filter_map(K::of)
    }

    /// The byte order of the bytes that this was opened from.
    #[must_use]
    pub fn byte_order(&self) -> ByteOrder {
        self.0.byte_order
    }

    /// Length of the header in bytes (`hdr_len`): 24, 32, or what a later
    /// producer made it.
    #[must_use]
    pub fn hdr_len(&self) -> u32 {
        self.0.header.hdr_len()
    }

    /// Whether this BTF has a layout section. Since Linux 7.1.
    #[must_use]
    pub fn has_layout(&self) -> bool {
        !self.0.header.layout().is_empty()
    }

    /// Whether the header has bytes of unknown meaning that are not zero. Such BTF
    /// can be read, but not rewritten.
    #[must_use]
    pub fn has_unknown_header_data(&self) -> bool {
        self.0.header.has_unknown_data()
    }

    /// Checks that all bytes of the header are known, so that the BTF can be
    /// rewritten.
    ///
    /// # Errors
    ///
    /// [`Error::Format`] if [`Btf::has_unknown_header_data`].
    pub fn check_known_header(&self) -> Result<(), Error> {
        Ok(self.0.header.check_known()?)
    }

    /// Checks that all own types are of kinds of which every word is known, 1 to
    /// 22, so that ids and names can be rewritten, and the byte order converted.
    ///
    /// # Errors
    ///
    /// [`Error::Format`] if there is one of another kind.
    pub fn check_known_kinds(&self) -> Result<(), Error> {
        self.0.check_roles()
    }

    /// Position of the type section in [`Btf::as_bytes`].
    #[must_use]
    pub fn type_section(&self) -> Range<usize> {
        self.0.header.types()
    }

    /// Position of the layout section in [`Btf::as_bytes`]; empty if there is
    /// none.
    #[must_use]
    pub fn layout_section(&self) -> Range<usize> {
        self.0.header.layout()
    }

    /// Position of the string section in [`Btf::as_bytes`].
    #[must_use]
    pub fn string_section(&self) -> Range<usize> {
        self.0.header.strings()
    }

    /// The string at an offset, of own strings or of the base's
    /// (`btf__str_by_offset`); `None` beyond [`Btf::string_len`].
    ///
    /// ```
    /// # fn main() -> Result<(), btf_types::Error> {
    /// use btf_types::Btf;
    ///
    /// # let vmlinux = Btf::parse(std::fs::read("doc/kernel.btf").unwrap())?;
    /// let name_off = vmlinux.record(17).unwrap().head().name_off();
    /// assert_eq!(vmlinux.string_at(name_off).unwrap(), "sk_buff");
    /// assert!(vmlinux.string_at(vmlinux.string_len()).is_none());
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn string_at(&self, offset: u32) -> Option<Name<'_>> {
        (offset < self.string_len()).then(|| self.0.name_at(offset))
    }

    /// Bytes of all strings, the base's included: the first offset that is not a
    /// string's, and of BTF that is split from this one the first own offset.
    #[must_use]
    pub fn string_len(&self) -> u32 {
        self.0.strings_len()
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
    /// ```
    /// # fn main() -> Result<(), btf_types::Error> {
    /// use btf_types::{Btf, ByteOrder, Struct};
    ///
    /// # let bytes = std::fs::read("doc/kernel.btf").unwrap();
    /// let vmlinux = Btf::parse(bytes.clone())?;
    /// let big = vmlinux.to_bytes(ByteOrder::Big)?; // for an s390x machine
    /// assert_eq!(big[..2], [0xeb, 0x9f]);
    ///
    /// // BTF of either byte order is opened, and then there is no difference.
    /// let again = Btf::parse(big)?;
    /// assert_eq!(again.byte_order(), ByteOrder::Big);
    /// assert_eq!(again.find::<Struct<'_>>("sk_buff")?.size(), 56);
    /// assert_eq!(again.to_bytes(ByteOrder::Little)?, bytes);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Format`] if there is a type of a kind, or data in the header, of
    /// which nobody knows how to convert it.
    pub fn to_bytes(&self, byte_order: ByteOrder) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::with_capacity(self.0.blob.len());
        self.put_bytes(byte_order, |piece| bytes.extend_from_slice(piece))?;
        Ok(bytes)
    }

    /// Calls `put` with one piece after the other of what [`Btf::to_bytes`]
    /// returns, without a copy of the whole.
    ///
    /// # Errors
    ///
    /// As for [`Btf::to_bytes`]; nothing is put then.
    pub fn put_bytes(&self, byte_order: ByteOrder, mut put: impl FnMut(&[u8])) -> Result<(), Error> {
        if byte_order.is_native() {
            put(&self.0.blob);
            return Ok(());
        }
        self.check_known_header()?;
        self.check_known_kinds()?;
        btf_format::put_converted(&self.0.blob, &self.0.header, put);
        Ok(())
    }
}

/// Own types, as [`Btf::types`].
impl<'btf> IntoIterator for &'btf Btf {
    type Item = Type<'btf>;
    type IntoIter = Types<'btf>;

    fn into_iter(self) -> Types<'btf> {
        self.types()
    }
}

impl fmt::Debug for Btf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Btf")
            .field("ids", &self.own_ids())
            .field("bytes", &self.0.blob.len())
            .field("byte_order", &self.0.byte_order)
            .field("layers", &(self.0.depth() + 1))
            .finish()
    }
}

impl Btf {
    pub(crate) fn of_layer(layer: &Layer) -> Option<Self> {
        layer.this.upgrade().map(Self)
    }

    pub(crate) fn layer(&self) -> &Layer {
        &self.0
    }

    /// The layer, if nobody else holds it.
    pub(crate) fn into_layer(self) -> Option<Layer> {
        Arc::into_inner(self.0)
    }
}

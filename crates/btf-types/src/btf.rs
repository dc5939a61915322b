//! The BTF of a kernel, a module or an object: one pointer to its layer.

use alloc::{sync::Arc, vec::Vec};
use core::{fmt, ops::Range};

use btf_format::{ByteOrder, Name, Record};
use bytes::Bytes;

use crate::{AllTypes, DeclTags, Error, ParseOptions, Type, Types, View, layer::Layer};

/// Types of a kernel, a module or an object, opened and checked.
///
/// Cloning copies a pointer.
#[derive(Clone)]
pub struct Btf(Arc<Layer>);

impl Btf {
    /// Opens BTF that is not split: that of a kernel or of a BPF object.
    ///
    /// The bytes are held, not copied, unless they are of the other byte order:
    /// then a converted copy is held. Make [`Bytes`] from a `Vec<u8>`, from a
    /// `&'static [u8]`, or with [`Bytes::from_owner`] from anything that owns
    /// bytes, such as a mapped file.
    ///
    /// Everything that later queries rely on is checked here: the header;
    /// sections lie inside the blob and do not overlap; strings are terminated;
    /// records fill the type section exactly; ids and name offsets of known
    /// kinds exist; each FUNC has a FUNC_PROTO. The stricter rules of the
    /// *kernel* are not checked: vmlinux itself breaks some of them.
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
    /// If a check fails; [`Error::SplitWithoutBase`] if the BTF is split.
    pub fn parse(bytes: impl Into<Bytes>) -> Result<Self, Error> {
        Self::options().parse(bytes)
    }

    /// Opens split BTF, which continues the ids and strings of `base`: that of
    /// a kernel module, with the kernel's BTF as its base.
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

    /// Returns options for opening BTF: base and pointer size.
    #[must_use]
    pub fn options() -> ParseOptions<'static> {
        ParseOptions::default()
    }

    /// Opens bytes that a program has written in native byte order, for BTF of
    /// the byte order `byte_order`. The bytes are not swapped;
    /// [`Btf::to_bytes`] swaps them on request.
    ///
    /// `pointer_size` is that of the BTF that was rewritten: see
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

    /// The base BTF, if this is split BTF.
    #[must_use]
    pub fn base(&self) -> Option<&Self> {
        self.0.base()
    }

    /// Returns `true` for split BTF.
    #[must_use]
    pub fn is_split(&self) -> bool {
        self.0.base().is_some()
    }

    /// Iterates over this BTF, its base, the base of that, and so on.
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

    /// Returns `true` if this is a clone of `other`, and not merely equal to
    /// it.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Returns the one of [`Btf::layers`] that owns a type; `None` for `void`,
    /// and for a type of another BTF.
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

    /// Size of a pointer in bytes: as set when opening, else the size of `long`
    /// in the BTF, else 8, as in BPF objects.
    #[must_use]
    #[inline]
    pub fn pointer_size(&self) -> u8 {
        self.0.pointer_size()
    }

    /// Size of a pointer in bytes: as set when opening, else the size of `long`
    /// in the BTF, else `None`.
    #[must_use]
    pub fn known_pointer_size(&self) -> Option<u8> {
        self.0.pointer_size
    }

    /// Returns the DECL_TAGs that *this* BTF has for a declaration, which may
    /// belong to its base.
    pub fn decl_tags_of<'btf>(&'btf self, ty: impl Into<Type<'btf>>) -> DeclTags<'btf> {
        self.0.decl_tags(ty.into().id(), None)
    }

    /// Returns the DECL_TAGs that *this* BTF has for a declaration and for its
    /// members or parameters. Those of the declaration come first.
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

    /// Number of types: `void`, those of the base, and own types. All ids are
    /// below it.
    #[must_use]
    #[inline]
    pub fn type_count(&self) -> u32 {
        self.0.type_count()
    }

    /// Ids of the own types: those after the base's if this is split BTF, else
    /// all but `void` (0).
    #[must_use]
    #[inline]
    pub fn own_ids(&self) -> Range<u32> {
        self.0.own_ids()
    }

    /// Returns the type with this id, own or of the base; 0 is `void`.
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
    /// [`Error::NoSuchId`] if there is none. Only this step can fail: every
    /// type that a type refers to exists.
    #[inline]
    pub fn type_by_id(&self, id: u32) -> Result<Type<'_>, Error> {
        match self.0.type_at(id) {
            Some(ty) => Ok(ty),
            None => Err(Error::NoSuchId { id, count: self.type_count() }),
        }
    }

    /// Returns the record of a type, own or of the base, in native byte order,
    /// for code that rewrites BTF. `None` for `void` and for ids that do not
    /// exist.
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

    /// Iterates over the own types, by ascending id, without `void` and the
    /// types of the base.
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

    /// Iterates over the types of the base, if any, and the own types, by
    /// ascending id, without `void`.
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

    /// Iterates over types of a kind that have no name: own types, then those
    /// of the base, each by ascending id.
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

    /// Byte order of the bytes from which this was opened.
    #[must_use]
    pub fn byte_order(&self) -> ByteOrder {
        self.0.byte_order
    }

    /// Length of the header in bytes (`hdr_len`): 24, 32, or more from a later
    /// producer.
    #[must_use]
    pub fn hdr_len(&self) -> u32 {
        self.0.header.hdr_len()
    }

    /// Returns `true` if this BTF has a layout section. Since Linux 7.1.
    #[must_use]
    pub fn has_layout(&self) -> bool {
        !self.0.header.layout().is_empty()
    }

    /// Returns `true` if the header has unknown fields that are not zero. Such
    /// BTF can be read, but not rewritten.
    #[must_use]
    pub fn has_unknown_header_data(&self) -> bool {
        self.0.header.has_unknown_data()
    }

    /// Checks that the header has no unknown fields, so that the BTF can be
    /// rewritten.
    ///
    /// # Errors
    ///
    /// [`Error::Format`] if [`Btf::has_unknown_header_data`].
    pub fn check_known_header(&self) -> Result<(), Error> {
        Ok(self.0.header.check_known()?)
    }

    /// Checks that all own types are of kinds whose words are known, 1 to 22,
    /// so that ids and names can be rewritten and the byte order converted.
    ///
    /// # Errors
    ///
    /// [`Error::Format`] if a type is of another kind.
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

    /// Returns the string at an offset, own or of the base
    /// (`btf__str_by_offset`); `None` for offsets from [`Btf::string_len`] on.
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

    /// Length of all strings in bytes, including those of the base. This is the
    /// first own string offset of BTF that is split from this one.
    #[must_use]
    pub fn string_len(&self) -> u32 {
        self.0.strings_len()
    }

    /// The whole blob in native byte order: the bytes from which this was
    /// opened, or a converted copy.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0.blob
    }

    /// Returns a copy of the blob in the given byte order. In the original byte
    /// order, this is equal to the original bytes.
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
    /// [`Error::Format`] if a type has a kind, or the header has fields, that
    /// cannot be converted.
    pub fn to_bytes(&self, byte_order: ByteOrder) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::with_capacity(self.0.blob.len());
        self.put_bytes(byte_order, |piece| bytes.extend_from_slice(piece))?;
        Ok(bytes)
    }

    /// Calls `put` with each piece of the result of [`Btf::to_bytes`] in order,
    /// without a copy of the whole.
    ///
    /// # Errors
    ///
    /// As for [`Btf::to_bytes`]. After an error, `put` was not called.
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

/// Iterates over the own types, as [`Btf::types`].
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

    /// Returns the layer, if this is its only holder.
    pub(crate) fn into_layer(self) -> Option<Layer> {
        Arc::into_inner(self.0)
    }
}

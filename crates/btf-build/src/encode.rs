//! Encoding BTF as bytes: for a byte order, a header size, a kernel.

use btf_types::{
    Btf, ByteOrder, Kind,
    format::{Assembly, Feature, FeatureSet, Header, Info, KernelVersion, LayoutEntry, Record, Shape},
};

use crate::{
    Error,
    layers::{name_of, own_layout, own_records, own_strings},
    sanitize::{first_rewritten, sanitize_within},
    verify::{LOCATIONS, Limits},
};

/// Options for encoding BTF as bytes.
///
/// Without options, these are the bytes from which the BTF was opened.
///
/// ```
/// # fn main() -> Result<(), btf_build::Error> {
/// use btf_build::{Builder, Encode, Error, IntEncoding};
/// use btf_types::{ByteOrder, format::KernelVersion};
///
/// let mut b = Builder::new();
/// b.int("int", 4, IntEncoding::SIGNED)?;
/// b.float("double", 8)?;
/// let btf = b.finish()?;
///
/// let bytes = Encode::new().byte_order(ByteOrder::Big).encode(&btf)?;
/// assert_eq!(bytes[..2], [0xeb, 0x9f]);
///
/// let refused = Encode::new().for_kernel(KernelVersion::new(5, 4)).encode(&btf).unwrap_err();
/// assert_eq!(
///     refused.to_string(),
///     "type 2 (FLOAT double) cannot be read by the kernel: FLOAT came with Linux 5.13"
/// );
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, Default)]
#[must_use]
pub struct Encode {
    byte_order: Option<ByteOrder>,
    header_size: Option<u32>,
    layout: Option<bool>,
    target: Option<Target>,
    sanitize: bool,
}

/// The kernel that a BTF is encoded for.
#[derive(Debug, Clone, Copy)]
struct Target {
    features: FeatureSet,
    /// `None` if only features are given.
    version: Option<KernelVersion>,
}

impl Encode {
    /// Encodes BTF unchanged.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the byte order. The default is the one from which the BTF was
    /// opened.
    pub fn byte_order(self, byte_order: ByteOrder) -> Self {
        Self { byte_order: Some(byte_order), ..self }
    }

    /// Sets the size of the header in bytes: 24, which all kernels and readers
    /// support, or 32, which a layout section needs and libbpf 1.8 writes.
    ///
    /// By default it is unchanged; [for a kernel](Self::for_kernel), it is the
    /// minimum.
    pub fn header_size(self, bytes: u32) -> Self {
        Self { header_size: Some(bytes), ..self }
    }

    /// Sets whether there is a layout section, which gives readers the sizes of
    /// unknown kinds. By default it is kept if the kernel supports it (since
    /// Linux 7.1).
    pub fn layout(self, layout: bool) -> Self {
        Self { layout: Some(layout), ..self }
    }

    /// Encodes for a kernel of this version: types that it cannot read or does
    /// not accept, and that [`sanitize`](Self::sanitize) would rewrite, are errors.
    ///
    /// Distributions backport features: for the running kernel, probe, and use
    /// [`Encode::for_features`].
    pub fn for_kernel(self, version: KernelVersion) -> Self {
        Self { target: Some(Target { features: FeatureSet::of(version), version: Some(version) }), ..self }
    }

    /// Encodes for a kernel that supports these features.
    pub fn for_features(self, features: FeatureSet) -> Self {
        Self { target: Some(Target { features, version: None }), ..self }
    }

    /// Sets whether types that the kernel cannot read are rewritten
    /// ([`sanitize`](crate::sanitize)) instead of rejected. Has no effect
    /// without a kernel.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use btf_build::{Builder, Encode, verify};
    /// use btf_types::format::KernelVersion;
    ///
    /// let mut b = Builder::new();
    /// b.float("double", 8)?;
    /// let btf = b.finish()?;
    ///
    /// let version = KernelVersion::new(5, 4);
    /// let encode = Encode::new().for_kernel(version);
    /// assert!(encode.encode(&btf).is_err(), "FLOAT came with Linux 5.13");
    /// let bytes = encode.sanitize(true).encode(&btf)?;
    /// assert!(verify(&bytes, version).is_ok());
    /// # Ok(())
    /// # }
    /// ```
    pub fn sanitize(self, sanitize: bool) -> Self {
        Self { sanitize, ..self }
    }

    /// Encodes BTF; of split BTF, only its own part.
    ///
    /// # Errors
    ///
    /// [`Error::Unreadable`], [`Error::UnknownKind`] and
    /// [`Error::UnreadableHeader`] if the kernel cannot read the BTF;
    /// [`Error::Rejected`] if it does not accept the size or name of a type;
    /// [`Error::LayoutNeeded`] if the layout section cannot be omitted;
    /// [`Error::HeaderSize`]; [`Error::Format`] if a type has a kind, or the
    /// header has fields, that cannot be converted to the other byte order.
    pub fn encode(&self, btf: &Btf) -> Result<Vec<u8>, Error> {
        // With room for a header and a layout section that it does not have.
        let mut bytes = Vec::with_capacity(btf.as_bytes().len() + if self.layout.is_some() { 128 } else { 8 });
        self.encode_to(btf, |part| bytes.extend_from_slice(part))?;
        Ok(bytes)
    }

    /// Encodes BTF, and calls `put` with each piece of the bytes in order,
    /// without a copy of the whole.
    ///
    /// Most pieces have at least the size of a page, so that a writer needs no
    /// buffer.
    ///
    /// ```
    /// # fn main() -> Result<(), btf_build::Error> {
    /// use btf_build::{Builder, Encode};
    /// use btf_types::ByteOrder;
    ///
    /// let mut b = Builder::new();
    /// b.float("double", 8)?;
    /// let (btf, encode) = (b.finish()?, Encode::new().byte_order(ByteOrder::Big));
    ///
    /// let mut sum = 0;
    /// encode.encode_to(&btf, |piece| sum += piece.len())?;
    /// assert_eq!(sum, encode.encode(&btf)?.len());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`Encode::encode`]. After an error, `put` was not called.
    pub fn encode_to(&self, btf: &Btf, put: impl FnMut(&[u8])) -> Result<(), Error> {
        let byte_order = self.byte_order.unwrap_or(btf.byte_order());
        if self.header_size.is_none() && self.layout.is_none() && self.target.is_none() {
            return Ok(btf.put_bytes(byte_order, put)?);
        }
        if let Some(target) = &self.target {
            if self.sanitize {
                let plain = sanitize_within(btf, &target.limits())?;
                target.check_features(&plain)?;
                return self.write(&plain, put);
            }
            target.check_features(btf)?;
            target.check_limits(btf)?;
        }
        self.write(btf, put)
    }

    /// Writes BTF that the kernel can read.
    fn write(&self, btf: &Btf, put: impl FnMut(&[u8])) -> Result<(), Error> {
        let byte_order = self.byte_order.unwrap_or(btf.byte_order());
        btf.check_known_header()?;
        if !byte_order.is_native() {
            btf.check_known_kinds()?;
        }
        let layout = self.layout_section(btf)?;
        let types = btf.as_bytes().get(btf.type_section()).unwrap_or_default();
        let hdr_len = self.hdr_len(btf, &layout)?;
        let assembly = Assembly::new(types, own_strings(btf)).layout(&layout).hdr_len(hdr_len).byte_order(byte_order);
        Ok(assembly.write(put)?)
    }

    fn layout_section(&self, btf: &Btf) -> Result<Vec<u8>, Error> {
        let is_readable = self.target.is_none_or(|target| target.features.contains(Feature::Layout));
        match self.layout {
            Some(true) if !is_readable => {
                let since = Feature::Layout.since();
                Err(Error::UnreadableHeader { what: "the layout section", since })
            }
            Some(true) if own_layout(btf).is_empty() => {
                Ok(LayoutEntry::known().flat_map(|entry| entry.as_bytes().to_vec()).collect())
            }
            None | Some(true) if is_readable => Ok(own_layout(btf).to_vec()),
            _ => {
                let unknown = own_records(btf).find(|(_, record)| record.check_roles().is_err());
                match unknown.filter(|_| !own_layout(btf).is_empty()) {
                    Some((id, record)) => Err(Error::LayoutNeeded {
                        id,
                        kind: record.head().info().kind_number(),
                        name: name_of(btf, id),
                    }),
                    None => Ok(Vec::new()),
                }
            }
        }
    }

    fn hdr_len(&self, btf: &Btf, layout: &[u8]) -> Result<u32, Error> {
        let least = if layout.is_empty() { Header::SIZE } else { Header::SIZE_WITH_LAYOUT };
        match self.header_size {
            Some(size) if size == Header::SIZE_WITH_LAYOUT || size == least => Ok(size),
            Some(found) => {
                let expected = if layout.is_empty() { "24 or 32" } else { "32, for the layout section" };
                Err(Error::HeaderSize { found, expected })
            }
            None if self.target.is_some() => Ok(least),
            None => Ok(btf.hdr_len().clamp(least, Header::SIZE_WITH_LAYOUT)),
        }
    }
}

impl Target {
    fn limits(&self) -> Limits {
        match self.version {
            Some(version) => Limits::new(version, self.features),
            None => Limits::of_features(self.features),
        }
    }

    /// Checks that the kernel can read each own type.
    fn check_features(&self, btf: &Btf) -> Result<(), Error> {
        if btf.is_split() && !self.features.contains(Feature::ModuleBtf) {
            let since = Feature::ModuleBtf.since();
            return Err(Error::UnreadableHeader { what: "split BTF", since });
        }
        for (id, record) in own_records(btf) {
            if let Some((what, since)) = self.unreadable(btf, id, &record)? {
                return Err(Error::Unreadable { id, kind: record.kind(), name: name_of(btf, id), what, since });
            }
        }
        Ok(())
    }

    /// Checks that no own type is one that sanitizing rewrites for a limit of
    /// the kernel that is not a feature.
    fn check_limits(&self, btf: &Btf) -> Result<(), Error> {
        match first_rewritten(btf, &self.limits())? {
            Some((id, what)) => {
                let kind = btf.type_by_id(id).ok().and_then(btf_types::Type::kind);
                Err(Error::Rejected { id, kind, name: name_of(btf, id), what })
            }
            None => Ok(()),
        }
    }

    /// Returns the part of a record that the kernel cannot read, and the first
    /// version that can.
    fn unreadable(
        &self,
        btf: &Btf,
        id: u32,
        record: &Record<'_>,
    ) -> Result<Option<(&'static str, KernelVersion)>, Error> {
        let info = record.head().info();
        let Some(kind) = info.kind() else {
            let number = info.kind_number();
            let is_location = Shape::of(number).is_some();
            return match self.version {
                Some(version) if is_location && version >= LOCATIONS => Ok(None),
                _ if is_location => Ok(Some(("its kind", LOCATIONS))),
                _ => Err(Error::UnknownKind { id, kind: number, name: name_of(btf, id) }),
            };
        };
        let is_datasec_with = |test: fn(&[u8]) -> bool| kind == Kind::Datasec && test(section_start(btf, id));
        let flag = info.kind_flag();
        let has_elements = !kind.shape().element.is_empty();
        let needs = [
            (true, Feature::Btf, "BTF"),
            (matches!(kind, Kind::Func | Kind::FuncProto), Feature::Func, kind.as_str()),
            // Came with the same version.
            (flag && matches!(kind, Kind::Struct | Kind::Union), Feature::Func, "kind_flag of a struct or union"),
            (flag && kind == Kind::Fwd, Feature::Func, "FWD of a union"),
            (matches!(kind, Kind::Var | Kind::Datasec), Feature::Datasec, kind.as_str()),
            (kind == Kind::Func && info.vlen() != 0, Feature::FuncLinkage, "linkage of functions"),
            (kind == Kind::Datasec && info.vlen() == 0, Feature::EmptyDatasec, "DATASEC without variables"),
            (kind == Kind::Float, Feature::Float, "FLOAT"),
            (kind == Kind::DeclTag, Feature::DeclTag, "DECL_TAG"),
            (kind == Kind::TypeTag, Feature::TypeTag, "TYPE_TAG"),
            (kind == Kind::Enum64, Feature::Enum64, "ENUM64"),
            (flag && kind == Kind::Enum, Feature::Enum64, "signed ENUM"),
            (is_datasec_with(is_any_name), Feature::OptionalDatasec, "DATASEC whose name is not an identifier"),
            (
                flag && matches!(kind, Kind::DeclTag | Kind::TypeTag),
                Feature::TypeAttribute,
                "attribute as a tag (kind_flag)",
            ),
            (has_elements && info.vlen() > Info::MAX_VLEN_16, Feature::LargeVlen, "vlen of more than 16 bits"),
        ];
        let missing = needs.into_iter().find(|&(is_needed, feature, _)| is_needed && !self.features.contains(feature));
        Ok(missing.map(|(_, feature, what)| (what, feature.since())))
    }
}

/// The start of a DATASEC's name: what makes it an unusual one is found in the
/// bytes that kernels allow names to have.
fn section_start(btf: &Btf, id: u32) -> &[u8] {
    let name = btf.type_by_id(id).map_or(&[][..], |ty| ty.name().as_bytes());
    name.get(..512).unwrap_or(name)
}

/// Returns `true` unless a name is one that all kernels allow for a DATASEC: an
/// identifier with dots.
fn is_any_name(name: &[u8]) -> bool {
    !name.iter().all(|&byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'.')
}

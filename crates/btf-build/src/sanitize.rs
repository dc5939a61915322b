//! Rewriting BTF for older kernels.

use std::collections::HashMap;

use btf_types::{
    Btf, Kind,
    format::{Feature, FeatureSet, Header, Info, Record, Shape},
};

use crate::{
    Error,
    layers::{Layers, complete, layout, name_of, open, own_layout, own_records, own_strings, terminated},
    verify::{Identifiers, LOCATIONS, Limits, NameRule},
};

/// Rewrites the types that a kernel with these features does not support, so
/// that it loads the BTF. Ids are unchanged; types may be added at the end.
///
/// | missing feature | replacement |
/// |---|---|
/// | FUNC, FUNC_PROTO | TYPEDEF; ENUM with the parameters as enumerators |
/// | `kind_flag` of STRUCT and UNION | bitfields of added INTs of their size |
/// | `kind_flag` of FWD | FWD of a struct |
/// | VAR | INT of one byte |
/// | DATASEC; DATASEC without variables | STRUCT with the variables as members |
/// | linkage of FUNC | static |
/// | FLOAT; INT of 128 bits | anonymous STRUCT of its size |
/// | DECL_TAG | INT of one byte |
/// | TYPE_TAG | anonymous CONST |
/// | ENUM64 | UNION with the enumerators as members; bitfields of an added INT |
/// | signed ENUM | unsigned ENUM |
/// | attributes as tags (`kind_flag`) | tags of their text |
/// | the layout section | omitted |
///
/// Names that the kernel does not accept, such as those of Rust and C++, get a
/// `_` for each unsupported byte, and are truncated if they are too long.
///
/// Programs that refer to rewritten types still load; only debug output
/// suffers. Probe the kernel for its features
/// (`btf_kernel::supported_features`), as distributions backport them;
/// [`FeatureSet::of`] returns those of a version. [`verify`](crate::verify)
/// predicts whether a kernel loads the BTF.
///
/// ```
/// use btf_build::{Builder, sanitize, verify};
/// use btf_types::format::{FeatureSet, KernelVersion};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut b = Builder::new();
/// let float = b.float("double", 8)?;
/// b.structure("vec<f64>", 8).member("x", float, 0).finish()?;
/// let btf = b.finish()?;
///
/// let version = KernelVersion::new(5, 4);
/// assert!(verify(btf.as_bytes(), version).is_err());
/// let plain = sanitize(&btf, FeatureSet::of(version))?;
/// assert!(verify(plain.as_bytes(), version).is_ok());
/// assert_eq!(plain.type_by_id(2)?.name(), "vec_f64_");
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// [`Error::Unreadable`] and [`Error::UnknownKind`] for types that cannot be
/// rewritten: more than 65,535 elements, bitfields of more than 64 bits before
/// Linux 5.0, kinds 20 to 22 and unknown ones; [`Error::TooLarge`].
pub fn sanitize(btf: &Btf, features: FeatureSet) -> Result<Btf, Error> {
    sanitize_within(btf, &Limits::of_features(features))
}

/// Sanitizes for a kernel that has these limits.
pub(crate) fn sanitize_within(btf: &Btf, limits: &Limits) -> Result<Btf, Error> {
    btf.check_known_header()?;
    let mut rewriter = Rewriter::new(btf, limits);
    for (id, record) in own_records(btf) {
        rewriter.record(id, &record)?;
    }
    rewriter.finish()
}

/// Returns the first own type that sanitizing rewrites for a kernel that has
/// these limits, with the part that the kernel does not accept.
pub(crate) fn first_rewritten(btf: &Btf, limits: &Limits) -> Result<Option<(u32, &'static str)>, Error> {
    let mut rewriter = Rewriter::new(btf, limits);
    let start = rewriter.blob.len();
    for (id, record) in own_records(btf) {
        rewriter.record(id, &record)?;
        let written = rewriter.blob.get(start..).unwrap_or_default();
        if written != record.as_bytes() {
            return Ok(Some((id, rewritten_part(&record, written))));
        }
        rewriter.blob.truncate(start);
    }
    Ok(None)
}

/// Returns the part of a record for which another was written.
fn rewritten_part(record: &Record<'_>, written: &[u8]) -> &'static str {
    let word = |bytes: &[u8], index: usize| bytes.get(4 * index..4 * index + 4).map(<[u8]>::to_vec);
    let is_same = |index| word(record.as_bytes(), index) == word(written, index);
    match record.kind() {
        Some(Kind::Int) if !is_same(1) => "its size: more than 64 bits",
        Some(Kind::Enum) if !is_same(1) => "its size: not 4 bytes",
        Some(Kind::Func) if !is_same(1) => "its linkage",
        _ if is_same(0) => "the name of an element: not an identifier, or too long",
        _ => "its name: not an identifier, or too long",
    }
}

/// Words that all records begin with.
const HEAD: usize = 3;
/// Size in bytes of an INT that replaces a VAR or DECL_TAG.
const PLACEHOLDER_SIZE: u32 = 1;
/// Name and size in bytes of the type of ENUM64's values.
const VALUE_TYPE: (&[u8], u32) = (b"enum64_placeholder", 1);
/// Name of an enumerator that replaces an unnamed parameter.
const UNNAMED: &[u8] = b"unnamed";

/// An INT that is added at the end.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Int {
    name_off: u32,
    size: u32,
    /// The word after an INT.
    data: u32,
}

struct Rewriter<'a> {
    btf: &'a Btf,
    limits: &'a Limits,
    layers: Layers,
    /// Own strings that are identifiers, and the offset of the first own one.
    identifiers: Identifiers<'a>,
    first_own: u32,
    /// Room for the header, and the types behind it.
    blob: Vec<u8>,
    hdr_len: u32,
    /// Added strings, and the offset of the first of them.
    strings: Vec<u8>,
    first_added: u32,
    /// Other names, and what they become.
    renamed: HashMap<(u32, NameRule), u32>,
    /// Names that are added, and their offsets.
    placeholders: Vec<(&'static [u8], u32)>,
    ints: Vec<Int>,
    int_ids: HashMap<Int, u32>,
    next_id: u32,
}

impl<'a> Rewriter<'a> {
    fn new(btf: &'a Btf, limits: &'a Limits) -> Self {
        let own = own_strings(btf);
        let hdr_len = if keeps_layout(btf, limits) { Header::SIZE_WITH_LAYOUT } else { Header::SIZE };
        // The size of the input is seldom exceeded.
        let mut blob = Vec::with_capacity(btf.as_bytes().len() + hdr_len as usize);
        blob.resize(hdr_len as usize, 0);
        Self {
            btf,
            limits,
            layers: Layers::new(btf),
            identifiers: Identifiers::new(own, limits),
            first_own: btf.string_len() - own.len() as u32,
            blob,
            hdr_len,
            strings: Vec::new(),
            first_added: btf.string_len(),
            renamed: HashMap::new(),
            placeholders: Vec::new(),
            ints: Vec::new(),
            int_ids: HashMap::new(),
            next_id: btf.type_count(),
        }
    }

    fn has(&self, feature: Feature) -> bool {
        self.limits.features.contains(feature)
    }

    fn put(&mut self, words: &[u32]) {
        for word in words {
            self.blob.extend_from_slice(&word.to_ne_bytes());
        }
    }

    /// Writes a word anew that was written at an index of a record.
    fn put_at(&mut self, record: usize, index: usize, word: u32) {
        if let Some(to) = self.blob.get_mut(record + 4 * index..).and_then(<[u8]>::first_chunk_mut) {
            *to = word.to_ne_bytes();
        }
    }

    /// Writes a record with its elements, of which each has N words.
    fn put_all<const N: usize>(
        &mut self,
        head: [u32; 3],
        record: &Record<'_>,
        mut element: impl FnMut(&mut Self, [u32; N]) -> Result<[u32; 3], Error>,
        written: usize,
    ) -> Result<(), Error> {
        self.put(&head);
        for words in elements(record) {
            let words = element(self, words)?;
            self.put(words.get(..written).unwrap_or_default());
        }
        Ok(())
    }

    fn unreadable<T>(&self, id: u32, what: &'static str, since: Feature) -> Result<T, Error> {
        let kind = self.btf.type_by_id(id).ok().and_then(btf_types::Type::kind);
        Err(Error::Unreadable { id, kind, name: name_of(self.btf, id), what, since: since.since() })
    }

    fn record(&mut self, id: u32, record: &Record<'_>) -> Result<(), Error> {
        let head = record.head();
        let info = head.info();
        let Some(kind) = info.kind() else { return self.unknown(id, record) };
        let (name_off, size_or_type) = (head.name_off(), head.size_or_type());
        let has_elements = kind.shape().element_size() != 0;
        if has_elements && info.vlen() > Info::MAX_VLEN_16 && !self.has(Feature::LargeVlen) {
            return self.unreadable(id, "vlen of more than 16 bits", Feature::LargeVlen);
        }
        let placeholder = [name_off, Info::of(Kind::Int).word(), PLACEHOLDER_SIZE, PLACEHOLDER_SIZE * 8];
        match kind {
            Kind::Func if !self.has(Feature::Func) => {
                let name_off = self.name(name_off, NameRule::Identifier)?;
                self.put(&[name_off, Info::of(Kind::Typedef).word(), size_or_type]);
            }
            Kind::FuncProto if !self.has(Feature::Func) => {
                let info = Info::of(Kind::Enum).with_vlen(info.vlen())?;
                self.put_all(
                    [0, info.word(), 4],
                    record,
                    |this, [name_off, type_id]| Ok([this.enumerator(name_off)?, type_id, 0]),
                    2,
                )?;
            }
            Kind::Var if !self.has(Feature::Datasec) => self.put(&placeholder),
            Kind::DeclTag if !self.has(Feature::DeclTag) => self.put(&placeholder),
            Kind::TypeTag if !self.has(Feature::TypeTag) => {
                self.put(&[0, Info::of(Kind::Const).word(), size_or_type]);
            }
            Kind::Int if int_bits(record) > self.limits.int_bits => {
                self.put(&[0, Info::of(Kind::Struct).word(), size_or_type]);
            }
            Kind::Float if !self.has(Feature::Float) => {
                self.put(&[0, Info::of(Kind::Struct).word(), size_or_type]);
            }
            Kind::Datasec if !self.has(Feature::Datasec) || info.vlen() == 0 && !self.has(Feature::EmptyDatasec) => {
                self.datasec(id, record)?;
            }
            Kind::Enum64 if !self.has(Feature::Enum64) => self.enum64(record)?,
            Kind::Enum if !self.limits.enum_sizes && size_or_type != 4 => {
                let bits = size_or_type.saturating_mul(8).min(self.limits.int_bits);
                let encoding = u32::from(info.kind_flag()) << 24;
                self.put(&[name_off, Info::of(Kind::Int).word(), size_or_type, encoding | bits]);
            }
            Kind::Struct | Kind::Union if info.kind_flag() && !self.has(Feature::Func) => self.bitfields(id, record)?,
            Kind::Struct | Kind::Union if info.kind_flag() && !self.has(Feature::Enum64) => {
                self.enum64_bitfields(record)?;
            }
            _ => self.keep(kind, record)?,
        }
        Ok(())
    }

    /// A record of a kind that is not modeled.
    fn unknown(&mut self, id: u32, record: &Record<'_>) -> Result<(), Error> {
        let number = record.head().info().kind_number();
        if Shape::of(number).is_none() {
            return Err(Error::UnknownKind { id, kind: number, name: name_of(self.btf, id) });
        }
        if number > self.limits.max_kind {
            let name = name_of(self.btf, id);
            return Err(Error::Unreadable { id, kind: None, name, what: "its kind", since: LOCATIONS });
        }
        self.blob.extend_from_slice(record.as_bytes());
        Ok(())
    }

    /// Keeps a record, but for names and a `kind_flag` that the kernel does not
    /// know.
    fn keep(&mut self, kind: Kind, record: &Record<'_>) -> Result<(), Error> {
        let flag_since = match kind {
            Kind::Fwd => Some(Feature::Func),
            Kind::Enum => Some(Feature::Enum64),
            Kind::DeclTag | Kind::TypeTag => Some(Feature::TypeAttribute),
            _ => None,
        };
        let start = self.blob.len();
        self.blob.extend_from_slice(record.as_bytes());
        let info = record.head().info();
        if flag_since.is_some_and(|feature| !self.has(feature)) {
            self.put_at(start, 1, info.with_kind_flag(false).word());
        } else if kind == Kind::Func && !self.limits.func_linkage {
            self.put_at(start, 1, Info::of(Kind::Func).word());
        }
        let name_off = match kind {
            Kind::Func | Kind::Typedef | Kind::Struct | Kind::Union | Kind::Enum | Kind::Enum64 | Kind::Fwd => {
                self.name(record.head().name_off(), NameRule::Identifier)?
            }
            Kind::Var => self.name(record.head().name_off(), NameRule::Variable)?,
            Kind::Datasec => self.name(record.head().name_off(), NameRule::Section)?,
            _ => record.head().name_off(),
        };
        self.put_at(start, 0, name_off);
        match kind {
            Kind::Struct | Kind::Union | Kind::Enum64 => self.keep_elements::<3>(start, record),
            Kind::Enum | Kind::FuncProto => self.keep_elements::<2>(start, record),
            _ => Ok(()),
        }
    }

    /// Keeps the elements of a record, of N words each, but for their names.
    fn keep_elements<const N: usize>(&mut self, start: usize, record: &Record<'_>) -> Result<(), Error> {
        for (index, words) in elements::<N>(record).enumerate() {
            let name_off = words.first().copied().unwrap_or(0);
            let name = self.name(name_off, NameRule::Identifier)?;
            if name != name_off {
                self.put_at(start, HEAD + index * N, name);
            }
        }
        Ok(())
    }

    /// A DATASEC as a struct, its variables as members. What else it lists, as
    /// functions in `.ksyms`, has no size, and is left out.
    fn datasec(&mut self, id: u32, record: &Record<'_>) -> Result<(), Error> {
        let start = self.blob.len();
        let mut vlen = 0;
        let name_off = self.name(record.head().name_off(), NameRule::Identifier)?;
        let btf = self.btf;
        self.put(&[name_off, 0, record.head().size_or_type()]);
        for [type_id, offset, _] in elements(record) {
            let Some(ty) = btf.type_by_id(type_id).ok().filter(|ty| ty.kind() == Some(Kind::Var)) else {
                continue;
            };
            let Some(bits) = offset.checked_mul(8) else {
                return self.unreadable(id, "a variable beyond 512 MiB", Feature::Datasec);
            };
            let name_off = ty.record().map_or(0, |record| record.head().name_off());
            let name_off = self.name(name_off, NameRule::Identifier)?;
            self.put(&[name_off, type_id, bits]);
            vlen += 1;
        }
        self.put_at(start, 1, Info::of(Kind::Struct).with_vlen(vlen)?.word());
        Ok(())
    }

    /// An ENUM64 as a union, its enumerators as members of a placeholder.
    fn enum64(&mut self, record: &Record<'_>) -> Result<(), Error> {
        let name_off = self.name(record.head().name_off(), NameRule::Identifier)?;
        let size = record.head().size_or_type();
        let (name, value_size) = VALUE_TYPE;
        let vlen = record.head().info().vlen();
        if size < value_size || vlen == 0 {
            // Values do not fit it.
            self.put(&[name_off, Info::of(Kind::Union).word(), size]);
            return Ok(());
        }
        let int = Int { name_off: self.placeholder(name)?, size: value_size, data: value_size * 8 };
        let type_id = self.int(int)?;
        let info = Info::of(Kind::Union).with_vlen(vlen)?;
        self.put_all(
            [name_off, info.word(), size],
            record,
            |this, [name_off, _, _]: [u32; 3]| Ok([this.name(name_off, NameRule::Identifier)?, type_id, 0]),
            3,
        )
    }

    /// A struct with bitfields in the style of before `kind_flag`: members of
    /// integers that have as many bits.
    fn bitfields(&mut self, id: u32, record: &Record<'_>) -> Result<(), Error> {
        let name_off = self.name(record.head().name_off(), NameRule::Identifier)?;
        let info = record.head().info().with_kind_flag(false);
        let struct_size = record.head().size_or_type();
        self.put_all(
            [name_off, info.word(), struct_size],
            record,
            |this, [name_off, type_id, word]| {
                let (bits, offset) = (word >> 24, word & 0x00ff_ffff);
                let type_id = match bits {
                    0 => this.enum_member_type(type_id, struct_size.saturating_sub(offset / 8))?,
                    bits if bits > this.limits.int_bits => {
                        return this.unreadable(id, "bitfield of more than 64 bits", Feature::Func);
                    }
                    bits => this.bitfield_type(type_id, bits)?,
                };
                Ok([this.name(name_off, NameRule::Identifier)?, type_id, offset])
            },
            3,
        )
    }

    /// A struct with bitfields, those of ENUM64s as bitfields of integers: the unions
    /// that take their place cannot have any. Of a whole ENUM64, kernels require 32
    /// bits of space; of a union, all of it.
    fn enum64_bitfields(&mut self, record: &Record<'_>) -> Result<(), Error> {
        let name_off = self.name(record.head().name_off(), NameRule::Identifier)?;
        let struct_size = record.head().size_or_type();
        self.put_all(
            [name_off, record.head().info().word(), struct_size],
            record,
            |this, [name_off, type_id, word]| {
                let space = match word >> 24 {
                    0 => struct_size.saturating_sub((word & 0x00ff_ffff) / 8),
                    _ => 0,
                };
                let type_id = this.enum_member_type(type_id, space)?;
                Ok([this.name(name_off, NameRule::Identifier)?, type_id, word])
            },
            3,
        )
    }

    /// The INT for a member that is an ENUM64 of more bytes than there is space for
    /// (a bitfield has none), or an ENUM that is rewritten as well; other types as
    /// they are.
    fn enum_member_type(&mut self, type_id: u32, space: u32) -> Result<u32, Error> {
        let ty = self.btf.type_by_id(type_id).ok().map(btf_types::Type::peel_modifiers);
        let enums_stay = self.has(Feature::Func) && self.limits.enum_sizes;
        let is_rewritten = |record: &Record<'_>| match record.kind() {
            Some(Kind::Enum64) => true,
            Some(Kind::Enum) => !enums_stay && space != 0,
            _ => false,
        };
        let Some(record) = ty.and_then(btf_types::Type::record).filter(is_rewritten) else {
            return Ok(type_id);
        };
        let head = record.head();
        if head.size_or_type() <= space {
            return Ok(type_id);
        }
        // 32 bits are accepted for an ENUM64 of any size.
        let size = if space == 0 { head.size_or_type().clamp(4, 8) } else { 4 };
        let encoding = u32::from(head.info().kind_flag()) << 24;
        self.int(Int { name_off: head.name_off(), size, data: encoding | (size * 8) })
    }

    /// The INT for a bitfield of a type.
    fn bitfield_type(&mut self, type_id: u32, bits: u32) -> Result<u32, Error> {
        let ty = self.btf.type_by_id(type_id).ok().map(btf_types::Type::peel_modifiers);
        let Some(record) = ty.and_then(btf_types::Type::record) else { return Ok(type_id) };
        let head = record.head();
        let encoding = match record.kind() {
            Some(Kind::Int) => int_data(&record) & 0x0f00_0000,
            Some(Kind::Enum | Kind::Enum64) => u32::from(head.info().kind_flag()) << 24,
            _ => return Ok(type_id),
        };
        self.int(Int { name_off: head.name_off(), size: head.size_or_type(), data: encoding | bits })
    }

    /// Id of an added INT.
    fn int(&mut self, int: Int) -> Result<u32, Error> {
        if let Some(&id) = self.int_ids.get(&int) {
            return Ok(id);
        }
        let id = self.next_id;
        self.next_id = id.checked_add(1).ok_or(Error::TooLarge { what: "types" })?;
        self.ints.push(int);
        self.int_ids.insert(int, id);
        Ok(id)
    }

    /// Offset of a name that is added once.
    fn placeholder(&mut self, name: &'static [u8]) -> Result<u32, Error> {
        if let Some(&(_, offset)) = self.placeholders.iter().find(|(found, _)| *found == name) {
            return Ok(offset);
        }
        let offset = self.add_string(name)?;
        self.placeholders.push((name, offset));
        Ok(offset)
    }

    fn add_string(&mut self, name: &[u8]) -> Result<u32, Error> {
        let offset = u64::from(self.first_added) + self.strings.len() as u64;
        self.strings.extend_from_slice(name);
        self.strings.push(0);
        u32::try_from(offset).map_err(|_| Error::TooLarge { what: "bytes of strings" })
    }

    /// Returns the name of an enumerator that replaces a parameter, which may be
    /// unnamed.
    fn enumerator(&mut self, name_off: u32) -> Result<u32, Error> {
        match self.name(name_off, NameRule::Identifier)? {
            0 => self.placeholder(UNNAMED),
            name_off => Ok(name_off),
        }
    }

    /// Returns the offset of a name that the kernel accepts, for any name.
    #[inline]
    fn name(&mut self, offset: u32, rule: NameRule) -> Result<u32, Error> {
        let own = offset.checked_sub(self.first_own);
        // Identifiers are valid names for all kinds.
        if offset == 0 || own.is_some_and(|own| self.identifiers.contains(own as usize)) {
            return Ok(offset);
        }
        self.other_name(offset, rule)
    }

    /// Returns the replacement for a name of the base, or for one that is not
    /// an identifier.
    #[cold]
    fn other_name(&mut self, offset: u32, rule: NameRule) -> Result<u32, Error> {
        if let Some(&renamed) = self.renamed.get(&(offset, rule)) {
            return Ok(renamed);
        }
        let tail = self.layers.tail(offset);
        let renamed = if rule.accepts(tail, self.limits) {
            offset
        } else {
            let name = rule.mended(terminated(tail.get(..=self.limits.name_len).unwrap_or(tail)), self.limits);
            if name.is_empty() { 0 } else { self.add_string(&name)? }
        };
        self.renamed.insert((offset, rule), renamed);
        Ok(renamed)
    }

    fn finish(mut self) -> Result<Btf, Error> {
        for Int { name_off, size, data } in std::mem::take(&mut self.ints) {
            self.put(&[name_off, Info::of(Kind::Int).word(), size, data]);
        }
        let own = own_layout(self.btf);
        // The layout section that sizes the records is kept, even if it is the base's.
        let keeps_layout = keeps_layout(self.btf, self.limits);
        debug_assert!(
            keeps_layout || own.is_empty() || !layout(self.btf).is_empty(),
            "the layout is own or the base's"
        );
        let layout = if keeps_layout { own } else { &[] };
        let blob = complete(self.blob, self.hdr_len, layout, &[own_strings(self.btf), &self.strings])?;
        open(blob, self.btf.base(), self.btf)
    }
}

/// Returns whether the layout section stays.
fn keeps_layout(btf: &Btf, limits: &Limits) -> bool {
    limits.features.contains(Feature::Layout) && !own_layout(btf).is_empty()
}

/// The elements of a record, of which each has N words.
fn elements<'a, const N: usize>(record: &Record<'a>) -> impl Iterator<Item = [u32; N]> + use<'a, N> {
    let (words, _) = record.as_bytes().as_chunks::<4>();
    let (elements, _) = words.get(HEAD..).unwrap_or_default().as_chunks::<N>();
    elements.iter().map(|words| words.map(u32::from_ne_bytes))
}

/// The word after an INT.
fn int_data(record: &Record<'_>) -> u32 {
    let word = record.as_bytes().get(4 * HEAD..).and_then(<[u8]>::first_chunk).copied();
    u32::from_ne_bytes(word.unwrap_or_default())
}

/// Offset and number of an INT's bits together.
fn int_bits(record: &Record<'_>) -> u32 {
    let data = int_data(record);
    (data & 0xff) + ((data >> 16) & 0xff)
}

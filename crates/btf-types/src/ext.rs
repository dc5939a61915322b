//! `.BTF.ext`: func_info, line_info and CO-RE relocations of a BPF object, by
//! program section.
//!
//! Source: `Documentation/bpf/btf.rst`, ".BTF.ext section".

use alloc::{sync::Arc, vec::Vec};
use core::{
    fmt,
    hash::{Hash, Hasher},
    iter::FusedIterator,
};

use btf_format::{self as raw, ByteOrder, ExtHeader, RawBtfExt, Section, Word};
use bytes::Bytes;

use crate::{
    Btf, CoreReloKind, Error, Func, Name, Type,
    ext_index::{Index, InfoKind, Records},
    layer::Layer,
};

/// Maximum number of numbers in an access string.
///
/// Source: `BPF_CORE_SPEC_MAX_LEN` in `tools/lib/bpf/relo_core.c`.
const ACCESS_LEN: usize = 64;
/// Maximum size of an access string in bytes: 10 digits per number, each
/// followed by a colon or the terminating NUL.
const ACCESS_BYTES: usize = ACCESS_LEN * 11;

/// Contents of a `.BTF.ext` section, checked against the `.BTF` section of the
/// same object, which has its types and strings.
///
/// All instruction offsets are in **bytes** from the start of the program
/// section, as in the object file. (BPF_PROG_LOAD takes func_info and line_info
/// in units of 8 bytes.)
///
/// ```
/// # fn main() -> Result<(), btf_types::Error> {
/// use btf_types::{Btf, BtfExt};
///
/// # let (btf_section, ext_section) = (std::fs::read("doc/probe.btf").unwrap(), std::fs::read("doc/probe.btf.ext").unwrap());
/// let btf = Btf::parse(btf_section)?; // of an object file; btf-elf's `BpfObject` has both
/// let ext = BtfExt::parse(ext_section, &btf)?;
///
/// let sections: Vec<_> = ext.sections().map(|section| (section.name(), section.core_relos().len())).collect();
/// assert_eq!(sections, [("fentry/consume_skb".into(), 2), ("tp_btf/sched_switch".into(), 2)]);
///
/// let section = ext.section("fentry/consume_skb").expect("found by its name");
/// let function = section.func_infos().next().expect("a program is a function");
/// assert_eq!((function.func().name(), function.insn_offset()), ("count".into(), 0));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct BtfExt {
    /// The blob, in native byte order.
    blob: Bytes,
    btf: Btf,
    index: Arc<Index>,
}

impl BtfExt {
    /// Opens `.BTF.ext` of either byte order, with the `.BTF` of the same
    /// object.
    ///
    /// Unknown fields at the end of records are ignored. A header of 24 bytes,
    /// from before CO-RE, means that there are no relocations.
    ///
    /// # Errors
    ///
    /// [`Error::Format`] for what [`RawBtfExt::parse`] refuses;
    /// [`Error::ByteOrderOfExt`] if the `.BTF` has another byte order;
    /// [`Error::ExtReference`] if a record refers to a type or string that does
    /// not exist; [`Error::ExtNotFunc`] if a func_info record refers to a type
    /// that is not a FUNC; [`Error::AccessString`]; [`Error::ExtNames`] if the
    /// names of sections overlap and together are many times as long as the
    /// file.
    pub fn parse(bytes: impl Into<Bytes>, btf: &Btf) -> Result<Self, Error> {
        let mut blob = bytes.into();
        let ext = ExtHeader::parse(&blob)?.byte_order();
        if ext != btf.byte_order() {
            return Err(Error::ByteOrderOfExt { ext, btf: btf.byte_order() });
        }
        if !ext.is_native() {
            let mut native = Vec::from(blob);
            raw::convert_ext(&mut native, ByteOrder::NATIVE)?;
            blob = native.into();
        }
        Self::from_native(blob, btf)
    }

    /// Opens `.BTF.ext` in native byte order, whatever the order of the object.
    pub(crate) fn from_native(blob: Bytes, btf: &Btf) -> Result<Self, Error> {
        let raw = RawBtfExt::parse(&blob)?;
        let checks = Checks { btf: btf.layer() };
        raw.try_for_each_field(|field, value| match (field.holds, field.section) {
            (Word::Id, Section::FuncInfo) => checks.func(value),
            (Word::Id, _) => checks.ty(value),
            _ => checks.string(field.name, value),
        })?;
        for block in raw.core_relos() {
            block.records().try_for_each(|relo| checks.access(block.sec_name_off(), relo))?;
        }
        let index = Arc::new(Index::new(&raw, btf.layer())?);
        Ok(Self { blob, btf: btf.clone(), index })
    }

    /// The `.BTF` with which this was opened.
    #[must_use]
    pub fn btf(&self) -> &Btf {
        &self.btf
    }

    /// The whole blob in native byte order.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.blob
    }

    /// Returns a copy of the blob in the given byte order.
    ///
    /// # Errors
    ///
    /// Those of [`btf_format::convert_ext`]: if the header or a record has
    /// unknown fields that are not zero.
    pub fn to_bytes(&self, byte_order: ByteOrder) -> Result<Vec<u8>, Error> {
        let mut bytes = self.blob.to_vec();
        raw::convert_ext(&mut bytes, byte_order)?;
        Ok(bytes)
    }

    /// Returns the records of the program section (ELF section) with this name;
    /// `None` if there are none.
    #[must_use]
    pub fn section(&self, name: impl AsRef<[u8]>) -> Option<ExtSection<'_>> {
        let number = self.index.section(name.as_ref(), self.btf.layer())?;
        Some(ExtSection { ext: self, number })
    }

    /// Iterates over all program sections, each once, in the order in which the
    /// blob first names them.
    pub fn sections(&self) -> ExtSections<'_> {
        ExtSections { ext: self, next: 0 }
    }

    /// Iterates over the functions of all program sections, in the order of the
    /// blob.
    pub fn func_infos(&self) -> FuncInfos<'_> {
        FuncInfos { ext: self, records: self.index.records(InfoKind::Func, None) }
    }

    /// Iterates over the source lines of all program sections, in the order of
    /// the blob.
    pub fn line_infos(&self) -> LineInfos<'_> {
        LineInfos { ext: self, records: self.index.records(InfoKind::Line, None) }
    }

    /// Iterates over the CO-RE relocations of all program sections, in the
    /// order of the blob.
    pub fn core_relos(&self) -> CoreRelos<'_> {
        CoreRelos { ext: self, records: self.index.records(InfoKind::Relo, None) }
    }

    /// Returns the bytes from a position on.
    fn bytes_at(&self, at: usize) -> &[u8] {
        self.blob.get(at..).unwrap_or_default()
    }
}

impl<'a> IntoIterator for &'a BtfExt {
    type Item = ExtSection<'a>;
    type IntoIter = ExtSections<'a>;

    /// Iterates over the program sections: see [`BtfExt::sections`].
    fn into_iter(self) -> ExtSections<'a> {
        self.sections()
    }
}

impl fmt::Debug for BtfExt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BtfExt")
            .field("bytes", &self.blob.len())
            .field("sections", &self.index.section_count())
            .field("func_infos", &self.func_infos().len())
            .field("line_infos", &self.line_infos().len())
            .field("core_relos", &self.core_relos().len())
            .finish()
    }
}

/// Checks made when `.BTF.ext` is opened.
struct Checks<'a> {
    btf: &'a Layer,
}

impl Checks<'_> {
    fn string(&self, what: &'static str, offset: u32) -> Result<(), Error> {
        let limit = self.btf.strings_len();
        if offset < limit { Ok(()) } else { Err(Error::ExtReference { what, found: offset, limit }) }
    }

    fn ty(&self, id: u32) -> Result<(), Error> {
        let limit = self.btf.type_count();
        if id < limit { Ok(()) } else { Err(Error::ExtReference { what: "type", found: id, limit }) }
    }

    fn func(&self, id: u32) -> Result<(), Error> {
        match self.btf.type_at(id) {
            Some(Type::Func(_)) => Ok(()),
            Some(ty) => Err(Error::ExtNotFunc { ty: ty.into() }),
            None => self.ty(id),
        }
    }

    /// Checks the access string of a relocation. Reads at most [`ACCESS_BYTES`]
    /// bytes, as thousands of relocations can share a string of megabytes.
    fn access(&self, section: u32, relo: &raw::CoreRelo) -> Result<(), Error> {
        let tail = self.btf.string_at(relo.access_str_off());
        let start = tail.get(..ACCESS_BYTES).unwrap_or(tail);
        let text = start.split(|&byte| byte == 0).next().unwrap_or_default();
        let numbers = text.split(|&byte| byte == b':');
        let is_sound = text.len() < ACCESS_BYTES
            && numbers.clone().all(|number| parse_number(number).is_some())
            && numbers.count() <= ACCESS_LEN;
        if is_sound {
            Ok(())
        } else {
            let section = self.btf.name_start(section, ACCESS_BYTES).into();
            Err(Error::AccessString { section, insn_off: relo.insn_off(), found: Name::new(text).into() })
        }
    }
}

/// Parses a decimal number of at most 31 bits.
fn parse_number(digits: &[u8]) -> Option<u32> {
    let text = core::str::from_utf8(digits).ok().filter(|text| !text.starts_with('+'))?;
    text.parse::<i32>().ok().and_then(|number| u32::try_from(number).ok())
}

/// Program section (ELF section with instructions) with its functions, source
/// lines and relocations.
#[derive(Clone, Copy)]
pub struct ExtSection<'a> {
    ext: &'a BtfExt,
    number: u32,
}

impl<'a> ExtSection<'a> {
    /// The name of the ELF section.
    #[must_use]
    pub fn name(self) -> Name<'a> {
        self.ext.btf.layer().name_at(self.ext.index.name_off(self.number))
    }

    /// Index in the order of [`BtfExt::sections`].
    #[must_use]
    pub fn index(self) -> usize {
        self.number as usize
    }

    /// Iterates over the functions that begin in the section, by ascending
    /// offset as compilers write them.
    ///
    /// ```
    /// # fn main() -> Result<(), btf_types::Error> {
    /// use btf_types::{Btf, BtfExt};
    ///
    /// # let btf = Btf::parse(std::fs::read("doc/probe.btf").unwrap())?;
    /// # let ext = BtfExt::parse(std::fs::read("doc/probe.btf.ext").unwrap(), &btf)?;
    /// let functions: Vec<_> = ext.func_infos().map(|info| (info.section().name(), info.func().name())).collect();
    /// assert_eq!(
    ///     functions,
    ///     [("fentry/consume_skb".into(), "count".into()), ("tp_btf/sched_switch".into(), "on_switch".into())]
    /// );
    /// # Ok(())
    /// # }
    /// ```
    pub fn func_infos(self) -> FuncInfos<'a> {
        FuncInfos { ext: self.ext, records: self.ext.index.records(InfoKind::Func, Some(self.number)) }
    }

    /// Iterates over the source lines of the section, by ascending offset as
    /// compilers write them.
    ///
    /// ```
    /// # fn main() -> Result<(), btf_types::Error> {
    /// use btf_types::{Btf, BtfExt};
    ///
    /// # let btf = Btf::parse(std::fs::read("doc/probe.btf").unwrap())?;
    /// # let ext = BtfExt::parse(std::fs::read("doc/probe.btf.ext").unwrap(), &btf)?;
    /// let section = ext.section("fentry/consume_skb").unwrap();
    /// let last = section.line_infos().last().unwrap();
    /// assert_eq!(last.text(), "\treturn 0;");
    /// assert_eq!((last.line(), last.column(), last.insn_offset()), (48, 2, 152));
    /// # Ok(())
    /// # }
    /// ```
    pub fn line_infos(self) -> LineInfos<'a> {
        LineInfos { ext: self.ext, records: self.ext.index.records(InfoKind::Line, Some(self.number)) }
    }

    /// Iterates over the CO-RE relocations of the section, by ascending offset
    /// as compilers write them.
    ///
    /// ```
    /// # fn main() -> Result<(), btf_types::Error> {
    /// use btf_types::{Btf, BtfExt};
    ///
    /// # let btf = Btf::parse(std::fs::read("doc/probe.btf").unwrap())?;
    /// # let ext = BtfExt::parse(std::fs::read("doc/probe.btf.ext").unwrap(), &btf)?;
    /// let section = ext.section("tp_btf/sched_switch").unwrap();
    /// let relos: Vec<_> = section
    ///     .core_relos()
    ///     .map(|relo| format!("{} {} {}", relo.kind(), relo.ty(), relo.access_string()))
    ///     .collect();
    /// assert_eq!(relos, ["byte_off struct task_struct 0:0", "byte_off struct task_struct___old 0:0"]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn core_relos(self) -> CoreRelos<'a> {
        CoreRelos { ext: self.ext, records: self.ext.index.records(InfoKind::Relo, Some(self.number)) }
    }
}

/// Equal if it is the same section of the same [`BtfExt`].
impl PartialEq for ExtSection<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number && core::ptr::eq(self.ext, other.ext)
    }
}

impl Eq for ExtSection<'_> {}

impl Hash for ExtSection<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.number, core::ptr::from_ref(self.ext)).hash(state);
    }
}

impl fmt::Debug for ExtSection<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExtSection")
            .field("name", &self.name())
            .field("func_infos", &self.func_infos().len())
            .field("line_infos", &self.line_infos().len())
            .field("core_relos", &self.core_relos().len())
            .finish()
    }
}

/// Iterator over the program sections of `.BTF.ext`: see [`BtfExt::sections`].
#[derive(Debug, Clone)]
#[must_use]
pub struct ExtSections<'a> {
    ext: &'a BtfExt,
    next: u32,
}

impl<'a> Iterator for ExtSections<'a> {
    type Item = ExtSection<'a>;

    fn next(&mut self) -> Option<ExtSection<'a>> {
        let number = self.next;
        if number == self.ext.index.section_count() {
            return None;
        }
        self.next += 1;
        Some(ExtSection { ext: self.ext, number })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = (self.ext.index.section_count() - self.next) as usize;
        (left, Some(left))
    }
}

impl ExactSizeIterator for ExtSections<'_> {}
impl FusedIterator for ExtSections<'_> {}

/// Defines the kinds of records and the iterators over them.
macro_rules! infos {
    ($(
        $(#[$doc:meta])* $name:ident $({ $field:ident: $ty:ty = $find:path })?,
        $(#[$iter_doc:meta])* $names:ident;
    )*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy)]
        pub struct $name<'a> {
            ext: &'a BtfExt,
            section: u32,
            raw: &'a raw::$name,
            $($field: $ty,)?
        }

        impl<'a> $name<'a> {
            /// Offset of the instruction, in **bytes** from the start of the
            /// program section (`insn_off`).
            #[must_use]
            pub fn insn_offset(self) -> u32 {
                self.raw.insn_off()
            }

            /// The program section.
            #[must_use]
            pub fn section(self) -> ExtSection<'a> {
                ExtSection { ext: self.ext, number: self.section }
            }
        }

        /// Equal if it is the same record of the same [`BtfExt`].
        impl PartialEq for $name<'_> {
            fn eq(&self, other: &Self) -> bool {
                core::ptr::eq(self.raw, other.raw)
            }
        }

        impl Eq for $name<'_> {}

        impl Hash for $name<'_> {
            fn hash<H: Hasher>(&self, state: &mut H) {
                core::ptr::from_ref(self.raw).hash(state);
            }
        }

        $(#[$iter_doc])*
        #[derive(Clone)]
        #[must_use]
        pub struct $names<'a> {
            ext: &'a BtfExt,
            records: Records<'a>,
        }

        impl<'a> Iterator for $names<'a> {
            type Item = $name<'a>;

            fn next(&mut self) -> Option<$name<'a>> {
                let (section, at) = self.records.next()?;
                let raw = raw::$name::first(self.ext.bytes_at(at));
                debug_assert!(raw.is_some(), "checked when it was opened");
                let raw = raw?;
                Some($name { ext: self.ext, section, raw, $($field: $find(self.ext, raw)?,)? })
            }

            fn size_hint(&self) -> (usize, Option<usize>) {
                self.records.size_hint()
            }
        }

        impl ExactSizeIterator for $names<'_> {}
        impl FusedIterator for $names<'_> {}

        impl fmt::Debug for $names<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($names)).field("left", &self.len()).finish()
            }
        }
    )*};
}

infos! {
    /// Function and the offset at which it begins.
    FuncInfo { func: Func<'a> = find_func },
    /// Iterator over functions: see [`ExtSection::func_infos`].
    FuncInfos;

    /// Source line of an instruction.
    LineInfo,
    /// Iterator over source lines: see [`ExtSection::line_infos`].
    LineInfos;

    /// CO-RE relocation: an instruction to adapt to the kernel that loads it.
    CoreRelo,
    /// Iterator over CO-RE relocations: see [`ExtSection::core_relos`].
    CoreRelos;
}

/// Returns the function of a func_info record. Opening checked that it is one.
fn find_func<'a>(ext: &'a BtfExt, raw: &raw::FuncInfo) -> Option<Func<'a>> {
    match ext.btf.layer().type_at(raw.type_id()) {
        Some(Type::Func(func)) => Some(func),
        _ => {
            debug_assert!(false, "checked when it was opened");
            None
        }
    }
}

impl<'a> FuncInfo<'a> {
    /// The function.
    #[must_use]
    pub fn func(self) -> Func<'a> {
        self.func
    }
}

impl fmt::Debug for FuncInfo<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {:?}", self.insn_offset(), self.func().name())
    }
}

impl<'a> LineInfo<'a> {
    /// The name of the source file.
    #[must_use]
    pub fn file(self) -> Name<'a> {
        self.ext.btf.layer().name_at(self.raw.file_name_off())
    }

    /// The text of the source line; may be empty.
    #[must_use]
    pub fn text(self) -> Name<'a> {
        self.ext.btf.layer().name_at(self.raw.line_off())
    }

    /// The number of the line, from 1; 0 if the instruction has no line.
    #[must_use]
    pub fn line(self) -> u32 {
        self.raw.line()
    }

    /// The column, from 1; 0 for none.
    #[must_use]
    pub fn column(self) -> u32 {
        self.raw.column()
    }
}

impl fmt::Debug for LineInfo<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {:?}:{}:{}", self.insn_offset(), self.file(), self.line(), self.column())
    }
}

impl<'a> CoreRelo<'a> {
    /// The kind of the relocation.
    #[must_use]
    pub fn kind(self) -> CoreReloKind {
        self.raw.kind().into()
    }

    /// The local type, with which the program was compiled.
    #[must_use]
    pub fn ty(self) -> Type<'a> {
        self.ext.btf.layer().type_of(self.raw.type_id())
    }

    /// The access string as it is stored: `0:1:2`.
    #[must_use]
    pub fn access_string(self) -> Name<'a> {
        self.ext.btf.layer().name_at(self.raw.access_str_off())
    }

    /// Iterates over the numbers of the access string, 1 to 64 of them. For a
    /// field: an index into an array of the type, then the index of a member or
    /// element for each level. For an enumerator: its index. For a type: 0.
    pub fn access(self) -> impl Iterator<Item = u32> + use<'a> {
        self.access_string().as_bytes().split(|&byte| byte == b':').filter_map(parse_number)
    }
}

impl fmt::Debug for CoreRelo<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} of {} {:?}", self.insn_offset(), self.kind(), self.ty(), self.access_string())
    }
}

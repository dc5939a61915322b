//! `.BTF.ext`: what a BPF object knows about its instructions, by program
//! section: which function begins where, which source line an instruction
//! comes from, and which instructions CO-RE relocates.
//!
//! Source: `Documentation/bpf/btf.rst`, ".BTF.ext section".

use core::fmt;

use alloc::vec::Vec;

use btf_format::{self as raw, ByteOrder, ExtBlock, ExtBlocks, ExtHeader, ExtRecord, ExtRecords, RawBtfExt};
use bytes::Bytes;

use crate::{Btf, Error, Func, Name, Type, btf::Inner};

/// The most numbers that an access string can have.
///
/// Source: `BPF_CORE_SPEC_MAX_LEN` in `tools/lib/bpf/relo_core.c`.
const ACCESS_LEN: usize = 64;

/// The contents of a `.BTF.ext` section, checked against the `.BTF` section
/// beside it, which it names types and strings of.
///
/// All offsets of instructions are in **bytes** from the start of the program
/// section, as in the object file. (BPF_PROG_LOAD takes function and line
/// infos in units of 8 bytes.)
#[derive(Debug, Clone)]
pub struct BtfExt {
    /// In native byte order.
    blob: Bytes,
    header: ExtHeader,
    btf: Btf,
}

impl BtfExt {
    /// Opens `.BTF.ext`, of either byte order, with the `.BTF` of the same
    /// object.
    ///
    /// Records that are longer than what is known today are read as far as
    /// they are known. A header of 24 bytes, from before CO-RE, means no
    /// relocations.
    ///
    /// # Errors
    ///
    /// [`Error::Format`] for what [`RawBtfExt::parse`] refuses;
    /// [`Error::ByteOrderOfExt`] if the `.BTF` has another byte order;
    /// [`Error::ExtReference`] if a record names a type or string that does
    /// not exist, or as a function what is none; [`Error::AccessString`].
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
        let checks = Checks { btf: btf.inner() };
        let raw = RawBtfExt::parse(&blob)?;
        for block in raw.func_infos() {
            checks.string("section name", block.sec_name_off())?;
            block.records().try_for_each(|info| checks.func(info))?;
        }
        for block in raw.line_infos() {
            checks.string("section name", block.sec_name_off())?;
            for info in block.records() {
                checks.string("file name", info.file_name_off())?;
                checks.string("source line", info.line_off())?;
            }
        }
        for block in raw.core_relos() {
            checks.string("section name", block.sec_name_off())?;
            for relo in block.records() {
                checks.ty(relo.type_id())?;
                checks.access(relo)?;
            }
        }
        let header = *raw.header();
        Ok(Self { blob, header, btf: btf.clone() })
    }

    /// The `.BTF` that this was opened with.
    #[must_use]
    pub fn btf(&self) -> &Btf {
        &self.btf
    }

    /// The functions of each program section, where there are any.
    #[must_use]
    pub fn func_infos(&self) -> ExtSections<'_, FuncInfo<'_>> {
        ExtSections { btf: self.btf.inner(), blocks: self.raw().func_infos() }
    }

    /// The source lines of each program section, where there are any.
    #[must_use]
    pub fn line_infos(&self) -> ExtSections<'_, LineInfo<'_>> {
        ExtSections { btf: self.btf.inner(), blocks: self.raw().line_infos() }
    }

    /// The CO-RE relocations of each program section, where there are any.
    #[must_use]
    pub fn core_relos(&self) -> ExtSections<'_, CoreRelo<'_>> {
        ExtSections { btf: self.btf.inner(), blocks: self.raw().core_relos() }
    }

    fn raw(&self) -> RawBtfExt<'_> {
        RawBtfExt::again(&self.blob, self.header)
    }
}

/// What is looked at when `.BTF.ext` is opened.
struct Checks<'a> {
    btf: &'a Inner,
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

    fn func(&self, info: &raw::FuncInfo) -> Result<(), Error> {
        let (found, limit) = (info.type_id(), self.btf.type_count());
        func(self.btf, info).map(|_| ()).ok_or(Error::ExtReference { what: "FUNC", found, limit })
    }

    fn access(&self, relo: &raw::CoreRelo) -> Result<(), Error> {
        self.string("access string", relo.access_str_off())?;
        let text = self.btf.name_at(relo.access_str_off());
        let is_number = |number: &[u8]| parse_number(number).is_some();
        let numbers = text.as_bytes().split(|&byte| byte == b':');
        if numbers.clone().all(is_number) && numbers.count() <= ACCESS_LEN {
            Ok(())
        } else {
            Err(Error::AccessString { insn_off: relo.insn_off(), found: text.into() })
        }
    }
}

/// A decimal number of at most 31 bits.
fn parse_number(digits: &[u8]) -> Option<u32> {
    let text = core::str::from_utf8(digits).ok().filter(|text| !text.starts_with('+'))?;
    text.parse::<i32>().ok().and_then(|number| u32::try_from(number).ok())
}

/// What stands in a section of `.BTF.ext`.
pub trait ExtInfo<'a>: sealed::Sealed<'a> {}

mod sealed {
    use super::{ExtRecord, Inner};

    pub trait Sealed<'a>: Sized {
        type Raw: ExtRecord;
        #[doc(hidden)]
        #[allow(private_interfaces, reason = "nobody outside can call it")]
        fn of(btf: &'a Inner, raw: &'a Self::Raw) -> Option<Self>;
    }
}

/// Iterator over the program sections that `.BTF.ext` says something of.
pub struct ExtSections<'a, T: ExtInfo<'a>> {
    btf: &'a Inner,
    blocks: ExtBlocks<'a, T::Raw>,
}

impl<'a, T: ExtInfo<'a>> Iterator for ExtSections<'a, T> {
    type Item = ExtSection<'a, T>;

    fn next(&mut self) -> Option<Self::Item> {
        let block = self.blocks.next()?;
        Some(ExtSection { btf: self.btf, block })
    }
}

impl<'a, T: ExtInfo<'a>> fmt::Debug for ExtSections<'a, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExtSections").finish_non_exhaustive()
    }
}

/// A program section, and what `.BTF.ext` says of its instructions.
pub struct ExtSection<'a, T: ExtInfo<'a>> {
    btf: &'a Inner,
    block: ExtBlock<'a, T::Raw>,
}

impl<'a, T: ExtInfo<'a>> ExtSection<'a, T> {
    /// The name of the ELF section.
    #[must_use]
    pub fn name(&self) -> Name<'a> {
        self.btf.name_at(self.block.sec_name_off())
    }

    /// What is said, by rising offset of the instructions.
    #[must_use]
    pub fn infos(&self) -> ExtInfos<'a, T> {
        ExtInfos { btf: self.btf, records: self.block.records() }
    }
}

impl<'a, T: ExtInfo<'a>> IntoIterator for ExtSection<'a, T> {
    type Item = T;
    type IntoIter = ExtInfos<'a, T>;

    fn into_iter(self) -> ExtInfos<'a, T> {
        self.infos()
    }
}

impl<'a, T: ExtInfo<'a>> fmt::Debug for ExtSection<'a, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExtSection").field("name", &self.name()).field("infos", &self.infos().len()).finish()
    }
}

/// Iterator over what is said of the instructions of a program section.
pub struct ExtInfos<'a, T: ExtInfo<'a>> {
    btf: &'a Inner,
    records: ExtRecords<'a, T::Raw>,
}

impl<'a, T: ExtInfo<'a>> Iterator for ExtInfos<'a, T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        T::of(self.btf, self.records.next()?)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.records.size_hint()
    }
}

impl<'a, T: ExtInfo<'a>> ExactSizeIterator for ExtInfos<'a, T> {}

impl<'a, T: ExtInfo<'a>> fmt::Debug for ExtInfos<'a, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExtInfos").field("len", &self.len()).finish()
    }
}

macro_rules! infos {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy)]
        pub struct $name<'a> {
            btf: &'a Inner,
            raw: &'a raw::$name,
        }

        impl<'a> sealed::Sealed<'a> for $name<'a> {
            type Raw = raw::$name;

            #[allow(private_interfaces, reason = "nobody outside can call it")]
            fn of(btf: &'a Inner, raw: &'a raw::$name) -> Option<Self> {
                Some(Self { btf, raw })
            }
        }

        impl<'a> ExtInfo<'a> for $name<'a> {}

        impl $name<'_> {
            /// Where the instruction is, in **bytes** from the start of the
            /// program section.
            #[must_use]
            pub fn insn_offset(self) -> u32 {
                self.raw.insn_off()
            }
        }
    )*};
}

infos! {
    /// An instruction comes from a source line.
    LineInfo;
    /// An instruction is to be relocated for the kernel that it is loaded into.
    CoreRelo;
}

/// A function begins at an instruction.
#[derive(Clone, Copy)]
pub struct FuncInfo<'a> {
    func: Func<'a>,
    raw: &'a raw::FuncInfo,
}

impl<'a> sealed::Sealed<'a> for FuncInfo<'a> {
    type Raw = raw::FuncInfo;

    #[allow(private_interfaces, reason = "nobody outside can call it")]
    fn of(btf: &'a Inner, raw: &'a raw::FuncInfo) -> Option<Self> {
        Some(Self { func: func(btf, raw)?, raw })
    }
}

impl<'a> ExtInfo<'a> for FuncInfo<'a> {}

fn func<'a>(btf: &'a Inner, raw: &raw::FuncInfo) -> Option<Func<'a>> {
    match btf.type_at(raw.type_id()) {
        Some(Type::Func(func)) => Some(func),
        _ => None,
    }
}

impl<'a> FuncInfo<'a> {
    /// Where the instruction is, in **bytes** from the start of the program
    /// section.
    #[must_use]
    pub fn insn_offset(self) -> u32 {
        self.raw.insn_off()
    }

    /// The function.
    #[must_use]
    pub fn func(self) -> Func<'a> {
        self.func
    }
}

impl fmt::Debug for FuncInfo<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {:?}", self.insn_offset(), self.func.name())
    }
}

impl<'a> LineInfo<'a> {
    /// The name of the source file.
    #[must_use]
    pub fn file(self) -> Name<'a> {
        self.btf.name_at(self.raw.file_name_off())
    }

    /// The text of the source line; may be empty.
    #[must_use]
    pub fn text(self) -> Name<'a> {
        self.btf.name_at(self.raw.line_off())
    }

    /// The number of the line, from 1; 0 for what comes from no line.
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
    /// What about the type is to be found out.
    #[must_use]
    pub fn kind(self) -> CoreReloKind {
        self.raw.kind().into()
    }

    /// The type, as the program was compiled with it.
    #[must_use]
    pub fn ty(self) -> Type<'a> {
        self.btf.type_of(self.raw.type_id())
    }

    /// The access string as it stands: `0:1:2`.
    #[must_use]
    pub fn access_string(self) -> Name<'a> {
        self.btf.name_at(self.raw.access_str_off())
    }

    /// The numbers of the access string, at least one and at most 64. Of a
    /// field, first an index as of an array of the type, then for each level
    /// the number of the member or element; of an enumerator its number; of a
    /// type 0.
    pub fn access(self) -> impl Iterator<Item = u32> + use<'a> {
        self.access_string().as_bytes().split(|&byte| byte == b':').filter_map(parse_number)
    }
}

impl fmt::Debug for CoreRelo<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} of {} {:?}", self.insn_offset(), self.kind(), self.ty(), self.access_string())
    }
}

macro_rules! relo_kinds {
    ($($(#[$doc:meta])* $name:ident = $number:literal, $text:literal;)*) => {
        /// What a CO-RE relocation wants to know of its type in the kernel.
        ///
        /// Source: `enum bpf_core_relo_kind` in `include/uapi/linux/bpf.h`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum CoreReloKind {
            $($(#[$doc])* $name,)*
            /// A number that nothing is known of.
            Unknown(u32),
        }

        impl From<u32> for CoreReloKind {
            fn from(number: u32) -> Self {
                match number {
                    $($number => Self::$name,)*
                    number => Self::Unknown(number),
                }
            }
        }

        impl From<CoreReloKind> for u32 {
            fn from(kind: CoreReloKind) -> Self {
                match kind {
                    $(CoreReloKind::$name => $number,)*
                    CoreReloKind::Unknown(number) => number,
                }
            }
        }

        impl fmt::Display for CoreReloKind {
            /// As libbpf's log names it.
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(match self {
                    $(Self::$name => $text,)*
                    Self::Unknown(_) => "unknown",
                })
            }
        }
    };
}

relo_kinds! {
    /// Where a field begins, in bytes.
    FieldByteOffset = 0, "byte_off";
    /// How many bytes a field has.
    FieldByteSize = 1, "byte_sz";
    /// Whether there is the field.
    FieldExists = 2, "field_exists";
    /// Whether a field is signed.
    FieldSigned = 3, "signed";
    /// How far to shift a bitfield to the left, in a register of 64 bits.
    FieldLshiftU64 = 4, "lshift_u64";
    /// How far to shift it back to the right.
    FieldRshiftU64 = 5, "rshift_u64";
    /// The id of the type in the program's own BTF.
    TypeIdLocal = 6, "local_type_id";
    /// The id of the type in the kernel's BTF.
    TypeIdTarget = 7, "target_type_id";
    /// Whether there is the type.
    TypeExists = 8, "type_exists";
    /// How many bytes the type has.
    TypeSize = 9, "type_size";
    /// Whether there is the enumerator.
    EnumvalExists = 10, "enumval_exists";
    /// The value of the enumerator.
    EnumvalValue = 11, "enumval_value";
    /// Whether there is the type, and matches in all that it is made of.
    TypeMatches = 12, "type_matches";
}

//! Structs of the format, in the order of the kernel header that defines them.
//!
//! All have alignment 1 and native byte order: data of the other order is
//! converted first ([`convert`](crate::convert)). They are borrowed from the
//! blob and never copied; each accessor reads one field.
//!
//! Source: `include/uapi/linux/btf.h`; for `.BTF.ext`,
//! `tools/lib/bpf/libbpf_internal.h` and `Documentation/bpf/btf.rst`.

use zerocopy::{
    FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned,
    native_endian::{I32, U16, U32},
};

use crate::{Info, IntEncoding, Shape};

/// Defines a record with its constructor and accessors.
macro_rules! records {
    ($(
        $(#[$doc:meta])*
        pub struct $name:ident {
            $($(#[$field_doc:meta])* $field:ident: $raw:ty as $value:ty,)*
        }
    )*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
        #[repr(C)]
        pub struct $name {
            $($field: $raw,)*
        }

        impl $name {
            /// Makes a record from its fields, in the order of the struct.
            #[must_use]
            #[inline]
            pub fn new($($field: $value),*) -> Self {
                Self { $($field: <$raw>::from($field)),* }
            }

            $(
                $(#[$field_doc])*
                #[must_use]
                #[inline]
                pub fn $field(&self) -> $value {
                    <$value>::from(self.$field)
                }
            )*

            /// Reinterprets the start of `bytes` as a record; `None` if they
            /// are too short.
            #[must_use]
            #[inline]
            pub fn first(bytes: &[u8]) -> Option<&Self> {
                Self::ref_from_prefix(bytes).ok().map(|(record, _)| record)
            }

            /// Reinterprets the start of `bytes` as `count` records; empty if
            /// they are too short.
            #[must_use]
            #[inline]
            pub fn list(bytes: &[u8], count: u32) -> &[Self] {
                match <[Self]>::ref_from_prefix_with_elems(bytes, count as usize) {
                    Ok((records, _)) => records,
                    Err(_) => too_few(),
                }
            }

            /// The bytes of the record, in native byte order.
            #[must_use]
            pub fn as_bytes(&self) -> &[u8] {
                IntoBytes::as_bytes(self)
            }
        }
    )*};
}

/// Returns an empty list. Not inlined, so that the compiler emits a branch,
/// which is predictable as most lists are complete.
#[cold]
#[inline(never)]
fn too_few<T>() -> &'static [T] {
    &[]
}

records! {
    /// First 8 bytes of `.BTF` and `.BTF.ext`, which determine how to read the
    /// rest.
    pub struct Preamble {
        /// 0xeb9f.
        magic: U16 as u16,
        /// 1.
        version: u8 as u8,
        /// 0: no flag is defined.
        flags: u8 as u8,
        /// Length of the whole header in bytes; all section offsets count from
        /// its end.
        hdr_len: U32 as u32,
    }

    /// The first 24 bytes of `.BTF`, `struct btf_header` before Linux 7.1.
    pub struct HeaderRecord {
        /// The start that `.BTF` and `.BTF.ext` share.
        preamble: Preamble as Preamble,
        /// Start of the type section, in bytes from the end of the header.
        type_off: U32 as u32,
        /// Length of the type section in bytes.
        type_len: U32 as u32,
        /// Start of the string section, in bytes from the end of the header.
        str_off: U32 as u32,
        /// Length of the string section in bytes.
        str_len: U32 as u32,
    }

    /// Bytes 24 to 31 of a `.BTF` header of 32 bytes or more. Since Linux 7.1.
    pub struct LayoutHeader {
        /// Start of the layout section, in bytes from the end of the header.
        layout_off: U32 as u32,
        /// Length of the layout section in bytes; 0 if there is none.
        layout_len: U32 as u32,
    }

    /// Sizes of the records of a kind: `struct btf_layout`, the element of the
    /// layout section, which is indexed by kind. Since Linux 7.1.
    pub struct LayoutEntry {
        /// Size in bytes of the fixed part after the 12 bytes that all records
        /// have.
        info_sz: u8 as u8,
        /// Size in bytes of each of the `vlen` elements.
        elem_sz: u8 as u8,
        /// Reserved, 0.
        flags: U16 as u16,
    }

    /// First 12 bytes of every type record: `struct btf_type`.
    pub struct TypeRecord {
        /// Offset of the name in the string section, in bytes; 0: no name.
        name_off: U32 as u32,
        /// The info word: see [`TypeRecord::info`].
        info_word: U32 as u32,
        /// Size of the type in bytes (INT, STRUCT, UNION, ENUM, ENUM64, FLOAT,
        /// DATASEC), or the id of a type (PTR, TYPEDEF, VOLATILE, CONST,
        /// RESTRICT, FUNC, FUNC_PROTO, VAR, DECL_TAG, TYPE_TAG); 0 for ARRAY
        /// and FWD.
        size_or_type: U32 as u32,
    }

    /// Data of an INT: one word.
    pub struct IntData {
        /// The word: see [`IntData::bits`], [`IntData::offset`] and
        /// [`IntData::encoding`].
        word: U32 as u32,
    }

    /// Data of an ARRAY: `struct btf_array`.
    pub struct Array {
        /// Id of the element type.
        type_id: U32 as u32,
        /// Id of the index type.
        index_type_id: U32 as u32,
        /// Number of elements; 0 for a flexible array.
        nelems: U32 as u32,
    }

    /// Member of a STRUCT or UNION: `struct btf_member`.
    pub struct Member {
        /// Offset of the name in the string section, in bytes; 0: no name.
        name_off: U32 as u32,
        /// Id of the member's type.
        type_id: U32 as u32,
        /// Position of the member. With the record's `kind_flag` clear, its
        /// offset in bits. With it set, bits 0 to 23 are the offset in bits,
        /// and bits 24 to 31 the size of the bitfield in bits, or 0 if it is
        /// not one.
        offset: U32 as u32,
    }

    /// Value of an ENUM: `struct btf_enum`.
    pub struct EnumValue {
        /// Offset of the name in the string section, in bytes.
        name_off: U32 as u32,
        /// The value, unsigned if the record's `kind_flag` is clear.
        val: I32 as i32,
    }

    /// Value of an ENUM64: `struct btf_enum64`.
    pub struct Enum64Value {
        /// Offset of the name in the string section, in bytes.
        name_off: U32 as u32,
        /// The low 32 bits of the value, which come first in either byte order.
        val_lo32: U32 as u32,
        /// The high 32 bits of the value.
        val_hi32: U32 as u32,
    }

    /// Parameter of a FUNC_PROTO: `struct btf_param`.
    pub struct Param {
        /// Offset of the name in the string section, in bytes; 0: no name.
        name_off: U32 as u32,
        /// Id of the parameter's type; 0 with no name, in the last parameter,
        /// means `...`.
        type_id: U32 as u32,
    }

    /// Data of a VAR: `struct btf_var`.
    pub struct Var {
        /// Linkage: 0 static, 1 global, 2 extern.
        linkage: U32 as u32,
    }

    /// Entry of a DATASEC: `struct btf_var_secinfo`.
    pub struct VarSecinfo {
        /// Id of a VAR, or of a FUNC in an object's `.ksyms`.
        type_id: U32 as u32,
        /// Offset of the variable in the section, in bytes.
        offset: U32 as u32,
        /// Size of the variable in bytes.
        size: U32 as u32,
    }

    /// Data of a DECL_TAG: `struct btf_decl_tag`.
    pub struct DeclTag {
        /// Index of the tagged member or parameter, from 0; -1 for the
        /// declaration itself.
        component_idx: I32 as i32,
    }

    /// The first 24 bytes of `.BTF.ext`: `struct btf_ext_header` without the
    /// CO-RE fields.
    pub struct ExtHeaderRecord {
        /// The start that `.BTF` and `.BTF.ext` share.
        preamble: Preamble as Preamble,
        /// Start of the func_info section, in bytes from the end of the header.
        func_info_off: U32 as u32,
        /// Length of the func_info section in bytes; 0 if there is none.
        func_info_len: U32 as u32,
        /// Start of the line_info section, in bytes from the end of the header.
        line_info_off: U32 as u32,
        /// Length of the line_info section in bytes; 0 if there is none.
        line_info_len: U32 as u32,
    }

    /// Bytes 24 to 31 of a `.BTF.ext` header of 32 bytes or more.
    pub struct CoreReloHeader {
        /// Start of the CO-RE relocations, in bytes from the end of the header.
        core_relo_off: U32 as u32,
        /// Length of the CO-RE relocations in bytes; 0 if there are none.
        core_relo_len: U32 as u32,
    }

    /// Head of the records for one ELF section: `struct btf_ext_info_sec`.
    pub struct ExtSectionRecord {
        /// Offset of the ELF section's name in `.BTF`'s strings, in bytes.
        sec_name_off: U32 as u32,
        /// Number of records, at least 1.
        num_info: U32 as u32,
    }

    /// Function and its first instruction: `struct bpf_func_info`.
    pub struct FuncInfo {
        /// Offset of the instruction in its section: in **bytes** in an object
        /// file, in units of 8 bytes for BPF_PROG_LOAD.
        insn_off: U32 as u32,
        /// Id of a FUNC.
        type_id: U32 as u32,
    }

    /// Source line of an instruction: `struct bpf_line_info`.
    pub struct LineInfo {
        /// Offset of the instruction in its section: in **bytes** in an object
        /// file, in units of 8 bytes for BPF_PROG_LOAD.
        insn_off: U32 as u32,
        /// Offset of the file's name in `.BTF`'s strings, in bytes.
        file_name_off: U32 as u32,
        /// Offset of the text of the line in `.BTF`'s strings, in bytes.
        line_off: U32 as u32,
        /// Line and column: see [`LineInfo::line`] and [`LineInfo::column`].
        line_col: U32 as u32,
    }

    /// A CO-RE relocation: `struct bpf_core_relo`.
    pub struct CoreRelo {
        /// Offset of the instruction in its section, in bytes.
        insn_off: U32 as u32,
        /// Id of the local root type.
        type_id: U32 as u32,
        /// Offset of the access string (`0:1:2`) in `.BTF`'s strings, in
        /// bytes.
        access_str_off: U32 as u32,
        /// `enum bpf_core_relo_kind`, 0 to 12.
        kind: U32 as u32,
    }
}

impl TypeRecord {
    /// A record of zeros, which has no valid kind.
    pub const ZERO: Self = Self { name_off: U32::ZERO, info_word: U32::ZERO, size_or_type: U32::ZERO };

    /// Kind, vlen and `kind_flag`.
    #[must_use]
    #[inline]
    pub fn info(&self) -> Info {
        Info::from_word(self.info_word())
    }
}

impl IntData {
    /// Width of the value in bits, 0 to 255 (the kernel accepts at most 128).
    #[must_use]
    #[inline]
    pub fn bits(&self) -> u8 {
        self.word() as u8
    }

    /// Offset of the value within the bytes of the integer, in bits. Always 0,
    /// except for bitfields from before `kind_flag`, in Linux 4.18 to 4.20.
    #[must_use]
    #[inline]
    pub fn offset(&self) -> u8 {
        (self.word() >> 16) as u8
    }

    /// Returns `true` if the value fills an integer of `size` bytes, as in all
    /// BTF since Linux 5.0. Members of other INTs are bitfields.
    #[must_use]
    pub fn is_regular(&self, size: u32) -> bool {
        self.offset() == 0 && u32::from(self.bits()) == size.saturating_mul(8)
    }

    /// The encoding: signed, character, boolean or none of these.
    #[must_use]
    #[inline]
    pub fn encoding(&self) -> IntEncoding {
        IntEncoding::from_bits((self.word() >> 24) as u8)
    }

    /// Encodes an integer whose value has `bits` bits and begins at bit
    /// `bit_offset` of its bytes (0 in all BTF since Linux 5.0).
    #[must_use]
    pub fn encode(encoding: IntEncoding, bit_offset: u8, bits: u8) -> Self {
        Self::new(u32::from(encoding.bits()) << 24 | u32::from(bit_offset) << 16 | u32::from(bits))
    }
}

impl Member {
    /// Offset from the start of the struct in bits, given the `kind_flag` of
    /// the struct's record. 0 in a union. Bits are numbered from the least
    /// significant one on little-endian machines, from the most significant one
    /// on big-endian machines.
    #[must_use]
    #[inline]
    pub fn bit_offset(&self, kind_flag: bool) -> u32 {
        if kind_flag { self.offset() & 0x00ff_ffff } else { self.offset() }
    }

    /// Size of a bitfield in bits, given the `kind_flag` of the struct's
    /// record; 0 for an ordinary member, and always if the flag is clear.
    #[must_use]
    #[inline]
    pub fn bitfield_size(&self, kind_flag: bool) -> u8 {
        if kind_flag { (self.offset() >> 24) as u8 } else { 0 }
    }

    /// Encodes the `offset` word of a member at `bit_offset` bits from the
    /// start of its struct, given the `kind_flag` of the struct's record.
    /// `bitfield_size` is the size of a bitfield in bits, or 0 for an ordinary
    /// member.
    ///
    /// `None` if the word cannot hold it: a bitfield if the flag is clear, or
    /// an offset of 2^24 bits or more if it is set.
    #[must_use]
    pub const fn encode(bit_offset: u32, bitfield_size: u8, kind_flag: bool) -> Option<u32> {
        match (kind_flag, bitfield_size) {
            (true, size) if bit_offset <= Self::MAX_BIT_OFFSET => Some((size as u32) << 24 | bit_offset),
            (false, 0) => Some(bit_offset),
            _ => None,
        }
    }

    /// Maximum offset in bits if `kind_flag` is set, which leaves 8 bits for
    /// the size of a bitfield.
    pub const MAX_BIT_OFFSET: u32 = 0x00ff_ffff;
}

impl LayoutEntry {
    /// Returns the sizes for a kind whose words are known: 1 to 22.
    #[must_use]
    pub fn of(kind_number: u8) -> Option<Self> {
        Shape::of(kind_number).map(|shape| Self::new(shape.fixed_size() as u8, shape.element_size() as u8, 0))
    }

    /// Entries of the layout section that libbpf writes, for kinds 0 to 19.
    #[must_use]
    pub fn known() -> impl ExactSizeIterator<Item = Self> {
        (0..20).map(|kind| Self::of(kind).unwrap_or(Self::new(0, 0, 0)))
    }
}

impl Enum64Value {
    /// The value, combined from both halves; signed if the record's `kind_flag`
    /// is set.
    #[must_use]
    #[inline]
    pub fn val(&self) -> u64 {
        u64::from(self.val_hi32()) << 32 | u64::from(self.val_lo32())
    }
}

impl LineInfo {
    /// The line, from 1; at most 22 bits.
    #[must_use]
    pub fn line(&self) -> u32 {
        self.line_col() >> 10
    }

    /// The column, from 1; at most 10 bits.
    #[must_use]
    pub fn column(&self) -> u32 {
        self.line_col() & 0x3ff
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_alignment_are_the_kernels() {
        macro_rules! check {
            ($($record:ty: $size:expr),* $(,)?) => {$(
                assert_eq!((size_of::<$record>(), align_of::<$record>()), ($size, 1), stringify!($record));
            )*};
        }
        check!(
            Preamble: 8, HeaderRecord: 24, LayoutHeader: 8, LayoutEntry: 4, TypeRecord: 12, IntData: 4, Array: 12,
            Member: 12, EnumValue: 8, Enum64Value: 12, Param: 8, Var: 4, VarSecinfo: 12, DeclTag: 4,
            ExtHeaderRecord: 24, CoreReloHeader: 8, ExtSectionRecord: 8, FuncInfo: 8, LineInfo: 16, CoreRelo: 16,
        );
    }

    #[test]
    fn int_data_is_taken_apart() {
        let int = IntData::new(0x0105_0020);
        assert_eq!((int.bits(), int.offset(), int.encoding()), (32, 5, IntEncoding::SIGNED));
        assert_eq!(IntData::new(0xff00_00ff).encoding().bits(), 0xf);
        for word in [0x0105_0020, 0, 0x0f7f_00ff, 0x0400_0008] {
            let int = IntData::new(word);
            assert_eq!(IntData::encode(int.encoding(), int.offset(), int.bits()), int);
        }
    }

    #[test]
    fn member_offset_in_both_encodings() {
        let member = Member::new(0, 1, 0x0300_0021);
        assert_eq!((member.bit_offset(true), member.bitfield_size(true)), (0x21, 3));
        assert_eq!((member.bit_offset(false), member.bitfield_size(false)), (0x0300_0021, 0));
        for offset in [0, 1, 0x0300_0021, 0x00ff_ffff, 0x0100_0000, u32::MAX] {
            let member = Member::new(0, 1, offset);
            for flag in [false, true] {
                assert_eq!(Member::encode(member.bit_offset(flag), member.bitfield_size(flag), flag), Some(offset));
            }
        }
        assert_eq!(Member::encode(0, 3, false), None);
        assert_eq!(Member::encode(1 << 24, 0, true), None);
    }

    #[test]
    fn the_known_layout_is_libbpfs() {
        let bytes: Vec<u8> = LayoutEntry::known().flat_map(|entry| entry.as_bytes().to_vec()).collect();
        assert_eq!(bytes.len(), 80);
        assert_eq!(bytes[..16], [0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 12, 0, 0, 0]);
        assert_eq!(bytes[76..], [0, 12, 0, 0]);
    }

    #[test]
    fn enum64_halves_are_low_first() {
        assert_eq!(Enum64Value::new(0, 0x89ab_cdef, 0x0123_4567).val(), 0x0123_4567_89ab_cdef);
    }

    #[test]
    fn line_and_column() {
        let line = LineInfo::new(0, 0, 0, 77 << 10 | 9);
        assert_eq!((line.line(), line.column()), (77, 9));
    }

    #[test]
    fn slices_never_reach_beyond_the_bytes() {
        assert_eq!(Param::list(&[0; 23], 2).len(), 2);
        assert_eq!(Param::list(&[0; 23], 3).len(), 0);
        assert_eq!(Param::list(&[0; 23], u32::MAX).len(), 0);
        assert!(TypeRecord::first(&[0; 11]).is_none());
    }
}

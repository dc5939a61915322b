//! Checks of members against their struct.

use btf_types::Kind;

use super::{
    kinds::{is_modifier, is_regular_int},
    known::Known,
    meta::require,
    reject::Rule,
    words::Record,
};

/// Maximum number of bits that the kernel copies for one member.
const MAX_COPY_BITS: u32 = 128;
/// Maximum number of bits of a bitfield of an enum.
const ENUM_BITS: u32 = 32;

/// Checks a member of a struct, whose type is resolved, and of this kind; `word` is
/// its last one.
#[inline]
pub(super) fn check(
    known: &Known<'_, '_>,
    composite: &Record<'_>,
    mut type_id: u32,
    mut kind: Option<Kind>,
    word: u32,
) -> Result<(), Rule> {
    let types = known.types;
    let has_bitfields = composite.info.kind_flag();
    let place = Place {
        struct_size: composite.size_or_type,
        offset: if has_bitfields { word & 0x00ff_ffff } else { word },
        bitfield_size: if has_bitfields { word >> 24 } else { 0 },
    };
    if kind.is_some_and(is_modifier) {
        (type_id, _) = known.sized(type_id).ok_or(Rule::MemberType)?;
        kind = types.kind(type_id);
    }
    match kind {
        Some(Kind::Int) if has_bitfields => {
            let data = types.record(type_id).word(0);
            require(is_regular_int(data), Rule::MemberBaseType)?;
            place.check_bitfield_of_int(data & 0xff)
        }
        Some(Kind::Int) => place.check_int(types.record(type_id).word(0)),
        Some(Kind::Enum | Kind::Enum64) if has_bitfields => place.check_bitfield_of_enum(),
        _ if place.bitfield_size != 0 => Err(Rule::BitfieldSize),
        Some(Kind::Float) => place.check_float(types.size_or_type(type_id), known.pointer_size),
        Some(kind) => place.check_bytes(known.own_size(type_id, kind).ok_or(Rule::MemberType)?),
        None => Err(Rule::MemberType),
    }
}

/// Position of a member: offset and size of the bitfield in bits, size of the
/// struct in bytes.
struct Place {
    struct_size: u32,
    offset: u32,
    bitfield_size: u32,
}

impl Place {
    fn is_at_byte(&self) -> bool {
        self.offset.is_multiple_of(8)
    }

    /// Checks that so many bytes from the member's first one on are there.
    fn has_bytes(&self, first_bit: u32, bytes: u32) -> Result<(), Rule> {
        let left = self.struct_size.checked_sub(first_bit / 8).ok_or(Rule::MemberEnd)?;
        require(bytes <= left, Rule::MemberEnd)
    }

    fn check_copied_bits(&self, first_bit: u32, bits: u32) -> Result<(), Rule> {
        let copied = bits + first_bit % 8;
        require(copied <= MAX_COPY_BITS, Rule::MemberCopyBits)?;
        self.has_bytes(first_bit, copied.div_ceil(8))
    }

    fn check_int(&self, data: u32) -> Result<(), Rule> {
        let first_bit = self.offset.checked_add(data >> 16 & 0xff).ok_or(Rule::MemberOverflow)?;
        self.check_copied_bits(first_bit, data & 0xff)
    }

    fn check_bitfield_of_int(&self, int_bits: u32) -> Result<(), Rule> {
        let bits = match self.bitfield_size {
            0 => {
                require(self.is_at_byte(), Rule::MemberOffset)?;
                int_bits
            }
            bits => {
                require(bits <= int_bits, Rule::BitfieldSize)?;
                bits
            }
        };
        self.check_copied_bits(self.offset, bits)
    }

    fn check_bitfield_of_enum(&self) -> Result<(), Rule> {
        let bits = match self.bitfield_size {
            0 => {
                require(self.is_at_byte(), Rule::MemberByteAligned)?;
                ENUM_BITS
            }
            bits => {
                require(bits <= ENUM_BITS, Rule::BitfieldSize)?;
                bits
            }
        };
        require((self.offset + bits).div_ceil(8) <= self.struct_size, Rule::MemberEnd)
    }

    fn check_float(&self, size: u32, pointer_size: u32) -> Result<(), Rule> {
        let align = size.min(pointer_size) * 8;
        require(self.offset.is_multiple_of(align), Rule::MemberFloatAligned)?;
        let end = u64::from(self.offset / 8) + u64::from(size);
        require(end <= u64::from(self.struct_size), Rule::MemberEnd)
    }

    fn check_bytes(&self, size: u32) -> Result<(), Rule> {
        require(self.is_at_byte(), Rule::MemberByteAligned)?;
        self.has_bytes(self.offset, size)
    }
}

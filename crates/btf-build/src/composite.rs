//! Definitions of STRUCT and UNION.

use btf_types::{Kind, format::Member};

use crate::{Error, pending::Pending};

/// Definition of a STRUCT or UNION: see [`Builder::structure`] and
/// [`Builder::union`].
///
/// The first error is stored until [`CompositeBuilder::finish`].
///
/// ```
/// # fn main() -> Result<(), btf_build::Error> {
/// use btf_build::{Builder, IntEncoding};
/// use btf_types::Struct;
///
/// let mut b = Builder::new();
/// let int = b.int("int", 4, IntEncoding::NONE)?;
/// let union = b.union("", 4).member("word", int, 0).member("flags", int, 0).finish()?;
/// b.structure("packet", 8).bitfield("version", int, 0, 4).member("", union, 32).finish()?;
/// let btf = b.finish()?;
/// let packet: Struct<'_> = btf.find("packet")?;
/// let members: Vec<_> = packet.members().map(|m| (m.name().to_string(), m.bit_offset(), m.bitfield_size())).collect();
/// assert_eq!(members, [("version".into(), 0, Some(4)), ("".into(), 32, None)]);
///
/// let mut b = Builder::new();
/// let error = b.union("u", 4).member("m", 0, 8).finish().unwrap_err();
/// assert_eq!(error.to_string(), "member `m` of a union is at bit 8, expected 0");
/// # Ok(())
/// # }
/// ```
///
/// [`Builder::structure`]: crate::Builder::structure
/// [`Builder::union`]: crate::Builder::union
#[derive(Debug)]
#[must_use = "nothing is defined before `finish`"]
pub struct CompositeBuilder<'b> {
    pending: Pending<'b>,
    kind_flag: bool,
    /// The largest offset in bits.
    largest_offset: u32,
}

impl<'b> CompositeBuilder<'b> {
    pub(crate) fn new(pending: Pending<'b>) -> Self {
        Self { pending, kind_flag: false, largest_offset: 0 }
    }

    /// Adds a member, `bit_offset` **bits** from the start. An anonymous member
    /// has an empty name.
    pub fn member(self, name: impl AsRef<[u8]>, ty: u32, bit_offset: u32) -> Self {
        self.add(name.as_ref(), ty, bit_offset, 0)
    }

    /// Adds a bitfield of `bits` bits, `bit_offset` **bits** from the start.
    pub fn bitfield(mut self, name: impl AsRef<[u8]>, ty: u32, bit_offset: u32, bits: u8) -> Self {
        if bits == 0 {
            self.pending.fail(Error::EmptyBitfield { name: name.as_ref().into() });
        }
        self.kind_flag = true;
        self.add(name.as_ref(), ty, bit_offset, bits)
    }

    /// Sets `kind_flag` even without bitfields. (It is always set with one.)
    pub fn kind_flag(mut self, kind_flag: bool) -> Self {
        self.kind_flag |= kind_flag;
        self
    }

    fn add(mut self, name: &[u8], ty: u32, bit_offset: u32, bits: u8) -> Self {
        if self.pending.kind() == Kind::Union && bit_offset != 0 {
            self.pending.fail(Error::UnionOffset { name: name.into(), bit_offset });
        }
        self.largest_offset = bit_offset.max(self.largest_offset);
        // The offset of an ordinary member is the same with and without
        // `kind_flag`, if it fits. This is checked at the end.
        let word = Member::encode(bit_offset, bits, bits != 0).unwrap_or(bit_offset);
        let member = Member::new(self.pending.name(name), self.pending.id(ty), word);
        self.pending.element(member.as_bytes());
        self
    }

    /// Defines the type, and returns its id.
    ///
    /// # Errors
    ///
    /// The first of: [`Error::NoSuchId`], [`Error::NulInName`],
    /// [`Error::EmptyBitfield`] and [`Error::UnionOffset`] of a member,
    /// [`Error::TooManyElements`]; [`Error::OffsetBesideBitfield`];
    /// [`Error::TooLarge`]; [`Error::NotDeclared`], [`Error::AlreadyDefined`].
    /// The builder is then unchanged.
    pub fn finish(mut self) -> Result<u32, Error> {
        if self.kind_flag && self.largest_offset > Member::MAX_BIT_OFFSET {
            let (kind, name, bit_offset) = (self.pending.kind(), self.pending.own_name(), self.largest_offset);
            self.pending.fail(Error::OffsetBesideBitfield { kind, name, bit_offset });
        }
        self.pending.finish(self.kind_flag)
    }
}

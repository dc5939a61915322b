//! A whole `.BTF` blob and its sections.

use crate::{Error, Header, Layout, Records, Strings};

/// A `.BTF` blob of native byte order with a checked header, sections inside
/// the blob, and terminated strings. Records are checked while iterating.
///
/// Ids and name offsets are not checked: their range depends on the base.
///
/// ```
/// # fn main() -> Result<(), btf_format::Error> {
/// use btf_format::{Kind, RawBtf};
///
/// # let mut bytes = std::fs::read("doc/kernel.btf").unwrap();
/// # btf_format::convert(&mut bytes, btf_format::ByteOrder::NATIVE)?;
/// let btf = RawBtf::parse(&bytes)?;
/// let mut functions = Vec::new();
/// for record in btf.records() {
///     let record = record?;
///     if record.kind() == Some(Kind::Func) {
///         functions.push(btf.strings().get(record.head().name_off()).unwrap());
///     }
/// }
/// assert_eq!(functions[..2], ["consume_skb", "kfree_skb_reason"]);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy)]
pub struct RawBtf<'a> {
    blob: &'a [u8],
    header: Header,
    strings: Strings<'a>,
}

impl<'a> RawBtf<'a> {
    /// Checks the header and the string section of a blob.
    ///
    /// # Errors
    ///
    /// Those of [`Header::parse`] and [`Strings::new`];
    /// [`Error::ForeignByteOrder`] if the blob must be converted first.
    pub fn parse(blob: &'a [u8]) -> Result<Self, Error> {
        let header = Header::parse(blob)?;
        if !header.byte_order().is_native() {
            return Err(Error::ForeignByteOrder { found: header.byte_order() });
        }
        let strings = header.strings();
        let offset = strings.start as u64;
        let strings = Strings::new(blob.get(strings).unwrap_or_default(), offset)?;
        Ok(Self { blob, header, strings })
    }

    /// The header.
    #[must_use]
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// The whole blob.
    #[must_use]
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.blob
    }

    /// The bytes of the type section.
    #[must_use]
    pub fn types(&self) -> &'a [u8] {
        self.blob.get(self.header.types()).unwrap_or_default()
    }

    /// The strings. For split BTF, only its own.
    #[must_use]
    pub const fn strings(&self) -> Strings<'a> {
        self.strings
    }

    /// The layout section; empty if there is none.
    #[must_use]
    pub fn layout(&self) -> Layout<'a> {
        Layout::new(self.blob.get(self.header.layout()).unwrap_or_default())
    }

    /// Iterates over the type records in the order of their ids. The blob's own
    /// layout section gives the sizes of unknown kinds. (For split BTF without
    /// one, pass that of its base to [`Records::new`].)
    #[must_use]
    pub fn records(&self) -> Records<'a> {
        Records::new(self.types(), self.header.types().start as u64, self.layout())
    }
}

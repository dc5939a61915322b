//! VAR and DATASEC: variables, and where they lie.

use core::fmt;

use btf_format as raw;

use crate::{
    Type,
    btf::Inner,
    view::{elements, referring, sized, views},
};

views! {
    /// A variable.
    Var;
    /// The variables, and in an object's `.ksyms` the functions, of an ELF
    /// section.
    Datasec;
}

sized!(Datasec);

referring! {
    /// The type of the variable.
    Var.ty;
}

impl<'btf> Datasec<'btf> {
    /// What lies in the section, in the order of the record.
    #[must_use]
    pub fn entries(self) -> DatasecEntries<'btf> {
        DatasecEntries::of(self.0)
    }
}

elements! {
    /// Iterator over what lies in a section.
    DatasecEntries over DatasecEntry of raw::VarSecinfo
}

/// A variable, or an extern function, in a section.
#[derive(Clone, Copy)]
pub struct DatasecEntry<'btf> {
    btf: &'btf Inner,
    raw: &'btf raw::VarSecinfo,
    #[expect(dead_code, reason = "of no meaning in a DATASEC")]
    kind_flag: bool,
}

impl<'btf> DatasecEntry<'btf> {
    /// The VAR or FUNC.
    #[must_use]
    pub fn ty(self) -> Type<'btf> {
        self.btf.type_of(self.raw.type_id())
    }

    /// Offset from the start of the section in bytes.
    #[must_use]
    pub fn offset(self) -> u32 {
        self.raw.offset()
    }

    /// Size in bytes.
    #[must_use]
    pub fn size(self) -> u32 {
        self.raw.size()
    }
}

impl fmt::Debug for DatasecEntry<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "type={} offset={} size={}", self.raw.type_id(), self.offset(), self.size())
    }
}

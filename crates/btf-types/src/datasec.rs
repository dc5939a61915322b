//! VAR and DATASEC: variables, and where they lie.
//!
//! Source: `Documentation/bpf/btf.rst`, "`BTF_KIND_VAR`" and
//! "`BTF_KIND_DATASEC`".

use core::fmt;

use btf_format as raw;

use crate::{
    Linkage, Type,
    view::{elements, referring, sized, views},
};

views! {
    /// A variable.
    Var;
    /// The variables, and in an object's `.ksyms` the functions, of an ELF
    /// section; its name is the section's.
    Datasec;
}

sized!(Datasec);

referring! {
    /// The type of the variable.
    Var.ty;
}

impl Var<'_> {
    /// Who can see the variable.
    #[must_use]
    pub fn linkage(self) -> Linkage {
        raw::Var::first(self.0.rest()).map_or(0, raw::Var::linkage).into()
    }
}

impl<'btf> Datasec<'btf> {
    /// What lies in the section, in the order of the record.
    #[must_use]
    pub fn entries(self) -> DatasecEntries<'btf> {
        DatasecEntries::new(self.0, self.0)
    }
}

elements! {
    /// Iterator over what lies in a section.
    DatasecEntries over
    /// A variable, or an extern function, in a section. (clang leaves offset
    /// and section size 0 for the loader to fill in.)
    DatasecEntry of raw::VarSecinfo
}

impl<'btf> DatasecEntry<'btf> {
    /// The VAR or FUNC.
    #[must_use]
    pub fn ty(self) -> Type<'btf> {
        self.owner.btf.type_of(self.raw.type_id())
    }

    /// Offset from the start of the section in **bytes**.
    #[must_use]
    pub fn offset(self) -> u32 {
        self.raw.offset()
    }

    /// Size in **bytes**.
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

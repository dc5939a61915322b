//! Variables and their sections: VAR and DATASEC.
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
    ///
    /// ```
    /// # fn main() -> Result<(), btf_types::Error> {
    /// use btf_types::{Btf, Linkage, Var};
    ///
    /// # let vmlinux = Btf::parse(std::fs::read("doc/kernel.btf").unwrap())?;
    /// let current: Var<'_> = vmlinux.find("current_task")?;
    /// assert_eq!(current.ty().to_string(), "struct task_struct *");
    /// assert_eq!((current.linkage(), current.size_of()?), (Linkage::Global, 8));
    /// # Ok(())
    /// # }
    /// ```
    Var;
    /// Variables of an ELF section, or functions in an object's `.ksyms`. Its
    /// name is that of the section.
    Datasec;
}

sized!(Datasec);

referring! {
    /// The type of the variable.
    Var.ty;
}

impl Var<'_> {
    /// Linkage of the variable.
    #[must_use]
    pub fn linkage(self) -> Linkage {
        let data = raw::Var::first(self.0.rest());
        debug_assert!(data.is_some(), "records lie within the type section");
        data.map_or(0, raw::Var::linkage).into()
    }
}

impl<'btf> Datasec<'btf> {
    /// Iterates over the variables and functions in the section
    /// (`btf_var_secinfo`), in the order of the record.
    ///
    /// ```
    /// # fn main() -> Result<(), btf_types::Error> {
    /// use btf_types::{Btf, Datasec};
    ///
    /// # let vmlinux = Btf::parse(std::fs::read("doc/kernel.btf").unwrap())?;
    /// let percpu: Datasec<'_> = vmlinux.find(".data..percpu")?;
    /// let variables: Vec<_> = percpu.entries().map(|entry| (entry.offset(), entry.size(), entry.to_string())).collect();
    /// assert_eq!(variables[0], (0, 8, "struct task_struct *current_task".into()));
    /// assert_eq!(variables[1], (8, 4, "int bpf_prog_active".into()));
    /// # Ok(())
    /// # }
    /// ```
    pub fn entries(self) -> DatasecEntries<'btf> {
        DatasecEntries::new(self.0)
    }
}

elements! {
    /// Iterator over the entries of a section.
    DatasecEntries over
    /// Variable or extern function in a section (`btf_var_secinfo`). (clang
    /// leaves its offset and the section's size 0 for the loader to fill in.)
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

impl fmt::Display for DatasecEntry<'_> {
    /// Writes the declaration of the variable or function.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.ty().fmt(f)
    }
}

impl fmt::Debug for DatasecEntry<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "type={} offset={} size={}", self.raw.type_id(), self.offset(), self.size())
    }
}

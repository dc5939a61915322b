//! DATASEC fix-up: DATASECs as a loader computes them.
//!
//! The compiler leaves the following to the loader, which changes the BTF
//! before it passes it to the kernel:
//!
//! * clang writes size 0 for DATASECs and offset 0 for their global variables.
//!   The loader takes the size from the ELF section and the offsets from the
//!   symbols. (Static variables have their offset. If a DATASEC has a size, the
//!   static linker has already done this.)
//! * A global variable whose symbol is hidden becomes static.
//! * `.kconfig` is not a section of the file. Its variables are sorted by
//!   alignment, largest first, then by size, smallest first, then by name.
//! * `.ksyms` contains variables and functions of the kernel. To load it as a
//!   DATASEC, each variable becomes a global variable of 4 bytes, and all
//!   functions become one such variable named `dummy_ksym`.
//! * Entries are sorted by offset.
//!
//! Source: `btf_fixup_datasec` and `bpf_object__collect_externs` in
//! `tools/lib/bpf/libbpf.c`. Deliberate differences: a variable whose symbol is
//! in another section is an error, and does not get an offset in the wrong
//! section; and a fault of one DATASEC does not affect the others.

mod layout;
mod write;

use btf_types::{Btf, Datasec, OwnedName};

use self::{layout::Layouter, write::Writer};
use crate::{
    DatasecFault, Elf, Error, Section,
    elf::strings::{NamesShared, short_name},
};

pub use self::layout::{DatasecLayout, EntryLayout};

/// DATASEC sizes and offsets as a loader would compute them.
///
/// ```
/// # fn main() -> Result<(), btf_elf::Error> {
/// use btf_elf::{BpfObject, types::Datasec};
///
/// let object = BpfObject::open("doc/probe.bpf.o")?;
/// // The compiler leaves sizes of sections to the loader.
/// assert_eq!(object.btf().find::<Datasec<'_>>(".bss")?.size(), 0);
/// let btf = object.datasec_fixups().btf()?;
/// assert_eq!(btf.find::<Datasec<'_>>(".bss")?.size(), 8);
/// assert!(object.datasec_fixups().faults().next().is_none());
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct DatasecFixups {
    btf: Btf,
    datasecs: Vec<DatasecFixup>,
}

/// Size and offsets of one DATASEC as a loader would compute them, or the
/// reason why that fails.
#[derive(Debug)]
pub struct DatasecFixup {
    id: u32,
    /// Index of the section with the name of the DATASEC, or the limit on names
    /// that was reached.
    section: Result<Option<u32>, NamesShared>,
    layout: Result<DatasecLayout, Box<Fault>>,
}

#[derive(Debug)]
struct Fault {
    name: OwnedName,
    fault: DatasecFault,
}

impl DatasecFixups {
    pub(crate) fn new(elf: &Elf, btf: &Btf) -> Result<Self, Error> {
        let mut layouter = Layouter::new(elf, btf)?;
        let all = || btf.types().filter_map(|ty| Datasec::try_from(ty).ok());
        let mut datasecs = Vec::with_capacity(all().count());
        for datasec in all() {
            let fault = |fault| Box::new(Fault { name: short_name(datasec.into()), fault });
            let section = layouter.section_of(datasec);
            let layout = layouter.layout(datasec).map_err(fault);
            datasecs.push(DatasecFixup { id: datasec.id(), section, layout });
        }
        Ok(Self { datasecs, btf: btf.clone() })
    }

    /// All DATASECs, by ascending id.
    #[must_use]
    pub fn datasecs(&self) -> &[DatasecFixup] {
        &self.datasecs
    }

    /// Returns the DATASEC with this id.
    #[must_use]
    pub fn datasec(&self, id: u32) -> Option<&DatasecFixup> {
        let index = self.datasecs.binary_search_by_key(&id, DatasecFixup::id).ok()?;
        self.datasecs.get(index)
    }

    /// Errors, one for each DATASEC that cannot be fixed up.
    pub fn faults(&self) -> impl Iterator<Item = Error> + '_ {
        self.datasecs.iter().filter_map(|datasec| datasec.layout().err())
    }

    /// Returns the BTF as a loader sees it. All type ids are unchanged.
    ///
    /// # Errors
    ///
    /// The first of [`DatasecFixups::faults`]; those of [`DatasecFixups::btf_lenient`].
    pub fn btf(&self) -> Result<Btf, Error> {
        match self.faults().next() {
            Some(fault) => Err(fault),
            None => self.btf_lenient(),
        }
    }

    /// Returns the BTF as a loader sees it, leaving DATASECs that cannot be
    /// fixed up unchanged.
    ///
    /// # Errors
    ///
    /// [`Error::Types`] if a type has a kind, or the header has fields, that
    /// cannot be rewritten.
    pub fn btf_lenient(&self) -> Result<Btf, Error> {
        let layouts = self.datasecs.iter().filter_map(|datasec| Some((datasec.id, datasec.layout().ok()?)));
        Writer::new(&self.btf, layouts.collect()).write()
    }
}

impl<'a> IntoIterator for &'a DatasecFixups {
    type Item = &'a DatasecFixup;
    type IntoIter = std::slice::Iter<'a, DatasecFixup>;

    /// Iterates over all DATASECs: see [`DatasecFixups::datasecs`].
    fn into_iter(self) -> Self::IntoIter {
        self.datasecs.iter()
    }
}

impl DatasecFixup {
    /// The id of the DATASEC.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.id
    }

    /// Size of the DATASEC, and the offsets of its entries.
    ///
    /// # Errors
    ///
    /// [`Error::Datasec`] if the DATASEC cannot be fixed up.
    pub fn layout(&self) -> Result<&DatasecLayout, Error> {
        self.layout.as_ref().map_err(|error| {
            let Fault { name, fault } = &**error;
            Error::Datasec { id: self.id, name: name.clone(), fault: fault.clone() }
        })
    }

    /// Returns the section with the name of the DATASEC.
    pub(crate) fn section<'elf>(&self, elf: &'elf Elf) -> Result<Option<Section<'elf>>, Error> {
        match self.section {
            Ok(index) => Ok(index.and_then(|index| elf.section_by_index(index))),
            Err(error) => Err(error.into()),
        }
    }
}

//! DATASECs as a loader sees them.
//!
//! What the compiler leaves open, and the loader fills in before it hands BTF
//! to the kernel:
//!
//! * In clang's objects a DATASEC has the size 0, and its global variables the
//!   offset 0. The size is that of the ELF section, the offset that of the
//!   symbol. (Static variables have their offset; and where there is a size,
//!   the static linker has done all this.)
//! * A global variable whose symbol is hidden becomes static.
//! * `.kconfig` is no section of the file. Its variables are laid out by
//!   alignment, the largest first, then size, the smallest first, then name.
//! * In `.ksyms` are variables and functions of the kernel. To load as a
//!   DATASEC, each becomes a global variable of 4 bytes; for all functions it
//!   is one named `dummy_ksym`.
//! * Entries are sorted by offset.
//!
//! Source: `btf_fixup_datasec` and `bpf_object__collect_externs` in
//! `tools/lib/bpf/libbpf.c`. On purpose different: symbols are looked at
//! together with the section that they are in, so that a variable that lies in
//! another one is an error, and not an offset into the wrong section; and what
//! is wrong with one DATASEC keeps nobody from the others.

mod layout;
mod write;

use btf_types::{Btf, Datasec, OwnedName};

use self::{layout::Layouter, write::Writer};
use crate::{
    DatasecFault, Elf, Error, Section,
    elf::strings::{NamesShared, short_name},
};

pub use self::layout::{DatasecLayout, EntryLayout};

/// What a loader fills in of the DATASECs of an object.
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

/// Size and offsets of one DATASEC as a loader fills them in, or why it cannot.
#[derive(Debug)]
pub struct DatasecFixup {
    id: u32,
    /// The number of the section that has the name of the DATASEC; or the limit
    /// on names that was reached.
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

    /// All DATASECs, in the order of their ids.
    #[must_use]
    pub fn datasecs(&self) -> &[DatasecFixup] {
        &self.datasecs
    }

    /// The DATASEC with this id.
    #[must_use]
    pub fn datasec(&self, id: u32) -> Option<&DatasecFixup> {
        let index = self.datasecs.binary_search_by_key(&id, DatasecFixup::id).ok()?;
        self.datasecs.get(index)
    }

    /// Why some DATASECs cannot be filled in.
    pub fn faults(&self) -> impl Iterator<Item = Error> + '_ {
        self.datasecs.iter().filter_map(|datasec| datasec.layout().err())
    }

    /// The BTF as a loader sees it. The ids of all types stay what they are.
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

    /// The same, but where a DATASEC cannot be filled in, it stays what it is.
    ///
    /// # Errors
    ///
    /// [`Error::Types`], if the BTF has types or data in its header that nobody
    /// knows how to rewrite.
    pub fn btf_lenient(&self) -> Result<Btf, Error> {
        let layouts = self.datasecs.iter().filter_map(|datasec| Some((datasec.id, datasec.layout().ok()?)));
        Writer::new(&self.btf, layouts.collect()).write()
    }
}

impl<'a> IntoIterator for &'a DatasecFixups {
    type Item = &'a DatasecFixup;
    type IntoIter = std::slice::Iter<'a, DatasecFixup>;

    /// All DATASECs, see [`DatasecFixups::datasecs`].
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

    /// Size of the DATASEC, and the offset of everything in it.
    ///
    /// # Errors
    ///
    /// [`Error::Datasec`] with the reason why they are not known.
    pub fn layout(&self) -> Result<&DatasecLayout, Error> {
        self.layout.as_ref().map_err(|error| {
            let Fault { name, fault } = &**error;
            Error::Datasec { id: self.id, name: name.clone(), fault: fault.clone() }
        })
    }

    /// The section that has the name of the DATASEC.
    pub(crate) fn section<'elf>(&self, elf: &'elf Elf) -> Result<Option<Section<'elf>>, Error> {
        match self.section {
            Ok(index) => Ok(index.and_then(|index| elf.section_by_index(index))),
            Err(error) => Err(error.into()),
        }
    }
}

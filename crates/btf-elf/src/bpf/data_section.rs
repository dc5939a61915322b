//! Global variables of a BPF object, by section.

use std::fmt;

use btf_types::{Bytes, Datasec, Linkage, Name, Type};

use crate::{BpfObject, DatasecFixup, DatasecLayout, EntryLayout, Error};

/// Section of a BPF object whose variables are described by a DATASEC of its
/// BTF.
#[derive(Clone, Copy)]
pub struct DataSection<'obj> {
    object: &'obj BpfObject,
    datasec: Datasec<'obj>,
    fixed: &'obj DatasecFixup,
}

/// Purpose of a section for a loader.
///
/// ```
/// # fn main() -> Result<(), btf_elf::Error> {
/// use btf_elf::{BpfObject, DataKind};
///
/// let object = BpfObject::open("doc/probe.bpf.o")?;
/// let kinds: Vec<_> = object.data_sections().map(|section| section.kind()).collect();
/// assert_eq!(kinds, [DataKind::Zero, DataKind::Maps, DataKind::ReadOnly, DataKind::Other]);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DataKind {
    /// Variables with an initial value: `.data`, `.data.NAME`.
    Data,
    /// Constants: `.rodata`, `.rodata.NAME`.
    ReadOnly,
    /// Variables that are initially zero: `.bss`, `.bss.NAME`.
    Zero,
    /// Settings of the kernel's configuration: `.kconfig`.
    Kconfig,
    /// Variables and functions of the kernel: `.ksyms`.
    Ksyms,
    /// Definitions of maps: `.maps`.
    Maps,
    /// Structs of functions that the kernel calls: `.struct_ops`,
    /// `.struct_ops.link`, and the optional ones with a leading `?`.
    StructOps,
    /// Any other section, such as `license`.
    Other,
}

impl DataKind {
    /// Length of the longest known name.
    const LONGEST: usize = b"?.struct_ops.link".len();

    fn of(name: &[u8]) -> Self {
        let is = |of: &[u8]| name.strip_prefix(of).is_some_and(|rest| rest.is_empty() || rest.starts_with(b"."));
        match name {
            b".kconfig" => Self::Kconfig,
            b".ksyms" => Self::Ksyms,
            b".maps" => Self::Maps,
            b".struct_ops" | b".struct_ops.link" | b"?.struct_ops" | b"?.struct_ops.link" => Self::StructOps,
            _ if is(b".data") => Self::Data,
            _ if is(b".rodata") => Self::ReadOnly,
            _ if is(b".bss") => Self::Zero,
            _ => Self::Other,
        }
    }
}

impl DataKind {
    /// Name of the section, or the common part of similar names: `.rodata`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Data => ".data",
            Self::ReadOnly => ".rodata",
            Self::Zero => ".bss",
            Self::Kconfig => ".kconfig",
            Self::Ksyms => ".ksyms",
            Self::Maps => ".maps",
            Self::StructOps => ".struct_ops",
            Self::Other => "other",
        }
    }
}

impl fmt::Display for DataKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl<'obj> DataSection<'obj> {
    pub(crate) fn new(object: &'obj BpfObject, datasec: Datasec<'obj>, fixed: &'obj DatasecFixup) -> Self {
        Self { object, datasec, fixed }
    }

    /// Name of the section.
    #[must_use]
    pub fn name(self) -> Name<'obj> {
        self.datasec.name()
    }

    /// Purpose of the section for a loader.
    #[must_use]
    pub fn kind(self) -> DataKind {
        DataKind::of(Type::from(self.datasec).name_start(DataKind::LONGEST + 1).as_bytes())
    }

    /// The DATASEC, as stored in the object.
    #[must_use]
    pub fn datasec(self) -> Datasec<'obj> {
        self.datasec
    }

    /// Returns the size of the section and the offset of each entry, as a
    /// loader computes them.
    ///
    /// # Errors
    ///
    /// [`Error::Datasec`] if the DATASEC cannot be fixed up.
    pub fn layout(self) -> Result<&'obj DatasecLayout, Error> {
        self.fixed.layout()
    }

    /// Iterates over the variables, and in `.ksyms` functions, by ascending
    /// offset.
    ///
    /// # Errors
    ///
    /// As for [`DataSection::layout`].
    pub fn variables(self) -> Result<impl ExactSizeIterator<Item = Variable<'obj>>, Error> {
        let layout = self.layout()?;
        Ok(layout.entries().iter().map(move |&entry| {
            // The layout was made from the entries of this DATASEC.
            let ty = self.object.btf().type_by_id(entry.id()).unwrap_or(Type::Void);
            Variable { ty, entry, is_hidden: layout.is_hidden(entry.id()) }
        }))
    }

    /// Returns the initial contents; `None` if the file has no such section, or
    /// it has no contents (SHT_NOBITS).
    ///
    /// # Errors
    ///
    /// Those of [`crate::Section::data`]; [`Error::NamesShared`].
    pub fn contents(self) -> Result<Option<Bytes>, Error> {
        match self.fixed.section(self.object.elf())? {
            Some(section) if section.has_contents() => section.data().map(Some),
            _ => Ok(None),
        }
    }
}

impl PartialEq for DataSection<'_> {
    /// Equal if they are the same DATASEC of the same object.
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.object, other.object) && self.datasec.id() == other.datasec.id()
    }
}

impl Eq for DataSection<'_> {}

impl std::hash::Hash for DataSection<'_> {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        (std::ptr::from_ref(self.object), self.datasec.id()).hash(state);
    }
}

impl fmt::Debug for DataSection<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DataSection").field("name", &self.name()).field("layout", &self.fixed.layout()).finish()
    }
}

/// Variable in a section, or function in `.ksyms`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Variable<'obj> {
    ty: Type<'obj>,
    entry: EntryLayout,
    is_hidden: bool,
}

impl<'obj> Variable<'obj> {
    /// The VAR or FUNC, as stored in the object.
    #[must_use]
    pub fn ty(self) -> Type<'obj> {
        self.ty
    }

    /// Name of the variable or function.
    #[must_use]
    pub fn name(self) -> Name<'obj> {
        self.ty.name()
    }

    /// Linkage. A hidden variable counts as static.
    #[must_use]
    pub fn linkage(self) -> Linkage {
        match self.ty {
            Type::Var(_) if self.is_hidden => Linkage::Static,
            Type::Var(var) => var.linkage(),
            Type::Func(func) => func.linkage(),
            _ => Linkage::Extern,
        }
    }

    /// Offset from the start of the section in **bytes**.
    #[must_use]
    pub fn offset(self) -> u32 {
        self.entry.offset()
    }

    /// Size in **bytes**.
    #[must_use]
    pub fn size(self) -> u32 {
        self.entry.size()
    }
}

//! Global variables of a BPF object, by section.

use std::fmt;

use btf_types::{Bytes, Datasec, Linkage, Name, Type};

use crate::{BpfObject, DatasecFixup, DatasecLayout, EntryLayout, Error};

/// A section of a BPF object that its BTF knows the variables of.
#[derive(Clone, Copy)]
pub struct DataSection<'obj> {
    object: &'obj BpfObject,
    datasec: Datasec<'obj>,
    fixed: &'obj DatasecFixup,
}

/// What a section is to a loader.
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
    /// Variables with a value at start: `.data`, `.data.NAME`.
    Data,
    /// Constants: `.rodata`, `.rodata.NAME`.
    ReadOnly,
    /// Variables that are zero at start: `.bss`, `.bss.NAME`.
    Zero,
    /// What the kernel's configuration says: `.kconfig`.
    Kconfig,
    /// Variables and functions of the kernel: `.ksyms`.
    Ksyms,
    /// Definitions of maps: `.maps`.
    Maps,
    /// Structs of functions that the kernel calls: `.struct_ops`,
    /// `.struct_ops.link`, and those with a `?` in front, which need not load.
    StructOps,
    /// Any other, such as `license`.
    Other,
}

impl DataKind {
    /// The length of the longest name that is known, and of no other.
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
    /// The name of the section, or of those that are like it: `.rodata`.
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

    /// Its name.
    #[must_use]
    pub fn name(self) -> Name<'obj> {
        self.datasec.name()
    }

    /// What it is to a loader.
    #[must_use]
    pub fn kind(self) -> DataKind {
        DataKind::of(Type::from(self.datasec).name_start(DataKind::LONGEST + 1).as_bytes())
    }

    /// The DATASEC, as it is in the object.
    #[must_use]
    pub fn datasec(self) -> Datasec<'obj> {
        self.datasec
    }

    /// Its size, and where everything lies in it, as a loader sees it.
    ///
    /// # Errors
    ///
    /// [`Error::Datasec`] with what is wrong with it.
    pub fn layout(self) -> Result<&'obj DatasecLayout, Error> {
        self.fixed.layout()
    }

    /// Its variables, and in `.ksyms` functions, by rising offset.
    ///
    /// # Errors
    ///
    /// As for [`DataSection::layout`].
    pub fn variables(self) -> Result<impl ExactSizeIterator<Item = Variable<'obj>>, Error> {
        let layout = self.layout()?;
        Ok(layout.entries().iter().map(move |&entry| {
            // The layout was made of the entries of this very DATASEC.
            let ty = self.object.btf().type_by_id(entry.id()).unwrap_or(Type::Void);
            Variable { ty, entry, is_hidden: layout.is_hidden(entry.id()) }
        }))
    }

    /// What is in it at start; `None` if it is no section of the file, or one
    /// of zeros.
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

/// A variable, or in `.ksyms` also a function, in a section.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Variable<'obj> {
    ty: Type<'obj>,
    entry: EntryLayout,
    is_hidden: bool,
}

impl<'obj> Variable<'obj> {
    /// The VAR or FUNC, as it is in the object.
    #[must_use]
    pub fn ty(self) -> Type<'obj> {
        self.ty
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> Name<'obj> {
        self.ty.name()
    }

    /// Who can see it; a hidden variable counts as static.
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

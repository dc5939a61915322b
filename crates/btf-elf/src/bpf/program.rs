//! Program sections of a BPF object.

use std::fmt;

use btf_types::{ByteOrder, Bytes, Func, Name};

use crate::{BpfObject, Error, Instruction, Relocations, Section, Symbol};

/// A section of a BPF object that has instructions.
///
/// What kind of program is in it, its name says (`kprobe/do_unlinkat`); in
/// `.text` are functions that programs call.
#[derive(Clone, Copy)]
pub struct ProgramSection<'obj> {
    object: &'obj BpfObject,
    section: Section<'obj>,
}

impl<'obj> ProgramSection<'obj> {
    pub(crate) fn new(object: &'obj BpfObject, section: Section<'obj>) -> Self {
        Self { object, section }
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> Name<'obj> {
        self.section.name()
    }

    /// The ELF section.
    #[must_use]
    pub fn section(self) -> Section<'obj> {
        self.section
    }

    /// Its instructions.
    ///
    /// # Errors
    ///
    /// [`Error::ProgramLength`] if there are none or not whole ones; those of
    /// [`Section::data`].
    pub fn instructions(self) -> Result<Instructions, Error> {
        let bytes = self.section.data()?;
        if bytes.is_empty() || bytes.len() % Instruction::SIZE != 0 {
            return Err(Error::ProgramLength { name: self.name().into(), len: bytes.len() as u64 });
        }
        Ok(Instructions { bytes, order: self.object.elf().byte_order() })
    }

    /// Its functions, by rising offset.
    ///
    /// # Errors
    ///
    /// Those of [`crate::Elf::symbols`]; [`Error::NamesShared`].
    pub fn functions(self) -> Result<Vec<Function<'obj>>, Error> {
        let types = self.object.func_types()?;
        let function = |&(_, offset, index): &(u32, u64, u32)| {
            let symbol = self.object.elf().symbol_by_index(index).ok()??;
            let func = types.get(&(self.section.index(), offset)).copied();
            let func = func.and_then(|id| Func::try_from(self.object.btf().type_by_id(id).ok()?).ok());
            Some(Function { symbol, offset, func })
        };
        Ok(self.object.functions_of(self.section.index())?.iter().filter_map(function).collect())
    }

    /// What its instructions have to be told by a loader: maps, variables,
    /// functions elsewhere. By rising offset.
    ///
    /// # Errors
    ///
    /// Those of [`Section::relocations`].
    pub fn relocations(self) -> Result<Relocations<'obj>, Error> {
        self.section.relocations()
    }
}

impl fmt::Debug for ProgramSection<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProgramSection").field("name", &self.name()).field("size", &self.section.size()).finish()
    }
}

/// A function of a program section.
#[derive(Debug, Clone, Copy)]
pub struct Function<'obj> {
    symbol: Symbol<'obj>,
    offset: u64,
    func: Option<Func<'obj>>,
}

impl<'obj> Function<'obj> {
    /// Its name.
    #[must_use]
    pub fn name(self) -> Name<'obj> {
        self.symbol.name()
    }

    /// Its symbol.
    #[must_use]
    pub fn symbol(self) -> Symbol<'obj> {
        self.symbol
    }

    /// Where it begins, in **bytes** from the start of the section.
    #[must_use]
    pub fn offset(self) -> u64 {
        self.offset
    }

    /// Its size in **bytes**.
    #[must_use]
    pub fn size(self) -> u64 {
        self.symbol.size()
    }

    /// Its type, as `.BTF.ext` says.
    #[must_use]
    pub fn func(self) -> Option<Func<'obj>> {
        self.func
    }
}

/// The instructions of a section.
#[derive(Debug, Clone)]
pub struct Instructions {
    bytes: Bytes,
    order: ByteOrder,
}

impl Instructions {
    /// Their bytes, in the byte order of the object.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The instruction at an offset in **bytes**.
    #[must_use]
    pub fn at(&self, offset: u64) -> Option<Instruction> {
        let rest = self.bytes.get(usize::try_from(offset).ok()?..)?;
        rest.first_chunk().map(|&bytes| Instruction::from_bytes(bytes, self.order))
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes.len() / Instruction::SIZE
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// One after the other.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Instruction> + '_ {
        let (chunks, _) = self.bytes.as_chunks();
        chunks.iter().map(|&bytes| Instruction::from_bytes(bytes, self.order))
    }
}

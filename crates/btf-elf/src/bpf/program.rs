//! Program sections of a BPF object.

use std::{collections::HashMap, fmt};

use btf_types::{ByteOrder, Bytes, CoreRelo, ExtSection, Func, LineInfo, Name};

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
        // (No type is known if `.BTF.ext` is damaged, as nothing else has them.)
        let ext = match self.btf_ext() {
            Err(error @ Error::NamesShared { .. }) => return Err(error),
            ext => ext.ok().flatten(),
        };
        let infos = ext.into_iter().flat_map(ExtSection::func_infos);
        let types: HashMap<u64, Func<'_>> = infos.map(|info| (info.insn_offset().into(), info.func())).collect();
        let function = |&(_, offset, index): &(u32, u64, u32)| {
            let symbol = self.object.elf().symbol_by_index(index).ok()??;
            Some(Function { symbol, offset, func: types.get(&offset).copied() })
        };
        Ok(self.object.functions_of(self.section.index())?.iter().filter_map(function).collect())
    }

    /// ELF relocations of its instructions: maps, variables, functions in other
    /// sections. By rising offset.
    ///
    /// # Errors
    ///
    /// Those of [`Section::relocations`].
    pub fn relocations(self) -> Result<Relocations<'obj>, Error> {
        self.section.relocations()
    }

    /// Functions, source lines and CO-RE relocations of its instructions, in
    /// `.BTF.ext`; `None` if that has none.
    ///
    /// `.BTF.ext` names sections: of several that have one name, the first has
    /// them.
    ///
    /// # Errors
    ///
    /// Those of [`BpfObject::btf_ext`]; [`Error::NamesShared`].
    pub fn btf_ext(self) -> Result<Option<ExtSection<'obj>>, Error> {
        let Some(ext) = self.object.btf_ext()? else { return Ok(None) };
        match self.object.program_named(self.name())? == Some(self.section.index()) {
            true => Ok(ext.section(self.name())),
            false => Ok(None),
        }
    }

    /// Source lines of its instructions, by rising offset as compilers write
    /// them.
    ///
    /// # Errors
    ///
    /// Those of [`ProgramSection::btf_ext`].
    pub fn lines(self) -> Result<impl Iterator<Item = LineInfo<'obj>> + use<'obj>, Error> {
        Ok(self.btf_ext()?.into_iter().flat_map(ExtSection::line_infos))
    }

    /// CO-RE relocations of its instructions, by rising offset as compilers
    /// write them.
    ///
    /// ```
    /// # fn main() -> Result<(), btf_elf::Error> {
    /// use btf_elf::BpfObject;
    ///
    /// let object = BpfObject::open("doc/probe.bpf.o")?;
    /// let program = object.program("tp_btf/sched_switch").unwrap();
    /// let relos: Vec<_> = program.core_relos()?.map(|relo| (relo.insn_offset(), relo.ty().to_string())).collect();
    /// assert_eq!(relos, [(16, "struct task_struct".into()), (56, "struct task_struct___old".into())]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`ProgramSection::btf_ext`].
    pub fn core_relos(self) -> Result<impl Iterator<Item = CoreRelo<'obj>> + use<'obj>, Error> {
        Ok(self.btf_ext()?.into_iter().flat_map(ExtSection::core_relos))
    }
}

impl PartialEq for ProgramSection<'_> {
    /// Equal if they are the same section of the same object.
    fn eq(&self, other: &Self) -> bool {
        self.section == other.section
    }
}

impl Eq for ProgramSection<'_> {}

impl std::hash::Hash for ProgramSection<'_> {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.section.hash(state);
    }
}

impl fmt::Debug for ProgramSection<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProgramSection").field("name", &self.name()).field("size", &self.section.size()).finish()
    }
}

/// A function of a program section.
///
/// ```
/// # fn main() -> Result<(), btf_elf::Error> {
/// use btf_elf::BpfObject;
///
/// let object = BpfObject::open("doc/probe.bpf.o")?;
/// let program = object.program("fentry/consume_skb").unwrap();
/// let function = program.functions()?[0];
/// assert_eq!((function.name(), function.size()), ("count".into(), 168));
/// assert_eq!(function.func().unwrap().params().next().unwrap().to_string(), "u64 *ctx");
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
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
///
/// ```
/// # fn main() -> Result<(), btf_elf::Error> {
/// use btf_elf::BpfObject;
///
/// let object = BpfObject::open("doc/probe.bpf.o")?;
/// let program = object.program("tp_btf/sched_switch").unwrap();
/// let instructions = program.instructions()?;
/// assert_eq!((instructions.len(), instructions.as_bytes().len()), (9, 72));
/// assert_eq!(instructions.at(8).unwrap().opcode, 0x79); // r1 = *(u64 *)(r1 + 8)
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
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

    /// The instructions, one after the other.
    pub fn iter(&self) -> InstructionIter<'_> {
        InstructionIter { chunks: self.bytes.as_chunks().0.iter(), order: self.order }
    }
}

/// Iterator over instructions.
#[derive(Debug, Clone)]
#[must_use = "iterators do nothing unless consumed"]
pub struct InstructionIter<'a> {
    chunks: std::slice::Iter<'a, [u8; Instruction::SIZE]>,
    order: ByteOrder,
}

impl Iterator for InstructionIter<'_> {
    type Item = Instruction;

    fn next(&mut self) -> Option<Instruction> {
        self.chunks.next().map(|&bytes| Instruction::from_bytes(bytes, self.order))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.chunks.size_hint()
    }
}

impl ExactSizeIterator for InstructionIter<'_> {}
impl std::iter::FusedIterator for InstructionIter<'_> {}

impl<'a> IntoIterator for &'a Instructions {
    type Item = Instruction;
    type IntoIter = InstructionIter<'a>;

    fn into_iter(self) -> InstructionIter<'a> {
        self.iter()
    }
}

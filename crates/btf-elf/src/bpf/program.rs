//! Program sections of a BPF object.

use std::{collections::HashMap, fmt};

use btf_types::{ByteOrder, Bytes, CoreRelo, ExtSection, Func, LineInfo, Name};

use crate::{BpfObject, Error, Instruction, Relocations, Section, Symbol};

/// Section of a BPF object with instructions.
///
/// Its name is the type and target of the program (`kprobe/do_unlinkat`).
/// `.text` contains functions that programs call.
#[derive(Clone, Copy)]
pub struct ProgramSection<'obj> {
    object: &'obj BpfObject,
    section: Section<'obj>,
}

impl<'obj> ProgramSection<'obj> {
    pub(crate) fn new(object: &'obj BpfObject, section: Section<'obj>) -> Self {
        Self { object, section }
    }

    /// Name of the section.
    #[must_use]
    pub fn name(self) -> Name<'obj> {
        self.section.name()
    }

    /// Returns the ELF section.
    #[must_use]
    pub fn section(self) -> Section<'obj> {
        self.section
    }

    /// Returns the instructions.
    ///
    /// # Errors
    ///
    /// [`Error::ProgramLength`] if the length is 0 or not a multiple of 8;
    /// those of [`Section::data`].
    pub fn instructions(self) -> Result<Instructions, Error> {
        let bytes = self.section.data()?;
        if bytes.is_empty() || bytes.len() % Instruction::SIZE != 0 {
            return Err(Error::ProgramLength { name: self.name().into(), len: bytes.len() as u64 });
        }
        Ok(Instructions { bytes, order: self.object.elf().byte_order() })
    }

    /// Returns the functions, by ascending offset.
    ///
    /// # Errors
    ///
    /// Those of [`crate::Elf::symbols`]; [`Error::NamesShared`].
    pub fn functions(self) -> Result<Vec<Function<'obj>>, Error> {
        // If `.BTF.ext` is damaged, the functions have no types.
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

    /// Returns the ELF relocations of the instructions: maps, variables,
    /// functions in other sections. By ascending offset.
    ///
    /// # Errors
    ///
    /// Those of [`Section::relocations`].
    pub fn relocations(self) -> Result<Relocations<'obj>, Error> {
        self.section.relocations()
    }

    /// Returns the functions, source lines and CO-RE relocations of the section
    /// in `.BTF.ext`; `None` if that has none.
    ///
    /// `.BTF.ext` refers to sections by name. If several have the same name,
    /// only the first one has them.
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

    /// Iterates over the source lines of the instructions, by ascending offset
    /// as compilers write them.
    ///
    /// # Errors
    ///
    /// Those of [`ProgramSection::btf_ext`].
    pub fn lines(self) -> Result<impl Iterator<Item = LineInfo<'obj>> + use<'obj>, Error> {
        Ok(self.btf_ext()?.into_iter().flat_map(ExtSection::line_infos))
    }

    /// Iterates over the CO-RE relocations of the instructions, by ascending
    /// offset as compilers write them.
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

/// Function of a program section.
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
    /// Name of the function.
    #[must_use]
    pub fn name(self) -> Name<'obj> {
        self.symbol.name()
    }

    /// Symbol of the function.
    #[must_use]
    pub fn symbol(self) -> Symbol<'obj> {
        self.symbol
    }

    /// Offset in the section in **bytes**.
    #[must_use]
    pub fn offset(self) -> u64 {
        self.offset
    }

    /// Size in **bytes**.
    #[must_use]
    pub fn size(self) -> u64 {
        self.symbol.size()
    }

    /// The FUNC, if `.BTF.ext` has it.
    #[must_use]
    pub fn func(self) -> Option<Func<'obj>> {
        self.func
    }
}

/// Instructions of a section.
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
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Instructions {
    bytes: Bytes,
    order: ByteOrder,
}

impl Instructions {
    /// Returns the bytes, in the byte order of the object.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Returns the instruction at an offset in **bytes**.
    #[must_use]
    pub fn at(&self, offset: u64) -> Option<Instruction> {
        let rest = self.bytes.get(usize::try_from(offset).ok()?..)?;
        rest.first_chunk().map(|&bytes| Instruction::from_bytes(bytes, self.order))
    }

    /// Number of instructions.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes.len() / Instruction::SIZE
    }

    /// Returns `true` if there are no instructions.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Iterates over the instructions.
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

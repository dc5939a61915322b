//! Results: the relocations of an object, resolved.

use std::{fmt, iter::FusedIterator, ops::Range, slice, sync::OnceLock};

use btf_types::{Btf, BtfExt, CoreRelo, CoreReloKind, CoreRelos, ExtSection, Name, Type};

use crate::{Fault, Targets, explain::EXPLAINED, targets::CandidateId};

/// CO-RE relocations of an object, resolved for a kernel.
///
/// It does not borrow from the program: [`Relocated::apply`] patches the
/// instructions passed to it.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use btf_relocate::{Relocator, Targets};
///
/// # let object = btf_elf::BpfObject::open("doc/probe.bpf.o")?;
/// # let kernel = btf_types::Btf::parse(std::fs::read("doc/kernel.btf")?)?;
/// # let ext = object.btf_ext()?.ok_or("no .BTF.ext")?;
/// # let relocated = Relocator::new(Targets::kernel(&kernel)).relocate(ext);
/// assert_eq!(relocated.iter().len(), 4);
/// let of_section: Vec<_> = relocated.section("tp_btf/sched_switch").map(|r| r.insn_offset()).collect();
/// assert_eq!(of_section, [16, 56]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Relocated {
    pub(crate) ext: BtfExt,
    pub(crate) targets: Targets,
    /// One record per relocation of `.BTF.ext`, in the same order.
    pub(crate) records: Vec<Record>,
    /// Indexes of the records of each program section of `.BTF.ext`.
    pub(crate) sections: Vec<Vec<u32>>,
    /// The candidates of all records.
    pub(crate) considered: Vec<Considered>,
    /// Data that is computed on first use.
    pub(crate) derived: Derived,
}

/// Data derived in one pass over all relocations or functions.
#[derive(Debug, Clone, Default)]
pub(crate) struct Derived {
    /// Number of candidates that lack a member, for which explanations suggest another.
    absences: OnceLock<usize>,
    /// Functions of each program section of `.BTF.ext`, by ascending offset.
    functions: OnceLock<Vec<Vec<Function>>>,
}

/// Function of a section: offset of its first instruction, and id of its type.
#[derive(Debug, Clone, Copy)]
struct Function {
    insn_offset: u32,
    id: u32,
}

/// Result of a relocation.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    /// Candidates that remain for the local type after this relocation.
    pub(crate) candidate_count: u32,
    /// Range of the candidates that were considered. Records of one local type
    /// share a range if the verdicts are equal.
    pub(crate) considered: Range<u32>,
    /// The first candidate that matches.
    pub(crate) chosen: Option<CandidateId>,
    pub(crate) result: Result<Value, Box<Fault>>,
}

/// Candidate of a relocation, and its verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Considered {
    pub(crate) candidate: CandidateId,
    pub(crate) verdict: Verdict,
}

/// Values of a relocation, before and after.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Value {
    pub(crate) local: u64,
    pub(crate) target: u64,
    /// No candidate matches: the instruction must not be reached.
    pub(crate) is_poison: bool,
    /// The instruction must have the local value.
    pub(crate) is_exact: bool,
    /// Access size of a load or store in bytes; 0 if unknown.
    pub(crate) local_size: u64,
    pub(crate) target_size: u64,
    /// The sizes differ, and a load of the other size would not give the value.
    pub(crate) is_other_size: bool,
    /// The type of the field in the target.
    pub(crate) target_type: Option<CandidateId>,
}

/// Reason why a candidate was taken or dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// The candidate has the field, type or enumerator.
    Match,
    /// An earlier relocation of the same local type did not match this
    /// candidate, but another one.
    Dropped,
    /// The candidate has no member of this name.
    #[non_exhaustive]
    NoMember {
        /// Number of the named level or index in the path, the root being 0.
        level: u32,
        /// The id of the struct or union that was searched.
        within: u32,
    },
    /// The type of the member is not compatible.
    #[non_exhaustive]
    MemberType {
        /// Number of the named level or index in the path, the root being 0.
        level: u32,
        /// The id of the type that was found.
        found: u32,
    },
    /// The path leads to a type without members.
    #[non_exhaustive]
    NotComposite {
        /// Number of the named level or index in the path, the root being 0.
        level: u32,
    },
    /// The path has an index where the candidate has no array.
    #[non_exhaustive]
    NotArray {
        /// Number of the named level or index in the path, the root being 0.
        level: u32,
    },
    /// The array has too few elements.
    #[non_exhaustive]
    TooFewElements {
        /// Number of the named level or index in the path, the root being 0.
        level: u32,
        /// Number of elements of the array (`nelems`).
        nelems: u32,
    },
    /// The candidate is not an enum.
    NotEnum,
    /// The candidate has no enumerator of this name.
    NoEnumerator,
    /// The types are not compatible.
    Incompatible,
    /// The candidate lacks parts of the local type.
    Mismatch,
}

/// Result of a relocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome<'a> {
    /// The instruction gets a value.
    #[non_exhaustive]
    Value {
        /// The value in the program's types, which the instruction has now.
        local: u64,
        /// The value in the kernel's types.
        target: u64,
    },
    /// The kernel does not have the field, type or enumerator. The instruction
    /// is made invalid, so that the kernel rejects a program that can reach it.
    Poison,
    /// The relocation cannot be resolved, and the program cannot be loaded.
    Fault(&'a Fault),
}

impl Relocated {
    /// Iterates over the relocations, in the order of `.BTF.ext`.
    pub fn iter(&self) -> Relocations<'_> {
        Relocations { owner: self, relos: self.ext.core_relos(), records: self.records.iter() }
    }

    /// Iterates over the relocations of a program section (ELF section), in the
    /// order of `.BTF.ext`.
    pub fn section(&self, name: impl AsRef<[u8]>) -> impl Iterator<Item = Relocation<'_>> {
        let section = self.ext.section(name);
        let records = section.and_then(|section| self.sections.get(section.index()));
        let relos = section.map(ExtSection::core_relos);
        relos.into_iter().flatten().zip(records.into_iter().flatten()).filter_map(|(relo, &number)| {
            let record = self.records.get(number as usize)?;
            Some(Relocation { owner: self, relo, record })
        })
    }

    /// BTF of the program.
    #[must_use]
    pub fn local(&self) -> &Btf {
        self.ext.btf()
    }

    /// Types for which the relocations were resolved.
    #[must_use]
    pub fn targets(&self) -> &Targets {
        &self.targets
    }
}

impl fmt::Debug for Relocated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Relocated").field("relocations", &self.records.len()).finish_non_exhaustive()
    }
}

impl<'a> IntoIterator for &'a Relocated {
    type Item = Relocation<'a>;
    type IntoIter = Relocations<'a>;

    fn into_iter(self) -> Relocations<'a> {
        self.iter()
    }
}

/// Iterator over resolved relocations: see [`Relocated::iter`].
#[derive(Clone)]
#[must_use]
pub struct Relocations<'a> {
    owner: &'a Relocated,
    relos: CoreRelos<'a>,
    records: slice::Iter<'a, Record>,
}

impl<'a> Iterator for Relocations<'a> {
    type Item = Relocation<'a>;

    fn next(&mut self) -> Option<Relocation<'a>> {
        Some(Relocation { owner: self.owner, relo: self.relos.next()?, record: self.records.next()? })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.records.size_hint()
    }
}

impl ExactSizeIterator for Relocations<'_> {}
impl FusedIterator for Relocations<'_> {}

impl fmt::Debug for Relocations<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.clone()).finish()
    }
}

/// Resolved relocation: a view of [`Relocated`].
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use btf_relocate::{Relocator, Targets};
///
/// # let object = btf_elf::BpfObject::open("doc/probe.bpf.o")?;
/// # let kernel = btf_types::Btf::parse(std::fs::read("doc/kernel.btf")?)?;
/// # let ext = object.btf_ext()?.ok_or("no .BTF.ext")?;
/// # let relocated = Relocator::new(Targets::kernel(&kernel)).relocate(ext);
/// let len = relocated.iter().next().unwrap();
/// assert_eq!((len.program(), len.path().to_string()), ("count".into(), "sk_buff.len (0:0)".into()));
/// assert_eq!((len.local_value(), len.target_value()), (0, 24));
/// assert_eq!(len.target_type().unwrap().to_string(), "unsigned int"); // of the member
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy)]
pub struct Relocation<'a> {
    pub(crate) owner: &'a Relocated,
    relo: CoreRelo<'a>,
    pub(crate) record: &'a Record,
}

impl<'a> Relocation<'a> {
    /// Returns the `.BTF.ext` that contains the relocation.
    pub(crate) fn ext(self) -> &'a BtfExt {
        &self.owner.ext
    }

    /// The relocation in `.BTF.ext`.
    #[must_use]
    pub fn core_relo(self) -> CoreRelo<'a> {
        self.relo
    }

    /// Name of the section that contains the instruction.
    #[must_use]
    pub fn section(self) -> Name<'a> {
        self.relo.section().name()
    }

    /// Name of the function that contains the instruction, or of the section if
    /// `.BTF.ext` has no functions there.
    #[must_use]
    pub fn program(self) -> Name<'a> {
        let section = self.relo.section();
        let functions = self.owner.functions().get(section.index()).map_or(&[][..], Vec::as_slice);
        let begun = functions.partition_point(|function| function.insn_offset <= self.insn_offset());
        let function = begun.checked_sub(1).and_then(|last| functions.get(last));
        let function = function.and_then(|function| self.owner.local().type_by_id(function.id).ok());
        function.map_or(section.name(), Type::name)
    }

    /// Offset of the instruction in its section, in **bytes**.
    #[must_use]
    pub fn insn_offset(self) -> u32 {
        self.relo.insn_offset()
    }

    /// The kind of the relocation.
    #[must_use]
    pub fn kind(self) -> CoreReloKind {
        self.relo.kind()
    }

    /// Local type, with which the program was compiled.
    #[must_use]
    pub fn local_type(self) -> Type<'a> {
        self.relo.ty()
    }

    /// The access string: `0:1:2`.
    #[must_use]
    pub fn access_string(self) -> Name<'a> {
        self.relo.access_string()
    }

    /// Number of candidates that remain for the local type: those that match,
    /// or all if none does.
    #[must_use]
    pub fn candidate_count(self) -> u32 {
        self.record.candidate_count
    }

    /// Iterates over the candidates that were considered, each with the reason
    /// why it was accepted or rejected.
    ///
    /// At most 32 candidates; for a thousand or more relocations, at most 16 on
    /// average.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let object = std::fs::read("doc/fields.bpf.o").unwrap();
    /// # let kernel = std::fs::read("doc/fields.btf").unwrap();
    /// # let object = btf_elf::BpfObject::parse(object)?;
    /// # let kernel = btf_types::Btf::parse(kernel)?;
    /// # let ext = object.btf_ext()?.ok_or("no .BTF.ext")?;
    /// # let relocated = btf_relocate::Relocator::new(btf_relocate::Targets::custom(&kernel)).relocate(ext);
    /// use btf_relocate::Verdict;
    ///
    /// // `thing___gone` is a flavor of `thing`, which lacks the member.
    /// let is_gone = |path: String| path == "thing___gone.removed_field (0:0)";
    /// let gone = relocated.iter().find(|relocation| is_gone(relocation.path().to_string())).ok_or("no such")?;
    /// for candidate in gone.candidates() {
    ///     assert_eq!(candidate.ty().to_string(), "struct thing");
    ///     assert!(matches!(candidate.verdict(), Verdict::NoMember { .. }));
    /// }
    /// assert_eq!(gone.candidates().len(), 1);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn candidates(self) -> impl ExactSizeIterator<Item = Candidate<'a>> {
        self.owner.considered(self.record).iter().map(move |considered| Candidate { owner: self.owner, considered })
    }

    /// The result.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let object = std::fs::read("doc/fields.bpf.o").unwrap();
    /// # let kernel = std::fs::read("doc/fields.btf").unwrap();
    /// # let object = btf_elf::BpfObject::parse(object)?;
    /// # let kernel = btf_types::Btf::parse(kernel)?;
    /// # let ext = object.btf_ext()?.ok_or("no .BTF.ext")?;
    /// # let relocated = btf_relocate::Relocator::new(btf_relocate::Targets::custom(&kernel)).relocate(ext);
    /// use btf_relocate::Outcome;
    ///
    /// for relocation in &relocated {
    ///     match relocation.outcome() {
    ///         Outcome::Value { local, target, .. } => {
    ///             println!("{local} becomes {target}");
    /// #           assert_eq!((local, target), (relocation.local_value(), relocation.target_value()));
    ///         }
    ///         Outcome::Poison => println!("not on this kernel"),
    ///         Outcome::Fault(fault) => return Err(fault.clone().into()),
    ///         _ => {}
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn outcome(self) -> Outcome<'a> {
        match &self.record.result {
            Ok(value) if value.is_poison => Outcome::Poison,
            Ok(value) => Outcome::Value { local: value.local, target: value.target },
            Err(fault) => Outcome::Fault(fault),
        }
    }

    /// Value by the program's types, which the compiled instruction has; 0 if
    /// the relocation has a fault.
    #[must_use]
    pub fn local_value(self) -> u64 {
        self.value().local
    }

    /// Value by the kernel's types; 0 if the instruction is poisoned, or the
    /// relocation has a fault.
    #[must_use]
    pub fn target_value(self) -> u64 {
        self.value().target
    }

    /// Type of the field in the kernel, for a relocation of an offset
    /// ([`CoreReloKind::FieldByteOffset`]) that was found.
    #[must_use]
    pub fn target_type(self) -> Option<Type<'a>> {
        self.value().target_type.map(|id| self.owner.targets.type_of(id))
    }

    fn value(self) -> Value {
        *self.record.result.as_ref().unwrap_or(&Value::default())
    }
}

impl fmt::Debug for Relocation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}+{}: {} of {}", self.section(), self.insn_offset(), self.kind(), self.local_type())?;
        write!(f, " {}: {:?}", self.access_string(), self.outcome())
    }
}

/// Type of the kernel that may match a local type.
#[derive(Clone, Copy)]
pub struct Candidate<'a> {
    owner: &'a Relocated,
    considered: &'a Considered,
}

impl<'a> Candidate<'a> {
    /// The type.
    #[must_use]
    pub fn ty(self) -> Type<'a> {
        self.owner.targets.type_of(self.considered.candidate)
    }

    /// Returns another type of the same BTF.
    pub(crate) fn sibling(self, id: u32) -> Type<'a> {
        let candidate = CandidateId { id, ..self.considered.candidate };
        self.owner.targets.type_of(candidate)
    }

    /// Module that has the type; `None` for the kernel and custom BTF.
    #[must_use]
    pub fn module(self) -> Option<&'a str> {
        self.owner.targets.module_of(self.considered.candidate)
    }

    /// Reason why it was accepted or rejected.
    #[must_use]
    pub fn verdict(self) -> Verdict {
        self.considered.verdict
    }
}

/// Maximum number of names that the explanations of one object compare in total, and
/// maximum number for one explanation.
const COMPARED: usize = 1 << 13;
const COMPARED_BY_ONE: usize = 4096;

impl Relocated {
    /// Returns the candidates of a record.
    fn considered(&self, record: &Record) -> &[Considered] {
        let Range { start, end } = record.considered;
        self.considered.get(start as usize..end as usize).unwrap_or_default()
    }

    /// Returns the functions of each section.
    fn functions(&self) -> &[Vec<Function>] {
        self.derived.functions.get_or_init(|| {
            let mut functions = vec![Vec::new(); self.ext.sections().len()];
            for info in self.ext.func_infos() {
                if let Some(functions) = functions.get_mut(info.section().index()) {
                    functions.push(Function { insn_offset: info.insn_offset(), id: info.func().id() });
                }
            }
            // Compilers write them in order, but other producers may not.
            functions.iter_mut().for_each(|functions| functions.sort_by_key(|function| function.insn_offset));
            functions
        })
    }

    /// Returns the maximum number of members that an explanation compares by name, to
    /// suggest one: fewer if many candidates lack a member.
    pub(crate) fn compared(&self) -> usize {
        let is_absence = |considered: &&Considered| matches!(considered.verdict, Verdict::NoMember { .. });
        let of_record = |record: &Record| self.considered(record).iter().filter(is_absence).count().min(EXPLAINED);
        let absences = *self.derived.absences.get_or_init(|| self.records.iter().map(of_record).sum());
        COMPARED.checked_div(absences).map_or(COMPARED_BY_ONE, |share| share.min(COMPARED_BY_ONE))
    }
}

impl fmt::Debug for Candidate<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Candidate")
            .field("ty", &self.ty())
            .field("module", &self.module())
            .field("verdict", &self.verdict())
            .finish()
    }
}

//! Trimming a kernel's BTF to the types that programs need.
//!
//! Source: `btfgen_record_obj` and its neighbors in `tools/bpf/bpftool/gen.c`.

mod error;
mod marking;

use std::{collections::HashSet, sync::Arc};

use btf_build::Builder;
use btf_types::{Btf, BtfExt, Collection, CoreReloKind, Type};

use crate::{
    Fault, Relocated, Relocation, Relocator, Targets,
    budget::Budget,
    relocated::{Record, Value},
    targets::CandidateId,
};

pub use error::TrimError;
use marking::Marking;

/// Trims a kernel's BTF to the types that BPF programs need for relocation: a
/// few kilobytes of five megabytes.
///
/// The result has the types and members that `bpftool gen min_core_btf` keeps.
/// Loaders accept it instead of the kernel's BTF (libbpf's `btf_custom_path`,
/// aya's `EbpfLoader::btf`).
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let object = std::fs::read("doc/fields.bpf.o").unwrap();
/// # let kernel = std::fs::read("doc/fields.btf").unwrap();
/// use btf_elf::BpfObject;
/// use btf_relocate::Trim;
/// use btf_types::Btf;
///
/// let vmlinux = Btf::parse(kernel)?;
/// let trim = Trim::new().object(&BpfObject::parse(object)?)?;
/// let small = trim.trim(&vmlinux)?;
/// assert!(small.types().len() < vmlinux.types().len());
/// # Ok(())
/// # }
/// ```
///
/// # What is kept
///
/// * For a field: the struct with the members on the path to it, and their
///   types. Pointees of members are not kept: pointers become `void *`.
/// * For a type: the type by name, kind and size, and its pointee. For a match
///   ([`CoreReloKind::TypeMatches`]), all of its members too.
/// * For an enumerator: the whole enum.
///
/// Of several matching candidates, the first is kept. Each relocation is then
/// resolved for the result. If its value differs from that for the kernel
/// (because of duplicate types, or if a part of the type matches but the whole
/// does not), all candidates are kept with all of their members. bpftool does
/// not check this, and fails for types behind TYPE_TAGs and FWDs, which are
/// kept here.
///
/// # Modules
///
/// A loader that uses BTF instead of the kernel's searches only that file. A
/// loader that also searches modules needs their BTF with the base that was
/// trimmed with it: split BTF refers to its base by id, and trimming changes
/// ids. So a trimmed module is always split from a trimmed kernel, which has
/// the types that it refers to. [`Trim::trim_modules`] trims a kernel with any
/// number of modules; [`Trim::trim`] of a module returns the trimmed module
/// with its [`base`](Btf::base). As in libbpf, a type is searched in the
/// kernel, and in modules only if the kernel has none of its name.
///
/// # Empty results
///
/// If nothing is needed, the result has no types. It can be written and read,
/// but the kernel does not load BTF without types.
#[derive(Debug, Clone, Default)]
pub struct Trim {
    programs: Vec<BtfExt>,
    names: Vec<Box<[u8]>>,
}

/// Number of rounds that add only candidates of local types whose relocations
/// differ. After these, one round adds the candidates of all local types.
const ROUNDS: u32 = 4;

impl Trim {
    /// Makes a filter that keeps nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Keeps the types that the programs of an object need.
    ///
    /// # Errors
    ///
    /// [`TrimError::Elf`]; [`TrimError::NoExt`] if there is no `.BTF.ext`;
    /// [`TrimError::Relocation`] and [`TrimError::Instruction`] if a relocation
    /// is damaged, so that the program cannot be loaded on any kernel.
    #[cfg(feature = "elf")]
    pub fn object(self, object: &btf_elf::BpfObject) -> Result<Self, TrimError> {
        let ext = object.btf_ext()?.ok_or(TrimError::NoExt)?;
        let mut relocated = relocate_for_nothing(ext)?;
        for value in relocated.records.iter_mut().filter_map(|record| record.result.as_mut().ok()) {
            // (clang 14 truncates 64-bit values in its types, but not in the code.)
            *value = Value { target: value.local, is_poison: false, is_exact: false, ..*value };
        }
        for program in crate::object::programs_to_patch(object, ext) {
            let mut code = program.section().data()?.to_vec();
            relocated.apply(program.name(), &mut code).map_err(TrimError::instruction)?;
        }
        Ok(self.with(ext))
    }

    /// Keeps the types that the relocations of `.BTF.ext` need.
    ///
    /// # Errors
    ///
    /// [`TrimError::Relocation`] if one is damaged, whatever the kernel.
    pub fn ext(self, ext: &BtfExt) -> Result<Self, TrimError> {
        relocate_for_nothing(ext)?;
        Ok(self.with(ext))
    }

    fn with(mut self, ext: &BtfExt) -> Self {
        self.programs.push(ext.clone());
        self
    }

    /// Keeps the types of a name, of any kind, with all members and all that
    /// these consist of. Pointees are kept by name and size.
    ///
    /// Names that a kernel does not have are ignored.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use btf_relocate::Trim;
    /// use btf_types::{Btf, Struct};
    ///
    /// # let vmlinux = Btf::parse(std::fs::read("doc/kernel.btf")?)?;
    /// // What a program looks up by name at run time, beside its relocations.
    /// let small = Trim::new().keep("list_head").trim(&vmlinux)?;
    /// assert_eq!(small.find::<Struct<'_>>("list_head")?.members().len(), 2);
    /// assert!(small.find::<Struct<'_>>("sk_buff").is_err());
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn keep(mut self, name: impl AsRef<[u8]>) -> Self {
        self.names.push(name.as_ref().into());
        self
    }

    /// Trims the BTF of a kernel, or of a module and its base.
    ///
    /// # Errors
    ///
    /// [`TrimError::Relocation`] if a relocation is ambiguous for this kernel;
    /// [`TrimError::Build`] if a kept type is of an unknown kind.
    pub fn trim(&self, btf: &Btf) -> Result<Btf, TrimError> {
        let Some(base) = btf.base() else {
            return self.made(&Targets::kernel(btf)).map(|mut made| made.swap_remove(0));
        };
        let mut collection = Collection::new("", base.clone());
        collection.add("module", btf.clone())?;
        self.made(&Targets::kernel(base).modules(&collection)).map(|mut made| made.swap_remove(1))
    }

    /// Trims the BTF of a kernel and its modules. Modules that are not needed
    /// are omitted.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use btf_relocate::Trim;
    /// use btf_types::{Btf, Collection};
    ///
    /// # let vmlinux = Btf::parse(std::fs::read("doc/kernel.btf")?)?;
    /// # let veth = Btf::parse_split(std::fs::read("doc/veth.btf")?, &vmlinux)?;
    /// let mut kernel = Collection::new("vmlinux", vmlinux);
    /// kernel.add("veth", veth)?;
    /// let small = Trim::new().keep("veth_priv").trim_modules(&kernel)?;
    /// let veth = small.get("veth").expect("it has the type").btf();
    /// assert!(veth.path("veth_priv.dropped").is_ok());
    /// assert!(small.base().types().len() < kernel.base().types().len());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`Trim::trim`].
    pub fn trim_modules(&self, kernel: &Collection) -> Result<Collection, TrimError> {
        let made = self.made(&Targets::kernel(kernel.base()).modules(kernel))?;
        let mut trimmed: Option<Collection> = None;
        for (object, btf) in kernel.objects().zip(made) {
            match &mut trimmed {
                None => trimmed = Some(Collection::new(object.name(), btf)),
                Some(_) if btf.types().len() == 0 => {}
                Some(trimmed) => trimmed.add(object.name(), btf)?,
            }
        }
        Ok(trimmed.unwrap_or_else(|| kernel.clone()))
    }

    /// Trims each layer of the targets.
    fn made(&self, targets: &Targets) -> Result<Vec<Btf>, TrimError> {
        let relocator = Relocator::new(targets.clone());
        let whole = self.relocate(&relocator);
        if let Some((relocation, fault)) = whole.iter().flatten().find_map(faulty) {
            return Err(TrimError::relocation(relocation, fault.clone()));
        }
        let mut marking = Marking::new(targets);
        self.names.iter().for_each(|name| marking.keep_named(name));
        let budget = Budget::new(&self.programs, targets);
        for relocation in whole.iter().flatten() {
            marking.keep_for(relocation, &budget).map_err(|fault| TrimError::relocation(relocation, fault))?;
        }
        let mut round = 0;
        loop {
            let made = marking.finish()?;
            let trimmed = self.relocate(&Relocator::new(targets.replaced(&made)));
            let pairs = whole.iter().flatten().zip(trimmed.iter().flatten());
            let mut differing: Vec<_> = pairs.filter(|(whole, trimmed)| !agree(*whole, *trimmed)).collect();
            if differing.is_empty() {
                return Ok(made);
            }
            debug_assert!(round <= ROUNDS, "with all candidates whole, results cannot differ: {differing:?}");
            if round > ROUNDS {
                return Ok(made);
            }
            if round == ROUNDS {
                differing = whole.iter().flatten().zip(trimmed.iter().flatten()).collect();
            }
            round += 1;
            // Once per local type of a program.
            let mut done = HashSet::new();
            for (relocation, _) in differing {
                let local = relocation.local_type();
                if done.insert((std::ptr::from_ref(relocation.ext()), local.id())) {
                    let candidates = relocator.candidates(local, &budget);
                    let candidates = candidates.map_err(|fault| TrimError::relocation(relocation, fault))?;
                    candidates.iter().for_each(|&candidate| marking.keep_whole(candidate));
                }
            }
        }
    }

    fn relocate(&self, relocator: &Relocator) -> Vec<Relocated> {
        self.programs.iter().map(|ext| relocator.relocate(ext)).collect()
    }
}

/// Resolves relocations for BTF without types, so that only damaged ones fail.
fn relocate_for_nothing(ext: &BtfExt) -> Result<Relocated, TrimError> {
    let nothing = Builder::new().finish()?;
    let relocated = Relocator::new(Targets::custom(&nothing)).relocate(ext);
    match relocated.iter().find_map(faulty) {
        Some((relocation, fault)) => Err(TrimError::relocation(relocation, fault.clone())),
        None => Ok(relocated),
    }
}

fn faulty(relocation: Relocation<'_>) -> Option<(Relocation<'_>, &Fault)> {
    relocation.record.result.as_ref().err().map(|fault| (relocation, &**fault))
}

/// Returns whether a relocation has the same result for two kernels, apart from
/// type ids.
fn agree(whole: Relocation<'_>, trimmed: Relocation<'_>) -> bool {
    let without_ids = |record: &Record| {
        let value = record.result.as_ref().ok()?;
        let is_id = whole.kind() == CoreReloKind::TypeIdTarget;
        let target = if is_id { u64::from(value.target != 0) } else { value.target };
        Some((Value { target, target_type: None, ..*value }, value.target_type.is_some()))
    };
    without_ids(whole.record) == without_ids(trimmed.record)
}

impl Relocator {
    /// Returns all candidates of a local type.
    fn candidates(&self, local: Type<'_>, budget: &Budget) -> Result<Arc<[CandidateId]>, Fault> {
        self.cache.candidates(&self.targets, local, budget)
    }
}

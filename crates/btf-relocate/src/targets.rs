//! Targets: the BTF for which a program is relocated, and its candidates.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use btf_types::{Btf, BtfExt, Collection, Kind, Name, Type};

use crate::{Fault, budget::Budget, compat::same_kind, first_pass::FirstPass};

/// Types for which programs are relocated: those of a kernel, with or without
/// its modules, or custom BTF.
///
/// Cloning copies pointers.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let bytes = std::fs::read("doc/fields.btf").unwrap();
/// use btf_relocate::Targets;
/// use btf_types::{Btf, Collection};
///
/// let vmlinux = Btf::parse(bytes)?;
/// let modules = Collection::new("vmlinux", vmlinux.clone());
/// // `btf_kernel::Kernel::open_all_modules` gives a kernel with all of them.
///
/// let kernel = Targets::kernel(&vmlinux);
/// let with_modules = Targets::kernel(&vmlinux).modules(&modules);
/// let trimmed = Targets::custom(&vmlinux);
/// assert!(trimmed.btf().is_some_and(|btf| btf.is_same(&vmlinux)));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Targets {
    /// The kernel's BTF or the custom one, and then the modules'.
    layers: Vec<Target>,
    is_custom: bool,
}

/// BTF of a kernel, a module, or custom BTF.
#[derive(Debug, Clone)]
struct Target {
    /// The module's name; `None` for the kernel and custom BTF.
    module: Option<Box<str>>,
    btf: Btf,
}

impl Targets {
    /// Uses the types of a kernel without modules.
    #[must_use]
    pub fn kernel(vmlinux: &Btf) -> Self {
        Self { layers: vec![Target { module: None, btf: vmlinux.clone() }], is_custom: false }
    }

    /// Uses BTF instead of that of the kernel and its modules, such as a
    /// trimmed one from an archive (libbpf's `btf_custom_path`).
    #[must_use]
    pub fn custom(btf: &Btf) -> Self {
        Self { is_custom: true, ..Self::kernel(btf) }
    }

    /// Adds the modules of a collection. Their own types are candidates if the
    /// kernel has none.
    ///
    /// Has no effect on custom BTF, which is never combined with modules.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use btf_relocate::{Relocator, Targets};
    /// use btf_types::{Btf, Collection};
    ///
    /// # let vmlinux = Btf::parse(std::fs::read("doc/kernel.btf")?)?;
    /// # let veth = Btf::parse_split(std::fs::read("doc/veth.btf")?, &vmlinux)?;
    /// let mut modules = Collection::new("vmlinux", vmlinux.clone());
    /// modules.add("veth", veth)?;
    /// // Types of modules are candidates, too, where the kernel itself has none of the name.
    /// let relocator = Relocator::new(Targets::kernel(&vmlinux).modules(&modules));
    /// assert!(relocator.targets().btf().is_some_and(|btf| btf.is_same(&vmlinux)));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn modules(mut self, collection: &Collection) -> Self {
        if !self.is_custom {
            self.layers.extend(
                collection
                    .objects()
                    .skip(1)
                    .map(|object| Target { module: Some(object.name().into()), btf: object.btf().clone() }),
            );
        }
        self
    }

    /// BTF of the kernel, or custom BTF.
    #[must_use]
    pub fn btf(&self) -> Option<&Btf> {
        self.layers.first().map(|target| &target.btf)
    }

    /// Iterates over the BTF of the kernel, or custom BTF, and then that of each module.
    pub(crate) fn layers(&self) -> impl Iterator<Item = &Btf> {
        self.layers.iter().map(|target| &target.btf)
    }

    /// Returns the same layers with other BTF.
    pub(crate) fn replaced(&self, with: &[Btf]) -> Self {
        let layers = self.layers.iter().zip(with);
        let layers = layers.map(|(target, btf)| Target { btf: btf.clone(), ..target.clone() }).collect();
        Self { layers, ..*self }
    }

    /// Returns the type of a candidate.
    pub(crate) fn type_of(&self, candidate: CandidateId) -> Type<'_> {
        let layer = self.layers.get(candidate.layer as usize);
        layer.and_then(|target| target.btf.type_by_id(candidate.id).ok()).unwrap_or(Type::Void)
    }

    /// Returns the module that has a candidate; `None` for the kernel and custom BTF.
    pub(crate) fn module_of(&self, candidate: CandidateId) -> Option<&str> {
        self.layers.get(candidate.layer as usize)?.module.as_deref()
    }

    /// Returns the candidates for a local type, which have its kind and essential name:
    /// types of the kernel if there are any, else own types of modules.
    fn candidates(&self, local: Type<'_>, essential: Name<'_>, budget: &Budget) -> Result<Vec<CandidateId>, Fault> {
        let Some(first) = self.btf() else { return Ok(Vec::new()) };
        let named = first.find_flavors::<Type<'_>>(essential);
        let mut candidates = Vec::new();
        add_fitting(&mut candidates, 0, local, named, essential, budget)?;
        candidates.sort_unstable();
        if candidates.is_empty() { self.candidates_of_modules(local, essential, budget) } else { Ok(candidates) }
    }

    /// Returns the candidates for a local type in modules.
    fn candidates_of_modules(
        &self,
        local: Type<'_>,
        essential: Name<'_>,
        budget: &Budget,
    ) -> Result<Vec<CandidateId>, Fault> {
        let mut candidates = Vec::new();
        for (layer, target) in (0..).zip(&self.layers).skip(1) {
            let named = target.btf.find_own_flavors::<Type<'_>>(essential);
            add_fitting(&mut candidates, layer, local, named, essential, budget)?;
        }
        candidates.sort_unstable();
        Ok(candidates)
    }
}

/// Adds the types of a layer that have the kind of a local type. `named` are those with
/// its essential name.
fn add_fitting(
    candidates: &mut Vec<CandidateId>,
    layer: u32,
    local: Type<'_>,
    named: Vec<Type<'_>>,
    essential: Name<'_>,
    budget: &Budget,
) -> Result<(), Fault> {
    budget.spend_name(essential.as_bytes().len())?;
    budget.spend(named.len() as u64)?;
    let fitting = named.into_iter().filter(|ty| same_kind(local, *ty));
    candidates.extend(fitting.map(|ty| CandidateId { layer, id: ty.id() }));
    Ok(())
}

/// Candidate for a local type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct CandidateId {
    pub(crate) layer: u32,
    pub(crate) id: u32,
}

/// Maximum length of a name whose candidates are kept, in bytes; kernels allow
/// 511.
const LONGEST: usize = 512;

/// Candidates that were looked up, by essential name and kind; shared by all
/// objects and threads.
#[derive(Debug, Default)]
pub(crate) struct CandidateCache {
    known: Mutex<HashMap<CandidateKey, Arc<[CandidateId]>>>,
    had_first: AtomicBool,
}

/// Kind (ENUM for ENUM64 too) and essential name.
pub(crate) type CandidateKey = (Option<Kind>, Box<[u8]>);

/// Returns the key of a type, given its essential name.
pub(crate) fn key(ty: Type<'_>, essential: Name<'_>) -> CandidateKey {
    (kind_of(ty), essential.as_bytes().into())
}

/// Returns the kind of a type, ENUM for ENUM64 too.
pub(crate) fn kind_of(ty: Type<'_>) -> Option<Kind> {
    match ty.kind() {
        Some(Kind::Enum64) => Some(Kind::Enum),
        kind => kind,
    }
}

impl CandidateCache {
    /// Looks up the candidates of all local types of an object at once, if it is
    /// the first.
    pub(crate) fn prepare(&self, targets: &Targets, ext: &BtfExt, budget: &Budget) {
        let Some(btf) = targets.btf().filter(|btf| !btf.is_split()) else { return };
        if ext.core_relos().len() == 0 || self.had_first.swap(true, Ordering::Relaxed) {
            return;
        }
        let Ok(mut pass) = FirstPass::new(ext, budget) else { return };
        if !pass.search(btf) {
            return;
        }
        for (local, essential, key, mut found) in pass.found() {
            if found.is_empty() {
                let Ok(of_modules) = targets.candidates_of_modules(local, essential, budget) else { return };
                found = of_modules;
            }
            self.lock().insert(key, found.into());
        }
    }

    pub(crate) fn candidates(
        &self,
        targets: &Targets,
        local: Type<'_>,
        budget: &Budget,
    ) -> Result<Arc<[CandidateId]>, Fault> {
        let name = local.name();
        budget.spend_name(name.as_bytes().len())?;
        let essential = name.essential();
        if essential.as_bytes().len() > LONGEST {
            return Ok(targets.candidates(local, essential, budget)?.into());
        }
        let key = key(local, essential);
        if let Some(known) = self.lock().get(&key) {
            return Ok(Arc::clone(known));
        }
        let candidates: Arc<[_]> = targets.candidates(local, essential, budget)?.into();
        self.lock().insert(key, Arc::clone(&candidates));
        Ok(candidates)
    }

    /// Locks the map of candidates, which stays valid after a panic elsewhere.
    fn lock(&self) -> MutexGuard<'_, HashMap<CandidateKey, Arc<[CandidateId]>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

//! Targets: the BTF that a program is relocated for, and the candidates in it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use btf_types::{Btf, Collection, Kind, Name, Type};

use crate::{Fault, budget::Budget, compat::same_kind};

/// Types that programs are relocated for: a kernel's, with or without its
/// modules, or custom BTF.
///
/// Cloning it copies pointers.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let bytes: &'static [u8] = include_bytes!("../doc/fields.btf");
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
    /// The types of a kernel alone.
    #[must_use]
    pub fn kernel(vmlinux: &Btf) -> Self {
        Self { layers: vec![Target { module: None, btf: vmlinux.clone() }], is_custom: false }
    }

    /// BTF that takes the place of the kernel's and its modules', such as a
    /// trimmed one from an archive (libbpf's `btf_custom_path`).
    #[must_use]
    pub fn custom(btf: &Btf) -> Self {
        Self { is_custom: true, ..Self::kernel(btf) }
    }

    /// Adds the modules of a collection. Their own types are candidates where
    /// the kernel has none.
    ///
    /// Custom BTF is never mixed with modules: there, this does nothing.
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

    /// The BTF of the kernel, or the custom one.
    #[must_use]
    pub fn btf(&self) -> Option<&Btf> {
        self.layers.first().map(|target| &target.btf)
    }

    /// The BTF of the kernel, or the custom one, and then that of each module.
    pub(crate) fn layers(&self) -> impl Iterator<Item = &Btf> {
        self.layers.iter().map(|target| &target.btf)
    }

    /// The same layers with other BTF.
    pub(crate) fn replaced(&self, with: &[Btf]) -> Self {
        let layers = self.layers.iter().zip(with);
        let layers = layers.map(|(target, btf)| Target { btf: btf.clone(), ..target.clone() }).collect();
        Self { layers, ..*self }
    }

    /// The type of a candidate.
    pub(crate) fn type_of(&self, candidate: CandidateId) -> Type<'_> {
        let layer = self.layers.get(candidate.layer as usize);
        layer.and_then(|target| target.btf.type_by_id(candidate.id).ok()).unwrap_or(Type::Void)
    }

    /// The module that has a candidate; `None` for the kernel and custom BTF.
    pub(crate) fn module_of(&self, candidate: CandidateId) -> Option<&str> {
        self.layers.get(candidate.layer as usize)?.module.as_deref()
    }

    /// The types that a local one may stand for: of its kind and essential name,
    /// those of the kernel if there are any, else own types of modules.
    fn candidates(&self, local: Type<'_>, essential: Name<'_>, budget: &Budget) -> Result<Vec<CandidateId>, Fault> {
        let mut candidates = Vec::new();
        for (layer, target) in (0..).zip(&self.layers) {
            budget.spend_name(essential.as_bytes().len())?;
            let own = target.btf.own_ids();
            let named = target.btf.find_flavors::<Type<'_>>(essential);
            budget.spend(named.len() as u64)?;
            let of_layer = named.into_iter().filter(|ty| target.module.is_none() || own.contains(&ty.id()));
            let fitting = of_layer.filter(|ty| same_kind(local, *ty));
            candidates.extend(fitting.map(|ty| CandidateId { layer, id: ty.id() }));
            if layer == 0 && !candidates.is_empty() {
                break;
            }
        }
        candidates.sort_unstable();
        Ok(candidates)
    }
}

/// Type of a target that a local one may stand for.
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
pub(crate) struct CandidateCache(Mutex<HashMap<CandidateKey, Arc<[CandidateId]>>>);

/// Kind (ENUM for ENUM64 too) and essential name.
type CandidateKey = (Option<Kind>, Box<[u8]>);

impl CandidateCache {
    pub(crate) fn candidates(
        &self,
        targets: &Targets,
        local: Type<'_>,
        budget: &Budget,
    ) -> Result<Arc<[CandidateId]>, Fault> {
        let name = local.name();
        budget.spend_name(name.as_bytes().len())?;
        let essential = name.essential();
        let kind = match local.kind() {
            Some(Kind::Enum64) => Some(Kind::Enum),
            kind => kind,
        };
        if essential.as_bytes().len() > LONGEST {
            return Ok(targets.candidates(local, essential, budget)?.into());
        }
        let key: CandidateKey = (kind, essential.as_bytes().into());
        // What a panic elsewhere left behind is still a map of results.
        let lock = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = lock().get(&key) {
            return Ok(Arc::clone(known));
        }
        let candidates: Arc<[_]> = targets.candidates(local, essential, budget)?.into();
        lock().insert(key, Arc::clone(&candidates));
        Ok(candidates)
    }
}

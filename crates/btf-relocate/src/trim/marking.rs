//! Marks of the types and members to keep.

use std::{collections::HashSet, mem};

use btf_build::Subset;
use btf_types::{Btf, CoreReloKind, Kind, Type, format::Word};

use crate::{
    Fault, Relocation, Targets,
    budget::Budget,
    search::FieldSearch,
    spec::{Class, Request, Spec, members, resolve},
    targets::CandidateId,
};

/// The part of the targets that is kept.
pub(super) struct Marking<'t> {
    targets: &'t Targets,
    subset: Subset,
    /// Index of the part for each layer of the targets.
    parts: Vec<usize>,
    /// Types below this id belong to the kernel, in all layers.
    first_of_modules: u32,
    marked: HashSet<(CandidateId, Extent)>,
    paths: Paths<'t>,
}

/// Path of a relocation on both sides, in buffers that are reused.
#[derive(Default)]
struct Paths<'t> {
    local: Spec<'t>,
    search: FieldSearch<'t>,
}

/// Extent to which a type is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Extent {
    /// The type with the types that it consists of: typedefs and qualifiers
    /// with their types, arrays with their elements. Structs and unions have
    /// only name and size, pointers no pointees.
    Plain,
    /// [`Extent::Plain`], and the pointees of pointers.
    Pointees,
    /// [`Extent::Pointees`], and members of structs and unions with all that
    /// they consist of, except behind pointers.
    Members,
    /// [`Extent::Members`], for a type behind a pointer: structs and unions have no
    /// members.
    MembersBehindPtr,
}

impl<'t> Marking<'t> {
    pub(super) fn new(targets: &'t Targets) -> Self {
        let mut subset = Subset::new();
        let parts = targets.layers().map(|btf| subset.add(btf)).collect();
        let first_of_modules = targets.btf().map_or(0, Btf::type_count);
        Self { targets, subset, parts, first_of_modules, marked: HashSet::new(), paths: Paths::default() }
    }

    /// Keeps all types with a name, whole.
    pub(super) fn keep_named(&mut self, name: &[u8]) {
        for (layer, btf) in (0..).zip(self.targets.layers()) {
            let named = if layer == 0 { btf.find_all::<Type<'_>>(name) } else { btf.find_own(name) };
            named.iter().for_each(|ty| self.keep_whole(CandidateId { layer, id: ty.id() }));
        }
    }

    /// Keeps a type with everything that a relocation may read.
    pub(super) fn keep_whole(&mut self, candidate: CandidateId) {
        self.mark(candidate, Extent::Members);
    }

    /// Keeps the field, type or enumerator that a relocation was resolved to.
    pub(super) fn keep_for(&mut self, relocation: Relocation<'t>, budget: &Budget) -> Result<(), Fault> {
        let Some(chosen) = relocation.record.chosen else { return Ok(()) };
        match Class::of(relocation.kind())? {
            Class::Field => self.keep_field(relocation, chosen, budget)?,
            Class::Type if relocation.kind() == CoreReloKind::TypeMatches => self.mark(chosen, Extent::Members),
            Class::Type => self.mark(chosen, Extent::Pointees),
            Class::Enumerator => self.mark(chosen, Extent::Plain),
        }
        Ok(())
    }

    /// Keeps the members on the path to a field.
    fn keep_field(&mut self, relocation: Relocation<'t>, root: CandidateId, budget: &Budget) -> Result<(), Fault> {
        let mut paths = mem::take(&mut self.paths);
        let kept = self.keep_path(&mut paths, relocation, root, budget);
        self.paths = paths;
        kept
    }

    fn keep_path(
        &mut self,
        paths: &mut Paths<'t>,
        relocation: Relocation<'t>,
        root: CandidateId,
        budget: &Budget,
    ) -> Result<(), Fault> {
        paths.local.follow(Request::new(relocation.core_relo()))?;
        let mut ty = self.targets.type_of(root);
        let Ok(path) = paths.search.find(&paths.local, ty, budget)? else { return Ok(()) };
        self.mark(root, Extent::Plain);
        for &index in path.raw.iter().skip(1) {
            ty = resolve(ty)?;
            if let Type::Array(array) = ty {
                ty = array.element();
            } else if let Some(member) = members(ty).and_then(|mut members| members.nth(index as usize)) {
                self.subset.keep_member(self.part(root.layer), ty.id(), index);
                ty = member.ty();
                self.mark(CandidateId { id: ty.id(), ..root }, Extent::Plain);
            }
        }
        Ok(())
    }

    fn part(&self, layer: u32) -> usize {
        self.parts.get(layer as usize).copied().unwrap_or_default()
    }

    /// Keeps a type to an extent. Each type is visited once per extent.
    fn mark(&mut self, root: CandidateId, extent: Extent) {
        let part = self.part(root.layer);
        let mut pending = vec![(root.id, extent)];
        while let Some((id, extent)) = pending.pop() {
            let layer = if id < self.first_of_modules { 0 } else { root.layer };
            if id == 0 || !self.marked.insert((CandidateId { layer, id }, extent)) {
                continue;
            }
            self.subset.keep(part, id);
            let ty = self.targets.type_of(CandidateId { layer, id });
            let (Some(inner), Some(record)) = (inner(ty.kind(), extent), ty.record()) else { continue };
            for number in 0..members(ty).map_or(0, |members| members.len()) as u32 {
                self.subset.keep_member(part, id, number);
            }
            record.for_each_field(|field, value| {
                if field.holds == Word::Id {
                    pending.push((value, inner));
                }
            });
        }
    }

    /// Makes the BTF of the kept types, one per layer of the targets.
    pub(super) fn finish(&self) -> Result<Vec<Btf>, btf_build::Error> {
        let made = self.subset.finish()?;
        Ok(self.parts.iter().filter_map(|&part| made.get(part).cloned()).collect())
    }
}

/// Returns the extent to which the types that a type refers to are kept; `None` if
/// they are not.
fn inner(kind: Option<Kind>, extent: Extent) -> Option<Extent> {
    use Extent::{Members, MembersBehindPtr, Plain, Pointees};
    match (kind?, extent) {
        (Kind::Struct | Kind::Union, Members) => Some(Members),
        (Kind::Struct | Kind::Union, _) | (Kind::Ptr, Plain) => None,
        (Kind::Ptr, Pointees) => Some(Pointees),
        (Kind::Ptr, Members | MembersBehindPtr) => Some(MembersBehindPtr),
        (Kind::Typedef | Kind::Const | Kind::Volatile | Kind::Restrict | Kind::TypeTag, extent) => Some(extent),
        // Elements, parameters and return types are not behind the pointer.
        (_, MembersBehindPtr) => Some(Members),
        (_, extent) => Some(extent),
    }
}

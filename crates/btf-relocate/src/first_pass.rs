//! Candidates of all local types of an object, found in one pass over the
//! kernel's types.
//!
//! An index of all names only pays off for many lookups. The first object needs
//! a dozen names: a single pass over all structs, unions, FWDs, enums and
//! typedefs costs a fifth of the index. Later objects use the index.

use std::collections::{HashMap, HashSet};

use btf_types::{Btf, BtfExt, CoreRelo, CoreReloKind, Kind, Name, Type};

use crate::{
    Fault,
    budget::Budget,
    targets::{CandidateId, CandidateKey, key, kind_of},
};

/// Maximum number of sought names.
const NAMES: usize = 1024;
/// Maximum length of a sought name in bytes.
const LONGEST: usize = 128;
/// Maximum number of steps per type of the kernel. One step compares 16 bytes.
const STEPS: u64 = 4;

/// Sought names, and the candidates that were found.
pub(crate) struct FirstPass<'l> {
    sought: Vec<Sought<'l>>,
    /// Indexes of `sought`, by the first two bytes of the name.
    by_start: HashMap<[u8; 2], Vec<usize>>,
    /// Bitmap of the first two bytes of all sought names.
    starts: Box<[u64]>,
}

struct Sought<'l> {
    local: Type<'l>,
    name: Name<'l>,
    key: CandidateKey,
    found: Vec<CandidateId>,
}

impl<'l> FirstPass<'l> {
    /// Gathers the local types that need candidates.
    pub(crate) fn new(ext: &'l BtfExt, budget: &Budget) -> Result<Self, Fault> {
        let mut pass = Self { sought: Vec::new(), by_start: HashMap::new(), starts: vec![0; 1 << 10].into() };
        let mut known = HashSet::new();
        let relos = ext.core_relos().filter(|relo| relo.kind() != CoreReloKind::TypeIdLocal);
        for local in relos.map(CoreRelo::ty) {
            if pass.sought.len() < NAMES && is_looked_at(local) && known.insert(local.id()) {
                let name = local.name();
                budget.spend_name(name.as_bytes().len())?;
                pass.add(local, name.essential());
            }
        }
        Ok(pass)
    }

    fn add(&mut self, local: Type<'l>, name: Name<'l>) {
        // A name of one byte is left to the index: its flavors have another second byte.
        let Some(&start) = name.as_bytes().first_chunk() else { return };
        let key = key(local, name);
        let same = self.by_start.entry(start).or_default();
        let is_known = |&number: &usize| self.sought.get(number).is_some_and(|sought| sought.key == key);
        // An essential name that is a flavor (`a___b`, of `a___b___c`) is left to the index.
        if name.as_bytes().len() > LONGEST || name.essential() != name || same.iter().any(is_known) {
            return;
        }
        same.push(self.sought.len());
        self.sought.push(Sought { local, name, key, found: Vec::new() });
        let start = u16::from_le_bytes(start);
        if let Some(word) = self.starts.get_mut(usize::from(start / 64)) {
            *word |= 1 << (start % 64);
        }
    }

    /// Visits all types of BTF that is not split. Returns `false` if it stopped
    /// because comparing the names costs more than an index.
    pub(crate) fn search(&mut self, btf: &Btf) -> bool {
        let strings = btf.as_bytes().get(btf.string_section()).unwrap_or_default();
        let mut left = STEPS * u64::from(btf.type_count());
        for ty in btf.types().filter(|&ty| is_looked_at(ty)) {
            let offset = ty.record().map_or(0, |record| record.head().name_off());
            let text = strings.get(offset as usize..).unwrap_or_default();
            let Some(start) = text.first_chunk().filter(|start| self.may_start(**start)) else { continue };
            for &number in self.by_start.get(start).into_iter().flatten() {
                let Some(sought) = self.sought.get_mut(number) else { continue };
                let wanted = sought.name.as_bytes();
                let Some(rest) = left.checked_sub(1 + wanted.len() as u64 / 16) else { return false };
                left = rest;
                let Some(behind) = text.strip_prefix(wanted) else { continue };
                if sought.key.0 != kind_of(ty) {
                    continue;
                }
                let is_flavor = behind.starts_with(b"___");
                if is_flavor {
                    let name = ty.name();
                    let Some(rest) = left.checked_sub(name.as_bytes().len() as u64 / 16) else { return false };
                    left = rest;
                    if name.essential() != sought.name {
                        continue;
                    }
                }
                if is_flavor || behind.first() == Some(&0) {
                    sought.found.push(CandidateId { layer: 0, id: ty.id() });
                }
            }
        }
        true
    }

    /// Returns each sought local type, its essential name, and the candidates.
    pub(crate) fn found(self) -> impl Iterator<Item = (Type<'l>, Name<'l>, CandidateKey, Vec<CandidateId>)> {
        self.sought.into_iter().map(|sought| (sought.local, sought.name, sought.key, sought.found))
    }

    fn may_start(&self, start: [u8; 2]) -> bool {
        let start = u16::from_le_bytes(start);
        self.starts.get(usize::from(start / 64)).is_some_and(|word| word >> (start % 64) & 1 == 1)
    }
}

/// Returns whether programs can have relocations of a type's kind.
fn is_looked_at(ty: Type<'_>) -> bool {
    let kinds = [Kind::Struct, Kind::Union, Kind::Fwd, Kind::Enum, Kind::Enum64, Kind::Typedef];
    ty.kind().is_some_and(|kind| kinds.contains(&kind))
}

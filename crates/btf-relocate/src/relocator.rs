//! Resolution of an object's relocations to values.
//!
//! Source: `bpf_core_calc_relo_insn` in `tools/lib/bpf/relo_core.c`, and
//! `bpf_core_resolve_relo` in `tools/lib/bpf/libbpf.c`.

use std::{collections::HashMap, mem, ops::Range, sync::Arc};

use btf_types::{BtfExt, ByteOrder, CoreReloKind, Name, Type};

use crate::{
    Fault, Relocated, Targets, Verdict,
    budget::Budget,
    compat::Compatibility,
    fault::shortened_type,
    matching::Matching,
    relocated::{Considered, Derived, Record, Value},
    search::{EnumeratorSearch, FieldSearch},
    spec::{Class, Request, Spec, check_type_access, local_enumerator, size_of},
    targets::{CandidateCache, CandidateId},
    value::{FieldValue, can_change_size},
};

/// Maximum number of candidates of a relocation whose verdicts are kept.
const CONSIDERED: usize = 32;
/// Maximum average of that number for objects with many relocations.
const AVERAGE: usize = 16;
/// Number of verdicts kept in addition, whatever the number of relocations.
const SPARE: usize = 1024;
/// Steps for each level of a path.
const PER_LEVEL: u64 = 4;
/// Steps per candidate that is kept when others of its list are dropped.
const PER_KEPT: u64 = 8;

/// Resolver of CO-RE relocations for one kernel.
///
/// Candidates are looked up once for all objects and programs, in the index of
/// names. It can be shared by threads.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let object_bytes = std::fs::read("doc/fields.bpf.o").unwrap();
/// # let kernel_bytes = std::fs::read("doc/fields.btf").unwrap();
/// use btf_elf::BpfObject;
/// use btf_relocate::{Outcome, Relocator, Targets};
/// use btf_types::Btf;
///
/// let kernel = Btf::parse(kernel_bytes)?;
/// let object = BpfObject::parse(object_bytes)?;
/// let relocator = Relocator::new(Targets::custom(&kernel));
/// let relocated = relocator.relocate(object.btf_ext()?.ok_or("no .BTF.ext")?);
/// for relocation in &relocated {
///     println!("{}", relocation.explain());
/// }
/// assert!(relocated.iter().any(|relocation| matches!(relocation.outcome(), Outcome::Poison)));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Relocator {
    pub(crate) targets: Targets,
    pub(crate) cache: CandidateCache,
}

impl Relocator {
    /// Makes a resolver for these types.
    #[must_use]
    pub fn new(targets: Targets) -> Self {
        Self { targets, cache: CandidateCache::default() }
    }

    /// Types for which it resolves.
    #[must_use]
    pub fn targets(&self) -> &Targets {
        &self.targets
    }

    /// Resolves the relocations of an object, section by section in the order of
    /// its `.BTF.ext`.
    ///
    /// The order matters, as in libbpf: candidates that do not match one
    /// relocation of a local type are dropped for later relocations of that
    /// type, if another candidate matches.
    ///
    /// A relocation that cannot be resolved has the result
    /// [`Outcome::Fault`](crate::Outcome::Fault), so that all others are
    /// available.
    #[must_use]
    pub fn relocate(&self, ext: &BtfExt) -> Relocated {
        let mut session = Session::new(self, ext);
        self.cache.prepare(&self.targets, ext, &session.budget);
        let mut sections = vec![Vec::new(); ext.sections().len()];
        for (number, relo) in (0..).zip(ext.core_relos()) {
            if let Some(numbers) = sections.get_mut(relo.section().index()) {
                numbers.push(number);
            }
            session.resolve(Request::new(relo));
        }
        let Session { records, considered, .. } = session;
        let considered = considered.all;
        let (ext, targets, derived) = (ext.clone(), self.targets.clone(), Derived::default());
        Relocated { ext, targets, records, sections, considered, derived }
    }
}

/// State of resolving one object.
struct Session<'l, 't> {
    targets: &'t Targets,
    cache: &'t CandidateCache,
    order: ByteOrder,
    budget: Budget,
    /// Indexes of `lists`, by the id of the local root type.
    places: HashMap<u32, usize>,
    lists: Vec<List>,
    considered: AllConsidered,
    compatibility: Compatibility<'l, 't>,
    matching: Matching<'l, 't>,
    fields: FieldSearch<'t>,
    enumerators: EnumeratorSearch<'t>,
    records: Vec<Record>,
    /// Results of earlier questions, as programs often access the same field.
    known: HashMap<Question, Known>,
    scratch: Scratch<'l>,
}

/// Key of a question: the index of the list of candidates, the address of the
/// access string, and the kind.
type Question = (usize, usize, CoreReloKind);

/// Answer to a question, valid as long as no candidate is dropped.
#[derive(Clone, Copy)]
struct Known {
    record: usize,
    candidates: usize,
}

/// Buffers that are reused: a relocation of a few bytes may have a path of many
/// levels and thousands of candidates.
#[derive(Default)]
struct Scratch<'l> {
    path: Spec<'l>,
    considered: Vec<Considered>,
    matched: Vec<CandidateId>,
    dropped: Vec<CandidateId>,
}

/// The candidates of a local type.
struct List {
    remaining: Arc<[CandidateId]>,
    /// Candidates that earlier relocations dropped.
    dropped: Vec<CandidateId>,
    /// Range of the candidates that the last relocation of the type considered.
    considered: Range<u32>,
}

impl List {
    /// Drops the candidates that do not match a relocation, unless none does.
    fn keep(&mut self, matched: &[CandidateId], dropped: &[CandidateId]) {
        if !matched.is_empty() && !dropped.is_empty() {
            self.remaining = matched.into();
            let room = CONSIDERED.saturating_sub(self.dropped.len());
            self.dropped.extend(dropped.iter().take(room));
        }
    }
}

/// The candidates of all records.
struct AllConsidered {
    all: Vec<Considered>,
    capacity: usize,
}

impl AllConsidered {
    fn new(relocations: usize) -> Self {
        Self { all: Vec::new(), capacity: relocations.saturating_mul(AVERAGE) + SPARE }
    }

    /// Adds the candidates of a relocation, up to the capacity, and returns their
    /// range. If they equal those in the range `before`, returns that range.
    fn add(&mut self, considered: &[Considered], before: &Range<u32>) -> Range<u32> {
        let last = self.all.get(before.start as usize..before.end as usize).unwrap_or_default();
        if considered == last {
            return before.clone();
        }
        let start = self.all.len();
        let room = self.capacity.saturating_sub(start);
        self.all.extend(considered.iter().take(room));
        start as u32..self.all.len() as u32
    }
}

/// Local subject of a relocation.
enum Local<'s, 'a> {
    Field(&'s Spec<'a>),
    Type(Type<'a>),
    Enumerator(Name<'a>, u64),
}

impl<'l, 't> Session<'l, 't> {
    fn new(relocator: &'t Relocator, ext: &BtfExt) -> Self {
        let budget = Budget::new([ext], &relocator.targets);
        Self {
            targets: &relocator.targets,
            cache: &relocator.cache,
            order: ext.btf().byte_order(),
            places: HashMap::new(),
            lists: Vec::new(),
            considered: AllConsidered::new(ext.core_relos().len()),
            compatibility: Compatibility::new(budget.pairs()),
            matching: Matching::new(budget.pairs()),
            fields: FieldSearch::default(),
            enumerators: EnumeratorSearch::default(),
            records: Vec::with_capacity(ext.core_relos().len()),
            known: HashMap::new(),
            scratch: Scratch::default(),
            budget,
        }
    }

    fn resolve(&mut self, request: Request<'l>) {
        if let Some(record) = self.known(request) {
            self.records.push(record);
            return;
        }
        let mut record = Record { candidate_count: 0, considered: 0..0, chosen: None, result: Ok(Value::default()) };
        let mut scratch = mem::take(&mut self.scratch);
        if let Err(fault) = self.resolve_into(request, &mut record, &mut scratch) {
            record.result = Err(Box::new(fault));
        }
        let has_left_out = !scratch.matched.is_empty() && !scratch.dropped.is_empty();
        self.scratch = scratch;
        // If candidates were dropped, the next relocation of the type differs.
        if record.result.is_ok()
            && !has_left_out
            && let Some((question, candidates)) = self.question(request)
        {
            self.known.insert(question, Known { record: self.records.len(), candidates });
        }
        self.records.push(record);
    }

    /// Returns the result of a relocation, if it is known.
    fn known(&self, request: Request<'l>) -> Option<Record> {
        let (question, candidates) = self.question(request)?;
        let known = self.known.get(&question).filter(|known| known.candidates == candidates)?;
        self.budget.spend(1).ok()?;
        self.records.get(known.record).cloned()
    }

    /// Returns the question of a relocation, and the number of remaining
    /// candidates.
    fn question(&self, request: Request<'l>) -> Option<(Question, usize)> {
        let &place = self.places.get(&request.ty.id())?;
        let question = (place, request.access.as_bytes().as_ptr().addr(), request.kind);
        Some((question, self.lists.get(place)?.remaining.len()))
    }

    fn resolve_into(
        &mut self,
        request: Request<'l>,
        record: &mut Record,
        scratch: &mut Scratch<'l>,
    ) -> Result<(), Fault> {
        let Request { kind, ty: local_type, .. } = request;
        let Scratch { path, considered, matched, dropped } = scratch;
        self.budget.spend(1)?;
        let local = Local::new(request, path, &self.budget)?;
        if kind == CoreReloKind::TypeIdLocal {
            let id = local_type.id().into();
            record.result = Ok(Value { local: id, target: id, ..Value::default() });
            return Ok(());
        }
        if local_type.is_anonymous() {
            return Err(Fault::Anonymous { id: local_type.id() });
        }
        let place = self.list(local_type)?;
        let Some(list) = self.lists.get(place) else { return Ok(()) };
        let remaining = Arc::clone(&list.remaining);
        let before = list.dropped.iter().map(|&candidate| Considered { candidate, verdict: Verdict::Dropped });
        considered.clear();
        considered.extend(before);
        matched.clear();
        dropped.clear();
        record.candidate_count = remaining.len() as u32;
        let mut first: Option<(CandidateId, u64, Value)> = None;
        for &candidate in &*remaining {
            self.budget.spend(1)?;
            let verdict = match self.try_candidate(kind, &local, candidate)? {
                Err(verdict) => {
                    dropped.push(candidate);
                    verdict
                }
                Ok((bit_offset, value)) => {
                    match &first {
                        Some(first) => self.check_agreement(first, &(candidate, bit_offset, value))?,
                        None => first = Some((candidate, bit_offset, value)),
                    }
                    matched.push(candidate);
                    Verdict::Match
                }
            };
            if considered.len() < CONSIDERED {
                considered.push(Considered { candidate, verdict });
            }
        }
        record.chosen = matched.first().copied();
        if !matched.is_empty() {
            record.candidate_count = matched.len() as u32;
        }
        record.result = Ok(match first {
            Some((_, _, value)) => value,
            None => self.without_target(kind, &local)?,
        });
        self.budget.spend(if matched.is_empty() || dropped.is_empty() {
            0
        } else {
            PER_KEPT * matched.len() as u64
        })?;
        if let Some(list) = self.lists.get_mut(place) {
            record.considered = self.considered.add(considered, &list.considered);
            list.considered = record.considered.clone();
            list.keep(matched, dropped);
        }
        Ok(())
    }

    /// Returns the index of the list of a local type's candidates.
    fn list(&mut self, local: Type<'_>) -> Result<usize, Fault> {
        if let Some(&place) = self.places.get(&local.id()) {
            return Ok(place);
        }
        let remaining = self.cache.candidates(self.targets, local, &self.budget)?;
        let place = self.lists.len();
        self.lists.push(List { remaining, dropped: Vec::new(), considered: 0..0 });
        self.places.insert(local.id(), place);
        Ok(place)
    }

    /// Returns the bit offset and the values of a relocation for a candidate, or
    /// the reason why it does not match.
    fn try_candidate(
        &mut self,
        kind: CoreReloKind,
        local: &Local<'_, 'l>,
        candidate: CandidateId,
    ) -> Result<Result<(u64, Value), Verdict>, Fault> {
        let target = self.targets.type_of(candidate);
        match local {
            Local::Field(spec) => match self.fields.find(spec, target, &self.budget)? {
                Err(verdict) => Ok(Err(verdict)),
                Ok(found) => {
                    let local = FieldValue::of(kind, spec, self.order, &self.budget)?;
                    let target = FieldValue::of(kind, found, self.order, &self.budget)?;
                    Ok(Ok((found.bit_offset, field_value(&local, &target, candidate.layer))))
                }
            },
            Local::Type(local_type) => {
                let (is_equal, verdict) = if kind == CoreReloKind::TypeMatches {
                    (self.matching.compare(*local_type, target, &self.budget)?, Verdict::Mismatch)
                } else {
                    (self.compatibility.compare(*local_type, target, &self.budget)?, Verdict::Incompatible)
                };
                if !is_equal {
                    return Ok(Err(verdict));
                }
                let local = type_value(kind, *local_type)?;
                let target = type_value(kind, target)?;
                let is_exact = kind != CoreReloKind::TypeIdTarget;
                Ok(Ok((0, Value { local, target, is_exact, ..Value::default() })))
            }
            Local::Enumerator(name, local_value) => match self.enumerators.find(*name, target, &self.budget)? {
                Err(verdict) => Ok(Err(verdict)),
                Ok(value) => {
                    let exists = kind == CoreReloKind::EnumvalExists;
                    let (local, target) = if exists { (1, 1) } else { (*local_value, value) };
                    Ok(Ok((0, Value { local, target, is_exact: true, ..Value::default() })))
                }
            },
        }
    }

    /// Returns the values of a relocation that no candidate matches.
    fn without_target(&self, kind: CoreReloKind, local: &Local<'_, '_>) -> Result<Value, Fault> {
        let (local, is_exact, is_poison) = match local {
            Local::Field(spec) => {
                let value = FieldValue::of(kind, spec, self.order, &self.budget)?;
                (value.value, value.is_exact, kind != CoreReloKind::FieldExists)
            }
            Local::Type(ty) => (type_value(kind, *ty)?, kind != CoreReloKind::TypeIdTarget, false),
            Local::Enumerator(..) if kind == CoreReloKind::EnumvalExists => (1, true, false),
            Local::Enumerator(_, value) => (*value, true, true),
        };
        Ok(Value { local, is_exact, is_poison, ..Value::default() })
    }

    /// Checks that two candidates that match agree on the result.
    fn check_agreement(
        &self,
        &(first, first_offset, first_value): &(CandidateId, u64, Value),
        &(second, second_offset, second_value): &(CandidateId, u64, Value),
    ) -> Result<(), Fault> {
        let describe = |candidate| {
            let ty = self.targets.type_of(candidate);
            format!("{} (type {})", shortened_type(ty), ty.id())
        };
        if first_offset != second_offset {
            return Err(Fault::AmbiguousOffset {
                first: first_offset,
                first_type: describe(first),
                second: second_offset,
                second_type: describe(second),
            });
        }
        if first_value.target != second_value.target {
            return Err(Fault::AmbiguousValue {
                first: first_value.target,
                first_type: describe(first),
                second: second_value.target,
                second_type: describe(second),
            });
        }
        Ok(())
    }
}

impl<'s, 'a> Local<'s, 'a> {
    /// Determines the local subject of a relocation, and checks its access string.
    /// `path` is set for a field.
    fn new(request: Request<'a>, path: &'s mut Spec<'a>, budget: &Budget) -> Result<Self, Fault> {
        Ok(match Class::of(request.kind)? {
            Class::Field => {
                path.follow(request)?;
                budget.spend(PER_LEVEL * path.raw.len() as u64)?;
                Self::Field(path)
            }
            Class::Type => {
                check_type_access(request)?;
                Self::Type(request.ty)
            }
            Class::Enumerator => {
                let (name, value) = local_enumerator(request)?;
                Self::Enumerator(name, value)
            }
        })
    }
}

/// Combines the values of a field relocation on both sides.
fn field_value(local: &FieldValue<'_>, target: &FieldValue<'_>, layer: u32) -> Value {
    let size = |value: &FieldValue<'_>| value.access.map_or(0, |(_, size)| size);
    let (local_size, target_size) = (size(local), size(target));
    let is_other_size = local_size != target_size
        && !matches!((local.access, target.access), (Some((l, _)), Some((t, _))) if can_change_size(l, t));
    Value {
        local: local.value,
        target: target.value,
        is_poison: false,
        is_exact: local.is_exact,
        local_size,
        target_size,
        is_other_size,
        target_type: target.access.map(|(ty, _)| CandidateId { layer, id: ty.id() }),
    }
}

/// Returns the value of a type relocation in the types of one side.
fn type_value(kind: CoreReloKind, ty: Type<'_>) -> Result<u64, Fault> {
    Ok(match kind {
        CoreReloKind::TypeIdTarget => ty.id().into(),
        CoreReloKind::TypeSize => size_of(ty)?,
        _ => 1,
    })
}

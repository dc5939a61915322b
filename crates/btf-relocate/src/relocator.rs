//! Resolution: from the relocations of an object to values.
//!
//! Source: `bpf_core_calc_relo_insn` in `tools/lib/bpf/relo_core.c`, and
//! `bpf_core_resolve_relo` in `tools/lib/bpf/libbpf.c`.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::OnceLock,
};

use btf_types::{BtfExt, ByteOrder, CoreReloKind, Name, Type};

use crate::{
    Fault, Relocated, Targets, Verdict,
    budget::Budget,
    compat::Compatibility,
    matching::Matching,
    relocated::{Considered, Record, Value, address},
    search::{find_enumerator, find_field},
    spec::{Class, Request, Spec, check_type_access, local_enumerator, size_of},
    targets::{CandidateCache, CandidateId},
    value::{FieldValue, can_change_size},
};

/// Number of candidates of a relocation whose verdicts are kept.
const CONSIDERED: usize = 32;

/// Resolver of CO-RE relocations for one kernel.
///
/// Candidates are looked up once for all objects and programs that it is given,
/// from the index of names. It can be shared by threads.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let object_bytes: &'static [u8] = include_bytes!("../doc/fields.bpf.o");
/// # let kernel_bytes: &'static [u8] = include_bytes!("../doc/fields.btf");
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
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Relocator {
    pub(crate) targets: Targets,
    pub(crate) cache: CandidateCache,
}

impl Relocator {
    /// A resolver for these types.
    #[must_use]
    pub fn new(targets: Targets) -> Self {
        Self { targets, cache: CandidateCache::default() }
    }

    /// The types that it resolves for.
    #[must_use]
    pub fn targets(&self) -> &Targets {
        &self.targets
    }

    /// Resolves the relocations of an object, section by section in the order of
    /// its `.BTF.ext`.
    ///
    /// The order matters, as in libbpf: of several candidates for a local type,
    /// those that do not fit one relocation are left out for all later ones of
    /// that type, as long as another does fit.
    ///
    /// A relocation that cannot be resolved is a result like any other
    /// ([`Outcome::Fault`](crate::Outcome::Fault)); so all the others are
    /// available nevertheless.
    #[must_use]
    pub fn relocate(&self, ext: &BtfExt) -> Relocated {
        let mut session = Session::new(self, ext);
        let mut sections: HashMap<usize, Vec<u32>> = HashMap::new();
        let mut records = Vec::with_capacity(ext.core_relos().len());
        for (number, relo) in (0..).zip(ext.core_relos()) {
            sections.entry(address(relo.section().name())).or_default().push(number);
            records.push(session.resolve(Request::new(relo)));
        }
        Relocated { ext: ext.clone(), targets: self.targets.clone(), records, sections, absences: OnceLock::new() }
    }
}

/// Resolution of one object.
struct Session<'l, 't> {
    targets: &'t Targets,
    cache: &'t CandidateCache,
    order: ByteOrder,
    budget: Budget,
    /// The candidates of each local root type that remain.
    lists: HashMap<u32, List>,
    compatibility: Compatibility<'l, 't>,
    matching: Matching<'l, 't>,
}

/// The candidates of a local type.
struct List {
    remaining: Vec<CandidateId>,
    dropped: Vec<CandidateId>,
}

/// What a relocation is of, in the local types.
enum Local<'a> {
    Field(Spec<'a>),
    Type(Type<'a>),
    Enumerator(Name<'a>, u64),
}

impl<'l, 't> Session<'l, 't> {
    fn new(relocator: &'t Relocator, ext: &BtfExt) -> Self {
        Self {
            targets: &relocator.targets,
            cache: &relocator.cache,
            order: ext.btf().byte_order(),
            budget: Budget::new(ext.core_relos().len()),
            lists: HashMap::new(),
            compatibility: Compatibility::default(),
            matching: Matching::default(),
        }
    }

    fn resolve(&mut self, request: Request<'l>) -> Record {
        let mut record =
            Record { candidate_count: 0, considered: Box::default(), chosen: None, result: Ok(Value::default()) };
        if let Err(fault) = self.resolve_into(request, &mut record) {
            record.result = Err(Box::new(fault));
        }
        record
    }

    fn resolve_into(&mut self, request: Request<'l>, record: &mut Record) -> Result<(), Fault> {
        let Request { kind, ty: local_type, .. } = request;
        self.budget.spend(1)?;
        let local = Local::new(request)?;
        if kind == CoreReloKind::TypeIdLocal {
            let id = local_type.id().into();
            record.result = Ok(Value { local: id, target: id, ..Value::default() });
            return Ok(());
        }
        if local_type.is_anonymous() {
            return Err(Fault::Anonymous { id: local_type.id() });
        }
        let (remaining, mut considered) = self.list(local_type)?;
        record.candidate_count = remaining.len() as u32;
        let mut matched: Vec<CandidateId> = Vec::new();
        let mut first: Option<(u64, Value)> = None;
        let mut dropped = Vec::new();
        for &candidate in &remaining {
            let verdict = match self.try_candidate(kind, &local, candidate)? {
                Err(verdict) => {
                    dropped.push(candidate);
                    verdict
                }
                Ok((bit_offset, value)) => {
                    match (&first, matched.first()) {
                        (Some(first), Some(&chosen)) => {
                            self.check_agreement((chosen, *first), (candidate, (bit_offset, value)))?;
                        }
                        _ => first = Some((bit_offset, value)),
                    }
                    matched.push(candidate);
                    Verdict::Match
                }
            };
            if considered.len() < CONSIDERED {
                considered.push(Considered { candidate, verdict });
            }
        }
        record.considered = considered.into();
        record.chosen = matched.first().copied();
        record.result = Ok(match first {
            Some((_, value)) => {
                record.candidate_count = matched.len() as u32;
                if let Some(list) = self.lists.get_mut(&local_type.id()) {
                    list.remaining = matched;
                    let room = CONSIDERED.saturating_sub(list.dropped.len());
                    list.dropped.extend(dropped.into_iter().take(room));
                }
                value
            }
            None => self.without_target(kind, &local)?,
        });
        Ok(())
    }

    /// The remaining candidates of a local type, and those that earlier
    /// relocations dropped.
    fn list(&mut self, local: Type<'_>) -> Result<(Vec<CandidateId>, Vec<Considered>), Fault> {
        let list = match self.lists.entry(local.id()) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => {
                let remaining = self.cache.candidates(self.targets, local, &self.budget)?;
                entry.insert(List { remaining, dropped: Vec::new() })
            }
        };
        self.budget.spend(list.remaining.len() as u64)?;
        let dropped = list.dropped.iter().map(|&candidate| Considered { candidate, verdict: Verdict::Dropped });
        Ok((list.remaining.clone(), dropped.collect()))
    }

    /// The bit offset and the values of a relocation by one candidate, or why
    /// that is none.
    fn try_candidate(
        &mut self,
        kind: CoreReloKind,
        local: &Local<'l>,
        candidate: CandidateId,
    ) -> Result<Result<(u64, Value), Verdict>, Fault> {
        let target = self.targets.type_of(candidate);
        match local {
            Local::Field(spec) => match find_field(spec, target, &self.budget)? {
                Err(verdict) => Ok(Err(verdict)),
                Ok(found) => {
                    let local = FieldValue::of(kind, spec, self.order)?;
                    let target = FieldValue::of(kind, &found, self.order)?;
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
            Local::Enumerator(name, local_value) => match find_enumerator(*name, target, &self.budget)? {
                Err(verdict) => Ok(Err(verdict)),
                Ok(value) => {
                    let exists = kind == CoreReloKind::EnumvalExists;
                    let (local, target) = if exists { (1, 1) } else { (*local_value, value) };
                    Ok(Ok((0, Value { local, target, is_exact: true, ..Value::default() })))
                }
            },
        }
    }

    /// The values of a relocation that no candidate matches.
    fn without_target(&self, kind: CoreReloKind, local: &Local<'_>) -> Result<Value, Fault> {
        let (local, is_exact, is_poison) = match local {
            Local::Field(spec) => {
                let value = FieldValue::of(kind, spec, self.order)?;
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
        (first, (first_offset, first_value)): (CandidateId, (u64, Value)),
        (second, (second_offset, second_value)): (CandidateId, (u64, Value)),
    ) -> Result<(), Fault> {
        let describe = |candidate| {
            let ty = self.targets.type_of(candidate);
            format!("{ty} (type {})", ty.id())
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

impl<'a> Local<'a> {
    /// Looks up what a relocation is of, and checks its access string.
    fn new(request: Request<'a>) -> Result<Self, Fault> {
        Ok(match Class::of(request.kind)? {
            Class::Field => Self::Field(Spec::of_field(request)?),
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

/// The values of a field relocation from those of both sides.
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

/// The value of a type relocation in the types of one side.
fn type_value(kind: CoreReloKind, ty: Type<'_>) -> Result<u64, Fault> {
    Ok(match kind {
        CoreReloKind::TypeIdTarget => ty.id().into(),
        CoreReloKind::TypeSize => size_of(ty)?,
        _ => 1,
    })
}

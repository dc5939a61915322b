//! Compatibility of the types of two fields, and of the root types of type
//! relocations.
//!
//! Source: `bpf_core_fields_are_compat` and `__bpf_core_types_are_compat` in
//! `tools/lib/bpf/relo_core.c`.

use btf_types::Type;

use crate::{
    Fault,
    budget::Budget,
    memo::{Answer, CHAIN, LEVELS, Memo, below},
    spec::{is_composite, is_enum, resolve_within as resolve},
};

/// Returns whether two types have the same kind. ENUM and ENUM64 count as one.
pub(crate) fn same_kind(local: Type<'_>, target: Type<'_>) -> bool {
    local.kind() == target.kind() && !is_unknown(local) && !is_unknown(target) || is_enum(local) && is_enum(target)
}

fn is_unknown(ty: Type<'_>) -> bool {
    matches!(ty, Type::Unknown(_))
}

/// Returns whether a field of one type can be read as one of the other.
pub(crate) fn fields_are_compatible(local: Type<'_>, target: Type<'_>, budget: &Budget) -> Result<bool, Fault> {
    let (mut local, mut target) = (local, target);
    for _ in 0..CHAIN {
        budget.spend(1)?;
        (local, target) = (resolve(local, budget)?, resolve(target, budget)?);
        if is_composite(local) && is_composite(target) {
            return Ok(true);
        }
        if !same_kind(local, target) {
            return Ok(false);
        }
        return Ok(match (local, target) {
            (Type::Array(local_array), Type::Array(target_array)) => {
                (local, target) = (local_array.element(), target_array.element());
                continue;
            }
            (Type::Ptr(_), _) | (Type::Float(_), _) => true,
            (Type::Int(local), Type::Int(target)) => local.bit_offset() == 0 && target.bit_offset() == 0,
            (Type::Fwd(_) | Type::Enum(_) | Type::Enum64(_), _) => {
                let (local, target) = (local.name(), target.name());
                budget.spend_name(local.as_bytes().len() + target.as_bytes().len())?;
                local.is_empty() || target.is_empty() || local.essential() == target.essential()
            }
            _ => false,
        });
    }
    Err(Fault::CompareTooDeep { limit: CHAIN })
}

/// Comparison of the root types of type relocations. Each pair is compared once.
pub(crate) struct Compatibility<'l, 't> {
    known: Memo<(Type<'l>, Type<'t>)>,
}

impl<'l, 't> Compatibility<'l, 't> {
    /// Caches the results of at most `capacity` pairs.
    pub(crate) fn new(capacity: usize) -> Self {
        Self { known: Memo::new(capacity) }
    }

    /// Returns whether two types with the same name are compatible: they are of
    /// the same kind, and so are their pointees, elements, parameters and return
    /// types.
    pub(crate) fn compare(&mut self, local: Type<'l>, target: Type<'t>, budget: &Budget) -> Result<bool, Fault> {
        self.compare_at(LEVELS, local, target, budget).map(|answer| answer.is_equal)
    }

    /// Compares, with `levels` levels of prototypes left.
    fn compare_at(&mut self, levels: u32, local: Type<'l>, target: Type<'t>, budget: &Budget) -> Result<Answer, Fault> {
        budget.spend(1)?;
        if !same_kind(local, target) {
            return Ok(Answer::NO);
        }
        if let Some(answer) = self.known.get(&(local, target), levels)? {
            return Ok(answer);
        }
        let answer = self.compare_chain(levels, local, target, budget)?;
        self.known.insert((local, target), answer);
        Ok(answer)
    }

    fn compare_chain(
        &mut self,
        levels: u32,
        mut local: Type<'l>,
        mut target: Type<'t>,
        budget: &Budget,
    ) -> Result<Answer, Fault> {
        let mut height = 0;
        for _ in 0..CHAIN {
            budget.spend(1)?;
            (local, target) = (resolve(local, budget)?, resolve(target, budget)?);
            if !same_kind(local, target) {
                return Ok(Answer { is_equal: false, height });
            }
            let is_equal = match (local, target) {
                (Type::Ptr(local_ptr), Type::Ptr(target_ptr)) => {
                    (local, target) = (local_ptr.target(), target_ptr.target());
                    continue;
                }
                (Type::Array(local_array), Type::Array(target_array)) => {
                    (local, target) = (local_array.element(), target_array.element());
                    continue;
                }
                (Type::FuncProto(local_proto), Type::FuncProto(target_proto)) => {
                    let (params, target_params) = (local_proto.params(), target_proto.params());
                    if params.len() != target_params.len() {
                        return Ok(Answer { is_equal: false, height });
                    }
                    for (param, target_param) in params.zip(target_params) {
                        let levels = below(levels)?;
                        let (param, target_param) = (resolve(param.ty(), budget)?, resolve(target_param.ty(), budget)?);
                        let answer = self.compare_at(levels, param, target_param, budget)?;
                        height = height.max(answer.height + 1);
                        if !answer.is_equal {
                            return Ok(Answer { is_equal: false, height });
                        }
                    }
                    (local, target) = (local_proto.return_type(), target_proto.return_type());
                    continue;
                }
                (Type::Int(local), Type::Int(target)) => local.bit_offset() == 0 && target.bit_offset() == 0,
                (Type::Void | Type::Struct(_) | Type::Union(_) | Type::Enum(_) | Type::Enum64(_) | Type::Fwd(_), _) => {
                    true
                }
                _ => false,
            };
            return Ok(Answer { is_equal, height });
        }
        Err(Fault::CompareTooDeep { limit: CHAIN })
    }
}

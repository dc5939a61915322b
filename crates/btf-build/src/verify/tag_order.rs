//! Order of type tags and modifiers, and the length of their chains.

use btf_types::Kind;

use super::{
    kinds::is_modifier,
    reject::{Reject, Rule},
    types::Types,
};

/// Maximum number of modifiers, typedefs and type tags that follow each other,
/// before one that was looked at.
const MAX_CHAIN: u32 = 32;

/// Checks each chain.
pub(super) fn check(types: &Types<'_>) -> Result<(), Reject> {
    let mut good = types.first_id().saturating_sub(1);
    for id in types.ids_of(is_modifier) {
        let mut in_tags = types.kind(id) == Some(Kind::TypeTag);
        let (mut at, mut left) = (id, MAX_CHAIN);
        while let Some(kind) = types.kind(at).filter(|&kind| is_modifier(kind)) {
            let reject = |rule| Err(types.reject(id, rule, None));
            if left == 0 {
                return reject(Rule::ChainLength);
            }
            left -= 1;
            if kind != Kind::TypeTag {
                in_tags = false;
            } else if !in_tags && types.limits.tag_order {
                return reject(Rule::TagOrder);
            }
            if at <= good {
                break;
            }
            at = types.size_or_type(at);
            if !types.exists(at) {
                return reject(Rule::TypesRegistered);
            }
        }
        good = id;
    }
    Ok(())
}

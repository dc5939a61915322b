//! Innermost elements of nested arrays.

use btf_types::Type;

/// Maximum number of types in a chain.
pub(crate) const HOPS: u32 = 64;

/// Returns the innermost element of a type, through arrays and modifiers, and the number of
/// these elements: 1 if it is not an array. `None` if it is nested too deeply.
#[inline]
pub(crate) fn innermost(ty: Type<'_>) -> Option<(Type<'_>, u64)> {
    if matches!(ty, Type::Array(_)) || ty.is_modifier() { inside(ty) } else { Some((ty, 1)) }
}

fn inside(mut ty: Type<'_>) -> Option<(Type<'_>, u64)> {
    let mut count = 1u64;
    for _ in 0..HOPS {
        match ty {
            Type::Array(array) => {
                count = count.saturating_mul(array.nelems().into());
                ty = array.element();
            }
            _ if ty.is_modifier() => ty = ty.target().unwrap_or(Type::Void),
            _ => return Some((ty, count)),
        }
    }
    None
}

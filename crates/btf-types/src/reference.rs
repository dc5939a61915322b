//! The kinds that only refer to another type: PTR, TYPEDEF, the qualifiers,
//! TYPE_TAG; and FWD, which refers to what is not there.

use crate::view::{referring, views};

views! {
    /// A pointer.
    Ptr;
    /// A `typedef`.
    Typedef;
    /// The qualifier `volatile`.
    Volatile;
    /// The qualifier `const`.
    Const;
    /// The qualifier `restrict`.
    Restrict;
    /// A tag of a type.
    TypeTag;
    /// A forward declaration of a structure or union.
    Fwd;
}

referring! {
    /// What it points to.
    Ptr.target;
    /// The type that it is a name for.
    Typedef.target;
    /// The type that it qualifies.
    Volatile.target;
    /// The type that it qualifies.
    Const.target;
    /// The type that it qualifies.
    Restrict.target;
    /// The type that it tags.
    TypeTag.target;
}

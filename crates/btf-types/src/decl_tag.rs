//! DECL_TAG.

use crate::view::{referring, views};

views! {
    /// A tag of a declaration, member or parameter.
    DeclTag;
}

referring! {
    /// The declaration that it tags, or that has the member or parameter that
    /// it tags.
    DeclTag.target;
}

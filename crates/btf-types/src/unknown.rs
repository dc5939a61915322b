//! Kinds that this library does not model.

use crate::view::views;

views! {
    /// A type of a kind that this library does not model.
    Unknown;
}

impl Unknown<'_> {
    /// The number of the kind.
    #[must_use]
    pub fn kind_number(self) -> u8 {
        self.0.record().info().kind_number()
    }
}

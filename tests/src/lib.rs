//! What the tests that need more than one crate share.

pub mod fixtures;

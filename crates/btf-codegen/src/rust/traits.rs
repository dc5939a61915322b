//! Implementations for each type: the traits of the text, `Default`, and
//! requested traits of other crates.

use super::{
    Traits,
    generator::{Generator, put},
};

/// All traits of zerocopy that plain bytes have.
pub(super) const ZEROCOPY: &str =
    "    #[derive(::zerocopy::FromBytes, ::zerocopy::Immutable, ::zerocopy::IntoBytes, ::zerocopy::KnownLayout)]\n";

impl Generator<'_, '_> {
    /// Writes the traits of other crates that are derived.
    pub(super) fn derives(&mut self) {
        if self.form.implements.contains(&Traits::Zerocopy) {
            self.put(ZEROCOPY);
        }
    }

    /// Writes what is implemented for a type.
    pub(super) fn traits(&mut self, name: &str) {
        put!(self, "    unsafe impl Plain for {name} {{}}\n    unsafe impl AsBytes for {name} {{}}\n");
        if self.form.implements.contains(&Traits::Aya) {
            put!(self, "    unsafe impl ::aya::Pod for {name} {{}}\n");
        }
        put!(self, "\n    impl Default for {name} {{\n        fn default() -> Self {{\n");
        self.put("            Plain::zeroed()\n        }\n    }\n\n");
    }
}

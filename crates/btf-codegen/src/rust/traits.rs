//! Implementations for each type: the traits of the text, `Default`, and
//! requested traits of other crates.

use super::{
    Traits,
    generator::{Generator, put},
};

impl Generator<'_, '_> {
    /// Writes the traits of other crates that are derived.
    pub(super) fn derives(&mut self, is_union: bool, has_union: bool) {
        if !self.form.implements.contains(&Traits::Zerocopy) {
            return;
        }
        self.put("    #[derive(::zerocopy::FromBytes, ::zerocopy::Immutable, ::zerocopy::KnownLayout)]\n");
        if !is_union && !has_union {
            self.put("    #[derive(::zerocopy::IntoBytes)]\n");
        }
    }

    /// Writes what is implemented for a type.
    pub(super) fn traits(&mut self, name: &str, has_union: bool, is_union: bool) {
        put!(self, "    unsafe impl Plain for {name} {{}}\n");
        if !has_union {
            put!(self, "    unsafe impl AsBytes for {name} {{}}\n");
        }
        if self.form.implements.contains(&Traits::Aya) {
            put!(self, "    unsafe impl ::aya::Pod for {name} {{}}\n");
        }
        put!(self, "\n    impl Default for {name} {{\n        fn default() -> Self {{\n");
        self.put("            Plain::zeroed()\n        }\n    }\n\n");
        if is_union {
            put!(self, "    impl ::core::fmt::Debug for {name} {{\n");
            self.put("        fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {\n");
            put!(self, "            f.debug_struct(\"{name}\").finish_non_exhaustive()\n        }}\n    }}\n\n");
        }
    }
}

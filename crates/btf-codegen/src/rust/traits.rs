//! Traits of the types: those of the generated code, `Default`, and requested ones of other
//! crates.

use super::{Traits, generator::Generator};
use crate::Error;

/// All traits of zerocopy that plain bytes have.
pub(super) const ZEROCOPY: &str =
    "    #[derive(::zerocopy::FromBytes, ::zerocopy::Immutable, ::zerocopy::IntoBytes, ::zerocopy::KnownLayout)]\n";

impl Generator<'_, '_> {
    /// Writes the derives of traits of other crates.
    pub(super) fn derives(&mut self) {
        if self.form.implements.contains(&Traits::Zerocopy) {
            self.put(ZEROCOPY);
        }
    }

    /// Records a type for [`Generator::traits`].
    pub(super) fn add_plain(&mut self, name: &str) {
        self.plain.push_str(name);
        self.plain.push('\n');
    }

    /// Writes the implementations of traits for all types.
    pub(super) fn traits(&mut self) -> Result<(), Error> {
        let (before, after) = TYPES.split_once("$POD").unwrap_or_default();
        self.put(before);
        if self.form.implements.contains(&Traits::Aya) {
            self.put("            unsafe impl ::aya::Pod for $ty {}\n");
        }
        self.put(after);
        for name in std::mem::take(&mut self.plain).lines() {
            self.put("        ");
            self.put(name);
            self.put("\n");
            self.flush_full()?;
        }
        self.put("    }\n");
        Ok(())
    }
}

/// Functions and macros of the generated code. rustc compiles them faster than derives, and
/// than assertions with macros of `core`.
const TYPES: &str = r#"
    /// Fails to compile, if a size, alignment or offset is not that of the BTF.
    const fn assert_eq(found: usize, expected: usize) {
        assert!(found == expected);
    }

    macro_rules! types {
        ($($ty:ident)*) => {$(
            impl Copy for $ty {}
            impl Clone for $ty {
                #[inline]
                fn clone(&self) -> Self {
                    *self
                }
            }

            unsafe impl Plain for $ty {}
            unsafe impl AsBytes for $ty {}
$POD
            impl Default for $ty {
                #[inline]
                fn default() -> Self {
                    Plain::zeroed()
                }
            }
        )*};
    }

    types! {
"#;

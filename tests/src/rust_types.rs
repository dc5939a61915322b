//! Fuzz target of Rust types.

use btf_codegen::{
    Error,
    rust::{Traits, Types},
};
use btf_types::{Btf, ByteOrder};

use crate::fuzz::{bounded_with, len_of};

/// Writes Rust types for the input, if it is BTF.
pub fn rust_types(input: &[u8]) {
    let Ok(btf) = Btf::parse(input.to_vec()) else { return };
    check(&btf);
}

/// Writes Rust types for BTF with several options.
///
/// # Panics
///
/// If a text is incomplete, differs when it is written again, or fails with an error that
/// cannot be caused by the BTF.
pub fn check(btf: &Btf) {
    for types in [
        Types::new(),
        Types::new().byte_order(ByteOrder::Big).implement(Traits::Zerocopy).implement(Traits::Aya),
        Types::new().globals(true),
        Types::new().root_id(btf.own_ids().start),
        Types::new().root_id(btf.type_count() - 1),
    ] {
        let len = |text: &Result<String, Error>| len_of(btf) + text.as_ref().map_or(0, String::len);
        match bounded_with("types", || types.generate(btf), len) {
            Ok(text) => {
                assert!(text.starts_with("// Types of BTF") && text.ends_with("\n}\n"), "{types:?}");
                assert_eq!(types.generate(btf).as_ref().ok(), Some(&text), "{types:?}");
            }
            Err(Error::Cycle { .. } | Error::TooDeep { .. } | Error::TooComplex { .. } | Error::Misplaced { .. }) => {}
            Err(Error::NoSuchRoot { .. }) if btf.own_ids().is_empty() => {}
            Err(error) => panic!("{error}"),
        }
    }
}

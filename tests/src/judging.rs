//! Fuzz target of verification and sanitizing.

use btf_build::{Verify, sanitize};
use btf_format::{FeatureSet, KernelVersion};
use btf_types::{Btf, ByteOrder};

use crate::fuzz::{base, bounded};

const VERSIONS: [KernelVersion; 5] = [
    KernelVersion::new(4, 18),
    KernelVersion::new(5, 4),
    KernelVersion::new(5, 16),
    KernelVersion::new(6, 18),
    KernelVersion::new(7, 2),
];

/// Verifies the input for several kernel versions, alone and as the BTF of a
/// module, and sanitizes it.
///
/// # Panics
///
/// If accepted BTF cannot be opened, or sanitized BTF changes when sanitized again.
pub fn judge(input: &[u8]) {
    for version in VERSIONS {
        for order in [ByteOrder::Little, ByteOrder::Big] {
            let verify = Verify::kernel(version).byte_order(order);
            match bounded("verify", input.len(), || verify.verify(input)) {
                // (Kernels' rules for kinds 20 to 22 are unknown.)
                Ok(()) => drop(Btf::parse(input.to_vec()).expect("what a kernel accepts opens")),
                Err(reject) => assert!(!format!("{reject} {reject:?}").is_empty()),
            }
            let _ = bounded("verify_module", input.len(), || verify.verify_module(input, base()));
        }
    }
    let Ok(btf) = Btf::parse(input.to_vec()) else { return };
    for version in VERSIONS {
        let features = FeatureSet::of(version);
        if let Ok(plain) = bounded("sanitize", input.len(), || sanitize(&btf, features)) {
            assert!(plain.type_count() >= btf.type_count(), "ids stay");
            let again = sanitize(&plain, features).expect("what is sanitized needs nothing");
            assert!(again.as_bytes() == plain.as_bytes(), "once is enough for {version}");
        }
    }
}

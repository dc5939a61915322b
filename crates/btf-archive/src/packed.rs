//! Results of packing.

use std::fmt;

use btf_types::format::Escaped;

use crate::Error;

/// Result of packing: see [`Pack::write`](crate::Pack::write).
#[derive(Debug)]
#[non_exhaustive]
pub struct Packed {
    /// Number of kernels in the bundle.
    pub kernels: usize,
    /// Kernels that were left out, and modules of packed kernels that were,
    /// sorted by path.
    pub left_out: Vec<LeftOut>,
    /// Paths in the archive of packed kernels of which the programs need no
    /// type: no kernel loads the BTF in the bundle, which has no types.
    pub without_types: Vec<String>,
}

/// Kernel or module that was left out of a bundle.
#[derive(Debug)]
#[non_exhaustive]
pub struct LeftOut {
    /// Path of the file in the archive.
    pub path: String,
    /// Name of the module; `None` for the kernel with all of its modules.
    pub module: Option<String>,
    /// Reason.
    pub reason: Error,
}

impl fmt::Display for LeftOut {
    /// Writes the path, the module if it is one, and the reason.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Escaped::new(&self.path).fmt(f)?;
        if let Some(module) = &self.module {
            write!(f, ", module {}", Escaped::new(module))?;
        }
        write!(f, ": {}", self.reason)
    }
}

//! What became of a bundle.

use std::fmt;

use btf_types::format::Escaped;

use crate::Error;

/// Outcome of packing: see [`Pack::write`](crate::Pack::write).
#[derive(Debug)]
#[non_exhaustive]
pub struct Packed {
    /// Number of kernels in the bundle.
    pub kernels: usize,
    /// Kernels that are not in it, and modules whose kernel is, sorted by path.
    pub left_out: Vec<LeftOut>,
}

/// Kernel or module that was left out of a bundle.
#[derive(Debug)]
#[non_exhaustive]
pub struct LeftOut {
    /// The file's path in the archive.
    pub path: String,
    /// The module; `None` if it is the kernel, with all of its modules.
    pub module: Option<String>,
    /// The reason.
    pub reason: Error,
}

impl fmt::Display for LeftOut {
    /// The path, the module if it is one, and the reason.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Escaped::new(&self.path).fmt(f)?;
        if let Some(module) = &self.module {
            write!(f, ", module {}", Escaped::new(module))?;
        }
        write!(f, ": {}", self.reason)
    }
}

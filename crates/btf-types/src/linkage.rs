//! Linkage of functions and variables.

use core::fmt;

/// Linkage of a function or variable.
///
/// Source: `enum btf_func_linkage` and `BTF_VAR_*` in
/// `include/uapi/linux/btf.h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Linkage {
    /// Visible in its own object only. Has no meaning in the BTF of kernels,
    /// nor for functions before Linux 5.6.
    Static,
    /// Visible in all objects.
    Global,
    /// Declared here, defined elsewhere.
    Extern,
    /// A number that this library does not know.
    Unknown(u32),
}

impl From<u32> for Linkage {
    fn from(number: u32) -> Self {
        match number {
            0 => Self::Static,
            1 => Self::Global,
            2 => Self::Extern,
            number => Self::Unknown(number),
        }
    }
}

impl From<Linkage> for u32 {
    fn from(linkage: Linkage) -> Self {
        match linkage {
            Linkage::Static => 0,
            Linkage::Global => 1,
            Linkage::Extern => 2,
            Linkage::Unknown(number) => number,
        }
    }
}

impl Linkage {
    /// The name as `bpftool` prints it: `static`, `global`, `extern`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Static => "static",
            Self::Global => "global",
            Self::Extern => "extern",
            Self::Unknown(_) => "(unknown)",
        }
    }
}

impl fmt::Display for Linkage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

//! The one place that knows the operating system: directories by handle, locks,
//! owners and permissions.
//!
//! Elsewhere than on Unix, directories are paths, nothing is locked (so that
//! leftovers of killed runs stay), and permissions are the system's.
//! (`--cfg btf_portable` compiles that on any system.)

#[cfg(any(not(unix), btf_portable))]
mod other;
#[cfg(all(unix, not(btf_portable)))]
mod unix;

#[cfg(any(not(unix), btf_portable))]
pub(crate) use other::*;
#[cfg(all(unix, not(btf_portable)))]
pub(crate) use unix::*;

/// Result of an attempt to lock a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Locked {
    /// This process holds the lock.
    Yes,
    /// Another one does.
    ByAnother,
    /// The file system has no locks.
    Unsupported,
}

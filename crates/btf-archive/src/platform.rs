//! Code that depends on the operating system: directory handles, locks, owners
//! and permissions.
//!
//! On systems other than Unix, directories are paths, nothing is locked (so
//! that leftovers of killed processes stay), and permissions are the defaults.
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

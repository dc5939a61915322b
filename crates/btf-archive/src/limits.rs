//! What an archive may cost.

/// Limits on what is read of an archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The most members, folders and links.
    pub members: u64,
    /// The most **bytes** of a whole archive, when decoded.
    pub bytes: u64,
    /// The most **bytes** of one kernel's BTF, packed or not.
    pub member: u64,
    /// The most **bytes** of a path.
    pub path: usize,
}

impl Default for Limits {
    /// A million members of 64 GiB in all, 64 MiB each, with paths of 4,096
    /// bytes. (The whole of btfhub is 4,300 members of 7 GiB.)
    fn default() -> Self {
        Self { members: 1_000_000, bytes: 64 << 30, member: 64 << 20, path: 4096 }
    }
}

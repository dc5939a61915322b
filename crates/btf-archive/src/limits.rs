//! Limits on the cost of an archive.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::Error;

/// Limits on what is read of an archive.
///
/// Beside these, all that is decoded for one call, of the archive and of what
/// is in it, is bounded by the archive's own size: 128 MiB, and 200 bytes for
/// each of its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    pub(crate) members: u64,
    pub(crate) bytes: u64,
    pub(crate) member: u64,
    pub(crate) path: usize,
}

impl Default for Limits {
    /// A million members of 64 GiB in all, 64 MiB each, with paths of 4,096
    /// bytes. (The whole of btfhub-archive is 4,300 members of 7 GiB.)
    fn default() -> Self {
        Self { members: 1_000_000, bytes: 64 << 30, member: 64 << 20, path: 4096 }
    }
}

impl Limits {
    /// Maximum number of members: files, folders and links.
    #[must_use]
    pub fn members(mut self, count: u64) -> Self {
        self.members = count;
        self
    }

    /// Maximum size of a whole archive, decoded, in **bytes**.
    #[must_use]
    pub fn bytes(mut self, bytes: u64) -> Self {
        self.bytes = bytes;
        self
    }

    /// Maximum size of one kernel's file, packed or not, in **bytes**.
    #[must_use]
    pub fn member_bytes(mut self, bytes: u64) -> Self {
        self.member = bytes;
        self
    }

    /// Maximum length of a path in **bytes**.
    #[must_use]
    pub fn path_bytes(mut self, bytes: usize) -> Self {
        self.path = bytes;
        self
    }
}

/// Bytes that may be decoded, however few they come from.
const DECODED_FREE: u64 = 128 << 20;

/// Bytes that may be decoded for each byte of the archive. (Whole BTF takes
/// eight times less compressed; what trimmed kernels that are like each other
/// save beyond that is below [`DECODED_FREE`].)
const DECODED_RATIO: u64 = 200;

/// The bytes that may be decoded for one call, in proportion to those read.
#[derive(Debug, Default)]
pub(crate) struct Budget {
    read: AtomicU64,
    decoded: AtomicU64,
}

impl Budget {
    /// Adds bytes that were read of the archive as it is stored.
    pub(crate) fn read(&self, bytes: u64) {
        self.read.fetch_add(bytes, Relaxed);
    }

    /// The number of bytes that may still be decoded.
    pub(crate) fn left(&self) -> u64 {
        self.most().saturating_sub(self.decoded.load(Relaxed))
    }

    fn most(&self) -> u64 {
        DECODED_FREE.saturating_add(self.read.load(Relaxed).saturating_mul(DECODED_RATIO))
    }

    /// Takes bytes that were decoded.
    pub(crate) fn spend(&self, bytes: u64) -> Result<(), Error> {
        if self.decoded.fetch_add(bytes, Relaxed).saturating_add(bytes) > self.most() {
            return Err(self.exhausted());
        }
        Ok(())
    }

    /// The error when nothing is left.
    pub(crate) fn exhausted(&self) -> Error {
        Error::Limit { what: "bytes decoded for an archive of this size", limit: self.most() }
    }
}

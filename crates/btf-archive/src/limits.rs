//! Limits on the cost of an archive.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::Error;

/// Limits on reading an archive.
///
/// Independently of these, the total of all bytes that one call decodes is
/// limited by the size of the archive: to 128 MiB, and 200 bytes for each of
/// its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    pub(crate) members: u64,
    pub(crate) bytes: u64,
    pub(crate) member: u64,
    pub(crate) path: usize,
}

impl Default for Limits {
    /// Returns the default limits: a million members of 64 GiB in all, 64 MiB
    /// each, with paths of 4,096 bytes. (The whole of btfhub-archive has 4,300
    /// members of 7 GiB.)
    fn default() -> Self {
        Self { members: 1_000_000, bytes: 64 << 30, member: 64 << 20, path: 4096 }
    }
}

impl Limits {
    /// Sets the maximum number of members: files, folders and links.
    #[must_use]
    pub fn members(mut self, count: u64) -> Self {
        self.members = count;
        self
    }

    /// Sets the maximum size of a whole archive, decoded, in **bytes**.
    #[must_use]
    pub fn bytes(mut self, bytes: u64) -> Self {
        self.bytes = bytes;
        self
    }

    /// Sets the maximum size of one kernel's file, packed or not, in **bytes**.
    #[must_use]
    pub fn member_bytes(mut self, bytes: u64) -> Self {
        self.member = bytes;
        self
    }

    /// Sets the maximum length of a path in **bytes**.
    #[must_use]
    pub fn path_bytes(mut self, bytes: usize) -> Self {
        self.path = bytes;
        self
    }
}

/// Bytes that may be decoded for any archive.
const DECODED_FREE: u64 = 128 << 20;

/// Bytes that may be decoded for each byte of the archive. (Whole BTF is
/// compressed to an eighth. Similar trimmed kernels compress better, but stay
/// below [`DECODED_FREE`].)
const DECODED_RATIO: u64 = 200;

/// Budget of decoded bytes for one call, in proportion to the bytes read.
#[derive(Debug, Default)]
pub(crate) struct Budget {
    read: AtomicU64,
    decoded: AtomicU64,
}

impl Budget {
    /// Adds bytes read from the archive as stored.
    pub(crate) fn read(&self, bytes: u64) {
        self.read.fetch_add(bytes, Relaxed);
    }

    /// Returns the number of bytes that may still be decoded.
    pub(crate) fn left(&self) -> u64 {
        self.most().saturating_sub(self.decoded.load(Relaxed))
    }

    fn most(&self) -> u64 {
        DECODED_FREE.saturating_add(self.read.load(Relaxed).saturating_mul(DECODED_RATIO))
    }

    /// Charges decoded bytes.
    pub(crate) fn spend(&self, bytes: u64) -> Result<(), Error> {
        if self.decoded.fetch_add(bytes, Relaxed).saturating_add(bytes) > self.most() {
            return Err(self.exhausted());
        }
        Ok(())
    }

    /// Returns the error of an exhausted budget.
    pub(crate) fn exhausted(&self) -> Error {
        Error::Limit { what: "bytes decoded for an archive of this size", limit: self.most() }
    }
}

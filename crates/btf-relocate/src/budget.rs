//! Bound on the work for one object.

use std::cell::Cell;

use crate::Fault;

/// Steps for any object, however small.
const BASE: u64 = 16_000_000;
/// Steps for each of its relocations, on top.
const PER_RELOCATION: u64 = 4096;

/// Steps that may still be taken. One step looks at a member, an enumerator, a
/// pair of types, or 16 bytes of a name.
pub(crate) struct Budget {
    limit: u64,
    left: Cell<u64>,
}

impl Budget {
    pub(crate) fn new(relocations: usize) -> Self {
        let limit = BASE + PER_RELOCATION * relocations as u64;
        Self { limit, left: Cell::new(limit) }
    }

    pub(crate) fn spend(&self, steps: u64) -> Result<(), Fault> {
        let left = self.left.get().checked_sub(steps).ok_or(Fault::TooMuch { limit: self.limit })?;
        self.left.set(left);
        Ok(())
    }

    /// Charges for looking at a name of `len` bytes.
    pub(crate) fn spend_name(&self, len: usize) -> Result<(), Fault> {
        self.spend(1 + len as u64 / 16)
    }
}

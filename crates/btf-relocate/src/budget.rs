//! Budget of steps for one or several objects.

use std::cell::Cell;

use btf_types::BtfExt;

use crate::{Fault, Targets};

/// Number of steps for any input.
const BASE: u64 = 1 << 16;
/// Additional steps per byte of the objects: at least 128 per relocation.
const PER_BYTE: u64 = 8;
/// Additional steps per byte of the target types.
const PER_TARGET_BYTE: u64 = 2;
/// Number of input bytes per cached pair of types.
const BYTES_PER_PAIR: u64 = 8;

/// Remaining steps. One step visits a member, an enumerator, a pair of types, or
/// 16 bytes of a name.
pub(crate) struct Budget {
    bytes: u64,
    limit: u64,
    left: Cell<u64>,
}

impl Budget {
    /// Makes the budget for objects that are relocated for these types.
    pub(crate) fn new<'a>(objects: impl IntoIterator<Item = &'a BtfExt>, targets: &Targets) -> Self {
        let objects = objects.into_iter().map(|ext| ext.as_bytes().len() + ext.btf().as_bytes().len());
        let targets = targets.layers().map(|btf| btf.as_bytes().len());
        let (of_objects, of_targets) = (objects.sum::<usize>() as u64, targets.sum::<usize>() as u64);
        let bytes = of_objects.saturating_add(of_targets);
        let for_targets = of_targets.saturating_mul(PER_TARGET_BYTE);
        let limit = of_objects.saturating_mul(PER_BYTE).saturating_add(for_targets).saturating_add(BASE);
        Self { bytes, limit, left: Cell::new(limit) }
    }

    pub(crate) fn spend(&self, steps: u64) -> Result<(), Fault> {
        let left = self.left.get().checked_sub(steps).ok_or(Fault::TooComplex { limit: self.limit })?;
        self.left.set(left);
        Ok(())
    }

    /// Charges for reading a name of `len` bytes.
    pub(crate) fn spend_name(&self, len: usize) -> Result<(), Fault> {
        self.spend(1 + len as u64 / 16)
    }

    /// Returns the maximum number of pairs of types whose comparison is cached.
    pub(crate) fn pairs(&self) -> usize {
        usize::try_from(self.bytes / BYTES_PER_PAIR).unwrap_or(usize::MAX)
    }
}

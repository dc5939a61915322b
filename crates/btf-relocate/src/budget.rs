//! Budget of steps for one or several objects.

use std::cell::Cell;

use btf_types::BtfExt;

use crate::{Fault, Targets};

/// Steps for any object, however small.
const BASE: u64 = 1 << 16;
/// Steps for each byte of the objects, on top: 128 and more for each relocation.
const PER_BYTE: u64 = 8;
/// Steps for each byte of the types that they are relocated for.
const PER_TARGET_BYTE: u64 = 2;
/// Bytes for which one pair of types is remembered.
const BYTES_PER_PAIR: u64 = 8;

/// Steps that may still be taken. One step looks at a member, an enumerator, a
/// pair of types, or 16 bytes of a name.
pub(crate) struct Budget {
    bytes: u64,
    limit: u64,
    left: Cell<u64>,
}

impl Budget {
    /// The budget for objects, for these types.
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

    /// Charges for looking at a name of `len` bytes.
    pub(crate) fn spend_name(&self, len: usize) -> Result<(), Fault> {
        self.spend(1 + len as u64 / 16)
    }

    /// Number of pairs of types whose comparison may be remembered.
    pub(crate) fn pairs(&self) -> usize {
        usize::try_from(self.bytes / BYTES_PER_PAIR).unwrap_or(usize::MAX)
    }
}

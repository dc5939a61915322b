//! Sets of a few ids.

const RESIDUES: usize = 1 << 10;

/// A set of ids. That an id is not in it is mostly told by its lowest bits.
pub(super) struct IdSet {
    sorted: Vec<u32>,
    /// By the lowest bits, true if an id of the set has them.
    residues: [bool; RESIDUES],
}

impl IdSet {
    #[inline]
    pub(super) fn contains(&self, id: u32) -> bool {
        self.residues.get(id as usize % RESIDUES) == Some(&true) && self.sorted.binary_search(&id).is_ok()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.sorted.is_empty()
    }
}

impl FromIterator<u32> for IdSet {
    fn from_iter<I: IntoIterator<Item = u32>>(ids: I) -> Self {
        let mut sorted: Vec<u32> = ids.into_iter().collect();
        sorted.sort_unstable();
        let mut residues = [false; RESIDUES];
        for id in &sorted {
            if let Some(residue) = residues.get_mut(*id as usize % RESIDUES) {
                *residue = true;
            }
        }
        Self { sorted, residues }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_with_equal_lowest_bits_differ() {
        let set: IdSet = [5000, 7, 7].into_iter().collect();
        let ids = [7, 5000, 7 + RESIDUES as u32, 5000 - RESIDUES as u32, 0, u32::MAX];
        assert_eq!(ids.map(|id| set.contains(id)), [true, true, false, false, false, false]);
        assert!(!set.is_empty());
        assert!([].into_iter().collect::<IdSet>().is_empty());
    }
}

//! Sets of ids.

/// A set of ids below a bound, as a bit for each.
#[derive(Debug)]
pub(crate) struct IdSet {
    blocks: Vec<Block>,
}

/// 64 ids.
#[derive(Debug, Clone, Copy, Default)]
struct Block {
    /// A bit for each id: set if it is in the set.
    ids: u64,
    /// Number of ids in the set before the block, as of the last call of
    /// [`IdSet::number`].
    before: u32,
}

impl IdSet {
    /// An empty set of ids below `count`.
    pub(crate) fn new(count: u32) -> Self {
        Self { blocks: vec![Block::default(); count as usize / 64 + 1] }
    }

    /// Adds an id, and returns whether it is new.
    pub(crate) fn insert(&mut self, id: u32) -> bool {
        let Some(block) = self.blocks.get_mut(id as usize / 64) else { return false };
        let bit = 1 << (id % 64);
        let is_new = block.ids & bit == 0;
        block.ids |= bit;
        is_new
    }

    /// Numbers the ids, from the lowest, and returns them in that order.
    pub(crate) fn number(&mut self) -> Vec<u32> {
        let mut ids = Vec::new();
        for (index, block) in (0..).zip(&mut self.blocks) {
            block.before = ids.len() as u32;
            let mut bits = block.ids;
            while bits != 0 {
                ids.push(index * 64 + bits.trailing_zeros());
                bits &= bits - 1;
            }
        }
        ids
    }

    /// The number of an id that was added before they were numbered.
    pub(crate) fn number_of(&self, id: u32) -> Option<usize> {
        let block = self.blocks.get(id as usize / 64)?;
        let bit = 1 << (id % 64);
        (block.ids & bit != 0).then(|| block.before as usize + (block.ids & (bit - 1)).count_ones() as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_numbered_from_the_lowest() {
        let mut set = IdSet::new(300);
        assert!([299, 0, 64, 63, 128].into_iter().all(|id| set.insert(id)));
        assert!(!set.insert(64) && !set.insert(100_000));
        assert_eq!(set.number(), [0, 63, 64, 128, 299]);
        assert_eq!([0, 63, 64, 128, 299].map(|id| set.number_of(id)), [0, 1, 2, 3, 4].map(Some));
        assert_eq!([1, 62, 65, 298, 100_000].map(|id| set.number_of(id)), [None; 5]);
    }
}

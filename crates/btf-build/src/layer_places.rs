//! Numbers of BTFs that were visited.

use std::collections::BTreeMap;

use btf_types::Btf;

/// The numbers of layers, by what they are and not by what they hold.
#[derive(Debug, Default)]
pub(crate) struct LayerPlaces {
    /// By the address of the bytes. Layers may share theirs, on different bases.
    by_address: BTreeMap<usize, Vec<(Btf, usize)>>,
}

impl LayerPlaces {
    /// The number of a layer: the first that it was given.
    pub(crate) fn get(&self, layer: &Btf) -> Option<usize> {
        let of_bytes = self.by_address.get(&address(layer))?;
        of_bytes.iter().find(|(known, _)| known.is_same(layer)).map(|&(_, place)| place)
    }

    /// Gives a layer a number, if it has none.
    pub(crate) fn insert(&mut self, layer: &Btf, place: usize) {
        if self.get(layer).is_none() {
            self.by_address.entry(address(layer)).or_default().push((layer.clone(), place));
        }
    }
}

/// The address of the bytes, which stay where they are as long as the BTF is held.
fn address(layer: &Btf) -> usize {
    layer.as_bytes().as_ptr().addr()
}

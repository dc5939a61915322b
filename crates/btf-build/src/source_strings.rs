//! The strings of a BTF and of those below it, on their way into another.

use btf_types::Btf;

use crate::{Error, layers::Layers, string_map::StringMap, string_table::StringTable};

/// Where the strings of all layers of a BTF go.
#[derive(Debug)]
pub(crate) struct SourceStrings {
    layers: Layers,
    /// Of each layer; made when a string of it is asked for.
    maps: Vec<Option<StringMap>>,
}

impl SourceStrings {
    pub(crate) fn new(btf: &Btf) -> Self {
        let layers = Layers::new(btf);
        let maps = layers.iter().map(|_| None).collect();
        Self { layers, maps }
    }

    /// The new offset of a string.
    pub(crate) fn map(&mut self, offset: u32, table: &mut StringTable) -> Result<u32, Error> {
        let owner = self.layers.of_string(offset);
        match (self.layers.get(owner), self.maps.get_mut(owner)) {
            (Some((first, layer)), Some(map)) => {
                map.get_or_insert_with(|| StringMap::new(layer, first)).map(layer, offset, table)
            }
            _ => Ok(0),
        }
    }

    /// The maps of the layers of which strings were asked for, from the lowest.
    pub(crate) fn maps(&self) -> impl Iterator<Item = (&Btf, &StringMap)> {
        let layers = self.layers.iter().map(|(_, layer)| layer);
        layers.zip(&self.maps).filter_map(|(layer, map)| Some((layer, map.as_ref()?)))
    }
}

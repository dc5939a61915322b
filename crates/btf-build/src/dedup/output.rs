//! The types that stay, and the map of the others.

use btf_types::{
    Btf, Remap,
    format::{Layout, RecordsMut, Word},
};

use super::{
    classes::Classes,
    graph::Graph,
    names::{Names, NewStrings},
};
use crate::{
    Error,
    layers::{complete, open, own_layout},
};

/// Writes the first type of each class.
pub(super) fn write(btf: &Btf, mut graph: Graph, mut classes: Classes, names: &Names) -> Result<(Btf, Remap), Error> {
    let ids = NewIds::new(&graph, &mut classes);
    drop(classes);
    let mut strings = NewStrings::new(names);
    let mut blob = graph.take_records(&ids.staying);
    let types = blob.get_mut(btf.hdr_len() as usize..).unwrap_or_default();
    for (record, &id) in RecordsMut::new(types, 0, Layout::NONE).zip(&ids.staying) {
        let mut children = graph.children(id).iter();
        record?.for_each_field(|field, value| match field.holds {
            Word::Id => children.next().map_or(0, |&child| ids.of(child)),
            _ => strings.map(value),
        });
    }
    let mut remap = Remap::builder(graph.first_own, names.first_own());
    for id in graph.own_ids() {
        remap.push_id(Some(ids.of(id)));
    }
    drop((graph, ids));
    let strings = strings.finish(|old, new| remap.push_strings(old, new))?;
    let blob = complete(blob, btf.hdr_len(), own_layout(btf), &[&strings])?;
    drop(strings);
    Ok((open(blob, btf.base(), btf)?, remap.finish()))
}

/// The ids that types get.
struct NewIds {
    /// The id of each type from now on, as own types refer to it.
    new: Vec<u32>,
    /// The own types that stay, in their order.
    staying: Vec<u32>,
}

/// In place of the id of a class that has none yet. (New pages of 0 that are read before
/// they are written are mapped twice.)
const UNSET: u32 = u32::MAX;

impl NewIds {
    fn new(graph: &Graph, classes: &mut Classes) -> Self {
        let first_own = graph.first_own;
        // First the class of each type; those of layers below keep their ids.
        let mut new: Vec<u32> = (0..graph.count()).map(|id| classes.find_from_own(id)).collect();
        classes.commit();
        let mut of_class = vec![UNSET; graph.own_ids().len()];
        let mut staying = Vec::new();
        for id in graph.own_ids() {
            let class = new.get(id as usize).copied().unwrap_or(0);
            // A declaration is in a class of another shape if it was resolved.
            if graph.shape(class) != graph.shape(id) {
                continue;
            }
            let Some(place) = class.checked_sub(first_own).and_then(|place| of_class.get_mut(place as usize)) else {
                continue;
            };
            if *place == UNSET {
                *place = first_own + staying.len() as u32;
                staying.push(id);
            }
        }
        for class in &mut new {
            if let Some(place) = class.checked_sub(first_own) {
                *class = of_class.get(place as usize).copied().filter(|&id| id != UNSET).unwrap_or(0);
            }
        }
        Self { new, staying }
    }

    /// The new id of a type that an own type refers to.
    #[inline]
    fn of(&self, id: u32) -> u32 {
        self.new.get(id as usize).copied().unwrap_or(0)
    }
}

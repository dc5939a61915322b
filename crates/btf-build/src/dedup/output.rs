//! The types that stay, and the map of the others.

use btf_types::{
    Btf, Remap,
    format::{Assembly, Layout, Record, Word},
};

use super::{
    classes::Classes,
    graph::{Graph, put},
    names::{Names, NewStrings},
};
use crate::{
    Error,
    layers::{open, own_layout},
};

/// Writes the first type of each class.
pub(super) fn write(btf: &Btf, graph: Graph, mut classes: Classes, names: &Names) -> Result<(Btf, Remap), Error> {
    let ids = NewIds::new(&graph, &mut classes);
    let mut strings = NewStrings::new(names);
    let mut types = Vec::with_capacity(ids.bytes);
    for &id in &ids.staying {
        let start = types.len();
        let record = graph.record(id);
        types.extend_from_slice(record);
        let Some(new) = types.get_mut(start..) else { continue };
        let mut children = graph.children(id).iter();
        Record::first(record, 0, Layout::NONE)?.for_each_field(|field, value| {
            let value = match field.holds {
                Word::Id => children.next().map_or(0, |&child| ids.of(classes.find_from_own(child))),
                _ => strings.map(value),
            };
            put(new, field.at, value);
        });
    }
    let mut remap = Remap::builder(graph.first_own, names.first_own());
    for id in graph.own_ids() {
        remap.push_id(Some(ids.of(classes.find_from_own(id))));
    }
    drop((graph, classes, ids));
    let strings = strings.finish(|old, new| remap.push_strings(old, new))?;
    let mut blob = Vec::with_capacity(64 + types.len() + own_layout(btf).len() + strings.len());
    Assembly::new(&types, &strings)
        .layout(own_layout(btf))
        .hdr_len(btf.hdr_len())
        .write(|part| blob.extend_from_slice(part))?;
    Ok((open(blob, btf.base(), btf)?, remap.finish()))
}

/// The ids that types get.
struct NewIds {
    first_own: u32,
    /// The new id of each own type that stands for its class.
    of_class: Vec<u32>,
    /// The types that stay, in their order.
    staying: Vec<u32>,
    /// Bytes of their records.
    bytes: usize,
}

impl NewIds {
    fn new(graph: &Graph, classes: &mut Classes) -> Self {
        let own = graph.own_ids();
        let mut ids = Self { first_own: own.start, of_class: vec![0; own.len()], staying: Vec::new(), bytes: 0 };
        for id in own {
            let class = classes.find_from_own(id);
            // A declaration is in a class of another shape if it was resolved.
            if graph.shape(class) != graph.shape(id) {
                continue;
            }
            let Some(place) = class.checked_sub(ids.first_own).and_then(|place| ids.of_class.get_mut(place as usize))
            else {
                continue;
            };
            if *place == 0 {
                *place = ids.first_own + ids.staying.len() as u32;
                ids.staying.push(id);
                ids.bytes += graph.record(id).len();
            }
        }
        ids
    }

    /// The new id of a type that stands for its class.
    fn of(&self, class: u32) -> u32 {
        match class.checked_sub(self.first_own) {
            Some(place) => self.of_class.get(place as usize).copied().unwrap_or(0),
            None => class,
        }
    }
}

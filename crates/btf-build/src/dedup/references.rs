//! Other types with references: equal if their shapes and references are.

use super::{
    classes::Classes,
    graph::{Graph, Role},
};
use crate::hash_table::{Hash, Table};

/// Finds the references that are equal, those that are referred to first.
pub(super) fn merge(graph: &Graph, classes: &mut Classes, hash: &Hash) {
    let mut merging = Merging {
        graph,
        classes,
        hash,
        table: Table::with_capacity(graph.count() as usize / 2),
        is_done: vec![false; graph.count() as usize],
        stack: Vec::new(),
    };
    for id in 1..graph.count() {
        merging.merge_with_referred(id);
    }
}

struct Merging<'a> {
    graph: &'a Graph,
    classes: &'a mut Classes,
    hash: &'a Hash,
    /// A reference of each class, by its shape and what it refers to.
    table: Table,
    /// The references that were looked at, or begun with.
    is_done: Vec<bool>,
    /// Those that were begun with, each with the number of the next one that it refers
    /// to.
    stack: Vec<(u32, usize)>,
}

impl Merging<'_> {
    fn merge_with_referred(&mut self, id: u32) {
        self.begin(id);
        while let Some((id, next)) = self.stack.last_mut() {
            let (id, place) = (*id, *next);
            match self.graph.children(id).get(place) {
                Some(&child) => {
                    *next += 1;
                    let class = self.classes.find_from(id, child);
                    self.begin(class);
                }
                None => {
                    self.stack.pop();
                    self.intern(id);
                }
            }
        }
        self.classes.commit();
    }

    fn begin(&mut self, id: u32) {
        if self.graph.role(id) == Role::Reference
            && self.classes.is_class(id)
            && let Some(is_done) = self.is_done.get_mut(id as usize)
            && !std::mem::replace(is_done, true)
        {
            self.stack.push((id, 0));
        }
    }

    fn intern(&mut self, id: u32) {
        let (graph, classes) = (self.graph, &mut *self.classes);
        let shape = graph.shape(id);
        let children = graph.children(id);
        let key = self
            .hash
            .of_words(std::iter::once(shape).chain(children.iter().map(|&child| classes.find_from(id, child))));
        self.table.reserve(1);
        let found = self.table.find(key, |other| {
            graph.shape(other) == shape
                && children
                    .iter()
                    .zip(graph.children(other))
                    .all(|(&a, &b)| classes.find_from(id, a) == classes.find_from(other, b))
        });
        match found {
            Ok(other) => classes.put_into(id, other),
            Err(slot) => self.table.insert(slot, key, id),
        }
    }
}

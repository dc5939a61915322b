//! Structs, unions and typedefs: each is compared with earlier ones of its
//! shape.

use super::{
    classes::Classes,
    colors,
    equality::Comparison,
    graph::{Graph, Role},
};
use crate::{
    Error,
    hash_table::{Hash, Table},
};

/// Finds equal composites, given the colors of all types, if they are colored. Returns
/// the colors, which stay valid when more types turn out to be equal.
pub(super) fn merge(
    graph: &Graph,
    classes: &mut Classes,
    comparison: &mut Comparison,
    hash: &Hash,
    colors: Vec<u64>,
) -> Result<Vec<u64>, Error> {
    let mut distinct = Distinct::new(graph, hash, colors);
    for id in 1..graph.count() {
        if graph.role(id) != Role::Composite || !classes.is_class(id) {
            continue;
        }
        while !graph.is_base(id) && classes.is_class(id) && !distinct.merge(classes, comparison, id) {
            let Some(reach) = comparison.next_limit()? else { break };
            distinct = Distinct::new(graph, hash, colors::of(graph, classes, hash, reach));
            for id in (1..id).filter(|&id| graph.role(id) == Role::Composite && classes.is_class(id)) {
                distinct.push(id);
            }
        }
        if classes.is_class(id) {
            distinct.push(id);
        }
    }
    Ok(distinct.colors)
}

/// Types that differ, in lists of equal shape and color.
struct Distinct<'a> {
    graph: &'a Graph,
    hash: &'a Hash,
    /// Empty if all have the same color.
    colors: Vec<u64>,
    /// First type of each list.
    firsts: Table,
    /// Last type of each list, by the first.
    lasts: Vec<u32>,
    /// Next type in the list; 0 at the end.
    nexts: Vec<u32>,
}

impl<'a> Distinct<'a> {
    fn new(graph: &'a Graph, hash: &'a Hash, colors: Vec<u64>) -> Self {
        let zeros = || vec![0; graph.count() as usize];
        let composites = (1..graph.count()).filter(|&id| graph.role(id) == Role::Composite).count();
        // Many are equal, if they are deduplicated for a reason.
        let firsts = Table::with_capacity(composites / 2);
        Self { graph, hash, colors, firsts, lasts: zeros(), nexts: zeros() }
    }

    fn color(&self, id: u32) -> u64 {
        self.colors.get(id as usize).copied().unwrap_or(0)
    }

    fn key(&self, id: u32) -> u32 {
        let color = self.color(id);
        self.hash.of_words([self.graph.shape(id), color as u32, (color >> 32) as u32].into_iter())
    }

    fn find(&self, id: u32) -> Result<u32, usize> {
        let is_like = |other| self.graph.shape(other) == self.graph.shape(id) && self.color(other) == self.color(id);
        self.firsts.find(self.key(id), is_like)
    }

    /// Returns the first type of the shape and color of another.
    fn first_like(&self, id: u32) -> Option<u32> {
        self.find(id).ok()
    }

    /// Returns the next type of the same shape and color.
    fn after(&self, id: u32) -> Option<u32> {
        self.nexts.get(id as usize).copied().filter(|&next| next != 0)
    }

    /// Merges a type with the first of these that is equal to it. Returns
    /// `false` if the comparisons were stopped because too many failed.
    fn merge(&self, classes: &mut Classes, comparison: &mut Comparison, id: u32) -> bool {
        let mut other = self.first_like(id);
        while let Some(place) = other {
            if classes.is_class(place) && comparison.merge(self.graph, classes, id, place) {
                return true;
            }
            if comparison.is_too_much() {
                return false;
            }
            other = self.after(place);
        }
        true
    }

    fn push(&mut self, id: u32) {
        self.firsts.reserve(1);
        let first = match self.find(id) {
            Ok(first) => first,
            Err(slot) => {
                self.firsts.insert(slot, self.key(id), id);
                id
            }
        };
        if let Some(last) = self.lasts.get_mut(first as usize) {
            if first != id
                && let Some(next) = self.nexts.get_mut(*last as usize)
            {
                *next = id;
            }
            *last = id;
        }
    }
}

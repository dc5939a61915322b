//! Structs, unions and typedefs: each compared with those of its shape that came
//! before.

use super::{
    classes::Classes,
    equality::Comparison,
    graph::{Graph, Role},
};
use crate::Error;

/// Of each shape the types that differ, as lists through arrays.
struct Distinct {
    /// The first of a shape; 0 if there is none.
    first: Vec<u32>,
    /// The last of a shape.
    last: Vec<u32>,
    next: Vec<u32>,
}

impl Distinct {
    fn new(count: u32) -> Self {
        let zeros = || vec![0; count as usize];
        Self { first: zeros(), last: zeros(), next: zeros() }
    }

    fn push(&mut self, shape: u32, id: u32) {
        let Some(last) = self.last.get_mut(shape as usize) else { return };
        let place = match *last {
            0 => self.first.get_mut(shape as usize),
            last => self.next.get_mut(last as usize),
        };
        *last = id;
        if let Some(place) = place {
            *place = id;
        }
    }
}

/// Finds the composites that are equal.
pub(super) fn merge(graph: &Graph, classes: &mut Classes, comparison: &mut Comparison) -> Result<(), Error> {
    let mut distinct = Distinct::new(graph.count());
    for id in 1..graph.count() {
        if graph.role(id) != Role::Composite || !classes.is_class(id) {
            continue;
        }
        let shape = graph.shape(id);
        if graph.is_base(id) || !is_merged(graph, classes, comparison, &distinct, shape, id)? {
            distinct.push(shape, id);
        }
    }
    Ok(())
}

fn is_merged(
    graph: &Graph,
    classes: &mut Classes,
    comparison: &mut Comparison,
    distinct: &Distinct,
    shape: u32,
    id: u32,
) -> Result<bool, Error> {
    let after = |list: &[u32], place: u32| list.get(place as usize).copied().unwrap_or(0);
    let mut other = after(&distinct.first, shape);
    while other != 0 {
        if classes.is_class(other) && comparison.merge(graph, classes, id, other)? {
            return Ok(true);
        }
        other = after(&distinct.next, other);
    }
    Ok(false)
}

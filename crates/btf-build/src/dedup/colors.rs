//! Colors: numbers that differ for types that differ within some steps.
//!
//! Types of one shape are compared with each other only if their colors are the same.
//! So that this changes no result, types that may turn out to be equal have to have the
//! same color: what a forward declaration may mean looks like that to all that refer to
//! it.

use std::collections::HashSet;

use btf_types::Kind;

use super::{
    classes::Classes,
    equality::meant_kind,
    graph::{Graph, Role},
};
use crate::hash_table::Hash;

/// Colors each type by what can be reached from it within so many steps.
pub(super) fn of(graph: &Graph, classes: &mut Classes, hash: &Hash, steps: u32) -> Vec<u32> {
    let declared = Declared::new(graph);
    let ids = || 0..graph.count();
    let shapes: Vec<u32> = ids().map(|id| hash.of_words([graph.shape(id)].into_iter())).collect();
    // How a type looks to those that refer to it.
    let mut looks: Vec<u32> = ids().map(|id| declared.look(graph, hash, id).unwrap_or(shape(&shapes, id))).collect();
    let fixed: Vec<bool> = ids().map(|id| declared.look(graph, hash, id).is_some()).collect();
    let mut colors = shapes.clone();
    for _ in 0..steps {
        colors = ids()
            .map(|id| match graph.role(id) {
                Role::Leaf | Role::Unique => shape(&shapes, id),
                Role::Composite | Role::Reference => hash.of_words(
                    std::iter::once(shape(&shapes, id))
                        .chain(graph.children(id).iter().map(|&child| shape(&looks, classes.find_from(id, child)))),
                ),
            })
            .collect();
        classes.commit();
        for ((look, &color), _) in looks.iter_mut().zip(&colors).zip(&fixed).filter(|(_, is_fixed)| !**is_fixed) {
            *look = color;
        }
    }
    colors
}

fn shape(of: &[u32], id: u32) -> u32 {
    of.get(id as usize).copied().unwrap_or(0)
}

/// The structs and unions of which there is a forward declaration.
struct Declared(HashSet<(u32, Kind)>);

impl Declared {
    fn new(graph: &Graph) -> Self {
        let heads = (1..graph.count()).filter_map(|id| graph.head(id));
        Self(heads.filter_map(|head| Some((head.name_off(), meant_kind(head)?))).collect())
    }

    /// How a declaration, or what it may mean, looks; `None` of other types.
    fn look(&self, graph: &Graph, hash: &Hash, id: u32) -> Option<u32> {
        let head = graph.head(id)?;
        let kind = meant_kind(head).or(head.info().kind())?;
        let name = head.name_off();
        (name != 0 && self.0.contains(&(name, kind))).then(|| hash.of_words([name, kind.number().into()].into_iter()))
    }
}

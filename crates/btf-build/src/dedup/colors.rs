//! Colors: numbers that differ for types that differ in what is near them.
//!
//! Only types of the same shape and color are compared. This changes no
//! results, as types that may turn out to be equal have the same color: a
//! forward declaration has the color of its possible meaning for all that refer
//! to it.
//!
//! Colors have 64 bits: with 32, two of 20,000 types on a chain had the same one now and
//! then, and so had all that lead to these, which then had to be compared in vain.

use std::collections::HashSet;

use btf_types::Kind;

use super::{
    classes::Classes,
    cycles::{self, Visit},
    forward::meant_kind,
    graph::{Graph, Role},
};
use crate::hash_table::Hash;

/// The types that a color depends on.
#[derive(Debug, Clone, Copy)]
pub(super) enum Reach {
    /// References up to structs, unions and typedefs that have a name, which count by
    /// their shape. Most types that look alike differ in these, and there are no
    /// cycles in them.
    Names,
    /// Everything that can be reached within this many steps, or within any number if
    /// it leads to no cycle.
    Steps(u32),
}

/// Colors structs, unions and typedefs, and what they refer to. The color of all other
/// types is 0, which stands for their shape.
pub(super) fn of(graph: &Graph, classes: &mut Classes, hash: &Hash, reach: Reach) -> Vec<u64> {
    let ids = || 0..graph.count();
    let looks = Looks { declared: Declared::new(graph), reach };
    let is_compared = |&id: &u32| graph.role(id) == Role::Composite && classes.is_class(id);
    let composites: Vec<u32> = ids().filter(is_compared).collect();
    let zeros = || vec![0; graph.count() as usize];
    let mut coloring = Coloring { graph, classes, hash, colors: zeros(), looks: zeros(), on_cycles: Vec::new() };
    for id in ids() {
        if let Some(look) = looks.of(graph, hash, id)
            && let Some(place) = coloring.looks.get_mut(id as usize)
        {
            *place = look;
        }
    }
    cycles::walk(graph, composites.into_iter(), &mut coloring);
    let on_cycles = std::mem::take(&mut coloring.on_cycles);
    let mut next = vec![0; on_cycles.len()];
    let steps = match reach {
        Reach::Names => 1,
        Reach::Steps(steps) => steps,
    };
    for _ in 0..steps {
        for (color, &id) in next.iter_mut().zip(&on_cycles) {
            *color = coloring.color(id);
        }
        for (&color, &id) in next.iter().zip(&on_cycles) {
            coloring.set(id, color);
        }
    }
    coloring.classes.commit();
    coloring.colors
}

/// Returns `true` if the color of a type depends on others.
fn is_inner(graph: &Graph, id: u32) -> bool {
    matches!(graph.role(id), Role::Composite | Role::Reference)
}

struct Coloring<'a> {
    graph: &'a Graph,
    classes: &'a mut Classes,
    hash: &'a Hash,
    /// 0 if it is the shape, so that most of the array is not touched.
    colors: Vec<u64>,
    /// Color of a type for those that refer to it, if it differs from its own; else 0.
    looks: Vec<u64>,
    on_cycles: Vec<u32>,
}

impl Coloring<'_> {
    fn fixed_look(&self, id: u32) -> Option<u64> {
        self.looks.get(id as usize).copied().filter(|&look| look != 0)
    }

    fn look(&self, id: u32) -> u64 {
        let color = || self.colors.get(id as usize).copied().filter(|&color| color != 0);
        self.fixed_look(id).or_else(color).unwrap_or_else(|| self.graph.shape(id).into())
    }

    /// Computes the color of a type from those that it refers to.
    fn color(&mut self, id: u32) -> u64 {
        let mut color = self.graph.shape(id).into();
        for &child in self.graph.children(id) {
            let child = self.classes.find_from(id, child);
            color = self.hash.wide([color, self.look(child)].into_iter());
        }
        self.classes.commit();
        color
    }

    fn set(&mut self, id: u32, color: u64) {
        if let Some(place) = self.colors.get_mut(id as usize) {
            *place = color;
        }
    }
}

impl Visit for Coloring<'_> {
    fn follow(&mut self, parent: u32, child: u32) -> Option<u32> {
        let child = self.classes.find_from(parent, child);
        (is_inner(self.graph, child) && self.fixed_look(child).is_none()).then_some(child)
    }

    fn done(&mut self, id: u32, ends: bool) {
        if ends {
            let color = self.color(id);
            self.set(id, color);
        } else {
            self.on_cycles.push(id);
        }
    }
}

/// Colors of types for those that refer to them, where these differ from their own.
struct Looks {
    declared: Declared,
    reach: Reach,
}

impl Looks {
    fn of(&self, graph: &Graph, hash: &Hash, id: u32) -> Option<u64> {
        self.declared.look(graph, hash, id).or_else(|| {
            let is_named = graph.role(id) == Role::Composite && graph.head(id).is_some_and(|head| head.name_off() != 0);
            (matches!(self.reach, Reach::Names) && is_named).then(|| graph.shape(id).into())
        })
    }
}

/// Structs and unions that have a forward declaration.
struct Declared(HashSet<(u32, Kind)>);

impl Declared {
    fn new(graph: &Graph) -> Self {
        let leaves = (1..graph.count()).filter(|&id| graph.role(id) == Role::Leaf);
        let heads = leaves.filter_map(|id| graph.head(id));
        Self(heads.filter_map(|head| Some((head.name_off(), meant_kind(head)?))).collect())
    }

    /// Returns the color of a declaration, or of its possible meaning; `None`
    /// for other types.
    fn look(&self, graph: &Graph, hash: &Hash, id: u32) -> Option<u64> {
        if self.0.is_empty() || !matches!(graph.role(id), Role::Composite | Role::Leaf) {
            return None;
        }
        let head = graph.head(id)?;
        let composite = head.info().kind().filter(|kind| matches!(kind, Kind::Struct | Kind::Union));
        let kind = meant_kind(head).or(composite)?;
        let name = head.name_off();
        // Not 0, which means none.
        let look = || hash.wide([name.into(), kind.number().into()].into_iter()) | 1;
        (name != 0 && self.0.contains(&(name, kind))).then(look)
    }
}

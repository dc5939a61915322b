//! Types that lead to a cycle.

use super::graph::{Graph, Role};

/// Callbacks of a walk over types.
pub(super) trait Visit {
    /// Returns the type to follow for a reference of `parent` to `child`, if
    /// any.
    fn follow(&mut self, parent: u32, child: u32) -> Option<u32>;

    /// Called with each type after those that it refers to; `ends` is true if
    /// it leads to no cycle.
    fn done(&mut self, id: u32, ends: bool);
}

/// Walks from some types over everything that they lead to.
pub(super) fn walk(graph: &Graph, from: impl Iterator<Item = u32>, visit: &mut impl Visit) {
    let mut states = States(vec![State::New; graph.count() as usize]);
    let mut stack: Vec<Step> = Vec::new();
    for id in from {
        if states.of(id) == State::New {
            states.set(id, State::Begun);
            stack.push(Step { id, next: 0, ends: true });
        }
        while let Some(step) = stack.last_mut() {
            let &mut Step { id, next, ends } = step;
            if let Some(&child) = graph.children(id).get(next) {
                step.next += 1;
                let Some(child) = visit.follow(id, child) else { continue };
                match states.of(child) {
                    State::Ends => {}
                    // A type that is not finished is on the current path.
                    State::Begun | State::Cycle => step.ends = false,
                    State::New => {
                        states.set(child, State::Begun);
                        stack.push(Step { id: child, next: 0, ends: true });
                    }
                }
            } else {
                states.set(id, if ends { State::Ends } else { State::Cycle });
                visit.done(id, ends);
                stack.pop();
                if let Some(parent) = stack.last_mut() {
                    parent.ends &= ends;
                }
            }
        }
    }
}

/// Type on the current path, with the index of its next reference.
struct Step {
    id: u32,
    next: usize,
    ends: bool,
}

/// State of a type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    New,
    /// The references of the type are being visited.
    Begun,
    Ends,
    /// The type leads to a cycle.
    Cycle,
}

struct States(Vec<State>);

impl States {
    fn of(&self, id: u32) -> State {
        self.0.get(id as usize).copied().unwrap_or(State::Ends)
    }

    fn set(&mut self, id: u32, state: State) {
        if let Some(place) = self.0.get_mut(id as usize) {
            *place = state;
        }
    }
}

/// Treats references in a cycle of references (a pointer to itself), which no
/// language has, as composites, so that they are compared.
pub(super) fn mark(graph: &mut Graph) {
    let is_reference = |&id: &u32| graph.role(id) == Role::Reference;
    // Each cycle has a type that refers to a later one, or to itself. Few types do.
    let leads_on = |&id: &u32| graph.children(id).iter().any(|&child| child >= id);
    if lead_to_cycles(graph, (1..graph.count()).filter(is_reference).filter(leads_on)).is_empty() {
        return;
    }
    for id in lead_to_cycles(graph, (1..graph.count()).filter(is_reference)) {
        graph.make_composite(id);
    }
}

/// The types that lead to a cycle of references, of some references and those that they
/// lead to.
fn lead_to_cycles(graph: &Graph, from: impl Iterator<Item = u32>) -> Vec<u32> {
    let mut references = References { graph, cyclic: Vec::new() };
    walk(graph, from, &mut references);
    references.cyclic
}

/// Follows only references.
struct References<'a> {
    graph: &'a Graph,
    cyclic: Vec<u32>,
}

impl Visit for References<'_> {
    #[inline]
    fn follow(&mut self, _: u32, child: u32) -> Option<u32> {
        (self.graph.role(child) == Role::Reference).then_some(child)
    }

    #[inline]
    fn done(&mut self, id: u32, ends: bool) {
        if !ends {
            self.cyclic.push(id);
        }
    }
}

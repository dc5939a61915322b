//! Which types lead to a cycle.

use super::graph::{Graph, Role};

/// What a walk over types follows, and what becomes of them.
pub(super) trait Visit {
    /// The type to follow where `parent` refers to `child`, if any.
    fn follow(&mut self, parent: u32, child: u32) -> Option<u32>;

    /// Called with each type after those that it refers to, and whether it leads to no
    /// cycle.
    fn done(&mut self, id: u32, ends: bool);
}

/// Walks from some types over all that they lead to.
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
                    // What was begun and is not done leads back to here.
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

/// A type on the way, and the number of the next one that it refers to.
struct Step {
    id: u32,
    next: usize,
    ends: bool,
}

/// What is known of a type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    New,
    /// What it refers to is being looked at.
    Begun,
    Ends,
    /// Leads to a cycle.
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

/// Makes composites of all references that lead to a cycle of references (a pointer to
/// itself), as no language has it, so that they are compared as those are.
pub(super) fn mark(graph: &mut Graph) {
    let mut references = References { graph, cyclic: Vec::new() };
    walk(graph, (1..graph.count()).filter(|&id| graph.role(id) == Role::Reference), &mut references);
    let cyclic = references.cyclic;
    for id in cyclic {
        graph.make_composite(id);
    }
}

/// Follows references alone.
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

//! Cycles of nothing but references (a pointer to itself), which no language has.

use super::graph::{Graph, Role};

/// Makes composites of all references that lead to a cycle of references, so that they
/// are compared as those are.
pub(super) fn mark(graph: &mut Graph) {
    let mut states = States(vec![State::New; graph.count() as usize]);
    // Most refer to what came before, of which it is known then that it ends.
    for id in 1..graph.count() {
        let is_reference = |&child: &u32| graph.role(child) == Role::Reference;
        let mut references = graph.children(id).iter().filter(|child| is_reference(child));
        if graph.role(id) == Role::Reference && references.all(|&child| states.of(child) == State::Ends) {
            states.set(id, State::Ends);
        }
    }
    let mut stack = Vec::new();
    for id in 1..graph.count() {
        if graph.role(id) == Role::Reference && states.of(id) == State::New {
            states.set(id, State::Begun);
            stack.push((id, 0));
        }
        while let Some((id, next)) = stack.last_mut() {
            let id = *id;
            let Some(&child) = graph.children(id).get(*next) else {
                // What was begun and is not done leads back to here.
                let ends = |&child: &u32| graph.role(child) != Role::Reference || states.of(child) == State::Ends;
                let all_end = graph.children(id).iter().all(ends);
                states.set(id, if all_end { State::Ends } else { State::Cycle });
                stack.pop();
                continue;
            };
            *next += 1;
            if graph.role(child) == Role::Reference && states.of(child) == State::New {
                states.set(child, State::Begun);
                stack.push((child, 0));
            }
        }
    }
    for id in 1..graph.count() {
        if states.of(id) == State::Cycle {
            graph.make_composite(id);
        }
    }
}

/// What is known of a reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    New,
    /// What it refers to is being looked at.
    Begun,
    /// Ends with what is no reference.
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

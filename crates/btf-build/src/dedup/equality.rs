//! Equality of two types, including everything that they refer to.
//!
//! Types are assumed equal until a difference is found; then all assumptions
//! are reverted. Without a difference, all of them are equal, and never
//! compared again. (This is the algorithm of Hopcroft and Karp for equivalent
//! automata.)

use super::{classes::Classes, colors::Reach, forward::meant_kind, graph::Graph};
use crate::Error;

/// Maximum number of failed comparisons, in quarters of the number of types and
/// references, after which types are colored, and by what; `None` is an error.
pub(super) const LIMITS: Limits =
    &[(1, Some(Reach::Names)), (16, Some(Reach::Steps(12))), (48, Some(Reach::Steps(40))), (176, None)];

pub(super) type Limits = &'static [(u64, Option<Reach>)];

/// Compares types.
#[derive(Debug)]
pub(super) struct Comparison {
    /// Pairs of the same shape whose references are to be compared.
    pairs: Vec<(u32, u32)>,
    /// FWDs of layers below that would need a meaning.
    wanted: Vec<(u32, u32)>,
    /// Number of types and references.
    size: u64,
    /// Number of references that were compared for types that turned out to
    /// differ.
    in_vain: u64,
    /// Limits of that number.
    limits: Limits,
    /// Number of passes over all types.
    rounds: u64,
    /// Number of types that were merged in this pass.
    merged: u64,
    /// Number of forward declarations that were resolved in this pass.
    pub(super) resolved: u64,
}

impl Comparison {
    pub(super) fn new(graph: &Graph, limits: Limits) -> Self {
        Self {
            pairs: Vec::new(),
            wanted: Vec::new(),
            size: graph.size(),
            in_vain: 0,
            limits,
            rounds: 0,
            merged: 0,
            resolved: 0,
        }
    }

    /// Called before each pass over all types.
    pub(super) fn begin(&mut self) -> Result<(), Error> {
        (self.merged, self.resolved) = (0, 0);
        if self.rounds > 0 {
            self.in_vain += self.size;
            if self.is_too_much() {
                self.next_limit()?;
            }
        }
        self.rounds += 1;
        Ok(())
    }

    /// Returns `true` if this pass found nothing new.
    pub(super) fn is_settled(&self) -> bool {
        self.rounds > 1 && self.merged == 0 && self.resolved == 0
    }

    /// Merges the classes of two types of the same shape if they are equal.
    /// Both are representatives. Returns whether they are.
    pub(super) fn merge(&mut self, graph: &Graph, classes: &mut Classes, a: u32, b: u32) -> bool {
        classes.commit();
        self.pairs.clear();
        self.wanted.clear();
        let (mut steps, resolved) = (1, self.resolved);
        self.assume(classes, a, b);
        let mut next = 0;
        let mut is_equal = true;
        while let Some(&(a, b)) = self.pairs.get(next)
            && is_equal
        {
            next += 1;
            for (&child_a, &child_b) in graph.children(a).iter().zip(graph.children(b)) {
                steps += 1;
                let class_a = classes.find_from(a, child_a);
                let class_b = classes.find_from(b, child_b);
                if class_a == class_b {
                    continue;
                }
                if graph.shape(class_a) == graph.shape(class_b) {
                    self.assume(classes, class_a, class_b);
                } else if !self.resolve(graph, classes, (a, class_a), (b, class_b)) {
                    is_equal = false;
                    break;
                }
            }
        }
        if is_equal && self.wanted.is_empty() {
            classes.commit();
            self.merged += 1;
            return true;
        }
        classes.roll_back();
        self.in_vain += steps;
        self.resolved = resolved;
        if is_equal {
            self.set_wanted(graph, classes);
        }
        false
    }

    /// Returns `true` if the limit of failed comparisons was reached.
    pub(super) fn is_too_much(&self) -> bool {
        self.limits.first().is_some_and(|&(times, _)| 4 * self.in_vain > times * self.size)
    }

    /// Returns what types are to be colored by next.
    pub(super) fn next_limit(&mut self) -> Result<Option<Reach>, Error> {
        let Some((&(times, reach), others)) = self.limits.split_first() else { return Ok(None) };
        self.limits = others;
        reach.map(Some).ok_or(Error::TooComplex { limit: times * self.size / 4 })
    }

    /// Assumes that two classes are equal.
    fn assume(&mut self, classes: &mut Classes, a: u32, b: u32) {
        // Those of layers below stay.
        let (first, second) = (a.min(b), a.max(b));
        classes.put_into(second, first);
        self.pairs.push((first, second));
    }

    /// Resolves a FWD to the composite that it is compared with. Each comes
    /// with the type that refers to it.
    fn resolve(&mut self, graph: &Graph, classes: &mut Classes, a: (u32, u32), b: (u32, u32)) -> bool {
        let (fwd, composite) = match (can_mean(graph, a.1, b.1), can_mean(graph, b.1, a.1)) {
            (true, _) => (a, b.1),
            (_, true) => (b, a.1),
            _ => return false,
        };
        if graph.is_base(fwd.0) {
            self.wanted.push((fwd.1, composite));
        } else {
            classes.set_meaning(fwd.1, composite);
            self.resolved += 1;
        }
        true
    }

    /// Types of layers below do not change, but their declarations can resolve
    /// those of own types.
    fn set_wanted(&mut self, graph: &Graph, classes: &mut Classes) {
        for &(fwd, composite) in &self.wanted {
            if classes.find_from_own(fwd) == fwd && graph.is_base(fwd) {
                let composite = classes.find_from_own(composite);
                classes.set_meaning(fwd, composite);
                self.resolved += 1;
            }
        }
        classes.commit();
    }
}

/// Returns `true` if `fwd` is a named FWD, and `composite` the struct or union
/// that it may declare.
fn can_mean(graph: &Graph, fwd: u32, composite: u32) -> bool {
    let (Some(fwd), Some(composite)) = (graph.head(fwd), graph.head(composite)) else {
        return false;
    };
    fwd.name_off() != 0 && fwd.name_off() == composite.name_off() && meant_kind(fwd) == composite.info().kind()
}

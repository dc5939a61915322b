//! Cached results of comparing pairs of types.
//!
//! Types are a graph in which a few dozen nodes have millions of paths, so each
//! pair is compared once. libbpf limits the levels of its recursion instead,
//! and fails beyond them. To fail in the same cases, a result is stored with
//! its height: the number of levels that it took.

use std::{collections::HashMap, hash::Hash};

use crate::Fault;

/// Number of levels (parameters, members) that are compared below the root.
pub(crate) const LEVELS: u32 = 32;

/// Number of pointers, arrays and return types that are followed on one level.
pub(crate) const CHAIN: u32 = 32;

/// Result of comparing two types.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) is_equal: bool,
    /// Number of levels visited below the two types.
    pub(crate) height: u32,
}

impl Answer {
    pub(crate) const NO: Self = Self { is_equal: false, height: 0 };
    pub(crate) const YES: Self = Self { is_equal: true, height: 0 };
}

/// Returns the number of levels left below a level; an error if there is none.
pub(crate) fn below(levels: u32) -> Result<u32, Fault> {
    levels.checked_sub(1).ok_or(Fault::CompareTooDeep { limit: LEVELS })
}

/// Cached answers, up to a capacity.
pub(crate) struct Memo<K> {
    answers: HashMap<K, Answer>,
    capacity: usize,
}

impl<K: Eq + Hash> Memo<K> {
    /// Makes a cache of at most `capacity` answers. Others are computed again.
    pub(crate) fn new(capacity: usize) -> Self {
        Self { answers: HashMap::new(), capacity }
    }

    /// Returns an answer if it is cached; an error if it takes more levels than
    /// are left.
    pub(crate) fn get(&self, key: &K, levels: u32) -> Result<Option<Answer>, Fault> {
        match self.answers.get(key) {
            Some(answer) if answer.height > levels => Err(Fault::CompareTooDeep { limit: LEVELS }),
            answer => Ok(answer.copied()),
        }
    }

    pub(crate) fn insert(&mut self, key: K, answer: Answer) {
        if self.answers.len() < self.capacity {
            self.answers.insert(key, answer);
        }
    }
}

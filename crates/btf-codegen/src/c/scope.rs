//! Names of members, which must be unique in a struct and its anonymous
//! members. C compilers ensure that, producers for other languages may not.

use std::collections::HashMap;

use super::{hash::Keyed, names::Written};

/// Names of the structs that are being written, inside each other.
#[derive(Debug, Default)]
pub(super) struct Scopes<'btf> {
    scopes: Vec<HashMap<Written<'btf>, u32, Keyed>>,
    depth: usize,
}

impl<'btf> Scopes<'btf> {
    /// Goes into a struct whose members are its own.
    pub(super) fn open(&mut self) {
        match self.scopes.get_mut(self.depth) {
            Some(scope) => scope.clear(),
            None => self.scopes.push(HashMap::default()),
        }
        self.depth += 1;
    }

    pub(super) fn close(&mut self) {
        self.depth = self.depth.saturating_sub(1);
    }

    /// The name that a member gets.
    pub(super) fn claim(&mut self, name: Written<'btf>) -> Written<'btf> {
        let Some(scope) = self.depth.checked_sub(1).and_then(|index| self.scopes.get_mut(index)) else { return name };
        let Some(count) = scope.get_mut(&name) else {
            scope.insert(name.clone(), 1);
            return name;
        };
        let mut number = *count;
        let numbered: Written<'btf> = loop {
            number += 1;
            let numbered = [&name, format!("___{number}").as_bytes()].concat();
            if !scope.contains_key(numbered.as_slice()) {
                break numbered.into();
            }
        };
        scope.insert(name, number);
        scope.insert(numbered.clone(), 1);
        numbered
    }
}

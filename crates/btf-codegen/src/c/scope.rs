//! Names of members, which must be unique in a struct and its anonymous
//! members. C compilers ensure that, producers for other languages may not.

use std::collections::HashMap;

use super::{
    hash::Keyed,
    names::{Written, without_number},
};

/// Number of names for which there stays room from one struct to the next.
const KEPT: usize = 256;

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
            // To clear one that was large costs what it had room for.
            Some(scope) if scope.capacity() > KEPT => *scope = HashMap::default(),
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
        let count = match scope.get(&name) {
            Some(&count) => count,
            None if !is_numbered(scope, &name) => {
                scope.insert(name.clone(), 1);
                return name;
            }
            None => 1,
        };
        let mut number = count;
        let numbered: Written<'btf> = loop {
            number += 1;
            let numbered = [&name, format!("___{number}").as_bytes()].concat();
            if !scope.contains_key(numbered.as_slice()) {
                break numbered.into();
            }
        };
        scope.insert(name, number);
        numbered
    }
}

/// Returns `true` for a name that a member got by adding a number. Such names
/// are not stored, as many may begin with one long name.
fn is_numbered(scope: &HashMap<Written<'_>, u32, Keyed>, name: &[u8]) -> bool {
    let count = without_number(name).and_then(|(name, number)| Some((scope.get(name)?, number)));
    count.is_some_and(|(&count, number)| number <= count)
}

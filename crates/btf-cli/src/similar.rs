//! Names similar to a name that was not found.

use btf_types::{Btf, Name, Type};

/// Maximum length of compared names, as a comparison takes time in proportion
/// to the product of both lengths.
pub(crate) const LENGTH: usize = 64;
/// Maximum difference of the lengths of similar names, in bytes.
const DIFFERENCE: usize = 3;
/// Similarity, between 0 and 1, that a name must exceed.
const LIKENESS: f64 = 0.9;
/// Similarity of names that differ by one letter: added, missing, changed or
/// swapped with the next.
const ONE_OFF: f64 = 0.91;
/// Similarity of names that differ by two letters, of `TWO_OFF_LEN` or more
/// bytes each.
const TWO_OFF: f64 = 0.905;
const TWO_OFF_LEN: usize = 5;
/// Similarity of names that differ in case.
const OTHER_CASE: f64 = 0.99;
/// Maximum number of suggestions.
const COUNT: usize = 3;
/// Maximum number of comparisons. Names that cannot be similar do not count.
const COMPARED: u32 = 100_000;

/// Search for the names most similar to a given one.
pub(crate) struct Similar<'n> {
    name: &'n str,
    /// Number of occurrences of each byte in the name.
    bytes: [u8; 256],
    /// Best names so far with their similarity, most similar first.
    best: Vec<(f64, String)>,
    left: u32,
    /// Address of the last compared name, which many types may share.
    last: (*const u8, usize),
}

impl<'n> Similar<'n> {
    pub(crate) fn to(name: &'n str) -> Self {
        let left = if name.len() > LENGTH { 0 } else { COMPARED };
        Self { name, bytes: count(name.as_bytes()), best: Vec::new(), left, last: (std::ptr::null(), 0) }
    }

    /// Considers a name, which may be cut after `LENGTH + 1` bytes.
    pub(crate) fn add(&mut self, other: Name<'_>) {
        let bytes = other.as_bytes();
        if self.left == 0
            || self.last == (bytes.as_ptr(), bytes.len())
            || bytes.len().abs_diff(self.name.len()) > DIFFERENCE
            || bytes.len() > LENGTH
            || !(self.may_be_like(bytes) || self.name.as_bytes().eq_ignore_ascii_case(bytes))
        {
            return;
        }
        self.left -= 1;
        self.last = (bytes.as_ptr(), bytes.len());
        let other = other.to_string();
        let likeness = match strsim::osa_distance(self.name, &other) {
            _ if self.name.eq_ignore_ascii_case(&other) => OTHER_CASE,
            1 if self.name.len() > 1 => ONE_OFF,
            2 if is_long(self.name.as_bytes()) && is_long(bytes) => TWO_OFF,
            // As `state`, mistyped, for `__state`.
            _ if is_one_off_without_underscores(self.name, &other) => TWO_OFF,
            _ => 0.0,
        };
        let likeness = strsim::jaro_winkler(self.name, &other).max(likeness);
        if likeness <= LIKENESS || self.best.iter().any(|(_, name)| *name == other) {
            return;
        }
        let is_worse = |(of, name): &(f64, String)| likeness > *of || likeness == *of && other < *name;
        let at = self.best.iter().position(is_worse).unwrap_or(self.best.len());
        self.best.insert(at, (likeness, other));
        self.best.truncate(COUNT);
    }

    /// Returns `true` if the names have enough bytes in common, in any order, to
    /// be similar.
    fn may_be_like(&self, other: &[u8]) -> bool {
        let theirs = count(other);
        let longer = self.name.len().max(other.len());
        let shared: u32 = self.bytes.iter().zip(&theirs).map(|(ours, theirs)| u32::from(*ours.min(theirs))).sum();
        let part = |len: usize| f64::from(shared) / len.max(1) as f64;
        let jaro = (part(self.name.len()) + part(other.len()) + 1.0) / 3.0;
        // Winkler's maximum bonus, for a common prefix of four bytes.
        jaro + 0.4 * (1.0 - jaro) > LIKENESS
            || shared as usize + 1 >= longer
            || longer >= TWO_OFF_LEN && shared as usize + 2 >= longer
            || shared as usize + 1 >= without_underscores(other).max(without_underscores(self.name.as_bytes()))
    }

    /// Returns the names, most similar first.
    pub(crate) fn names(self) -> Vec<String> {
        self.best.into_iter().map(|(_, name)| name).collect()
    }

    /// Returns `; there is A, B, C`, or an empty hint.
    pub(crate) fn hint(self) -> String {
        match self.names().as_slice() {
            [] => String::new(),
            names => format!("; there is {}", names.join(", ")),
        }
    }
}

fn is_long(name: &[u8]) -> bool {
    name.len() >= TWO_OFF_LEN
}

/// Returns the length of a name without the underscores that it begins with.
fn without_underscores(name: &[u8]) -> usize {
    name.iter().skip_while(|&&byte| byte == b'_').count()
}

/// Returns `true` if names differ by at most one letter, other than in the
/// underscores that they begin with.
fn is_one_off_without_underscores(one: &str, other: &str) -> bool {
    let [one, other] = [one, other].map(|name| name.trim_start_matches('_'));
    one.len().min(other.len()) > 2 && strsim::osa_distance(one, other) <= 1
}

fn count(bytes: &[u8]) -> [u8; 256] {
    let mut counts = [0u8; 256];
    for byte in bytes {
        if let Some(count) = counts.get_mut(usize::from(*byte)) {
            *count = count.saturating_add(1);
        }
    }
    counts
}

/// Returns a hint that lists types with similar names.
pub(crate) fn types(btf: &Btf, name: &str) -> String {
    let mut similar = Similar::to(name);
    for ty in btf.layers().flat_map(Btf::types) {
        similar.add(Type::name_start(ty, LENGTH + 1));
    }
    similar.hint()
}

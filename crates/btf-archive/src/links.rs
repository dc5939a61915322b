//! Links of an archive, and their targets.

use std::collections::HashMap;

use crate::Error;

/// Maximum number of links in one path.
const HOPS: usize = 8;

/// Maximum size of the paths and targets of all links in **bytes**. Real
/// archives have a dozen links.
const BYTES: usize = 256 << 10;

/// Index of the archive's root folder in [`Links::parts`].
const TOP: usize = 0;

/// Links, by the components of their paths.
#[derive(Debug, Default)]
pub(crate) struct Links {
    /// Path and target of each link.
    links: Vec<(Box<str>, Box<str>)>,
    /// Index of each component, by the index of its parent and its name.
    parts: HashMap<(usize, Box<str>), usize>,
    /// Link at a component, if it is one.
    ends: HashMap<usize, usize>,
    bytes: usize,
}

impl Links {
    /// Adds a link. Its path and target are relative and normalized.
    pub(crate) fn add(&mut self, path: &str, target: &str) -> Result<(), Error> {
        self.bytes += path.len() + target.len();
        if self.bytes > BYTES {
            return Err(Error::Limit { what: "bytes in the paths of links", limit: BYTES as u64 });
        }
        let mut part = TOP;
        for name in path.split('/') {
            let next = self.parts.len() + 1;
            part = *self.parts.entry((part, name.into())).or_insert(next);
        }
        if self.ends.insert(part, self.links.len()).is_some() {
            return Err(Error::Refused { member: path.into(), reason: "there twice" });
        }
        self.links.push((path.into(), target.into()));
        Ok(())
    }

    /// Returns the bytes of all paths and targets.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Iterates over the paths of the links, each with its final target. Links
    /// without one are skipped.
    pub(crate) fn resolved(&self) -> impl Iterator<Item = (&str, String)> {
        self.links.iter().filter_map(|(path, _)| Some((&**path, self.resolve(path)?)))
    }

    /// Resolves the links in a path; `None` if there are too many.
    fn resolve(&self, path: &str) -> Option<String> {
        let mut path = path.to_owned();
        for _ in 0..HOPS {
            match self.first_in(&path) {
                Some((target, rest)) => path = format!("{target}{rest}"),
                None => return Some(path),
            }
        }
        None
    }

    /// Returns the target of the first link in a path, and the rest of the
    /// path.
    fn first_in<'p>(&self, path: &'p str) -> Option<(&str, &'p str)> {
        let (mut part, mut end) = (TOP, 0);
        for name in path.split('/') {
            end += name.len();
            part = *self.parts.get(&(part, name.into()))?;
            if let Some(&link) = self.ends.get(&part) {
                let (_, target) = self.links.get(link)?;
                return Some((target, path.get(end..)?));
            }
            end += 1;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_lead_over_each_other_and_not_in_circles() {
        let mut links = Links::default();
        for (path, target) in [
            ("a", "b/c"),
            ("b/c", "d"),
            ("x", "y"),
            ("y", "x"),
            ("mint/20", "ubuntu/focal"),
            ("ubuntu/focal", "ubuntu/20.04"),
        ] {
            links.add(path, target).unwrap();
        }
        let resolved: Vec<_> = links.resolved().collect();
        let expected = [
            ("a", "d".to_owned()),
            ("b/c", "d".into()),
            ("mint/20", "ubuntu/20.04".into()),
            ("ubuntu/focal", "ubuntu/20.04".into()),
        ];
        assert_eq!(resolved, expected);
        assert_eq!(links.resolve("a/z/1").as_deref(), Some("d/z/1"));
        assert_eq!(links.resolve("ab/z").as_deref(), Some("ab/z"));
        assert!(matches!(links.add("a", "z"), Err(Error::Refused { .. })));
    }

    #[test]
    fn many_or_long_links_are_an_error() {
        let mut links = Links::default();
        let added = (0..1000).take_while(|n| links.add(&format!("{n}/{}", "a/".repeat(2000)), "x").is_ok()).count();
        assert_eq!(added, 65);
    }
}

//! Searches by name: exact, by pattern, or by regular expression.

use std::collections::HashMap;

use btf_types::{AnyEnum, Btf, EnumValue, Name, Type, View, format::glob_matches};
use regex::bytes::Regex;

use crate::Result;

/// Names to search.
#[derive(Clone)]
pub(crate) enum Pattern {
    /// All names, and unnamed items.
    All,
    Exact(String),
    Glob(String),
    Regex(Regex),
}

impl Pattern {
    /// Makes a pattern in which `*` stands for any bytes and `?` for one.
    pub(crate) fn glob(pattern: &str) -> Self {
        if pattern.contains(['*', '?']) { Self::Glob(pattern.into()) } else { Self::Exact(pattern.into()) }
    }

    /// Makes a regular expression that matches anywhere in a name.
    pub(crate) fn regex(pattern: &str) -> Result<Self> {
        Ok(Self::Regex(Regex::new(pattern)?))
    }

    /// Returns `true` for an exact name.
    pub(crate) fn is_exact(&self) -> bool {
        matches!(self, Self::Exact(_))
    }

    /// Iterates over the types with a matching name: own types, then those of
    /// the base, each by ascending id.
    pub(crate) fn types<'btf>(&self, btf: &'btf Btf) -> Box<dyn Iterator<Item = Type<'btf>> + 'btf> {
        match self {
            Self::All => Box::new(btf.layers().flat_map(Btf::types)),
            Self::Exact(name) => Box::new(btf.find_all::<Type<'_>>(name).into_iter()),
            Self::Glob(_) | Self::Regex(_) => {
                let mut matcher = self.matcher();
                let types = btf.layers().flat_map(Btf::types);
                Box::new(types.filter(move |ty| matcher.matches(|limit| ty.name_start(limit))))
            }
        }
    }

    /// Iterates over the enumerators with a matching name, in this many layers.
    pub(crate) fn enumerators<'btf>(
        &self,
        btf: &'btf Btf,
        layers: usize,
    ) -> Box<dyn Iterator<Item = EnumValue<'btf>> + 'btf> {
        match self {
            Self::Exact(name) if layers >= btf.layers().count() => Box::new(btf.find_all_enumerators(name).into_iter()),
            _ => {
                let mut matcher = self.matcher();
                let enums = btf.layers().take(layers).flat_map(Btf::types).filter_map(AnyEnum::of);
                let values = enums.flat_map(AnyEnum::values);
                Box::new(values.filter(move |value| matcher.matches(|limit| value.name_start(limit))))
            }
        }
    }

    /// Returns `true` if a name matches.
    fn is_like(&self, name: &[u8]) -> bool {
        match self {
            Self::All => true,
            Self::Exact(exact) => name == exact.as_bytes(),
            Self::Glob(pattern) => glob_matches(pattern, name),
            Self::Regex(regex) => regex.is_match(name),
        }
    }

    /// Returns a matcher for many names.
    pub(crate) fn matcher(&self) -> Matcher {
        Matcher { pattern: self.clone(), long: HashMap::new() }
    }
}

/// Matcher for many names. A long name is matched once, however many types
/// share it.
pub(crate) struct Matcher {
    pattern: Pattern,
    /// Results for long names, by address.
    long: HashMap<*const u8, bool>,
}

impl Matcher {
    /// Returns `true` if a name matches. Only as many bytes of the name are
    /// read as needed.
    pub(crate) fn matches<'n>(&mut self, name_start: impl FnOnce(usize) -> Name<'n>) -> bool {
        match &self.pattern {
            Pattern::All => return true,
            Pattern::Exact(exact) => return name_start(exact.len() + 1) == exact.as_str(),
            Pattern::Glob(_) | Pattern::Regex(_) => {}
        }
        let name = name_start(NAME + 1).as_bytes();
        let is_match = || !name.is_empty() && name.len() <= NAME && self.pattern.is_like(name);
        if name.len() <= SHORT { is_match() } else { *self.long.entry(name.as_ptr()).or_insert_with(is_match) }
    }
}

/// Maximum length of names that are matched without storing the result.
const SHORT: usize = 128;
/// Maximum length of names that are matched. (Kernels allow 511.) Longer names
/// never match, as millions of types may share one.
const NAME: usize = 4096;

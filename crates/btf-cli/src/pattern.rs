//! What is asked for by name: exactly, by pattern, or by regular expression.

use std::collections::HashMap;

use btf_types::{AnyEnum, Btf, EnumValue, Name, Type, View, format::glob_matches};
use regex::bytes::Regex;

use crate::Result;

/// Names that are asked for.
#[derive(Clone)]
pub(crate) enum Pattern {
    /// Whatever has one, or none.
    All,
    Exact(String),
    Glob(String),
    Regex(Regex),
}

impl Pattern {
    /// A name in which `*` stands for anything and `?` for any one byte.
    pub(crate) fn glob(pattern: &str) -> Self {
        if pattern.contains(['*', '?']) { Self::Glob(pattern.into()) } else { Self::Exact(pattern.into()) }
    }

    /// A regular expression, to be found anywhere in a name.
    pub(crate) fn regex(pattern: &str) -> Result<Self> {
        Ok(Self::Regex(Regex::new(pattern)?))
    }

    /// Whether it is one name.
    pub(crate) fn is_exact(&self) -> bool {
        matches!(self, Self::Exact(_))
    }

    /// The types with such a name, own ones and then those of the base, each by
    /// rising id.
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

    /// The enumerators with such a name, of this many layers.
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

    /// Whether a name is asked for.
    fn is_like(&self, name: &[u8]) -> bool {
        match self {
            Self::All => true,
            Self::Exact(exact) => name == exact.as_bytes(),
            Self::Glob(pattern) => glob_matches(pattern, name),
            Self::Regex(regex) => regex.is_match(name),
        }
    }

    /// Says of names, one after the other, whether they are asked for.
    pub(crate) fn matcher(&self) -> Matcher {
        Matcher { pattern: self.clone(), long: HashMap::new() }
    }
}

/// Matches names, long ones once, however many share them.
pub(crate) struct Matcher {
    pattern: Pattern,
    /// Whether long names are asked for, by where they are.
    long: HashMap<*const u8, bool>,
}

impl Matcher {
    /// Whether a name is asked for. It gets no more of it than the limit that it
    /// gives.
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

/// Bytes of names that are matched each time.
const SHORT: usize = 128;
/// Bytes of the longest names that patterns are matched with; kernels allow
/// 511. Millions of types may share a longer one.
const NAME: usize = 4096;

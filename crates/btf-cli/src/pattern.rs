//! What is asked for by name: exactly, by pattern, or by regular expression.

use btf_types::{Btf, Name, Type};
use regex::bytes::Regex;

use crate::Result;

/// Names that are asked for.
pub(crate) enum Pattern {
    Exact(String),
    Regex(Regex),
}

impl Pattern {
    /// A name in which `*` stands for anything and `?` for any one byte.
    pub(crate) fn glob(pattern: &str) -> Result<Self> {
        if !pattern.contains(['*', '?']) {
            return Ok(Self::Exact(pattern.into()));
        }
        let escaped = regex::escape(pattern).replace(r"\*", ".*").replace(r"\?", ".");
        Ok(Self::Regex(Regex::new(&format!("(?s-u)^{escaped}$"))?))
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
            Self::Exact(name) => Box::new(btf.find_all::<Type<'_>>(name).into_iter()),
            // It is cheap to clone.
            Self::Regex(regex) => Box::new(matching(btf, regex.clone())),
        }
    }
}

impl Pattern {
    /// Whether a name is asked for.
    pub(crate) fn matches(&self, name: Name<'_>) -> bool {
        match self {
            Self::Exact(exact) => name == exact.as_str(),
            Self::Regex(regex) => is_match(regex, name),
        }
    }
}

fn is_match(regex: &Regex, name: Name<'_>) -> bool {
    !name.is_empty() && name.as_bytes().len() <= NAME && regex.is_match(name.as_bytes())
}

fn matching(btf: &Btf, regex: Regex) -> impl Iterator<Item = Type<'_>> {
    btf.layers().flat_map(Btf::types).filter(move |ty| is_match(&regex, ty.name_start(NAME + 1)))
}

/// Bytes of the longest names that patterns are matched with; kernels allow
/// 511. Millions of types may share a longer one.
const NAME: usize = 4096;

//! Features of BTF, each with the kernel version that introduced it.
//!
//! Source: the history of `kernel/bpf/btf.c` in Linux, and the probes of
//! `tools/lib/bpf/features.c`.

use core::{fmt, iter::FusedIterator, str::FromStr};

use crate::KernelVersion;

/// Feature of BTF that a kernel may not support.
///
/// Features are ordered by the kernel version that introduced them.
///
/// ```
/// # fn main() -> Result<(), btf_format::Error> {
/// use btf_format::{Feature, KernelVersion};
///
/// assert_eq!(Feature::Enum64.since(), KernelVersion::new(6, 0));
/// assert_eq!("enum64".parse(), Ok(Feature::Enum64));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Feature {
    /// BTF itself.
    Btf,
    /// FUNC and FUNC_PROTO, which programs need.
    Func,
    /// VAR and DATASEC, which global variables need.
    Datasec,
    /// FUNCs with a linkage: global functions.
    FuncLinkage,
    /// BTF of modules, and names of loaded BTF.
    ModuleBtf,
    /// DATASECs without variables.
    EmptyDatasec,
    /// FLOAT.
    Float,
    /// DECL_TAG.
    DeclTag,
    /// TYPE_TAG.
    TypeTag,
    /// ENUM64, and signed ENUMs.
    Enum64,
    /// DATASECs whose name begins with `?`: optional struct_ops.
    OptionalDatasec,
    /// DECL_TAGs and TYPE_TAGs for arbitrary attributes (with `kind_flag`).
    TypeAttribute,
    /// The 32-byte header with a layout section.
    Layout,
    /// More than 65,535 members, values or parameters (24-bit vlen).
    LargeVlen,
}

impl Feature {
    /// All features, in ascending order of the kernel version that introduced
    /// them.
    pub const ALL: &'static [Self] = &[
        Self::Btf,
        Self::Func,
        Self::Datasec,
        Self::FuncLinkage,
        Self::ModuleBtf,
        Self::EmptyDatasec,
        Self::Float,
        Self::DeclTag,
        Self::TypeTag,
        Self::Enum64,
        Self::OptionalDatasec,
        Self::TypeAttribute,
        Self::Layout,
        Self::LargeVlen,
    ];

    /// The Linux version that introduced the feature. (Distributions backport
    /// features: probe the running kernel.)
    #[must_use]
    pub const fn since(self) -> KernelVersion {
        let (major, minor) = match self {
            Self::Btf => (4, 18),
            Self::Func => (5, 0),
            Self::Datasec => (5, 2),
            Self::FuncLinkage => (5, 6),
            Self::ModuleBtf => (5, 11),
            Self::EmptyDatasec => (5, 12),
            Self::Float => (5, 13),
            Self::DeclTag => (5, 16),
            Self::TypeTag => (5, 17),
            Self::Enum64 => (6, 0),
            Self::OptionalDatasec => (6, 9),
            Self::TypeAttribute => (6, 15),
            Self::Layout => (7, 1),
            Self::LargeVlen => (7, 2),
        };
        KernelVersion::new(major, minor)
    }

    /// The name of the feature in output: `decl_tag`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Btf => "btf",
            Self::Func => "func",
            Self::Datasec => "datasec",
            Self::FuncLinkage => "func_linkage",
            Self::ModuleBtf => "module_btf",
            Self::EmptyDatasec => "empty_datasec",
            Self::Float => "float",
            Self::DeclTag => "decl_tag",
            Self::TypeTag => "type_tag",
            Self::Enum64 => "enum64",
            Self::OptionalDatasec => "optional_datasec",
            Self::TypeAttribute => "type_attribute",
            Self::Layout => "layout",
            Self::LargeVlen => "large_vlen",
        }
    }

    /// The feature's bit in a set.
    const fn bit(self) -> u32 {
        1 << self as u32
    }
}

impl fmt::Display for Feature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Feature {
    type Err = ParseFeatureError;

    /// Reads a name as [`Feature::as_str`] writes it.
    fn from_str(s: &str) -> Result<Self, ParseFeatureError> {
        Self::ALL.iter().copied().find(|feature| feature.as_str() == s).ok_or(ParseFeatureError(()))
    }
}

/// Error of parsing a [`Feature`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the name of a BTF feature, expected one such as decl_tag or enum64")]
pub struct ParseFeatureError(());

/// Set of the features that a kernel supports.
///
/// ```
/// use btf_format::{Feature, FeatureSet, KernelVersion};
///
/// let features = FeatureSet::of(KernelVersion::new(5, 15));
/// assert!(features.contains(Feature::Float));
/// assert!(!features.contains(Feature::Enum64));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct FeatureSet(u32);

impl FeatureSet {
    /// No features: a kernel without BTF.
    pub const EMPTY: Self = Self(0);

    /// All features: the newest kernel.
    pub const ALL: Self = Self((1 << Feature::ALL.len()) - 1);

    /// The features of a Linux version, as released by kernel.org.
    #[must_use]
    pub fn of(version: KernelVersion) -> Self {
        Feature::ALL.iter().copied().filter(|feature| feature.since() <= version).collect()
    }

    /// Returns `true` if the set contains the feature.
    #[must_use]
    pub const fn contains(self, feature: Feature) -> bool {
        self.0 & feature.bit() != 0
    }

    /// Adds a feature.
    pub const fn insert(&mut self, feature: Feature) {
        self.0 |= feature.bit();
    }

    /// Removes a feature.
    pub const fn remove(&mut self, feature: Feature) {
        self.0 &= !feature.bit();
    }

    /// Number of features in the set.
    #[must_use]
    pub const fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    /// Returns `true` if the set has no features.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The features of the set, in the order of [`Feature::ALL`].
    pub const fn iter(self) -> Features {
        Features { left: self }
    }
}

impl fmt::Debug for FeatureSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

impl Extend<Feature> for FeatureSet {
    fn extend<I: IntoIterator<Item = Feature>>(&mut self, features: I) {
        features.into_iter().for_each(|feature| self.insert(feature));
    }
}

impl FromIterator<Feature> for FeatureSet {
    fn from_iter<I: IntoIterator<Item = Feature>>(features: I) -> Self {
        let mut set = Self::EMPTY;
        set.extend(features);
        set
    }
}

impl<const N: usize> From<[Feature; N]> for FeatureSet {
    fn from(features: [Feature; N]) -> Self {
        features.into_iter().collect()
    }
}

impl IntoIterator for FeatureSet {
    type Item = Feature;
    type IntoIter = Features;

    fn into_iter(self) -> Features {
        self.iter()
    }
}

/// Iterator over the features of a set, see [`FeatureSet::iter`].
#[derive(Debug, Clone)]
#[must_use]
pub struct Features {
    left: FeatureSet,
}

impl Iterator for Features {
    type Item = Feature;

    fn next(&mut self) -> Option<Feature> {
        let feature = *Feature::ALL.get(self.left.0.trailing_zeros() as usize)?;
        self.left.remove(feature);
        Some(feature)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left.len(), Some(self.left.len()))
    }
}

impl ExactSizeIterator for Features {}
impl FusedIterator for Features {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn features_are_ordered_by_age_and_numbered_by_their_place() {
        assert!(Feature::ALL.is_sorted());
        assert!(Feature::ALL.is_sorted_by_key(|feature| feature.since()));
        assert!(Feature::ALL.iter().enumerate().all(|(index, &feature)| index == feature as usize));
        for &feature in Feature::ALL {
            assert_eq!(feature.as_str().parse(), Ok(feature));
        }
        assert!("Btf".parse::<Feature>().is_err());
    }

    #[test]
    fn a_version_has_what_came_with_it_or_before() {
        assert_eq!(FeatureSet::of(KernelVersion::new(4, 17)), FeatureSet::EMPTY);
        assert_eq!(FeatureSet::of(KernelVersion::new(5, 1)), FeatureSet::from([Feature::Btf, Feature::Func]));
        assert_eq!(FeatureSet::of(KernelVersion::new(99, 0)), FeatureSet::ALL);
        for &feature in Feature::ALL {
            let since = feature.since();
            assert!(FeatureSet::of(since).contains(feature));
            let before = match since.minor().checked_sub(1) {
                Some(minor) => KernelVersion::new(since.major(), minor).with_patch(999),
                None => KernelVersion::new(since.major() - 1, 999),
            };
            assert!(!FeatureSet::of(before).contains(feature), "{feature}");
        }
    }

    #[test]
    fn sets_hold_what_was_put_in() {
        for bits in 0..1u32 << Feature::ALL.len() {
            let set: FeatureSet = Feature::ALL.iter().copied().filter(|f| bits >> *f as u32 & 1 != 0).collect();
            assert_eq!(set.len(), bits.count_ones() as usize);
            assert_eq!(set.iter().collect::<FeatureSet>(), set);
            assert!(set.iter().is_sorted() && set.iter().len() == set.len());
        }
        let mut set = FeatureSet::from([Feature::Layout, Feature::Btf]);
        assert_eq!(format!("{set:?}"), "{Btf, Layout}");
        set.remove(Feature::Btf);
        set.remove(Feature::Btf);
        assert!(!set.is_empty() && !set.contains(Feature::Btf) && set.contains(Feature::Layout));
    }
}

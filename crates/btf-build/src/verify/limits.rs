//! Limits of each kernel version.
//!
//! Source: the history of `kernel/bpf/btf.c`. The rules for Linux 6.18 are
//! compared with that kernel; those for other versions are not verified.

use btf_types::{
    Kind,
    format::{Feature, FeatureSet, KernelVersion},
};

/// The rules that differ between kernels.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) features: FeatureSet,
    /// The bits of the info word that may be set.
    pub(crate) info_mask: u32,
    /// The largest kind that is known.
    pub(crate) max_kind: u8,
    /// Largest id of a type, and largest offset of a name.
    pub(crate) max_type_id: u32,
    pub(crate) max_name_off: u32,
    /// Maximum length of a name in bytes.
    pub(crate) name_len: usize,
    /// True if names are checked at all.
    pub(crate) checks_names: bool,
    /// True if identifiers may contain dots.
    pub(crate) dots: bool,
    /// True if FUNCs have a linkage.
    pub(crate) func_linkage: bool,
    /// Maximum number of bits of an INT.
    pub(crate) int_bits: u32,
    /// True if enums may have other sizes than 4 bytes.
    pub(crate) enum_sizes: bool,
    /// True if type tags must precede modifiers.
    pub(crate) tag_order: bool,
    /// True if structs are searched for `bpf_spin_lock` and other special
    /// types.
    pub(crate) special_fields: bool,
    /// The special types that are known, by age.
    pub(crate) rb_tree: bool,
    pub(crate) refcount: bool,
    pub(crate) res_spin_lock: bool,
    pub(crate) kptr: bool,
    /// These fields are also searched in nested structs and in arrays.
    pub(crate) nested_fields: bool,
}

/// The version that kinds 20 to 22 are expected with.
pub(crate) const LOCATIONS: KernelVersion = KernelVersion::new(7, 4);

/// The version whose rules are compared with a real kernel in the tests.
pub(super) const PROVED: KernelVersion = KernelVersion::new(6, 18);

impl Limits {
    /// The rules of the oldest version that these features can be of: what was
    /// taken back to an older one does not make it a newer one.
    pub(crate) fn of_features(features: FeatureSet) -> Self {
        let without_gap = Feature::ALL.iter().take_while(|feature| features.contains(**feature));
        let version = without_gap.last().map_or(KernelVersion::new(4, 18), |feature| feature.since());
        Self::new(version, features)
    }

    /// The rules of a version that has these features, which may be more than
    /// the version came with.
    pub(crate) fn new(version: KernelVersion, features: FeatureSet) -> Self {
        let since = |major, minor| version >= KernelVersion::new(major, minor);
        let has = |feature| features.contains(feature);
        let max_kind = if version >= LOCATIONS {
            22
        } else if has(Feature::Enum64) {
            Kind::Enum64.number()
        } else if has(Feature::TypeTag) {
            Kind::TypeTag.number()
        } else if has(Feature::DeclTag) {
            Kind::DeclTag.number()
        } else if has(Feature::Float) {
            Kind::Float.number()
        } else if has(Feature::Datasec) {
            Kind::Datasec.number()
        } else if has(Feature::Func) {
            Kind::FuncProto.number()
        } else {
            Kind::Restrict.number()
        };
        let info_mask = match () {
            () if has(Feature::LargeVlen) => u32::MAX,
            () if has(Feature::Float) => 0x9f00_ffff,
            () if has(Feature::Func) => 0x8f00_ffff,
            () => 0x0f00_ffff,
        };
        // "bpf: Fix BTF limits", for BTF of the kernel itself.
        let is_large = since(5, 5);
        Self {
            features,
            info_mask,
            max_kind,
            max_type_id: if is_large { 0x000f_ffff } else { 0xffff },
            max_name_off: if is_large { 0x00ff_ffff } else { 0xffff },
            // "kallsyms: increase maximum kernel symbol length to 512".
            name_len: if since(6, 1) { 512 } else { 128 },
            // "bpf: btf: check name validity for various types".
            checks_names: has(Feature::Func),
            // "bpf/btf: Accept function names that contain dots".
            dots: since(6, 4),
            func_linkage: has(Feature::FuncLinkage),
            // "bpf: btf: support 128 bit integer type".
            int_bits: if since(5, 0) { 128 } else { 64 },
            // "bpf: Fix BTF verification of enums with 1, 2 and 8 bytes".
            enum_sizes: is_large,
            // "bpf: Ensure type tags precede modifiers in BTF"; newer trees
            // check the length of the chain alone.
            tag_order: since(5, 18) && !since(7, 2),
            // "bpf: Recognize lock and list fields in allocated objects".
            special_fields: since(6, 2),
            rb_tree: since(6, 3),
            refcount: since(6, 4),
            res_spin_lock: since(6, 15),
            kptr: since(6, 12),
            // "bpf: create repeated fields for arrays" and what follows it.
            nested_fields: since(6, 11),
        }
    }

    /// Bytes of the header that the kernel knows.
    pub(crate) fn header_size(&self) -> usize {
        if self.features.contains(Feature::Layout) { 32 } else { 24 }
    }
}

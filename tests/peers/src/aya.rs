//! aya-obj, which opens BTF and finds an id by name. Its API gives no other access
//! to types.

use std::path::Path;

use aya_obj::btf::{Btf, BtfKind};

use crate::measure::Peer;

/// BTF parsed by aya.
pub struct Aya(Btf);

impl Peer for Aya {
    fn open_file(path: &Path) -> Self {
        Self(Btf::parse_file(path, Default::default()).expect("it is sound"))
    }

    fn find(&self, names: &[&str]) -> Option<u64> {
        let id = |name: &str| self.0.id_by_type_name_kind(name, BtfKind::Struct).map_or(0, u64::from);
        Some(names.iter().map(|name| id(name)).sum())
    }

    fn open_bytes(bytes: Vec<u8>) -> Option<Self> {
        Btf::parse(&bytes, Default::default()).ok().map(Self)
    }
}

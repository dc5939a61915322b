//! aya-obj, which opens BTF and finds an id by name; a caller cannot get at
//! more of the types.

use std::path::Path;

use aya_obj::btf::Btf;

use crate::measure::Peer;

/// Its parsed BTF.
pub struct Aya(#[expect(dead_code, reason = "held, to be dropped when the others are")] Btf);

impl Peer for Aya {
    fn open_file(path: &Path) -> Self {
        Self(Btf::parse_file(path, Default::default()).expect("it is sound"))
    }

    fn open_bytes(bytes: Vec<u8>) -> Option<Self> {
        Btf::parse(&bytes, Default::default()).ok().map(Self)
    }
}

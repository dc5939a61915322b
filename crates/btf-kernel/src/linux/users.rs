//! BPF programs and maps in the kernel, with the ids of their BTF.

use super::{loaded, syscall};
use crate::{BpfObjectKind, BtfUser, Error};

impl BtfUser {
    /// Iterates over all programs in the kernel, by ascending id. Those that
    /// disappear meanwhile are skipped.
    ///
    /// # Errors
    ///
    /// [`Error::Permission`] without CAP_SYS_ADMIN; [`Error::System`].
    pub fn programs() -> impl Iterator<Item = Result<Self, Error>> {
        loaded::each(BpfObjectKind::Program, |id| Self::by_id(BpfObjectKind::Program, id))
    }

    /// Iterates over all maps in the kernel, by ascending id. Those that
    /// disappear meanwhile are skipped.
    ///
    /// # Errors
    ///
    /// Those of [`BtfUser::programs`].
    pub fn maps() -> impl Iterator<Item = Result<Self, Error>> {
        loaded::each(BpfObjectKind::Map, |id| Self::by_id(BpfObjectKind::Map, id))
    }

    /// Returns the program with this id.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchId`]; those of [`BtfUser::programs`].
    pub fn program(id: u32) -> Result<Self, Error> {
        Self::by_id(BpfObjectKind::Program, id)
    }

    /// Returns the map with this id.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchId`]; those of [`BtfUser::programs`].
    pub fn map(id: u32) -> Result<Self, Error> {
        Self::by_id(BpfObjectKind::Map, id)
    }

    fn by_id(kind: BpfObjectKind, id: u32) -> Result<Self, Error> {
        let info = syscall::info(kind, id).map_err(|error| loaded::of_id(kind, id, error))?;
        // Offsets in `struct bpf_prog_info` and `struct bpf_map_info`.
        let (name, btf_id, attach_btf_id) = match kind {
            BpfObjectKind::Map => (24, 64, 76),
            BpfObjectKind::Program | BpfObjectKind::Btf => (64, 128, 220),
        };
        let name = info.get(name..).unwrap_or_default().iter().copied().take(16).take_while(|&byte| byte != 0);
        let id_at = |offset: usize| {
            let bytes = info.get(offset..).and_then(<[u8]>::first_chunk);
            bytes.map(|&bytes| u32::from_ne_bytes(bytes)).filter(|&id| id != 0)
        };
        Ok(Self {
            kind,
            id,
            name: String::from_utf8_lossy(&name.collect::<Vec<u8>>()).into_owned(),
            btf_id: id_at(btf_id),
            attach_btf_id: id_at(attach_btf_id),
        })
    }
}

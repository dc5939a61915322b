//! Descriptions of BTF, programs and maps in the kernel, as plain data.

use std::fmt;

/// Kind of an object in the kernel that has an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BpfObjectKind {
    /// BTF.
    Btf,
    /// BPF program.
    Program,
    /// BPF map.
    Map,
}

impl fmt::Display for BpfObjectKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Btf => "BTF",
            Self::Program => "BPF program",
            Self::Map => "BPF map",
        })
    }
}

/// Description of BTF in the kernel.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct LoadedInfo {
    /// Id of the BTF.
    pub id: u32,
    /// Name of the kernel's BTF (`vmlinux`), or of the module; empty for loaded
    /// BTF.
    pub name: String,
    /// Size of the BTF in **bytes**.
    pub size: u32,
    /// `true` for the BTF of the kernel or of a module, `false` for loaded BTF.
    pub is_kernel: bool,
}

/// BPF program or map in the kernel, with the ids of its BTF.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct BtfUser {
    /// Kind of the object: program or map.
    pub kind: BpfObjectKind,
    /// Id of the program or map.
    pub id: u32,
    /// Name of the program or map, truncated to 15 bytes; often empty.
    pub name: String,
    /// Id of the BTF with which it was loaded.
    pub btf_id: Option<u32>,
    /// Id of the kernel's or module's BTF that contains the attach target of a
    /// program, or the struct_ops of a map.
    pub attach_btf_id: Option<u32>,
}

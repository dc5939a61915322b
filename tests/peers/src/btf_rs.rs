//! btf-rs, used through its documented API, with both of its backends.

use std::path::Path;

use btf_rs::{Backend, Btf, Type};
use fallible_iterator::FallibleIterator;

use crate::measure::Peer;

/// BTF with one of the two backends.
pub struct Backed<const MAPPED: bool>(Btf);

/// Backend that decodes all types on opening.
pub type Cache = Backed<false>;

/// Backend that decodes types from the mapped file on demand.
pub type Mmap = Backed<true>;

impl<const MAPPED: bool> Peer for Backed<MAPPED> {
    fn open_file(path: &Path) -> Self {
        let backend = if MAPPED { Backend::Mmap } else { Backend::Cache };
        Self(Btf::from_file_with_backend(path, backend).expect("it is sound"))
    }

    fn open_bytes(bytes: Vec<u8>) -> Option<Self> {
        // Bytes in memory cannot be mapped.
        if MAPPED { None } else { Btf::from_bytes(&bytes).ok().map(Self) }
    }

    fn open_split(&self, bytes: Vec<u8>) -> Option<Self> {
        Btf::from_split_bytes(&bytes, &self.0).ok().map(Self)
    }

    fn find(&self, names: &[&str]) -> Option<u64> {
        Some(find(&self.0, names))
    }

    fn matching(&self, regex: &str) -> Option<u64> {
        Some(matching(&self.0, regex))
    }

    fn by_id(&self, ids: &[u32]) -> Option<u64> {
        Some(by_id(&self.0, ids))
    }

    fn types(&self) -> Option<u64> {
        Some(types(&self.0))
    }

    fn names(&self) -> Option<u64> {
        Some(names(&self.0))
    }

    fn members(&self) -> Option<u64> {
        Some(members(&self.0))
    }

    fn protos(&self) -> Option<u64> {
        Some(protos(&self.0))
    }
}

/// Returns the sum of all ids with these names.
fn find(btf: &Btf, names: &[&str]) -> u64 {
    let id = |name: &str| btf.resolve_ids_by_name(name).map_or(0, |ids| ids.into_iter().map(u64::from).sum());
    names.iter().map(|name| -> u64 { id(name) }).sum()
}

fn matching(btf: &Btf, regex: &str) -> u64 {
    let regex = regex::Regex::new(regex).expect("it is one");
    btf.resolve_ids_by_regex(&regex).map_or(0, |ids| ids.into_iter().map(u64::from).sum())
}

fn by_id(btf: &Btf, ids: &[u32]) -> u64 {
    let one = |id| match btf.resolve_type_by_id(id).expect("it exists") {
        Type::Struct(s) => s.size() as u64,
        _ => 1,
    };
    ids.iter().map(|&id| one(id)).sum()
}

fn number(ty: &Type) -> u64 {
    match ty {
        Type::Void => 0,
        Type::Int(_) => 1,
        Type::Ptr(_) => 2,
        Type::Array(_) => 3,
        Type::Struct(_) => 4,
        Type::Union(_) => 5,
        Type::Enum(_) => 6,
        Type::Fwd(_) => 7,
        Type::Typedef(_) => 8,
        Type::Volatile(_) => 9,
        Type::Const(_) => 10,
        Type::Restrict(_) => 11,
        Type::Func(_) => 12,
        Type::FuncProto(_) => 13,
        Type::Var(_) => 14,
        Type::Datasec(_) => 15,
        Type::Float(_) => 16,
        Type::DeclTag(_) => 17,
        Type::TypeTag(_) => 18,
        Type::Enum64(_) => 19,
        _ => u64::MAX,
    }
}

fn types(btf: &Btf) -> u64 {
    btf.type_iter().iterator().flatten().map(|ty| number(&ty)).sum()
}

fn names(btf: &Btf) -> u64 {
    let of = |ty: Type| match ty.as_btf_type() {
        Some(ty) => btf.resolve_name(ty).map_or(0, |name| name.len() as u64),
        None => 0,
    };
    btf.type_iter().iterator().flatten().map(of).sum()
}

fn members(btf: &Btf) -> u64 {
    let of = |ty| match ty {
        Type::Struct(s) | Type::Union(s) => s.members.iter().map(|member| u64::from(member.bit_offset())).sum(),
        _ => 0,
    };
    btf.type_iter().iterator().flatten().map(of).sum::<u64>()
}

fn protos(btf: &Btf) -> u64 {
    let of = |ty| match ty {
        Type::Func(func) => match btf.resolve_chained_type(&func) {
            Ok(Type::FuncProto(proto)) => proto.parameters.len() as u64,
            _ => 0,
        },
        _ => 0,
    };
    btf.type_iter().iterator().flatten().map(of).sum()
}

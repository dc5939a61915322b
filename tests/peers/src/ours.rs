//! This workspace.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use btf_types::{Btf, Struct, Type};
use bytes::Bytes;

use crate::{floor, measure::Peer};

/// A [`Btf`].
pub struct Ours(Btf);

impl Peer for Ours {
    fn open_file(path: &Path) -> Self {
        Self(Btf::parse(Bytes::from_owner(floor::map(path))).expect("it is sound"))
    }

    fn open_bytes(bytes: Vec<u8>) -> Option<Self> {
        Btf::parse(bytes).ok().map(Self)
    }

    fn open_split(&self, bytes: Vec<u8>) -> Option<Self> {
        Btf::parse_split(bytes, &self.0).ok().map(Self)
    }

    fn find(&self, names: &[&str]) -> Option<u64> {
        Some(names.iter().map(|name| self.0.find::<Struct<'_>>(name).map_or(0, |s| u64::from(s.id()))).sum())
    }

    fn find_none(&self, names: &[&str]) -> Option<u64> {
        // `find` would allocate an error with the name.
        Some(names.iter().map(|name| self.0.find_first::<Struct<'_>>(name).map_or(0, |s| u64::from(s.id()))).sum())
    }

    fn make_index(&self) -> Option<Duration> {
        let fresh = Btf::parse(self.0.as_bytes().to_vec()).ok()?;
        let start = Instant::now();
        let _ = fresh.find::<Struct<'_>>("nothing");
        Some(start.elapsed())
    }

    fn find_all(&self, names: &[&str]) -> Option<u64> {
        Some(names.iter().flat_map(|name| self.0.find_all::<Type<'_>>(name)).map(|ty| u64::from(ty.id())).sum())
    }

    fn find_flavors(&self, names: &[&str]) -> Option<u64> {
        Some(names.iter().flat_map(|name| self.0.find_flavors::<Type<'_>>(name)).map(|ty| u64::from(ty.id())).sum())
    }

    fn matching(&self, regex: &str) -> Option<u64> {
        let regex = regex::bytes::Regex::new(regex).expect("it is one");
        Some(self.0.find_matching(&regex).map(|ty| u64::from(ty.id())).sum())
    }

    fn by_id(&self, ids: &[u32]) -> Option<u64> {
        let one = |id: u32| match self.0.type_by_id(id).expect("it exists") {
            Type::Struct(s) => u64::from(s.size()),
            _ => 1,
        };
        Some(ids.iter().map(|&id| one(id)).sum())
    }

    fn types(&self) -> Option<u64> {
        Some(self.0.types().map(number).sum())
    }

    fn names(&self) -> Option<u64> {
        Some(self.0.types().map(|ty| ty.name().as_bytes().len() as u64).sum())
    }

    fn members(&self) -> Option<u64> {
        let of = |ty| match ty {
            Type::Struct(s) => s.members().map(|member| u64::from(member.bit_offset())).sum(),
            Type::Union(u) => u.members().map(|member| u64::from(member.bit_offset())).sum(),
            _ => 0,
        };
        Some(self.0.types().map(of).sum::<u64>())
    }

    fn protos(&self) -> Option<u64> {
        let of = |ty| match ty {
            Type::Func(func) => func.proto().params().len() as u64,
            _ => 0,
        };
        Some(self.0.types().map(of).sum())
    }
}

fn number(ty: Type<'_>) -> u64 {
    ty.kind().map_or(0, |kind| kind.number().into())
}

//! Maps of a BPF object, defined in `.maps`.
//!
//! A definition is a variable of a struct type. The *types* of the members hold
//! all values: `__uint(max_entries, 64)` is a pointer to an array of 64,
//! `__type(key, struct k)` a pointer to the key type, `__ulong` an enum with
//! the value, and `__array(values, ...)` an array of pointers to the type that
//! the map holds.
//!
//! Source: `parse_btf_map_def` in `tools/lib/bpf/libbpf.c`. libbpf rejects
//! static maps; here they are returned like any other, with the linkage of
//! [`Map::var`].

use std::{
    collections::{HashMap, hash_map::Entry},
    fmt,
    str::FromStr,
    sync::Arc,
};

use btf_types::{Linkage, Member, Name, OwnedName, Struct, Type, Var};

use crate::{
    BpfObject, Error, MapFault, Relocation, Relocations, Symbol,
    elf::strings::{short, short_name},
};

/// Definition of a map.
///
/// ```
/// # fn main() -> Result<(), btf_elf::Error> {
/// use btf_elf::{BpfObject, Pinning};
///
/// let object = BpfObject::open("doc/probe.bpf.o")?;
/// let map = &object.maps()?[0];
/// assert_eq!((map.key_size(), map.value_size(), map.max_entries()), (4, 8, 1024));
/// assert_eq!(map.key().unwrap().to_string(), "struct key");
/// assert_eq!((map.pinning(), map.holds().is_none()), (Pinning::None, true));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Map<'obj> {
    definition: Arc<Definition<'obj>>,
    origin: Origin<'obj>,
    offset: u32,
    values: Box<[MapValue<'obj>]>,
}

/// Origin of a map: a variable, or a member of another map's definition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Origin<'obj> {
    Var(Var<'obj>),
    Member(Member<'obj>),
}

/// Properties of all maps defined by one struct.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Definition<'obj> {
    of: Struct<'obj>,
    map_type: Option<u32>,
    max_entries: u32,
    flags: u32,
    extra: u64,
    numa_node: Option<u32>,
    key: Side<'obj>,
    value: Side<'obj>,
    pinning: Pinning,
    holds: Option<Holds<'obj>>,
    /// The offset of the member `values` in **bytes**.
    values_at: Option<u32>,
}

/// Key or value of a map.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
struct Side<'obj> {
    ty: Option<Type<'obj>>,
    size: Option<u32>,
}

/// Maps or programs that a map holds.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Holds<'obj> {
    /// Maps, all with this definition.
    Maps(Box<Map<'obj>>),
    /// Programs.
    Programs,
}

/// Initial value of a map of maps or programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct MapValue<'obj> {
    index: u32,
    relocation: Relocation<'obj>,
}

impl<'obj> MapValue<'obj> {
    /// Index in the map.
    #[must_use]
    pub fn index(self) -> u32 {
        self.index
    }

    /// Name of the map or program.
    #[must_use]
    pub fn name(self) -> Name<'obj> {
        self.relocation.name()
    }

    /// Symbol of the map or program.
    #[must_use]
    pub fn symbol(self) -> Symbol<'obj> {
        self.relocation.symbol()
    }
}

/// Pinning of a map in the BPF file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Pinning {
    /// Not pinned.
    #[default]
    None,
    /// Pinned under the name of the map.
    ByName,
}

impl Pinning {
    /// The name in the definition of a map: `none` or `by_name`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::ByName => "by_name",
        }
    }
}

impl fmt::Display for Pinning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl<'obj> Map<'obj> {
    /// Name of the map.
    #[must_use]
    pub fn name(&self) -> Name<'obj> {
        match self.origin {
            Origin::Var(var) => var.name(),
            Origin::Member(member) => member.name(),
        }
    }

    /// The variable that defines the map; `None` for an inner map.
    #[must_use]
    pub fn var(&self) -> Option<Var<'obj>> {
        match self.origin {
            Origin::Var(var) => Some(var),
            Origin::Member(_) => None,
        }
    }

    /// The struct that defines the map.
    #[must_use]
    pub fn definition(&self) -> Struct<'obj> {
        self.definition.of
    }

    /// Offset of the variable in `.maps` in **bytes**. Relocations refer to it.
    #[must_use]
    pub fn offset(&self) -> u32 {
        self.offset
    }

    /// Type of the map. A loader may supply a missing one.
    #[must_use]
    pub fn map_type(&self) -> Option<MapType> {
        self.definition.map_type.map(MapType)
    }

    /// Maximum number of entries; 0 if not specified.
    #[must_use]
    pub fn max_entries(&self) -> u32 {
        self.definition.max_entries
    }

    /// Flags (`map_flags`), bits of `BPF_F_*`.
    #[must_use]
    pub fn flags(&self) -> u32 {
        self.definition.flags
    }

    /// Extra value (`map_extra`), whose meaning depends on the type.
    #[must_use]
    pub fn extra(&self) -> u64 {
        self.definition.extra
    }

    /// NUMA node of the map.
    #[must_use]
    pub fn numa_node(&self) -> Option<u32> {
        self.definition.numa_node
    }

    /// Type of the key, unless the definition gives only a size.
    #[must_use]
    pub fn key(&self) -> Option<Type<'obj>> {
        self.definition.key.ty
    }

    /// Size of the key in **bytes**.
    #[must_use]
    pub fn key_size(&self) -> u32 {
        self.definition.key.size.unwrap_or(0)
    }

    /// Type of the value, unless the definition gives only a size.
    #[must_use]
    pub fn value(&self) -> Option<Type<'obj>> {
        self.definition.value.ty
    }

    /// Size of the value in **bytes**.
    #[must_use]
    pub fn value_size(&self) -> u32 {
        self.definition.value.size.unwrap_or(0)
    }

    /// Pinning of the map.
    #[must_use]
    pub fn pinning(&self) -> Pinning {
        self.definition.pinning
    }

    /// Maps or programs that the map holds.
    #[must_use]
    pub fn holds(&self) -> Option<&Holds<'obj>> {
        self.definition.holds.as_ref()
    }

    /// Initial values, by ascending index.
    #[must_use]
    pub fn values(&self) -> &[MapValue<'obj>] {
        &self.values
    }
}

/// Returns all maps of an object, by ascending offset.
pub(crate) fn all(object: &BpfObject) -> Result<Vec<Map<'_>>, Error> {
    let elf = object.elf();
    let is_legacy = |name: &str| elf.section(name).is_some_and(|section| section.size() > 0);
    if is_legacy("maps") {
        return Err(Error::LegacyMaps);
    }
    let Some(datasec) = object.data_section(".maps") else { return Ok(Vec::new()) };
    let variables = datasec.variables()?;
    let Some(section) = elf.section(".maps") else { return Ok(Vec::new()) };
    let relocations = section.relocations()?;
    let mut maps: Vec<Map<'_>> = Vec::with_capacity(variables.len());
    let mut end = 0;
    // A definition is parsed once, however many variables share it: a million
    // variables could share a struct with a million members.
    let mut definitions: HashMap<u32, Arc<Definition<'_>>> = HashMap::new();
    for entry in variables {
        let Type::Var(var) = entry.ty() else { continue };
        let fault = |fault| Error::Map { map: short_name(var.into()), fault };
        if !matches!(var.linkage(), Linkage::Static | Linkage::Global) {
            return Err(fault(MapFault::Linkage(var.linkage())));
        }
        let (offset, size) = (entry.offset(), entry.size());
        if u64::from(offset) + u64::from(size) > section.size() {
            return Err(fault(MapFault::Outside { offset, size, section: section.size() }));
        }
        // Empty maps are checked too: a million of them could share an offset.
        if let Some(before) = maps.last().filter(|last| u64::from(offset) < end || offset == last.offset) {
            return Err(fault(MapFault::Overlaps(before.short_name())));
        }
        end = u64::from(offset) + u64::from(size);
        let definition = match definitions.entry(var.ty().peel_modifiers().id()) {
            Entry::Occupied(known) => Arc::clone(known.get()),
            Entry::Vacant(vacant) => {
                Arc::clone(vacant.insert(Arc::new(Definition::parse(var.ty(), Depth::Outer).map_err(fault)?)))
            }
        };
        let expected = definition.of.size();
        if size < expected {
            return Err(fault(MapFault::Truncated { found: size, expected }));
        }
        let values = values(&definition, offset, size, &relocations);
        maps.push(Map { definition, origin: Origin::Var(var), offset, values });
    }
    Ok(maps)
}

impl Map<'_> {
    fn short_name(&self) -> OwnedName {
        self.var().map_or_else(|| Name::EMPTY.into(), |var| short_name(var.into()))
    }
}

/// Nesting of a definition.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Depth {
    Outer,
    Inner,
}

/// Maximum number of members of a definition.
const FIELDS: usize = 11;

impl<'obj> Definition<'obj> {
    fn parse(ty: Type<'obj>, depth: Depth) -> Result<Self, MapFault> {
        let Type::Struct(of) = ty.peel_modifiers() else { return Err(MapFault::NotAStruct { ty: ty.into() }) };
        let mut map = Self {
            of,
            map_type: None,
            max_entries: 0,
            flags: 0,
            extra: 0,
            numa_node: None,
            key: Side::default(),
            value: Side::default(),
            pinning: Pinning::None,
            holds: None,
            values_at: None,
        };
        let found = of.members().len();
        if found > FIELDS {
            return Err(MapFault::TooManyFields { found, limit: FIELDS });
        }
        for member in of.members() {
            match member.name().as_bytes() {
                b"type" => map.map_type = Some(number("type", member)?),
                b"max_entries" => map.max_entries = number("max_entries", member)?,
                b"map_flags" => map.flags = number("map_flags", member)?,
                b"numa_node" => map.numa_node = Some(number("numa_node", member)?),
                b"map_extra" => map.extra = long("map_extra", member)?,
                b"key_size" => map.key.set_size("key_size", number::<u32>("key_size", member)?.into())?,
                b"key" => map.key.set_type("key", member)?,
                b"value_size" => map.value.set_size("value_size", number::<u32>("value_size", member)?.into())?,
                b"value" => map.value.set_type("value", member)?,
                b"values" if depth == Depth::Inner => return Err(MapFault::Inner("holds maps itself")),
                b"values" => {
                    map.holds = Some(held(&map, member)?);
                    map.values_at = Some(member.bit_offset() / 8);
                    map.value.set_size("values", 4)?;
                }
                b"pinning" if depth == Depth::Inner => return Err(MapFault::Inner("is pinned")),
                b"pinning" => {
                    map.pinning = match number("pinning", member)? {
                        0 => Pinning::None,
                        1 => Pinning::ByName,
                        other => return Err(MapFault::Pinning(other)),
                    }
                }
                _ => return Err(MapFault::UnknownField(short(member.name()))),
            }
        }
        match map.map_type {
            None if depth == Depth::Outer => Err(MapFault::NoType),
            _ => Ok(map),
        }
    }
}

impl<'obj> Side<'obj> {
    fn set_size(&mut self, field: &'static str, size: u64) -> Result<(), MapFault> {
        match self.size {
            Some(expected) if u64::from(expected) != size => {
                Err(MapFault::Sizes { field, found: size, expected: expected.into() })
            }
            _ => {
                self.size = u32::try_from(size).ok();
                Ok(())
            }
        }
    }

    fn set_type(&mut self, field: &'static str, member: Member<'obj>) -> Result<(), MapFault> {
        let fault = |ty: Type<'_>, expected| MapFault::Field { field, ty: ty.into(), expected };
        let Type::Ptr(ptr) = member.ty() else { return Err(fault(member.ty(), "a pointer to a type")) };
        let ty = ptr.target();
        let size = ty.size_of().ok().filter(|&size| size <= u32::MAX.into());
        let size = size.ok_or_else(|| fault(ty, "a type that has a size"))?;
        self.set_size(field, size)?;
        self.ty = Some(ty);
        Ok(())
    }
}

/// Reads `__uint(field, number)`: a pointer to an array.
fn number<T: TryFrom<u32>>(field: &'static str, member: Member<'_>) -> Result<T, MapFault> {
    let fault = || MapFault::Field { field, ty: member.ty().into(), expected: "a pointer to an array" };
    let Type::Ptr(ptr) = member.ty().peel_modifiers() else { return Err(fault()) };
    let Type::Array(array) = ptr.target() else { return Err(fault()) };
    T::try_from(array.nelems()).map_err(|_| fault())
}

/// Reads `__ulong(field, number)`: an enum with one value, or a pointer to an
/// array.
fn long(field: &'static str, member: Member<'_>) -> Result<u64, MapFault> {
    let only = |mut values: btf_types::EnumValues<'_>| match (values.next(), values.next()) {
        (Some(value), None) => Some(value.value() as u64),
        _ => None,
    };
    let value = match member.ty().peel_modifiers() {
        Type::Enum(e) => only(e.values()),
        Type::Enum64(e) => only(e.values()),
        _ => return number(field, member),
    };
    value.ok_or_else(|| MapFault::Field { field, ty: member.ty().into(), expected: "an enum with one value" })
}

/// Reads `__array(values, ...)`: an array, without a number of elements, of
/// pointers to the type that the map holds.
fn held<'obj>(map: &Definition<'obj>, member: Member<'obj>) -> Result<Holds<'obj>, MapFault> {
    let map_type = MapType(map.map_type.unwrap_or(0));
    let fault = |ty: Type<'_>, expected| MapFault::Field { field: "values", ty: ty.into(), expected };
    let Type::Array(array) = member.ty() else {
        return Err(fault(member.ty(), "an array of pointers"));
    };
    let Type::Ptr(ptr) = array.element().peel_modifiers() else {
        return Err(fault(array.element(), "a pointer"));
    };
    match map_type {
        MapType::ARRAY_OF_MAPS | MapType::HASH_OF_MAPS => {
            let definition = Definition::parse(ptr.target(), Depth::Inner)?.into();
            let origin = Origin::Member(member);
            Ok(Holds::Maps(Map { definition, origin, offset: 0, values: Box::default() }.into()))
        }
        MapType::PROG_ARRAY => match ptr.target().peel_modifiers() {
            Type::FuncProto(_) => Ok(Holds::Programs),
            other => Err(fault(other, "a function")),
        },
        other => Err(MapFault::ValuesOf(other)),
    }
}

/// Returns the initial values of a map, which are relocations of `.maps`.
fn values<'obj>(
    definition: &Definition<'obj>,
    offset: u32,
    size: u32,
    relocations: &Relocations<'obj>,
) -> Box<[MapValue<'obj>]> {
    let Some(values_at) = definition.values_at else { return Box::default() };
    let start = u64::from(offset) + u64::from(values_at);
    let those = relocations.within(start..u64::from(offset) + u64::from(size));
    those.map(|relocation| MapValue { index: ((relocation.offset() - start) / 8) as u32, relocation }).collect()
}

/// Type of a map: a number of `enum bpf_map_type` in
/// `include/uapi/linux/bpf.h`.
///
/// ```
/// # fn main() -> Result<(), btf_elf::Error> {
/// use btf_elf::MapType;
///
/// assert_eq!(MapType(1).name(), Some("hash"));
/// assert_eq!(MapType::PROG_ARRAY.to_string(), "prog_array");
/// assert_eq!(MapType(4096).name(), None);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MapType(pub u32);

impl MapType {
    /// `BPF_MAP_TYPE_PROG_ARRAY`, which holds programs.
    pub const PROG_ARRAY: Self = Self(3);
    /// `BPF_MAP_TYPE_ARRAY_OF_MAPS`.
    pub const ARRAY_OF_MAPS: Self = Self(12);
    /// `BPF_MAP_TYPE_HASH_OF_MAPS`.
    pub const HASH_OF_MAPS: Self = Self(13);

    const NAMES: [&'static str; 35] = [
        "unspec",
        "hash",
        "array",
        "prog_array",
        "perf_event_array",
        "percpu_hash",
        "percpu_array",
        "stack_trace",
        "cgroup_array",
        "lru_hash",
        "lru_percpu_hash",
        "lpm_trie",
        "array_of_maps",
        "hash_of_maps",
        "devmap",
        "sockmap",
        "cpumap",
        "xskmap",
        "sockhash",
        "cgroup_storage",
        "reuseport_sockarray",
        "percpu_cgroup_storage",
        "queue",
        "stack",
        "sk_storage",
        "devmap_hash",
        "struct_ops",
        "ringbuf",
        "inode_storage",
        "task_storage",
        "bloom_filter",
        "user_ringbuf",
        "cgrp_storage",
        "arena",
        "insn_array",
    ];

    /// Name in bpftool; `None` if the type is newer than this library.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        Self::NAMES.get(self.0 as usize).copied()
    }
}

impl fmt::Display for MapType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.pad(name),
            None => f.pad_integral(true, "", &self.0.to_string()),
        }
    }
}

impl FromStr for MapType {
    type Err = Error;

    /// Reads a name as [`MapType::name`] gives it, in upper or lower case, with or
    /// without the prefix `BPF_MAP_TYPE_`; or a number.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownMapType`] if no type of map has this name.
    fn from_str(s: &str) -> Result<Self, Error> {
        const PREFIX: &str = "BPF_MAP_TYPE_";
        let bare = match s.split_at_checked(PREFIX.len()) {
            Some((prefix, bare)) if prefix.eq_ignore_ascii_case(PREFIX) => bare,
            _ => s,
        };
        let by_name = Self::NAMES.iter().position(|name| name.eq_ignore_ascii_case(bare)).map(|number| number as u32);
        // `parse` alone would also accept a sign.
        let by_number = || s.bytes().all(|byte| byte.is_ascii_digit()).then(|| s.parse().ok()).flatten();
        by_name.or_else(by_number).map(Self).ok_or_else(|| Error::UnknownMapType { name: s.into() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_of_maps_parse_back() {
        for number in (0..=40).chain([u32::MAX]) {
            let map_type = MapType(number);
            assert_eq!(map_type.to_string().parse::<MapType>().unwrap(), map_type);
        }
        assert_eq!("BPF_MAP_TYPE_PROG_ARRAY".parse::<MapType>().unwrap(), MapType::PROG_ARRAY);
        assert_eq!("bpf_map_type_hash_of_maps".parse::<MapType>().unwrap(), MapType::HASH_OF_MAPS);
        for no in ["", "BPF_MAP_TYPE_", "arrays", "-1", "+1", "4294967296", "BPF_MAP_TYPE_1", "BPF_MAP_TYP\u{e9}"] {
            assert!(matches!(no.parse::<MapType>(), Err(Error::UnknownMapType { name }) if &*name == no), "{no}");
        }
    }
}

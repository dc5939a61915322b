//! Types in flat arrays: their shapes and references.
//!
//! The shape of a type is its record without the ids: types of the same shape
//! are equal if their references are. Records are copied with equal names
//! replaced by the first one and ids by 0, so that the bytes of equal shapes
//! are equal.

use btf_types::{
    Btf, Kind,
    format::{Layout, Record, TypeRecord, Word},
};

use super::names::Names;
use crate::{
    Error,
    hash_table::{Hash, Table},
    layers::{Layers, own_layout, own_records_of},
};

/// Role of a type in deduplication.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// Has no references: equal to all types of the same shape.
    Leaf,
    /// STRUCT, UNION, TYPEDEF: every cycle that a language allows contains one.
    /// References in other cycles are treated as composites too.
    Composite,
    /// Any other type with references. There is no cycle of these alone.
    Reference,
    /// VAR, DATASEC, LOCSEC, and `void`: equal only to itself.
    Unique,
}

/// The types of a BTF and of the layers below.
#[derive(Debug)]
pub(super) struct Graph {
    /// The first own id.
    pub(super) first_own: u32,
    /// Room for the header of the result, and the records of all layers.
    records: Vec<u8>,
    /// Of each type, and of the end.
    starts: Vec<Start>,
    roles: Vec<Role>,
    shapes: Vec<u32>,
    children: Vec<u32>,
}

/// Start of the data of a type.
#[derive(Debug, Clone, Copy)]
struct Start {
    record: u32,
    child: u32,
}

impl Graph {
    pub(super) fn new(btf: &Btf, names: &mut Names, hash: &Hash) -> Result<Self, Error> {
        let count = btf.type_count() as usize;
        let mut graph = Self {
            first_own: btf.own_ids().start,
            records: Vec::new(),
            starts: Vec::with_capacity(count + 1),
            roles: Vec::with_capacity(count),
            shapes: Vec::with_capacity(count),
            children: Vec::new(),
        };
        let len: u64 = btf.layers().map(|layer| layer.type_section().len() as u64).sum();
        let room = btf.hdr_len();
        u32::try_from(u64::from(room) + len).map_err(|_| Error::TooLarge { what: "types" })?;
        graph.records.reserve_exact(room as usize + len as usize);
        graph.records.resize(room as usize, 0);
        graph.end();
        graph.roles.push(Role::Unique);
        let layers = Layers::new(btf);
        let mut layout = Layout::NONE;
        for (_, layer) in layers.iter() {
            if !own_layout(layer).is_empty() {
                layout = Layout::new(own_layout(layer));
            }
            graph.add_layer(layer, layout, names, hash)?;
        }
        graph.end();
        graph.find_shapes(hash);
        Ok(graph)
    }

    /// Notes where the next type begins.
    fn end(&mut self) {
        self.starts.push(Start { record: self.records.len() as u32, child: self.children.len() as u32 });
    }

    fn add_layer(&mut self, layer: &Btf, layout: Layout<'_>, names: &mut Names, hash: &Hash) -> Result<(), Error> {
        let start = self.records.len();
        layer.check_known_kinds()?;
        let mut end = Ok(());
        self.records.extend_from_slice(layer.as_bytes().get(layer.type_section()).unwrap_or_default());
        let mut rest = self.records.get_mut(start..).unwrap_or_default();
        let mut offset = start;
        for (_, record) in own_records_of(layer, layout) {
            let (copy, others) = std::mem::take(&mut rest).split_at_mut(record.as_bytes().len());
            rest = others;
            let before = self.children.len();
            self.starts.push(Start { record: offset as u32, child: before as u32 });
            offset += copy.len();
            record.for_each_field(|field, value| {
                let new = match field.holds {
                    Word::Id => {
                        self.children.push(value);
                        0
                    }
                    _ => names.first_equal(value, hash).unwrap_or_else(|error| {
                        end = Err(error);
                        0
                    }),
                };
                put(copy, field.at, new);
            });
            self.roles.push(role(&record, self.children.len() > before));
        }
        end
    }

    /// Finds the first type of each shape.
    fn find_shapes(&mut self, hash: &Hash) {
        let mut table = Table::with_capacity(self.count() as usize / 2);
        for id in 0..self.count() {
            let shape = if self.role(id) == Role::Unique { id } else { self.intern(&mut table, id, hash) };
            self.shapes.push(shape);
        }
    }

    fn intern(&self, table: &mut Table, id: u32, hash: &Hash) -> u32 {
        let record = self.record(id);
        let key = hash.of(record);
        table.reserve(1);
        match table.find(key, |other| self.record(other) == record) {
            Ok(first) => first,
            Err(slot) => {
                table.insert(slot, key, id);
                id
            }
        }
    }

    /// The number of types, `void` included.
    pub(super) fn count(&self) -> u32 {
        self.roles.len() as u32
    }

    /// Types and references.
    pub(super) fn size(&self) -> u64 {
        self.shapes.len() as u64 + self.children.len() as u64
    }

    /// Returns whether a type is of a layer below.
    pub(super) fn is_base(&self, id: u32) -> bool {
        id < self.first_own
    }

    pub(super) fn role(&self, id: u32) -> Role {
        self.roles.get(id as usize).copied().unwrap_or(Role::Unique)
    }

    /// Makes a type that refers to others a composite.
    pub(super) fn make_composite(&mut self, id: u32) {
        if let Some(role) = self.roles.get_mut(id as usize) {
            *role = Role::Composite;
        }
    }

    /// The first type of the same shape.
    #[inline]
    pub(super) fn shape(&self, id: u32) -> u32 {
        self.shapes.get(id as usize).copied().unwrap_or(id)
    }

    /// The ids in a record, in the order of their positions.
    #[inline]
    pub(super) fn children(&self, id: u32) -> &[u32] {
        let place = id as usize;
        match (self.starts.get(place), self.starts.get(place + 1)) {
            (Some(start), Some(end)) => self.children.get(start.child as usize..end.child as usize).unwrap_or_default(),
            _ => &[],
        }
    }

    /// The record of a type, its ids 0 and its names the first that are equal.
    pub(super) fn record(&self, id: u32) -> &[u8] {
        let place = id as usize;
        match (self.starts.get(place), self.starts.get(place + 1)) {
            (Some(start), Some(end)) => {
                self.records.get(start.record as usize..end.record as usize).unwrap_or_default()
            }
            _ => &[],
        }
    }

    /// Removes the records, and returns those of some types, in ascending order, behind
    /// room for a header.
    pub(super) fn take_records(&mut self, ids: &[u32]) -> Vec<u8> {
        let place = |id: u32| self.starts.get(id as usize).map_or(0, |start| start.record as usize);
        let mut records = std::mem::take(&mut self.records);
        let mut end = place(0);
        for ids in ids.chunk_by(|id, next| id + 1 == *next) {
            let (Some(&first), Some(&last)) = (ids.first(), ids.last()) else { continue };
            let run = place(first)..place(last + 1);
            if run.start != end {
                records.copy_within(run.clone(), end);
            }
            end += run.len();
        }
        records.truncate(end);
        records.shrink_to_fit();
        records
    }

    pub(super) fn head(&self, id: u32) -> Option<&TypeRecord> {
        TypeRecord::first(self.record(id))
    }

    /// The ids of own types.
    pub(super) fn own_ids(&self) -> std::ops::Range<u32> {
        self.first_own..self.count()
    }
}

/// Replaces a word.
#[inline]
fn put(record: &mut [u8], at: usize, value: u32) {
    if let Some(word) = record.get_mut(at..).and_then(<[u8]>::first_chunk_mut) {
        *word = value.to_ne_bytes();
    }
}

fn role(record: &Record<'_>, has_children: bool) -> Role {
    /// LOCSEC.
    const LOCSEC: u8 = 22;
    match record.kind() {
        Some(Kind::Var | Kind::Datasec) => Role::Unique,
        None if record.head().info().kind_number() == LOCSEC => Role::Unique,
        _ if !has_children => Role::Leaf,
        Some(Kind::Struct | Kind::Union | Kind::Typedef) => Role::Composite,
        _ => Role::Reference,
    }
}

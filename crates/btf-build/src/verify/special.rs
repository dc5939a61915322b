//! Special types: `bpf_spin_lock` and others with a meaning to the kernel, as
//! members of structs.
//!
//! If a struct contains one of them directly, kernels since 6.2 search it for
//! all of them, and reject the BTF if one is misplaced.

use std::collections::{HashMap, HashSet};

use btf_types::Kind;

use super::{
    id_set::IdSet,
    kinds::is_modifier,
    limits::Limits,
    meta::require,
    reject::{Reject, Rule},
    resolve::MAX_DEPTH,
    types::Types,
};
use crate::layers::terminated;

/// Maximum number of fields in a struct.
const MAX_FIELDS: usize = 11;
/// Prefix of the names of all special types.
const PREFIX: &[u8] = b"bpf_";
/// Prefix of the tag of a list or tree.
const CONTAINS: &[u8] = b"contains:";

/// A type with a meaning.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Special {
    SpinLock,
    ResSpinLock,
    ListHead,
    ListNode,
    RbRoot,
    RbNode,
    Refcount,
    Kptr,
}

impl Special {
    /// Those that are structs of a name.
    const NAMED: [(Self, &'static str); 7] = [
        (Self::SpinLock, "bpf_spin_lock"),
        (Self::ResSpinLock, "bpf_res_spin_lock"),
        (Self::ListHead, "bpf_list_head"),
        (Self::ListNode, "bpf_list_node"),
        (Self::RbRoot, "bpf_rb_root"),
        (Self::RbNode, "bpf_rb_node"),
        (Self::Refcount, "bpf_refcount"),
    ];

    /// Size in bytes.
    const fn size(self) -> u32 {
        match self {
            Self::SpinLock | Self::ResSpinLock | Self::Refcount => 4,
            Self::ListHead | Self::RbRoot => 16,
            Self::ListNode => 24,
            Self::RbNode => 32,
            Self::Kptr => 8,
        }
    }

    /// Alignment in bytes.
    const fn align(self) -> u32 {
        match self {
            Self::SpinLock | Self::ResSpinLock | Self::Refcount => 4,
            _ => 8,
        }
    }

    /// Returns whether a struct has at most one of it.
    const fn is_single(self) -> bool {
        matches!(self, Self::SpinLock | Self::ResSpinLock)
    }

    /// Returns whether it may be the element of an array with several, or in one.
    const fn may_repeat(self) -> bool {
        matches!(self, Self::ListHead | Self::RbRoot | Self::Kptr)
    }

    /// The node that a root contains.
    const fn node(self) -> Option<(Self, &'static str)> {
        match self {
            Self::ListHead => Some((Self::ListNode, "bpf_list_node")),
            Self::RbRoot => Some((Self::RbNode, "bpf_rb_node")),
            _ => None,
        }
    }
}

/// A field that was found; offset in bytes.
#[derive(Clone, Copy)]
struct Field<'a> {
    special: Special,
    offset: u32,
    root: Option<Root<'a>>,
}

/// Contents of a list or tree.
#[derive(Clone, Copy)]
struct Root<'a> {
    /// Id of the struct.
    contains: u32,
    /// Name of the member that is the node.
    member: &'a [u8],
}

/// A struct with fields.
struct Record<'a> {
    id: u32,
    fields: Vec<Field<'a>>,
}

/// Checks all structs.
pub(super) fn check(types: &Types<'_>) -> Result<(), Reject> {
    let mut finder = Finder::new(types);
    if finder.interesting.is_empty() {
        return Ok(());
    }
    let mut records = Vec::new();
    // Unions are searched only as members.
    for id in types.ids_of(|kind| kind == Kind::Struct) {
        if finder.has_special_member(id) {
            let fields = finder.record(id).map_err(|rule| types.reject(id, rule, None))?;
            records.push(Record { id, fields });
        }
    }
    for record in &records {
        check_owners(&records, record).map_err(|rule| types.reject(record.id, rule, None))?;
    }
    Ok(())
}

/// Returns whether a name begins like those of special types.
#[inline]
pub(super) fn has_prefix(name: &[u8]) -> bool {
    name.starts_with(PREFIX)
}

/// Returns whether a type is a struct; the kernel looks neither for nor into
/// unions.
fn is_struct(types: &Types<'_>, id: u32) -> bool {
    types.kind(id) == Some(Kind::Struct)
}

/// Returns the ids of types for which structs are searched: the first struct of each name,
/// and pointers with a kptr's tag.
fn interesting(types: &Types<'_>, known: &[(Special, &str)]) -> IdSet {
    // A bpf_res_spin_lock is found where another is, but not looked for itself.
    let sought = known.iter().filter(|(special, _)| *special != Special::ResSpinLock);
    let mut missing: Vec<&str> = sought.map(|(_, name)| *name).collect();
    let mut is_first = |&id: &u32| {
        let index = missing.iter().position(|missing| types.is_named(id, missing));
        index.map(|index| missing.swap_remove(index)).is_some()
    };
    let mut ids: Vec<u32> = types.special_structs().iter().copied().filter(&mut is_first).collect();
    if types.limits.kptr && types.ids_of(|kind| kind == Kind::TypeTag).any(|tag| is_kptr(types, tag)) {
        let pointers = types.ids_of(|kind| matches!(kind, Kind::Ptr | Kind::Volatile));
        ids.extend(pointers.filter(|&id| matches!(kptr(types, id), Ok(true))));
    }
    ids.into_iter().collect()
}

/// Returns whether the name of a type tag is that of a kptr's.
fn is_kptr(types: &Types<'_>, tag: u32) -> bool {
    ["kptr", "kptr_untrusted", "percpu_kptr"].iter().any(|value| types.is_named(tag, value))
}

/// Returns whether a type is a pointer with a kptr's tag.
fn kptr(types: &Types<'_>, id: u32) -> Result<bool, Rule> {
    let is_volatile = types.kind(id) == Some(Kind::Volatile);
    let pointer = if is_volatile { types.size_or_type(id) } else { id };
    let tag = types.size_or_type(pointer);
    match (types.kind(pointer), types.kind(tag)) {
        (Some(Kind::Ptr), Some(Kind::TypeTag)) => is_kptr_tag(types, tag),
        _ => Ok(false),
    }
}

/// Returns whether the tag of a pointer is a kptr's.
fn is_kptr_tag(types: &Types<'_>, tag: u32) -> Result<bool, Rule> {
    if types.record(tag).info.kind_flag() {
        return Ok(false);
    }
    let mut pointee = types.size_or_type(tag);
    require(types.kind(pointee) != Some(Kind::TypeTag), Rule::KptrTags)?;
    if !is_kptr(types, tag) {
        return Ok(false);
    }
    // Chains of modifiers are at most 32 long by now.
    for _ in 0..=MAX_DEPTH {
        if types.kind(pointee).is_some_and(is_modifier) {
            pointee = types.size_or_type(pointee);
        }
    }
    require(is_struct(types, pointee), Rule::KptrTags)?;
    Ok(true)
}

/// Structs of special types by id, and what finds fields of them.
struct Finder<'a> {
    types: &'a Types<'a>,
    known: Vec<(Special, &'static str)>,
    /// Ids of types; structs with a member of such a type are searched.
    interesting: IdSet,
    /// Structs without fields, with the number of levels that they nest.
    barren: HashMap<u32, usize>,
    graph: Option<Graph<'a>>,
}

/// Types referred to by the roots of lists and trees.
struct Graph<'a> {
    /// Offsets of the texts of tags that say what is contained, by type and
    /// component; `None` if there are several.
    tags: HashMap<(u32, u32), Option<u32>>,
    /// Parsed texts of tags, which tags may share.
    roots: HashMap<u32, Result<Root<'a>, Rule>>,
    /// The first struct of each name.
    structs: HashMap<&'a [u8], u32>,
}

impl<'a> Finder<'a> {
    fn new(types: &'a Types<'a>) -> Self {
        let limits = types.limits;
        let is_known = |special: Special| match special {
            Special::RbRoot | Special::RbNode => limits.rb_tree,
            Special::Refcount => limits.refcount,
            Special::ResSpinLock => limits.res_spin_lock,
            _ => true,
        };
        let known: Vec<_> = Special::NAMED.into_iter().filter(|&(special, _)| is_known(special)).collect();
        let interesting = interesting(types, &known);
        Self { types, known, interesting, barren: HashMap::new(), graph: None }
    }

    fn has_special_member(&self, id: u32) -> bool {
        let mut members = self.types.elements(id);
        members.any(|[_, type_id, _]| self.interesting.contains(type_id))
    }

    /// Returns the fields of a struct that is searched.
    fn record(&mut self, id: u32) -> Result<Vec<Field<'a>>, Rule> {
        let size = self.types.size_or_type(id);
        let mut fields = Vec::new();
        self.find(id, 0, &mut fields)?;
        require(!fields.is_empty(), Rule::FieldUnset)?;
        let mut next = 0;
        for field in &fields {
            let end = field.offset.saturating_add(field.special.size());
            require(end <= size, Rule::FieldEnd)?;
            require(field.offset >= next, Rule::FieldOverlap)?;
            next = end;
            if let (Some(node), Some(root)) = (field.special.node(), field.root) {
                self.check_root(node, root)?;
            }
        }
        let has = |special| fields.iter().any(|field| field.special == special);
        require(!(has(Special::SpinLock) && has(Special::ResSpinLock)), Rule::FieldLocks)?;
        let has_lock = has(Special::SpinLock) || has(Special::ResSpinLock);
        require(has_lock || !(has(Special::ListHead) || has(Special::RbRoot)), Rule::GraphLock)?;
        let needs_count = has(Special::ListNode) && has(Special::RbNode);
        require(!needs_count || has(Special::Refcount), Rule::GraphCount)?;
        Ok(fields)
    }

    /// Adds the fields of a struct, at offsets in that struct; returns the number
    /// of levels that were looked at below it.
    fn find(&mut self, id: u32, level: usize, fields: &mut Vec<Field<'a>>) -> Result<usize, Rule> {
        let has_bitfields = self.types.record(id).info.kind_flag();
        let (mut seen, mut height) = (Vec::new(), 0);
        for (index, [_, type_id, word]) in (0..).zip(self.types.elements(id)) {
            let bits = if has_bitfields { word & 0x00ff_ffff } else { word };
            require(bits.is_multiple_of(8), Rule::FieldByteAligned)?;
            let (type_id, nelems) = self.element(type_id)?;
            if nelems == 0 {
                continue;
            }
            match self.special(type_id) {
                Some(special) => {
                    require(!special.is_single() || !seen.contains(&special), Rule::FieldCount)?;
                    if special.is_single() {
                        seen.push(special);
                    }
                    if let Some(root) = self.field(special, id, index, type_id, bits / 8)? {
                        let field = Field { special, offset: bits / 8, root };
                        repeat(fields, &[field], nelems, special.size())?;
                    }
                }
                None if self.types.limits.nested_fields && is_struct(self.types, type_id) => {
                    let levels = self.find_nested(type_id, bits / 8, nelems, level + 1, fields)?;
                    height = height.max(levels);
                }
                None => {}
            }
        }
        Ok(height)
    }

    /// The type of an array's elements, however nested, and their number.
    fn element(&self, mut id: u32) -> Result<(u32, u32), Rule> {
        let (mut nelems, mut depth) = (1_u32, 0);
        while self.types.limits.nested_fields && self.types.kind(id) == Some(Kind::Array) {
            require(depth < MAX_DEPTH, Rule::FieldCount)?;
            let [element, _, count] = self.types.array(id);
            nelems = nelems.wrapping_mul(count);
            id = element;
            depth += 1;
        }
        Ok((id, nelems))
    }

    /// Returns the special type by its name, or the possible one by its kind.
    fn special(&self, id: u32) -> Option<Special> {
        let named = self.known.iter().find(|(_, name)| self.types.is_named(id, name)).map(|&(special, _)| special);
        let is_other = !is_struct(self.types, id);
        named.or((is_other && self.types.limits.kptr).then_some(Special::Kptr))
    }

    /// Returns whether a member is a field after all, and what it contains.
    fn field(
        &mut self,
        special: Special,
        composite: u32,
        index: u32,
        type_id: u32,
        offset: u32,
    ) -> Result<Option<Option<Root<'a>>>, Rule> {
        if !offset.is_multiple_of(special.align()) {
            return Ok(None);
        }
        if special == Special::Kptr {
            return Ok(kptr(self.types, type_id)?.then_some(None));
        }
        let is_struct = is_struct(self.types, type_id);
        if !is_struct || self.types.size_or_type(type_id) != special.size() {
            return Ok(None);
        }
        match special.node() {
            Some(_) => Ok(Some(Some(self.root(composite, index)?))),
            None => Ok(Some(None)),
        }
    }

    /// Adds the fields of a struct that is a member, or the element of one;
    /// returns the number of levels of structs, this one included.
    fn find_nested(
        &mut self,
        id: u32,
        offset: u32,
        nelems: u32,
        level: usize,
        fields: &mut Vec<Field<'a>>,
    ) -> Result<usize, Rule> {
        require(level < MAX_DEPTH, Rule::FieldCount)?;
        if let Some(&height) = self.barren.get(&id) {
            require(level + height < MAX_DEPTH, Rule::FieldCount)?;
            return Ok(height + 1);
        }
        let mut found = Vec::new();
        let height = self.find(id, level, &mut found)?;
        if found.is_empty() {
            self.barren.insert(id, height);
        }
        found.iter_mut().for_each(|field| field.offset = field.offset.saturating_add(offset));
        repeat(fields, &found, nelems, self.types.size_or_type(id))?;
        Ok(height + 1)
    }

    /// Returns the contents of a list or tree by its tag.
    fn root(&mut self, composite: u32, index: u32) -> Result<Root<'a>, Rule> {
        let types = self.types;
        let graph = self.graph.get_or_insert_with(|| Graph::new(types));
        graph.root(types, composite, index)
    }

    /// Checks that the member that a root names is a node.
    fn check_root(&self, (node, node_name): (Special, &str), root: Root<'_>) -> Result<(), Rule> {
        let types = self.types;
        let mut found = false;
        for [name_off, type_id, word] in types.elements(root.contains) {
            if !types.strings.is(name_off, root.member) {
                continue;
            }
            require(!found, Rule::GraphNode)?;
            found = true;
            require(is_struct(types, type_id), Rule::GraphNode)?;
            require(types.is_named(type_id, node_name), Rule::GraphNode)?;
            // The kernel takes the offset by the flag of the node's type.
            let bits = if types.record(type_id).info.kind_flag() { word & 0x00ff_ffff } else { word };
            require(bits.is_multiple_of(8) && (bits / 8).is_multiple_of(node.align()), Rule::GraphNode)?;
        }
        require(found, Rule::GraphType)
    }
}

impl<'a> Graph<'a> {
    fn new(types: &'a Types<'a>) -> Self {
        let (mut tags, mut structs) = (HashMap::new(), HashMap::new());
        // Names that structs share are looked at once.
        let mut names = HashSet::new();
        for (id, kind) in types.kinds() {
            let record = types.record(id);
            match kind {
                Some(Kind::Struct) if names.insert(record.name_off) => {
                    structs.entry(types.name(id).as_bytes()).or_insert(id);
                }
                Some(Kind::DeclTag) if types.strings.starts_with(record.name_off, CONTAINS) => {
                    let component = (record.size_or_type, record.word(0));
                    tags.entry(component).and_modify(|text| *text = None).or_insert(Some(record.name_off));
                }
                _ => {}
            }
        }
        Self { tags, roots: HashMap::new(), structs }
    }

    fn root(&mut self, types: &'a Types<'a>, composite: u32, index: u32) -> Result<Root<'a>, Rule> {
        let text = self.tags.get(&(composite, index)).copied().flatten().ok_or(Rule::GraphTag)?;
        let structs = &self.structs;
        *self.roots.entry(text).or_insert_with(|| parse_root(types.strings.tail(text), structs, types.limits))
    }
}

/// Parses the text of a tag, which ends at a NUL.
fn parse_root<'a>(text: &'a [u8], structs: &HashMap<&[u8], u32>, limits: &Limits) -> Result<Root<'a>, Rule> {
    let text = text.strip_prefix(CONTAINS).ok_or(Rule::GraphTag)?;
    let end = memchr::memchr2(b':', 0, text).ok_or(Rule::GraphTag)?;
    let (name, rest) = text.split_at_checked(end).ok_or(Rule::GraphTag)?;
    let [b':', member @ ..] = rest else { return Err(Rule::GraphTag) };
    let contains = *structs.get(name).ok_or(Rule::GraphType)?;
    // No member has a longer name.
    let member = terminated(member.get(..=limits.name_len).unwrap_or(member));
    require(!member.is_empty(), Rule::GraphTag)?;
    Ok(Root { contains, member })
}

/// Adds fields, once for each element of an array of so many bytes each.
fn repeat<'a>(fields: &mut Vec<Field<'a>>, found: &[Field<'a>], nelems: u32, size: u32) -> Result<(), Rule> {
    require(nelems <= 1 || found.iter().all(|field| field.special.may_repeat()), Rule::FieldRepeat)?;
    let count = found.len() as u64 * u64::from(nelems);
    require(count <= (MAX_FIELDS - fields.len()) as u64, Rule::FieldCount)?;
    if found.is_empty() {
        return Ok(());
    }
    for element in 0..nelems {
        let shift = element.saturating_mul(size);
        fields.extend(found.iter().map(|field| Field { offset: field.offset.saturating_add(shift), ..*field }));
    }
    Ok(())
}

/// Checks the contents of lists and trees: a struct that is also searched, and
/// that does not own others if its owner is itself owned.
fn check_owners(records: &[Record<'_>], record: &Record<'_>) -> Result<(), Rule> {
    let has_node = record.fields.iter().any(|field| matches!(field.special, Special::ListNode | Special::RbNode));
    for root in record.fields.iter().filter_map(|field| field.root) {
        let at = records.binary_search_by_key(&root.contains, |record| record.id);
        let contained = at.ok().and_then(|at| records.get(at)).ok_or(Rule::GraphMeta)?;
        require(!has_node || contained.fields.iter().all(|field| field.root.is_none()), Rule::GraphOwner)?;
    }
    Ok(())
}

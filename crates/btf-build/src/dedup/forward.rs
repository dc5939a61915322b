//! Forward declarations: of structs and unions (FWD), and of enumerations (an
//! ENUM or ENUM64 without values).

use std::collections::{HashMap, hash_map::Entry};

use btf_types::{Kind, format::TypeRecord};

use super::{
    classes::Classes,
    graph::{Graph, Role},
};

/// Merges all forward declarations of an enumeration, with the first
/// enumeration of that name if there is one.
pub(super) fn merge_enums(graph: &Graph, classes: &mut Classes) {
    let is_forward = |id: u32| name_of_enum(graph, id).filter(|&(name, vlen)| name != 0 && vlen == 0);
    let mut first: HashMap<u32, u32> = HashMap::new();
    for id in 1..graph.count() {
        if let Some((name, _)) = is_forward(id) {
            first.entry(name).or_insert(0);
        }
    }
    if first.is_empty() {
        return;
    }
    for id in 1..graph.count() {
        if let Some((name, vlen)) = name_of_enum(graph, id)
            && vlen > 0
            && let Some(place) = first.get_mut(&name)
            && *place == 0
        {
            *place = classes.find(id);
        }
    }
    for id in 1..graph.count() {
        let Some((name, _)) = is_forward(id) else { continue };
        let Some(place) = first.get_mut(&name) else { continue };
        let class = classes.find_from_own(id);
        match *place {
            0 => *place = class,
            meant if meant != class => classes.set_meaning(class, meant),
            _ => {}
        }
    }
    classes.commit();
}

/// Returns the name of an enumeration, and its number of values.
fn name_of_enum(graph: &Graph, id: u32) -> Option<(u32, u32)> {
    if graph.role(id) != Role::Leaf {
        return None;
    }
    let head = graph.head(id)?;
    matches!(head.info().kind(), Some(Kind::Enum | Kind::Enum64)).then(|| (head.name_off(), head.info().vlen()))
}

/// Resolves each remaining FWD if only one struct or union has its name.
/// Returns the number of resolved FWDs.
pub(super) fn resolve_unique(graph: &Graph, classes: &mut Classes) -> u64 {
    let mut unresolved = Vec::new();
    let mut by_name: HashMap<u32, Option<u32>> = HashMap::new();
    for id in graph.own_ids().filter(|&id| graph.role(id) == Role::Leaf && classes.is_class(id)) {
        if let Some(head) = graph.head(id)
            && let Some(kind) = meant_kind(head)
            && head.name_off() != 0
        {
            unresolved.push((id, head.name_off(), kind));
            by_name.insert(head.name_off(), None);
        }
    }
    if unresolved.is_empty() {
        return 0;
    }
    let mut ambiguous = Vec::new();
    // Those without members refer to nothing.
    let can_be_meant = |role| matches!(role, Role::Composite | Role::Leaf);
    for id in (1..graph.count()).filter(|&id| can_be_meant(graph.role(id)) && classes.is_class(id)) {
        let Some(head) = graph.head(id) else { continue };
        if matches!(head.info().kind(), Some(Kind::Struct | Kind::Union))
            && let Entry::Occupied(mut place) = by_name.entry(head.name_off())
        {
            match place.get() {
                None => *place.get_mut() = Some(id),
                Some(_) => ambiguous.push(head.name_off()),
            }
        }
    }
    for name in ambiguous {
        by_name.remove(&name);
    }
    let mut resolved = 0;
    for (fwd, name, kind) in unresolved {
        if let Some(&Some(meant)) = by_name.get(&name)
            && graph.head(meant).and_then(|head| head.info().kind()) == Some(kind)
        {
            classes.set_meaning(fwd, meant);
            resolved += 1;
        }
    }
    classes.commit();
    resolved
}

/// Returns the kind that a FWD declares; `None` for other types.
pub(super) fn meant_kind(record: &TypeRecord) -> Option<Kind> {
    let info = record.info();
    match (info.kind(), info.kind_flag()) {
        (Some(Kind::Fwd), false) => Some(Kind::Struct),
        (Some(Kind::Fwd), true) => Some(Kind::Union),
        _ => None,
    }
}

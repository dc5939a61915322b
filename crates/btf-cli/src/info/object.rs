//! What a BPF object holds besides BTF, as JSON.

use btf_elf::{BpfObject, DataKind, DataSection, Elf, Holds, Map, Pinning, ProgramSection};
use btf_types::{OwnedName, Type};
use serde_json::{Value, json};

use crate::Result;

/// Programs, maps and global variables. What is wrong with a part is told in
/// its place.
pub(super) fn as_json(elf: Elf) -> Result<Value> {
    let object = BpfObject::new(elf)?;
    let license = object.license()?.as_ref().map(OwnedName::to_string);
    let programs = object.programs().map(program).collect::<Result<Vec<_>>>()?;
    let maps = match object.maps() {
        Ok(maps) => maps.iter().map(map).collect(),
        Err(error) => json!({"error": crate::with_causes(&error)}),
    };
    let globals = object.data_sections().filter(|section| section.kind() != DataKind::Maps).map(globals);
    Ok(json!({
        "license": license,
        "programs": programs,
        "maps": maps,
        "globals": globals.collect::<Vec<_>>(),
    }))
}

fn program(program: ProgramSection<'_>) -> Result<Value> {
    let functions = program.functions()?.into_iter().map(|function| {
        json!({
            "name": function.name().to_string(),
            "offset": function.offset(),
            "size": function.size(),
            "is_global": !function.symbol().is_local(),
            "type_id": function.func().map(btf_types::Func::id),
        })
    });
    Ok(json!({
        "section": program.name().to_string(),
        "instructions": program.instructions()?.len(),
        "functions": functions.collect::<Vec<_>>(),
        "relocations": program.relocations()?.len(),
    }))
}

fn type_and_size(ty: Option<Type<'_>>, size: u32) -> Value {
    json!({"type_id": ty.map(Type::id), "type": ty.map(|ty| ty.to_string()), "size": size})
}

fn map(map: &Map<'_>) -> Value {
    let holds = match map.holds() {
        None => Value::Null,
        Some(Holds::Programs) => "programs".into(),
        Some(Holds::Maps(inner)) => self::map(inner),
    };
    let values = map.values().iter().map(|value| json!({"index": value.index, "name": value.name.to_string()}));
    json!({
        "name": map.name().to_string(),
        "offset": map.offset(),
        "type": map.map_type().map(|ty| ty.to_string()),
        "type_number": map.map_type().map(|ty| ty.0),
        "key": type_and_size(map.key(), map.key_size()),
        "value": type_and_size(map.value(), map.value_size()),
        "max_entries": map.max_entries(),
        "flags": map.flags(),
        "extra": map.extra(),
        "numa_node": map.numa_node(),
        "pinning": match map.pinning() {
            Pinning::ByName => "by_name",
            _ => "none",
        },
        "holds": holds,
        "values": values.collect::<Vec<_>>(),
    })
}

fn globals(section: DataSection<'_>) -> Value {
    let name = section.name().to_string();
    let (layout, variables) = match (section.layout(), section.variables()) {
        (Ok(layout), Ok(variables)) => (layout, variables),
        (Err(error), _) | (_, Err(error)) => return json!({"section": name, "error": crate::with_causes(&error)}),
    };
    let variables = variables.map(|variable| {
        json!({
            "name": variable.name().to_string(),
            "id": variable.ty().id(),
            "type": match variable.ty() {
                Type::Var(var) => var.ty().to_string(),
                other => other.to_string(),
            },
            "offset": variable.offset(),
            "size": variable.size(),
            "linkage": variable.linkage().to_string(),
        })
    });
    json!({"section": name, "size": layout.size(), "variables": variables.collect::<Vec<_>>()})
}

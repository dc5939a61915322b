//! Contents of a BPF object besides BTF: programs, maps and global variables.
//! If a part cannot be read, its error is printed in its place.

use std::io::{self, Write};

use btf_elf::{BpfObject, DataKind, DataSection, Elf, Holds, Map, Pinning, ProgramSection};
use btf_types::{Type, format::Escaped};

use crate::{Result, json::Json, output::Output, with_causes};

fn globals(object: &BpfObject) -> impl Iterator<Item = DataSection<'_>> {
    object.data_sections().filter(|section| section.kind() != DataKind::Maps)
}

pub(super) fn write_text<W: Write>(elf: Elf, out: &mut Output<W>) -> Result {
    let object = BpfObject::new(elf)?;
    if let Some(license) = object.license()? {
        writeln!(out, "\nlicense      {license}")?;
    }
    let mut programs = object.programs().peekable();
    if programs.peek().is_some() {
        out.text("\nprograms\n")?;
    }
    for program in programs {
        let instructions = program.instructions()?.len();
        writeln!(out, "  {}, {instructions} instructions", program.name())?;
        for function in program.functions()? {
            let kind = if function.symbol().is_local() { "static" } else { "global" };
            let instructions = function.size() / 8;
            let at = function.offset() / 8;
            writeln!(out, "    {:<32} at {at:>5}, {instructions:>5} instructions, {kind}", function.name())?;
        }
    }
    match object.maps() {
        Err(error) => writeln!(out, "\nmaps         {}", Escaped::new(&with_causes(&error)))?,
        Ok(maps) => {
            if !maps.is_empty() {
                out.text("\nmaps\n")?;
            }
            maps.iter().try_for_each(|map| write_map(map, out))?;
        }
    }
    let mut globals = globals(&object).peekable();
    if globals.peek().is_some() {
        out.text("\nglobals\n")?;
    }
    globals.try_for_each(|section| write_globals(section, out))?;
    Ok(())
}

fn write_map<W: Write>(map: &Map<'_>, out: &mut Output<W>) -> io::Result<()> {
    write!(out, "  {:<32} ", map.name())?;
    match map.map_type() {
        Some(ty) => write!(out, "{ty}")?,
        None => out.text("type unknown")?,
    }
    for (what, ty, size) in [("key", map.key(), map.key_size()), ("value", map.value(), map.value_size())] {
        match ty {
            Some(ty) => write!(out, ", {what} {ty} ({size} bytes)")?,
            None if size > 0 => write!(out, ", {what} {size} bytes")?,
            None => {}
        }
    }
    writeln!(out, ", {} entries", map.max_entries())
}

fn write_globals<W: Write>(section: DataSection<'_>, out: &mut Output<W>) -> io::Result<()> {
    let name = section.name();
    let (layout, variables) = match (section.layout(), section.variables()) {
        (Ok(layout), Ok(variables)) => (layout, variables),
        (Err(error), _) | (_, Err(error)) => {
            return writeln!(out, "  {name}: {}", Escaped::new(&with_causes(&error)));
        }
    };
    writeln!(out, "  {name}, {} bytes", layout.size())?;
    for variable in variables {
        let (offset, size) = (variable.offset(), variable.size());
        writeln!(out, "    {:>8} {:>8}  {}, {}", offset, size, variable.ty(), variable.linkage())?;
    }
    Ok(())
}

pub(super) fn write_json<W: Write>(elf: Elf, json: &mut Json<'_, W>) -> Result {
    let object = BpfObject::new(elf)?;
    json.begin_object()?;
    json.key("license")?;
    match object.license()? {
        Some(license) => json.name(license.as_name())?,
        None => json.null()?,
    }
    json.key("programs")?;
    json.begin_array()?;
    object.programs().try_for_each(|program| program_as_json(program, json))?;
    json.end_array()?;
    json.key("maps")?;
    match object.maps() {
        Ok(maps) => {
            json.begin_array()?;
            maps.iter().try_for_each(|map| map_as_json(map, json))?;
            json.end_array()?;
        }
        Err(error) => error_as_json(&error, json)?,
    }
    json.key("globals")?;
    json.begin_array()?;
    globals(&object).try_for_each(|section| globals_as_json(section, json))?;
    json.end_array()?;
    Ok(json.end_object()?)
}

fn error_as_json<W: Write>(error: &btf_elf::Error, json: &mut Json<'_, W>) -> io::Result<()> {
    json.begin_object()?;
    json.key("error")?;
    json.str(&with_causes(error))?;
    json.end_object()
}

fn program_as_json<W: Write>(program: ProgramSection<'_>, json: &mut Json<'_, W>) -> Result {
    json.begin_object()?;
    json.key("section")?;
    json.name(program.name())?;
    json.key("instructions")?;
    json.number(program.instructions()?.len())?;
    json.key("functions")?;
    json.begin_array()?;
    for function in program.functions()? {
        json.begin_object()?;
        json.key("name")?;
        json.name(function.name())?;
        json.key("offset")?;
        json.number(function.offset())?;
        json.key("size")?;
        json.number(function.size())?;
        json.key("is_global")?;
        json.bool(!function.symbol().is_local())?;
        json.key("type_id")?;
        json.maybe(function.func().map(btf_types::Func::id))?;
        json.end_object()?;
    }
    json.end_array()?;
    json.key("relocations")?;
    json.number(program.relocations()?.len())?;
    Ok(json.end_object()?)
}

fn type_and_size<W: Write>(key: &str, ty: Option<Type<'_>>, size: u32, json: &mut Json<'_, W>) -> io::Result<()> {
    json.key(key)?;
    json.begin_object()?;
    json.key("type_id")?;
    json.maybe(ty.map(Type::id))?;
    json.key("type")?;
    match ty {
        Some(ty) => json.display(ty)?,
        None => json.null()?,
    }
    json.key("size")?;
    json.number(size)?;
    json.end_object()
}

fn map_as_json<W: Write>(map: &Map<'_>, json: &mut Json<'_, W>) -> io::Result<()> {
    json.begin_object()?;
    json.key("name")?;
    json.name(map.name())?;
    json.key("offset")?;
    json.number(map.offset())?;
    json.key("type")?;
    match map.map_type() {
        Some(ty) => json.display(ty)?,
        None => json.null()?,
    }
    json.key("type_number")?;
    json.maybe(map.map_type().map(|ty| ty.0))?;
    type_and_size("key", map.key(), map.key_size(), json)?;
    type_and_size("value", map.value(), map.value_size(), json)?;
    json.key("max_entries")?;
    json.number(map.max_entries())?;
    json.key("flags")?;
    json.number(map.flags())?;
    json.key("extra")?;
    json.number(map.extra())?;
    json.key("numa_node")?;
    json.maybe(map.numa_node())?;
    json.key("pinning")?;
    json.str(match map.pinning() {
        Pinning::ByName => "by_name",
        _ => "none",
    })?;
    json.key("holds")?;
    match map.holds() {
        Some(Holds::Programs) => json.str("programs")?,
        Some(Holds::Maps(inner)) => map_as_json(inner, json)?,
        _ => json.null()?,
    }
    json.key("values")?;
    json.begin_array()?;
    for value in map.values() {
        json.begin_object()?;
        json.key("index")?;
        json.number(value.index())?;
        json.key("name")?;
        json.name(value.name())?;
        json.end_object()?;
    }
    json.end_array()?;
    json.end_object()
}

fn globals_as_json<W: Write>(section: DataSection<'_>, json: &mut Json<'_, W>) -> io::Result<()> {
    let (layout, variables) = match (section.layout(), section.variables()) {
        (Ok(layout), Ok(variables)) => (layout, variables),
        (Err(error), _) | (_, Err(error)) => {
            json.begin_object()?;
            json.key("section")?;
            json.name(section.name())?;
            json.key("error")?;
            json.str(&with_causes(&error))?;
            return json.end_object();
        }
    };
    json.begin_object()?;
    json.key("section")?;
    json.name(section.name())?;
    json.key("size")?;
    json.number(layout.size())?;
    json.key("variables")?;
    json.begin_array()?;
    for variable in variables {
        json.begin_object()?;
        json.key("name")?;
        json.name(variable.name())?;
        json.key("id")?;
        json.number(variable.ty().id())?;
        json.key("type")?;
        match variable.ty() {
            Type::Var(var) => json.display(var.ty())?,
            other => json.display(other)?,
        }
        json.key("offset")?;
        json.number(variable.offset())?;
        json.key("size")?;
        json.number(variable.size())?;
        json.key("linkage")?;
        json.display(variable.linkage())?;
        json.end_object()?;
    }
    json.end_array()?;
    json.end_object()
}

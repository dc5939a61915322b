//! Shapes of ELF files: BPF objects, and files with compressed sections.

use std::sync::Arc;

use btf_elf::Compression;
use btf_format::ByteOrder;

use super::{Shape, shapes};
use crate::{
    blob::Blob,
    elf_blob::{COMPRESSED, EXECUTABLE, ElfBlob, PROGBITS, REL, SYMTAB, SectionBlob, SymbolBlob},
    packed,
    shapes::ext,
};

const PTR: u8 = 2;
const ARRAY: u8 = 3;
const STRUCT: u8 = 4;
const VAR: u8 = 14;
const DATASEC: u8 = 15;

/// Shapes of ELF files, most of them BPF objects.
pub const OBJECTS: &[Shape] = shapes![
    sections_of_one_name,
    sections_of_names_that_end_alike,
    datasecs_and_sections,
    datasecs_of_one_section,
    symbols_of_one_name,
    symbols_of_one_section,
    functions_of_many_programs,
    functions_of_one_program,
    variables_of_many_symbols,
    variables_of_one_long_name,
    entries_of_one_long_name,
    externs,
    many_datasecs_of_externs,
    options_of_one_name,
    ext_blocks_of_one_name,
    ext_blocks_of_many_programs,
    relocations_of_one_symbol,
    relocation_tables_of_one_section,
    relocation_tables_that_overlap,
    many_relocation_tables_that_overlap,
    relocation_tables_of_zeros * 128,
    symbols_of_zeros * 64,
    sections_of_zeros * 128,
    sections_that_overlap,
    many_sections_that_overlap,
    btf_ids_that_overlap,
    maps_of_no_size,
    maps_of_one_variable,
    maps_of_one_definition,
    maps_of_one_long_name,
    maps_in_maps,
    maps_of_many_values,
    maps_of_one_key,
    maps_of_large_keys,
];

fn bpf() -> ElfBlob {
    ElfBlob::bpf(ByteOrder::NATIVE)
}

/// Returns a BPF object with this BTF.
fn object(blob: &Blob, fill: impl FnOnce(&mut ElfBlob)) -> Vec<u8> {
    let mut elf = bpf();
    elf.section(".BTF", blob.build());
    fill(&mut elf);
    elf.build()
}

fn int() -> Blob {
    let mut blob = Blob::new();
    blob.int();
    blob
}

fn sections_of_one_name(size: usize) -> Vec<u8> {
    let name: Arc<str> = "n".repeat(size / 2).into();
    object(&int(), |elf| {
        for _ in 0..size / 2 / 64 {
            elf.add(SectionBlob { name: name.clone(), kind: PROGBITS, ..SectionBlob::default() });
        }
    })
}

/// Makes sections whose names are suffixes of one string.
fn sections_of_names_that_end_alike(size: usize) -> Vec<u8> {
    let count = size / 64;
    let mut file = object(&int(), |elf| {
        (0..count).for_each(|_| _ = elf.section("a_name_of_sixteen_bytes", []));
    });
    let table = u64::from_ne_bytes(file[0x28..0x30].try_into().expect("a header")) as usize;
    // Skip the null section and `.BTF`.
    for (at, section) in file[table..].chunks_exact_mut(64).skip(2).take(count).enumerate() {
        let name = u32::from_ne_bytes(section[..4].try_into().expect("a section")) + at as u32 % 20;
        section[..4].copy_from_slice(&name.to_ne_bytes());
    }
    file
}

fn datasecs_and_sections(size: usize) -> Vec<u8> {
    let mut blob = int();
    for at in 0..size / 2 / 24 {
        let name = blob.string(format!("d{at:08}"));
        blob.record(name, DATASEC, 0, false, 0, &[]);
    }
    object(&blob, |elf| (0..size / 2 / 76).for_each(|at| _ = elf.section(&format!("s{at:08}"), [])))
}

fn datasecs_of_one_section(size: usize) -> Vec<u8> {
    let mut blob = int();
    let (name, var) = (blob.string(".data.a"), blob.string("v"));
    blob.record(var, VAR, 0, false, 1, &[1]);
    (0..size / 2 / 24).for_each(|_| _ = blob.record(name, DATASEC, 1, false, 0, &[2, 0, 4]));
    object(&blob, |elf| {
        let section = elf.section(".data.a", vec![0; size / 2]);
        elf.variable("v", section, 0);
    })
}

fn symbols_of_one_name(size: usize) -> Vec<u8> {
    let name: &'static str = "n".repeat(size / 2).leak();
    object(&int(), |elf| {
        let section = elf.section("kprobe", [0; 8]);
        (0..size / 2 / 24).for_each(|_| _ = elf.variable(name, section, 0));
    })
}

fn symbols_of_one_section(size: usize) -> Vec<u8> {
    let mut blob = int();
    let (name, var) = (blob.string(".data"), blob.string("v"));
    blob.record(var, VAR, 0, false, 1, &[1]).record(name, DATASEC, 1, false, 0, &[2, 0, 4]);
    object(&blob, |elf| {
        let section = elf.section(".data", [0; 8]);
        (0..size / 24).for_each(|_| _ = elf.variable("v", section, 0));
    })
}

fn function(name: &'static str, section: u16, value: u64) -> SymbolBlob {
    SymbolBlob { name, section, value, info: 0x12, other: 0 }
}

fn program(elf: &mut ElfBlob, name: &str, len: usize) -> u16 {
    let (name, data) = (name.into(), vec![0; len]);
    elf.add(SectionBlob { name, kind: PROGBITS, flags: EXECUTABLE, data, ..SectionBlob::default() })
}

/// Makes program sections, and as many bytes of functions in the last section.
fn functions_of_many_programs(size: usize) -> Vec<u8> {
    object(&int(), |elf| {
        let mut last = 0;
        (0..size / 2 / 84).for_each(|at| last = program(elf, &format!("kprobe/f{at:08}"), 8));
        (0..size / 2 / 24).for_each(|_| _ = elf.symbol(function("f", last, 0)));
    })
}

fn functions_of_one_program(size: usize) -> Vec<u8> {
    object(&int(), |elf| {
        let section = program(elf, "kprobe", size / 2);
        (0..size / 2 / 24).for_each(|at| _ = elf.symbol(function("f", section, at as u64 * 8)));
    })
}

/// Makes variables of one DATASEC, with their symbols in reverse order.
fn variables_of_many_symbols(size: usize) -> Vec<u8> {
    let mut blob = int();
    let count = size / 80;
    let section = blob.string(".data");
    let names: Vec<&'static str> = (0..count).map(|at| &*format!("v{at:08}").leak()).collect();
    for name in &names {
        let name = blob.string(name);
        blob.record(name, VAR, 0, false, 1, &[1]);
    }
    let entries: Vec<u32> = (0..count as u32).flat_map(|at| [at + 2, 0, 4]).collect();
    blob.record(section, DATASEC, count as u32, false, 0, &entries);
    object(&blob, |elf| {
        let section = elf.section(".data", vec![0; count * 4]);
        for (at, name) in names.iter().enumerate().rev() {
            elf.variable(name, section, at as u64 * 4);
        }
    })
}

/// Makes variables that share a name, which is a quarter of the file.
fn variables_of_one_long_name(size: usize) -> Vec<u8> {
    let mut blob = int();
    let name: &'static str = "n".repeat(size / 4).leak();
    let (own, section) = (blob.string(name), blob.string(".data"));
    let count = (size / 2 / 56) as u32;
    (0..count).for_each(|_| _ = blob.record(own, VAR, 0, false, 1, &[1]));
    let entries: Vec<u32> = (0..count).flat_map(|at| [at + 2, 0, 4]).collect();
    blob.record(section, DATASEC, count, false, 0, &entries);
    object(&blob, |elf| {
        let section = elf.section(".data", vec![0; count as usize * 4]);
        (0..count).for_each(|at| _ = elf.variable(name, section, u64::from(at) * 4));
    })
}

fn entries_of_one_long_name(size: usize) -> Vec<u8> {
    let mut blob = int();
    let name: &'static str = "n".repeat(size / 4).leak();
    let (own, section) = (blob.string(name), blob.string(".data"));
    let count = (size / 2 / 12) as u32;
    blob.record(own, VAR, 0, false, 1, &[1]);
    let entries: Vec<u32> = (0..count).flat_map(|_| [2, 0, 4]).collect();
    blob.record(section, DATASEC, count, false, 0, &entries);
    object(&blob, |elf| {
        let section = elf.section(".data", [0; 8]);
        elf.variable(name, section, 0);
    })
}

fn externs(size: usize) -> Vec<u8> {
    let mut blob = int();
    let count = size / 72;
    let section = blob.string(".ksyms");
    let names: Vec<&'static str> = (0..count).map(|at| &*format!("v{at:08}").leak()).collect();
    for name in &names {
        let name = blob.string(name);
        blob.record(name, VAR, 0, false, 0, &[2]);
    }
    let entries: Vec<u32> = (0..count as u32).flat_map(|at| [at + 2, 0, 0]).collect();
    blob.record(section, DATASEC, count as u32, false, 0, &entries);
    object(&blob, |elf| names.iter().rev().for_each(|name| _ = elf.variable(name, 0, 0)))
}

/// Makes `.ksyms` DATASECs. To fix up each, an `int` is searched, which is the
/// last type.
fn many_datasecs_of_externs(size: usize) -> Vec<u8> {
    let mut blob = Blob::new();
    let (section, var) = (blob.string(".ksyms"), blob.string("v"));
    let count = (size / 40) as u32;
    for at in 0..count {
        blob.record(var, VAR, 0, false, 2 * count + 1, &[2]);
        blob.record(section, DATASEC, 1, false, 0, &[2 * at + 1, 0, 0]);
    }
    blob.int();
    object(&blob, |elf| _ = elf.variable("v", 0, 0))
}

/// Makes `.kconfig` options that share a long name, by which they are sorted.
fn options_of_one_name(size: usize) -> Vec<u8> {
    let mut blob = int();
    let (section, var) = (blob.string(".kconfig"), blob.string("n".repeat(size / 2)));
    let count = (size / 2 / 28) as u32;
    (0..count).for_each(|_| _ = blob.record(var, VAR, 0, false, 1, &[2]));
    let entries: Vec<u32> = (0..count).flat_map(|at| [at + 2, 0, 4]).collect();
    blob.record(section, DATASEC, count, false, 0, &entries);
    object(&blob, |_| ())
}

fn with_ext(blobs: &[Vec<u8>], fill: impl FnOnce(&mut ElfBlob)) -> Vec<u8> {
    let mut elf = bpf();
    for (name, blob) in [".BTF", ".BTF.ext"].iter().zip(blobs) {
        elf.section(name, blob.clone());
    }
    fill(&mut elf);
    elf.build()
}

fn ext_blocks_of_one_name(size: usize) -> Vec<u8> {
    with_ext(&ext::blocks_of_one_name(size), |elf| {
        let section = program(elf, "kprobe", 8);
        elf.symbol(function("f", section, 0));
    })
}

fn ext_blocks_of_many_programs(size: usize) -> Vec<u8> {
    with_ext(&ext::blocks_of_one_name(size / 2), |elf| {
        for at in 0..size / 2 / 120 {
            let section = program(elf, &format!("kprobe/f{at:08}"), 8);
            elf.symbol(function("f", section, 0));
        }
    })
}

/// Adds a relocation table for the section `of`; returns its number.
fn table(elf: &mut ElfBlob, of: u16, flags: u64, data: Vec<u8>) -> u16 {
    let (name, link) = (".rel".into(), elf.sections.len() as u32 + 2);
    elf.add(SectionBlob { name, kind: REL, flags, link, info: of.into(), data, ..SectionBlob::default() })
}

fn relocations_of_one_symbol(size: usize) -> Vec<u8> {
    object(&int(), |elf| {
        let section = program(elf, "kprobe", size / 4);
        let name: &'static str = "n".repeat(size / 4).leak();
        elf.symbol(function(name, section, 0));
        let relocations = (0..size / 2 / 16).rev().flat_map(|at| elf.relocation(at as u64, 1, 1)).collect();
        table(elf, section, 0, relocations);
    })
}

fn relocation_tables_of_one_section(size: usize) -> Vec<u8> {
    object(&int(), |elf| {
        let section = program(elf, "kprobe", 8);
        let symtab = (size / 88) as u32 + 3;
        for _ in 0..size / 88 {
            let data = elf.relocation(0, 1, 1);
            let index = table(elf, section, 0, data);
            elf.sections[usize::from(index) - 1].link = symtab;
        }
        elf.symbol(function("f", section, 0));
    })
}

/// Makes sections with a relocation table each. All tables are at the same offset
/// in the file.
fn overlapping_tables(size: usize, tables: usize) -> Vec<u8> {
    let mut elf = ElfBlob { machine: 62, ..bpf() };
    let data: Vec<u8> = (0..size / 2 / 16).flat_map(|at| elf.relocation(at as u64, 1, 1)).collect();
    let len = data.len() as u64;
    elf.section(".data", data);
    elf.section(".BTF", int().build());
    let symtab = 2 * tables as u32 + 3;
    for _ in 0..tables {
        let section = program(&mut elf, ".text", 8);
        let index = table(&mut elf, section, 0, Vec::new());
        let table = &mut elf.sections[usize::from(index) - 1];
        (table.link, table.offset, table.size) = (symtab, Some(64), Some(len));
    }
    elf.symbol(function("f", 1, 0));
    elf.section("other", vec![0; size / 2]);
    elf.build()
}

/// Makes as many overlapping tables as a file may have.
fn relocation_tables_that_overlap(size: usize) -> Vec<u8> {
    overlapping_tables(size, 5)
}

fn many_relocation_tables_that_overlap(size: usize) -> Vec<u8> {
    overlapping_tables(size, size / 2 / 152)
}

/// Returns zeros compressed like the contents of a section.
fn packed_zeros(elf: &ElfBlob, len: usize) -> Vec<u8> {
    [elf.compression_header(1, len as u64), packed::zeros(Compression::Zlib, len as u64)].concat()
}

/// Makes eight compressed tables, each of which decompresses to 16 times `size`.
fn relocation_tables_of_zeros(size: usize) -> Vec<u8> {
    object(&int(), |elf| {
        let symtab = 8 * 2 + 2;
        for _ in 0..8 {
            let section = program(elf, ".text", 8);
            let data = packed_zeros(elf, size * 16);
            let index = table(elf, section, COMPRESSED, data);
            elf.sections[usize::from(index) - 1].link = symtab;
        }
        let section = elf.section("other", vec![0; size]);
        elf.symbol(function("f", section, 0));
    })
}

fn symbols_of_zeros(size: usize) -> Vec<u8> {
    object(&int(), |elf| {
        let data = packed_zeros(elf, (size * 64).next_multiple_of(24));
        let link = elf.section(".strtab", vec![0; size]).into();
        let name = ".symtab".into();
        elf.add(SectionBlob { name, kind: SYMTAB, flags: COMPRESSED, link, data, ..SectionBlob::default() });
    })
}

/// Makes eight compressed sections at the same offset in the file.
fn sections_of_zeros(size: usize) -> Vec<u8> {
    let mut elf = ElfBlob { machine: 62, ..bpf() };
    let data = packed_zeros(&elf, size * 16);
    let len = data.len() as u64;
    elf.section("first", data);
    for _ in 0..8 {
        let (offset, size) = (Some(64), Some(len));
        elf.add(SectionBlob { kind: PROGBITS, flags: COMPRESSED, offset, size, ..SectionBlob::default() });
    }
    elf.section("other", vec![0; size]);
    elf.section(".BTF", int().build());
    elf.build()
}

fn overlapping_sections(size: usize, sections: usize) -> Vec<u8> {
    let mut elf = ElfBlob { machine: 62, ..bpf() };
    elf.section("first", vec![0; size / 2]);
    elf.section(".BTF", int().build());
    for _ in 0..sections {
        let (offset, size) = (Some(64), Some(size as u64 / 2));
        elf.add(SectionBlob { kind: PROGBITS, offset, size, ..SectionBlob::default() });
    }
    elf.section("other", vec![0; size / 2]);
    elf.build()
}

/// Makes as many overlapping sections as a file may have.
fn sections_that_overlap(size: usize) -> Vec<u8> {
    overlapping_sections(size, 5)
}

fn many_sections_that_overlap(size: usize) -> Vec<u8> {
    overlapping_sections(size, size / 2 / 64)
}

/// Makes BTF id sets, each of which begins inside the previous one.
fn btf_ids_that_overlap(size: usize) -> Vec<u8> {
    let mut elf = ElfBlob { machine: 62, ..bpf() };
    elf.section(".BTF", int().build());
    let words: Vec<u8> = (0..size / 2 / 4).flat_map(|at| elf.u32((size / 2 / 4 - at - 1) as u32)).collect();
    let section = elf.section(".BTF_ids", words);
    (0..size / 2 / 40).for_each(|at| {
        let name = format!("__BTF_ID__set__s{at}").leak();
        elf.variable(name, section, at as u64 * 4);
    });
    elf.build()
}

/// Returns BTF with the definition of an ARRAY map, a struct of `size` bytes, and its
/// id, 4.
fn definition(size: u32) -> (Blob, u32) {
    let mut blob = int();
    let (own, name) = (blob.string("map"), blob.string("type"));
    blob.record(0, ARRAY, 0, false, 0, &[1, 1, 2]).ptr(2).record(own, STRUCT, 1, false, size, &[name, 3, 0]);
    (blob, 4)
}

/// Returns an object with a map of each type. Each map has `each` bytes, and its own
/// name and symbol.
fn maps(mut blob: Blob, types: &[u32], each: u32) -> Vec<u8> {
    let first = btf_types::Btf::parse(blob.build()).expect("it is sound").type_count();
    let count = types.len() as u32;
    let names: Vec<&'static str> = (0..count).map(|at| &*format!("m{at:06}").leak()).collect();
    for (name, ty) in names.iter().zip(types) {
        let name = blob.string(name);
        blob.record(name, VAR, 0, false, *ty, &[1]);
    }
    let section = blob.string(".maps");
    let entries: Vec<u32> = (0..count).flat_map(|at| [first + at, 0, each]).collect();
    blob.record(section, DATASEC, count, false, 0, &entries);
    object(&blob, |elf| {
        let section = elf.section(".maps", vec![0; (count * each) as usize]);
        for (at, name) in names.iter().enumerate() {
            elf.variable(name, section, at as u64 * u64::from(each));
        }
    })
}

/// Returns an object whose `.maps` DATASEC lists one variable `count` times, at
/// distances of `each` bytes.
fn repeated(name: &str, count: u32, each: u32) -> Vec<u8> {
    let (mut blob, definition) = definition(each);
    let name: &'static str = name.to_owned().leak();
    let (own, section) = (blob.string(name), blob.string(".maps"));
    blob.record(own, VAR, 0, false, definition, &[1]);
    let entries: Vec<u32> = (0..count).flat_map(|at| [definition + 1, at * each, each]).collect();
    blob.record(section, DATASEC, count, false, count * each, &entries);
    object(&blob, |elf| {
        let section = elf.section(".maps", vec![0; (count * each).max(8) as usize]);
        elf.variable(name, section, 0);
    })
}

fn maps_of_no_size(size: usize) -> Vec<u8> {
    repeated("m", (size / 12) as u32, 0)
}

fn maps_of_one_variable(size: usize) -> Vec<u8> {
    repeated("m", (size / 20) as u32, 8)
}

fn maps_of_one_definition(size: usize) -> Vec<u8> {
    let (blob, definition) = definition(8);
    maps(blob, &vec![definition; size / 76], 8)
}

fn maps_of_one_long_name(size: usize) -> Vec<u8> {
    repeated(&"m".repeat(size / 4), (size / 2 / 20) as u32, 8)
}

/// Makes maps of maps that share one inner definition.
fn maps_in_maps(size: usize) -> Vec<u8> {
    let (mut blob, inner) = definition(8);
    let (kind, values) = (blob.string("type"), blob.string("values"));
    // Map type 12, ARRAY_OF_MAPS.
    blob.record(0, ARRAY, 0, false, 0, &[1, 1, 12]).ptr(5);
    blob.ptr(inner).record(0, ARRAY, 0, false, 0, &[7, 1, 0]);
    let count = (size / 120) as u32;
    (0..count).for_each(|_| _ = blob.record(0, STRUCT, 2, false, 8, &[kind, 6, 0, values, 8, 64]));
    maps(blob, &(0..count).map(|at| at + 9).collect::<Vec<_>>(), 8)
}

/// Makes a map of programs with many relocations for its values.
fn maps_of_many_values(size: usize) -> Vec<u8> {
    let mut blob = int();
    let (kind, values, name, section) =
        (blob.string("type"), blob.string("values"), blob.string("m"), blob.string(".maps"));
    // Map type 3, PROG_ARRAY, whose values are pointers to functions.
    blob.record(0, ARRAY, 0, false, 0, &[1, 1, 3]).ptr(2).record(0, 13, 0, false, 1, &[]).ptr(4);
    blob.record(0, ARRAY, 0, false, 0, &[5, 1, 0]).record(0, STRUCT, 2, false, 8, &[kind, 3, 0, values, 6, 64]);
    blob.record(name, VAR, 0, false, 7, &[1]);
    let len = (size / 4) as u32;
    blob.record(section, DATASEC, 1, false, len, &[8, 0, len]);
    object(&blob, |elf| {
        let section = elf.section(".maps", vec![0; len as usize]);
        let relocations = (0..size / 2 / 16).flat_map(|_| elf.relocation(8, 1, 1)).collect();
        table(elf, section, 0, relocations);
        elf.variable("m", section, 0);
    })
}

/// Makes map definitions that share one key type, a struct of many members.
fn maps_of_one_key(size: usize) -> Vec<u8> {
    let mut blob = int();
    let count = (size / 2 / 12) as u32;
    let (kind, key) = (blob.string("type"), blob.string("key"));
    blob.record(0, STRUCT, count, false, 8, &[key, 1, 0].repeat(count as usize)).ptr(2);
    blob.record(0, ARRAY, 0, false, 0, &[1, 1, 2]).ptr(4);
    let definitions = (size / 2 / 120) as u32;
    (0..definitions).for_each(|_| _ = blob.record(0, STRUCT, 2, false, 16, &[kind, 5, 0, key, 3, 64]));
    maps(blob, &(0..definitions).map(|at| at + 6).collect::<Vec<_>>(), 16)
}

/// Makes map definitions that share one key type, 60 nested arrays.
fn maps_of_large_keys(size: usize) -> Vec<u8> {
    let mut blob = int();
    let (kind, key) = (blob.string("type"), blob.string("key"));
    (1..=60).for_each(|id| _ = blob.record(0, ARRAY, 0, false, 0, &[id, 1, 1]));
    blob.record(0, PTR, 0, false, 61, &[]).record(0, ARRAY, 0, false, 0, &[1, 1, 2]).ptr(63);
    let definitions = (size / 120) as u32;
    (0..definitions).for_each(|_| _ = blob.record(0, STRUCT, 2, false, 16, &[kind, 64, 0, key, 62, 64]));
    maps(blob, &(0..definitions).map(|at| at + 65).collect::<Vec<_>>(), 16)
}

#[cfg(test)]
mod tests {
    use btf_elf::{BpfObject, Elf, Machine};

    use super::*;

    /// Shapes that are rejected as a whole, as too many sections overlap.
    const REFUSED: [&str; 2] = ["many_relocation_tables_that_overlap", "many_sections_that_overlap"];

    /// A shape that is rejected at once proves nothing.
    #[test]
    fn objects_are_what_they_are_named_after() {
        for shape in OBJECTS {
            let file = (shape.make)(4096).remove(0);
            let elf = match Elf::parse(file.clone()) {
                Err(btf_elf::Error::SectionsOverlap { .. }) => {
                    assert!(REFUSED.contains(&shape.name), "{}", shape.name);
                    continue;
                }
                elf => elf.unwrap_or_else(|error| panic!("{}: {error}", shape.name)),
            };
            assert!(!REFUSED.contains(&shape.name), "{}", shape.name);
            let sections = elf.sections().filter(|section| section.relocations().is_ok_and(|list| !list.is_empty()));
            assert_eq!(sections.count() > 0, shape.name.contains("relocation") || shape.name.contains("values"));
            if elf.machine() != Machine::BPF {
                continue;
            }
            let object = BpfObject::parse(file).unwrap_or_else(|error| panic!("{}: {error}", shape.name));
            match object.maps() {
                // All of its maps are at the same offset.
                Err(error) if shape.name == "maps_of_no_size" => {
                    assert!(error.to_string().contains("overlap"), "{error}");
                }
                maps => {
                    let maps = maps.unwrap_or_else(|error| panic!("{}: {error}", shape.name));
                    let many = if shape.name == "maps_of_many_values" { 1 } else { 10 };
                    let expected = if shape.name.starts_with("maps") { many } else { 0 };
                    assert!(maps.len() >= expected, "{}: {}", shape.name, maps.len());
                }
            }
        }
    }
}

//! btf-elf: files, and BPF objects.

use btf_elf::{BpfObject, BtfFile, Compression, Elf, Limits, Section};
use btf_tests::{
    packed,
    shapes::{Shape, btf, elf},
};

use crate::case::{Cost, Entry, Input, Meter, cost};

const SIZE: usize = 32 << 10;

/// Returns an entry point that is given ELF files.
const fn object(name: &'static str, run: fn(&Input, &mut Meter), most: Cost) -> Entry {
    Entry { name, shapes: &[elf::OBJECTS], size: SIZE, run, most }
}

/// Ratio of the decompressed to the requested size.
const ZEROS_TIMES: usize = 256;

/// Shapes of compressed zeros, one per format.
const ZEROS: &[Shape] = &[
    Shape { name: "zeros_in_gzip", make: |size| zeros(Compression::Gzip, size), packed: ZEROS_TIMES },
    Shape { name: "zeros_in_zlib", make: |size| zeros(Compression::Zlib, size), packed: ZEROS_TIMES },
    Shape { name: "zeros_in_bzip2", make: |size| zeros(Compression::Bzip2, size), packed: ZEROS_TIMES },
    Shape { name: "zeros_in_xz", make: |size| zeros(Compression::Xz, size), packed: ZEROS_TIMES },
    Shape { name: "zeros_in_lzma", make: |size| zeros(Compression::Lzma, size), packed: ZEROS_TIMES },
    Shape { name: "zeros_in_zstd", make: |size| zeros(Compression::Zstd, size), packed: ZEROS_TIMES },
    Shape { name: "zeros_in_lz4", make: |size| zeros(Compression::Lz4, size), packed: ZEROS_TIMES },
];

fn zeros(compression: Compression, size: usize) -> Vec<Vec<u8>> {
    vec![packed::zeros(compression, (size * ZEROS_TIMES) as u64)]
}

pub(crate) const ENTRIES: &[Entry] = &[
    object("Elf::sections", sections, cost(1, 2, 2)),
    object("Elf::symbols", symbols, cost(4, 5, 3)),
    object("Section::relocations", relocations, cost(6, 5, 4)),
    object("Elf::btf, fixup", fixup, cost(14, 10, 8)),
    object("Elf::btf_ids", btf_ids, cost(3, 4, 3)),
    object("BpfObject::parse", |input, _| _ = BpfObject::parse(input.one().to_vec()), cost(20, 10, 10)),
    object("BpfObject::programs", programs, cost(20, 10, 10)),
    object("BpfObject::maps", maps, cost(28, 12, 12)),
    object("BpfObject::data_sections", data_sections, cost(14, 12, 10)),
    Entry { name: "BtfFile::parse", shapes: &[btf::ALONE, elf::OBJECTS], size: SIZE, run: file, most: cost(4, 5, 3) },
    Entry {
        name: "BtfFile::parse, packed",
        shapes: &[ZEROS],
        size: SIZE,
        run: file,
        most: Cost { steps: 4, allocated: 5, peak: 3 },
    },
    Entry { name: "Compression::decode", shapes: &[ZEROS], size: SIZE, run: decode, most: cost(1, 3, 1) },
];

/// Opens the file; `None` if it is rejected.
fn elf(input: &Input) -> Option<Elf> {
    Elf::parse(input.one().to_vec()).ok()
}

fn sections(input: &Input, meter: &mut Meter) {
    let Some(elf) = elf(input) else { return };
    for section in elf.sections() {
        meter.write(section.name().as_bytes().len());
        if let Ok(data) = section.data() {
            meter.write(data.len());
        }
    }
    for name in [".BTF", "none", "n"] {
        meter.call();
        let _ = elf.section(name).map(Section::index);
    }
}

fn symbols(input: &Input, meter: &mut Meter) {
    let Some(elf) = elf(input) else { return };
    let Ok(symbols) = elf.symbols() else { return };
    for symbol in symbols {
        meter.write(symbol.name().as_bytes().len() + symbol.section().map_or(0, |of| of.name().as_bytes().len()));
    }
}

fn relocations(input: &Input, meter: &mut Meter) {
    let Some(elf) = elf(input) else { return };
    for section in elf.sections() {
        let Ok(relocations) = section.relocations() else { continue };
        if !relocations.is_empty() {
            meter.call();
        }
        meter.write(relocations.iter().map(|relocation| relocation.name().as_bytes().len()).sum());
    }
}

fn fixup(input: &Input, meter: &mut Meter) {
    let Some(elf) = elf(input) else { return };
    let Ok(btf) = elf.btf() else { return };
    let Ok(fixup) = elf.datasec_fixups(&btf) else { return };
    for fault in fixup.faults() {
        meter.show(fault);
    }
    meter.write(fixup.btf_lenient().map_or(0, |btf| btf.as_bytes().len()));
}

fn btf_ids(input: &Input, meter: &mut Meter) {
    let Some(elf) = elf(input) else { return };
    let Ok(Some(ids)) = elf.btf_ids() else { return };
    meter.write(size_of_val(ids.ids()));
    meter.write(ids.sets().map(|set| size_of_val(&set) + set.ids().len() * 4).sum());
}

fn programs(input: &Input, meter: &mut Meter) {
    let Ok(object) = BpfObject::parse(input.one().to_vec()) else { return };
    for program in object.programs() {
        meter.write(program.name().as_bytes().len());
        for function in program.functions().into_iter().flatten() {
            meter.write(size_of_val(&function) + function.name().as_bytes().len());
        }
        meter.write(program.instructions().map_or(0, |instructions| instructions.as_bytes().len()));
        meter.write(program.relocations().map_or(0, |list| list.len() * 32));
    }
    let _ = object.btf_ext().map(|ext| ext.map(|ext| ext.func_infos().count()));
    let _ = (object.license().is_ok(), object.program("none").is_none());
}

fn maps(input: &Input, meter: &mut Meter) {
    let Ok(object) = BpfObject::parse(input.one().to_vec()) else { return };
    match object.maps() {
        Ok(maps) => maps.iter().for_each(|map| meter.write(map.name().as_bytes().len() + map.values().len() * 24)),
        Err(error) => meter.show(error),
    }
}

fn data_sections(input: &Input, meter: &mut Meter) {
    let Ok(object) = BpfObject::parse(input.one().to_vec()) else { return };
    for section in object.data_sections() {
        meter.write(section.contents().ok().flatten().map_or(0, |bytes| bytes.len()));
        for variable in section.variables().into_iter().flatten() {
            meter.write(size_of_val(&variable) + variable.name().as_bytes().len());
        }
    }
    let _ = object.data_section("none").is_none();
}

fn file(input: &Input, meter: &mut Meter) {
    let Ok(file) = BtfFile::parse(input.one().to_vec()) else { return };
    meter.write(file.btf_bytes().map_or(0, |bytes| bytes.len()));
    let _ = file.btf().is_ok();
}

fn decode(input: &Input, meter: &mut Meter) {
    let Some(compression) = Compression::detect(input.one()) else { return };
    meter.write(compression.decode(input.one(), &Limits::IMAGE).map_or(0, |decoded| decoded.len()));
}

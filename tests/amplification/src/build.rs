//! btf-build: BTF made from other BTF, and encoding for a kernel.

use btf_build::{Builder, Encode, Error, Merge, Subset, Verify, dedup, distill, permute, sanitize, sort};
use btf_format::{ByteOrder, FeatureSet, KernelVersion, RawBtf, Word};
use btf_tests::{
    rebuild::{is_buildable, rebuild},
    shapes::btf,
};
use btf_types::{Btf, Composite, Type, View};

use crate::{
    case::{Cost, Entry, Input, Meter, cost},
    types::{parse, some, stack},
};

const SIZE: usize = 32 << 10;

/// Returns an entry point that is given BTF without a base.
const fn alone(name: &'static str, run: fn(&Input, &mut Meter), most: Cost) -> Entry {
    Entry { name, shapes: &[btf::ALONE], size: SIZE, run, most }
}

/// Returns an entry point that is given split BTF and its bases.
const fn split(name: &'static str, run: fn(&Input, &mut Meter), most: Cost) -> Entry {
    Entry { name, shapes: &[btf::SPLITS, btf::STACKS], size: SIZE, run, most }
}

pub(crate) const ENTRIES: &[Entry] = &[
    // Smaller, as a name is passed once per use.
    Entry { size: SIZE / 4, ..alone("Builder", by_hand, cost(32, 12, 5)) },
    alone("Builder::append", append, cost(20, 8, 4)),
    alone("Builder::copy", |input, meter| copy(input, meter, |builder, ty| builder.copy(ty)), cost(16, 8, 4)),
    alone(
        "Builder::copy_reachable",
        |input, meter| copy(input, meter, |builder, ty| builder.copy_reachable(ty)),
        cost(24, 16, 4),
    ),
    alone(
        "Builder::copy_shallow",
        |input, meter| copy(input, meter, |builder, ty| builder.copy_shallow(ty)),
        cost(32, 16, 4),
    ),
    alone("Encode::encode", encode, cost(5, 3, 1)),
    alone("Encode::encode, sanitized", encode_sanitized, cost(56, 64, 20)),
    alone("sanitize", sanitized, cost(80, 112, 40)),
    alone("Verify::verify", verify, cost(12, 5, 2)),
    alone("Subset", subset, cost(56, 16, 8)),
    alone("sort", |input, _| drop(sort(&parse(input))), cost(80, 16, 6)),
    alone("dedup", |input, _| drop(dedup(&parse(input))), cost(256, 40, 16)),
    alone("permute", reverse, cost(24, 10, 5)),
    split("Merge", merge, cost(8, 4, 2)),
    split("dedup, split", |input, _| drop(dedup(&stack(input))), cost(112, 28, 24)),
    split("distill", |input, _| drop(distill(&stack(input))), cost(40, 28, 20)),
    split("Verify::verify_module", verify_module, cost(20, 20, 20)),
    split("Builder::copy_reachable, split", copy_split, cost(32, 16, 5)),
];

fn by_hand(input: &Input, meter: &mut Meter) {
    let btf = parse(input);
    assert!(is_buildable(&btf));
    meter.call();
    meter.read(names_len(&btf));
    drop(rebuild(&btf));
}

/// Returns the total length of all names in bytes, counted once per use.
fn names_len(btf: &Btf) -> usize {
    let raw = RawBtf::parse(btf.as_bytes()).expect("it was opened");
    let mut len = 0;
    for record in raw.records() {
        record.expect("it was opened").for_each_field(|field, offset| {
            if field.holds == Word::Name {
                len += raw.strings().get(offset).map_or(0, |name| name.as_bytes().len());
            }
        });
    }
    len
}

fn append(input: &Input, meter: &mut Meter) {
    let btf = parse(input);
    let mut builder = Builder::new();
    for _ in 0..2 {
        meter.call();
        builder.append(&btf).expect("it is of the same order");
    }
    drop(builder.finish());
}

/// Copies some types, each to a separate builder.
fn copy(input: &Input, meter: &mut Meter, copy: fn(&mut Builder, Type<'_>) -> Result<u32, Error>) {
    let btf = parse(input);
    for ty in some(&btf) {
        meter.call();
        let mut builder = Builder::new();
        if copy(&mut builder, ty).is_ok() {
            drop(builder.finish());
        }
    }
}

fn copy_split(input: &Input, meter: &mut Meter) {
    let top = stack(input);
    for ty in some(&top) {
        meter.call();
        let mut builder = Builder::new();
        if builder.copy_reachable(ty).is_ok() {
            drop(builder.finish());
        }
    }
}

/// Encodes for each byte order, with a layout, and for an old kernel.
fn encode(input: &Input, meter: &mut Meter) {
    let btf = parse(input);
    for encode in [
        Encode::new().byte_order(ByteOrder::Little),
        Encode::new().byte_order(ByteOrder::Big),
        Encode::new().layout(true),
        Encode::new().for_kernel(KernelVersion::new(5, 4)),
    ] {
        meter.call();
        drop(encode.encode(&btf));
    }
}

fn encode_sanitized(input: &Input, meter: &mut Meter) {
    let btf = parse(input);
    for version in [KernelVersion::new(4, 18), KernelVersion::new(5, 16)] {
        meter.call();
        drop(Encode::new().for_kernel(version).sanitize(true).encode(&btf));
    }
}

fn sanitized(input: &Input, meter: &mut Meter) {
    let btf = parse(input);
    for version in [KernelVersion::new(4, 18), KernelVersion::new(5, 4), KernelVersion::new(6, 18)] {
        meter.call();
        drop(sanitize(&btf, FeatureSet::of(version)));
    }
}

fn verify(input: &Input, meter: &mut Meter) {
    for version in [KernelVersion::new(5, 4), KernelVersion::new(6, 18)] {
        meter.call();
        if let Err(reject) = Verify::kernel(version).verify(input.one()) {
            meter.show(reject);
        }
    }
}

/// Verifies the topmost layer as the BTF of a module.
fn verify_module(input: &Input, meter: &mut Meter) {
    let top = stack(input);
    let Some(base) = top.base() else { return };
    if let Err(reject) = Verify::kernel(KernelVersion::new(6, 18)).verify_module(top.as_bytes(), base) {
        meter.show(reject);
    }
}

/// Takes the subset of all types with every other member.
fn subset(input: &Input, _: &mut Meter) {
    let btf = parse(input);
    let mut subset = Subset::new();
    let part = subset.add(&btf);
    for ty in btf.types() {
        subset.keep(part, ty.id());
        let members = Composite::of(ty).map_or(0, |composite| composite.members().len());
        (0..members as u32).step_by(2).for_each(|member| _ = subset.keep_member(part, ty.id(), member));
    }
    drop(subset.finish());
}

fn reverse(input: &Input, _: &mut Meter) {
    let btf = parse(input);
    let order: Vec<u32> = btf.own_ids().rev().collect();
    drop(permute(&btf, &order));
}

/// Merges all layers, each added after the one that it is split from.
fn merge(input: &Input, meter: &mut Meter) {
    let top = stack(input);
    let mut layers: Vec<&Btf> = top.layers().collect();
    layers.reverse();
    let mut merge = Merge::new();
    for layer in layers {
        // It reads the layer and all below, and returns new ids for all of them.
        meter.read(layer.layers().map(|below| below.as_bytes().len()).sum());
        merge.add(layer).expect("its base was added");
    }
    drop(merge.finish());
}

//! btf-build: BTF out of other BTF, and the bytes for a kernel.

use btf_build::{Builder, Encode, Error, Merge, dedup, distill, permute, sort};
use btf_format::{ByteOrder, KernelVersion};
use btf_tests::{
    rebuild::{is_buildable, rebuild},
    shapes::btf,
};
use btf_types::{Btf, Type};

use crate::{
    case::{Cost, Entry, Input, Meter},
    types::{parse, some, stack},
};

const SIZE: usize = 32 << 10;

/// An entry point that is given BTF that stands alone.
const fn alone(name: &'static str, run: fn(&Input, &mut Meter), most: Cost) -> Entry {
    Entry { name, shapes: &[btf::ALONE], size: SIZE, run, most }
}

/// An entry point that is given split BTF and its bases.
const fn split(name: &'static str, run: fn(&Input, &mut Meter), most: Cost) -> Entry {
    Entry { name, shapes: &[btf::SPLITS, btf::STACKS], size: SIZE, run, most }
}

pub(crate) const ENTRIES: &[Entry] = &[
    alone("Builder", by_hand, Cost { steps: 64, allocated: 16, peak: 8 }),
    alone("Builder::append", append, Cost { steps: 48, allocated: 12, peak: 8 }),
    alone(
        "Builder::copy",
        |input, meter| copy(input, meter, |builder, ty| builder.copy(ty)),
        Cost { steps: 48, allocated: 12, peak: 8 },
    ),
    alone(
        "Builder::copy_reachable",
        |input, meter| copy(input, meter, |builder, ty| builder.copy_reachable(ty)),
        Cost { steps: 48, allocated: 12, peak: 8 },
    ),
    alone(
        "Builder::copy_shallow",
        |input, meter| copy(input, meter, |builder, ty| builder.copy_shallow(ty)),
        Cost { steps: 48, allocated: 12, peak: 8 },
    ),
    alone("Encode::encode", encode, Cost { steps: 16, allocated: 8, peak: 4 }),
    alone("sort", |input, _| drop(sort(&parse(input))), Cost { steps: 64, allocated: 16, peak: 10 }),
    alone("dedup", |input, _| drop(dedup(&parse(input))), Cost { steps: 256, allocated: 48, peak: 24 }),
    alone("permute", reverse, Cost { steps: 48, allocated: 12, peak: 8 }),
    split("Merge", merge, Cost { steps: 64, allocated: 16, peak: 10 }),
    split("dedup, split", |input, _| drop(dedup(&stack(input))), Cost { steps: 256, allocated: 48, peak: 24 }),
    split("distill", |input, _| drop(distill(&stack(input))), Cost { steps: 64, allocated: 16, peak: 10 }),
    split("Builder::copy_reachable, split", copy_split, Cost { steps: 64, allocated: 16, peak: 10 }),
];

fn by_hand(input: &Input, _: &mut Meter) {
    let btf = parse(input);
    assert!(is_buildable(&btf));
    drop(rebuild(&btf));
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

/// Copies some types, each to a builder of its own.
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

/// For each byte order, with and without a layout, for an old kernel.
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

fn reverse(input: &Input, _: &mut Meter) {
    let btf = parse(input);
    let order: Vec<u32> = btf.own_ids().rev().collect();
    drop(permute(&btf, &order));
}

/// All layers as one, each added after the one that it is split from.
fn merge(input: &Input, _: &mut Meter) {
    let top = stack(input);
    let mut layers: Vec<&Btf> = top.layers().collect();
    layers.reverse();
    let mut merge = Merge::new();
    for layer in layers {
        merge.add(layer).expect("its base was added");
    }
    drop(merge.finish());
}

//! btf-format: parsing and converting bytes.

use btf_format::{ByteOrder, RawBtf, RawBtfExt, convert, convert_ext};
use btf_tests::shapes::{btf, ext};

use crate::case::{Entry, Input, Meter, cost};

pub(crate) const ENTRIES: &[Entry] = &[
    Entry { name: "RawBtf::parse, records", shapes: &[btf::ALONE], size: 32 << 10, run: walk, most: cost(5, 0, 0) },
    Entry { name: "convert", shapes: &[btf::ALONE], size: 32 << 10, run: swap, most: cost(2, 1, 1) },
    Entry {
        name: "RawBtfExt::parse, convert_ext",
        shapes: &[ext::PAIRS],
        size: 32 << 10,
        run: ext,
        most: cost(2, 1, 1),
    },
];

fn walk(input: &Input, _: &mut Meter) {
    let blob = input.one();
    let raw = RawBtf::parse(blob).expect("shapes are sound");
    let mut fields = 0;
    for record in raw.records() {
        record.expect("shapes are sound").for_each_field(|_, _| fields += 1);
    }
    let strings: usize = raw.strings().iter().map(|(_, name)| name.as_bytes().len() + 1).sum();
    assert!(fields > 0 && strings == raw.strings().as_bytes().len());
}

fn swap(input: &Input, meter: &mut Meter) {
    let blob = input.one();
    let mut copy = blob.to_vec();
    for order in [ByteOrder::NATIVE.swapped(), ByteOrder::NATIVE] {
        convert(&mut copy, order).expect("shapes are sound");
        meter.write(copy.len());
    }
    assert_eq!(copy, blob);
}

fn ext(input: &Input, meter: &mut Meter) {
    let [_, blob] = input.parts();
    let raw = RawBtfExt::parse(blob).expect("shapes are sound");
    let records = raw.func_infos().map(|block| block.records().len()).sum::<usize>()
        + raw.line_infos().map(|block| block.records().len()).sum::<usize>()
        + raw.core_relos().map(|block| block.records().len()).sum::<usize>();
    assert!(records > 2);
    let mut copy = blob.to_vec();
    for order in [ByteOrder::NATIVE.swapped(), ByteOrder::NATIVE] {
        convert_ext(&mut copy, order).expect("shapes are sound");
        meter.write(copy.len());
    }
    assert_eq!(copy, blob);
}

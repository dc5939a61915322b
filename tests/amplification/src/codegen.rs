//! btf-codegen: C headers and Rust types.

use btf_codegen::{Error, c::Header, rust::Types};
use btf_tests::shapes::btf;
use btf_types::Btf;

use crate::{
    case::{Entry, Input, Meter, cost},
    types::some,
};

const SIZE: usize = 16 << 10;

pub(crate) const ENTRIES: &[Entry] = &[
    Entry {
        name: "c::Header",
        shapes: &[btf::ALONE],
        size: SIZE,
        run: |input, meter| write(&Header::new(), input, meter),
        most: cost(2560, 40, 20),
    },
    Entry {
        name: "c::Header, asserts",
        shapes: &[btf::ALONE],
        size: SIZE,
        run: |input, meter| write(&Header::new().static_asserts(true), input, meter),
        most: cost(2560, 40, 20),
    },
    Entry {
        name: "c::Header, unsorted",
        shapes: &[btf::ALONE],
        size: SIZE,
        run: |input, meter| write(&Header::new().unsorted(true), input, meter),
        most: cost(192, 8, 6),
    },
    Entry { name: "c::Header::definition", shapes: &[btf::ALONE], size: SIZE, run: pieces, most: cost(256, 384, 320) },
    Entry { name: "rust::Types", shapes: &[btf::ALONE], size: SIZE, run: rust, most: cost(320, 192, 32) },
];

fn write(header: &Header, input: &Input, meter: &mut Meter) {
    let btf = Btf::parse(input.one().to_vec()).expect("shapes are sound");
    match header.write(&btf, meter) {
        Ok(()) | Err(Error::Cycle { .. } | Error::TooDeep { .. } | Error::TooComplex { .. }) => {}
        Err(error) => panic!("{error}"),
    }
}

fn pieces(input: &Input, meter: &mut Meter) {
    let btf = Btf::parse(input.one().to_vec()).expect("shapes are sound");
    for ty in some(&btf) {
        for text in [Header::new().definition(ty), Header::new().declaration(ty, "name")] {
            meter.call();
            meter.write(text.map_or(0, |text| text.len()));
        }
    }
}

fn rust(input: &Input, meter: &mut Meter) {
    let btf = Btf::parse(input.one().to_vec()).expect("shapes are sound");
    if let Err(error) = Types::new().write(&btf, meter) {
        meter.show(error);
    }
}

//! btf-codegen: headers, and types of Rust.

use btf_codegen::{Error, c::Header, rust::Types};
use btf_tests::shapes::btf;
use btf_types::Btf;

use crate::{
    case::{Cost, Entry, Input, Meter},
    types::some,
};

const SIZE: usize = 16 << 10;

pub(crate) const ENTRIES: &[Entry] = &[
    Entry {
        name: "c::Header",
        shapes: &[btf::ALONE],
        size: SIZE,
        run: |input, meter| write(&Header::new(), input, meter),
        most: MOST,
    },
    Entry {
        name: "c::Header, asserts",
        shapes: &[btf::ALONE],
        size: SIZE,
        run: |input, meter| write(&Header::new().static_asserts(true), input, meter),
        most: MOST,
    },
    Entry {
        name: "c::Header, unsorted",
        shapes: &[btf::ALONE],
        size: SIZE,
        run: |input, meter| write(&Header::new().unsorted(true), input, meter),
        most: MOST,
    },
    Entry { name: "c::Header::definition", shapes: &[btf::ALONE], size: SIZE, run: pieces, most: MOST },
    Entry { name: "rust::Types", shapes: &[btf::ALONE], size: SIZE, run: rust, most: MOST },
];

/// A budget in proportion to the input is spent on what leads nowhere.
const MOST: Cost = Cost { steps: 400, allocated: 24, peak: 12 };

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

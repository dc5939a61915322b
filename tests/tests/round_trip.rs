//! Every fixture, in both byte orders: what goes in comes out, and all of it
//! can be asked about.

#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "tests")]

use btf_format::{ByteOrder, RawBtf, convert};
use btf_tests::{
    fixtures::{self, RawFixture},
    walk,
};
use btf_types::Btf;

fn open(fixture: &RawFixture, swapped: bool) -> Btf {
    let read = |name: &str| {
        let mut bytes = fixtures::read(name);
        if swapped {
            let order = RawBtf::parse(&bytes).map_or(ByteOrder::NATIVE.swapped(), |_| ByteOrder::NATIVE);
            convert(&mut bytes, order.swapped()).unwrap_or_else(|error| panic!("{name}: {error}"));
        }
        bytes
    };
    let opened = match &fixture.base {
        None => Btf::parse(read(&fixture.name)),
        Some(base) => Btf::parse_split(read(&fixture.name), &Btf::parse(read(base)).expect("the base opens")),
    };
    opened.unwrap_or_else(|error| panic!("{}: {error}", fixture.name))
}

#[test]
fn btf_is_written_again_in_either_byte_order() {
    let fixtures = fixtures::raw_btf();
    assert!(fixtures.len() > 40, "the fixtures are there");
    for fixture in fixtures {
        let bytes = fixtures::read(&fixture.name);
        let btf = open(&fixture, false);
        assert_eq!(btf.to_bytes(btf.byte_order()).unwrap(), bytes, "{}", fixture.name);

        let other = open(&fixture, true);
        assert_eq!(other.byte_order(), btf.byte_order().swapped(), "{}", fixture.name);
        assert_eq!(other.as_bytes(), btf.as_bytes(), "{}", fixture.name);
        assert_eq!(other.to_bytes(btf.byte_order()).unwrap(), bytes, "{}", fixture.name);
    }
}

#[test]
fn everything_can_be_asked() {
    for fixture in fixtures::raw_btf() {
        let btf = open(&fixture, false);
        assert_eq!(walk::everything(&btf) == 0, btf.types().len() == 0, "{}", fixture.name);
    }
}

#[test]
fn records_and_strings_use_up_their_sections() {
    for fixture in fixtures::raw_btf() {
        let mut bytes = fixtures::read(&fixture.name);
        convert(&mut bytes, ByteOrder::NATIVE).unwrap();
        let raw = RawBtf::parse(&bytes).unwrap();
        let types: usize = raw.records().map(|record| record.unwrap().as_bytes().len()).sum();
        assert_eq!(types, raw.types().len(), "{}", fixture.name);
        let strings: usize = raw.strings().iter().map(|(_, name)| name.as_bytes().len() + 1).sum();
        assert_eq!(strings, raw.strings().as_bytes().len(), "{}", fixture.name);
    }
}

/// Ids and counts as `bpftool btf dump file` ends with.
#[test]
fn the_kernels_have_as_many_types_as_bpftool_says() {
    let count = |release: &str, name: &str| {
        let base = (name != "vmlinux").then(|| format!("kernels/{release}/vmlinux.btf"));
        open(&RawFixture { name: format!("kernels/{release}/{name}.btf"), base }, false).type_count()
    };
    for (release, vmlinux, veth) in COUNTS {
        assert_eq!(count(release, "vmlinux"), vmlinux, "{release}");
        assert_eq!(count(release, "veth"), veth, "{release}");
    }
    assert_eq!(count(fixtures::SORTED, "cast_common"), COUNTS[1].1, "a bare header has no types");
}

/// Release, types of vmlinux, types of veth and its base: one more than the
/// last id, for `void`.
const COUNTS: [(&str, u32, u32); 3] = [
    (fixtures::UNSORTED, 95_247, 95_342),
    (fixtures::SORTED, 121_185, 121_280),
    (fixtures::BIG_ENDIAN, 93_593, 94_506),
];

//! BTF rewritten for older kernels: what comes out is what those accept.

#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "tests")]

mod records;

use btf_build::{Encode, Error, Verify, sanitize, verify};
use btf_elf::BpfObject;
use btf_format::{Feature, FeatureSet, KernelVersion};
use btf_tests::{blob::Blob, fixtures, skip};
use btf_types::{Btf, Kind};
use proptest::prelude::*;
use records::{blob, record};

/// The first versions with other rules than the one before.
const VERSIONS: [(u16, u16); 19] = [
    (4, 18),
    (5, 0),
    (5, 2),
    (5, 5),
    (5, 6),
    (5, 11),
    (5, 12),
    (5, 13),
    (5, 16),
    (5, 17),
    (5, 18),
    (6, 0),
    (6, 1),
    (6, 4),
    (6, 9),
    (6, 15),
    (6, 18),
    (7, 1),
    (7, 2),
];

fn versions() -> impl Iterator<Item = KernelVersion> {
    VERSIONS.into_iter().map(|(major, minor)| KernelVersion::new(major, minor))
}

/// The BTF of the little-endian objects, as a loader sees it.
fn objects() -> impl Iterator<Item = (String, Btf)> {
    let names = ["bpf/clang-14", "bpf/clang-22"].into_iter().flat_map(fixtures::files);
    names.filter(|name| name.ends_with(".o")).filter_map(|name| {
        let object = BpfObject::parse(fixtures::read(&name)).unwrap();
        let btf = object.datasec_fixups().btf().ok()?;
        (btf.byte_order().is_native() && verify(btf.as_bytes(), KernelVersion::new(6, 18)).is_ok())
            .then_some((name, btf))
    })
}

#[test]
fn every_kernel_accepts_objects_that_are_sanitized_for_it() {
    let mut rewritten = 0;
    for (name, btf) in objects() {
        for version in versions() {
            let plain = sanitize(&btf, FeatureSet::of(version)).unwrap();
            assert_eq!(verify(plain.as_bytes(), version), Ok(()), "{name} for {version}");
            assert!(plain.type_count() >= btf.type_count());
            // Once is enough.
            let again = sanitize(&plain, FeatureSet::of(version)).unwrap();
            assert!(again.as_bytes() == plain.as_bytes(), "{name} for {version}");
            rewritten += usize::from(plain.as_bytes() != btf.as_bytes());
            let encoded = Encode::new().for_kernel(version).sanitize(true).encode(&btf).unwrap();
            assert_eq!(verify(&encoded, version), Ok(()), "{name} for {version}");
            let again = Encode::new().for_kernel(version).encode(&Btf::parse(encoded.clone()).unwrap());
            assert!(again.unwrap() == encoded, "{name} for {version}: nothing is left to be sanitized");
        }
    }
    assert!(rewritten > 200, "{rewritten}");
}

#[test]
fn what_the_kernel_knows_stays_as_it_is() {
    for (name, btf) in objects() {
        let same = sanitize(&btf, FeatureSet::ALL).unwrap();
        assert_eq!(same.as_bytes(), btf.as_bytes(), "{name}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn the_running_kernel_loads_objects_that_are_sanitized_for_any() {
    match btf_kernel::is_supported(Feature::Btf) {
        Ok(true) => {}
        Ok(false) => return skip("this kernel has no BTF"),
        Err(error) => return skip(format!("{error}: run as root")),
    }
    for (name, btf) in objects() {
        for version in versions() {
            let plain = sanitize(&btf, FeatureSet::of(version)).unwrap();
            btf_kernel::LoadedBtf::load(&plain).unwrap_or_else(|error| panic!("{name} for {version}: {error}"));
        }
    }
}

/// Sanitizes for a version, and returns the kinds, names, sizes or types by id.
fn rows(blob: &Blob, version: (u16, u16)) -> Vec<(Option<Kind>, String, u32)> {
    let btf = Btf::parse(blob.build()).unwrap();
    let plain = sanitize(&btf, FeatureSet::of(KernelVersion::new(version.0, version.1))).unwrap();
    let row = |ty: btf_types::Type<'_>| (ty.kind(), ty.name().to_string(), ty.record().unwrap().head().size_or_type());
    plain.types().map(row).collect()
}

#[test]
fn each_kind_becomes_one_that_the_kernel_knows() {
    let mut blob = Blob::new();
    blob.int();
    let names = ["f", "v", ".data.x", "tag", "float", "e", "A", "?opt", "a.b"].map(|name| blob.string(name));
    let [f, v, data, tag, float, e, a, optional, dotted] = names;
    blob.record(0, 13, 1, false, 1, &[a, 1]); // 2: FUNC_PROTO
    blob.record(f, 12, 1, false, 2, &[]); // 3: FUNC, global
    blob.record(v, 14, 0, false, 1, &[1]); // 4: VAR
    blob.record(data, 15, 1, false, 8, &[4, 4, 4]); // 5: DATASEC
    blob.record(float, 16, 0, false, 8, &[]); // 6: FLOAT
    blob.record(tag, 17, 0, false, 4, &[u32::MAX]); // 7: DECL_TAG
    blob.record(tag, 18, 0, false, 1, &[]); // 8: TYPE_TAG
    blob.record(e, 19, 1, true, 8, &[a, 1, 1]); // 9: ENUM64, signed
    blob.record(e, 6, 1, true, 4, &[a, u32::MAX]); // 10: ENUM, signed
    blob.record(optional, 15, 0, false, 8, &[]); // 11: DATASEC, empty, optional
    blob.record(dotted, 12, 0, false, 2, &[]); // 12: FUNC with a dot
    let row = |kind, name: &str, third| (Some(kind), name.to_owned(), third);

    let rows_418 = rows(&blob, (4, 18));
    assert_eq!(
        rows_418,
        [
            row(Kind::Int, "int", 4),
            row(Kind::Enum, "", 4),
            row(Kind::Typedef, "f", 2),
            row(Kind::Int, "v", 1),
            row(Kind::Struct, "_data_x", 8),
            row(Kind::Struct, "", 8),
            row(Kind::Int, "tag", 1),
            row(Kind::Const, "", 1),
            row(Kind::Union, "e", 8),
            row(Kind::Enum, "e", 4),
            row(Kind::Struct, "_opt", 8),
            row(Kind::Typedef, "a_b", 2),
            row(Kind::Int, "enum64_placeholder", 1),
        ]
    );
    assert_eq!(rows(&blob, (5, 0))[2], row(Kind::Func, "f", 2));
    assert_eq!(rows(&blob, (5, 6))[10], row(Kind::Struct, "_opt", 8));
    assert_eq!(rows(&blob, (5, 12))[10], row(Kind::Datasec, "_opt", 8));
    assert_eq!(rows(&blob, (5, 12))[11], row(Kind::Func, "a_b", 2));
    assert_eq!(rows(&blob, (6, 9))[10], row(Kind::Datasec, "?opt", 8));
    assert_eq!(rows(&blob, (6, 9))[11], row(Kind::Func, "a.b", 2));
}

#[test]
fn bitfields_become_members_of_integers_of_their_size() {
    let mut blob = Blob::new();
    blob.int();
    let [s, a, b] = ["s", "a", "b"].map(|name| blob.string(name));
    blob.record(s, 4, 3, true, 8, &[a, 1, 3 << 24, b, 1, 5 << 24 | 3, a, 1, 32]);
    let btf = Btf::parse(blob.build()).unwrap();
    let version = KernelVersion::new(4, 18);
    let plain = sanitize(&btf, FeatureSet::of(version)).unwrap();
    assert_eq!(verify(plain.as_bytes(), version), Ok(()));
    let members: Vec<_> = plain
        .find::<btf_types::Struct<'_>>("s")
        .unwrap()
        .members()
        .map(|member| (member.bit_offset(), member.bitfield_size(), member.ty().id()))
        .collect();
    assert_eq!(members.iter().map(|&(offset, _, id)| (offset, id)).collect::<Vec<_>>(), [(0, 3), (3, 4), (32, 1)]);
    let [three, five] = [3, 4].map(|id| plain.type_by_id(id).unwrap().record().unwrap().as_bytes()[12]);
    assert_eq!((three, five), (3, 5));
}

#[test]
fn bitfields_of_enum64_become_those_of_an_integer() {
    let mut blob = Blob::new();
    let [e, value, s, a] = ["e", "V", "s", "a"].map(|name| blob.string(name));
    blob.record(e, 19, 1, true, 8, &[value, 1, 0]);
    blob.record(0, 10, 0, false, 1, &[]);
    blob.record(s, 4, 2, true, 8, &[a, 1, 5 << 24, a, 2, 3 << 24 | 5]);
    assert_eq!(verify(&blob.build(), KernelVersion::new(6, 18)), Ok(()));
    let btf = Btf::parse(blob.build()).unwrap();
    for version in [KernelVersion::new(5, 19), KernelVersion::new(5, 0), KernelVersion::new(4, 18)] {
        let plain = sanitize(&btf, FeatureSet::of(version)).unwrap();
        assert_eq!(verify(plain.as_bytes(), version), Ok(()), "{version}");
        let members: Vec<_> = plain
            .find::<btf_types::Struct<'_>>("s")
            .unwrap()
            .members()
            .map(|member| (member.bit_offset(), member.ty().name().to_string()))
            .collect();
        assert_eq!(members, [(0, "e".into()), (5, "e".into())], "{version}");
    }
}

/// Without bits of its own, an enum of 8 bytes needs 32 bits of a struct with
/// `kind_flag`.
#[test]
fn enums_larger_than_their_struct_become_integers() {
    for (kind, words) in [(19, 2), (6, 1)] {
        let mut blob = Blob::new();
        let [e, value, s, a] = ["e", "V", "s", "a"].map(|name| blob.string(name));
        blob.record(e, kind, 1, false, 8, &[value, 1, 0][..1 + words]);
        blob.record(s, 4, 2, true, 8, &[a, 1, 0, a, 1, 32]);
        assert_eq!(verify(&blob.build(), KernelVersion::new(6, 18)), Ok(()));
        let btf = Btf::parse(blob.build()).unwrap();
        for version in versions() {
            let plain = sanitize(&btf, FeatureSet::of(version)).unwrap();
            assert_eq!(verify(plain.as_bytes(), version), Ok(()), "{version}");
        }
    }
}

#[test]
fn what_cannot_be_rewritten_is_an_error_that_names_it() {
    let mut blob = Blob::new();
    let name = blob.string("large");
    let value = blob.string("A");
    blob.record(name, 6, 65_536, false, 4, &[value, 0].repeat(65_536));
    let btf = Btf::parse(blob.build()).unwrap();
    let error = sanitize(&btf, FeatureSet::of(KernelVersion::new(7, 1))).unwrap_err();
    assert!(matches!(error, Error::Unreadable { id: 1, .. }), "{error}");
    assert_eq!(
        error.to_string(),
        "type 1 (ENUM large) cannot be read by the kernel: vlen of more than 16 bits came with Linux 7.2"
    );
}

/// Limits of kernels that are not features are errors without sanitizing, too.
#[test]
fn what_would_be_rewritten_is_refused_without_sanitizing() {
    let rejected = |blob: &Blob, (major, minor): (u16, u16)| {
        let (btf, version) = (Btf::parse(blob.build()).unwrap(), KernelVersion::new(major, minor));
        let encode = Encode::new().for_kernel(version);
        let plain = encode.sanitize(true).encode(&btf).unwrap();
        assert_eq!(verify(&plain, version), Ok(()));
        match encode.encode(&btf) {
            Ok(bytes) => {
                assert!(bytes == plain);
                None
            }
            Err(Error::Rejected { id, what, .. }) => Some((id, what)),
            Err(error) => panic!("{error}"),
        }
    };
    let mut blob = Blob::new();
    let name = blob.string("state");
    blob.int().record(name, 6, 1, false, 8, &[name, 1]);
    assert_eq!(rejected(&blob, (5, 4)), Some((2, "its size: not 4 bytes")));
    assert_eq!(rejected(&blob, (5, 5)), None);
    let mut blob = Blob::new();
    let name = blob.string("__int128");
    blob.int().record(name, 1, 0, false, 16, &[128]);
    assert_eq!(rejected(&blob, (4, 20)), Some((2, "its size: more than 64 bits")));
    assert_eq!(rejected(&blob, (5, 0)), None);
    let mut blob = Blob::new();
    let (plain, name) = (blob.string("plain"), blob.string("vec<f64>"));
    blob.int().record(plain, 4, 1, false, 4, &[name, 1, 0]).record(name, 4, 0, false, 0, &[]);
    assert_eq!(rejected(&blob, (6, 18)), Some((2, "the name of an element: not an identifier, or too long")));
    let mut blob = Blob::new();
    let name = blob.string("vec<f64>");
    blob.int().record(name, 4, 0, false, 0, &[]);
    assert_eq!(rejected(&blob, (6, 18)), Some((2, "its name: not an identifier, or too long")));
    let mut blob = Blob::new();
    let name = blob.string("a.b");
    blob.int().record(name, 4, 0, false, 0, &[]);
    assert_eq!(rejected(&blob, (6, 3)), Some((2, "its name: not an identifier, or too long")));
    assert_eq!(rejected(&blob, (6, 4)), None);
}

#[test]
fn the_layout_section_is_left_out_for_kernels_that_do_not_know_it() {
    let mut blob = Blob::new();
    blob.int().layout([(0, 0), (4, 0)]);
    let btf = Btf::parse(blob.build()).unwrap();
    assert!(btf.has_layout());
    let plain = sanitize(&btf, FeatureSet::of(KernelVersion::new(6, 18))).unwrap();
    assert!(!plain.has_layout() && plain.hdr_len() == 24);
    let same = sanitize(&btf, FeatureSet::ALL).unwrap();
    assert!(same.has_layout());
}

/// 4,096 cases, or more by `PROPTEST_CASES`.
fn cases() -> ProptestConfig {
    let default = ProptestConfig::default();
    ProptestConfig { cases: default.cases.max(4096), ..default }
}

proptest! {
    #![proptest_config(cases())]

    /// BTF that the newest kernel accepts is accepted by each older one when rewritten.
    #[test]
    fn what_loads_here_loads_anywhere_once_sanitized(
        records in prop::collection::vec(record(), 1..10),
        version in prop::sample::select(versions().collect::<Vec<_>>()),
    ) {
        let bytes = blob(&records);
        if verify(&bytes, KernelVersion::new(6, 18)).is_err() {
            return Ok(());
        }
        let btf = Btf::parse(bytes).unwrap();
        match sanitize(&btf, FeatureSet::of(version)) {
            Ok(plain) => {
                let verdict = Verify::kernel(version).verify(plain.as_bytes());
                prop_assert!(verdict.is_ok(), "for {}: {:?}", version, verdict);
            }
            Err(error) => prop_assert!(matches!(error, Error::Unreadable { .. }), "{}", error),
        }
    }

    /// Anything that opens, once rewritten, opens.
    #[test]
    fn what_is_sanitized_can_be_opened(records in prop::collection::vec(record(), 1..10)) {
        if let Ok(btf) = Btf::parse(blob(&records)) {
            for version in [KernelVersion::new(4, 18), KernelVersion::new(5, 12)] {
                if let Ok(plain) = sanitize(&btf, FeatureSet::of(version)) {
                    prop_assert!(plain.type_count() >= btf.type_count());
                }
            }
        }
    }
}

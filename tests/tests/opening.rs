//! BTF that opening rejects or accepts: rule by rule, and the faults that other
//! libraries were found to have. Each case has a bound on time and
//! memory.

#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "tests")]

use std::time::{Duration, Instant};

use btf_format::{ByteOrder, Error as Format, Header, convert};
use btf_tests::{
    blob::Blob,
    fixtures, fuzz,
    memory::{self, CountingAllocator},
    walk,
};
use btf_types::{Btf, Error, Type};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

/// Opens it; whatever comes of that, it must not have taken more than a small
/// multiple of the input's size.
fn open(bytes: &[u8]) -> Result<Btf, Error> {
    bounded(bytes, || Btf::parse(bytes.to_vec()))
}

fn open_split(bytes: &[u8], base: &Btf) -> Result<Btf, Error> {
    bounded(bytes, || Btf::parse_split(bytes.to_vec(), base))
}

fn bounded<T>(bytes: &[u8], work: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let (result, heap) = memory::measure(work);
    assert!(start.elapsed() < Duration::from_secs(20), "{:?} for {} bytes", start.elapsed(), bytes.len());
    let limit = 3 * bytes.len() as u64 + 4096;
    assert!(heap.peak <= limit, "{} bytes of heap for {} of input", heap.peak, bytes.len());
    assert!(heap.allocations <= 32, "{} allocations", heap.allocations);
    result
}

#[test]
fn opening_a_kernel_takes_a_handful_of_allocations() {
    let bytes = fixtures::read(&format!("kernels/{}/vmlinux.btf", fixtures::SORTED));
    let (btf, heap) = memory::measure(|| Btf::parse(bytes));
    let btf = btf.unwrap();
    assert!(heap.allocations < 32, "{heap:?}");
    // An offset a type, and while it is made the growth of its vector.
    assert!(heap.peak < u64::from(btf.type_count()) * 12, "{heap:?}");
    let (count, heap) = memory::measure(|| btf.types().filter(|ty| !ty.name().is_empty()).count());
    assert!(count > 10_000);
    assert_eq!(heap.allocations, 0, "to walk takes none");
}

#[test]
fn names_are_bytes_and_may_begin_inside_another() {
    let mut blob = Blob::new();
    let name = blob.string(b"caf\xe9 \x01suffix");
    blob.record(name, 16, 0, false, 4, &[]).record(name + 6, 16, 0, false, 4, &[]);
    let btf = open(&blob.build()).unwrap();
    assert_eq!(btf.type_by_id(1).unwrap().name(), b"caf\xe9 \x01suffix"[..]);
    assert_eq!(btf.type_by_id(2).unwrap().name(), "suffix");
    assert!(btf.type_by_id(1).unwrap().name().to_str().is_err());
}

#[test]
fn a_24_bit_vlen_and_a_7_bit_kind_are_read() {
    let mut blob = Blob::new();
    blob.int();
    let members: Vec<u32> = (0..0x1_0001).flat_map(|_| [0, 1, 0]).collect();
    blob.record(0, 4, 0x1_0001, false, 4, &members);
    blob.layout((0..0x80).map(|_| (4, 8)));
    blob.record(0, 0x7f, 0x1_0000, true, 0, &vec![0; 1 + 2 * 0x1_0000]);
    let btf = open(&blob.build()).unwrap();
    let Type::Struct(s) = btf.type_by_id(2).unwrap() else { panic!("no struct") };
    assert_eq!(s.members().len(), 0x1_0001);
    let Type::Unknown(unknown) = btf.type_by_id(3).unwrap() else { panic!("not unknown") };
    assert_eq!(unknown.kind_number(), 0x7f);
}

#[test]
fn unknown_kinds_need_a_layout_section_their_own_or_their_bases() {
    let mut blob = Blob::new();
    blob.record(0, 30, 2, false, 0, &[1, 2, 3, 4, 5]).int();
    assert!(matches!(
        open(&blob.build()).unwrap_err(),
        Error::Format(Format::UnknownKind { offset: 24, kind: 30, .. })
    ));
    blob.layout((0..31).map(|_| (4, 8)));
    let btf = open(&blob.build()).unwrap();
    assert!(matches!(btf.type_by_id(1), Ok(Type::Unknown(_))));
    assert_eq!(btf.type_by_id(2).unwrap().name(), "int");
    assert!(matches!(
        btf.to_bytes(ByteOrder::NATIVE.swapped()),
        Err(Error::Format(Format::OpaqueKind { kind: 30, .. }))
    ));

    let mut split = Blob::split();
    split.record(0, 30, 1, false, 0, &[1, 2, 3]).ptr(2);
    let split = open_split(&split.build(), &btf).unwrap();
    assert!(matches!(split.type_by_id(3), Ok(Type::Unknown(_))));
    assert!(matches!(split.type_by_id(4), Ok(Type::Ptr(ptr)) if ptr.target().name() == "int"));

    let mut blob = Blob::new();
    blob.record(0, 30, 1, false, 0, &[1, 2, 3]).layout((0..31).map(|_| (4, 6)));
    assert!(matches!(open(&blob.build()), Err(Error::Format(Format::LayoutEntry { kind: 30, elem_sz: 6, .. }))));
}

/// `cilium/ebpf` refuses any unknown kind; kinds 20 to 22 need no layout here.
#[test]
fn kinds_20_to_22_are_opened_as_unknown_types() {
    let mut blob = Blob::new();
    blob.record(0, 20, 2, false, 4, &[8, 1, 2]).record(0, 21, 1, false, 0, &[1]).record(0, 22, 1, false, 0, &[1, 2, 3]);
    let bytes = blob.build();
    let btf = open(&bytes).unwrap();
    assert_eq!(btf.types().filter(|ty| matches!(ty, Type::Unknown(_))).count(), 3);
    let mut other = bytes.clone();
    convert(&mut other, ByteOrder::NATIVE.swapped()).unwrap();
    assert_eq!(open(&other).unwrap().as_bytes(), bytes);
}

#[test]
fn headers_may_be_longer_than_known() {
    let mut blob = Blob::new();
    let bytes = blob.int().build();
    for hdr_len in [25, 31, 32, 33, 40, 4096] {
        for fill in [0, 1] {
            let mut longer = bytes[..24].to_vec();
            longer.resize(hdr_len, 0);
            // In a header of 32 bytes there is nothing unknown.
            if ![32].contains(&hdr_len) {
                longer[hdr_len - 1] = fill;
            }
            longer[4..8].copy_from_slice(&(hdr_len as u32).to_ne_bytes());
            longer.extend_from_slice(&bytes[24..]);
            let btf = open(&longer).unwrap();
            assert_eq!(btf.type_by_id(1).unwrap().name(), "int", "{hdr_len}");
            let unknown = fill == 1 && hdr_len != 32;
            assert_eq!(btf.has_unknown_header_data(), unknown, "{hdr_len}");
            assert_eq!(btf.to_bytes(ByteOrder::NATIVE.swapped()).is_err(), unknown, "{hdr_len}");
        }
    }
}

#[test]
fn sections_may_lie_in_any_order_with_gaps_and_a_tail() {
    let mut blob = Blob::new();
    let bytes = blob.int().build();
    let (types, strings) = (&bytes[24..40], &bytes[40..]);
    let mut odd = bytes[..24].to_vec();
    for (at, word) in [(8, 12), (12, 16), (16, 3), (20, strings.len() as u32)] {
        odd[at..at + 4].copy_from_slice(&u32::to_ne_bytes(word));
    }
    odd.extend_from_slice(b"gap");
    odd.extend_from_slice(strings);
    odd.resize(24 + 12, 0xff);
    odd.extend_from_slice(types);
    odd.extend_from_slice(b"and a tail");
    let btf = open(&odd).unwrap();
    assert_eq!(btf.type_by_id(1).unwrap().name(), "int");
    let other = btf.to_bytes(ByteOrder::NATIVE.swapped()).unwrap();
    assert_eq!(open(&other).unwrap().as_bytes(), odd, "gaps and tail stay as they are");
}

/// aya-obj looks at neither magic nor version.
#[test]
fn wrong_magic_version_or_flags_are_errors() {
    let good = Blob::new().int().build();
    let spoilt = |at: usize, byte: u8| {
        let mut bytes = good.clone();
        bytes[at] = byte;
        open(&bytes).unwrap_err()
    };
    assert!(matches!(spoilt(0, 0), Error::Format(Format::NotBtf { .. })));
    assert!(matches!(spoilt(2, 2), Error::Format(Format::UnsupportedVersion { found: 2, .. })));
    assert!(matches!(spoilt(3, 1), Error::Format(Format::UnsupportedFlags { found: 1, .. })));
    assert!(matches!(open(b"\x7fELF\x02\x01\x01\0"), Err(Error::Format(Format::NotBtf { .. }))));
    assert!(open(&[]).is_err());
}

/// aya-obj refuses big-endian BTF even when told that it is.
#[test]
fn byte_order_is_detected_from_the_magic() {
    let mut blob = Blob::new();
    let native = blob.int().build();
    let mut foreign = native.clone();
    convert(&mut foreign, ByteOrder::NATIVE.swapped()).unwrap();
    assert_ne!(native, foreign);
    let btf = open(&foreign).unwrap();
    assert_eq!(btf.byte_order(), ByteOrder::NATIVE.swapped());
    assert_eq!(btf.as_bytes(), native);
    assert_eq!(btf.to_bytes(btf.byte_order()).unwrap(), foreign);
    assert!(matches!(btf.type_by_id(1), Ok(Type::Int(int)) if int.bits() == 32));
}

#[test]
fn records_use_up_the_type_section_exactly() {
    let mut blob = Blob::new();
    blob.int().raw(&[0; 8]);
    assert!(matches!(
        open(&blob.build()),
        Err(Error::Format(Format::RecordTruncated { offset: 40, needed: 12, available: 8, .. }))
    ));
    let mut blob = Blob::new();
    blob.record(0, 4, 3, false, 8, &[0, 0, 0]);
    assert!(matches!(
        open(&blob.build()),
        Err(Error::Format(Format::RecordTruncated { offset: 24, needed: 48, available: 24, .. }))
    ));
    let mut blob = Blob::new();
    blob.record(0, 0, 0, false, 0, &[]);
    assert!(matches!(open(&blob.build()), Err(Error::Format(Format::UnknownKind { kind: 0, .. }))));
}

/// Every word that is an id or a name is checked.
#[test]
fn ids_and_names_out_of_range_are_errors() {
    use btf_format::{Kind, Word};
    for &kind in Kind::ALL {
        let shape = kind.shape();
        let vlen = if shape.element.is_empty() { 0 } else { 2 };
        let words: Vec<Word> = [Word::Name, Word::Data, shape.size_or_type]
            .into_iter()
            .chain(shape.fixed.iter().copied())
            .chain(shape.element.repeat(vlen))
            .collect();
        for (index, &holds) in words.iter().enumerate() {
            if index == 1 {
                continue;
            }
            let mut blob = Blob::new();
            blob.int().record(0, 13, 0, false, 0, &[]);
            // A FUNC wants a FUNC_PROTO; all others are content with it.
            let value = |holds| if holds == Word::Id { 2 } else { 0 };
            let mut values: Vec<u32> = words.iter().map(|&holds| value(holds)).collect();
            let sound = values.clone();
            values[index] = u32::MAX;
            let build = |values: &[u32]| {
                blob.clone().record(values[0], kind.number(), vlen as u32, false, values[2], &values[3..]).build()
            };
            assert!(open(&build(&sound)).is_ok(), "{kind}");
            let at = (24 + 16 + 12 + 4 * index) as u64;
            match (holds, open(&build(&values))) {
                (Word::Id, Err(Error::IdOutOfRange { id: 3, at: found_at, found: u32::MAX, count: 4, .. }))
                | (Word::Name, Err(Error::NameOutOfRange { id: 3, at: found_at, found: u32::MAX, len: 5, .. })) => {
                    assert_eq!(found_at, at, "{kind}, word {index}");
                }
                (Word::Data, Ok(_)) => {}
                (holds, other) => panic!("{kind}, word {index}, {holds:?}: {other:?}"),
            }
        }
    }
}

/// aya-obj panics on a name offset of just the length of the strings.
#[test]
fn the_last_name_offset_and_the_last_id_are_the_last() {
    let mut blob = Blob::new();
    blob.int().ptr(3).ptr(0);
    let len = 5;
    assert!(open(&blob.clone().record(len - 1, 16, 0, false, 4, &[]).build()).is_ok());
    assert!(matches!(
        open(&blob.clone().record(len, 16, 0, false, 4, &[]).build()),
        Err(Error::NameOutOfRange { found: 5, len: 5, .. })
    ));
    assert!(open(&blob.clone().ptr(4).build()).is_ok(), "itself");
    assert!(matches!(open(&blob.clone().ptr(5).build()), Err(Error::IdOutOfRange { found: 5, count: 5, .. })));
}

#[test]
fn a_func_refers_to_a_func_proto_before_or_behind_it() {
    let mut blob = Blob::new();
    let f = blob.string("f");
    let with = |target: u32| {
        blob.clone()
            .int()
            .record(0, 13, 0, false, 0, &[])
            .record(f, 12, 1, false, target, &[])
            .record(0, 13, 0, false, 1, &[])
            .build()
    };
    for target in [2, 4] {
        let btf = open(&with(target)).unwrap();
        let Ok(Type::Func(func)) = btf.type_by_id(3) else { panic!("no FUNC") };
        assert_eq!(func.proto().id(), target, "backward and forward");
    }
    for target in [0, 1, 3] {
        let error = open(&with(target)).unwrap_err();
        assert!(
            matches!(error, Error::FuncWithoutProto { id: 3, offset: 52, found, split: false, .. } if found == target),
            "{target}: {error}"
        );
    }
    // In split BTF, of the base.
    let base = fuzz::base();
    let split = |target: u32| {
        let mut split = Blob::split();
        let f = split.string("g");
        split.record(base_strings() + f, 12, 0, false, target, &[]).build()
    };
    let ok = open_split(&split(3), base).unwrap();
    assert!(matches!(ok.type_by_id(5), Ok(Type::Func(func)) if func.proto().params().len() == 1));
    for target in [0, 1, 4, 5] {
        assert!(matches!(open_split(&split(target), base), Err(Error::FuncWithoutProto { id: 5, split: true, .. })));
    }
}

fn base_strings() -> u32 {
    fuzz::base().string_len()
}

#[test]
fn split_btf_continues_ids_and_strings_to_any_depth() {
    let base = fuzz::base();
    let mut split = Blob::split();
    let t = split.string("t");
    split.record(base_strings() + t, 8, 0, false, 1, &[]).ptr(5);
    let split = open_split(&split.build(), base).unwrap();
    assert_eq!(split.own_ids(), 5..7);
    assert_eq!(split.type_by_id(5).unwrap().name(), "t");

    let mut third = Blob::split();
    let u = third.string("u");
    let strings = base_strings() + split.string_section().len() as u32;
    third.record(strings + u, 8, 0, false, 5, &[]).record(base_strings() + t, 8, 0, false, 2, &[]);
    third.record(1, 16, 0, false, 8, &[]);
    let third = open_split(&third.build(), &split).unwrap();
    assert_eq!(third.own_ids(), 7..10);
    let names: Vec<_> = third.types().map(|ty| ty.name().to_string()).collect();
    assert_eq!(names, ["u", "t", "f"], "of its own strings, of its base's, of its base's base's");
    // One type is one type, whichever way it was reached.
    let Ok(Type::Typedef(u)) = third.type_by_id(7) else { panic!("no typedef") };
    assert_eq!(u.target(), split.type_by_id(5).unwrap());
    assert_eq!(third.type_by_id(1), base.type_by_id(1));
    assert_ne!(third.type_by_id(1), open(base.as_bytes()).unwrap().type_by_id(1), "the same bytes, another BTF");
    assert_eq!(third.type_by_id(0), Ok(Type::Void));
    assert!(matches!(third.type_by_id(10), Err(Error::NoSuchId { id: 10, count: 10, .. })));
    assert_ne!(walk::everything(&third), 0);
}

/// cilium/ebpf#1902: an Ubuntu module of 24 bytes.
#[test]
fn header_only_split_btf_is_fine() {
    let header = Blob::split().build();
    assert_eq!(header.len(), Header::SIZE as usize);
    let split = open_split(&header, fuzz::base()).unwrap();
    assert_eq!(split.types().len(), 0);
    assert_eq!(split.type_count(), fuzz::base().type_count());
    assert_eq!(split.type_by_id(1), fuzz::base().type_by_id(1));
    assert_eq!(open(&header).unwrap_err(), Error::SplitWithoutBase);
}

#[test]
fn split_btf_without_its_base_says_so() {
    let module = fixtures::read(&format!("kernels/{}/veth.btf", fixtures::SORTED));
    let error = open(&module).unwrap_err();
    assert_eq!(error, Error::SplitWithoutBase);
    assert!(error.to_string().ends_with("open it with its base"), "{error}");
}

#[test]
fn split_btf_on_a_wrong_base_says_so() {
    let kernel = |release| Btf::parse(fixtures::read(&format!("kernels/{release}/vmlinux.btf"))).unwrap();
    let module = fixtures::read(&format!("kernels/{}/openvswitch.btf", fixtures::SORTED));
    let error = Btf::parse_split(module.clone(), &kernel(fixtures::UNSORTED)).unwrap_err();
    assert!(error.to_string().contains("not split from this base"), "{error}");
    let error = Btf::parse_split(module, &kernel(fixtures::BIG_ENDIAN)).unwrap_err();
    let is_order = matches!(error, Error::ByteOrderOfBase { split: ByteOrder::Little, base: ByteOrder::Big, .. });
    assert!(is_order, "{error}");
}

#[test]
fn strings_are_terminated_and_begin_with_an_empty_one() {
    let mut blob = Blob::new();
    blob.int();
    let mut spoilt = blob.clone();
    spoilt.strings_mut().pop();
    assert!(matches!(open(&spoilt.build()), Err(Error::Format(Format::StringsUnterminated { found: b't', .. }))));
    let mut spoilt = blob.clone();
    spoilt.strings_mut()[0] = b'x';
    assert_eq!(open(&spoilt.build()).unwrap_err(), Error::SplitWithoutBase);
    let mut spoilt = blob;
    spoilt.strings_mut().clear();
    assert_eq!(open(&spoilt.build()).unwrap_err(), Error::SplitWithoutBase);
    // No NUL at all, in four megabytes; and nothing but NULs.
    let mut without = Blob::new();
    *without.strings_mut() = vec![b'a'; 4 << 20];
    assert!(open(&without.build()).is_err());
    let mut nothing_but = Blob::new();
    *nothing_but.strings_mut() = vec![0; 4 << 20];
    nothing_but.record(1000, 16, 0, false, 4, &[]);
    assert_eq!(open(&nothing_but.build()).unwrap().type_by_id(1).unwrap().name(), "");
}

#[test]
fn lengths_that_lie_cost_nothing() {
    let good = Blob::new().int().build();
    for at in [4, 8, 12, 16, 20] {
        for value in [u32::MAX, u32::MAX - 3, 1 << 31, 0x00ff_ffff, good.len() as u32 + 1] {
            let mut bytes = good.clone();
            bytes[at..at + 4].copy_from_slice(&value.to_ne_bytes());
            assert!(open(&bytes).is_err(), "{at} {value:#x}");
        }
    }
    let mut header = good[..24].to_vec();
    header[20..24].copy_from_slice(&u32::MAX.to_ne_bytes());
    assert!(open(&header).is_err());
}

#[test]
fn every_prefix_of_a_file_is_refused() {
    let good = fixtures::read("bpf/pahole32/types32-armv7.btf");
    assert!(open(&good).is_ok());
    for len in 0..good.len() {
        assert!(open(&good[..len]).is_err(), "{len} bytes of {}", good.len());
    }
}

#[test]
fn a_million_types_and_cycles_open() {
    let mut blob = Blob::new();
    for id in 1..1 << 20 {
        // Each points to itself, to the one after, or to the one before.
        blob.ptr(id + [0, 1, u32::MAX][id as usize % 3] * u32::from(id % 3 != 2) - u32::from(id % 3 == 2));
    }
    blob.ptr(1);
    let bytes = blob.build();
    let btf = open(&bytes).unwrap();
    assert_eq!(btf.types().len(), 1 << 20);
}

/// The kernel accepts what it accepts, and what it accepts opens; that it
/// refuses more than this library does is as it should be.
#[test]
fn what_the_kernel_accepts_opens() {
    let table = String::from_utf8(fixtures::read("kernel-verdicts/verdicts.tsv")).unwrap();
    let mut accepted = 0;
    for line in table.lines().filter(|line| !line.starts_with('#')) {
        let mut fields = line.split('\t');
        let (Some(file), Some(verdict)) = (fields.next(), fields.next()) else { panic!("{line}") };
        let result = open(&fixtures::read(&format!("kernel-verdicts/{file}")));
        if verdict == "accept" {
            accepted += 1;
            if let Err(error) = result {
                panic!("{line}: {error}");
            }
        }
    }
    assert!(accepted > 40, "{accepted}");
}

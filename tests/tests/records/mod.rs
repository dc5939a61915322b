//! Records for property tests of what kernels accept: roughly as they should be.

use proptest::prelude::*;

/// Strings that the kernel treats in different ways.
const STRINGS: &[&[u8]] = &[
    b"",
    b"a",
    b"b",
    b"int",
    b".data",
    b"?x y",
    b"a-b",
    b"9a",
    b"\xe9t\xe9",
    b"\x01",
    b"kptr",
    b"kptr_untrusted",
    b"bpf_spin_lock",
    b"bpf_res_spin_lock",
    b"bpf_list_head",
    b"bpf_list_node",
    b"bpf_rb_root",
    b"bpf_rb_node",
    b"bpf_refcount",
    b"contains:a:b",
    b"contains:a",
    b"contains:a:",
    b"contains:bpf_list_node:a",
];

fn offset_of(index: usize) -> u32 {
    STRINGS.iter().take(index).map(|text| text.len() as u32 + 1).sum()
}

/// A record, roughly as it should be.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    kind: u8,
    name: usize,
    kind_flag: bool,
    vlen: u32,
    size: u32,
    target: u32,
    elements: Vec<(usize, u32, u32)>,
}

/// Any record.
pub(crate) fn record() -> impl Strategy<Value = Record> {
    let kind = prop_oneof![8 => 1..=19_u8, 1 => Just(4), 1 => Just(2), 1 => Just(10), 1 => Just(18)];
    let size = prop_oneof![
        4 => Just(4_u32), 4 => Just(8), 2 => Just(16), 1 => Just(24), 2 => Just(32), 2 => Just(64), 1 => Just(1),
        1 => Just(2), 1 => Just(0), 1 => Just(3), 1 => Just(12)
    ];
    let offset = prop_oneof![
        3 => Just(0_u32), 2 => Just(32), 2 => Just(64), 1 => Just(128), 1 => Just(192), 1 => Just(8), 1 => Just(3),
        1 => Just(0x0500_0000), 1 => Just(0x0800_0008), 1 => Just(0x2100_0000)
    ];
    let name = prop_oneof![5 => 1..4_usize, 1 => Just(0), 3 => 0..STRINGS.len()];
    let element = (prop_oneof![6 => 1..4_usize, 1 => 0..STRINGS.len()], 0..12_u32, offset);
    (
        kind,
        name,
        prop::bool::weighted(0.15),
        prop_oneof![12 => Just(0_u32), 1 => 0..4_u32],
        size,
        0..12_u32,
        prop::collection::vec(element, 0..4),
    )
        .prop_map(|(kind, name, kind_flag, vlen, size, target, elements)| Record {
            kind,
            name,
            kind_flag,
            vlen,
            size,
            target,
            elements,
        })
}

impl Record {
    fn words(&self) -> Vec<u32> {
        let count = self.elements.len() as u32;
        let first = self.elements.first().copied().unwrap_or((0, 1, 0));
        let names_itself = !matches!(self.kind, 2 | 3 | 9 | 10 | 11 | 13) || self.vlen == 1;
        let name = if names_itself { offset_of(self.name) } else { 0 };
        let (vlen, third, rest): (u32, u32, Vec<u32>) = match self.kind {
            1 => (self.vlen, self.size, vec![(first.2 & 0x0300_0000) | (self.size * 8).min(255)]),
            3 => (self.vlen, self.vlen, vec![self.target, first.1, first.2 & 0xff]),
            4 | 5 => {
                let mask = if self.kind == 5 && self.target != 0 { 0xff00_0000 } else { u32::MAX };
                let member = |&(name, id, offset): &(usize, u32, u32)| [offset_of(name), id, offset & mask];
                (count, self.size, self.elements.iter().flat_map(member).collect())
            }
            6 => (count, self.size, self.elements.iter().flat_map(|&(name, id, _)| [offset_of(name), id]).collect()),
            7 => (self.vlen, self.vlen, Vec::new()),
            12 => (self.vlen, self.target, Vec::new()),
            13 => (count, self.target, self.elements.iter().flat_map(|&(name, id, _)| [offset_of(name), id]).collect()),
            14 => (self.vlen, self.target, vec![first.2 & 3]),
            15 => {
                let entry = |&(_, id, offset): &(usize, u32, u32)| [id, (offset / 8) & 0xff, 4];
                (count, self.size, self.elements.iter().flat_map(entry).collect())
            }
            16 => (self.vlen, self.size, Vec::new()),
            17 => (self.vlen, self.target, vec![if first.2 == 0 { u32::MAX } else { first.1 }]),
            19 => {
                let value = |&(name, id, offset): &(usize, u32, u32)| [offset_of(name), id, offset];
                (count, self.size, self.elements.iter().flat_map(value).collect())
            }
            _ => (self.vlen, self.target, Vec::new()),
        };
        let flag = (self.vlen == 2 || matches!(self.kind, 4..=7 | 17..=19)) && self.kind_flag;
        let info = u32::from(flag) << 31 | u32::from(self.kind) << 24 | vlen;
        [&[name, info, third][..], &rest].concat()
    }
}

/// Bytes of a header, types and strings.
pub(crate) fn blob(records: &[Record]) -> Vec<u8> {
    let types: Vec<u8> = records.iter().flat_map(Record::words).flat_map(u32::to_ne_bytes).collect();
    let strings: Vec<u8> = STRINGS.iter().flat_map(|text| text.iter().copied().chain([0])).collect();
    let mut bytes = Vec::new();
    btf_format::Assembly::new(&types, &strings).write(|part| bytes.extend_from_slice(part)).unwrap();
    bytes
}

/// Structs and unions with the types that have a meaning to the kernel: the types
/// themselves (ids 2 to 8), a kptr (10), structs and unions that contain them (11
/// to 14), arrays of all of these (15 and 16), and tags.
#[allow(dead_code, reason = "one of the tests has no use for it")]
pub(crate) fn special() -> impl Strategy<Value = Vec<Record>> {
    /// Sizes and alignments of the types with ids 1 to 16, in bytes.
    const PLACES: [(u32, u32); 16] = [
        (4, 4),
        (4, 4),
        (4, 4),
        (16, 8),
        (24, 8),
        (16, 8),
        (32, 8),
        (4, 4),
        (0, 8),
        (8, 8),
        (64, 8),
        (64, 8),
        (64, 8),
        (64, 8),
        (64, 8),
        (64, 8),
    ];
    let plain =
        |kind, name, size, target| Record { kind, name, kind_flag: false, vlen: 0, size, target, elements: Vec::new() };
    // Of the right kind and size, in most cases.
    let kind = prop_oneof![40 => Just(4_u8), 1 => Just(5), 1 => Just(1), 1 => Just(6), 1 => Just(8), 1 => Just(7)];
    let named = prop::collection::vec((kind, prop_oneof![30 => Just(0_u32), 1 => Just(4)]), 7);
    let id = prop_oneof![12 => 2..=8_u32, 2 => Just(1), 2 => Just(10), 2 => 11..=14_u32, 1 => 15..=16_u32];
    let member = (1..3_usize, id, 0..12_u32);
    let composite = (
        prop_oneof![5 => Just(4_u8), 1 => Just(5)],
        1..4_usize,
        prop::bool::weighted(0.05),
        prop::collection::vec(member, 1..5),
        0..16_u32,
    )
        .prop_map(move |(kind, name, kind_flag, members, slack)| {
            let (mut end, mut size) = (0_u32, 0_u32);
            let mut elements = Vec::new();
            for (name, id, noise) in members {
                let (bytes, align) = PLACES[id as usize - 1];
                end = end.next_multiple_of(if noise == 11 { 4 } else { align });
                elements.push((name, id, 8 * end + u32::from(noise == 10)));
                size = size.max(end + bytes);
                end += if noise == 9 || kind == 5 { 0 } else { bytes };
            }
            let size = if slack == 15 { 64 } else { size.next_multiple_of(8) };
            Record { kind, name, kind_flag, vlen: 0, size, target: 0, elements }
        });
    let array = (2..=14_u32, prop_oneof![4 => Just(1_u32), 2 => Just(2), 1 => Just(0), 1 => Just(12)])
        .prop_map(move |(element, count)| Record { elements: vec![(0, 1, count)], ..plain(3, 0, 0, element) });
    let tag = (19..STRINGS.len(), 11..=14_u32, 0..4_u32).prop_map(move |(name, target, component)| Record {
        // A component of 0 to 3, or the declaration itself.
        elements: vec![(0, component, 1)],
        ..plain(17, name, 0, target)
    });
    let kptr = (10..12_usize, 11..=14_u32, prop_oneof![8 => Just(2_u8), 1 => Just(9), 1 => Just(10)]);
    (
        named,
        kptr,
        prop::collection::vec(composite, 4),
        prop::collection::vec(array, 2),
        prop::collection::vec(tag, 0..5),
    )
        .prop_map(move |(named, (value, pointee, pointer), composites, arrays, tags)| {
            let mut records = vec![plain(1, 3, 4, 0)];
            for (index, (kind, more)) in named.into_iter().enumerate() {
                // As a typedef, one of int.
                records.push(plain(kind, 12 + index, PLACES[index + 1].0 + more, 1));
            }
            records.extend([plain(18, value, 0, pointee), plain(pointer, 0, 0, 9)]);
            records.extend(composites);
            records.extend(arrays);
            records.extend(tags);
            records
        })
}

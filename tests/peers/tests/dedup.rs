//! libbpf as an oracle for deduplication: as many types of each kind, and the same
//! graph up to the numbering; and a test for each case in which it is not so.

#![cfg(feature = "peers-c")]
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    unreachable_pub,
    unsafe_code,
    reason = "tests, and C libraries"
)]

use std::{
    collections::BTreeMap,
    hash::{DefaultHasher, Hash, Hasher},
    ptr, slice,
};

use btf_build::{Builder, Encode, Merge, dedup};
use btf_tests::fixtures;
use btf_types::{Btf, ByteOrder, format::Word};
use libbpf_sys as sys;

/// What libbpf makes of a BTF; the error number if it fails.
fn libbpf(btf: &Btf) -> Result<Btf, i32> {
    let bytes = |btf: &Btf| Encode::new().byte_order(ByteOrder::NATIVE).encode(btf).unwrap();
    let mut below = ptr::null_mut();
    let mut all = Vec::new();
    let mut layers: Vec<&Btf> = btf.layers().collect();
    layers.reverse();
    for layer in layers {
        let bytes = bytes(layer);
        // SAFETY: libbpf copies the bytes; what is below is freed last.
        below = unsafe {
            sys::libbpf_set_print(None);
            sys::btf__new_split(bytes.as_ptr().cast(), bytes.len() as u32, below)
        };
        assert!(!below.is_null(), "{}", std::io::Error::last_os_error());
        all.push(below);
    }
    // SAFETY: it is alive.
    let result = match unsafe { sys::btf__dedup(below, ptr::null()) } {
        0 => {
            let mut size = 0;
            // SAFETY: the BTF is alive, and so are the bytes while it is.
            let bytes = unsafe {
                let data = sys::btf__raw_data(below, &raw mut size);
                assert!(!data.is_null());
                slice::from_raw_parts(data.cast(), size as usize).to_vec()
            };
            Ok(Btf::from_native(bytes, btf.base(), btf.byte_order(), None).unwrap())
        }
        error => Err(-error),
    };
    for btf in all.into_iter().rev() {
        // SAFETY: nobody else has it.
        unsafe { sys::btf__free(btf) };
    }
    result
}

/// The number of own types of each kind.
fn kinds(btf: &Btf) -> BTreeMap<&'static str, usize> {
    let mut kinds = BTreeMap::new();
    for ty in btf.types() {
        *kinds.entry(ty.kind().map_or("unknown", |kind| kind.as_str())).or_insert(0) += 1;
    }
    kinds
}

/// A number for each own type that is the same for types that nothing tells apart
/// within some steps, sorted; with the type.
fn graph(btf: &Btf) -> Vec<(u64, u32)> {
    let hash = |hash: u64, value: u64| (hash.rotate_left(5) ^ value).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let (mut shapes, mut children, mut starts) = (vec![1], Vec::new(), vec![0, 0]);
    for id in 1..btf.type_count() {
        let mut shape = 0;
        for (word, value) in btf.record(id).unwrap().words() {
            match word {
                Word::Id => children.push(value as usize),
                Word::Name => {
                    let mut hasher = DefaultHasher::new();
                    btf.string_at(value).unwrap().as_bytes().hash(&mut hasher);
                    shape = hash(shape, hasher.finish());
                }
                _ => shape = hash(shape, value.into()),
            }
        }
        shapes.push(shape);
        starts.push(children.len());
    }
    let mut numbers = shapes.clone();
    for _ in 0..24 {
        numbers = (0..numbers.len())
            .map(|id| {
                children[starts[id]..starts[id + 1]].iter().fold(shapes[id], |all, &child| hash(all, numbers[child]))
            })
            .collect();
    }
    let mut own: Vec<_> = btf.own_ids().map(|id| (numbers[id as usize], id)).collect();
    own.sort_unstable();
    own
}

/// Prints what is in one of two graphs alone.
fn print_difference(of: &Btf, these: &[(u64, u32)], those: &[(u64, u32)]) {
    let mut count = BTreeMap::new();
    these.iter().for_each(|(number, _)| *count.entry(*number).or_insert(0i64) += 1);
    those.iter().for_each(|(number, _)| *count.entry(*number).or_insert(0i64) -= 1);
    for (number, id) in these.iter().filter(|(number, _)| count[number] > 0).take(40) {
        println!("  {number:x} {id}: {:?}", of.type_by_id(*id).unwrap());
    }
}

/// How our result compares.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    /// The same graph.
    Same,
    /// The same types, of some of which libbpf has several copies.
    Fewer,
}

/// Compares what both make of a BTF, and checks that ours stays as it is when it is
/// deduplicated again; returns it.
fn both(name: &str, btf: &Btf) -> (Btf, Verdict) {
    let theirs = libbpf(btf).unwrap();
    let (ours, remap) = dedup(btf).unwrap();
    for ty in btf.types() {
        let new = ours.type_by_id(remap.id(ty.id()).unwrap()).unwrap();
        assert_eq!(new.name(), ty.name(), "{name}");
    }
    let (again, _) = dedup(&ours).unwrap();
    assert!(again.as_bytes() == ours.as_bytes(), "{name}: deduplicated again");
    let (in_ours, in_theirs) = (graph(&ours), graph(&theirs));
    let numbers = |graph: &[(u64, u32)]| graph.iter().map(|(number, _)| *number).collect::<Vec<_>>();
    let (our_numbers, their_numbers) = (numbers(&in_ours), numbers(&in_theirs));
    if our_numbers == their_numbers {
        assert_eq!(kinds(&ours), kinds(&theirs));
        return (ours, Verdict::Same);
    }
    let has_no_others = our_numbers.iter().all(|number| their_numbers.binary_search(number).is_ok());
    if has_no_others && ours.types().len() < theirs.types().len() {
        return (ours, Verdict::Fewer);
    }
    println!("{name}: ours {:?}\n{name}: theirs {:?}\nours alone:", kinds(&ours), kinds(&theirs));
    print_difference(&ours, &in_ours, &in_theirs);
    println!("theirs alone:");
    print_difference(&theirs, &in_theirs, &in_ours);
    panic!("{name}: {} types, libbpf has {}, of {}", ours.types().len(), theirs.types().len(), btf.types().len());
}

/// [`both`], whose graphs have to be the same, unless libbpf is known to leave copies.
fn compare(name: &str, btf: &Btf) -> Btf {
    let (ours, verdict) = both(name, btf);
    let expected = if name.contains(WITH_COPIES) { Verdict::Fewer } else { Verdict::Same };
    assert_eq!(verdict, expected, "{name}");
    ours
}

/// A module that the build of its kernel left with 8,046 types, of which 2,514 differ:
/// each of its units had structs that refer to themselves twice
/// (`copies_of_what_refers_to_itself`).
const WITH_COPIES: &str = "7.3.4+deb13-cloud-amd64/openvswitch";

fn kernel(release: &str, name: &str) -> Btf {
    Btf::parse(fixtures::read(&format!("kernels/{release}/{name}.btf"))).unwrap()
}

fn twice(btf: &Btf) -> Btf {
    let mut b = btf.base().map_or_else(Builder::new, Builder::on).byte_order(btf.byte_order());
    b.append(btf).unwrap();
    b.append(btf).unwrap();
    b.finish().unwrap()
}

#[test]
fn kernels_and_kernels_doubled() {
    for release in [fixtures::UNSORTED, fixtures::SORTED, fixtures::BIG_ENDIAN] {
        let vmlinux = kernel(release, "vmlinux");
        let once = compare(release, &vmlinux);
        let twice = compare(&format!("{release} twice"), &twice(&vmlinux));
        println!("{release}: {} {}", once.types().len(), twice.types().len());
    }
}

#[test]
fn kernels_with_their_modules() {
    for release in [fixtures::UNSORTED, fixtures::SORTED, fixtures::BIG_ENDIAN] {
        let vmlinux = kernel(release, "vmlinux");
        let mut merge = Merge::new();
        merge.add(&vmlinux).unwrap();
        let mut on_base = Merge::on(&vmlinux);
        for name in ["veth", "vxlan", "openvswitch", "cast_common"] {
            let path = format!("kernels/{release}/{name}.btf");
            let Some(module) = Btf::parse_split(fixtures::read(&path), &vmlinux).ok() else { continue };
            compare(&path, &module);
            compare(&format!("{path} twice"), &twice(&module));
            merge.add(&module).unwrap();
            on_base.add(&module).unwrap();
        }
        both(&format!("{release} merged"), &merge.finish().unwrap());
        both(&format!("{release} modules merged"), &on_base.finish().unwrap());
    }
}

#[test]
fn all_fixtures() {
    for fixture in fixtures::raw_btf() {
        let base = fixture.base.as_deref().map(|base| Btf::parse(fixtures::read(base)).unwrap());
        let btf = Btf::options().maybe_base(base.as_ref()).parse(fixtures::read(&fixture.name)).unwrap();
        if !btf.has_layout() && btf.layers().all(|layer| !layer.has_layout()) {
            compare(&fixture.name, &btf);
        }
    }
}

#[test]
fn objects_merged() {
    for compiler in ["clang-14", "clang-22"] {
        let mut merges: BTreeMap<String, Merge> = BTreeMap::new();
        let folder = format!("bpf/{compiler}");
        for name in fixtures::files(&folder) {
            let Some(bytes) = fixtures::section(&name, ".BTF") else { continue };
            let btf = Btf::parse(bytes).unwrap();
            let merge = merges.entry(format!("{compiler} {}", btf.byte_order())).or_default();
            merge.add(&btf).unwrap();
            compare(&name, &btf);
        }
        for (name, merge) in merges {
            let merged = merge.finish().unwrap();
            let small = compare(&name, &merged);
            println!("{name}: {} of {}", small.types().len(), merged.types().len());
        }
    }
}

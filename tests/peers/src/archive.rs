//! A bundle of 3,000 trimmed kernels: selecting one, compared with the unavoidable
//! work (reading and decompressing it), and with unpacking it with `tar`.
//!
//!     cargo run --release -p btf-peers -- --archive
//!
//! Each cell is the fastest of several runs in separate processes; the files are in
//! the page cache.

use std::{
    env,
    ffi::OsStr,
    fs,
    io::{self, Read},
    path::Path,
    process::Command,
};

use btf_archive::{Archive, Pack};
use btf_elf::{Compression, Limits};
use btf_kernel::Host;
use btf_tests::fixtures;

use crate::cost::{Cost, Least};

const MEMBERS: usize = 3000;
const FILES: usize = 4000;
const ROUNDS: usize = 5;

fn release(number: usize) -> String {
    format!("5.{}.0-{}-generic", number / 100, number % 100)
}

fn host() -> Host {
    Host {
        distribution: "ubuntu".into(),
        version: Some("20.04".into()),
        machine: "x86_64".into(),
        release: release(MEMBERS / 2),
        ..Host::default()
    }
}

/// Runs in a separate process, and prints the cost.
pub fn one(way: &str, path: &Path) {
    let cost = Cost::start();
    match way {
        "select" => {
            let selection = Archive::open(path).and_then(|archive| archive.select(&host())).expect("it is there");
            assert!(selection.btf().type_count() > 10);
        }
        "list" => assert_eq!(Archive::open(path).and_then(|archive| archive.list()).expect("a folder").len(), FILES),
        "stream" => {
            let mut file = fs::File::open(path).expect("it is there");
            let mut buffer = vec![0; 64 << 10];
            while file.read(&mut buffer).expect("it can be read") > 0 {}
        }
        "decode" => {
            let file = fs::File::open(path).expect("it is there");
            let limits = Limits::IMAGE.ratio(u64::MAX);
            let mut decoder = Compression::Gzip.decoder(file, &limits).expect("it is gzip");
            io::copy(&mut decoder, &mut io::sink()).expect("it is sound");
        }
        "tar" => {
            let folder = path.with_extension("unpacked");
            fs::create_dir_all(&folder).expect("the folder can be written to");
            let status = Command::new("tar").arg("xf").arg(path).arg("-C").arg(&folder).status();
            assert!(status.is_ok_and(|status| status.success()));
            let file = folder.join("btfhub-archive/ubuntu/20.04/x86_64").join(format!("{}.btf", host().release));
            let btf = btf_types::Btf::parse(fs::read(file).expect("it is there")).expect("it is sound");
            assert!(btf.type_count() > 10);
            let time = cost.nanos();
            fs::remove_dir_all(&folder).expect("what was written can be removed");
            println!("{time}");
            return;
        }
        _ => panic!("no {way}"),
    }
    cost.print();
}

/// Moves members to other offsets, as in another kernel: three thousand equal copies
/// would compress, and decompress, too well.
fn with_other_offsets(btf: &[u8], number: u32) -> Vec<u8> {
    let mut bytes = btf.to_vec();
    let mut state = number;
    for record in btf_format::RawBtf::parse(btf).expect("it is sound").records() {
        let record = record.expect("it is sound");
        let btf_format::Data::Members(members) = record.data() else { continue };
        for index in 0..members.len() {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let at = record.offset() as usize + 12 + 12 * index + 8;
            let place = bytes.get_mut(at..at + 4).expect("it is inside");
            place.copy_from_slice(&(state >> 20 << 3).to_ne_bytes());
        }
    }
    bytes
}

/// Prints the table.
pub fn print() {
    let folder = env::temp_dir().join(format!("btf-peers-archive-{}", std::process::id()));
    let tree = folder.join("tree");
    let place = tree.join("ubuntu/20.04/x86_64");
    fs::create_dir_all(&place).expect("the temporary folder can be written to");
    let trimmed: Vec<_> =
        fixtures::files("golden").into_iter().filter(|name| name.ends_with(".core_real.btf")).collect();
    let native: Vec<_> = trimmed
        .iter()
        .map(|name| fixtures::read(name))
        .filter(|bytes| btf_types::Btf::parse(bytes.clone()).is_ok_and(|btf| btf.byte_order().is_native()))
        .collect();
    for number in 0..MEMBERS {
        let bytes = native.get(number % native.len()).expect("there are some");
        fs::write(place.join(format!("{}.btf", release(number))), with_other_offsets(bytes, number as u32))
            .expect("the folder can be written to");
    }
    let archive = Archive::open(&tree).expect("it is there");
    let (plain, packed) = (folder.join("bundle.tar"), folder.join("bundle.tar.gz"));
    Pack::new().write_file(&archive, &plain).expect("it can be written");
    Pack::new().compression(Compression::Gzip).write_file(&archive, &packed).expect("it can be written");
    for number in MEMBERS..FILES {
        fs::write(place.join(format!("{}.btf.tar.xz", release(number))), b"").expect("the folder can be written to");
    }
    let size = |path: &Path| fs::metadata(path).map_or(0.0, |metadata| metadata.len() as f64 / 1e6);
    println!("{MEMBERS} kernels: {:.1} MB as a tar, {:.2} MB with gzip\n", size(&plain), size(&packed));
    println!("| | time | memory at most |\n|---|---|---|");
    for (title, way, path) in [
        ("read the tar", "stream", &plain),
        ("select from the tar", "select", &plain),
        ("`tar xf`, then look up", "tar", &plain),
        ("decode the gzip", "decode", &packed),
        ("select from the gzip", "select", &packed),
        ("`tar xf`, then look up, of the gzip", "tar", &packed),
        ("list a folder of 4,000 files", "list", &tree),
    ] {
        let arguments = [OsStr::new("--archive-one"), OsStr::new(way), path.as_os_str()];
        let least = Least::of(ROUNDS, &arguments).expect("it says what it costs");
        println!("| {title} | {} | {} |", least.time(1), least.memory());
    }
    fs::remove_dir_all(&folder).expect("what was written can be removed");
}

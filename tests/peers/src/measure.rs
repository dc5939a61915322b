//! What is measured, and how: inside the process of one library.

use std::{
    fs,
    hint::black_box,
    path::Path,
    time::{Duration, Instant},
};

use btf_tests::memory;

/// A library. Each question returns a sum that all libraries agree on, `None`
/// if it cannot be asked.
pub trait Peer: Sized {
    /// Opens a file of raw BTF in whatever way suits the library best.
    fn open_file(path: &Path) -> Self;

    /// Opens BTF that is in memory already; the bytes may be kept.
    fn open_bytes(bytes: Vec<u8>) -> Option<Self>;

    /// For each id, the size if it is a struct, else 1.
    fn by_id(&self, _ids: &[u32]) -> Option<u64> {
        None
    }

    /// For each type, the number of the kind.
    fn types(&self) -> Option<u64> {
        None
    }

    /// For each type, the length of the name.
    fn names(&self) -> Option<u64> {
        None
    }

    /// For each member of each struct and union, the offset in bits.
    fn members(&self) -> Option<u64> {
        None
    }

    /// For each FUNC, the number of parameters of its FUNC_PROTO.
    fn protos(&self) -> Option<u64> {
        None
    }
}

/// Lines of the table: what is printed for a key.
pub const ROWS: [(&str, &str); 11] = [
    ("first", "open the file, first in process"),
    ("warm", "open the file, warm"),
    ("bytes", "open bytes in memory"),
    ("by_id", "type by id, random, matched on"),
    ("types", "iterate all types"),
    ("names", "iterate with all names"),
    ("members", "iterate with all members"),
    ("protos", "every FUNC to its FUNC_PROTO"),
    ("resident", "resident memory after open"),
    ("peak", "heap at most while opening"),
    ("allocations", "heap allocations to open"),
];

/// Measures everything, and prints `key<TAB>value<TAB>sum` a line: times in
/// picoseconds, memory in bytes.
pub fn run<P: Peer>(path: &Path) {
    let resident = resident();
    let start = Instant::now();
    let (peer, heap) = memory::measure(|| P::open_file(path));
    print("first", start.elapsed(), 0);
    println!("resident\t{}\t0", self::resident().saturating_sub(resident));
    println!("peak\t{}\t0", heap.peak);
    println!("allocations\t{}\t0", heap.allocations);

    let warm = (0..20).map(|_| {
        let start = Instant::now();
        let peer = black_box(P::open_file(path));
        let time = start.elapsed();
        drop(peer);
        time
    });
    print("warm", warm.min().unwrap_or_default(), 0);

    let bytes = fs::read(path).expect("the file can be read");
    if P::open_bytes(bytes.clone()).is_some() {
        let times = (0..20).map(|_| {
            let bytes = bytes.clone();
            let start = Instant::now();
            let peer = black_box(P::open_bytes(bytes));
            let time = start.elapsed();
            drop(peer);
            time
        });
        print("bytes", times.min().unwrap_or_default(), 0);
    }

    let ids = random_ids(&bytes);
    question("by_id", ids.len() as u32, || peer.by_id(&ids));
    question("types", 1, || peer.types());
    question("names", 1, || peer.names());
    question("members", 1, || peer.members());
    question("protos", 1, || peer.protos());
}

fn question(key: &str, parts: u32, mut ask: impl FnMut() -> Option<u64>) {
    let Some(sum) = ask() else { return };
    let times = (0..30).map(|_| {
        let start = Instant::now();
        black_box(ask());
        start.elapsed()
    });
    let time = times.min().unwrap_or_default();
    println!("{key}\t{}\t{sum}", time.as_nanos() * 1000 / u128::from(parts));
}

fn print(key: &str, time: Duration, sum: u64) {
    println!("{key}\t{}\t{sum}", time.as_nanos() * 1000);
}

/// 100,000 ids that exist, the same in every process.
fn random_ids(bytes: &[u8]) -> Vec<u32> {
    let count = btf_types::Btf::parse(bytes.to_vec()).expect("the file is sound").type_count();
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    (0..100_000).map(|_| (next() % u64::from(count - 1)) as u32 + 1).collect()
}

/// Memory that only this process has, in bytes: pages of mapped files, which
/// all processes share, are not counted.
fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap_or_default();
    let kib: u64 = line.trim().trim_end_matches(" kB").parse().unwrap_or_default();
    kib * 1024
}

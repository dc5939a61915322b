//! Measurements in the process of one library.

use std::{
    fs,
    hint::black_box,
    path::Path,
    time::{Duration, Instant},
};

use btf_tests::memory;

/// Library to measure. Each query returns a checksum, which is the same for all
/// libraries; `None` if the library does not support it.
pub trait Peer: Sized {
    /// Opens a file of raw BTF in the way that is fastest for the library.
    fn open_file(path: &Path) -> Self;

    /// Opens BTF that is already in memory. The library may keep the bytes.
    fn open_bytes(bytes: Vec<u8>) -> Option<Self>;

    /// Opens split BTF that is already in memory on this base. The library may keep the
    /// bytes.
    fn open_split(&self, _bytes: Vec<u8>) -> Option<Self> {
        None
    }

    /// Sums, for each name, the id of the struct with that name, or 0 if there is none.
    fn find(&self, _names: &[&str]) -> Option<u64> {
        None
    }

    /// Finds names in split BTF.
    fn find_in_split(&self, names: &[&str]) -> Option<u64> {
        self.find(names)
    }

    /// Looks up names that do not exist, in the fastest way.
    fn find_none(&self, names: &[&str]) -> Option<u64> {
        self.find(names)
    }

    /// Returns the time to make the index that [`Peer::find`] uses for many names, if it
    /// is not made on opening.
    fn make_index(&self) -> Option<Duration> {
        None
    }

    /// Sums the ids of all types with these names, of any kind.
    fn find_all(&self, _names: &[&str]) -> Option<u64> {
        None
    }

    /// Sums the ids of all types whose essential name is one of these.
    fn find_flavors(&self, _names: &[&str]) -> Option<u64> {
        None
    }

    /// Sums the ids of all types whose name matches a regular expression.
    fn matching(&self, _regex: &str) -> Option<u64> {
        None
    }

    /// Sums, for each id, the size if it is a struct, else 1.
    fn by_id(&self, _ids: &[u32]) -> Option<u64> {
        None
    }

    /// Sums, for each type, the number of the kind.
    fn types(&self) -> Option<u64> {
        None
    }

    /// Sums, for each type, the length of the name.
    fn names(&self) -> Option<u64> {
        None
    }

    /// Sums, for each member of each struct and union, the offset in bits.
    fn members(&self) -> Option<u64> {
        None
    }

    /// Sums, for each FUNC, the number of parameters of its FUNC_PROTO.
    fn protos(&self) -> Option<u64> {
        None
    }
}

/// Rows of the table: the key, and the printed text.
pub const ROWS: [(&str, &str); 21] = [
    ("first", "open the file, first in process"),
    ("warm", "open the file, warm"),
    ("bytes", "open bytes in memory"),
    ("ten", "open, then find ten names, first in process"),
    ("split", "open a module on its base, from memory"),
    ("split_ten", "open it, then find ten of its names"),
    ("find", "find by name, when many are asked"),
    ("missing", "no such name, when many are asked"),
    ("index", "make the index for that"),
    ("find_all", "all types of a name, when many are asked"),
    ("find_flavors", "all flavors of a name, when many are asked"),
    ("by_id", "type by id, random, matched on"),
    ("types", "iterate all types"),
    ("names", "iterate with all names"),
    ("members", "iterate with all members"),
    ("protos", "every FUNC to its FUNC_PROTO"),
    ("matching", "ids by regular expression"),
    ("resident", "resident memory after open"),
    ("resident_index", "resident memory after many names"),
    ("peak", "heap at most while opening"),
    ("allocations", "heap allocations to open"),
];

/// Environment variable with the path of a file of names to look up.
pub const NAMES: &str = "BTF_PEERS_NAMES";

/// Measures everything, and prints one line `key<TAB>value<TAB>sum` per result: times
/// in picoseconds, memory in bytes. A module is measured with the file as its base.
pub fn run<P: Peer>(path: &Path, module: Option<&Path>) {
    // The first measurement, so that nothing is warm: the names come from a file, not
    // from the BTF.
    let ten = std::env::var_os(NAMES).and_then(|file| fs::read_to_string(file).ok()).unwrap_or_default();
    let ten: Vec<&str> = ten.lines().collect();
    let resident_before = resident();
    let start = Instant::now();
    let (peer, heap) = memory::measure(|| P::open_file(path));
    let first = start.elapsed();
    print("first", first, 0);
    println!("resident\t{}\t0", resident().saturating_sub(resident_before));
    println!("peak\t{}\t0", heap.peak);
    println!("allocations\t{}\t0", heap.allocations);
    let start = Instant::now();
    if let Some(sum) = peer.find(&ten) {
        print("ten", first + start.elapsed(), sum);
        (0..8).for_each(|_| _ = peer.find(&ten));
        println!("resident_index\t{}\t0", resident().saturating_sub(resident_before));
    }

    best("warm", 20, || (), |()| Some(P::open_file(path)));
    let bytes = fs::read(path).expect("the file can be read");
    best("bytes", 20, || bytes.clone(), P::open_bytes);
    if let Some(module) = module {
        let module = fs::read(module).expect("the module can be read");
        best("split", 20, || module.clone(), |module| peer.open_split(module));
        let kernel = btf_types::Btf::parse(bytes.clone()).expect("the file is sound");
        let of_module = btf_types::Btf::parse_split(module.clone(), &kernel).expect("the module is sound");
        let names = names(&of_module, 10);
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        best("split_ten", 20, || module.clone(), |module| peer.open_split(module)?.find_in_split(&names));
    }

    let btf = btf_types::Btf::parse(bytes).expect("the file is sound");
    let ids = random_ids(&btf);
    let names = names(&btf, 64);
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    drop(btf);
    if let Some(time) = (0..20).map_while(|_| peer.make_index()).min() {
        print("index", time, 0);
    }
    question("find", names.len() as u32, || peer.find(&names));
    let missing: Vec<String> = names.iter().map(|name| format!("{name}_is_missing")).collect();
    let missing: Vec<&str> = missing.iter().map(String::as_str).collect();
    question("missing", missing.len() as u32, || peer.find_none(&missing));
    question("find_all", names.len() as u32, || peer.find_all(&names));
    question("find_flavors", names.len() as u32, || peer.find_flavors(&names));
    question("by_id", ids.len() as u32, || peer.by_id(&ids));
    question("types", 1, || peer.types());
    question("names", 1, || peer.names());
    question("members", 1, || peer.members());
    question("protos", 1, || peer.protos());
    question("matching", 1, || peer.matching("^tcp_.*sock$"));
}

/// Prints the shortest time of several rounds, without the time of `prepare`.
fn best<I, T>(key: &str, rounds: usize, mut prepare: impl FnMut() -> I, mut work: impl FnMut(I) -> Option<T>) {
    let times = (0..rounds).map_while(|_| {
        let input = prepare();
        let start = Instant::now();
        let result = black_box(work(input));
        let time = start.elapsed();
        result.map(|_| time)
    });
    if let Some(time) = times.min() {
        print(key, time, 0);
    }
}

/// Returns unique names of own structs, spread over the file.
pub fn names(btf: &btf_types::Btf, count: usize) -> Vec<String> {
    let names: Vec<String> = btf
        .types()
        .filter_map(|ty| btf_types::Struct::try_from(ty).ok())
        .filter(|s| btf.find_all::<btf_types::Type<'_>>(s.name()).len() == 1)
        .map(|s| s.name().to_string())
        .collect();
    names.iter().step_by((names.len() / count).max(1)).take(count).cloned().collect()
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

/// Returns 100,000 pseudorandom valid ids, the same in every process.
fn random_ids(btf: &btf_types::Btf) -> Vec<u32> {
    let count = btf.type_count();
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    (0..100_000).map(|_| (next() % u64::from(count - 1)) as u32 + 1).collect()
}

/// Returns the private memory of this process in bytes. Pages of mapped files, which
/// all processes share, are not counted.
fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap_or_default();
    let kib: u64 = line.trim().trim_end_matches(" kB").parse().unwrap_or_default();
    kib * 1024
}

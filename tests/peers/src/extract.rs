//! BTF from files that are not raw BTF: time and memory until types can be queried.
//!
//!     cargo run --release -p btf-peers --features peers,peers-c -- --extract [FILE]...
//!
//! Each cell is the fastest of several runs in separate processes; the files are in
//! the page cache.

use std::{
    env,
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
};

use btf_tests::fixtures;

use crate::cost::{Cost, Least};

/// Library: its name, and a function that opens a file, with raw BTF as its base if
/// given, and returns the number of types; `None` if it fails.
type Extractor = (&'static str, fn(&Path, Option<&Path>) -> Option<u64>);

const ROUNDS: usize = 5;

fn extractors() -> Vec<Extractor> {
    #[allow(unused_mut, reason = "without features there are no others")]
    let mut all: Vec<Extractor> = vec![("btf-elf", ours)];
    #[cfg(feature = "peers-c")]
    all.extend([("btf-rs", btf_rs as fn(&Path, Option<&Path>) -> Option<u64>), ("libbpf", libbpf)]);
    all
}

fn ours(path: &Path, base: Option<&Path>) -> Option<u64> {
    let base = base.map(|base| btf_elf::BtfFile::open(base).and_then(|base| base.btf()).expect("it is sound"));
    let cost = Cost::start();
    let file = btf_elf::BtfFile::open(path).ok()?;
    let btf = match &base {
        None => file.btf(),
        Some(base) => file.split_btf(base),
    };
    let count = btf.ok()?.type_count();
    cost.print();
    Some(count.into())
}

/// Opens a file with btf-rs through its documented API. (Its decoders of xz, zstd and
/// bzip2 are in C.)
#[cfg(feature = "peers-c")]
fn btf_rs(path: &Path, base: Option<&Path>) -> Option<u64> {
    use fallible_iterator::FallibleIterator;

    let base = base.map(|base| btf_rs::Btf::from_file(base).expect("it is sound"));
    let cost = Cost::start();
    let bytes = btf_rs::utils::elf::extract_btf_from_file(path).ok()?;
    let btf = match &base {
        None => btf_rs::Btf::from_bytes(&bytes),
        Some(base) => btf_rs::Btf::from_split_bytes(&bytes, base),
    };
    let btf = btf.ok()?;
    cost.print();
    Some(btf.type_iter().iterator().flatten().count() as u64)
}

#[cfg(feature = "peers-c")]
fn libbpf(path: &Path, base: Option<&Path>) -> Option<u64> {
    use std::{ffi::CString, ptr};

    use libbpf_sys as sys;

    let text = |path: &Path| CString::new(path.to_str().expect("text")).expect("no NUL");
    // SAFETY: all paths are C strings, and nothing is freed.
    unsafe {
        sys::libbpf_set_print(None);
        let base = base.map_or(ptr::null_mut(), |base| sys::btf__parse(text(base).as_ptr(), ptr::null_mut()));
        let path = text(path);
        let cost = Cost::start();
        let btf = sys::btf__parse_split(path.as_ptr(), base);
        if btf.is_null() {
            return None;
        }
        let count = sys::btf__type_cnt(btf);
        cost.print();
        Some(count.into())
    }
}

/// Runs in a separate process, and prints the cost.
pub fn one(name: &str, path: &Path, base: Option<&Path>) {
    let Some((_, extract)) = extractors().into_iter().find(|(peer, _)| *peer == name) else {
        panic!("no peer {name}");
    };
    extract(path, base);
}

/// Prints the table for these files, or for the fixtures.
pub fn print(files: &[String]) {
    let folder = env::temp_dir().join(format!("btf-peers-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("the temporary folder can be written to");
    let base = folder.join("vmlinux.btf");
    let vmlinux = format!("kernels/{}/vmlinux.btf", fixtures::SORTED);
    fs::write(&base, fixtures::read(&vmlinux)).expect("the folder can be written to");
    let mut rows: Vec<(PathBuf, Option<PathBuf>)> = files.iter().map(|file| (file.into(), None)).collect();
    if rows.is_empty() {
        let module = format!("modules/{}/tun.ko.xz", fixtures::SORTED);
        rows.push((fixtures::folder().join("bpf/clang-22/maps-el.bpf.o"), None));
        rows.push((fixtures::folder().join(module), Some(base)));
        rows.extend(images().into_iter().map(|image| (image, None)));
    }
    let extractors = extractors();
    println!("| file |{}", extractors.iter().map(|(name, _)| format!(" {name} |")).collect::<String>());
    println!("|---|{}", "---|".repeat(extractors.len()));
    for (path, base) in &rows {
        let cells: String =
            extractors.iter().map(|(name, _)| format!(" {} |", cell(name, path, base.as_deref()))).collect();
        let size = fs::metadata(path).map_or(0.0, |metadata| metadata.len() as f64 / 1e6);
        println!("| {} ({size:.3} MB) |{cells}", path.file_name().unwrap_or_default().to_string_lossy());
    }
    fs::remove_dir_all(&folder).expect("what was written can be removed");
}

/// Returns the fetched kernel images.
fn images() -> Vec<PathBuf> {
    let mut images = Vec::new();
    for name in
        ["amd64-bookworm/boot", "amd64-trixie/boot", "arm64-trixie/boot", "s390x-trixie/boot", "ppc64el-trixie/boot"]
    {
        let entries = fs::read_dir(fixtures::folder().join("fetched").join(name));
        images.extend(entries.into_iter().flatten().flatten().map(|entry| entry.path()));
    }
    images
}

fn cell(name: &str, path: &Path, base: Option<&Path>) -> String {
    let mut arguments = vec![OsStr::new("--extract-one"), OsStr::new(name), path.as_os_str()];
    arguments.extend(base.map(Path::as_os_str));
    match Least::of(ROUNDS, &arguments) {
        Some(least) => format!("{}, {}", least.time(2), least.memory()),
        None => "-".into(),
    }
}

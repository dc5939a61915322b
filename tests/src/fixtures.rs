//! Access to the committed test data, decompressed if necessary.

use std::{
    fs,
    io::Read,
    path::{Path, PathBuf},
};

use btf_types::{Btf, BtfExt};

/// Returns the folder `fixtures/` of this checkout.
#[must_use]
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures")
}

/// Reads a fixture by its path below `fixtures/`. If only `NAME.xz` exists, it is
/// decompressed.
///
/// # Panics
///
/// If there is no such file.
#[must_use]
pub fn read(name: &str) -> Vec<u8> {
    let path = folder().join(name);
    match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(_) => {
            let packed = folder().join(format!("{name}.xz"));
            let packed = fs::read(&packed).unwrap_or_else(|error| panic!("{}: {error}", packed.display()));
            let mut bytes = Vec::new();
            lzma_rust2::XzReader::new(packed.as_slice(), false)
                .read_to_end(&mut bytes)
                .unwrap_or_else(|error| panic!("{name}.xz: {error}"));
            bytes
        }
    }
}

/// Returns the contents of a section of an object file among the fixtures; `None`
/// if it has no section of that name.
///
/// # Panics
///
/// If there is no such file, or it is not an object file.
#[must_use]
pub fn section(file: &str, name: &str) -> Option<Vec<u8>> {
    use object::{Object, ObjectSection};
    let bytes = read(file);
    let object = object::File::parse(bytes.as_slice()).unwrap_or_else(|error| panic!("{file}: {error}"));
    let section = object.section_by_name(name)?;
    Some(section.data().unwrap_or_else(|error| panic!("{file}: {name}: {error}")).to_vec())
}

/// Returns the `.BTF.ext` of an object file among the fixtures, with its `.BTF`.
///
/// # Panics
///
/// If one of the two sections is missing or cannot be opened.
#[must_use]
pub fn btf_ext(object: &str) -> BtfExt {
    let section = |name| section(object, name).unwrap_or_else(|| panic!("{object}: no {name}"));
    let btf = Btf::parse(section(".BTF")).unwrap_or_else(|error| panic!("{object}: {error}"));
    BtfExt::parse(section(".BTF.ext"), &btf).unwrap_or_else(|error| panic!("{object}: {error}"))
}

/// Release of the newest kernel, whose BTF is sorted by name.
pub const SORTED: &str = "7.3.4+deb13-cloud-amd64";
/// Release of a kernel whose BTF is not sorted.
pub const UNSORTED: &str = "6.1.0-56-cloud-amd64";
/// Release of the big-endian kernel.
pub const BIG_ENDIAN: &str = "7.2.13+deb14-s390x";

/// BPF object, the BTF it is relocated for, and the expected results.
#[derive(Debug, Clone)]
pub struct CoreCase {
    /// Path of the object.
    pub object: String,
    /// Path of the kernel's or custom BTF.
    pub target: String,
    /// Paths of the modules' BTF.
    pub modules: Vec<String>,
    /// Path of the table of results.
    pub golden: String,
}

/// Returns all cases of CO-RE relocation whose results are among the fixtures.
#[must_use]
pub fn core_cases() -> Vec<CoreCase> {
    let objects =
        ["core_ambiguous", "core_bits", "core_field", "core_forms", "core_forms_v4", "core_match", "core_type"];
    let mut cases = Vec::new();
    for object in objects {
        for order in ["el", "eb"] {
            let target = object.trim_end_matches("_v4");
            cases.push(CoreCase {
                object: format!("bpf/clang-22/{object}-{order}.bpf.o"),
                target: format!("golden/core/{target}_tgt1-{order}.btf"),
                modules: Vec::new(),
                golden: format!("golden/core/{object}-{order}.tsv"),
            });
        }
    }
    for (order, machine, release) in [("el", "amd64", UNSORTED), ("el", "amd64", SORTED), ("eb", "s390x", BIG_ENDIAN)] {
        for (object, modules) in
            [("core_load", &[][..]), ("core_real", &[]), ("core_modules", &["openvswitch", "veth", "vxlan"])]
        {
            cases.push(CoreCase {
                object: format!("bpf/clang-22/{object}-{order}.bpf.o"),
                target: format!("kernels/{release}/vmlinux.btf"),
                modules: modules.iter().map(|module| format!("kernels/{release}/{module}.btf")).collect(),
                golden: format!("golden/core/{object}.{machine}.{release}.tsv"),
            });
        }
    }
    cases
}

/// File of raw BTF among the fixtures.
#[derive(Debug, Clone)]
pub struct RawFixture {
    /// Path below `fixtures/`, without `.xz`.
    pub name: String,
    /// Path of the base, for split BTF.
    pub base: Option<String>,
}

/// Returns all valid raw BTF among the fixtures.
#[must_use]
pub fn raw_btf() -> Vec<RawFixture> {
    let mut all = Vec::new();
    for release in [UNSORTED, SORTED, BIG_ENDIAN] {
        let vmlinux = format!("kernels/{release}/vmlinux.btf");
        all.push(RawFixture { name: vmlinux.clone(), base: None });
        for module in ["veth", "vxlan", "openvswitch", "cast_common"] {
            let name = format!("kernels/{release}/{module}.btf");
            all.push(RawFixture { name, base: Some(vmlinux.clone()) });
        }
    }
    for folder_name in ["bpf/pahole32", "golden", "golden/core", "golden/layout", "split"] {
        for name in files(folder_name) {
            if name.ends_with(".btf") || name.ends_with(".btf.base") {
                let base = (folder_name == "split" && name.ends_with(".btf")).then(|| split_base(&name));
                all.push(RawFixture { name, base });
            }
        }
    }
    all
}

/// Returns the names of the files in a folder below `fixtures/`, sorted.
///
/// # Panics
///
/// If the folder cannot be read.
#[must_use]
pub fn files(folder_name: &str) -> Vec<String> {
    let path = folder().join(folder_name);
    let entries = fs::read_dir(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut names: Vec<_> = entries
        .map(|entry| entry.expect("the folder can be listed"))
        .filter(|entry| entry.path().is_file())
        .map(|entry| format!("{folder_name}/{}", entry.file_name().to_string_lossy()))
        .collect();
    names.sort();
    names
}

/// Returns the folders that `cargo xtask fetch-fixtures` fetched, sorted.
///
/// # Panics
///
/// If there are none.
#[must_use]
pub fn fetched() -> Vec<PathBuf> {
    let path = folder().join("fetched");
    let entries = fs::read_dir(&path);
    let entries =
        entries.unwrap_or_else(|error| panic!("{}: {error}; run `cargo xtask fetch-fixtures`", path.display()));
    let mut folders: Vec<_> = entries.map(|entry| entry.expect("the folder can be listed").path()).collect();
    folders.retain(|path| path.is_dir() && !file_name(path).starts_with('.'));
    folders.sort();
    folders
}

/// Returns all files below a folder, sorted.
///
/// # Panics
///
/// If it cannot be listed.
#[must_use]
pub fn below(folder: &Path) -> Vec<PathBuf> {
    let (mut open, mut files) = (vec![folder.to_owned()], Vec::new());
    while let Some(folder) = open.pop() {
        let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        for entry in entries {
            let path = entry.expect("the folder can be listed").path();
            if path.is_dir() { open.push(path) } else { files.push(path) }
        }
    }
    files.sort();
    files
}

/// Returns the last component of a path.
#[must_use]
pub fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Returns the base of a file in `split/`: `X.btf.base` for `X.btf`, and that
/// kernel for `X__on__ARCH_RELEASE.btf`.
fn split_base(name: &str) -> String {
    match name.strip_suffix(".btf").and_then(|stem| stem.split_once("__on__")) {
        Some((_, kernel)) => {
            let release = kernel.split_once('_').map_or(kernel, |(_, release)| release);
            format!("kernels/{release}/vmlinux.btf")
        }
        None => format!("{name}.base"),
    }
}

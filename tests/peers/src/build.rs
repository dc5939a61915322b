//! Making BTF: appending, encoding, sorting, distilling.
//!
//!     cargo run --release -p btf-peers --features peers,peers-c -- --build [VMLINUX [MODULE]]
//!
//! Each cell is the fastest of several runs in separate processes, in CPU time, which
//! depends little on the load of the machine. The files are in the page cache, and are
//! opened before the measurement.

use std::{
    env,
    ffi::OsStr,
    fs,
    io::Write,
    path::{Path, PathBuf},
};

use btf_build::{Builder, Encode, Verify, dedup, distill, sanitize, sort};
use btf_tests::fixtures;
use btf_types::{
    Btf, ByteOrder,
    format::{FeatureSet, KernelVersion},
};

use crate::cost::{Cost, Least};

const ROUNDS: usize = 7;

/// Operations. libbpf does not have the last ones.
const OPERATIONS: [(&str, &str); 12] = [
    ("append", "append vmlinux to an empty BTF"),
    ("encode", "encode vmlinux to the other byte order"),
    ("put", "the same, to /dev/null"),
    ("sort", "sort vmlinux by name"),
    ("distill", "distill a module"),
    ("dedup", "dedup vmlinux"),
    ("dedup-twice", "dedup vmlinux appended to itself"),
    ("dedup-module", "dedup a module on its base"),
    ("open", "open vmlinux"),
    ("verify", "verify vmlinux for 6.18"),
    ("copy", "copy the bytes of vmlinux, and open them"),
    ("sanitize", "sanitize vmlinux for 5.15"),
];

fn ours(operation: &str, vmlinux: &Path, module: &Path) -> usize {
    let read = |path: &Path| fs::read(path).expect("the file can be read");
    let vmlinux = Btf::parse(read(vmlinux)).expect("it is sound");
    match operation {
        "append" => {
            let cost = Cost::start();
            let mut b = Builder::new();
            b.append(&vmlinux).expect("it can be appended");
            let done = b.finish().expect("it is sound");
            cost.print_cpu();
            done.as_bytes().len()
        }
        "encode" => {
            let cost = Cost::start();
            let done = Encode::new().byte_order(ByteOrder::NATIVE.swapped()).encode(&vmlinux).expect("it can be");
            cost.print_cpu();
            done.len()
        }
        "put" => {
            let mut null = fs::File::options().write(true).open("/dev/null").expect("there is one");
            let cost = Cost::start();
            let mut size = 0;
            let put = |piece: &[u8]| {
                null.write_all(piece).expect("it takes anything");
                size += piece.len();
            };
            Encode::new().byte_order(ByteOrder::NATIVE.swapped()).encode_to(&vmlinux, put).expect("it can be");
            cost.print_cpu();
            size
        }
        "sort" => {
            let cost = Cost::start();
            let (done, _) = sort(&vmlinux).expect("it can be sorted");
            cost.print_cpu();
            done.as_bytes().len()
        }
        "dedup" | "dedup-twice" => {
            let btf = if operation == "dedup" { vmlinux } else { twice(&vmlinux) };
            let cost = Cost::start();
            let (done, _) = dedup(&btf).expect("it can be deduplicated");
            cost.print_cpu();
            done.as_bytes().len()
        }
        "copy" => {
            let cost = Cost::start();
            let done = Btf::parse(vmlinux.as_bytes().to_vec()).expect("it is sound");
            cost.print_cpu();
            done.as_bytes().len()
        }
        "open" => {
            let bytes = vmlinux.as_bytes().to_vec();
            let cost = Cost::start();
            let done = Btf::parse(bytes).expect("it is sound");
            cost.print_cpu();
            done.as_bytes().len()
        }
        "verify" => {
            let verify = Verify::kernel(KernelVersion::new(6, 18)).byte_order(vmlinux.byte_order());
            let bytes = vmlinux.to_bytes(vmlinux.byte_order()).expect("it is sound");
            let cost = Cost::start();
            let verdict = verify.verify(&bytes);
            cost.print_cpu();
            usize::from(verdict.is_ok())
        }
        "sanitize" => {
            let cost = Cost::start();
            let done = sanitize(&vmlinux, FeatureSet::of(KernelVersion::new(5, 15))).expect("it can be");
            cost.print_cpu();
            done.as_bytes().len()
        }
        "dedup-module" => {
            let module = Btf::parse_split(read(module), &vmlinux).expect("it is sound");
            let cost = Cost::start();
            let (done, _) = dedup(&module).expect("it can be deduplicated");
            cost.print_cpu();
            done.as_bytes().len()
        }
        _ => {
            let module = Btf::parse_split(read(module), &vmlinux).expect("it is sound");
            let cost = Cost::start();
            let done = distill(&module).expect("it can be distilled");
            cost.print_cpu();
            done.base.as_bytes().len() + done.split.as_bytes().len()
        }
    }
}

fn twice(btf: &Btf) -> Btf {
    let mut b = Builder::new();
    b.append(btf).and_then(|_| b.append(btf)).expect("it can be appended");
    b.finish().expect("it is sound")
}

#[cfg(feature = "peers-c")]
fn libbpf(operation: &str, vmlinux: &Path, module: &Path) -> usize {
    use std::{ffi::CStr, ptr};

    use libbpf_sys as sys;

    let read = |path: &Path| fs::read(path).expect("the file can be read");
    // Length of the bytes of a BTF, which libbpf makes on demand.
    let raw = |btf: *mut sys::btf| {
        let mut size = 0;
        // SAFETY: the BTF is alive.
        let data = unsafe { sys::btf__raw_data(btf, &raw mut size) };
        assert!(!data.is_null());
        size as usize
    };
    // SAFETY: libbpf copies the bytes, and nothing is freed, so bases outlive the
    // BTF that is split from them.
    unsafe {
        sys::libbpf_set_print(None);
        let mut bytes = read(vmlinux);
        if operation == "dedup-twice" {
            bytes = twice(&Btf::parse(bytes).expect("it is sound")).as_bytes().to_vec();
        }
        let btf = sys::btf__new(bytes.as_ptr().cast(), bytes.len() as u32);
        drop(bytes);
        assert!(!btf.is_null());
        match operation {
            "append" => {
                let cost = Cost::start();
                let new = sys::btf__new_empty();
                assert!(sys::btf__add_btf(new, btf) > 0);
                let size = raw(new);
                cost.print_cpu();
                size
            }
            "encode" | "put" => {
                let other = if cfg!(target_endian = "little") { sys::BTF_BIG_ENDIAN } else { sys::BTF_LITTLE_ENDIAN };
                let mut null = fs::File::options().write(true).open("/dev/null").expect("there is one");
                let mut len = 0;
                let cost = Cost::start();
                assert_eq!(sys::btf__set_endianness(btf, other), 0);
                let size = raw(btf);
                if operation == "put" {
                    let data = sys::btf__raw_data(btf, &raw mut len).cast::<u8>();
                    null.write_all(std::slice::from_raw_parts(data, size)).expect("it takes anything");
                }
                cost.print_cpu();
                size
            }
            "sort" => {
                let cost = Cost::start();
                let name = |id: u32| {
                    let offset = (*sys::btf__type_by_id(btf, id)).name_off;
                    CStr::from_ptr(sys::btf__name_by_offset(btf, offset))
                };
                let count = sys::btf__type_cnt(btf);
                let mut ids: Vec<(&CStr, u32)> = (1..count).map(|id| (name(id), id)).collect();
                ids.sort_unstable();
                let mut map = vec![0; count as usize];
                for (new, (_, old)) in (1..).zip(ids) {
                    map[old as usize] = new;
                }
                assert_eq!(sys::btf__permute(btf, map.as_mut_ptr(), count, ptr::null()), 0);
                let size = raw(btf);
                cost.print_cpu();
                size
            }
            "dedup" | "dedup-twice" => {
                let cost = Cost::start();
                assert_eq!(sys::btf__dedup(btf, ptr::null()), 0);
                let size = raw(btf);
                cost.print_cpu();
                size
            }
            "dedup-module" => {
                let bytes = read(module);
                let module = sys::btf__new_split(bytes.as_ptr().cast(), bytes.len() as u32, btf);
                let cost = Cost::start();
                assert_eq!(sys::btf__dedup(module, ptr::null()), 0);
                let size = raw(module);
                cost.print_cpu();
                size
            }
            _ => {
                let bytes = read(module);
                let module = sys::btf__new_split(bytes.as_ptr().cast(), bytes.len() as u32, btf);
                let (mut base, mut split) = (ptr::null_mut(), ptr::null_mut());
                let cost = Cost::start();
                assert_eq!(sys::btf__distill_base(module, &raw mut base, &raw mut split), 0);
                let size = raw(base) + raw(split);
                cost.print_cpu();
                size
            }
        }
    }
}

type Peer = (&'static str, fn(&str, &Path, &Path) -> usize);

const PEERS: &[Peer] = &[
    ("btf-build", ours),
    #[cfg(feature = "peers-c")]
    ("libbpf", libbpf),
];

/// Runs in a separate process, and prints the cost and the number of bytes made.
pub fn one(name: &str, operation: &str, vmlinux: &Path, module: &Path) {
    let Some((_, work)) = PEERS.iter().find(|(peer, _)| *peer == name) else { panic!("no peer {name}") };
    println!("{}", work(operation, vmlinux, module));
}

/// Prints the table.
pub fn print(files: &[String]) {
    let folder = env::temp_dir().join(format!("btf-peers-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("the temporary folder can be written to");
    let fixture = |name: &str| {
        let path = folder.join(name);
        let bytes = fixtures::read(&format!("kernels/{}/{name}.btf", fixtures::UNSORTED));
        fs::write(&path, bytes).expect("the folder can be written to");
        path
    };
    let vmlinux = files.first().map_or_else(|| fixture("vmlinux"), PathBuf::from);
    // The module of the fixtures only fits the kernel of the fixtures.
    let module = match files {
        [] => Some(fixture("openvswitch")),
        [_, rest @ ..] => rest.first().map(PathBuf::from),
    };
    println!("| operation |{}", PEERS.iter().map(|(name, _)| format!(" {name} |")).collect::<String>());
    println!("|---|{}", "---|".repeat(PEERS.len()));
    for (operation, title) in OPERATIONS {
        let Some(module) = module.as_deref().or((!title.contains("module")).then_some(vmlinux.as_path())) else {
            continue;
        };
        let all: Vec<Option<Least>> = PEERS.iter().map(|(name, _)| least(name, operation, &vmlinux, module)).collect();
        let cell = |least: &Option<Least>| match least {
            Some(least) => format!(" {}, {} |", least.time(2), least.memory()),
            None => " - |".into(),
        };
        println!("| {title} |{}", all.iter().map(cell).collect::<String>());
    }
    fs::remove_dir_all(&folder).expect("what was written can be removed");
}

fn least(name: &str, operation: &str, vmlinux: &Path, module: &Path) -> Option<Least> {
    if name == "libbpf" && matches!(operation, "open" | "verify" | "copy" | "sanitize") {
        return None;
    }
    let arguments = [OsStr::new("--build-one"), name.as_ref(), operation.as_ref(), vmlinux.as_ref(), module.as_ref()];
    Least::of(ROUNDS, &arguments)
}

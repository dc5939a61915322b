//! Compares this workspace with other BTF libraries, in one run.
//!
//!     cargo run --release -p btf-peers --features peers,peers-c
//!
//! Each library runs three times in a separate process; each cell of the table is
//! the fastest. "floor" is a loop that does only the unavoidable: one walk over the
//! records that stores one offset per type, without any checks. Checksums of all
//! answers are compared, so that no library is fast by doing less.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    unreachable_pub,
    unsafe_code,
    reason = "a benchmark, and C libraries"
)]

mod archive;
#[cfg(feature = "peers")]
mod aya;
#[cfg(feature = "peers")]
mod btf_rs;
mod build;
mod chart;
mod cost;
mod extract;
mod floor;
#[cfg(feature = "peers-c")]
mod libbpf;
mod measure;
mod modules;
mod ours;
#[cfg(feature = "peers-c")]
#[allow(dead_code, reason = "tests ask for more")]
mod relo_core;
mod relocate;
mod rust_types;
mod table;
mod trim;

use std::{env, path::Path, process::ExitCode};

use btf_tests::memory::CountingAllocator;
use measure::Peer;

#[global_allocator]
static COUNTING: CountingAllocator = CountingAllocator;

const SYSFS: &str = "/sys/kernel/btf/vmlinux";

/// Library: its name, and the function that measures it.
type Entry = (&'static str, fn(&Path, Option<&Path>));

fn peers() -> Vec<Entry> {
    #[allow(unused_mut, reason = "without features there are no others")]
    let mut peers: Vec<Entry> = vec![("floor", run::<floor::Floor>), ("btf-types", run::<ours::Ours>)];
    #[cfg(feature = "peers")]
    peers.extend([
        ("btf-rs cache", run::<btf_rs::Cache> as fn(&Path, Option<&Path>)),
        ("btf-rs mmap", run::<btf_rs::Mmap>),
        ("aya-obj", run::<aya::Aya>),
    ]);
    #[cfg(feature = "peers-c")]
    peers.push(("libbpf", run::<libbpf::Libbpf>));
    peers
}

fn run<P: Peer>(path: &Path, module: Option<&Path>) {
    measure::run::<P>(path, module);
}

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        // Arguments with which the table runs this program, once per library and round.
        ["--measure", name, path, module @ ..] => {
            let Some((_, measure)) = peers().into_iter().find(|(peer, _)| peer == name) else {
                eprintln!("no peer {name}");
                return ExitCode::from(2);
            };
            measure(Path::new(path), module.first().map(Path::new));
        }
        ["--extract-one", name, path, base @ ..] => {
            extract::one(name, Path::new(path), base.first().map(Path::new));
        }
        ["--chart", folder] => chart::draw(Path::new(folder), &peers()),
        ["--archive-one", way, path] => archive::one(way, Path::new(path)),
        ["--archive"] => archive::print(),
        ["--trim-one", way, path] => trim::one(way, Path::new(path)),
        ["--trim"] => trim::print(),
        ["--modules-one", way, root, release] => modules::one(way, Path::new(root), release),
        ["--modules", root, release] => modules::print(Path::new(root), release),
        ["--build-one", name, operation, vmlinux, module] => {
            build::one(name, operation, Path::new(vmlinux), Path::new(module));
        }
        ["--build", ..] => build::print(arguments.get(1..).unwrap_or_default()),
        ["--relocate-one", name, object, vmlinux] => relocate::one(name, Path::new(object), Path::new(vmlinux)),
        ["--relocate", ..] => relocate::print(arguments.get(1..).unwrap_or_default()),
        ["--rust"] => rust_types::print(),
        ["--extract", ..] => extract::print(arguments.get(1..).unwrap_or_default()),
        ["--help" | "-h"] => {
            println!(
                "usage: btf-peers [--extract] [FILE]...\n\nWithout FILE: the running kernel's BTF, and the name-sorted fixture;\nwith --extract: an object, a module, and the kernel images that were fetched.\n\n       btf-peers --chart FOLDER\n       btf-peers --modules DIR RELEASE\n       btf-peers --archive\n       btf-peers --trim\n       btf-peers --build [VMLINUX [MODULE]]\n       btf-peers --relocate [OBJECT [VMLINUX]]\n       btf-peers --rust"
            );
        }
        [] => {
            let folder = env::temp_dir().join(format!("btf-peers-{}", std::process::id()));
            std::fs::create_dir_all(&folder).expect("the temporary folder can be written to");
            if Path::new(SYSFS).exists() {
                table::print(SYSFS, Path::new(SYSFS), None, &peers(), &folder);
            } else {
                eprintln!("{SYSFS}: not there, skipped");
            }
            let fixture = |name: &str| {
                let name = format!("kernels/{}/{name}.btf", btf_tests::fixtures::SORTED);
                let path = folder.join(name.replace('/', "-"));
                std::fs::write(&path, btf_tests::fixtures::read(&name)).expect("the folder can be written to");
                (name, path)
            };
            let ((name, path), (_, module)) = (fixture("vmlinux"), fixture("openvswitch"));
            table::print(&name, &path, Some(&module), &peers(), &folder);
            std::fs::remove_dir_all(&folder).expect("what was written can be removed");
        }
        files => {
            for file in files {
                table::print(file, Path::new(file), None, &peers(), &env::temp_dir());
            }
        }
    }
    ExitCode::SUCCESS
}

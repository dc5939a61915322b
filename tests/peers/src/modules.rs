//! A kernel and all of its modules from disk, and one module by its name.
//!
//!     cargo run --release -p btf-peers --features peers,peers-c -- --modules DIR RELEASE
//!
//! DIR is the file tree of a system, such as `fixtures/fetched/amd64-trixie`. Its
//! kernel is stored as an ELF file next to its modules, as in a build folder, which
//! btf-rs requires. Each result is the fastest of several runs in separate
//! processes; the files are in the page cache.

use std::{
    env,
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
};

use btf_elf::{BtfFile, Elf, Machine};
use btf_kernel::{Kernel, Root};

use crate::cost::{Cost, Least};

const ROUNDS: usize = 3;

/// Processes to run, by name.
const WAYS: [(&str, &str); 3] =
    [("ours", "btf-kernel, all modules"), ("btf-rs", "btf-rs, all modules"), ("one", "btf-kernel, one module")];

/// Runs in a separate process, and prints the cost and the number of opened modules.
pub fn one(way: &str, root: &Path, release: &str) {
    let cost = Cost::start();
    let kernel = || Kernel::of(Root::new(root)).with_release(release);
    let count = match way {
        "ours" => {
            let modules = kernel().open_all_modules().expect("there are modules");
            let count = modules.collection().objects().count();
            report(&cost, count - 1);
            return;
        }
        "one" => {
            let kernel = kernel();
            let last = kernel.module("veth").or_else(|_| kernel.module("tun")).expect("there is one of them");
            usize::from(!last.own_ids().is_empty())
        }
        #[cfg(feature = "peers-c")]
        "btf-rs" => {
            let folder = root.join("lib/modules").join(release);
            match btf_rs::utils::elf::collection_from_kernel_dir(folder) {
                Ok(collection) => {
                    let count = collection.resolve_types_by_name("task_struct").map_or(0, |types| types.len());
                    report(&cost, count);
                    return;
                }
                Err(error) => {
                    eprintln!("btf-rs: {error}");
                    return;
                }
            }
        }
        _ => return,
    };
    report(&cost, count);
}

fn report(cost: &Cost, count: usize) {
    cost.print();
    println!("{count}");
}

/// Prints the table.
pub fn print(root: &Path, release: &str) {
    let folder = env::temp_dir().join(format!("btf-peers-modules-{}", std::process::id()));
    let to = folder.join("lib/modules").join(release);
    let from = ["lib/modules", "usr/lib/modules"].map(|folder| root.join(folder).join(release));
    let from = from.into_iter().find(|path| path.exists()).expect("there are modules of this release");
    copy(&from, &to);
    let kernel = Kernel::of(Root::new(root)).with_release(release);
    let btf = kernel.btf().expect("the kernel has BTF");
    let image = kernel.source().expect("it was opened").path().to_owned();
    fs::create_dir_all(to.join("build")).expect("the folder can be written to");
    for path in [to.join("vmlinux"), to.join("build/vmlinux")] {
        fs::write(path, vmlinux(&image, &btf)).expect("the folder can be written to");
    }
    println!("| | time | memory at most |\n|---|---|---|");
    for (way, title) in WAYS {
        let arguments = [OsStr::new("--modules-one"), OsStr::new(way), folder.as_os_str(), OsStr::new(release)];
        match Least::of(ROUNDS, &arguments) {
            Some(least) => println!("| {title} ({}) | {} | {} |", least.count, least.time(1), least.memory()),
            None => println!("| {title} | - | - |"),
        }
    }
    fs::remove_dir_all(&folder).expect("what was written can be removed");
}

/// Returns an ELF file with the kernel's BTF. The machine is that of the image, if it is
/// an ELF file.
fn vmlinux(image: &Path, btf: &btf_types::Btf) -> Vec<u8> {
    let file = BtfFile::open(image).expect("it was opened before");
    let machine = file.elf().map_or(Machine::AARCH64, Elf::machine).e_machine();
    let mut elf =
        btf_tests::elf_blob::ElfBlob { elf_type: 2, machine, ..btf_tests::elf_blob::ElfBlob::bpf(btf.byte_order()) };
    elf.section(".BTF", btf.to_bytes(btf.byte_order()).expect("all kinds are known"));
    elf.build()
}

/// Copies the modules of a folder and their lists.
fn copy(from: &Path, to: &PathBuf) {
    fs::create_dir_all(to).expect("the folder can be written to");
    for entry in fs::read_dir(from).expect("the folder can be listed") {
        let path = entry.expect("the folder can be listed").path();
        let target = to.join(path.file_name().unwrap_or_default());
        let name = target.to_string_lossy().into_owned();
        if path.is_dir() {
            copy(&path, &target);
        } else if name.contains(".ko") || name.ends_with("modules.dep") {
            fs::copy(&path, &target).expect("the folder can be written to");
        }
    }
}

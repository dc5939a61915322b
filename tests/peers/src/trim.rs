//! BTF trimmed for a program, compared with bpftool; and an archive of kernels packed,
//! compared with decompressing it, which is unavoidable.
//!
//!     cargo build --release -p btf-cli
//!     cargo run --release -p btf-peers -- --trim
//!
//! Each cell is the fastest of several runs in separate processes; the files are in the
//! page cache.

use std::{
    env,
    ffi::OsStr,
    fs,
    path::Path,
    process::Command,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    thread,
};

use btf_archive::{Archive, Pack};
use btf_elf::{BpfObject, BtfFile, Compression};
use btf_relocate::Trim;
use btf_tests::{fixtures, packed, tars};
use btf_types::Btf;

use crate::cost::{Cost, Least};

const ROUNDS: usize = 15;
const PACK_ROUNDS: usize = 5;
/// Number of kernels in the archive. Half as many are measured too, to show whether memory
/// grows with the number.
const KERNELS: usize = 64;

const OBJECT: &str = "bpf/clang-22/core_real-el.bpf.o";

fn object() -> BpfObject {
    BpfObject::open(fixtures::folder().join(OBJECT)).expect("it is an object")
}

fn trim() -> Trim {
    Trim::new().object(&object()).expect("it is sound")
}

/// Runs in a separate process, and prints the cost.
pub fn one(way: &str, path: &Path) {
    let object = fixtures::folder().join(OBJECT);
    let out = path.with_extension(format!("{way}.out"));
    match way {
        "bpftool" | "btf" => {
            let mut command = if way == "btf" {
                let mut command = Command::new(env::current_exe().expect("it is known").with_file_name("btf"));
                command.arg("min");
                command
            } else {
                let mut command = Command::new("bpftool");
                command.args(["gen", "min_core_btf"]);
                command
            };
            let cost = Cost::start();
            let status = command.arg(path).arg(&out).arg(object).status().expect("it can be run");
            println!("{}", cost.nanos());
            assert!(status.success());
        }
        "memory" | "again" => {
            let (trim, btf) = (trim(), BtfFile::open(path).and_then(|file| file.btf()).expect("it is sound"));
            if way == "again" {
                trim.trim(&btf).expect("it can be trimmed");
            }
            let cost = Cost::start();
            let trimmed = trim.trim(&btf).expect("it can be trimmed");
            cost.print();
            assert!(trimmed.types().len() > 100);
        }
        "decode" => {
            let cost = Cost::start();
            let archive = Archive::open(path).expect("it is there");
            let listed = archive.list().expect("it is a folder");
            let next = AtomicUsize::new(0);
            let cores = thread::available_parallelism().map_or(1, Into::into);
            thread::scope(|scope| {
                for _ in 0..cores {
                    scope.spawn(|| {
                        while let Some(one) = listed.get(next.fetch_add(1, Relaxed)) {
                            let btf: Btf = archive.read(one.file()).expect("it is sound");
                            assert!(btf.types().len() > 1000);
                        }
                    });
                }
            });
            cost.print();
        }
        "pack" => {
            let cost = Cost::start();
            let (archive, trim) = (Archive::open(path).expect("it is there"), trim());
            let pack = Pack::new().trim(&trim).compression(Compression::Gzip);
            let packed = pack.write_file(&archive, &out).expect("it can be written");
            cost.print();
            assert!(packed.left_out.is_empty());
        }
        _ => panic!("no {way}"),
    }
}

fn row(title: &str, way: &str, path: &Path, rounds: usize) {
    let arguments = [OsStr::new("--trim-one"), OsStr::new(way), path.as_os_str()];
    match Least::of(rounds, &arguments) {
        Some(least) => println!("| {title} | {} | {} |", least.time(2), least.memory()),
        None => println!("| {title} | - | - |"),
    }
}

/// Prints the tables.
pub fn print() {
    let folder = env::temp_dir().join(format!("btf-peers-trim-{}", std::process::id()));
    let place = |count: usize| folder.join(format!("archive-{count}"));
    let kernels = [fixtures::UNSORTED, fixtures::SORTED];
    fs::create_dir_all(&folder).expect("the temporary folder can be written to");
    for release in kernels {
        let btf = fixtures::read(&format!("kernels/{release}/vmlinux.btf"));
        let path = folder.join(format!("{release}.btf"));
        fs::write(&path, &btf).expect("the folder can be written to");
        println!("\n{release}, {} types\n\n| | time | memory at most |\n|---|---|---|", btf_types(&btf));
        row("`bpftool gen min_core_btf`, a process", "bpftool", &path, ROUNDS);
        row("`btf min`, a process", "btf", &path, ROUNDS);
        row("`Trim::trim`, BTF in memory", "memory", &path, ROUNDS);
        row("`Trim::trim`, again", "again", &path, ROUNDS);
        for count in [KERNELS / 2, KERNELS] {
            let folder = place(count).join("debian/12/x86_64");
            fs::create_dir_all(&folder).expect("the temporary folder can be written to");
            let tar = packed::encode(Compression::Xz, &tars::tar(&[("vmlinux.btf", &btf)]));
            for number in 0..count / kernels.len() {
                let path = folder.join(format!("{release}-{number}.btf.tar.xz"));
                fs::write(path, &tar).expect("the folder can be written to");
            }
        }
    }
    println!("\nArchives of kernels, each in a `.btf.tar.xz`\n\n| | time | memory at most |\n|---|---|---|");
    for count in [KERNELS / 2, KERNELS] {
        row(&format!("decode {count} kernels, on all cores"), "decode", &place(count), PACK_ROUNDS);
        row(&format!("pack {count} kernels, trimmed, gzip"), "pack", &place(count), PACK_ROUNDS);
    }
    fs::remove_dir_all(&folder).expect("what was written can be removed");
}

fn btf_types(bytes: &[u8]) -> usize {
    Btf::parse(bytes.to_vec()).expect("it is sound").types().len()
}

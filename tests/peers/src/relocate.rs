//! CO-RE: all relocations of an object resolved and applied.
//!
//!     cargo run --release -p btf-peers --features peers,peers-c -- --relocate [OBJECT [VMLINUX]]
//!
//! The object and the kernel's BTF are already open and in memory; nothing was looked
//! up in them before. libbpf's functions are called like in libbpf: candidates once
//! per local type, then each relocation and each instruction. Each cell is the fastest
//! of several runs in separate processes. The last rows are for whole processes: to
//! read and open both files, and to relocate as well.

use std::{
    collections::BTreeMap,
    env,
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
};

use btf_elf::{BpfObject, BtfFile};
use btf_relocate::{Relocator, Targets};
use btf_tests::fixtures;

use crate::cost::{Cost, Least};

const ROUNDS: usize = 11;

/// Code of the program sections, by name.
type Code = BTreeMap<Vec<u8>, Vec<u8>>;

fn read(path: &Path) -> Vec<u8> {
    fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn code(object: &BpfObject) -> Code {
    let ext = object.btf_ext().expect("it is sound").expect("it has .BTF.ext");
    let has_relos = |name: &[u8]| ext.section(name).is_some_and(|section| section.core_relos().len() > 0);
    let sections = object.programs().filter(|program| has_relos(program.section().name().as_bytes()));
    sections
        .map(|program| {
            let section = program.section();
            (section.name().as_bytes().to_vec(), section.data().expect("it is sound").to_vec())
        })
        .collect()
}

/// Prints the number of changed instructions, so that no library is fast by doing less.
fn print_sum(before: &Code, after: &Code) {
    let changed = |(before, after): (&Vec<u8>, &Vec<u8>)| {
        before.chunks(8).zip(after.chunks(8)).filter(|(before, after)| before != after).count()
    };
    println!("{}", before.values().zip(after.values()).map(changed).sum::<usize>());
}

fn ours(object: &Path, vmlinux: &Path, is_indexed: bool) {
    let object = BpfObject::parse(read(object)).expect("it is an object");
    let vmlinux = BtfFile::open(vmlinux).and_then(|file| file.btf()).expect("it is sound");
    if is_indexed {
        let _ = vmlinux.find_flavors::<btf_types::Type<'_>>("task_struct");
    }
    let before = code(&object);
    let mut after = before.clone();
    let ext = object.btf_ext().expect("it is sound").expect("it has .BTF.ext");
    let cost = Cost::start();
    let relocated = Relocator::new(Targets::custom(&vmlinux)).relocate(ext);
    for (section, code) in &mut after {
        relocated.apply(section, code).unwrap_or_else(|error| panic!("{error}"));
    }
    cost.print();
    print_sum(&before, &after);
}

fn ours_first(object: &Path, vmlinux: &Path) {
    ours(object, vmlinux, false);
}

fn ours_later(object: &Path, vmlinux: &Path) {
    ours(object, vmlinux, true);
}

#[cfg(feature = "peers-c")]
fn libbpf(object: &Path, vmlinux: &Path) {
    use crate::relo_core::{self, Object};

    let object = BpfObject::parse(read(object)).expect("it is an object");
    let before = code(&object);
    let mut after = before.clone();
    let section = |name| object.elf().section(name).expect("it is there").data().expect("it is sound");
    let (local, ext) = (section(".BTF"), section(".BTF.ext"));
    let strings = btf_format::RawBtf::parse(&local).expect("it is sound");
    let relos = relo_core::relos(&ext);
    let bytes = BtfFile::open(vmlinux).and_then(|file| file.btf_bytes().map(|bytes| bytes.to_vec()));
    let local = relo_core::Btf::open(&local, None).expect("libbpf opens it");
    let target = relo_core::Btf::open(&bytes.expect("it is sound"), None).expect("libbpf opens it");
    let order = btf_format::ByteOrder::NATIVE;
    let names: Vec<_> = relos.iter().map(|(name, _)| strings.strings().get(*name).expect("it is sound")).collect();
    let cost = Cost::start();
    let mut state = Object::new(&local, vec![&target]);
    for ((_, relo), name) in relos.iter().zip(names) {
        let answer = state.resolve(relo);
        assert!(answer.candidates > 0 || answer.result.is_ok());
        let code = after.get_mut(name.as_bytes()).expect("the section has code");
        relo_core::patch(code, order, relo, &answer.result.expect("it can be resolved")).expect("it can be patched");
    }
    cost.print();
    print_sum(&before, &after);
}

#[cfg(feature = "peers")]
fn aya(object: &Path, vmlinux: &Path) {
    use aya_obj::{Object, btf::Btf};

    let mut object = Object::parse(&read(object)).expect("aya opens it");
    let bytes = BtfFile::open(vmlinux).and_then(|file| file.btf_bytes().map(|bytes| bytes.to_vec()));
    let target = Btf::parse(&bytes.expect("it is sound"), Default::default()).expect("aya opens it");
    let cost = Cost::start();
    let result = object.relocate_btf(&target);
    match result {
        Ok(()) => cost.print(),
        Err(error) => eprintln!("aya-obj: {error:?}"),
    }
}

/// Opens both files, and does nothing with them.
fn open(object: &Path, vmlinux: &Path) {
    let cost = Cost::start();
    let object = BpfObject::parse(read(object)).expect("it is an object");
    let ext = object.btf_ext().expect("it is sound").expect("it has .BTF.ext");
    let vmlinux = BtfFile::open(vmlinux).and_then(|file| file.btf()).expect("it is sound");
    cost.print();
    assert!(vmlinux.type_count() > 0 && ext.core_relos().len() > 0);
}

/// Opens both files, and explains all relocations, as `btf relocs` does.
fn open_and_relocate(object: &Path, vmlinux: &Path) {
    let cost = Cost::start();
    let object = BpfObject::parse(read(object)).expect("it is an object");
    let ext = object.btf_ext().expect("it is sound").expect("it has .BTF.ext");
    let vmlinux = BtfFile::open(vmlinux).and_then(|file| file.btf()).expect("it is sound");
    let relocated = Relocator::new(Targets::custom(&vmlinux)).relocate(ext);
    cost.print();
    println!("{}", relocated.iter().len());
}

type Peer = (&'static str, fn(&Path, &Path));

const PEERS: &[Peer] = &[
    ("btf-relocate", ours_first),
    ("btf-relocate, names indexed", ours_later),
    #[cfg(feature = "peers-c")]
    ("libbpf", libbpf),
    #[cfg(feature = "peers")]
    ("aya-obj", aya),
    ("open both files", open),
    ("open both files and relocate", open_and_relocate),
];

/// Runs in a separate process, and prints the cost and the number of changed
/// instructions.
pub fn one(name: &str, object: &Path, vmlinux: &Path) {
    let Some((_, work)) = PEERS.iter().find(|(peer, _)| *peer == name) else { panic!("no peer {name}") };
    work(object, vmlinux);
}

/// Prints the table.
pub fn print(files: &[String]) {
    let folder = env::temp_dir().join(format!("btf-peers-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("the temporary folder can be written to");
    let fixture = |name: &str, file: &str| {
        let path = folder.join(name);
        fs::write(&path, fixtures::read(file)).expect("the folder can be written to");
        path
    };
    let order = if cfg!(target_endian = "little") { "el" } else { "eb" };
    let object = files
        .first()
        .map_or_else(|| fixture("core_load.bpf.o", &format!("bpf/clang-22/core_load-{order}.bpf.o")), PathBuf::from);
    let vmlinux = files
        .get(1)
        .map_or_else(|| fixture("vmlinux", &format!("kernels/{}/vmlinux.btf", fixtures::SORTED)), PathBuf::from);
    let parsed = BpfObject::parse(read(&object)).expect("it is an object");
    let ext = parsed.btf_ext().expect("it is sound").expect("it has .BTF.ext");
    println!("{}: {} relocations", object.display(), ext.core_relos().len());
    println!("| | time | memory | instructions changed |");
    println!("|---|---|---|---|");
    for (name, _) in PEERS {
        let arguments = [OsStr::new("--relocate-one"), name.as_ref(), object.as_ref(), vmlinux.as_ref()];
        match Least::of(ROUNDS, &arguments) {
            Some(least) => println!("| {name} | {} | {} | {} |", least.time(3), least.memory(), least.count),
            None => println!("| {name} | - | - | - |"),
        }
    }
    fs::remove_dir_all(&folder).expect("what was written can be removed");
}

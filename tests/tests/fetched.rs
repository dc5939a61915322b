//! Everything that `cargo xtask fetch-fixtures` has fetched: every kernel image
//! and every module opens, is walked, and is written again as it was; every BPF
//! object tells all that it has. Run by `cargo test --workspace -- --ignored`.

#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "tests")]

use std::{
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    thread,
};

use btf_elf::{BpfObject, BtfFile, Error};
use btf_tests::{
    fixtures::{below, fetched, file_name as name},
    walk,
};
use btf_types::{Btf, Struct};

/// Walks it, and writes it again.
fn everything(what: &str, btf: &Btf, bytes: &[u8]) {
    let sum = walk::everything(btf);
    assert!(sum > 0 || btf.own_ids().is_empty(), "{what}");
    assert_eq!(btf.to_bytes(btf.byte_order()).unwrap(), bytes, "{what}");
    let other = btf.byte_order().swapped();
    let mut swapped = btf.to_bytes(other).unwrap();
    btf_format::convert(&mut swapped, btf.byte_order()).unwrap();
    assert_eq!(swapped, bytes, "{what}: there and back");
}

#[test]
#[ignore = "needs what `cargo xtask fetch-fixtures` fetches"]
fn every_kernel_and_every_module() {
    let (mut kernels, mut all_modules) = (0, 0);
    for folder in fetched() {
        let files = below(&folder);
        let Some(image) = files.iter().find(|path| name(path).starts_with("vmlinu")) else { continue };
        let file = BtfFile::open(image).unwrap_or_else(|error| panic!("{error:?}"));
        let vmlinux = file.btf().unwrap();
        let task: Struct<'_> = vmlinux.find("task_struct").unwrap();
        assert!(task.member("pid").is_some() && vmlinux.type_count() > 50_000, "{}", image.display());
        everything(&image.display().to_string(), &vmlinux, &file.btf_bytes().unwrap());
        kernels += 1;

        let modules: Vec<_> = files.iter().filter(|path| name(path).contains(".ko")).collect();
        let (with, without, types) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
        let (of_with, of_without, of_types, base) = (&with, &without, &types, &vmlinux);
        thread::scope(|scope| {
            for chunk in modules.chunks(modules.len().div_ceil(4).max(1)) {
                scope.spawn(move || {
                    for path in chunk {
                        let file = BtfFile::open(path).unwrap_or_else(|error| panic!("{error:?}"));
                        let btf = match file.split_btf(base) {
                            Ok(btf) => btf,
                            Err(Error::NoBtf) => {
                                of_without.fetch_add(1, Relaxed);
                                continue;
                            }
                            Err(error) => panic!("{}: {error:?}", path.display()),
                        };
                        everything(&path.display().to_string(), &btf, &file.btf_bytes().unwrap());
                        of_with.fetch_add(1, Relaxed);
                        of_types.fetch_add(btf.own_ids().len(), Relaxed);
                    }
                });
            }
        });
        let layers: Vec<_> = file.layers().iter().map(ToString::to_string).collect();
        let [with, without, types] = [with, without, types].map(AtomicUsize::into_inner);
        println!(
            "{}: {}, {} types; {with} modules with {types} types, {without} without BTF",
            name(&folder),
            layers.join(" > "),
            vmlinux.type_count()
        );
        assert!(with > 100, "{}", folder.display());
        all_modules += with;
    }
    println!("{kernels} kernels, {all_modules} modules");
    assert!(kernels > 0);
}

#[test]
#[ignore = "needs what `cargo xtask fetch-fixtures` fetches"]
fn every_bpf_object() {
    let (mut objects, mut programs, mut maps, mut relocations) = (0, 0, 0, 0);
    for path in fetched().iter().flat_map(|folder| below(folder)).filter(|path| name(path).ends_with(".bpf.o")) {
        let object = BpfObject::open(&path).unwrap_or_else(|error| panic!("{error:?}"));
        walk::object(&object);
        object.fixup().btf().unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        everything(&path.display().to_string(), object.btf(), &object.elf().btf_bytes().unwrap());
        objects += 1;
        programs += object.programs().flat_map(|program| program.functions().unwrap()).count();
        maps += object.maps().unwrap_or_else(|error| panic!("{}: {error}", path.display())).len();
        relocations += object.btf_ext().unwrap().map_or(0, |ext| ext.core_relos().len());
    }
    println!("{objects} objects, {programs} functions, {maps} maps, {relocations} CO-RE relocations");
    assert!(objects > 50 && programs > 200 && maps > 100 && relocations > 500);
}

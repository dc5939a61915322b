//! Everything that `cargo xtask fetch-fixtures` has fetched: every kernel image
//! and every module opens, is walked, is written again as it was, and made into
//! others; every BPF object tells all that it has. Run by `cargo test --workspace -- --ignored`.

#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "tests")]

use std::{
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    thread,
};

use btf_build::{Builder, Encode, Error as BuildError, Merge, distill, permute, sort};
use btf_elf::{BpfObject, BtfFile, Error};
use btf_tests::{
    fixtures::{below, fetched, file_name as name},
    rebuild::rebuild,
    walk::{self, describe},
};
use btf_types::{Btf, ByteOrder, Struct, Type};

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

/// Number of times that each operation was made.
#[derive(Debug, Default)]
struct Made {
    sorted: usize,
    merged: usize,
    distilled: usize,
    /// Modules that refer to functions or the like of their base, or to several
    /// types that are alike.
    not_distilled: usize,
    not_rebased: usize,
}

/// The operations of btf-build on a kernel alone.
fn on_a_kernel(what: &str, vmlinux: &Btf) {
    let same = |other: &Btf| assert_eq!(walk::everything(other), walk::everything(vmlinux), "{what}");
    let mut b = Builder::new().byte_order(vmlinux.byte_order());
    let ids = b.append(vmlinux).unwrap();
    assert!(vmlinux.own_ids().all(|id| ids.id(id) == Some(id)));
    same(&b.finish().unwrap());
    same(&rebuild(vmlinux).unwrap());
    for order in [ByteOrder::Little, ByteOrder::Big] {
        let encoded = Encode::new().byte_order(order).layout(true).encode(vmlinux).unwrap();
        let opened = Btf::parse(encoded).unwrap();
        assert_eq!((opened.byte_order(), opened.has_layout()), (order, true));
        same(&opened);
    }
    let (sorted, ids) = sort(vmlinux).unwrap();
    assert!(sorted.is_name_sorted());
    let mut back = vec![0; vmlinux.types().len()];
    for ty in vmlinux.types() {
        let new = ids.id(ty.id()).unwrap();
        back[new as usize - 1] = ty.id();
        assert_eq!(sorted.type_by_id(new).unwrap().name(), ty.name(), "{what}");
    }
    let (unsorted, _) = permute(&sorted, &back).unwrap();
    assert_eq!(unsorted.as_bytes(), vmlinux.as_bytes(), "{what}: there and back");
    let task: Type<'_> = vmlinux.find::<Struct<'_>>("task_struct").unwrap().into();
    let mut b = Builder::new().byte_order(vmlinux.byte_order());
    let whole = b.copy_reachable(task).unwrap();
    let shallow = b.copy_shallow(vmlinux.find::<Struct<'_>>("sk_buff").unwrap()).unwrap();
    let copies = b.finish().unwrap();
    let copy = copies.type_by_id(whole).unwrap();
    assert!(copy.post_order().map(describe).eq(task.post_order().map(describe)), "{what}");
    assert_eq!(copies.type_by_id(shallow).unwrap().name(), "sk_buff");
}

/// Distilled and on its kernel again, a module has the types that it had.
fn distilled_and_back(what: &str, module: &Btf, vmlinux: &Btf, made: &mut Made) {
    let distilled = match distill(module) {
        Ok(distilled) => distilled,
        Err(BuildError::NotDistillable { .. }) => return made.not_distilled += 1,
        Err(error) => panic!("{what}: {error}"),
    };
    made.distilled += 1;
    let split = Encode::new().byte_order(ByteOrder::NATIVE).encode(&distilled.split).unwrap();
    let base = Encode::new().byte_order(ByteOrder::NATIVE).encode(&distilled.base).unwrap();
    Btf::parse_split(split, &Btf::parse(base).unwrap()).unwrap();
    for ty in module.types() {
        let new = distilled.split.type_by_id(distilled.remap.id(ty.id()).unwrap()).unwrap();
        assert_eq!((new.kind(), new.name()), (ty.kind(), ty.name()), "{what}");
    }
    match distilled.split.rebase(vmlinux) {
        Ok(again) => assert!(module.types().zip(again.types()).all(|(a, b)| describe(a) == describe(b)), "{what}"),
        Err(btf_types::Error::SeveralCounterparts { .. }) => made.not_rebased += 1,
        Err(error) => panic!("{what}: {error}"),
    }
}

#[test]
#[ignore = "needs what `cargo xtask fetch-fixtures` fetches"]
fn every_operation_on_every_kernel() {
    let mut kernels = 0;
    for folder in fetched() {
        let files = below(&folder);
        let Some(image) = files.iter().find(|path| name(path).starts_with("vmlinu")) else { continue };
        let vmlinux = BtfFile::open(image).unwrap().btf().unwrap();
        on_a_kernel(&image.display().to_string(), &vmlinux);
        let mut made = Made::default();
        let mut merge = Merge::new();
        merge.add(&vmlinux).unwrap();
        let mut types = vmlinux.type_count() as usize;
        for path in files.iter().filter(|path| name(path).contains(".ko")) {
            let module = match BtfFile::open(path).unwrap().split_btf(&vmlinux) {
                Ok(module) => module,
                Err(Error::NoBtf) => continue,
                Err(error) => panic!("{}: {error:?}", path.display()),
            };
            let what = path.display().to_string();
            let (sorted, _) = sort(&module).unwrap();
            assert!(sorted.types().map(Type::name).is_sorted(), "{what}");
            made.sorted += 1;
            distilled_and_back(&what, &module, &vmlinux, &mut made);
            let ids = merge.add(&module).unwrap();
            assert_eq!(
                ids.id(module.own_ids().start),
                Some(types as u32).filter(|_| module.types().len() > 0),
                "{what}"
            );
            types += module.types().len();
            made.merged += 1;
        }
        let all = merge.finish().unwrap();
        assert_eq!(all.type_count() as usize, types);
        println!("{}, {}: {made:?}, {types} types in one", name(&folder), vmlinux.byte_order());
        assert!(made.distilled > 100, "{}", folder.display());
        kernels += 1;
    }
    assert!(kernels > 0);
}

#[test]
#[ignore = "needs what `cargo xtask fetch-fixtures` fetches"]
fn every_bpf_object() {
    let (mut objects, mut programs, mut maps, mut relocations) = (0, 0, 0, 0);
    for path in fetched().iter().flat_map(|folder| below(folder)).filter(|path| name(path).ends_with(".bpf.o")) {
        let object = BpfObject::open(&path).unwrap_or_else(|error| panic!("{error:?}"));
        walk::object(&object);
        object.datasec_fixups().btf().unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        everything(&path.display().to_string(), object.btf(), &object.elf().btf_bytes().unwrap());
        objects += 1;
        programs += object.programs().flat_map(|program| program.functions().unwrap()).count();
        maps += object.maps().unwrap_or_else(|error| panic!("{}: {error}", path.display())).len();
        relocations += object.btf_ext().unwrap().map_or(0, |ext| ext.core_relos().len());
    }
    println!("{objects} objects, {programs} functions, {maps} maps, {relocations} CO-RE relocations");
    assert!(objects > 50 && programs > 200 && maps > 100 && relocations > 500);
}

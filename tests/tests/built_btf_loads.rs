//! Built BTF loads into the running kernel. Needs root.

#![cfg(target_os = "linux")]
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "tests")]

use btf_build::{Builder, IntEncoding, Merge, dedup, distill, sort};
use btf_kernel::{Feature, Kernel, LoadedBtf, is_supported};
use btf_tests::{fixtures, skip};
use btf_types::{Btf, FwdKind, Linkage, Struct, Type};

/// Returns whether this may load BTF at all.
fn may_load() -> bool {
    match is_supported(Feature::Btf) {
        Ok(true) => true,
        other => {
            skip(format!("BTF cannot be loaded: {other:?}"));
            false
        }
    }
}

#[track_caller]
fn loads(btf: &Btf, what: &str) {
    if let Err(error) = LoadedBtf::load(btf) {
        panic!("{what}: {error}");
    }
}

#[test]
fn every_kind_that_is_built_loads() {
    if !may_load() {
        return;
    }
    let mut b = Builder::new();
    let int = b.int("int", 4, IntEncoding::SIGNED).unwrap();
    let long = b.int("unsigned long", 8, IntEncoding::NONE).unwrap();
    let boolean = b.int("_Bool", 1, IntEncoding::BOOL).unwrap();
    let node = b.declare();
    let tag = b.type_tag("user", node).unwrap();
    let ptr = b.ptr(tag).unwrap();
    let array = b.array(long, int, 4).unwrap();
    let inner = b.union("", 32).member("words", array, 0).member("flag", boolean, 0).finish().unwrap();
    b.define(node)
        .structure("node", 64)
        .member("value", int, 0)
        .bitfield("flags", int, 32, 3)
        .member("next", ptr, 64)
        .member("", inner, 128)
        .finish()
        .unwrap();
    let e = b.enumeration("e", 4).value("NEGATIVE", -1).value("ONE", 1).finish().unwrap();
    b.enumeration64("e64", 8).value("BIG", u64::MAX).finish().unwrap();
    let fwd = b.fwd("elsewhere", FwdKind::Union).unwrap();
    let to_fwd = b.ptr(fwd).unwrap();
    let constant = b.const_(int).unwrap();
    let volatile = b.volatile(constant).unwrap();
    b.restrict(to_fwd).unwrap();
    let td = b.typedef("node_t", node).unwrap();
    b.float("double", 8).unwrap();
    let proto = b.func_proto(int).param("node", ptr).param("e", e).vararg().finish().unwrap();
    let func = b.func("walk", Linkage::Global, proto).unwrap();
    let var = b.var("counter", volatile, Linkage::Static).unwrap();
    let other = b.var("nodes", node, Linkage::Global).unwrap();
    b.datasec(".data", 68).var(var, 0, 4).var(other, 4, 64).finish().unwrap();
    b.decl_tag("of the struct", node, None).unwrap();
    b.decl_tag("of a member", node, Some(2)).unwrap();
    b.decl_tag("of a parameter", func, Some(0)).unwrap();
    b.decl_tag("of a typedef", td, None).unwrap();
    if is_supported(Feature::TypeAttribute).unwrap() {
        b.type_attribute("address_space(1)", int).unwrap();
        b.decl_attribute("preserve_access_index", node, None).unwrap();
    }
    let btf = b.finish().unwrap();
    loads(&btf, "every kind");
    loads(&sort(&btf).unwrap().0, "sorted");
    let mut merge = Merge::new();
    merge.add(&btf).unwrap();
    merge.add(&btf).unwrap();
    let twice = merge.finish().unwrap();
    loads(&twice, "twice");
    loads(&dedup(&twice).unwrap().0, "deduplicated");
}

#[test]
fn what_is_made_of_the_running_kernels_loads() {
    if !may_load() {
        return;
    }
    let Ok(vmlinux) = Kernel::running().btf() else { return skip("the running kernel has no BTF") };
    let mut b = Builder::new();
    b.append(&vmlinux).unwrap();
    let again = b.finish().unwrap();
    loads(&again, "appended to nothing");
    loads(&sort(&vmlinux).unwrap().0, "sorted");
    let (small, _) = dedup(&vmlinux).unwrap();
    loads(&small, "deduplicated");
    loads(&sort(&small).unwrap().0, "deduplicated and sorted");
    for root in ["task_struct", "sk_buff", "file_operations"] {
        let Ok(ty) = vmlinux.find::<Struct<'_>>(root) else { continue };
        let mut b = Builder::new();
        b.copy_reachable(ty).unwrap();
        loads(&b.finish().unwrap(), root);
        let mut b = Builder::new();
        b.copy_shallow(ty).unwrap();
        loads(&b.finish().unwrap(), &format!("{root}, shallow"));
    }
    let mut b = Builder::new();
    for ty in vmlinux.types().step_by(1000) {
        b.copy_shallow(ty).unwrap();
    }
    loads(&b.finish().unwrap(), "shallow copies of all kinds");
    let mut b = Builder::on(&vmlinux);
    let structs = vmlinux.types().filter(|ty| matches!(ty, Type::Struct(_) | Type::Enum(_))).step_by(50);
    for (number, ty) in structs.enumerate() {
        b.typedef(format!("t{number}"), ty.id()).unwrap();
    }
    loads(&distill(&b.finish().unwrap()).unwrap().base, "a distilled base");
}

/// Kernels of other versions may break rules of this one; what their types are
/// copied to breaks none that they did not.
#[test]
fn a_kernel_with_its_modules_loads_if_the_kernel_alone_does() {
    if !may_load() || cfg!(target_endian = "big") {
        return;
    }
    for release in [fixtures::UNSORTED, fixtures::SORTED] {
        let base = Btf::parse(fixtures::read(&format!("kernels/{release}/vmlinux.btf"))).unwrap();
        let alone = LoadedBtf::load(&base);
        let mut merge = Merge::new();
        merge.add(&base).unwrap();
        for module in ["veth", "vxlan", "openvswitch"] {
            let bytes = fixtures::read(&format!("kernels/{release}/{module}.btf"));
            merge.add(&Btf::parse_split(bytes, &base).unwrap()).unwrap();
        }
        match alone {
            Ok(_) => {
                let merged = merge.finish().unwrap();
                loads(&merged, release);
                let (small, _) = dedup(&merged).unwrap();
                loads(&small, &format!("{release}, deduplicated"));
                loads(&sort(&small).unwrap().0, &format!("{release}, deduplicated and sorted"));
            }
            Err(error) => println!("{release} alone does not load: {error}"),
        }
    }
}

//! Questions by name, on kernels sorted and unsorted, on modules, and on what
//! no kernel would have; each way of looking against a walk over everything.

#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet};

use btf_tests::{blob::Blob, fixtures, fuzz};
use btf_types::{Btf, Collection, Error, Func, FuncProto, Int, Kind, Struct, Type, Typedef, Union, View};

fn kernel(release: &str) -> Btf {
    Btf::parse(fixtures::read(&format!("kernels/{release}/vmlinux.btf"))).unwrap()
}

fn module(release: &str, name: &str, base: &Btf) -> Btf {
    Btf::parse_split(fixtures::read(&format!("kernels/{release}/{name}.btf")), base).unwrap()
}

const RELEASES: [&str; 3] = [fixtures::UNSORTED, fixtures::SORTED, fixtures::BIG_ENDIAN];

/// All named own types by name, by the plainest of ways.
fn by_name(btf: &Btf) -> BTreeMap<String, Vec<u32>> {
    let mut names: BTreeMap<String, Vec<u32>> = BTreeMap::new();
    for ty in btf.types().filter(|ty| !ty.name().is_empty()) {
        names.entry(ty.name().to_string()).or_default().push(ty.id());
    }
    names
}

fn ids<'btf>(types: Vec<impl View<'btf>>) -> Vec<u32> {
    types.into_iter().map(|ty| ty.into().id()).collect()
}

#[test]
fn sortedness_is_looked_at() {
    for release in RELEASES {
        assert_eq!(kernel(release).is_name_sorted(), release != fixtures::UNSORTED, "{release}");
    }
    let sorted = |names: &[&str]| {
        let mut blob = Blob::new();
        for name in names {
            let name = if name.is_empty() { 0 } else { blob.string(name) };
            blob.record(name, 16, 0, false, 4, &[]);
        }
        Btf::parse(blob.build()).unwrap().is_name_sorted()
    };
    assert!(sorted(&["", "a", "a", "b"]));
    assert!(!sorted(&["a", "", "b"]), "those without a name come first");
    assert!(!sorted(&["b", "a"]));
    assert!(!sorted(&[]) && !sorted(&[""]), "there is nothing to find");
}

#[test]
fn every_name_is_found() {
    for release in RELEASES {
        let btf = kernel(release);
        let names = by_name(&btf);
        for (name, expected) in &names {
            assert_eq!(ids(btf.find_all::<Type<'_>>(name)), *expected, "{release}: {name}");
        }
        for missing in ["", "no such name", "task_struct\0", "task_struc", "ask_struct", "\u{e9}", "zzzzzzzz"] {
            assert!(btf.find_all::<Type<'_>>(missing).is_empty(), "{release}: {missing}");
        }
    }
}

/// No answer depends on what was asked, and indexed, before.
#[test]
fn the_first_question_is_answered_like_any_other() {
    let bytes = fixtures::read(&format!("kernels/{}/vmlinux.btf", fixtures::UNSORTED));
    let names = by_name(&Btf::parse(bytes.clone()).unwrap());
    // `list` ends a great many names, `x` even more.
    for name in ["task_struct", "list_head", "list", "x", "file", "sk_buff", "nothing_like_it", "t", "int"] {
        let expected = names.get(name).cloned().unwrap_or_default();
        assert_eq!(ids(Btf::parse(bytes.clone()).unwrap().find_all::<Type<'_>>(name)), expected, "{name}");
    }
}

#[test]
fn find_tells_missing_from_ambiguous_and_wants_one_of_the_kind() {
    let btf = kernel(fixtures::UNSORTED);
    let task: Struct<'_> = btf.find("task_struct").unwrap();
    assert_eq!(task.name(), "task_struct");
    assert_eq!(Type::from(task).kind(), Some(Kind::Struct));
    assert!(matches!(btf.find::<Union<'_>>("task_struct"), Err(Error::NoSuchName { kinds: [Kind::Union], .. })));
    assert!(matches!(btf.find::<Type<'_>>("no such"), Err(Error::NoSuchName { kinds: [], .. })));
    assert!(matches!(btf.find::<FuncProto<'_>>(""), Err(Error::NoSuchName { .. })));
    // Names that several structs have.
    let twice: Vec<_> =
        by_name(&btf).into_iter().filter(|(name, _)| btf.find_all::<Struct<'_>>(name).len() > 1).collect();
    assert!(!twice.is_empty());
    for (name, _) in twice {
        let all = ids(btf.find_all::<Struct<'_>>(&name));
        match btf.find::<Struct<'_>>(&name) {
            Err(Error::Ambiguous { ids, kinds: [Kind::Struct], .. }) => assert_eq!(ids, all, "{name}"),
            other => panic!("{name}: {other:?}"),
        }
        assert_eq!(btf.find_first::<Struct<'_>>(&name).unwrap().id(), all[0], "{name}");
    }
    let error = btf.find::<Struct<'_>>("no_such").unwrap_err();
    assert_eq!(error.to_string(), "no STRUCT named `no_such`");
}

/// cilium/ebpf panics, or returns what was not asked for.
#[test]
fn flavors_are_found_by_essential_name_and_not_by_name() {
    let mut blob = Blob::new();
    for name in ["foo___v2", "foo", "foo___old", "foo____x", "___foo", "foobar"] {
        let name = blob.string(name);
        blob.record(name, 4, 0, false, 0, &[]);
    }
    let btf = Btf::parse(blob.build()).unwrap();
    assert_eq!(ids(btf.find_all::<Struct<'_>>("foo")), [2]);
    assert_eq!(ids(btf.find_all::<Struct<'_>>("foo___v2")), [1]);
    assert_eq!(ids(btf.find_all::<Struct<'_>>("___foo")), [5]);
    assert_eq!(ids(btf.find_flavors::<Struct<'_>>("foo")), [1, 2, 3]);
    assert_eq!(ids(btf.find_flavors::<Type<'_>>("foo____x")), [4]);
    assert!(btf.find_flavors::<Type<'_>>("").is_empty());
    let mut only_flavor = Blob::new();
    let name = only_flavor.string("foo___v1");
    only_flavor.record(name, 4, 0, false, 0, &[]);
    let btf = Btf::parse(only_flavor.build()).unwrap();
    assert!(matches!(btf.find::<Type<'_>>("foo"), Err(Error::NoSuchName { .. })));
}

#[test]
fn the_nearest_layer_answers_first_and_libbpf_s_answer_is_the_lowest() {
    let mut base = Blob::new();
    let name = base.string("int");
    base.record(name, 1, 0, false, 4, &[32]).record(name, 8, 0, false, 1, &[]);
    let base = Btf::parse(base.build()).unwrap();
    let split = Btf::parse_split(Blob::split().record(name, 1, 0, false, 8, &[64]).build(), &base).unwrap();
    assert_eq!(split.find::<Int<'_>>("int").unwrap().id(), 3);
    assert_eq!(split.find::<Typedef<'_>>("int").unwrap().id(), 2, "of which there is none nearer");
    assert_eq!(split.find_first::<Int<'_>>("int").unwrap().id(), 1);
    assert_eq!(split.find_first::<Type<'_>>("int").unwrap().id(), 1);
    assert_eq!(ids(split.find_all::<Type<'_>>("int")), [3, 1, 2]);
    assert_eq!(ids(split.find_own::<Type<'_>>("int")), [3]);
    let all = split.find_all::<Type<'_>>("int");
    assert!(split.layer_of(all[0]).unwrap().is_same(&split));
    assert!(split.layer_of(all[1]).unwrap().is_same(&base));
    assert!(split.layer_of(Type::Void).is_none());
    assert!(base.layer_of(all[0]).is_none(), "not of the base");
}

/// btf-rs#4: types of a module whose name stands in the base's strings.
#[test]
fn names_of_a_module_may_stand_in_the_base() {
    for release in RELEASES {
        let vmlinux = kernel(release);
        let mut in_base = 0;
        for name in ["veth", "vxlan", "openvswitch", "cast_common"] {
            let module = module(release, name, &vmlinux);
            let strings: BTreeSet<_> = {
                let raw = module.as_bytes()[module.string_section()].to_vec();
                raw.split(|&byte| byte == 0).map(<[u8]>::to_vec).collect()
            };
            for (name, expected) in by_name(&module) {
                assert_eq!(ids(module.find_own::<Type<'_>>(&name)), expected, "{release}: {name}");
                in_base += usize::from(!strings.contains(name.as_bytes()));
            }
        }
        assert!(in_base > 5, "{release}: {in_base}");
    }
}

#[test]
fn suffixes_that_share_their_bytes_are_names() {
    let mut blob = Blob::new();
    let name = blob.string("struct_list");
    blob.record(name, 4, 0, false, 0, &[]).record(name + 7, 4, 0, false, 0, &[]);
    let btf = Btf::parse(blob.build()).unwrap();
    assert_eq!(btf.find::<Struct<'_>>("list").unwrap().id(), 2);
    assert_eq!(btf.find::<Struct<'_>>("struct_list").unwrap().id(), 1);
}

#[test]
fn by_regular_expression() {
    let vmlinux = kernel(fixtures::SORTED);
    let ovs = module(fixtures::SORTED, "openvswitch", &vmlinux);
    let regex = regex::bytes::Regex::new("^ovs_.*_cmd_").unwrap();
    let found: Vec<_> = ovs.find_matching(&regex).collect();
    assert!(found.len() > 5);
    assert!(found.iter().all(|ty| ty.name().as_bytes().starts_with(b"ovs_")));
    assert!(found.windows(2).all(|pair| pair[0].id() < pair[1].id()), "in the order of ids");
    assert!(vmlinux.find_matching(&regex).next().is_none());
    let everything = regex::bytes::Regex::new("").unwrap();
    assert!(vmlinux.find_matching(&everything).all(|ty| !ty.name().is_empty()));
}

#[test]
fn a_collection_tells_whose_each_answer_is() {
    let release = fixtures::UNSORTED;
    let vmlinux = kernel(release);
    let mut kernel_and_modules = Collection::new("vmlinux", vmlinux.clone());
    for name in ["veth", "vxlan", "openvswitch"] {
        kernel_and_modules.add(name, module(release, name, &vmlinux)).unwrap();
    }
    let veth = kernel_and_modules.get("veth").unwrap();
    let found = kernel_and_modules.find::<Func<'_>>("veth_xmit").unwrap();
    assert_eq!(found.object.name(), "veth");
    assert_eq!(kernel_and_modules.object_of(found.ty).unwrap().name(), "veth");
    assert_eq!(kernel_and_modules.find::<Struct<'_>>("sk_buff").unwrap().object.name(), "vmlinux");
    assert!(matches!(kernel_and_modules.find::<Struct<'_>>("no_such"), Err(Error::NoSuchName { .. })));
    let objects = kernel_and_modules.objects();
    assert_eq!((objects.len(), objects.last().unwrap().name()), (4, "openvswitch"));
    // An object is what it is under its name, in a copy of the collection as well.
    let copy = kernel_and_modules.clone();
    assert_eq!(copy.find::<Func<'_>>("veth_xmit").unwrap(), found);
    assert_ne!(copy.get("vxlan").unwrap(), veth);
    let mut renamed = Collection::new("kernel", vmlinux.clone());
    renamed.add("veth2", veth.btf().clone()).unwrap();
    let same_type = renamed.find::<Func<'_>>("veth_xmit").unwrap();
    assert!(same_type.ty == found.ty && same_type != found);
    // The same id means another type in each.
    let id = vmlinux.type_count();
    let types: Vec<_> =
        kernel_and_modules.objects().skip(1).map(|object| object.btf().type_by_id(id).unwrap()).collect();
    assert!(types[0] != types[1] && types[1] != types[2]);
    for (ty, object) in types.iter().zip(kernel_and_modules.objects().skip(1)) {
        assert_eq!(kernel_and_modules.object_of(*ty).unwrap().name(), object.name());
    }
    // Reached through a module, a type of the base is the base's.
    let skb = found.ty.params().next().unwrap().ty().chain().last().unwrap();
    assert_eq!(kernel_and_modules.object_of(skb).unwrap().name(), "vmlinux");
    // In several modules, and in none but them.
    let mut twice = kernel_and_modules.clone();
    twice.add("veth_again", module(release, "veth", &vmlinux)).unwrap();
    match twice.find::<Func<'_>>("veth_xmit") {
        Err(Error::AmbiguousObjects { objects, .. }) => assert_eq!(objects, ["veth", "veth_again"].map(Box::from)),
        other => panic!("{other:?}"),
    }
    let (other, veth) = (kernel(release), veth.btf().clone());
    assert!(matches!(
        kernel_and_modules.add("dummy", module(release, "veth", &other)),
        Err(Error::NotOfCollection { .. })
    ));
    assert!(matches!(kernel_and_modules.add("veth", veth), Err(Error::NameTaken { .. })));
}

/// cilium/ebpf: split BTF that shares a base races on the base's types.
#[test]
fn one_btf_is_shared_by_many_threads_whose_first_questions_race() {
    let bytes = fixtures::read(&format!("kernels/{}/vmlinux.btf", fixtures::UNSORTED));
    let veth = fixtures::read(&format!("kernels/{}/veth.btf", fixtures::UNSORTED));
    for _ in 0..4 {
        let vmlinux = Btf::parse(bytes.clone()).unwrap();
        let barrier = std::sync::Barrier::new(8);
        std::thread::scope(|scope| {
            for thread in 0..8 {
                let (vmlinux, veth, barrier) = (vmlinux.clone(), veth.clone(), &barrier);
                scope.spawn(move || {
                    let split = Btf::parse_split(veth, &vmlinux).unwrap();
                    barrier.wait();
                    for round in 0..40 {
                        let btf = if (thread + round) % 2 == 0 { &vmlinux } else { &split };
                        let task: Struct<'_> = btf.find("task_struct").unwrap();
                        assert_eq!(task.id(), vmlinux.find::<Struct<'_>>("task_struct").unwrap().id());
                        assert!(!btf.is_name_sorted());
                        assert!(Type::from(task).align_of().is_ok());
                        assert_eq!(Type::from(task).decl_tags().count(), 0, "and so for the table of tags");
                    }
                });
            }
        });
    }
    fn is_shared<T: Send + Sync + Clone + 'static>(_: &T) {}
    is_shared(fuzz::base());
}

/// Of a whole kernel, a module on it, and one with flavors of everything: what
/// one finds by looking at each name.
#[test]
fn flavors_are_those_of_all_names() {
    let plain = |btf: &Btf, essential: &str| -> Vec<u32> {
        let of_layer = |layer: &Btf| -> Vec<u32> {
            layer.types().filter(|ty| ty.name().essential() == essential).map(Type::id).collect()
        };
        btf.layers().flat_map(of_layer).collect()
    };
    for release in RELEASES {
        let vmlinux = kernel(release);
        let ovs = module(release, "openvswitch", &vmlinux);
        let flavored: BTreeSet<String> = (vmlinux.types().chain(ovs.types()))
            .filter(|ty| ty.name().flavor().is_some())
            .map(|ty| ty.name().essential().to_string())
            .collect();
        let names: Vec<String> = flavored.into_iter().chain(["task_struct".into(), "ovs_net".into()]).collect();
        for name in names.iter().take(20) {
            assert_eq!(ids(ovs.find_flavors::<Type<'_>>(name)), plain(&ovs, name), "{release}: {name}");
        }
    }
    let mut base = Blob::new();
    let names = ["a", "b___1", "a___2", "b", "a___1", "a___1___2", "c___1"].map(|name| base.string(name));
    names.iter().for_each(|&name| _ = base.record(name, 4, 0, false, 0, &[]));
    let base = Btf::parse(base.build()).unwrap();
    let mut split = Blob::split();
    names.iter().rev().for_each(|&name| _ = split.record(name, 8, 0, false, 1, &[]).record(name, 4, 0, false, 0, &[]));
    let split = Btf::parse_split(split.build(), &base).unwrap();
    for name in ["a", "b", "c", "a___1", "a___2", "d"] {
        assert_eq!(ids(split.find_flavors::<Type<'_>>(name)), plain(&split, name), "{name}");
        let structs: Vec<u32> = ids(split.find_flavors::<Struct<'_>>(name));
        let is_struct = |id: &u32| matches!(split.type_by_id(*id), Ok(Type::Struct(_)));
        assert_eq!(structs, plain(&split, name).into_iter().filter(is_struct).collect::<Vec<_>>(), "{name}");
    }
    let mut all = Collection::new("base", base.clone());
    all.add("split", split.clone()).unwrap();
    let found = all.find_flavors::<Struct<'_>>("a");
    assert_eq!(found.iter().map(|found| found.ty.id()).collect::<Vec<_>>(), [1, 3, 5, 13, 17, 21]);
    assert_eq!(found.iter().filter(|found| found.object.name() == "base").count(), 3);
    assert_eq!(all.find_first::<Struct<'_>>("a").unwrap().ty.id(), 1);
    assert_eq!(all.find_first::<Typedef<'_>>("a").unwrap().object.name(), "split");
    assert!(all.find_first::<Func<'_>>("a").is_none());
}

//! Building BTF: what is refused, what is copied, and real BTF built anew.

#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used, clippy::indexing_slicing, reason = "a test")]

use btf_build::{Builder, Error, IntEncoding};
use btf_tests::{
    fixtures::{self, RawFixture},
    rebuild::rebuild,
    walk,
};
use btf_types::{Btf, FwdKind, Kind, Linkage, Struct, Type};

fn open(RawFixture { name, base }: &RawFixture) -> Btf {
    match base {
        None => Btf::parse(fixtures::read(name)).unwrap(),
        Some(base) => Btf::parse_split(fixtures::read(name), &Btf::parse(fixtures::read(base)).unwrap()).unwrap(),
    }
}

/// Asserts that two BTF have the same own types, but for where strings are.
#[track_caller]
fn assert_same_types(a: &Btf, b: &Btf, what: &str) {
    assert_eq!(a.own_ids(), b.own_ids(), "{what}");
    assert_eq!(walk::everything(a), walk::everything(b), "{what}");
    for (x, y) in a.types().zip(b.types()) {
        let info = |btf: &Btf, id| btf.record(id).unwrap().head().info();
        assert_eq!(info(a, x.id()), info(b, y.id()), "{what}: {x:?}");
        assert_eq!(x.name(), y.name(), "{what}: {x:?}");
    }
}

#[test]
fn every_fixture_can_be_built_anew() {
    let mut exact = 0;
    for fixture in fixtures::raw_btf() {
        let btf = open(&fixture);
        let again = rebuild(&btf).unwrap_or_else(|error| panic!("{}: {error}", fixture.name));
        assert_same_types(&btf, &again, &fixture.name);
        assert_eq!(again.pointer_size(), btf.pointer_size());
        exact += usize::from(again.as_bytes()[24..] == btf.as_bytes()[btf.hdr_len() as usize..]);
    }
    assert!(exact > 20, "{exact}: most producers store strings in the order of their use");
}

/// A module of a fixture's kernel, and its kernel.
fn module(release: &str, name: &str) -> (Btf, Btf) {
    let base = Btf::parse(fixtures::read(&format!("kernels/{release}/vmlinux.btf"))).unwrap();
    let module = Btf::parse_split(fixtures::read(&format!("kernels/{release}/{name}.btf")), &base).unwrap();
    (module, base)
}

fn builder_with_int() -> (Builder, u32) {
    let mut b = Builder::new();
    let int = b.int("int", 4, IntEncoding::SIGNED).unwrap();
    (b, int)
}

#[test]
fn what_a_record_cannot_hold_is_refused_and_changes_nothing() {
    let (mut b, int) = builder_with_int();
    let before = b.type_count();
    let mut refused = Vec::new();
    let mut refuse = |result: Result<u32, Error>| refused.push(result.unwrap_err().to_string());
    refuse(b.ptr(2));
    refuse(b.array(int, 99, 1));
    refuse(b.typedef("a\0b", int));
    refuse(b.typedef("", int));
    refuse(b.int("odd", 3, IntEncoding::NONE));
    refuse(b.int_with_bits("wide", 4, IntEncoding::NONE, 1, 32));
    refuse(b.float("half", 1));
    refuse(b.enumeration("e", 3).finish());
    refuse(b.enumeration("e", 4).value("A", i64::from(u32::MAX) + 1).finish());
    refuse(b.enumeration("e", 4).value("A", -1).value("B", u32::MAX).finish());
    refuse(b.enumeration("e", 4).signed(true).value("B", 1u64 << 31).finish());
    refuse(b.enumeration64("e", 8).value("A", -1).value("B", u64::MAX).finish());
    refuse(b.enumeration64("e", 8).value("A", i128::from(i64::MIN) - 1).finish());
    refuse(b.enumeration("e", 4).value("", 1).finish());
    refuse(b.structure("s", 4).bitfield("b", int, 0, 0).finish());
    refuse(b.structure("s", 4).member("far", int, 1 << 24).bitfield("b", int, 0, 1).finish());
    refuse(b.structure("s", 4).bitfield("b", int, 0, 1).member("far", int, u32::MAX).finish());
    refuse(b.structure("s", 4).bitfield("far", int, 1 << 24, 1).finish());
    refuse(b.structure("s", 4).kind_flag(true).member("far", int, 1 << 24).finish());
    refuse(b.union("u", 4).member("m", int, 8).finish());
    refuse(b.structure("s", 4).member("x\0", int, 0).finish());
    refuse(b.structure("s", 4).member("x", 7, 0).member("y\0", int, 0).finish());
    refuse(b.func("f", Linkage::Static, int));
    refuse(b.func("f", Linkage::Static, 0));
    refuse(b.func("f", Linkage::Unknown(1 << 24), int));
    refuse(b.decl_tag("tag", int, Some(1 << 31)));
    refuse(b.datasec("", 4).finish());
    refuse(b.define(int).ptr(0));
    refuse(b.define(2).ptr(0));
    refuse(b.define(0).ptr(0));
    refuse(b.func_proto(9).finish());
    let expected = [
        "no type with id 2 in the builder: ids are 0 to 1",
        "no type with id 99 in the builder: ids are 0 to 1",
        "name \"a\\x00b\" contains a NUL byte",
        "TYPEDEF without a name: this kind needs one",
        "INT `odd` of 3 bytes, expected 1, 2, 4, 8 or 16",
        "INT `wide` of 4 bytes cannot hold 32 bits at bit 1",
        "FLOAT `half` of 1 bytes, expected 2, 4, 8, 12 or 16",
        "ENUM `e` of 3 bytes, expected 1, 2, 4 or 8",
        "enumerator `A` = 4294967296 does not fit an unsigned ENUM",
        "enumerator `B` = 4294967295 does not fit a signed ENUM",
        "enumerator `B` = 2147483648 does not fit a signed ENUM",
        "enumerator `B` = 18446744073709551615 does not fit a signed ENUM64",
        "enumerator `A` = -9223372036854775809 does not fit a signed ENUM64",
        "ENUM without a name: this kind needs one",
        "bitfield `b` has 0 bits, expected 1 to 255",
        "STRUCT `s` has both bitfields and a member at bit 16777216: beside bitfields, offsets have 24 bits",
    ];
    for (found, expected) in refused.iter().zip(expected) {
        assert_eq!(found, expected);
    }
    assert_eq!(refused.len(), 31);
    assert_eq!(b.type_count(), before, "none of it took an id");
    let btf = b.finish().unwrap();
    assert_eq!(btf.as_bytes().len(), 24 + 16 + 5, "and none left a byte or a string");
}

#[test]
fn elements_are_counted_to_24_bits() {
    let (mut b, _) = builder_with_int();
    let mut most = b.func_proto(0);
    for _ in 0..0xff_ffff {
        most = most.param("", 1);
    }
    let (most, more) = (most.finish(), 0x100_0000);
    assert_eq!(most.unwrap(), 2);
    let mut too_many = b.enumeration("e", 4);
    for value in 0..more {
        too_many = too_many.value("A", value);
    }
    let error = too_many.finish().unwrap_err();
    assert_eq!(error.to_string(), "ENUM `e` has more than 16777215 elements");
    let btf = b.finish().unwrap();
    let Type::FuncProto(proto) = btf.type_by_id(2).unwrap() else { panic!() };
    assert_eq!(proto.params().len(), 0xff_ffff);
}

#[test]
fn a_builder_that_was_left_goes_on_as_if_nothing_was_begun() {
    let (mut b, int) = builder_with_int();
    let _ = b.structure("half a struct", 8).member("a", int, 0);
    let _ = b.define(int);
    let ptr = b.ptr(int).unwrap();
    let _ = b.datasec("section", 8);
    let btf = b.finish().unwrap();
    assert_eq!((ptr, btf.types().len()), (2, 2));
    assert_eq!(btf.as_bytes().len(), 24 + 16 + 12 + 5);
}

#[test]
fn what_is_declared_is_defined_later_or_named() {
    let (mut b, int) = builder_with_int();
    let [a, c, d] = [b.declare(), b.declare(), b.declare()];
    let proto = b.declare();
    let func = b.func("f", Linkage::Global, proto).unwrap();
    assert_eq!([a, c, d, proto, func], [2, 3, 4, 5, 6]);
    b.define(d).structure("d", 8).member("c", c, 0).finish().unwrap();
    let (mut other, _) = builder_with_int();
    for _ in 0..40 {
        other.declare();
    }
    match other.finish() {
        Err(error @ Error::Undefined { .. }) => assert_eq!(
            error.to_string(),
            "40 types are declared but not defined: 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, ..."
        ),
        other => panic!("{other:?}"),
    }
    b.define(c).typedef("c", int).unwrap();
    assert!(matches!(b.define(c).ptr(0), Err(Error::AlreadyDefined { id: 3, .. })));
    b.define(proto).func_proto(0).param("x", a).vararg().finish().unwrap();
    b.define(a).ptr(d).unwrap();
    let btf = b.finish().unwrap();
    let text: Vec<String> = btf.types().map(|ty| ty.to_string()).collect();
    assert_eq!(text[..4], ["int", "struct d *", "c", "struct d"]);
    let Type::Func(f) = btf.type_by_id(func).unwrap() else { panic!() };
    assert_eq!(f.proto().params().map(|param| param.ty().to_string()).collect::<Vec<_>>(), ["struct d *", "void"]);
    assert!(f.proto().is_variadic());
    // Ids of the order of definition and those of the order of declaration
    // are told apart.
    assert_eq!(rebuild(&btf).unwrap().as_bytes().len(), btf.as_bytes().len());
}

#[test]
fn a_func_of_something_that_becomes_no_prototype_is_found_at_the_end() {
    let (mut b, int) = builder_with_int();
    let later = b.declare();
    b.func("f", Linkage::Static, later).unwrap();
    b.define(later).ptr(int).unwrap();
    let error = b.finish().unwrap_err().to_string();
    assert!(error.contains("FUNC 3") && error.contains("FUNC_PROTO"), "{error}");
}

#[test]
fn split_btf_uses_ids_and_strings_of_its_base() {
    let (b, int) = builder_with_int();
    let base = b.finish().unwrap();
    let mut b = Builder::on(&base);
    assert_eq!(b.type_count(), 2);
    let td = b.typedef("myint", int).unwrap();
    b.typedef("int", td).unwrap();
    b.fwd("other", FwdKind::Union).unwrap();
    let split = b.finish().unwrap();
    assert!(split.base().unwrap().is_same(&base));
    assert_eq!(split.as_bytes()[split.string_section()], *b"myint\0other\0");
    let names: Vec<String> = split.types().map(|ty| ty.to_string()).collect();
    assert_eq!(names, ["myint", "int", "union other"]);
    // And a third layer.
    let mut b = Builder::on(&split);
    b.ptr(td).unwrap();
    b.typedef("myint", int).unwrap();
    let third = b.finish().unwrap();
    assert_eq!(third.string_section().len(), 0);
    assert_eq!(third.types().map(|ty| ty.to_string()).collect::<Vec<_>>(), ["myint *", "myint"]);
}

#[test]
fn a_copy_of_all_that_is_reachable_is_complete_and_made_once() {
    for (release, root) in [(fixtures::SORTED, "sk_buff"), (fixtures::BIG_ENDIAN, "task_struct")] {
        let vmlinux = Btf::parse(fixtures::read(&format!("kernels/{release}/vmlinux.btf"))).unwrap();
        let mut b = Builder::new().byte_order(vmlinux.byte_order());
        let ty = Type::from(vmlinux.find::<Struct<'_>>(root).unwrap());
        let id = b.copy_reachable(ty).unwrap();
        let count = b.type_count();
        assert_eq!(b.copy_reachable(ty).unwrap(), id);
        assert_eq!(b.type_count(), count, "nothing is copied again");
        let inner = ty.references().next().unwrap();
        b.copy_reachable(inner).unwrap();
        b.copy(ty).unwrap();
        assert_eq!(b.type_count(), count);
        let btf = b.finish().unwrap();
        let copy = btf.type_by_id(id).unwrap();
        assert_eq!(copy.name(), root);
        // The same types in the same order, by their ways through the graph.
        let describe = |ty: Type<'_>| format!("{:?} {:?} {}", ty.kind(), ty.name(), ty.references().count());
        let (old, new): (Vec<_>, Vec<_>) =
            (ty.post_order().map(describe).collect(), copy.post_order().map(describe).collect());
        assert_eq!(old.len(), new.len());
        assert!(old.len() > 1000 && old == new, "{root}");
        // With their tags, and nothing else.
        let tags = btf.types().filter(|ty| matches!(ty, Type::DeclTag(_))).count();
        assert_eq!(btf.types().len(), new.len() + tags);
        let expected: usize = ty.post_order().map(|ty| vmlinux.all_decl_tags_of(ty).len()).sum();
        assert_eq!(tags, expected);
        assert_eq!(copy.size_of(), ty.size_of());
    }
}

#[test]
fn a_copy_of_a_modules_type_takes_types_of_its_base_along_or_leaves_them_there() {
    let (veth, vmlinux) = module(fixtures::UNSORTED, "veth");
    let private = veth.find::<Struct<'_>>("veth_priv").unwrap();
    let mut alone = Builder::new();
    let id = alone.copy_reachable(private).unwrap();
    // A type of the kernel is the same, whichever way it was reached.
    let count = alone.type_count();
    let net_device = vmlinux.find::<Struct<'_>>("net_device").unwrap();
    alone.copy_reachable(net_device).unwrap();
    assert_eq!(alone.type_count(), count);
    let alone = alone.finish().unwrap();
    assert!(!alone.is_split());
    assert_eq!(alone.type_by_id(id).unwrap().size_of(), Type::from(private).size_of());
    let mut split = Builder::on(&vmlinux);
    let id = split.copy_reachable(private).unwrap();
    assert_eq!(split.copy_reachable(net_device).unwrap(), net_device.id(), "it is there");
    let split = split.finish().unwrap();
    assert!(split.types().len() < 20, "{}", split.types().len());
    assert_eq!(split.type_by_id(id).unwrap().size_of(), Type::from(private).size_of());
}

#[test]
fn a_shallow_copy_declares_what_is_only_pointed_to() {
    let vmlinux = Btf::parse(fixtures::read(&format!("kernels/{}/vmlinux.btf", fixtures::SORTED))).unwrap();
    let task = vmlinux.find::<Struct<'_>>("task_struct").unwrap();
    let mut b = Builder::new();
    let id = b.copy_shallow(task).unwrap();
    let count = b.type_count();
    assert_eq!(b.copy_shallow(task).unwrap(), id);
    assert_eq!(b.type_count(), count);
    // A type that was only declared can be had whole afterwards.
    let mm = b.copy_shallow(vmlinux.find::<Struct<'_>>("mm_struct").unwrap()).unwrap();
    let all = b.copy_reachable(task).unwrap();
    assert_ne!(all, id);
    let btf = b.finish().unwrap();
    let copy = btf.type_by_id(id).unwrap();
    assert_eq!(copy.size_of(), Type::from(task).size_of());
    assert_eq!(btf.type_by_id(mm).unwrap().name(), "mm_struct");
    let reached: Vec<Type<'_>> = copy.post_order().collect();
    assert!(reached.len() < 3000 && reached.iter().any(|ty| matches!(ty, Type::Fwd(fwd) if fwd.name() == "mm_struct")));
    // All that has to have a size has one.
    for ty in &reached {
        if let Type::Struct(s) = ty {
            assert!(s.members().all(|member| member.ty().size_of().is_ok()), "{ty:?}");
        }
    }
    assert_eq!(
        btf.type_by_id(all).unwrap().post_order().filter(|ty| matches!(ty, Type::Fwd(_))).count(),
        Type::from(task).post_order().filter(|ty| matches!(ty, Type::Fwd(_))).count()
    );
}

#[test]
fn a_name_that_was_behind_a_pointer_is_whole_where_it_is_needed_whole() {
    let (mut b, int) = builder_with_int();
    let s = b.structure("s", 4).member("i", int, 0).finish().unwrap();
    let td = b.typedef("s_t", s).unwrap();
    let ptr = b.ptr(td).unwrap();
    let pointing = b.structure("pointing", 8).member("p", ptr, 0).finish().unwrap();
    let holding = b.structure("holding", 4).member("s", td, 0).finish().unwrap();
    b.decl_tag("tagged", holding, Some(0)).unwrap();
    b.decl_tag("whole", holding, None).unwrap();
    let btf = b.finish().unwrap();
    let mut b = Builder::new();
    let pointing = b.copy_shallow(btf.type_by_id(pointing).unwrap()).unwrap();
    let holding = b.copy_shallow(btf.type_by_id(holding).unwrap()).unwrap();
    let copy = b.finish().unwrap();
    let behind = copy.type_by_id(pointing).unwrap().post_order().map(|ty| ty.kind().unwrap()).collect::<Vec<_>>();
    assert_eq!(behind, [Kind::Fwd, Kind::Typedef, Kind::Ptr, Kind::Struct]);
    let within = copy.type_by_id(holding).unwrap().post_order().map(|ty| ty.kind().unwrap()).collect::<Vec<_>>();
    assert_eq!(within, [Kind::Int, Kind::Struct, Kind::Typedef, Kind::Struct]);
    let tags: Vec<_> =
        copy.all_decl_tags_of(copy.type_by_id(holding).unwrap()).map(|tag| tag.name().to_string()).collect();
    assert_eq!(tags, ["whole", "tagged"]);
}

/// Each copy of a declaration has its tags, once, in whatever order copies are
/// made.
#[test]
fn every_copy_has_the_tags_of_what_it_is_a_copy_of() {
    let (mut b, int) = builder_with_int();
    let s = b.structure("s", 4).member("i", int, 0).finish().unwrap();
    let td = b.typedef("s_t", s).unwrap();
    let ptr = b.ptr(td).unwrap();
    let pointing = b.structure("pointing", 8).member("p", ptr, 0).finish().unwrap();
    let holding = b.structure("holding", 4).member("s", td, 0).finish().unwrap();
    for target in [s, td, pointing, holding] {
        b.decl_tag("tag", target, None).unwrap();
        if target != td {
            b.decl_tag("of a member", target, Some(0)).unwrap();
        }
    }
    let btf = b.finish().unwrap();
    let ty = |id| btf.type_by_id(id).unwrap();
    type Copy<'a> = &'a dyn Fn(&mut Builder) -> Result<u32, Error>;
    let copies: [Copy<'_>; 8] = [
        &|b| b.copy_shallow(ty(pointing)),
        &|b| b.copy_shallow(ty(holding)),
        &|b| b.copy_shallow(ty(s)),
        &|b| b.copy_reachable(ty(pointing)),
        &|b| b.copy_reachable(ty(holding)),
        &|b| b.copy(ty(td)),
        &|b| b.copy(ty(pointing)),
        &|b| b.copy_shallow(ty(td)),
    ];
    let mut most = 0;
    for order in 0..copies.len().pow(4) {
        let mut b = Builder::new();
        for place in 0..4 {
            copies[order / copies.len().pow(place) % copies.len()](&mut b).unwrap();
        }
        // What was left declared.
        for id in btf.own_ids() {
            b.copy(ty(id)).unwrap();
        }
        let copy = b.finish().unwrap();
        for ty in copy.types().filter(|ty| matches!(ty, Type::Struct(_) | Type::Typedef(_))) {
            let tags: Vec<_> = copy.all_decl_tags_of(ty).map(|tag| tag.name().to_string()).collect();
            let expected: &[_] = if matches!(ty, Type::Typedef(_)) { &["tag"] } else { &["tag", "of a member"] };
            assert_eq!(tags, expected, "{ty:?} of {order:o}");
        }
        most = most.max(copy.types().filter(|ty| ty.name() == "s_t").count());
    }
    assert_eq!(most, 3, "copies of one typedef: behind a pointer, by value, whole");
}

#[test]
fn single_copies_are_put_together() {
    let (mut b, int) = builder_with_int();
    let node = b.declare();
    let ptr = b.ptr(node).unwrap();
    b.define(node).structure("node", 16).member("next", ptr, 0).member("value", int, 64).finish().unwrap();
    let btf = b.finish().unwrap();
    let mut b = Builder::new();
    let copy = b.copy(btf.type_by_id(ptr).unwrap()).unwrap();
    assert!(matches!(b.finish(), Err(Error::Undefined { .. })), "what it points to is missing");
    let mut b = Builder::new();
    assert_eq!(b.copy(btf.type_by_id(ptr).unwrap()).unwrap(), copy);
    b.copy(btf.type_by_id(node).unwrap()).unwrap();
    b.copy(btf.type_by_id(int).unwrap()).unwrap();
    b.copy(btf.type_by_id(int).unwrap()).unwrap();
    assert_eq!(b.copy(Type::Void).unwrap(), 0);
    let again = b.finish().unwrap();
    assert_eq!(again.types().len(), 3);
    assert_eq!(again.type_by_id(copy).unwrap().to_string(), "struct node *");
    // One that was begun so can be completed.
    let mut b = Builder::new();
    b.copy(btf.type_by_id(ptr).unwrap()).unwrap();
    b.copy_reachable(btf.type_by_id(ptr).unwrap()).unwrap();
    assert_eq!(b.finish().unwrap().types().len(), 3);
}

#[test]
fn a_tag_that_is_copied_itself_is_copied_once() {
    let (mut b, int) = builder_with_int();
    let s = b.structure("s", 4).member("i", int, 0).finish().unwrap();
    let tag = b.decl_tag("tag", s, Some(0)).unwrap();
    let proto = b.func_proto(0).finish().unwrap();
    let func = b.func("f", Linkage::Static, proto).unwrap();
    let btf = b.finish().unwrap();
    let mut b = Builder::new();
    let [tag, func] = [tag, func].map(|id| b.copy_reachable(btf.type_by_id(id).unwrap()).unwrap());
    let copy = b.finish().unwrap();
    assert_eq!(copy.types().len(), 5);
    assert_eq!([tag, func].map(|id| copy.type_by_id(id).unwrap().name().to_string()), ["tag", "f"]);
    let mut b = Builder::new();
    let id = b.copy_shallow(btf.type_by_id(5).unwrap()).unwrap();
    let first = b.copy_shallow(btf.type_by_id(3).unwrap()).unwrap();
    let copy = b.finish().unwrap();
    assert_eq!(copy.types().len(), 5);
    assert_eq!([first, id].map(|id| copy.type_by_id(id).unwrap().name().to_string()), ["tag", "f"]);
}

/// All kinds and all that their flags can mean, in both byte orders and on a base:
/// what is built, encoded, opened and built again has the same bytes.
#[test]
fn what_a_format_holds_a_builder_writes() {
    // Names are bytes; split BTF may have no strings, or begin with one.
    let odd: &[u8] = b"caf\xe9 <T>::\xff";
    for order in [btf_types::ByteOrder::Little, btf_types::ByteOrder::Big] {
        let mut b = Builder::new().byte_order(order).pointer_size(4);
        let mut bases = Vec::new();
        for layer in 0..3 {
            let int = b.int(format!("int{layer}"), 4, IntEncoding::SIGNED).unwrap();
            b.int_with_bits("old bits", 4, IntEncoding::NONE, 3, 5).unwrap();
            b.int(odd, 16, IntEncoding::BOOL).unwrap();
            let e = b.enumeration("e", 1).value("A", -128).value(odd, i32::MAX).finish().unwrap();
            b.enumeration("f", 8).value("B", u32::MAX).finish().unwrap();
            b.enumeration("forward", 4).finish().unwrap();
            b.enumeration64("g", 8).value("C", i64::MIN).value("D", i64::MAX).finish().unwrap();
            b.enumeration64("", 8).signed(true).value("E", 0).finish().unwrap();
            b.enumeration64("h", 8).value("F", u64::MAX).finish().unwrap();
            let s = b.declare();
            let [c, v] = [b.const_(s).unwrap(), b.volatile(s).unwrap()];
            let r = b.restrict(c).unwrap();
            let [t, a] = [b.type_tag("tag", v).unwrap(), b.type_attribute("attribute", r).unwrap()];
            let [p, q] = [b.ptr(t).unwrap(), b.ptr(a).unwrap()];
            let u = b.union("", 1 << 29).member("far", q, 0).finish().unwrap();
            let array = b.array(p, int, u32::MAX).unwrap();
            b.structure("far", u32::MAX).member("", array, u32::MAX).member("x", e, 0x100_0000).finish().unwrap();
            b.structure("flag", 4).kind_flag(true).member("x", int, 0).finish().unwrap();
            let s = b.define(s).structure(odd, 0xff_ffff);
            s.bitfield("wide", int, 0xff_ffff, 255).member("u", u, 0xff_fff8).finish().unwrap();
            b.fwd("fs", FwdKind::Struct).unwrap();
            b.fwd("fu", FwdKind::Union).unwrap();
            let td = b.typedef("td", 0).unwrap();
            b.float(odd, 12).unwrap();
            let proto = b.func_proto(0).param("", td).param(odd, p).vararg().finish().unwrap();
            for linkage in [Linkage::Static, Linkage::Global, Linkage::Extern, Linkage::Unknown(7)] {
                let func = b.func("f", linkage, proto).unwrap();
                let var = b.var("v", int, linkage).unwrap();
                b.datasec(".data", 8).var(var, 4, 4).var(func, 0, 0).finish().unwrap();
                b.decl_tag("parameter", func, Some(1)).unwrap();
                b.decl_attribute(odd, var, None).unwrap();
            }
            let btf = b.finish().unwrap();
            assert_eq!((btf.byte_order(), btf.pointer_size()), (order, 4));
            let kinds: std::collections::BTreeSet<Kind> = btf.types().filter_map(Type::kind).collect();
            assert_eq!(kinds.len(), 19);
            assert_eq!(btf.find_own::<Struct<'_>>(odd).len(), 1, "layer {layer}");
            let bytes = btf_build::Encode::new().encode(&btf).unwrap();
            assert_eq!(bytes[..2], if order == btf_types::ByteOrder::Little { [0x9f, 0xeb] } else { [0xeb, 0x9f] });
            let opened = Btf::options().maybe_base(bases.last()).pointer_size(4).parse(bytes.clone()).unwrap();
            let again = rebuild(&opened).unwrap();
            // Strings are in the order of use, which is another where types were declared.
            assert_eq!(again.as_bytes().len(), opened.as_bytes().len());
            assert_same_types(&opened, &again, "built again");
            let twice = rebuild(&again).unwrap();
            assert!(twice.as_bytes() == again.as_bytes());
            b = Builder::on(&opened).pointer_size(4);
            bases.push(opened);
        }
    }
}

//! Answers of the views, and ways through the graph.

#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;

use btf_tests::{blob::Blob, fixtures};
use btf_types::{
    AnyEnum, Btf, Composite, Enum, Enum64, Error, Func, FwdKind, Group, Kind, Linkage, Struct, Style, Type, TypeTag,
    Typedef, Union, Unknown, View, WrongKind,
};

fn kernel(release: &str) -> Btf {
    Btf::parse(fixtures::read(&format!("kernels/{release}/vmlinux.btf"))).unwrap()
}

/// The example of the design, on each kernel.
#[test]
fn the_example_reads_as_it_should() {
    for release in [fixtures::UNSORTED, fixtures::SORTED, fixtures::BIG_ENDIAN] {
        let vmlinux = kernel(release);
        let sk_buff: Struct<'_> = vmlinux.find("sk_buff").unwrap();
        assert!(sk_buff.members().len() > 20);
        let f: Func<'_> = vmlinux.find_first("kfree_skb_reason").or(vmlinux.find_first("consume_skb")).unwrap();
        let skb = f.proto().params().next().unwrap();
        assert_eq!(skb.name(), "skb");
        let Type::Ptr(p) = skb.ty().peel_modifiers() else { panic!("no pointer") };
        assert_eq!(p.target().name(), "sk_buff");
        assert_eq!(p.target(), sk_buff.into());
        assert_eq!(skb.ty().to_string(), "struct sk_buff *");
    }
}

#[test]
fn enums_of_both_widths_are_signed_or_not() {
    let mut blob = Blob::new();
    let n = blob.string("e");
    blob.record(n, 6, 2, false, 4, &[n, u32::MAX, n, 1])
        .record(n, 6, 2, true, 4, &[n, u32::MAX, n, 1])
        .record(n, 19, 2, false, 8, &[n, 1, u32::MAX, n, 5, 0])
        .record(n, 19, 1, true, 8, &[n, 0, 1 << 31])
        .record(n, 6, 0, false, 4, &[]);
    let btf = Btf::parse(blob.build()).unwrap();
    let values = |id| match btf.type_by_id(id).unwrap() {
        Type::Enum(e) => e.values().map(btf_types::EnumValue::value).collect::<Vec<_>>(),
        Type::Enum64(e) => e.values().map(btf_types::EnumValue::value).collect(),
        _ => panic!("no enum"),
    };
    assert_eq!(values(1), [i128::from(u32::MAX), 1]);
    assert_eq!(values(2), [-1, 1]);
    assert_eq!(values(3), [0xffff_ffff_0000_0001, 5]);
    assert_eq!(values(4), [i128::from(i64::MIN)]);
    assert!(values(5).is_empty());
    assert!(Enum::try_from(btf.type_by_id(2).unwrap()).unwrap().is_signed());
    let wrong: WrongKind = Enum64::try_from(btf.type_by_id(2).unwrap()).unwrap_err();
    assert_eq!((wrong.expected, wrong.found), (&[Kind::Enum64][..], Some(Kind::Enum)));
    assert_eq!(
        Composite::try_from(btf.type_by_id(2).unwrap()).unwrap_err().to_string(),
        "wrong kind of type: expected STRUCT or UNION, found ENUM"
    );
}

#[test]
fn linkage_forward_declarations_and_varargs() {
    let mut blob = Blob::new();
    let n = blob.string("n");
    blob.record(n, 7, 0, false, 0, &[])
        .record(n, 7, 0, true, 0, &[])
        .record(0, 13, 2, false, 0, &[n, 1, 0, 0])
        .record(0, 13, 1, false, 0, &[n, 0])
        .record(n, 12, 0, false, 3, &[])
        .record(n, 12, 2, false, 3, &[])
        .record(n, 12, 9, false, 3, &[])
        .record(n, 14, 0, false, 1, &[1]);
    let btf = Btf::parse(blob.build()).unwrap();
    let ty = |id| btf.type_by_id(id).unwrap();
    let declares = |id| if let Type::Fwd(fwd) = ty(id) { fwd.declares() } else { panic!("no FWD") };
    assert_eq!((declares(1), declares(2)), (FwdKind::Struct, FwdKind::Union));
    let is_variadic = |id| if let Type::FuncProto(proto) = ty(id) { proto.is_variadic() } else { panic!("no proto") };
    assert!(is_variadic(3) && !is_variadic(4), "a name without a type is no `...`");
    let linkage = |id| match ty(id) {
        Type::Func(func) => func.linkage(),
        Type::Var(var) => var.linkage(),
        _ => panic!("neither"),
    };
    assert_eq!([5, 6, 7, 8].map(linkage), [Linkage::Static, Linkage::Extern, Linkage::Unknown(9), Linkage::Global]);
}

#[test]
fn tags_are_found_from_what_they_tag() {
    let btf = Btf::parse(fixtures::read("golden/layout/tags-el.layout.btf")).unwrap();
    let mut tags = 0;
    for ty in btf.types() {
        let Type::DeclTag(tag) = ty else { continue };
        tags += 1;
        let found: Vec<_> = match (tag.target(), tag.component_idx()) {
            (target, None) => target.decl_tags().collect(),
            (Type::Struct(s), Some(index)) => s.members().nth(index as usize).unwrap().decl_tags().collect(),
            (Type::Union(u), Some(index)) => u.members().nth(index as usize).unwrap().decl_tags().collect(),
            (Type::Func(f), Some(index)) => f.param_tags(index).collect(),
            other => panic!("{other:?}"),
        };
        assert!(found.contains(&tag), "{tag:?}");
        assert!(
            found.iter().all(|found| found.target() == tag.target() && found.component_idx() == tag.component_idx())
        );
    }
    assert!(tags > 3);
    assert!(btf.types().any(|ty| matches!(ty, Type::TypeTag(tag) if !tag.is_attribute())));
    // kfuncs of a kernel, and what a module says of its own.
    let vmlinux = kernel(fixtures::SORTED);
    let acquire: Func<'_> = vmlinux.find("bpf_task_acquire").unwrap();
    assert!(Type::from(acquire).decl_tags().any(|tag| tag.name() == "bpf_kfunc"));
    assert!(vmlinux.types().filter_map(|ty| TypeTag::try_from(ty).ok()).any(TypeTag::is_attribute), "since 6.15");
    // A split BTF that tags a type of its base: found from there.
    let id = acquire.id();
    let split = Btf::parse_split(Blob::split().record(1, 17, 0, true, id, &[u32::MAX]).build(), &vmlinux).unwrap();
    let found: Vec<_> = split.decl_tags_of(acquire).collect();
    assert_eq!(found.len(), 1);
    assert!(found[0].is_attribute() && found[0].component_idx().is_none());
    assert!(!Type::from(acquire).decl_tags().any(|tag| tag == found[0]), "the base knows nothing of it");
}

#[test]
fn peeling_stops_where_it_is_told() {
    let mut blob = Blob::new();
    let n = blob.string("n");
    // int <- TYPE_TAG <- typedef <- volatile <- const <- ptr
    blob.int()
        .record(n, 18, 0, false, 1, &[])
        .record(n, 8, 0, false, 2, &[])
        .record(0, 9, 0, false, 3, &[])
        .record(0, 10, 0, false, 4, &[])
        .ptr(5)
        .record(0, 11, 0, false, 7, &[]);
    let btf = Btf::parse(blob.build()).unwrap();
    let ty = |id| btf.type_by_id(id).unwrap();
    assert_eq!(ty(5).peel_qualifiers().id(), 3);
    assert_eq!(ty(3).peel_typedefs().id(), 2);
    assert_eq!(ty(2).peel_tags().id(), 1);
    assert_eq!(ty(5).peel_modifiers().id(), 1);
    assert_eq!(ty(5).resolve().unwrap().id(), 1);
    assert_eq!(ty(6).peel_modifiers().id(), 6, "a pointer is no modifier");
    assert_eq!(ty(6).chain().map(Type::id).collect::<Vec<_>>(), [5, 4, 3, 2, 1]);
    assert_eq!(ty(7).peel_modifiers().id(), 7, "of itself");
    assert!(matches!(ty(7).resolve(), Err(Error::TooDeep { ty, limit: 64, .. }) if ty.id() == 7));
    assert!(matches!(ty(7).size_of(), Err(Error::TooDeep { ty, limit: 64, .. }) if ty.id() == 7));
    assert_eq!(ty(7).chain().count(), 64);
    assert_eq!(ty(0).peel_modifiers(), Type::Void);
}

#[test]
fn references_are_the_ids_of_the_record_in_order() {
    for release in [fixtures::SORTED, fixtures::BIG_ENDIAN] {
        let mut bytes = fixtures::read(&format!("kernels/{release}/vmlinux.btf"));
        btf_format::convert(&mut bytes, btf_format::ByteOrder::NATIVE).unwrap();
        let raw = btf_format::RawBtf::parse(&bytes).unwrap();
        let btf = Btf::parse(bytes.clone()).unwrap();
        for (record, ty) in raw.records().map(Result::unwrap).zip(btf.types()) {
            let mut ids = Vec::new();
            record.for_each_field(|field, value| {
                if field.holds == btf_format::Word::Id {
                    ids.push(value);
                }
            });
            assert_eq!(ty.references().map(Type::id).collect::<Vec<_>>(), ids, "{ty:?}");
        }
    }
}

#[test]
fn post_order_comes_by_each_once_and_after_what_it_is_made_of() {
    let btf = kernel(fixtures::SORTED);
    let task: Struct<'_> = btf.find("task_struct").unwrap();
    let order: Vec<_> = Type::from(task).post_order().collect();
    assert_eq!(order.last(), Some(&task.into()));
    let place: std::collections::HashMap<_, _> = order.iter().enumerate().map(|(place, ty)| (ty.id(), place)).collect();
    assert_eq!(place.len(), order.len(), "each once");
    let reachable: BTreeSet<_> = order.iter().map(|ty| ty.id()).collect();
    let mut cycles = 0;
    for ty in &order {
        for reference in ty.references().filter(|reference| *reference != Type::Void) {
            assert!(reachable.contains(&reference.id()), "closed");
            // Only what leads back through a pointer may come later.
            if !matches!(ty, Type::Ptr(_)) && place[&reference.id()] > place[&ty.id()] && cycles < 30 {
                cycles += 1;
                assert!(reference.post_order().any(|reached| reached == *ty), "{ty:?} {reference:?}: a cycle");
            }
        }
    }
    assert_eq!(Type::Void.post_order().count(), 0);
}

/// Offsets as `pahole -C` and `bpftool` show them of these files.
#[test]
fn paths_lead_through_pointers_arrays_and_anonymous_members() {
    let mut blob = Blob::new();
    let mut name = |text: &str| blob.string(text);
    let (outer, inner, a, b, c) = (name("outer"), name("inner"), name("a"), name("b"), name("c"));
    let (grid, next) = (name("grid"), name("next"));
    // 2: union { int a; struct { int b; int c:3; } (3) }, 4: struct inner { union; int grid[5][2]; struct inner *next; }
    blob.int()
        .record(0, 5, 2, false, 8, &[a, 1, 0, 0, 3, 0])
        .record(0, 4, 2, true, 8, &[b, 1, 0, c, 1, 3 << 24 | 32])
        .record(inner, 4, 3, false, 56, &[0, 2, 0, grid, 6, 64, next, 7, 384])
        .record(0, 3, 0, false, 0, &[1, 1, 2])
        .record(0, 3, 0, false, 0, &[5, 1, 5])
        .ptr(8)
        .record(0, 10, 0, false, 4, &[])
        .record(outer, 8, 0, false, 8, &[]);
    let btf = Btf::parse(blob.build()).unwrap();
    let steps = |path: &str| {
        let path = btf.path(path).unwrap_or_else(|error| panic!("{path}: {error}"));
        path.steps().iter().map(|step| (step.bit_offset, step.bitfield_size)).collect::<Vec<_>>()
    };
    assert_eq!(steps("inner.a"), [(0, None)]);
    assert_eq!(steps("inner.c"), [(32, Some(3))], "through two without a name");
    assert_eq!(steps("inner.grid[3][1]"), [(64 + (3 * 2 + 1) * 32, None)]);
    assert_eq!(steps("outer.next->next.c"), [(384, None), (384, None), (32, Some(3))]);
    assert_eq!(steps("inner.next[2].a"), [(384, None), (2 * 56 * 8, None)]);
    assert_eq!(steps("inner"), [(0, None)]);
    for wrong in [
        "inner.d",
        "inner.a.b",
        "inner.b[5]",
        "inner.b[1][2]",
        "inner[0]",
        "inner.",
        "inner..a",
        "inner.b[x]",
        "inner.b[1",
        "inner-a",
    ] {
        assert!(matches!(btf.path(wrong), Err(Error::NoSuchMember { .. })), "{wrong}: {:?}", btf.path(wrong));
    }
    assert!(matches!(btf.path("nothing.a"), Err(Error::NoSuchName { .. })));

    let vmlinux = kernel(fixtures::UNSORTED);
    let path = vmlinux.path("task_struct.mm.pgd").unwrap();
    assert_eq!(path.steps().len(), 2);
    let mm: Struct<'_> = vmlinux.find("mm_struct").unwrap();
    assert_eq!(path.steps()[1].from, mm.into());
    assert_eq!(path.ty().to_string(), "pgd_t *");
    let task: Struct<'_> = vmlinux.find("task_struct").unwrap();
    assert_eq!(path.steps()[0].bit_offset, u64::from(task.member("mm").unwrap().bit_offset()));
    assert_eq!(vmlinux.path("task_struct.comm[3]").unwrap().ty().to_string(), "char");
}

#[test]
fn types_are_written_as_c_declares_them() {
    let mut blob = Blob::new();
    let mut name = |text: &str| blob.string(text);
    let (void_ptr, ch, long, skb, f, x, tag) =
        (0, name("char"), name("long"), name("sk_buff"), name("f"), name("x"), name("rcu"));
    let arr = |of: u32, count: u32| [of, 1, count];
    blob.int()
        .record(void_ptr, 2, 0, false, 0, &[]) // 2: void *
        .record(ch, 1, 0, false, 1, &[8]) // 3: char
        .record(long, 1, 0, false, 8, &[64]) // 4: long
        .record(skb, 4, 0, false, 8, &[]) // 5: struct sk_buff
        .record(0, 10, 0, false, 5, &[]) // 6: const struct sk_buff
        .ptr(6) // 7
        .record(0, 13, 2, false, 1, &[0, 2, 0, 4]) // 8: int (void *, long)
        .ptr(8) // 9
        .record(0, 3, 0, false, 0, &arr(3, 16)) // 10: char[16]
        .ptr(10) // 11: char (*)[16]
        .record(0, 3, 0, false, 0, &arr(11, 4)) // 12: char (*[4])[16]
        .record(0, 10, 0, false, 7, &[]) // 13: const struct sk_buff *const
        .ptr(13) // 14
        .record(0, 13, 2, false, 0, &[x, 1, 0, 0]) // 15: void (int x, ...)
        .record(f, 12, 1, false, 15, &[]) // 16: void f(int x, ...)
        .record(tag, 18, 0, false, 5, &[]) // 17
        .ptr(17) // 18
        .record(0, 13, 0, false, 9, &[]) // 19: int (*(void))(void *, long)
        .ptr(19) // 20
        .record(0, 3, 0, false, 0, &arr(20, 3)) // 21
        .record(x, 14, 0, false, 12, &[1]) // 22: char (*x[4])[16]
        .record(0, 4, 0, false, 0, &[]) // 23
        .record(x, 7, 0, true, 0, &[]) // 24
        .record(0, 3, 0, false, 0, &arr(7, 0)) // 25
        .record(0, 9, 0, false, 6, &[]) // 26: volatile const
        .record(tag, 18, 0, true, 5, &[]); // 27
    let btf = Btf::parse(blob.build()).unwrap();
    let ty = |id| btf.type_by_id(id).unwrap();
    for (id, plain, named) in [
        (0, "void", "void n"),
        (1, "int", "int n"),
        (2, "void *", "void *n"),
        (5, "struct sk_buff", "struct sk_buff n"),
        (7, "const struct sk_buff *", "const struct sk_buff *n"),
        (8, "int (void *, long)", "int n(void *, long)"),
        (9, "int (*)(void *, long)", "int (*n)(void *, long)"),
        (10, "char[16]", "char n[16]"),
        (11, "char (*)[16]", "char (*n)[16]"),
        (12, "char (*[4])[16]", "char (*n[4])[16]"),
        (13, "const struct sk_buff *const", "const struct sk_buff *const n"),
        (14, "const struct sk_buff *const *", "const struct sk_buff *const *n"),
        (16, "void f(int x, ...)", "void f(int x, ...)"),
        (
            18,
            r#"struct sk_buff __attribute__((btf_type_tag("rcu"))) *"#,
            r#"struct sk_buff __attribute__((btf_type_tag("rcu"))) *n"#,
        ),
        (20, "int (*(*)(void))(void *, long)", "int (*(*n)(void))(void *, long)"),
        (21, "int (*(*[3])(void))(void *, long)", "int (*(*n[3])(void))(void *, long)"),
        (22, "char (*x[4])[16]", "char (*x[4])[16]"),
        (23, "struct {...}", "struct {...} n"),
        (24, "union x", "union x n"),
        (25, "const struct sk_buff *[]", "const struct sk_buff *n[]"),
        (26, "volatile const struct sk_buff", "volatile const struct sk_buff n"),
        (27, "struct sk_buff __attribute__((rcu))", "struct sk_buff __attribute__((rcu)) n"),
    ] {
        assert_eq!(ty(id).to_string(), plain, "{id}");
        assert_eq!(ty(id).declare("n").to_string(), named, "{id}");
    }
    assert_eq!(format!("{:>8}|{:<8}|", ty(1), ty(1)), "     int|int     |");
}

#[test]
fn members_and_kinds_convert() {
    let btf = kernel(fixtures::UNSORTED);
    let list: Struct<'_> = btf.find("list_head").unwrap();
    assert_eq!(list.members().map(|member| member.name().to_string()).collect::<Vec<_>>(), ["next", "prev"]);
    assert_eq!(list.member("prev").unwrap().index(), 1);
    assert!(list.member("nothing").is_none());
    assert!(Union::try_from(Type::from(list)).is_err());
    assert_eq!(Struct::try_from(Type::from(list)), Ok(list));
    let typedef: Typedef<'_> = btf.find("u8").unwrap();
    assert_eq!(Type::from(typedef).size_of(), Ok(1));
    assert_eq!(Type::from(typedef).peel_modifiers().to_string(), "unsigned char");
    let sizes = btf.types().filter(|ty| ty.size_of().is_ok()).count();
    assert!(sizes > 30_000, "{sizes}");
}

#[test]
fn clones_share_types_ids_are_checked_and_iterators_end() {
    let btf = kernel(fixtures::UNSORTED);
    let clone = btf.clone();
    assert!(clone.is_same(&btf));
    assert_eq!(clone.as_bytes().as_ptr(), btf.as_bytes().as_ptr());
    assert_eq!(clone.type_by_id(77), btf.type_by_id(77), "the same types, not equal ones");
    let count = btf.type_count();
    let none = btf.type_by_id(count);
    assert!(matches!(none, Err(Error::NoSuchId { id, count: of, .. }) if (id, of) == (count, count)), "{none:?}");
    assert_eq!(btf.type_by_id(0).map(Type::id), Ok(0));
    assert!(btf.types().zip(1..).all(|(ty, id)| ty.id() == id));
    let mut types = btf.types();
    assert_eq!(types.by_ref().count(), btf.own_ids().len());
    assert!(types.next().is_none() && types.next().is_none());
}

/// A struct, a union, enumerations of both widths, and one without a name.
fn of_all_kinds() -> Btf {
    let mut blob = Blob::new();
    let [s, u, e, e64, t] = ["s", "u", "e", "e64", "t"].map(|name| blob.string(name));
    let [a, b, c, one, two] = ["a", "b", "c", "ONE", "TWO"].map(|name| blob.string(name));
    blob.int() // 1
        .record(0, 5, 2, false, 4, &[a, 1, 0, b, 1, 0]) // 2: union { int a; int b; }
        .record(0, 4, 2, true, 8, &[0, 2, 0, c, 1, 3 << 24 | 32]) // 3: struct { union {..}; int c:3; }
        .record(s, 4, 3, false, 12, &[c, 1, 0, 0, 3, 32, b, 2, 0]) // 4: struct s { int c; struct {..}; union {..} b; }
        .record(u, 5, 0, false, 0, &[]) // 5
        .record(e, 6, 2, true, 4, &[one, 1, two, u32::MAX]) // 6
        .record(e64, 19, 1, false, 8, &[two, 2, 1]) // 7
        .record(0, 6, 1, false, 4, &[one, 3]) // 8
        .record(t, 8, 0, false, 4, &[]) // 9
        .record(t, 20, 1, false, 4, &[0, 1]); // 10
    Btf::parse(blob.build()).unwrap()
}

#[test]
fn structs_and_unions_have_a_view_together_and_so_have_enumerations() {
    let btf = of_all_kinds();
    let s: Composite<'_> = btf.find("s").unwrap();
    assert!(!s.is_union() && btf.find::<Composite<'_>>("u").unwrap().is_union());
    assert_eq!((s.id(), s.size(), s.members().len()), (4, 12, 3));
    assert_eq!(Composite::from(btf.find::<Struct<'_>>("s").unwrap()), s);
    assert_eq!(s.as_type(), btf.find::<Struct<'_>>("s").unwrap().as_type());
    assert_eq!((s.holes().len(), s.padding(), s.is_packed()), (0, 0, Ok(false)));
    let error = btf.find::<Composite<'_>>("t").unwrap_err();
    assert_eq!(error.to_string(), "no STRUCT or UNION named `t`");
    let (e, e64) = (btf.find::<AnyEnum<'_>>("e").unwrap(), btf.find::<AnyEnum<'_>>("e64").unwrap());
    assert!(!e.is_enum64() && e.is_signed() && e64.is_enum64() && !e64.is_signed());
    assert_eq!(e.values().map(|value| value.to_string()).collect::<Vec<_>>(), ["ONE = 1", "TWO = -1"]);
    assert_eq!(e64.values().map(btf_types::EnumValue::value).collect::<Vec<_>>(), [0x1_0000_0002]);
    assert_eq!(Type::from(e64), Type::from(Enum64::try_from(e64.as_type()).unwrap()));
    assert_eq!(btf.anonymous::<Composite<'_>>().map(Composite::id).collect::<Vec<_>>(), [2, 3]);
    assert_eq!(btf.anonymous::<AnyEnum<'_>>().map(AnyEnum::id).collect::<Vec<_>>(), [8]);
    assert_eq!(btf.anonymous::<Type<'_>>().count(), 3);
    let unknown: Unknown<'_> = btf.find("t").unwrap_or_else(|error| panic!("{error}"));
    assert_eq!((unknown.id(), unknown.kind_number()), (10, 20));
    assert_eq!(Type::from(unknown), btf.type_by_id(10).unwrap());
    assert!(Unknown::of(btf.type_by_id(9).unwrap()).is_none() && Unknown::try_from(Type::Void).is_err());
}

#[test]
fn views_answer_what_types_answer() {
    let btf = kernel(fixtures::UNSORTED);
    let task: Struct<'_> = btf.find("task_struct").unwrap();
    let ty = Type::from(task);
    assert_eq!(task.to_string(), "struct task_struct");
    assert_eq!((task.size_of(), task.align_of()), (ty.size_of(), ty.align_of()));
    assert!(task.references().eq(ty.references()));
    assert_eq!(task.post_order().count(), ty.post_order().count());
    let member = task.member("comm").unwrap();
    assert_eq!(member.to_string(), "char comm[16]");
    assert_eq!(member, task.members().nth(member.index() as usize).unwrap());
    assert_ne!(Some(member), task.members().next());
    assert_eq!(format!("{:>16}|", btf.find::<Typedef<'_>>("pid_t").unwrap()), "           pid_t|");
    let printk: Func<'_> = btf.find("_printk").unwrap();
    assert_eq!(printk.params().map(|param| param.to_string()).collect::<Vec<_>>(), ["const char *fmt", "..."]);
    assert_eq!(printk.param_tags(0).count() + printk.decl_tags().count(), 0);
}

#[test]
fn members_through_anonymous_types() {
    let btf = of_all_kinds();
    let s: Struct<'_> = btf.find("s").unwrap();
    let leaves: Vec<_> = s.leaf_members().map(Result::unwrap).collect();
    let shown: Vec<_> = leaves.iter().map(|leaf| (leaf.bit_offset(), leaf.to_string())).collect();
    let expected = [(0, "int c"), (32, "int a"), (32, "int b"), (64, "int c:3"), (0, "union {...} b")];
    assert_eq!(shown, expected.map(|(offset, text)| (offset, text.to_owned())));
    assert_eq!(leaves[3].bitfield_size(), Some(3));
    // On kernels, each is what is found by its name, but for names that come twice.
    for release in [fixtures::UNSORTED, fixtures::BIG_ENDIAN] {
        let vmlinux = kernel(release);
        let mut through = 0;
        for composite in vmlinux.types().filter_map(Composite::of).step_by(7) {
            let mut seen = BTreeSet::new();
            for leaf in composite.leaf_members().map(Result::unwrap).filter(|leaf| !leaf.name().is_empty()) {
                if seen.insert(leaf.name()) {
                    let found = composite.as_type().find_member(leaf.name());
                    assert_eq!(found, Some((leaf.member(), leaf.bit_offset())), "{composite}");
                    through += usize::from(leaf.bit_offset() != u64::from(leaf.member().bit_offset()));
                }
            }
        }
        assert!(through > 100, "{through}");
    }
    // 40 structs with two of the next: an end with an error.
    let mut blob = Blob::new();
    (1..=40).for_each(|id| _ = blob.record(0, 4, 2, false, 8, &[0, id + 1, 0, 0, id + 1, 0]));
    let btf = Btf::parse(blob.int().build()).unwrap();
    let mut leaves = Composite::of(btf.type_by_id(1).unwrap()).unwrap().leaf_members();
    assert!(leaves.by_ref().take_while(Result::is_ok).count() < 1_000_000);
    assert!(leaves.next().is_none());
    let btf = Btf::parse(Blob::new().record(0, 4, 1, false, 8, &[0, 1, 0]).build()).unwrap();
    let leaves: Vec<_> = Composite::of(btf.type_by_id(1).unwrap()).unwrap().leaf_members().collect();
    assert!(matches!(&leaves[..], [Err(Error::TooDeep { ty, limit: 64, .. })] if ty.id() == 1), "{leaves:?}");
}

#[test]
fn enumerators_by_name() {
    let base = of_all_kinds();
    let mut blob = Blob::split();
    let one = base.find_all_enumerators("ONE")[0].name();
    let name = (0..base.string_len()).find(|&offset| base.string_at(offset) == Some(one)).unwrap();
    blob.record(0, 6, 1, false, 4, &[name, 7]);
    let btf = Btf::parse_split(blob.build(), &base).unwrap();
    let found = btf.find_enumerator("ONE").unwrap();
    assert_eq!((found.value(), found.enumeration().id(), found.index()), (7, 11, 0));
    assert_eq!(btf.find_all_enumerators("ONE").iter().map(|value| value.value()).collect::<Vec<_>>(), [7, 1, 3]);
    let Err(Error::AmbiguousEnumerator { name, ids, .. }) = base.find_enumerator("ONE") else { panic!("one") };
    assert_eq!((name.to_string(), ids), ("ONE".into(), vec![6, 8]));
    assert!(matches!(btf.find_enumerator("TWO"), Err(Error::AmbiguousEnumerator { .. })));
    assert!(matches!(btf.find_enumerator(""), Err(Error::NoSuchEnumerator { .. })));
    let vmlinux = kernel(fixtures::SORTED);
    let found = vmlinux.find_enumerator("BPF_MAP_TYPE_HASH").unwrap();
    assert_eq!((found.value(), found.enumeration().name().to_str()), (1, Ok("bpf_map_type")));
    assert_eq!(
        found.enumeration().values().nth_back(0).unwrap().index() as usize,
        found.enumeration().values().len() - 1
    );
}

#[test]
fn records_and_strings_as_they_are_stored() {
    let base = kernel(fixtures::UNSORTED);
    let ovs = fixtures::read(&format!("kernels/{}/openvswitch.btf", fixtures::UNSORTED));
    let ovs = Btf::parse_split(ovs, &base).unwrap();
    assert!(ovs.record(0).is_none() && ovs.record(ovs.type_count()).is_none() && Type::Void.record().is_none());
    for btf in [&base, &ovs] {
        let mut end = btf.type_section().start;
        for ty in btf {
            let record = btf.record(ty.id()).unwrap();
            assert_eq!(record.offset(), end as u64);
            end += record.as_bytes().len();
            assert_eq!(record.as_bytes(), &btf.as_bytes()[record.offset() as usize..end]);
            assert_eq!(btf.string_at(record.head().name_off()).unwrap(), ty.name());
        }
        assert_eq!(end, btf.type_section().end);
        assert_eq!(btf.string_at(btf.string_len()), None);
        assert_eq!(btf.string_at(btf.string_len() - 1).unwrap(), "");
    }
    assert_eq!(ovs.string_len() - base.string_len(), ovs.string_section().len() as u32);
    let all = ovs.all_types();
    assert_eq!(all.len(), ovs.type_count() as usize - 1);
    assert!(all.clone().eq(base.types().chain(ovs.types())));
    assert!(all.rev().eq(ovs.types().rev().chain(base.types().rev())));
    assert_eq!((base.hdr_len(), base.has_layout(), base.layout_section().len()), (24, false, 0));
}

/// BTF that a program makes is not swapped to be opened, and known properties are
/// kept.
#[test]
fn native_bytes_of_the_other_byte_order() {
    let native = Blob::new().int().build();
    let other = btf_types::ByteOrder::NATIVE.swapped();
    let btf = Btf::from_native(native.clone(), None, other, Some(4)).unwrap();
    assert_eq!((btf.byte_order(), btf.known_pointer_size(), btf.as_bytes()), (other, Some(4), &*native));
    let again = Btf::parse(btf.to_bytes(other).unwrap()).unwrap();
    assert_eq!((again.byte_order(), again.known_pointer_size(), again.as_bytes()), (other, None, &*native));
    assert!(Btf::from_native(btf.to_bytes(other).unwrap(), None, other, None).is_err());
    let error = Btf::from_native(Blob::split().ptr(1).build(), Some(&btf), other.swapped(), None).unwrap_err();
    assert!(matches!(error, Error::ByteOrderOfBase { .. }));
    // `long` of split BTF by its own strings, and by the base's.
    let mut base = Blob::new();
    let long = base.string("long");
    let base = Btf::parse(base.ptr(0).build()).unwrap();
    let by_base = Btf::parse_split(Blob::split().record(long, 1, 0, false, 4, &[32]).build(), &base).unwrap();
    assert_eq!((base.known_pointer_size(), by_base.known_pointer_size()), (None, Some(4)));
    let mut own = Blob::split();
    let long = own.string("unsigned long") + base.string_len();
    let own = Btf::parse_split(own.record(long, 1, 0, false, 8, &[64]).build(), &base).unwrap();
    assert_eq!(own.known_pointer_size(), Some(8));
}

/// Decisions left to a printer of C: bodies in place of types without a name, other
/// names for types, `[0]`, and where spaces are.
#[test]
fn declarations_in_a_style_of_ones_own() {
    use std::fmt::{self, Write};
    struct Printer(String);
    impl Write for Printer {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            self.0.write_str(text)
        }
    }
    impl<'btf> Style<'btf> for Printer {
        fn base(&mut self, ty: Type<'btf>) -> fmt::Result {
            match ty {
                Type::Struct(s) if ty.is_anonymous() => {
                    self.write_str("struct { ")?;
                    for member in s.members() {
                        member.ty().declarator().write(member.name(), self)?;
                        self.write_str("; ")?;
                    }
                    self.write_str("}")
                }
                Type::Struct(s) => write!(self, "struct {}___2", s.name()),
                ty => write!(self, "{}", ty.name()),
            }
        }

        fn open(&mut self, group: Group<'btf>) -> fmt::Result {
            let is_proto = matches!(group.ty, Type::FuncProto(_));
            self.write_str(if is_proto || group.needs_space && group.is_named { " (" } else { "(" })
        }

        fn nelems(&mut self, nelems: u32) -> fmt::Result {
            write!(self, "{nelems}")
        }
    }
    let mut blob = Blob::new();
    let [s, x, p] = ["s", "x", "p"].map(|name| blob.string(name));
    blob.int() // 1
        .record(s, 4, 0, false, 0, &[]) // 2
        .record(0, 10, 0, false, 2, &[]) // 3: const struct s
        .ptr(3) // 4
        .record(0, 3, 0, false, 0, &[4, 1, 0]) // 5: [0] of them
        .record(0, 4, 2, false, 4, &[x, 1, 0, p, 5, 32]) // 6: struct { int x; ... p[0]; }
        .record(0, 13, 2, false, 4, &[0, 6, p, 7]) // 7: const struct s *(struct {..}, proto p)
        .ptr(7) // 8
        .record(0, 10, 0, false, 8, &[]) // 9
        .record(0, 3, 0, false, 0, &[9, 1, 3]) // 10: array of 3 const pointers to it
        .ptr(10) // 11
        .record(0, 13, 1, false, 11, &[0, 0]); // 12: returning a pointer to that
    let btf = Btf::parse(blob.build()).unwrap();
    let print = |id: u32, name: &str| {
        let mut printer = Printer(String::new());
        btf.type_by_id(id).unwrap().declarator().write(name, &mut printer).unwrap();
        printer.0
    };
    let body = "struct { int x; const struct s___2 *p[0]; }";
    assert_eq!(print(5, "n"), "const struct s___2 *n[0]");
    assert_eq!(print(6, "n"), format!("{body} n"));
    assert_eq!(print(6, ""), body);
    assert!(print(8, "n").starts_with("const struct s___2 * (*n)("), "{}", print(8, "n"));
    let declarator = btf.type_by_id(11).unwrap().declarator();
    assert_eq!(declarator.base().map(Type::id), Some(2));
    assert_eq!(declarator.chain().iter().map(|ty| ty.id()).collect::<Vec<_>>(), [11, 10, 9, 8, 7, 4, 3]);
    assert_eq!(declarator.base_modifiers().iter().map(|ty| ty.id()).collect::<Vec<_>>(), [3]);
    assert_eq!(declarator.base_qualifiers().collect::<Vec<_>>(), ["const"]);
    // The base and the rest are the whole.
    for (id, name) in [(4, "n"), (5, ""), (6, "n"), (8, "n"), (10, ""), (11, "n"), (12, "f")] {
        let (mut parts, ty) = (Printer(String::new()), btf.type_by_id(id).unwrap());
        ty.declarator().write_base(&mut parts).unwrap();
        assert_eq!(parts.0, if id == 6 { body } else { "const struct s___2" });
        ty.declarator().write_after_base(name, &mut parts).unwrap();
        assert_eq!(parts.0, print(id, name), "{id}");
    }
    let endless = Btf::parse(Blob::new().ptr(1).build()).unwrap();
    let endless = endless.type_by_id(1).unwrap().declarator();
    assert_eq!((endless.base(), endless.chain().len()), (None, 64));
}

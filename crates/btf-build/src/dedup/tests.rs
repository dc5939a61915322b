//! Rules one by one, and graphs by chance.

use std::collections::HashMap;

use btf_types::{Btf, FwdKind, IntEncoding, Linkage, Remap, Type, format::Word};
use proptest::prelude::*;

use super::{LIMITS, Limits, colors::Reach, dedup, with_hash};
use crate::{Builder, Error, hash_table::Hash};

/// Types are colored from the first difference on, always anew.
const COLORED: Limits = &[
    (0, Some(Reach::Names)),
    (0, Some(Reach::Steps(1))),
    (0, Some(Reach::Steps(2))),
    (0, Some(Reach::Steps(3))),
    (0, Some(Reach::Steps(20))),
];

/// Deduplicates, and checks all that always holds.
fn checked(btf: &Btf) -> (Btf, Remap) {
    let (small, remap) = dedup(btf).unwrap();
    maps_all(btf, &small, &remap);
    let (again, _) = dedup(&small).unwrap();
    assert_eq!(again.as_bytes(), small.as_bytes(), "deduplicated again");
    let (colliding, ids) = with_hash(btf, &Hash::colliding(), LIMITS).unwrap();
    assert_eq!(colliding.as_bytes(), small.as_bytes(), "whatever the hash is");
    assert_eq!(format!("{ids:?}"), format!("{remap:?}"));
    let (colored, ids) = with_hash(btf, &Hash::new(), COLORED).unwrap();
    assert_eq!(colored.as_bytes(), small.as_bytes(), "whatever is compared");
    assert_eq!(format!("{ids:?}"), format!("{remap:?}"));
    (small, remap)
}

/// Checks that each type has become one that is equal to it, which refers to what those
/// have become that it referred to.
fn maps_all(old: &Btf, new: &Btf, remap: &Remap) {
    for id in old.own_ids() {
        let new_id = remap.id(id).unwrap();
        let (before, after) = (old.record(id).unwrap(), new.record(new_id).unwrap());
        let (was, is) = (old.type_by_id(id).unwrap(), new.type_by_id(new_id).unwrap());
        assert_eq!(was.name(), is.name());
        let is_forward = match was {
            Type::Fwd(_) => true,
            Type::Enum(ty) => ty.values().next().is_none(),
            Type::Enum64(ty) => ty.values().next().is_none(),
            _ => false,
        };
        if is_forward {
            continue;
        }
        assert_eq!(before.words().len(), after.words().len(), "{was:?} {is:?}");
        for ((role, before), (_, after)) in before.words().zip(after.words()) {
            match role {
                // The base has copies of its own, and refers to what it refers to.
                Word::Id if new_id.min(before) < new.own_ids().start => {
                    let (a, b) = (old.type_by_id(before).unwrap(), new.type_by_id(after).unwrap());
                    assert_eq!(a.name(), b.name());
                }
                Word::Id => assert_eq!(remap.id(before), Some(after), "{was:?} {is:?}"),
                Word::Name => assert_eq!(old.string_at(before), new.string_at(after)),
                _ => assert_eq!(before, after, "{was:?} {is:?}"),
            }
        }
    }
    // Strings go where they were.
    for offset in old.base().map_or(0, Btf::string_len)..old.string_len() {
        assert_eq!(old.string_at(offset), new.string_at(remap.string(offset).unwrap()));
    }
}

fn described(btf: &Btf) -> Vec<String> {
    btf.types().map(|ty| ty.to_string()).collect()
}

fn build(define: impl FnOnce(&mut Builder) -> Result<(), Error>) -> Btf {
    let mut b = Builder::new();
    define(&mut b).unwrap();
    b.finish().unwrap()
}

fn split(base: &Btf, define: impl FnOnce(&mut Builder) -> Result<(), Error>) -> Btf {
    let mut b = Builder::on(base);
    define(&mut b).unwrap();
    b.finish().unwrap()
}

fn int(b: &mut Builder) -> Result<u32, Error> {
    b.int("int", 4, IntEncoding::SIGNED)
}

/// A struct of one member, which is a pointer.
fn holder(b: &mut Builder, name: &str, to: u32) -> Result<u32, Error> {
    let ptr = b.ptr(to)?;
    b.structure(name, 8).member("p", ptr, 0).finish()
}

/// A list: `struct NAME { struct NAME *next; int value; }`.
fn list(b: &mut Builder, name: &str, value: u32) -> Result<u32, Error> {
    let node = b.declare();
    let ptr = b.ptr(node)?;
    b.define(node).structure(name, 16).member("next", ptr, 0).member("value", value, 64).finish()
}

#[test]
fn types_that_refer_to_nothing() {
    let btf = build(|b| {
        for _ in 0..2 {
            int(b)?;
            b.int("int", 8, IntEncoding::SIGNED)?;
            b.int("int", 4, IntEncoding::NONE)?;
            b.float("double", 8)?;
            b.enumeration("e", 4).value("A", 1).finish()?;
            b.enumeration("e", 4).value("A", 2).finish()?;
            b.enumeration64("e", 8).value("A", 1).finish()?;
            b.fwd("s", FwdKind::Struct)?;
            b.fwd("s", FwdKind::Union)?;
            b.structure("empty", 0).finish()?;
            b.structure("empty", 4).finish()?;
        }
        Ok(())
    });
    let (small, remap) = checked(&btf);
    assert_eq!(small.types().len(), 11);
    assert!((1..=11).all(|id| remap.id(id) == Some(id) && remap.id(id + 11) == Some(id)));
}

#[test]
fn what_refers_to_itself() {
    let btf = build(|b| {
        for value in [0, 1, 1] {
            let value = if value == 0 { b.int("long", 8, IntEncoding::SIGNED)? } else { int(b)? };
            let node = list(b, "node", value)?;
            holder(b, "head", node)?;
        }
        Ok(())
    });
    let (small, remap) = checked(&btf);
    assert_eq!(small.types().len(), 8, "{:?}", described(&small));
    assert_eq!(remap.id(7), remap.id(12), "the nodes of int");
    assert_ne!(remap.id(2), remap.id(7));
}

#[test]
fn copies_of_one_struct_in_one_unit() {
    // Two copies of a struct that refers to itself, in another one, as compilers emit
    // them.
    let btf = build(|b| {
        let value = int(b)?;
        let (a, c) = (list(b, "node", value)?, list(b, "node", value)?);
        let (a, c) = (b.ptr(a)?, b.ptr(c)?);
        b.structure("two", 16).member("a", a, 0).member("c", c, 64).finish()?;
        let node = list(b, "node", value)?;
        let ptr = b.ptr(node)?;
        b.structure("two", 16).member("a", ptr, 0).member("c", ptr, 64).finish().map(drop)
    });
    assert_eq!(checked(&btf).0.types().len(), 4);
}

#[test]
fn rings_of_any_length() {
    let btf = build(|b| {
        for length in [1, 3, 5] {
            let nodes: Vec<u32> = (0..length).map(|_| b.declare()).collect();
            for (place, &node) in nodes.iter().enumerate() {
                let next = b.ptr(nodes[(place + 1) % length])?;
                b.define(node).structure("node", 8).member("next", next, 0).finish()?;
            }
        }
        Ok(())
    });
    assert_eq!(described(&checked(&btf).0), ["struct node", "struct node *"]);
}

#[test]
fn cycles_of_nothing_but_references() {
    let btf = build(|b| {
        for _ in 0..2 {
            let (a, c) = (b.declare(), b.declare());
            b.define(a).ptr(c)?;
            b.define(c).const_(a)?;
            b.ptr(c)?;
            let own = b.declare();
            b.define(own).volatile(own)?;
        }
        Ok(())
    });
    assert_eq!(checked(&btf).0.types().len(), 3, "PTR, CONST, VOLATILE");
}

#[test]
fn declarations_become_what_they_are_compared_with() {
    // `s` is declared in one unit, and defined in two, each time otherwise.
    let btf = build(|b| {
        let s = b.fwd("s", FwdKind::Struct)?;
        holder(b, "x", s)?;
        let int = int(b)?;
        let s = b.structure("s", 4).member("a", int, 0).finish()?;
        holder(b, "x", s)?;
        let s = b.structure("s", 4).member("b", int, 0).finish()?;
        holder(b, "y", s).map(drop)
    });
    let (small, remap) = checked(&btf);
    assert_eq!(remap.id(1), remap.id(5), "the one that x has");
    assert_eq!(remap.id(3), remap.id(7));
    assert_eq!(small.types().len(), 7, "{:?}", described(&small));
}

#[test]
fn declarations_of_what_is_defined_once() {
    let btf = build(|b| {
        for name in ["one", "two", "other"] {
            b.fwd(name, FwdKind::Struct)?;
        }
        let int = int(b)?;
        b.structure("one", 4).member("a", int, 0).finish()?;
        b.structure("two", 4).member("a", int, 0).finish()?;
        b.structure("two", 4).member("b", int, 0).finish()?;
        b.union("other", 4).member("a", int, 0).finish().map(drop)
    });
    let (small, remap) = checked(&btf);
    let kinds: Vec<_> =
        [1, 2, 3].map(|id| small.type_by_id(remap.id(id).unwrap()).unwrap().kind().unwrap().as_str()).into();
    assert_eq!(kinds, ["STRUCT", "FWD", "FWD"], "one; which of two; of another flavor");
}

#[test]
fn a_declaration_means_one_struct() {
    // In one type both members are of the declared struct, in the other they differ.
    let btf = build(|b| {
        let s = b.fwd("s", FwdKind::Struct)?;
        let ptr = b.ptr(s)?;
        b.structure("x", 16).member("a", ptr, 0).member("b", ptr, 64).finish()?;
        let int = int(b)?;
        let a = b.structure("s", 4).member("a", int, 0).finish()?;
        let c = b.structure("s", 4).member("c", int, 0).finish()?;
        let (a, c) = (b.ptr(a)?, b.ptr(c)?);
        b.structure("x", 16).member("a", a, 0).member("b", c, 64).finish().map(drop)
    });
    let (small, remap) = checked(&btf);
    assert_ne!(remap.id(3), remap.id(9));
    assert_eq!(small.types().len(), btf.types().len());
}

#[test]
fn declarations_of_enumerations() {
    let btf = build(|b| {
        b.enumeration("before", 4).finish()?;
        b.enumeration("nowhere", 4).finish()?;
        b.enumeration64("nowhere", 8).finish()?;
        b.enumeration("", 4).finish()?;
        b.enumeration64("before", 8).value("A", 1).finish()?;
        b.enumeration("after", 4).value("B", 1).finish()?;
        b.enumeration("after", 2).finish()?;
        b.enumeration("", 4).value("C", 1).finish().map(drop)
    });
    let (small, remap) = checked(&btf);
    let new = |id| remap.id(id).unwrap();
    assert_eq!((new(1), new(2), new(6)), (new(5), new(3), new(7)));
    assert_ne!(new(4), new(8), "what has no name declares nothing");
    assert_eq!(small.types().len(), 5);
}

#[test]
fn tags() {
    let btf = build(|b| {
        for tag in ["a", "b"] {
            let int = int(b)?;
            let s = b.structure("s", 4).member("m", int, 0).finish()?;
            b.decl_tag(tag, s, None)?;
            b.decl_tag("both", s, Some(0))?;
            let tagged = b.type_tag(tag, s)?;
            b.ptr(tagged)?;
            let tagged = b.type_tag("both", s)?;
            b.ptr(tagged)?;
        }
        Ok(())
    });
    let (small, remap) = checked(&btf);
    assert_eq!(remap.id(2), remap.id(10), "tags of declarations make no difference");
    let s = small.type_by_id(2).unwrap();
    assert!(small.all_decl_tags_of(s).map(|tag| tag.name().to_string()).eq(["a", "b", "both"]));
    assert_ne!(remap.id(6), remap.id(14), "tags of types do");
    assert_eq!(remap.id(8), remap.id(16));
}

#[test]
fn functions_variables_and_sections() {
    let btf = build(|b| {
        for _ in 0..2 {
            let int = int(b)?;
            let proto = b.func_proto(int).param("a", int).finish()?;
            b.func("f", Linkage::Static, proto)?;
            b.func("f", Linkage::Global, proto)?;
            b.func_proto(int).param("b", int).finish()?;
            let var = b.var("v", int, Linkage::Global)?;
            b.datasec(".data", 4).var(var, 0, 4).finish()?;
        }
        Ok(())
    });
    let (small, remap) = checked(&btf);
    assert_eq!(small.types().len(), 9, "{:?}", described(&small));
    assert_ne!(remap.id(6), remap.id(13), "variables stay apart");
}

#[test]
fn arrays_and_bitfields() {
    let btf = build(|b| {
        let int = int(b)?;
        let char = b.int("char", 1, IntEncoding::NONE)?;
        for (element, length) in [(int, 3), (char, 3), (int, 4), (int, 3)] {
            b.array(element, int, length)?;
        }
        for bits in [3, 4, 3] {
            b.structure("s", 4).bitfield("f", int, 0, bits).finish()?;
        }
        Ok(())
    });
    let (small, remap) = checked(&btf);
    assert_eq!(small.types().len(), 2 + 3 + 2);
    assert_eq!([3, 7].map(|id| remap.id(id)), [6, 9].map(|id| remap.id(id)));
}

#[test]
fn what_the_base_has_is_left_out() {
    let base = build(|b| {
        let value = int(b)?;
        let node = list(b, "node", value)?;
        holder(b, "head", node).map(drop)
    });
    let base = dedup(&base).unwrap().0;
    let module = split(&base, |b| {
        let value = int(b)?;
        let node = list(b, "node", value)?;
        let head = holder(b, "head", node)?;
        holder(b, "own", head)?;
        let node = base.find::<btf_types::Struct<'_>>("node").unwrap().id();
        holder(b, "own", node).map(drop)
    });
    let (small, remap) = checked(&module);
    assert_eq!(described(&small), ["struct head *", "struct own", "struct own"]);
    assert_eq!(small.string_section().len(), "own\0".len());
    let first = base.type_count();
    assert_eq!([0, 1, 2, 3, 4].map(|own| remap.id(first + own)), [1, 2, 3, 3, 4].map(Some), "ids of the base");
}

#[test]
fn what_the_base_declares_it_does_not_define() {
    let base = build(|b| {
        let s = b.fwd("s", FwdKind::Struct)?;
        holder(b, "x", s)?;
        holder(b, "y", s).map(drop)
    });
    let module = split(&base, |b| {
        let value = int(b)?;
        let s = b.structure("s", 4).member("a", value, 0).finish()?;
        for _ in 0..2 {
            holder(b, "x", s)?;
        }
        holder(b, "y", s)?;
        let fwd = b.fwd("s", FwdKind::Struct)?;
        holder(b, "z", fwd)?;
        // And what is the same as in the base.
        holder(b, "x", fwd).map(drop)
    });
    let (small, remap) = checked(&module);
    let first = base.type_count();
    assert_eq!(described(&small), ["int", "struct s", "struct s *", "struct x", "struct y", "struct z"]);
    assert_eq!(remap.id(first + 8), Some(first + 1), "the declaration is the own definition");
    assert_eq!(remap.id(first + 12), remap.id(first + 3), "also where the base has the declaration");
}

#[test]
fn names_are_equal_by_their_contents() {
    // "int" twice, as the end of "uint", and not at all.
    let strings = b"\0int\0uint\0int\0unused\0\0unused\0";
    let mut types = Vec::new();
    for name in [1u32, 6, 10, 5, 14] {
        for word in [name, 1 << 24, 4, 32] {
            types.extend_from_slice(&word.to_ne_bytes());
        }
    }
    let mut blob = Vec::new();
    btf_types::format::Assembly::new(&types, strings).write(|part| blob.extend_from_slice(part)).unwrap();
    let (small, remap) = checked(&Btf::parse(blob).unwrap());
    assert_eq!(described(&small), ["int", "uint", "unused"]);
    let section = &small.as_bytes()[small.string_section()];
    assert_eq!(section, b"\0int\0uint\0unused\0");
    assert_eq!([0, 1, 7, 11, 14, 22].map(|at| remap.string(at)), [0, 1, 7, 2, 10, 10].map(Some));
}

#[test]
fn many_that_look_alike() {
    // Each differs from all others, behind a pointer to another such struct.
    let btf = build(|b| {
        for size in 1..3000 {
            let end = b.structure("end", size).finish()?;
            let inner = holder(b, "alike", end)?;
            let middle = holder(b, "alike", inner)?;
            holder(b, "alike", middle)?;
        }
        Ok(())
    });
    assert_eq!(dedup(&btf).unwrap().0.types().len(), btf.types().len());
}

#[test]
fn too_many_that_look_alike() {
    // Rings that differ in one place.
    let ring = |b: &mut Builder, length: usize, size| -> Result<(), Error> {
        let nodes: Vec<u32> = (0..length).map(|_| b.declare()).collect();
        for (place, &node) in nodes.iter().enumerate() {
            let next = b.ptr(nodes[(place + 1) % length])?;
            let size = if place == 0 { size } else { 8 };
            b.define(node).structure("alike", size).member("next", next, 0).finish()?;
        }
        Ok(())
    };
    let btf = build(|b| (9..100).try_for_each(|size| ring(b, 300, size)));
    assert!(matches!(dedup(&btf), Err(Error::TooComplex { .. })));
    let btf = build(|b| (9..100).try_for_each(|size| ring(b, 15, size)));
    assert_eq!(dedup(&btf).unwrap().0.types().len(), btf.types().len());
}

#[test]
fn chains_that_look_alike() {
    // They differ where they end, or in their length.
    let chain = |b: &mut Builder, length: usize, size| -> Result<(), Error> {
        let nodes: Vec<u32> = (0..length).map(|_| b.declare()).collect();
        let end = b.structure("end", size).finish()?;
        for (place, &node) in nodes.iter().enumerate() {
            let next = b.ptr(if place + 1 == length { end } else { nodes[place + 1] })?;
            b.define(node).structure("alike", 8).member("next", next, 0).finish()?;
        }
        Ok(())
    };
    for (chains, length) in [(60, 300), (1, 20_000)] {
        let btf = build(|b| (0..chains).try_for_each(|size| chain(b, length, size)));
        assert_eq!(dedup(&btf).unwrap().0.types().len(), btf.types().len());
    }
}

/// Definitions by numbers, of few names and shapes, so that many are equal and many
/// nearly so.
fn random(base: Option<&Btf>, choices: &[(u8, u8, u8, u8)], forwards: bool) -> Btf {
    let mut b = base.map_or_else(Builder::new, Builder::on);
    let first = b.type_count();
    let count = choices.len() as u32;
    let ids: Vec<u32> = choices.iter().map(|_| b.declare()).collect();
    let protos: Vec<u32> =
        ids.iter().zip(choices).filter(|(_, choice)| choice.0 % 16 == 12).map(|(id, _)| *id).collect();
    for (&id, &(kind, x, y, z)) in ids.iter().zip(choices) {
        // Most refer to what is near, some to anything.
        let near = |choice: u8| match choice % 8 {
            0 => 0,
            7 => u32::from(choice) * 7 % (first + count),
            choice => (id - first + 8 * count - u32::from(choice)) % count + first,
        };
        let name = ["a", "b"][usize::from(x % 2)];
        let d = b.define(id);
        match kind % 16 {
            0 => d.int(name, 4, IntEncoding::NONE),
            1 => d.ptr(near(y)),
            2 => d.array(near(y), near(z), u32::from(x % 2)),
            3 | 4 | 14 => d.structure(name, 8).member("x", near(y), 0).member("y", near(z), 32).finish(),
            5 => d.union(name, 4).member("x", near(y), 0).finish(),
            6 if forwards => d.fwd(name, if y % 4 == 0 { FwdKind::Union } else { FwdKind::Struct }),
            6 => d.const_(near(y)),
            7 => d.typedef(name, near(y)),
            8 => d.const_(near(y)),
            9 => d.enumeration(name, 4).value("A", i64::from(y % 2)).finish(),
            10 if forwards => d.enumeration(name, 4).finish(),
            10 => d.float(name, 4),
            11 => match protos.get(usize::from(y) % protos.len().max(1)) {
                Some(&proto) => d.func(name, Linkage::Static, proto),
                None => d.ptr(near(y)),
            },
            12 => d.func_proto(near(y)).param(name, near(z)).finish(),
            13 => d.type_tag(name, near(y)),
            _ => d.decl_tag(name, near(y), None),
        }
        .unwrap();
    }
    b.finish().unwrap()
}

/// The number of classes of types that nothing tells apart, by splitting them until no
/// more have to be.
fn classes(btf: &Btf) -> usize {
    let mut numbers = vec![0; btf.type_count() as usize];
    let mut count = 1;
    loop {
        let mut known: HashMap<Vec<(bool, u32)>, u32> = HashMap::new();
        numbers = (0..btf.type_count())
            .map(|id| {
                let words = btf.record(id).into_iter().flat_map(|record| {
                    record.words().map(|(role, value)| match role {
                        Word::Id => (true, numbers[value as usize]),
                        _ => (false, value),
                    })
                });
                let key: Vec<_> = words.collect();
                let next = known.len() as u32;
                *known.entry(key).or_insert(next)
            })
            .collect();
        if known.len() == count {
            // `void` is one of them.
            return count - 1;
        }
        count = known.len();
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn no_two_are_left_that_nothing_tells_apart(
        choices in proptest::collection::vec(any::<(u8, u8, u8, u8)>(), 1..60),
    ) {
        let btf = random(None, &choices, false);
        prop_assert_eq!(checked(&btf).0.types().len(), classes(&btf));
    }

    #[test]
    fn any_graph_is_deduplicated(
        choices in proptest::collection::vec(any::<(u8, u8, u8, u8)>(), 1..60),
    ) {
        checked(&random(None, &choices, true));
    }

    #[test]
    fn any_graph_on_a_base(
        below in proptest::collection::vec(any::<(u8, u8, u8, u8)>(), 1..30),
        choices in proptest::collection::vec(any::<(u8, u8, u8, u8)>(), 1..30),
    ) {
        let base = random(None, &below, true);
        checked(&random(Some(&base), &choices, true));
    }
}

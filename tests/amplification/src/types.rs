//! btf-types: what is asked of BTF.

use std::collections::BTreeSet;

use btf_tests::shapes::{btf, ext};
use btf_types::{Btf, BtfExt, ByteOrder, Collection, Composite, Error, Name, Type, View};

use crate::case::{Cost, Entry, Input, Meter, cost};

const SIZE: usize = 32 << 10;

/// An entry point that is called with BTF without a base.
const fn alone(name: &'static str, run: fn(&Input, &mut Meter), most: Cost) -> Entry {
    Entry { name, shapes: &[btf::ALONE], size: SIZE, run, most }
}

pub(crate) const ENTRIES: &[Entry] = &[
    alone("Btf::parse", |input, _| drop(parse(input)), cost(8, 4, 3)),
    alone("Btf::to_bytes", to_bytes, cost(3, 3, 2)),
    alone("Btf Debug", |input, meter| meter.show(format_args!("{:?}", parse(input))), cost(8, 4, 3)),
    alone("Btf::find", find, cost(40, 10, 4)),
    // Of types of 12 bytes each: the input, 4 bytes for each where it is, and while
    // they are indexed 8 more for each.
    alone("Btf::find_all", find_all, cost(24, 6, 3)),
    Entry {
        name: "Btf::find_flavors",
        shapes: &[btf::ALONE, btf::FLAVORS],
        size: SIZE,
        run: find_flavors,
        // Of strings `a___b`, 8 bytes for each while their number is not known: allocated
        // four times as they become more, and once as they are kept.
        most: cost(6, 8, 4),
    },
    alone("Btf::find_matching", find_matching, cost(12, 12, 10)),
    alone("Type Display", |input, meter| each(input, |ty| meter.show(ty)), cost(8, 8, 2)),
    alone("Type Debug", |input, meter| each(input, |ty| meter.show(format_args!("{ty:?}"))), cost(4, 2, 2)),
    alone("Type::declare", |input, meter| each(input, |ty| meter.show(ty.declare("name"))), cost(8, 8, 2)),
    alone("Type::size_of, align_of", sizes, cost(5, 2, 2)),
    alone("is_packed, holes", holes, cost(10, 8, 8)),
    alone("Type::find_member", find_member, cost(20, 2, 2)),
    alone("Type::path", path, cost(8, 12, 3)),
    alone("leaf_members", leaf_members, cost(3, 1, 1)),
    alone("Btf::find_enumerator", find_enumerator, cost(3, 4, 2)),
    alone("Type::references", references, cost(12, 4, 3)),
    alone("Type::post_order", post_order, cost(10, 2, 2)),
    alone("decl_tags", decl_tags, cost(14, 7, 5)),
    alone("Collection", collection, cost(6, 4, 2)),
    Entry {
        name: "Btf::parse_split",
        shapes: &[btf::STACKS, btf::SPLITS],
        size: SIZE,
        run: layers,
        most: cost(14, 4, 4),
    },
    Entry { name: "Btf::rebase", shapes: &[btf::REBASES], size: 4 * SIZE, run: rebase, most: cost(28, 14, 8) },
    Entry { name: "BtfExt", shapes: &[ext::PAIRS], size: SIZE, run: ext_infos, most: cost(12, 1, 1) },
];

pub(crate) fn parse(input: &Input) -> Btf {
    Btf::parse(input.one().to_vec()).expect("shapes are sound")
}

/// Some types, all over the BTF: the first and the last among them.
pub(crate) fn some(btf: &Btf) -> impl Iterator<Item = Type<'_>> {
    const STEPS: u64 = 6;
    let ids: BTreeSet<u64> = (0..=STEPS).map(|step| (u64::from(btf.type_count() - 1) * step / STEPS).max(1)).collect();
    ids.into_iter().filter_map(|id| btf.type_by_id(id as u32).ok())
}

fn each(input: &Input, mut ask: impl FnMut(Type<'_>)) {
    let btf = parse(input);
    some(&btf).for_each(&mut ask);
}

fn to_bytes(input: &Input, meter: &mut Meter) {
    let btf = parse(input);
    for order in [ByteOrder::Little, ByteOrder::Big] {
        meter.write(btf.to_bytes(order).expect("all kinds are known").len());
    }
}

/// All names, each once. To look at one is to go through it.
fn names(btf: &Btf, meter: &mut Meter, mut ask: impl FnMut(Name<'_>, &mut Meter)) {
    let mut seen = BTreeSet::new();
    for ty in btf.types() {
        let name = ty.name();
        meter.write(name.as_bytes().len());
        if !name.is_empty() && seen.insert(name.as_bytes().as_ptr()) {
            meter.read(name.as_bytes().len());
            ask(name, meter);
        }
    }
}

/// Finds each name, all in what one call may cost: to be asked for a great many
/// names is what an index is for.
fn find(input: &Input, meter: &mut Meter) {
    let btf = parse(input);
    names(&btf, meter, |name, meter| {
        // The error has the ids of those of one name.
        if let Err(Error::Ambiguous { ids, .. }) = btf.find::<Type<'_>>(name) {
            meter.write(ids.len() * size_of::<u32>());
        }
        let _ = btf.find_first::<Type<'_>>(name.as_bytes().get(1..).unwrap_or_default());
    });
    let _ = btf.is_name_sorted();
}

fn find_all(input: &Input, meter: &mut Meter) {
    let btf = parse(input);
    names(&btf, meter, |name, meter| {
        let found = btf.find_all::<Type<'_>>(name).len() + btf.find_own::<Type<'_>>(name).len();
        meter.write(found * size_of::<Type<'_>>());
    });
}

/// Of a few names: each answer may be all types.
fn find_flavors(input: &Input, meter: &mut Meter) {
    let btf = parse(input);
    for ty in some(&btf) {
        meter.call();
        meter.read(ty.name().as_bytes().len());
        meter.write(btf.find_flavors::<Type<'_>>(ty.name().essential()).len() * size_of::<Type<'_>>());
    }
}

fn find_matching(input: &Input, meter: &mut Meter) {
    let btf = parse(input);
    for pattern in ["^a.*b$", "n+$"] {
        meter.call();
        let pattern = regex::bytes::Regex::new(pattern).expect("it is one");
        let _ = btf.find_matching(&pattern).count();
    }
}

fn sizes(input: &Input, meter: &mut Meter) {
    each(input, |ty| {
        meter.call();
        let _ = (ty.size_of(), ty.align_of(), ty.resolve(), ty.chain().count());
    });
}

fn holes(input: &Input, meter: &mut Meter) {
    each(input, |ty| {
        meter.call();
        match ty {
            Type::Struct(s) => {
                let _ = (s.is_packed(), s.padding());
                meter.write(s.holes().len());
            }
            Type::Union(u) => _ = (u.is_packed(), u.padding()),
            _ => {}
        }
    });
}

fn find_member(input: &Input, meter: &mut Meter) {
    each(input, |ty| {
        meter.call();
        let _ = (ty.find_member("n"), ty.find_member("none"), ty.find_member("m"));
    });
}

/// Paths as long as the input.
fn path(input: &Input, meter: &mut Meter) {
    let len = input.one().len();
    for part in ["n", "s", "m", "[0]"] {
        let text = format!("{part}.").repeat(len / 4);
        each(input, |ty| {
            meter.call();
            meter.read(text.len());
            let _ = ty.path(&text);
        });
    }
}

/// Reads as many members as the input has bytes: structs that share others may have
/// any number.
fn leaf_members(input: &Input, meter: &mut Meter) {
    let most = input.one().len();
    each(input, |ty| {
        meter.call();
        let Some(composite) = Composite::of(ty) else { return };
        let leaves = composite.leaf_members().take(most).flatten();
        meter.write(leaves.map(|leaf| 16 + leaf.name().as_bytes().len()).sum());
    });
}

fn find_enumerator(input: &Input, meter: &mut Meter) {
    let btf = parse(input);
    for name in ["none", "n"].map(str::to_owned).into_iter().chain(some(&btf).map(|ty| ty.name().to_string())) {
        meter.call();
        meter.read(name.len());
        if let Err(Error::AmbiguousEnumerator { ids, .. }) = btf.find_enumerator(&name) {
            meter.write(ids.len() * size_of::<u32>());
        }
        meter.write(size_of_val(btf.find_all_enumerators(&name).as_slice()));
    }
}

fn references(input: &Input, meter: &mut Meter) {
    let btf = parse(input);
    assert!(btf.types().map(|ty| ty.references().count()).sum::<usize>() <= input.one().len());
    meter.call();
}

fn post_order(input: &Input, meter: &mut Meter) {
    each(input, |ty| {
        meter.call();
        assert!(ty.post_order().count() > 0);
    });
}

/// Those of each type, and of its members and parameters.
fn decl_tags(input: &Input, meter: &mut Meter) {
    let btf = parse(input);
    let mut tags = 0;
    for ty in btf.types() {
        tags += btf.decl_tags_of(ty).count() + btf.all_decl_tags_of(ty).count();
        tags += match ty {
            Type::Struct(s) => s.members().map(|member| member.decl_tags().count()).sum(),
            _ => 0,
        };
    }
    meter.write(tags);
}

fn collection(input: &Input, meter: &mut Meter) {
    let base = parse(input);
    let split = Btf::parse_split(btf_tests::blob::Blob::split().ptr(1).build(), &base).expect("it is sound");
    let mut collection = Collection::new("base", base);
    for name in ["a", "b", "c", "d"] {
        collection.add(name, split.clone()).expect("it is of that base");
    }
    let ids = collection.base().type_count();
    for id in [1, ids / 2, ids - 1] {
        meter.call();
        let Ok(ty) = collection.base().type_by_id(id) else { continue };
        meter.write(collection.find_all::<Type<'_>>(ty.name()).len() * 2 * size_of::<Type<'_>>());
        let _ = (collection.find::<Type<'_>>(ty.name()).is_ok(), collection.object_of(ty));
    }
}

/// The topmost of BTF on bases, which come lowest first.
pub(crate) fn stack(input: &Input) -> Btf {
    let mut layers = input.all().iter().cloned();
    let first = layers.next().expect("there is a base");
    let first = Btf::parse(first).expect("shapes are sound");
    layers.fold(first, |top, layer| Btf::parse_split(layer, &top).expect("shapes are sound"))
}

fn layers(input: &Input, meter: &mut Meter) {
    let top = stack(input);
    meter.show(format_args!("{top:?}"));
    assert_eq!(top.layers().count(), input.all().len());
    for ty in some(&top) {
        meter.show(ty);
        let _ = (ty.size_of(), ty.align_of(), ty.post_order().count());
        meter.write(top.find_all::<Type<'_>>(ty.name()).len() * size_of::<Type<'_>>());
        let _ = (top.find_first::<Type<'_>>("none"), top.layer_of(ty));
    }
}

fn rebase(input: &Input, meter: &mut Meter) {
    let [distilled, split, base] = input.parts();
    let distilled = Btf::parse(distilled.to_vec()).expect("shapes are sound");
    let split = Btf::parse_split(split.to_vec(), &distilled).expect("shapes are sound");
    let base = Btf::parse(base.to_vec()).expect("shapes are sound");
    if let Ok(rebased) = split.rebase(&base) {
        meter.write(rebased.as_bytes().len());
    }
}

fn ext_infos(input: &Input, meter: &mut Meter) {
    let [btf, ext] = input.parts();
    let btf = Btf::parse(btf.to_vec()).expect("shapes are sound");
    let ext = BtfExt::parse(ext.to_vec(), &btf).expect("shapes are sound");
    for info in ext.func_infos() {
        meter.write(info.func().name().as_bytes().len());
    }
    for info in ext.line_infos() {
        meter.write(info.text().as_bytes().len() + info.file().as_bytes().len());
    }
    // The first numbers of an access string are enough for whoever looks at
    // one; all of them are bytes that are read.
    for info in ext.core_relos() {
        meter.write(info.access_string().as_bytes().len() + info.access().take(64).count());
    }
    // Each of a program's section by its name, which is a look into an index.
    for section in ext.sections() {
        meter.read(section.name().as_bytes().len());
        let section = ext.section(section.name()).expect("it is there");
        meter.write(section.func_infos().len() + section.line_infos().len() + section.core_relos().len());
    }
    meter.show(format_args!("{ext:?}"));
}

//! Shapes of BTF.

use super::{Shape, shapes};
use crate::blob::Blob;

const PTR: u8 = 2;
const ARRAY: u8 = 3;
const STRUCT: u8 = 4;
const UNION: u8 = 5;
const ENUM: u8 = 6;
const FWD: u8 = 7;
const TYPEDEF: u8 = 8;
const CONST: u8 = 10;
const FUNC: u8 = 12;
const FUNC_PROTO: u8 = 13;
const VAR: u8 = 14;
const DATASEC: u8 = 15;
const FLOAT: u8 = 16;
const DECL_TAG: u8 = 17;
const TYPE_TAG: u8 = 18;
const ENUM64: u8 = 19;

/// BTF without a base.
pub const ALONE: &[Shape] = shapes![
    members_of_one_name,
    params_of_one_name,
    enumerators_of_one_name,
    wide_enumerators_of_one_name,
    typedefs_of_one_name,
    functions_of_one_name,
    variables_of_one_name,
    entries_of_one_variable,
    type_tags_of_one_name,
    decl_tags_of_one_type,
    decl_tags_of_one_member,
    names_that_end_alike,
    names_that_begin_alike,
    sorted_names_that_begin_alike,
    functions_that_begin_alike,
    names_that_differ_in_the_middle,
    names_that_collide,
    functions_that_collide,
    flavors_that_collide,
    names_that_collide_in_part,
    flavors_of_one_name,
    homonyms_sorted,
    structs_that_double,
    unions_of_anonymous_structs,
    anonymous_structs_share_one,
    nested_structs_share_one,
    protos_that_double,
    params_share_one_proto,
    params_share_one_struct,
    arrays_that_double,
    a_chain_of_typedefs,
    a_chain_of_pointers,
    a_chain_of_arrays,
    a_chain_of_structs,
    a_struct_that_begins_with_itself,
    structs_in_a_ring,
    a_struct_of_bit_fields,
    a_struct_backwards,
    a_proto_of_many_params,
    an_enum_of_many_values,
    a_member_behind_many,
    many_datasecs_of_one_name,
    forward_declarations,
    control_bytes_in_names,
];

/// BTF of strings with flavors, which hardly any type has.
pub const FLAVORS: &[Shape] = shapes![flavors_of_short_names];

/// Types of about half of the bytes, of `each` bytes, and a name of the rest.
fn halves(size: usize, each: usize) -> (u32, String) {
    ((size / 2 / each) as u32, "n".repeat(size / 2))
}

fn members_of_one_name(size: usize) -> Vec<u8> {
    let (count, name) = halves(size, 12);
    let mut blob = Blob::new();
    let (own, name) = (blob.string("s"), blob.string(name));
    let members: Vec<u32> = (0..count).flat_map(|at| [name, 1, at * 32]).collect();
    blob.int().record(own, STRUCT, count, false, count * 4, &members);
    blob.build()
}

fn params_of_one_name(size: usize) -> Vec<u8> {
    let (count, name) = halves(size, 8);
    let mut blob = Blob::new();
    let (own, name) = (blob.string("f"), blob.string(name));
    let params: Vec<u32> = (0..count).flat_map(|_| [name, 1]).collect();
    blob.int().record(0, FUNC_PROTO, count, false, 1, &params).record(own, FUNC, 1, false, 2, &[]).ptr(2);
    blob.build()
}

fn enumerators_of_one_name(size: usize) -> Vec<u8> {
    let (count, name) = halves(size, 8);
    let mut blob = Blob::new();
    let (own, name) = (blob.string("e"), blob.string(name));
    let values: Vec<u32> = (0..count).flat_map(|value| [name, value]).collect();
    blob.int().record(own, ENUM, count, false, 4, &values);
    blob.build()
}

fn wide_enumerators_of_one_name(size: usize) -> Vec<u8> {
    let (count, name) = halves(size, 12);
    let mut blob = Blob::new();
    let (own, name) = (blob.string("e"), blob.string(name));
    let values: Vec<u32> = (0..count).flat_map(|value| [name, value, 1]).collect();
    blob.int().record(own, ENUM64, count, false, 8, &values);
    blob.build()
}

fn typedefs_of_one_name(size: usize) -> Vec<u8> {
    let (count, name) = halves(size, 12);
    let mut blob = Blob::new();
    let name = blob.string(name);
    blob.int();
    (0..count).for_each(|_| _ = blob.record(name, TYPEDEF, 0, false, 1, &[]));
    blob.build()
}

fn functions_of_one_name(size: usize) -> Vec<u8> {
    let (count, name) = halves(size, 12);
    let mut blob = Blob::new();
    let name = blob.string(name);
    blob.int().record(0, FUNC_PROTO, 0, false, 1, &[]);
    (0..count).for_each(|_| _ = blob.record(name, FUNC, 1, false, 2, &[]));
    blob.build()
}

fn variables_of_one_name(size: usize) -> Vec<u8> {
    let (count, name) = halves(size, 16 + 12);
    let mut blob = Blob::new();
    let (own, name) = (blob.string(".data"), blob.string(name));
    blob.int();
    (0..count).for_each(|_| _ = blob.record(name, VAR, 0, false, 1, &[1]));
    let entries: Vec<u32> = (0..count).flat_map(|at| [at + 2, at * 4, 4]).collect();
    blob.record(own, DATASEC, count, false, count * 4, &entries);
    blob.build()
}

fn entries_of_one_variable(size: usize) -> Vec<u8> {
    let (count, name) = halves(size, 12);
    let mut blob = Blob::new();
    let (own, name) = (blob.string(".data"), blob.string(name));
    blob.int().record(name, VAR, 0, false, 1, &[1]);
    let entries: Vec<u32> = (0..count).flat_map(|at| [2, at * 4, 4]).collect();
    blob.record(own, DATASEC, count, false, count * 4, &entries);
    blob.build()
}

fn type_tags_of_one_name(size: usize) -> Vec<u8> {
    let (count, name) = halves(size, 12);
    let mut blob = Blob::new();
    let name = blob.string(name);
    blob.int();
    (0..count).for_each(|at| _ = blob.record(name, TYPE_TAG, 0, false, at + 1, &[]));
    blob.ptr(count + 1);
    blob.build()
}

fn decl_tags_of_one_type(size: usize) -> Vec<u8> {
    let (count, name) = halves(size, 16);
    let mut blob = Blob::new();
    let (own, name) = (blob.string("s"), blob.string(name));
    blob.int().record(own, STRUCT, 1, false, 4, &[own, 1, 0]);
    (0..count).for_each(|_| _ = blob.record(name, DECL_TAG, 0, false, 2, &[u32::MAX]));
    blob.build()
}

/// Half of the records are members, half are tags, all of them of the first.
fn decl_tags_of_one_member(size: usize) -> Vec<u8> {
    let (tags, members) = (size as u32 / 2 / 16, size as u32 / 2 / 12);
    let mut blob = Blob::new();
    let (own, name) = (blob.string("s"), blob.string("tag"));
    let fields: Vec<u32> = (0..members).flat_map(|at| [own, 1, at * 32]).collect();
    blob.int().record(own, STRUCT, members, false, members * 4, &fields);
    (0..tags).for_each(|_| _ = blob.record(name, DECL_TAG, 0, false, 2, &[0]));
    blob.build()
}

/// Each a byte shorter than the one before.
fn names_that_end_alike(size: usize) -> Vec<u8> {
    let (count, name) = halves(size, 12);
    let mut blob = Blob::new();
    let name = blob.string(name);
    blob.int();
    (0..count).for_each(|at| _ = blob.record(name + at, TYPEDEF, 0, false, 1, &[]));
    blob.build()
}

/// Names that agree in all but their last bytes.
fn alike(size: usize, common: usize, kind: u8, descending: bool) -> Vec<u8> {
    let count = size / (12 + common + 7);
    let mut blob = Blob::new();
    let start = "a".repeat(common);
    blob.int().record(0, FUNC_PROTO, 0, false, 1, &[]);
    for at in 0..count {
        let name = blob.string(format!("{start}{:06x}", if descending { count - at } else { at }));
        blob.record(name, kind, 0, false, 2, &[]);
    }
    blob.build()
}

fn names_that_begin_alike(size: usize) -> Vec<u8> {
    alike(size, 40, TYPEDEF, true)
}

/// Sorts types as a kernel does: all types without a name, then the others in order.
fn sorted_names_that_begin_alike(size: usize) -> Vec<u8> {
    let mut blob = Blob::new();
    let start = "a".repeat(200);
    blob.record(0, CONST, 0, false, 0, &[]);
    for at in 0..size / 220 {
        let name = blob.string(format!("{start}{at:06x}"));
        blob.record(name, TYPEDEF, 0, false, 0, &[]);
    }
    blob.build()
}

fn functions_that_begin_alike(size: usize) -> Vec<u8> {
    alike(size, 64, FUNC, true)
}

/// Names that agree in their first and their last 40 bytes.
fn names_that_differ_in_the_middle(size: usize) -> Vec<u8> {
    let mut blob = Blob::new();
    let end = "a".repeat(40);
    blob.int();
    for at in (0..size / (12 + 87)).rev() {
        let name = blob.string(format!("{end}{at:06x}{end}"));
        blob.record(name, TYPEDEF, 0, false, 1, &[]);
    }
    blob.build()
}

/// Names of 16 bytes that all have one hash, as `name_index.rs` of btf-types
/// takes it. It has to take it, as anyone who makes BTF can compute that hash.
fn colliding(count: usize) -> Vec<[u8; 16]> {
    const KEYS: [u64; 2] = [0x9e37_79b9_7f4a_7c15, 0xbf58_476d_1ce4_e5b9];
    // The inverse of the second: each step doubles the bits that are right.
    let inverse =
        (0..6).fold(1u64, |inverse, _| inverse.wrapping_mul(2u64.wrapping_sub(KEYS[1].wrapping_mul(inverse))));
    let names = (0u64..).map(|at| {
        let first = u64::from_le_bytes(*format!("{at:08x}").as_bytes().first_chunk().expect("eight digits"));
        // Both words, each by its key, are one number: their difference is 0.
        let second = first.wrapping_mul(KEYS[0]).wrapping_mul(inverse);
        let mut name = [0; 16];
        name[..8].copy_from_slice(&first.to_le_bytes());
        name[8..].copy_from_slice(&second.to_le_bytes());
        name
    });
    names.filter(|name| !name.contains(&0)).take(count).collect()
}

fn all_colliding(size: usize, kind: u8) -> Vec<u8> {
    let mut blob = Blob::new();
    blob.int().record(0, FUNC_PROTO, 0, false, 1, &[]);
    for name in colliding(size / (12 + 17)) {
        let name = blob.string(name);
        blob.record(name, kind, 0, false, 2, &[]);
    }
    blob.build()
}

fn names_that_collide(size: usize) -> Vec<u8> {
    all_colliding(size, TYPEDEF)
}

fn functions_that_collide(size: usize) -> Vec<u8> {
    all_colliding(size, FUNC)
}

/// Flavors of names whose essential parts have one hash.
fn flavors_that_collide(size: usize) -> Vec<u8> {
    let mut blob = Blob::new();
    for name in colliding(size / (12 + 21)) {
        let name = blob.string([&name[..], b"___a"].concat());
        blob.record(name, STRUCT, 0, false, 0, &[]);
    }
    blob.build()
}

/// Buckets as full as they may be, of names that collide.
fn names_that_collide_in_part(size: usize) -> Vec<u8> {
    let mut blob = Blob::new();
    blob.int();
    let names = colliding(60);
    for at in 0..size / (12 + 21) {
        // What is behind the second word changes the hash, for all alike.
        let name = blob.string([&names[at % 60][..], format!("{:04x}", at / 60).as_bytes()].concat());
        blob.record(name, TYPEDEF, 0, false, 1, &[]);
    }
    blob.build()
}

fn flavors_of_one_name(size: usize) -> Vec<u8> {
    let mut blob = Blob::new();
    blob.int();
    for at in (0..size / 24).rev() {
        let name = blob.string(format!("s___{at:06x}"));
        blob.record(name, STRUCT, 0, false, 0, &[]);
    }
    blob.build()
}

/// Strings that are hardly longer than their separators.
fn flavors_of_short_names(size: usize) -> Vec<u8> {
    let mut blob = Blob::new();
    let name = blob.string("a___b");
    (1..size / 6).for_each(|_| _ = blob.string("a___b"));
    blob.record(name, STRUCT, 0, false, 0, &[]);
    blob.build()
}

fn homonyms_sorted(size: usize) -> Vec<u8> {
    let mut blob = Blob::new();
    let name = blob.string("same");
    (0..size / 12).for_each(|_| _ = blob.record(name, STRUCT, 0, false, 0, &[]));
    blob.build()
}

/// Each has two members of the next, which is anonymous.
fn structs_that_double(size: usize) -> Vec<u8> {
    let mut blob = Blob::new();
    let count = (size / 36) as u32;
    let name = blob.string("s");
    for id in 1..=count {
        let next = if id == count { 0 } else { id + 1 };
        let own = if id == 1 { name } else { 0 };
        blob.record(own, STRUCT, 2, false, 8, &[0, next, 0, 0, next, 32]);
    }
    blob.build()
}

fn unions_of_anonymous_structs(size: usize) -> Vec<u8> {
    let mut blob = Blob::new();
    let count = (size / 36) as u32;
    let name = blob.string("u");
    blob.int();
    let members: Vec<u32> = (0..count).flat_map(|at| [0, at + 3, 0]).collect();
    blob.record(name, UNION, count, false, 8, &members);
    (0..count).for_each(|_| _ = blob.record(0, STRUCT, 1, false, 4, &[name, 1, 0]));
    blob.build()
}

/// Members of one anonymous struct, which has as many members itself.
fn sharing_one(size: usize, inner_name: &str) -> Vec<u8> {
    let mut blob = Blob::new();
    let count = (size / 2 / 12) as u32;
    let (outer, inner, member) = (blob.string("outer"), blob.string(inner_name), blob.string("m"));
    let inner = if inner_name.is_empty() { 0 } else { inner };
    let members: Vec<u32> = (0..count).flat_map(|at| [member, 1, at * 32]).collect();
    blob.int().record(inner, STRUCT, count, false, count * 4, &members);
    let of_struct = if inner == 0 { 0 } else { member };
    let members: Vec<u32> = (0..count).flat_map(|_| [of_struct, 2, 0]).collect();
    blob.record(outer, STRUCT, count, false, count * 4, &members);
    blob.build()
}

fn anonymous_structs_share_one(size: usize) -> Vec<u8> {
    sharing_one(size, "")
}

fn nested_structs_share_one(size: usize) -> Vec<u8> {
    sharing_one(size, "inner")
}

/// Each takes two pointers to the next.
fn protos_that_double(size: usize) -> Vec<u8> {
    let mut blob = Blob::new();
    let count = (size / 40) as u32;
    for level in 0..count {
        let next = if level + 1 == count { 0 } else { 2 * level + 4 };
        blob.record(0, FUNC_PROTO, 2, false, next, &[0, next, 0, next]).ptr(2 * level + 1);
    }
    blob.build()
}

/// Pointers to one prototype, which has as many parameters itself.
fn params_share_one_proto(size: usize) -> Vec<u8> {
    let mut blob = Blob::new();
    let count = (size / 2 / 8) as u32;
    let (own, name) = (blob.string("f"), blob.string("param"));
    blob.int();
    blob.record(0, FUNC_PROTO, count, false, 1, &[name, 1].repeat(count as usize)).ptr(2);
    blob.record(0, FUNC_PROTO, count, false, 3, &[name, 3].repeat(count as usize)).record(own, FUNC, 1, false, 4, &[]);
    blob.build()
}

fn params_share_one_struct(size: usize) -> Vec<u8> {
    let mut blob = Blob::new();
    let count = (size / 2 / 12) as u32;
    let own = blob.string("f");
    blob.int();
    blob.record(0, STRUCT, count, false, 4, &[own, 1, 0].repeat(count as usize));
    blob.record(0, FUNC_PROTO, count, false, 2, &[own, 2].repeat(count as usize)).record(own, FUNC, 1, false, 3, &[]);
    blob.build()
}

/// A struct of two arrays of a struct of two arrays.
fn arrays_that_double(size: usize) -> Vec<u8> {
    let mut blob = Blob::new();
    let name = blob.string("s");
    let count = (size / 60) as u32;
    for level in 0..count {
        let next = if level + 1 == count { 0 } else { 2 * level + 3 };
        blob.record(name, STRUCT, 2, false, 8, &[0, 2 * level + 2, 0, 0, 2 * level + 2, 0]);
        blob.record(0, ARRAY, 0, false, 0, &[next, 1, 1]);
    }
    blob.build()
}

fn chain(size: usize, each: usize, mut add: impl FnMut(&mut Blob, u32)) -> Vec<u8> {
    let mut blob = Blob::new();
    (1..(size / each) as u32).for_each(|id| add(&mut blob, id + 1));
    blob.int();
    blob.build()
}

fn a_chain_of_typedefs(size: usize) -> Vec<u8> {
    chain(size, 12, |blob, next| _ = blob.record(0, TYPEDEF, 0, false, next, &[]))
}

fn a_chain_of_pointers(size: usize) -> Vec<u8> {
    chain(size, 12, |blob, next| _ = blob.record(0, PTR, 0, false, next, &[]))
}

fn a_chain_of_arrays(size: usize) -> Vec<u8> {
    chain(size, 24, |blob, next| _ = blob.record(0, ARRAY, 0, false, 0, &[next, next, 1]))
}

fn a_chain_of_structs(size: usize) -> Vec<u8> {
    chain(size, 24, |blob, next| _ = blob.record(0, STRUCT, 1, false, 4, &[0, next, 0]))
}

fn a_struct_that_begins_with_itself(size: usize) -> Vec<u8> {
    let mut blob = Blob::new();
    let count = (size / 12) as u32;
    let name = blob.string("s");
    let members: Vec<u32> = (0..count).flat_map(|at| [name, 1, at * 32]).collect();
    blob.record(name, STRUCT, count, false, count * 4, &members);
    blob.build()
}

/// Each has members of all the next ones, as far as that goes.
fn structs_in_a_ring(size: usize) -> Vec<u8> {
    let mut blob = Blob::new();
    let name = blob.string("s");
    let count = (size / 12).isqrt() as u32;
    for id in 0..count {
        let members: Vec<u32> = (1..=count).flat_map(|step| [0, (id + step) % count + 1, 0]).collect();
        blob.record(if id == 0 { name } else { 0 }, STRUCT, count, false, 4, &members);
    }
    blob.build()
}

fn a_struct_of_bit_fields(size: usize) -> Vec<u8> {
    let mut blob = Blob::new();
    let count = (size / 12) as u32;
    let name = blob.string("s");
    let members: Vec<u32> = (0..count).flat_map(|at| [name, 1, 1 << 24 | (at * 7)]).collect();
    blob.int().record(name, STRUCT, count, true, count, &members);
    blob.build()
}

fn a_struct_backwards(size: usize) -> Vec<u8> {
    let mut blob = Blob::new();
    let count = (size / 12) as u32;
    let name = blob.string("s");
    let members: Vec<u32> = (0..count).rev().flat_map(|at| [name, 1, at * 64]).collect();
    blob.int().record(name, STRUCT, count, false, count * 8, &members);
    blob.build()
}

fn a_proto_of_many_params(size: usize) -> Vec<u8> {
    let mut blob = Blob::new();
    let count = size / 8;
    let name = blob.string("f");
    blob.int().record(0, FUNC_PROTO, count as u32, false, 1, &[name, 1].repeat(count)).record(
        name,
        FUNC,
        1,
        false,
        2,
        &[],
    );
    blob.build()
}

fn an_enum_of_many_values(size: usize) -> Vec<u8> {
    let mut blob = Blob::new();
    let count = size / 8;
    let name = blob.string("e");
    blob.int().record(name, ENUM, count as u32, true, 4, &[name, 0x8000_0000].repeat(count));
    blob.build()
}

/// The last member is a pointer to the struct: paths through it go past all
/// others at each step.
fn a_member_behind_many(size: usize) -> Vec<u8> {
    let mut blob = Blob::new();
    let count = (size / 12) as u32;
    let (own, other, last) = (blob.string("s"), blob.string("other"), blob.string("n"));
    let others = (1..count).flat_map(|at| [other, 1, at * 32]);
    let members: Vec<u32> = others.chain([last, 3, 0]).collect();
    blob.int().record(own, STRUCT, count, false, count * 4, &members).ptr(2);
    blob.build()
}

fn many_datasecs_of_one_name(size: usize) -> Vec<u8> {
    let mut blob = Blob::new();
    let (name, var) = (blob.string(".data"), blob.string("v"));
    blob.int().record(var, VAR, 0, false, 1, &[1]);
    (0..size / 24).for_each(|_| _ = blob.record(name, DATASEC, 1, false, 4, &[2, 0, 4]));
    blob.build()
}

fn forward_declarations(size: usize) -> Vec<u8> {
    let mut blob = Blob::new();
    let name = blob.string("f");
    (0..size / 12).for_each(|at| _ = blob.record(name, FWD, 0, at % 2 == 0, 0, &[]));
    blob.build()
}

/// Each byte is shown as four.
fn control_bytes_in_names(size: usize) -> Vec<u8> {
    let mut blob = Blob::new();
    blob.int();
    for _ in 0..size / 112 {
        let name = blob.string([1; 99]);
        blob.record(name, TYPEDEF, 0, false, 1, &[]);
    }
    blob.build()
}

/// Split BTF on bases: the lowest first, each on the one before.
pub const STACKS: &[Shape] = &[
    Shape::new("layers", layers),
    Shape::new("layers_of_one_name", layers_of_one_name),
    Shape::new("layers_of_pointers_to_the_first", layers_of_pointers),
];

fn layers(size: usize) -> Vec<Vec<u8>> {
    let mut layers = vec![Blob::new().int().build()];
    // A header and a pointer to the one before.
    layers.extend((1..(size / 40) as u32).map(|id| Blob::split().ptr(id).build()));
    layers
}

fn layers_of_one_name(size: usize) -> Vec<Vec<u8>> {
    let mut first = Blob::new();
    let name = first.string("n".repeat(size / 2));
    let mut layers = vec![first.int().build()];
    layers.extend((0..size / 2 / 36).map(|_| Blob::split().record(name, TYPEDEF, 0, false, 1, &[]).build()));
    layers
}

fn layers_of_pointers(size: usize) -> Vec<Vec<u8>> {
    let mut layers = vec![Blob::new().int().build()];
    layers.extend((0..size / 40).map(|_| Blob::split().ptr(1).build()));
    layers
}

/// Split BTF, and before it the BTF that it is split from.
pub const SPLITS: &[Shape] = &[
    Shape::new("pointers_to_many_structs", pointers_to_many_structs),
    Shape::new("members_of_one_type_of_the_base", members_of_the_base),
    Shape::new("names_within_one_of_the_base", names_within_the_base),
    Shape::new("a_pointer_to_all_of_the_base", |size| {
        let base = structs_in_a_ring(size);
        vec![base, Blob::split().ptr(1).build()]
    }),
    Shape::new("a_pointer_to_a_chain_of_the_base", |size| {
        vec![a_chain_of_pointers(size), Blob::split().ptr(1).build()]
    }),
];

fn pointers_to_many_structs(size: usize) -> Vec<Vec<u8>> {
    let (mut base, mut split) = (Blob::new(), Blob::split());
    let count = (size / 44) as u32;
    for at in 0..count {
        let name = base.string(format!("s{at:06}"));
        base.record(name, STRUCT, 0, false, 4, &[]);
        split.ptr(count - at);
    }
    vec![base.build(), split.build()]
}

/// Structs of one long name in the base, and members of each of them.
fn members_of_the_base(size: usize) -> Vec<Vec<u8>> {
    let (mut base, mut split) = (Blob::new(), Blob::split());
    let (count, name) = halves(size, 24);
    let name = base.string(name);
    (0..count).for_each(|at| _ = base.record(name, STRUCT, 0, false, at, &[]));
    let members: Vec<u32> = (0..count).flat_map(|at| [name, at + 1, 0]).collect();
    split.record(name, STRUCT, count, false, 4, &members);
    vec![base.build(), split.build()]
}

/// Each a byte shorter than the one before, all of them in the base.
fn names_within_the_base(size: usize) -> Vec<Vec<u8>> {
    let (mut base, mut split) = (Blob::new(), Blob::split());
    let (count, name) = halves(size, 12);
    let name = base.string(name);
    base.int();
    (0..count).for_each(|at| _ = split.record(name + at, TYPEDEF, 0, false, 1, &[]));
    vec![base.build(), split.build()]
}

/// Inputs of rebase: a distilled base, split BTF on it, and the new base.
pub const REBASES: &[Shape] = &[
    Shape::new("names_that_begin_alike", |size| rebased(size, 40, FLOAT)),
    Shape::new("long_names_that_begin_alike", |size| rebased(size, 1000, FLOAT)),
    Shape::new("structs_that_begin_alike", |size| rebased(size, 70, STRUCT)),
    Shape::new("names_that_collide", rebased_collisions),
    Shape::new("one_name_in_many_sizes", |size| rebased_homonyms(size, "same")),
    Shape::new("one_long_name_in_many_sizes", |size| rebased_homonyms(size, &"n".repeat(size / 6))),
    Shape::new("one_long_name_of_the_split", rebased_strings),
];

fn rebased(size: usize, common: usize, kind: u8) -> Vec<Vec<u8>> {
    let make = |first: usize, count: usize| {
        let mut blob = Blob::new();
        let start = "a".repeat(common);
        for at in (first..first + count).rev() {
            let name = blob.string(format!("{start}{at:06x}"));
            blob.record(name, kind, 0, false, 4, &[]);
        }
        blob.build()
    };
    let count = size / 2 / (12 + common + 7);
    vec![make(0, count), Blob::split().ptr(1).build(), make(0, count)]
}

fn rebased_collisions(size: usize) -> Vec<Vec<u8>> {
    let mut blob = Blob::new();
    for name in colliding(size / 2 / (12 + 17)) {
        let name = blob.string(name);
        blob.record(name, FLOAT, 0, false, 4, &[]);
    }
    vec![blob.build(), Blob::split().ptr(1).build(), blob.build()]
}

fn rebased_homonyms(size: usize, name: &str) -> Vec<Vec<u8>> {
    let make = |sizes: std::ops::Range<u32>| {
        let mut blob = Blob::new();
        let name = blob.string(name);
        sizes.for_each(|size| _ = blob.record(name, FLOAT, 0, false, size, &[]));
        blob.build()
    };
    let count = (size / 3 / 12) as u32;
    vec![make(0..count), Blob::split().ptr(1).build(), make(0..count)]
}

/// Many members of a long name that the distilled base has.
fn rebased_strings(size: usize) -> Vec<Vec<u8>> {
    let (count, text) = halves(size / 2, 12);
    let mut base = Blob::new();
    let (int, name) = (base.string("int"), base.string(text));
    base.record(int, 1, 0, false, 4, &[0x0100_0020]);
    let mut split = Blob::split();
    split.record(name, STRUCT, count, false, count * 4, &[name, 1, 0].repeat(count as usize));
    let base = base.build();
    vec![base.clone(), split.build(), base]
}

//! Fuzz targets of btf-build: arbitrary calls, and operations on arbitrary BTF.

use btf_build::{Builder, Encode, Error, IntEncoding, Merge, dedup, distill, sort};
use btf_types::{Btf, ByteOrder, FwdKind, Linkage, Type};

use crate::{
    fuzz::{base, bounded, len_of, shown, within_with},
    rebuild::{is_buildable, rebuild},
    walk,
};

/// Input read as a sequence of numbers, names and choices.
struct Calls<'a> {
    input: &'a [u8],
    /// Number of bytes passed to calls.
    given: usize,
}

impl<'a> Calls<'a> {
    fn byte(&mut self) -> Option<u8> {
        let (&byte, rest) = self.input.split_first()?;
        self.input = rest;
        Some(byte)
    }

    fn number(&mut self) -> Option<u32> {
        self.given += size_of::<u32>();
        // Mostly small numbers, and some at a limit.
        Some(match self.byte()? {
            byte @ 0..=239 => byte.into(),
            240..=243 => 0xff_ffff,
            244..=247 => 0x100_0000,
            248..=251 => 0x8000_0000,
            _ => u32::MAX,
        })
    }

    fn name(&mut self) -> Option<&'a [u8]> {
        let len = usize::from(self.byte()? % 6);
        let (name, rest) = self.input.split_at_checked(len)?;
        self.input = rest;
        self.given += len;
        Some(name)
    }

    fn linkage(&mut self) -> Option<Linkage> {
        self.number().map(Linkage::from)
    }
}

/// Makes the calls of a builder that the input encodes, with or without a base.
///
/// # Panics
///
/// If the result cannot be opened, or a rejected call adds more than a declaration.
pub fn builder(input: &[u8]) {
    let make = || {
        let mut calls = Calls { input, given: 0 };
        let (count, built) = build(&mut calls);
        let written = built.as_ref().map_or(0, |btf| btf.as_bytes().len());
        (count, built, calls.given + written)
    };
    let (count, built, _) = within_with("Builder", make, |&(_, _, len)| len);
    match built {
        Ok(btf) => {
            assert_eq!(btf.type_count(), count);
            assert!(btf.string_section().len() <= input.len() + 8 * input.len().min(4096) + 8);
            let _ = walk::everything(&btf);
            remade(&btf);
        }
        Err(Error::Btf(error)) => assert!(error.to_string().contains("FUNC"), "{error}"),
        Err(error) => panic!("{error}"),
    }
}

/// Makes all calls, and defines the types that were only declared. Returns the number
/// of types, and the result.
fn build(calls: &mut Calls<'_>) -> (u32, Result<Btf, Error>) {
    let mut b = match calls.byte() {
        Some(byte) if byte % 2 == 0 => Builder::on(base()),
        _ => Builder::new(),
    };
    let mut declared = Vec::new();
    loop {
        let before = b.type_count();
        match call(&mut b, calls, &mut declared) {
            Some(Ok(id)) => assert!(id < b.type_count()),
            Some(Err(error)) => {
                let _ = shown(format_args!("{error} {error:?}"));
                assert!(b.type_count() - before <= 1, "declared, and no more: {error}");
            }
            None => break,
        }
    }
    for id in b.base().map_or(1, Btf::type_count)..b.type_count() {
        match b.define(id).ptr(0) {
            Ok(_) | Err(Error::AlreadyDefined { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }
    (b.type_count(), b.finish())
}

/// Makes one call; `None` at the end of the input.
fn call(b: &mut Builder, calls: &mut Calls<'_>, declared: &mut Vec<u32>) -> Option<Result<u32, Error>> {
    let choice = calls.byte()?;
    // Every record has a head of three words.
    calls.given += size_of::<[u32; 3]>();
    if choice >= 240 {
        declared.push(b.declare());
        return Some(Ok(0));
    }
    if choice >= 232 {
        let ty = base().type_by_id(calls.number()? % base().type_count()).ok()?;
        calls.given += len_of(base());
        return Some(match choice % 3 {
            0 => b.copy_reachable(ty),
            1 => b.copy_shallow(ty),
            _ => b.append(base()).map(|_| 0),
        });
    }
    let id = if choice % 2 == 0 { declared.pop() } else { None };
    // The id to define: a declared one, an arbitrary one, or the next one.
    let id = match id {
        Some(id) => id,
        None if calls.byte()? == 7 => calls.number()?,
        None => {
            let id = b.declare();
            declared.push(id);
            id
        }
    };
    let d = b.define(id);
    Some(match choice / 2 % 19 {
        0 => d.int(calls.name()?, calls.number()?, IntEncoding::from_bits(calls.byte()?)),
        1 => d.ptr(calls.number()?),
        2 => d.array(calls.number()?, calls.number()?, calls.number()?),
        kind @ (3 | 4) => {
            let (name, size) = (calls.name()?, calls.number()?);
            let mut new = if kind == 3 { d.structure(name, size) } else { d.union(name, size) };
            for _ in 0..calls.byte()? % 8 {
                let (name, ty, offset, bits) = (calls.name()?, calls.number()?, calls.number()?, calls.byte()?);
                new =
                    if bits < 128 { new.member(name, ty, offset) } else { new.bitfield(name, ty, offset, bits - 128) };
            }
            new.finish()
        }
        kind @ (5 | 18) => {
            let (name, size) = (calls.name()?, calls.number()?);
            let mut new = if kind == 5 { d.enumeration(name, size) } else { d.enumeration64(name, size) };
            for _ in 0..calls.byte()? % 8 {
                let value = i128::from(calls.number()?) * (i128::from(calls.byte()?) - 128);
                new = new.value(calls.name()?, value);
            }
            new.finish()
        }
        6 => d.fwd(calls.name()?, if calls.byte()? % 2 == 0 { FwdKind::Struct } else { FwdKind::Union }),
        7 => d.typedef(calls.name()?, calls.number()?),
        8 => d.volatile(calls.number()?),
        9 => d.const_(calls.number()?),
        10 => d.restrict(calls.number()?),
        11 => d.func(calls.name()?, calls.linkage()?, calls.number()?),
        12 => {
            let mut new = d.func_proto(calls.number()?);
            for _ in 0..calls.byte()? % 8 {
                new = new.param(calls.name()?, calls.number()?);
            }
            new.finish()
        }
        13 => d.var(calls.name()?, calls.number()?, calls.linkage()?),
        14 => {
            let mut new = d.datasec(calls.name()?, calls.number()?);
            for _ in 0..calls.byte()? % 8 {
                new = new.var(calls.number()?, calls.number()?, calls.number()?);
            }
            new.finish()
        }
        15 => d.float(calls.name()?, calls.number()?),
        16 => d.decl_tag(calls.name()?, calls.number()?, calls.number()?.checked_sub(1)),
        _ => d.type_attribute(calls.name()?, calls.number()?),
    })
}

/// Opens the input as BTF without a base and as split BTF, and rebuilds, encodes,
/// appends, merges, sorts, distills and copies it.
///
/// # Panics
///
/// If a result does not have the types of the input.
pub fn remake(input: &[u8]) {
    if let Ok(btf) = Btf::parse(input.to_vec()) {
        remade(&btf);
    }
    if let Ok(split) = Btf::parse_split(input.to_vec(), base()) {
        remade(&split);
        if let Ok(distilled) = bounded("distill", len_of(&split), || distill(&split)) {
            assert!(distilled.split.types().len() >= split.types().len());
            let _ = (walk::everything(&distilled.split), distilled.split.rebase(base()));
        }
        let mut merge = Merge::new();
        if base().byte_order() == split.byte_order() && merge.add(base()).is_ok() && merge.add(&split).is_ok() {
            let one = merge.finish().expect("what was merged opens");
            assert_eq!(one.type_count(), split.type_count());
            assert!(one.types().skip(base().types().len()).zip(split.types()).all(|(a, b)| a.name() == b.name()));
        }
    }
}

fn remade(btf: &Btf) {
    encoded(btf);
    if is_buildable(btf)
        && let Ok(again) = rebuild(btf)
    {
        // (Words without meaning are not preserved.)
        for (new, old) in again.types().zip(btf.types()) {
            assert_eq!(described(new), described(old));
        }
    }
    let strings = btf.string_section().len();
    let mut b = btf.base().map_or_else(Builder::new, Builder::on).byte_order(btf.byte_order());
    let len = len_of(btf);
    if bounded("append", len, || b.append(btf)).is_ok() {
        let again = b.finish().expect("what was appended opens");
        assert_eq!(walk::everything(&again), walk::everything(btf));
        assert!(again.string_section().len() <= strings + 1, "no string is stored twice");
    }
    if let Ok((sorted, remap)) = bounded("sort", len, || sort(btf)) {
        assert!(sorted.types().is_sorted_by_key(Type::name));
        for ty in btf.types() {
            let new = sorted.type_by_id(remap.id(ty.id()).expect("each has a new id")).expect("which exists");
            assert_eq!(new.name(), ty.name());
        }
    }
    deduplicated(btf);
    let mut b = Builder::new().byte_order(btf.byte_order());
    for ty in btf.types().take(20) {
        let copies = [
            bounded("copy_reachable", len, || b.copy_reachable(ty)),
            bounded("copy_shallow", len, || b.copy_shallow(ty)),
        ];
        for copied in copies {
            assert!(copied.is_ok_and(|id| id < b.type_count()) || !knows_all(ty));
        }
    }
    // At most four per type: a copy, shallow copies and a FWD.
    let copies = b.finish().expect("copies are complete");
    assert!(copies.types().len() <= 4 * btf.type_count() as usize);
}

fn deduplicated(btf: &Btf) {
    let Ok((small, remap)) = bounded("dedup", len_of(btf), || dedup(btf)) else { return };
    let _ = walk::everything(&small);
    assert!(small.types().len() <= btf.types().len());
    for ty in btf.types() {
        let new = small.type_by_id(remap.id(ty.id()).expect("each is another")).expect("which exists");
        assert_eq!(new.name(), ty.name());
    }
    if let Ok((again, _)) = dedup(&small) {
        assert!(again.as_bytes() == small.as_bytes(), "nothing is left to do");
    }
}

/// Returns the meaningful contents of a type: kind, name and text, ids referred to.
fn described(ty: Type<'_>) -> (Option<btf_types::Kind>, String, Vec<u32>) {
    let references = ty.references().map(Type::id).collect();
    // The builder does not name kinds that must have no name.
    let name = match ty {
        Type::Ptr(_) | Type::Array(_) | Type::FuncProto(_) | Type::Const(_) | Type::Volatile(_) | Type::Restrict(_) => {
            String::new()
        }
        _ => ty.name().to_string(),
    };
    (ty.kind(), format!("{name} {ty} {:?}", ty.size_of().ok()), references)
}

/// Returns `true` if all types reachable from a type are of known kinds.
fn knows_all(ty: Type<'_>) -> bool {
    let is_known = |ty: Type<'_>| !matches!(ty, Type::Unknown(_));
    ty.post_order().all(is_known)
}

fn encoded(btf: &Btf) {
    let as_it_is = bounded("encode", len_of(btf), || Encode::new().encode(btf)).expect("it was opened");
    let swapped = Encode::new().byte_order(btf.byte_order().swapped()).encode(btf);
    if let (Ok(mut swapped), None) = (swapped, btf.base()) {
        let other = Btf::parse(swapped.clone()).expect("in either order");
        assert_eq!(other.as_bytes(), btf.as_bytes());
        btf_format::convert(&mut swapped, btf.byte_order()).expect("there and back");
        assert_eq!(swapped, as_it_is);
    }
    for encode in [Encode::new().layout(true), Encode::new().layout(false), Encode::new().header_size(32)] {
        if let Ok(bytes) = encode.byte_order(ByteOrder::NATIVE).encode(btf) {
            let again = Btf::from_native(bytes, btf.base(), btf.byte_order(), None).expect("it opens again");
            assert_eq!(walk::everything(&again), walk::everything(btf));
        }
    }
}

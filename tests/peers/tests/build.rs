//! libbpf as an oracle for what is made: appended, sorted, distilled and encoded
//! BTF has the bytes that libbpf's has, and so has BTF that is built type by
//! type.

#![cfg(feature = "peers-c")]
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    unreachable_pub,
    unsafe_code,
    reason = "tests, and C libraries"
)]

use std::{ffi::CString, ptr, slice};

use btf_build::{Builder, Encode, Merge, distill, permute, sort};
use btf_tests::{
    fixtures::{self, RawFixture},
    rebuild::rebuild,
};
use btf_types::{Btf, ByteOrder, FwdKind, Type};
use libbpf_sys as sys;

/// A `struct btf *`.
struct Libbpf(*mut sys::btf);

impl Drop for Libbpf {
    fn drop(&mut self) {
        // SAFETY: it came from libbpf, and nobody else has it.
        unsafe { sys::btf__free(self.0) }
    }
}

impl Libbpf {
    fn open(bytes: &[u8], base: Option<&Self>) -> Option<Self> {
        let base = base.map_or(ptr::null_mut(), |base| base.0);
        // SAFETY: libbpf copies the bytes; callers keep the base.
        let btf = unsafe {
            sys::libbpf_set_print(None);
            sys::btf__new_split(bytes.as_ptr().cast(), bytes.len() as u32, base)
        };
        (!btf.is_null()).then_some(Self(btf))
    }

    fn empty(base: Option<&Self>) -> Self {
        // SAFETY: callers keep the base.
        Self(unsafe { base.map_or_else(|| sys::btf__new_empty(), |base| sys::btf__new_empty_split(base.0)) })
    }

    fn bytes(&self) -> Vec<u8> {
        let mut size = 0;
        // SAFETY: the BTF is alive, and so are the bytes while it is.
        unsafe {
            let data = sys::btf__raw_data(self.0, &raw mut size);
            assert!(!data.is_null());
            slice::from_raw_parts(data.cast(), size as usize).to_vec()
        }
    }
}

fn read(name: &str) -> Btf {
    Btf::parse(fixtures::read(name)).unwrap()
}

fn bytes(btf: &Btf) -> Vec<u8> {
    Encode::new().encode(btf).unwrap()
}

/// Both of them, of fixtures that libbpf before 1.8 can read.
fn both(RawFixture { name, base }: &RawFixture) -> Option<(Btf, Libbpf, Option<Libbpf>)> {
    let raw = fixtures::read(name);
    let base_raw = base.as_deref().map(fixtures::read);
    let their_base = match &base_raw {
        Some(base) => Some(Libbpf::open(base, None)?),
        None => None,
    };
    let theirs = Libbpf::open(&raw, their_base.as_ref())?;
    let base = base.as_deref().map(read);
    Some((Btf::options().maybe_base(base.as_ref()).parse(raw).unwrap(), theirs, their_base))
}

#[test]
fn appended_to_nothing_the_bytes_are_libbpfs() {
    let mut compared = 0;
    for fixture in fixtures::raw_btf().iter().filter(|fixture| fixture.base.is_none()) {
        let Some((ours, theirs, _)) = both(fixture) else { continue };
        if ours.has_layout() {
            continue;
        }
        let mut b = Builder::new().byte_order(ours.byte_order());
        b.append(&ours).unwrap();
        let ours = b.finish().unwrap();
        let new = Libbpf::empty(None);
        // SAFETY: both are alive.
        assert!(unsafe { sys::btf__add_btf(new.0, theirs.0) } > 0 || ours.types().len() == 0, "{}", fixture.name);
        let native = Encode::new().byte_order(ByteOrder::NATIVE).encode(&ours).unwrap();
        assert!(native == new.bytes(), "{}", fixture.name);
        compared += 1;
    }
    assert!(compared > 15, "{compared}");
}

#[test]
fn modules_appended_on_their_kernel_are_libbpfs() {
    for release in [fixtures::UNSORTED, fixtures::SORTED] {
        let base_raw = fixtures::read(&format!("kernels/{release}/vmlinux.btf"));
        let (base, their_base) = (Btf::parse(base_raw.clone()).unwrap(), Libbpf::open(&base_raw, None).unwrap());
        let (mut merge, new) = (Merge::on(&base), Libbpf::empty(Some(&their_base)));
        for module in ["veth", "vxlan", "openvswitch"] {
            let raw = fixtures::read(&format!("kernels/{release}/{module}.btf"));
            merge.add(&Btf::parse_split(raw.clone(), &base).unwrap()).unwrap();
            let module = Libbpf::open(&raw, Some(&their_base)).unwrap();
            // SAFETY: both are alive.
            assert!(unsafe { sys::btf__add_btf(new.0, module.0) } > 0, "{}", std::io::Error::last_os_error());
        }
        assert!(bytes(&merge.finish().unwrap()) == new.bytes(), "{release}");
    }
}

#[test]
fn distilled_bytes_are_libbpfs() {
    let mut compared = 0;
    for fixture in fixtures::raw_btf().iter().filter(|fixture| fixture.base.is_some()) {
        let Some((ours, theirs, _base)) = both(fixture) else { continue };
        if ours.hdr_len() != 24 {
            continue;
        }
        let (mut base, mut split) = (ptr::null_mut(), ptr::null_mut());
        // SAFETY: it is alive, and what is made is taken over.
        let result = unsafe { sys::btf__distill_base(theirs.0, &raw mut base, &raw mut split) };
        assert_eq!(result, 0, "{}", fixture.name);
        // The split one goes first.
        let (split, base) = (Libbpf(split), Libbpf(base));
        let distilled = distill(&ours).unwrap();
        assert!(bytes(&distilled.base) == base.bytes(), "{}", fixture.name);
        assert!(bytes(&distilled.split) == split.bytes(), "{}", fixture.name);
        compared += 1;
    }
    assert!(compared > 12, "{compared}");
}

#[test]
fn permuted_bytes_are_libbpfs() {
    let mut compared = 0;
    for fixture in fixtures::raw_btf().iter().step_by(3) {
        let Some((ours, theirs, _base)) = both(fixture) else { continue };
        if ours.hdr_len() != 24 || ours.types().len() < 3 || ours.byte_order() != ByteOrder::NATIVE {
            continue;
        }
        // As sorted, and back to front.
        let (sorted, remap) = sort(&ours).unwrap();
        let new_ids: Vec<u32> = ours.own_ids().map(|id| remap.id(id).unwrap()).collect();
        let reversed: Vec<u32> = ours.own_ids().rev().collect();
        let theirs_by = |btf: &Libbpf, new_ids: &[u32]| {
            let mut map: Vec<u32> = if ours.is_split() { vec![] } else { vec![0] };
            map.extend(new_ids);
            // SAFETY: it is alive, and the map as long as said.
            let result = unsafe { sys::btf__permute(btf.0, map.as_mut_ptr(), map.len() as u32, ptr::null()) };
            assert_eq!(result, 0, "{}: {}", fixture.name, std::io::Error::last_os_error());
            btf.bytes()
        };
        assert!(bytes(&sorted) == theirs_by(&theirs, &new_ids), "{}", fixture.name);
        let (_, theirs, _base) = both(fixture).unwrap();
        assert!(bytes(&permute(&ours, &reversed).unwrap().0) == theirs_by(&theirs, &reversed), "{}", fixture.name);
        compared += 1;
    }
    assert!(compared > 3, "{compared}");
}

#[test]
fn the_other_byte_order_is_libbpfs() {
    let mut compared = 0;
    for fixture in fixtures::raw_btf() {
        let Some((ours, theirs, _base)) = both(&fixture) else { continue };
        if ours.hdr_len() != 24 {
            continue;
        }
        for (order, theirs_order) in
            [(ByteOrder::Little, sys::BTF_LITTLE_ENDIAN), (ByteOrder::Big, sys::BTF_BIG_ENDIAN)]
        {
            // SAFETY: it is alive.
            assert_eq!(unsafe { sys::btf__set_endianness(theirs.0, theirs_order) }, 0);
            let encoded = Encode::new().byte_order(order).encode(&ours).unwrap();
            assert!(encoded == theirs.bytes(), "{}, {order}", fixture.name);
        }
        compared += 1;
    }
    assert!(compared > 25, "{compared}");
}

/// Adds a type to libbpf's BTF by its functions.
///
/// # Safety
///
/// `btf` is alive.
unsafe fn add(btf: *mut sys::btf, ty: Type<'_>) -> i32 {
    let text = |name: btf_types::Name<'_>| CString::new(name.as_bytes()).unwrap();
    let name = text(ty.name());
    let name = name.as_ptr();
    let target = ty.target().map_or(0, |ty| ty.id() as i32);
    // SAFETY: names are C strings that live until the end.
    unsafe {
        let members = |members: btf_types::Members<'_>| {
            for member in members {
                let (offset, bits) = member.encoded();
                let name = text(member.name());
                let bits = bits.unwrap_or(0).into();
                let result = sys::btf__add_field(btf, name.as_ptr(), member.ty().id() as i32, offset, bits);
                assert_eq!(result, 0, "{member:?}: {}", std::io::Error::last_os_error());
            }
        };
        match ty {
            Type::Int(int) => sys::btf__add_int(btf, name, int.size().into(), int.encoding().bits().into()),
            Type::Float(float) => sys::btf__add_float(btf, name, float.size().into()),
            Type::Ptr(_) => sys::btf__add_ptr(btf, target),
            Type::Volatile(_) => sys::btf__add_volatile(btf, target),
            Type::Const(_) => sys::btf__add_const(btf, target),
            Type::Restrict(_) => sys::btf__add_restrict(btf, target),
            Type::Typedef(_) => sys::btf__add_typedef(btf, name, target),
            Type::TypeTag(tag) if tag.is_attribute() => sys::btf__add_type_attr(btf, name, target),
            Type::TypeTag(_) => sys::btf__add_type_tag(btf, name, target),
            Type::DeclTag(tag) => {
                let component = tag.component_idx().map_or(-1, |component| component as i32);
                match tag.is_attribute() {
                    true => sys::btf__add_decl_attr(btf, name, tag.target().id() as i32, component),
                    false => sys::btf__add_decl_tag(btf, name, tag.target().id() as i32, component),
                }
            }
            Type::Array(array) => {
                sys::btf__add_array(btf, array.index().id() as i32, array.element().id() as i32, array.nelems())
            }
            Type::Fwd(fwd) => {
                let kind = if fwd.declares() == FwdKind::Union { sys::BTF_FWD_UNION } else { sys::BTF_FWD_STRUCT };
                sys::btf__add_fwd(btf, name, kind)
            }
            Type::Func(func) => sys::btf__add_func(btf, name, u32::from(func.linkage()), func.proto().id() as i32),
            Type::Var(var) => sys::btf__add_var(btf, name, u32::from(var.linkage()) as i32, var.ty().id() as i32),
            Type::Struct(s) => {
                let id = sys::btf__add_struct(btf, name, s.size());
                members(s.members());
                id
            }
            Type::Union(u) => {
                let id = sys::btf__add_union(btf, name, u.size());
                members(u.members());
                id
            }
            Type::Enum(e) => {
                let id = sys::btf__add_enum(btf, name, e.size());
                for value in e.values() {
                    assert_eq!(sys::btf__add_enum_value(btf, text(value.name()).as_ptr(), value.value() as i64), 0);
                }
                id
            }
            Type::Enum64(e) => {
                let id = sys::btf__add_enum64(btf, name, e.size(), e.is_signed());
                for value in e.values() {
                    assert_eq!(sys::btf__add_enum64_value(btf, text(value.name()).as_ptr(), value.value() as u64), 0);
                }
                id
            }
            Type::FuncProto(proto) => {
                let id = sys::btf__add_func_proto(btf, proto.return_type().id() as i32);
                for param in proto.params() {
                    let name = text(param.name());
                    assert_eq!(sys::btf__add_func_param(btf, name.as_ptr(), param.ty().id() as i32), 0);
                }
                id
            }
            Type::Datasec(section) => {
                let id = sys::btf__add_datasec(btf, name, section.size());
                for entry in section.entries() {
                    let (var, offset, size) = (entry.ty().id() as i32, entry.offset(), entry.size());
                    assert_eq!(sys::btf__add_datasec_var_info(btf, var, offset, size), 0);
                }
                id
            }
            _ => panic!("{ty:?}"),
        }
    }
}

#[test]
fn built_type_by_type_the_bytes_are_libbpfs() {
    let mut compared = 0;
    for fixture in fixtures::raw_btf() {
        let Some((ours, _, their_base)) = both(&fixture) else { continue };
        let has_own_flags = |ty: Type<'_>| match ty {
            // libbpf sets `kind_flag` only for what needs it.
            Type::Struct(_) | Type::Union(_) => {
                let flag = ours.record(ty.id()).unwrap().head().info().kind_flag();
                let members = if let Type::Struct(s) = ty {
                    s.members()
                } else {
                    ty.try_into().map(btf_types::Union::members).unwrap()
                };
                flag && members.clone().all(|member| member.encoded().1.is_none())
            }
            Type::Enum(e) => e.is_signed() && e.values().all(|value| value.value() >= 0),
            Type::Int(int) => !int.is_regular(),
            _ => false,
        };
        if ours.types().any(has_own_flags) || ours.has_layout() {
            continue;
        }
        let new = Libbpf::empty(their_base.as_ref());
        for ty in ours.types() {
            // SAFETY: it is alive.
            let id = unsafe { add(new.0, ty) };
            assert_eq!(id, ty.id() as i32, "{}: {ty:?}: {}", fixture.name, std::io::Error::last_os_error());
        }
        let again = rebuild(&ours).unwrap();
        let native = Encode::new().byte_order(ByteOrder::NATIVE).encode(&again).unwrap();
        let order = if cfg!(target_endian = "little") { sys::BTF_LITTLE_ENDIAN } else { sys::BTF_BIG_ENDIAN };
        // SAFETY: it is alive.
        assert_eq!(unsafe { sys::btf__set_endianness(new.0, order) }, 0);
        assert!(native == new.bytes(), "{}", fixture.name);
        compared += 1;
    }
    assert!(compared > 5, "{compared}");
}

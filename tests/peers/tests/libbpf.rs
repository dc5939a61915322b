//! libbpf as an oracle: every type of every fixture that it can open is what
//! it says, to the byte.

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

use std::{
    ffi::{CStr, CString},
    ptr, slice,
};

use btf_format::{ByteOrder, Data, Header, RawBtf};
use btf_tests::fixtures::{self, RawFixture};
use btf_types::{Btf, Type};
use libbpf_sys as sys;

/// A `struct btf *` on its base.
struct Libbpf {
    btf: *mut sys::btf,
    _base: Option<Box<Libbpf>>,
}

impl Drop for Libbpf {
    fn drop(&mut self) {
        // SAFETY: it came from libbpf, or is null, which is as good.
        unsafe { sys::btf__free(self.btf) }
    }
}

impl Libbpf {
    fn open(bytes: &[u8], base: Option<Libbpf>) -> Self {
        // It would tell of each type that has no alignment.
        // SAFETY: nothing is asked of the caller.
        unsafe { sys::libbpf_set_print(None) };
        let base_btf = base.as_ref().map_or(ptr::null_mut(), |base| base.btf);
        // SAFETY: libbpf copies the bytes; the base lives as long as the split.
        let btf = unsafe { sys::btf__new_split(bytes.as_ptr().cast(), bytes.len() as u32, base_btf) };
        assert!(!btf.is_null(), "{}", std::io::Error::last_os_error());
        Self { btf, _base: base.map(Box::new) }
    }

    fn name(&self, offset: u32) -> &[u8] {
        // SAFETY: null, or a C string that lives as long as the BTF.
        unsafe {
            let name = sys::btf__name_by_offset(self.btf, offset);
            assert!(!name.is_null(), "name offset {offset}");
            CStr::from_ptr(name).to_bytes()
        }
    }

    fn record(&self, id: u32, len: usize) -> &[u8] {
        // SAFETY: the record of an id that exists, which has `len` bytes.
        unsafe {
            let record = sys::btf__type_by_id(self.btf, id);
            assert!(!record.is_null(), "type {id}");
            slice::from_raw_parts(record.cast(), len)
        }
    }
}

fn native(name: &str) -> Vec<u8> {
    let mut bytes = fixtures::read(name);
    btf_format::convert(&mut bytes, ByteOrder::NATIVE).unwrap();
    bytes
}

/// Compares a fixture; `false` if libbpf cannot read it.
fn compare(RawFixture { name, base }: &RawFixture) -> bool {
    // libbpf gets the file as it is, of whichever byte order.
    let bytes = fixtures::read(name);
    let header = Header::parse(&bytes).unwrap();
    if header.hdr_len() > Header::SIZE && !header.byte_order().is_native() {
        println!("{name}: skipped, libbpf before 1.8 refuses longer headers in the other byte order");
        return false;
    }
    let theirs = Libbpf::open(&bytes, base.as_ref().map(|base| Libbpf::open(&fixtures::read(base), None)));
    let ours = match base {
        None => Btf::parse(bytes).unwrap(),
        Some(base) => Btf::parse_split(bytes, &Btf::parse(fixtures::read(base)).unwrap()).unwrap(),
    };
    // SAFETY: the BTF is alive.
    assert_eq!(ours.type_count(), unsafe { sys::btf__type_cnt(theirs.btf) }, "{name}");

    let bytes = native(name);
    for (record, ty) in RawBtf::parse(&bytes).unwrap().records().zip(ours.types()) {
        let record = record.unwrap();
        assert_eq!(record.as_bytes(), theirs.record(ty.id(), record.as_bytes().len()), "{name}, {ty:?}");
        assert_eq!(ty.name(), theirs.name(record.head().name_off())[..], "{name}, {ty:?}");
        if let (Data::Members(raw), btf_types::Type::Struct(view)) = (record.data(), ty) {
            for (raw, member) in raw.iter().zip(view.members()) {
                assert_eq!(member.name(), theirs.name(raw.name_off())[..], "{name}, {ty:?}");
                assert_eq!(member.ty().id(), raw.type_id(), "{name}, {ty:?}");
            }
        }
    }
    true
}

/// Sizes, alignment, names and what lies behind modifiers, of whole kernels and
/// of 32-bit BTF. Where they differ on purpose, how is said here.
#[test]
fn questions_are_answered_as_libbpf_answers_them() {
    let kernel = |release: &str| format!("kernels/{release}/vmlinux.btf");
    let mut files: Vec<String> = [fixtures::UNSORTED, fixtures::SORTED, fixtures::BIG_ENDIAN].map(kernel).to_vec();
    files.extend(["armv7", "i686", "mips", "powerpc"].map(|arch| format!("bpf/pahole32/types32-{arch}.btf")));
    for file in files {
        let bytes = fixtures::read(&file);
        let theirs = Libbpf::open(&bytes, None);
        let ours = Btf::parse(bytes).unwrap();
        // SAFETY: the BTF is alive.
        assert_eq!(u64::from(ours.pointer_size()), unsafe { sys::btf__pointer_size(theirs.btf) }, "{file}");
        let (mut sizes, mut aligns, mut finer) = (0, 0, 0);
        for ty in ours.types() {
            // SAFETY: the BTF is alive, and the id exists.
            let size = unsafe { sys::btf__resolve_size(theirs.btf, ty.id()) };
            // libbpf sees through no FUNC, and neither does this.
            match ty.size_of() {
                Ok(found) => {
                    assert_eq!(found, u64::try_from(size).unwrap_or(u64::MAX), "{file}: {ty:?}");
                    sizes += 1;
                }
                Err(error) => assert!(size < 0, "{file}: {ty:?}: {error}, {size}"),
            }
            // SAFETY: as above.
            let align = u64::try_from(unsafe { sys::btf__align_of(theirs.btf, ty.id()) }).unwrap_or(0);
            // It has no answer for VARs, and one for some that have no size.
            if let (Ok(found), 1..) = (ty.align_of(), align) {
                aligns += 1;
                // 16-byte integers count as 8 there, 8-byte ones as 4 with
                // 4-byte pointers; and a struct is not packed by its bitfields.
                if found != align {
                    finer += 1;
                    let is_wider = found > align || found == 1;
                    assert!(is_wider, "{file}: {ty:?}: {found} instead of {align}");
                }
            }
        }
        assert!(sizes > 50 && aligns > 50, "{file}");
        assert!(finer * 50 < aligns || !file.starts_with("kernels"), "{file}: {finer} of {aligns}");
        for s in ours.types().step_by(17).filter(|ty| !ty.name().is_empty()) {
            let name = CString::new(s.name().as_bytes()).unwrap();
            // SAFETY: the BTF is alive, the name a C string.
            let id = unsafe { sys::btf__find_by_name(theirs.btf, name.as_ptr()) };
            assert_eq!(ours.find_first::<Type<'_>>(s.name()).map(|ty| ty.id() as i32), Some(id), "{file}: {s:?}");
            let kind = s.kind().unwrap().number().into();
            // SAFETY: as above.
            let id = unsafe { sys::btf__find_by_name_kind(theirs.btf, name.as_ptr(), kind) };
            let of_kind: Vec<Type<'_>> = ours.find_all(s.name());
            let first = of_kind.into_iter().find(|ty| ty.kind() == s.kind());
            assert_eq!(first.map(|ty| ty.id() as i32), Some(id), "{file}: {s:?}");
        }
    }
}

#[test]
fn every_type_is_what_libbpf_says() {
    let fixtures = fixtures::raw_btf();
    let compared = fixtures.iter().filter(|fixture| compare(fixture)).count();
    assert!(compared > 35, "{compared} of {}", fixtures.len());
}

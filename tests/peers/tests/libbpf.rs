//! libbpf as an oracle: every type of every fixture that it can open is what
//! it says, to the byte.

#![cfg(feature = "peers-c")]

use std::{ffi::CStr, ptr, slice};

use btf_format::{ByteOrder, Data, Header, RawBtf};
use btf_tests::fixtures::{self, RawFixture};
use btf_types::Btf;
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

#[test]
fn every_type_is_what_libbpf_says() {
    let fixtures = fixtures::raw_btf();
    let compared = fixtures.iter().filter(|fixture| compare(fixture)).count();
    assert!(compared > 35, "{compared} of {}", fixtures.len());
}

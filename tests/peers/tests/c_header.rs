//! libbpf's `btf_dump` as an oracle: the definitions of every type of every fixture
//! that it can open, in the order of ids.

#![cfg(feature = "peers-c")]
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    unsafe_code,
    reason = "tests, and C libraries"
)]

use std::{
    ffi::{c_char, c_int, c_void},
    ptr,
};

use btf_codegen::c::Header;
use btf_tests::{blob::Blob, fixtures};
use btf_types::Btf;
use libbpf_sys as sys;

unsafe extern "C" {
    fn vsnprintf(to: *mut c_char, size: usize, format: *const c_char, args: *mut sys::__va_list_tag) -> c_int;
}

/// Bytes of the longest piece that libbpf prints.
const PIECE: usize = 1 << 16;

/// Gathers what libbpf prints.
unsafe extern "C" fn print(to: *mut c_void, format: *const c_char, args: *mut sys::__va_list_tag) {
    let mut piece = vec![0u8; PIECE];
    // SAFETY: format and arguments are libbpf's; the length is the buffer's.
    let len = unsafe { vsnprintf(piece.as_mut_ptr().cast(), piece.len(), format, args) };
    let len = usize::try_from(len).expect("it prints");
    // SAFETY: the context is the vector that `dump` passed.
    let to = unsafe { &mut *to.cast::<Vec<u8>>() };
    to.extend_from_slice(&piece[..len]);
}

/// All definitions that libbpf makes of BTF; `None` if it gives up.
fn dump(bytes: &[u8], base: Option<&[u8]>) -> Option<String> {
    let open = |bytes: &[u8], base: *mut sys::btf| {
        // SAFETY: libbpf copies the bytes; the base lives as long as the split.
        let btf = unsafe { sys::btf__new_split(bytes.as_ptr().cast(), bytes.len() as u32, base) };
        (!btf.is_null()).then_some(btf)
    };
    // SAFETY: nothing is asked of the caller.
    unsafe { sys::libbpf_set_print(None) };
    let base = match base {
        Some(base) => open(base, ptr::null_mut())?,
        None => ptr::null_mut(),
    };
    let mut text: Vec<u8> = Vec::new();
    let btf = open(bytes, base)?;
    let context: *mut Vec<u8> = &raw mut text;
    // SAFETY: the BTF and the text outlive the dump, and all three are freed once.
    let is_done = unsafe {
        let dump = sys::btf_dump__new(btf, Some(print), context.cast(), ptr::null());
        let is_done = !dump.is_null() && (1..sys::btf__type_cnt(btf)).all(|id| sys::btf_dump__dump_type(dump, id) == 0);
        sys::btf_dump__free(dump);
        sys::btf__free(btf);
        sys::btf__free(base);
        is_done
    };
    is_done.then(|| String::from_utf8(text).expect("names are UTF-8"))
}

/// Our definitions, without what bpftool has before and after them.
fn definitions(btf: &Btf) -> String {
    let mut text = String::new();
    Header::new().unsorted(true).write(btf, &mut text).unwrap();
    let start = text.find("#define __bpf_fastcall\n#endif\n#endif\n\n").unwrap();
    let start = start + text[start..].find("\n\n").unwrap() + 2;
    let end = text.find("\n/* BPF kfuncs */\n").unwrap();
    text[start..end].to_owned()
}

#[test]
fn definitions_are_libbpfs() {
    let mut compared = 0;
    for fixture in fixtures::raw_btf() {
        let bytes = fixtures::read(&fixture.name);
        let base = fixture.base.as_deref().map(fixtures::read);
        // (This libbpf knows neither newer headers nor all kinds.)
        let Some(expected) = dump(&bytes, base.as_deref()) else { continue };
        let base = base.map(|base| Btf::parse(base).unwrap());
        let btf = match &base {
            Some(base) => Btf::parse_split(bytes, base).unwrap(),
            None => Btf::parse(bytes).unwrap(),
        };
        let found = definitions(&btf);
        if found != expected {
            let differs = found.lines().zip(expected.lines()).find(|(found, expected)| found != expected);
            panic!("{}: {differs:?}", fixture.name);
        }
        compared += 1;
    }
    assert!(compared > 15, "{compared}");
}

/// Chains that no compiler makes: tags inside and outside of qualifiers, arrays of
/// pointers to functions, and what is qualified for nothing.
#[test]
fn declarations_are_libbpfs() {
    const PTR: u8 = 2;
    const ARRAY: u8 = 3;
    const TYPEDEF: u8 = 8;
    const VOLATILE: u8 = 9;
    const CONST: u8 = 10;
    const RESTRICT: u8 = 11;
    const FUNC_PROTO: u8 = 13;
    const TYPE_TAG: u8 = 18;
    let chains: [&[u8]; 14] = [
        &[PTR, CONST, TYPE_TAG],
        &[PTR, TYPE_TAG, CONST, VOLATILE],
        &[PTR, CONST, TYPE_TAG, VOLATILE, TYPE_TAG, CONST],
        &[PTR, TYPE_TAG, PTR],
        &[PTR, CONST, TYPE_TAG, VOLATILE, PTR],
        &[CONST, PTR, RESTRICT, PTR],
        &[ARRAY, PTR, FUNC_PROTO],
        &[PTR, ARRAY, ARRAY],
        &[ARRAY, CONST, ARRAY, PTR],
        &[PTR, CONST, FUNC_PROTO, PTR],
        &[PTR, FUNC_PROTO, PTR, FUNC_PROTO],
        &[PTR, PTR, ARRAY, PTR, FUNC_PROTO, PTR, ARRAY],
        &[FUNC_PROTO],
        &[PTR, VOLATILE, FUNC_PROTO],
    ];
    let mut blob = Blob::new();
    let (char, tag) = (blob.string(b"char"), blob.string(b"user"));
    blob.record(char, 1, 0, false, 1, &[0x0100_0008]);
    let int = 1;
    let mut last = int;
    for (index, chain) in chains.iter().enumerate() {
        let mut of = int;
        for &kind in chain.iter().rev() {
            match kind {
                ARRAY => blob.record(0, ARRAY, 0, false, 0, &[of, int, 3]),
                FUNC_PROTO => blob.record(0, FUNC_PROTO, 1, false, of, &[0, int]),
                TYPE_TAG => blob.record(tag, TYPE_TAG, 0, false, of, &[]),
                kind => blob.record(0, kind, 0, false, of, &[]),
            };
            last += 1;
            of = last;
        }
        let name = blob.string(format!("chain_{index}").as_bytes());
        blob.record(name, TYPEDEF, 0, false, of, &[]);
        last += 1;
    }
    let bytes = blob.build();
    let expected = dump(&bytes, None).unwrap();
    assert_eq!(definitions(&Btf::parse(bytes).unwrap()), expected);
    assert_eq!(expected.matches("typedef").count(), chains.len());
}

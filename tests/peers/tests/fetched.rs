//! libbpf as an oracle for all that `cargo xtask fetch-fixtures` has fetched:
//! the BTF that it reads from each module, over the kernel's as read by this
//! workspace, has the same types and the same bytes.

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

use std::{ffi::CString, fs, path::PathBuf, slice, thread};

use btf_elf::{BtfFile, Compression, Limits};
use btf_tests::fixtures::{self, file_name};
use btf_types::Btf;
use libbpf_sys as sys;

/// Compares some modules, one after the other.
fn compare(modules: &[PathBuf], vmlinux: &Btf) -> usize {
    let folder = tempfile::tempdir().unwrap();
    let plain = folder.path().join("module.ko");
    let blob = vmlinux.to_bytes(vmlinux.byte_order()).unwrap();
    let mut same = 0;
    // SAFETY: libbpf copies the bytes.
    let base = unsafe { sys::btf__new(blob.as_ptr().cast(), blob.len() as u32) };
    assert!(!base.is_null());
    for path in modules {
        // libbpf does not decode.
        let bytes = fs::read(path).unwrap();
        let bytes = match Compression::detect(&bytes) {
            Some(compression) => compression.decode(&bytes, &Limits::IMAGE).unwrap(),
            None => bytes,
        };
        fs::write(&plain, bytes).unwrap();
        let ours = BtfFile::open(path).unwrap().split_btf(vmlinux).unwrap();
        let text = CString::new(plain.to_str().unwrap()).unwrap();
        // SAFETY: the path is a C string; what is returned lives until it is
        // freed here, and the base longer.
        unsafe {
            let theirs = sys::btf__parse_split(text.as_ptr(), base);
            assert!(!theirs.is_null(), "{}", path.display());
            assert_eq!(ours.type_count(), sys::btf__type_cnt(theirs), "{}", path.display());
            let mut len = 0;
            let data = sys::btf__raw_data(theirs, &mut len).cast::<u8>();
            let theirs_bytes = slice::from_raw_parts(data, len as usize);
            assert!(ours.to_bytes(ours.byte_order()).unwrap() == theirs_bytes, "{}", path.display());
            sys::btf__free(theirs);
        }
        same += 1;
    }
    // SAFETY: nothing is split from it any more.
    unsafe { sys::btf__free(base) };
    same
}

#[test]
#[ignore = "needs what `cargo xtask fetch-fixtures` fetches"]
fn every_module_is_what_libbpf_makes_of_it() {
    // SAFETY: nothing is asked of the caller.
    unsafe { sys::libbpf_set_print(None) };
    let mut same = 0;
    for folder in fixtures::fetched() {
        let (images, modules): (Vec<_>, Vec<_>) = fixtures::below(&folder)
            .into_iter()
            .filter(|path| file_name(path).starts_with("vmlinu") || file_name(path).contains(".ko"))
            .partition(|path| file_name(path).starts_with("vmlinu"));
        let Some(image) = images.first() else { continue };
        let vmlinux = BtfFile::open(image).unwrap().btf().unwrap();
        let halves = modules.split_at(modules.len() / 2);
        same += thread::scope(|scope| {
            let first = scope.spawn(|| compare(halves.0, &vmlinux));
            compare(halves.1, &vmlinux) + first.join().unwrap()
        });
    }
    println!("{same} modules are the same");
    assert!(same > 1000);
}

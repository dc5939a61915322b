//! Writes the BTF of an object as libbpf sanitizes it for a kernel that lacks
//! features: loads the object, with libbpf's own probes failing for those features,
//! and writes the BTF that was loaded into the kernel to standard output.
//!
//!     libbpf-sanitizes OBJECT FEATURE...
//!
//! Features are the numbers of `enum kern_feature_id` in libbpf 1.7.

#![allow(unsafe_code, clippy::expect_used, clippy::print_stderr, reason = "an oracle")]

use std::{
    env,
    ffi::c_void,
    fs,
    io::Write,
    os::fd::{BorrowedFd, OwnedFd},
    process::ExitCode,
    ptr,
    sync::OnceLock,
};

use btf_kernel::LoadedBtf;
use libbpf_sys as sys;

static MISSING: OnceLock<Vec<u32>> = OnceLock::new();

unsafe extern "C" {
    fn __real_feat_supported(cache: *mut c_void, feature: u32) -> bool;
}

/// Replaces libbpf's function, by the linker option `--wrap`.
///
/// # Safety
///
/// Same as for libbpf's function.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn __wrap_feat_supported(cache: *mut c_void, feature: u32) -> bool {
    let is_missing = MISSING.get().is_some_and(|missing| missing.contains(&feature));
    // SAFETY: the arguments are those that libbpf passes.
    !is_missing && unsafe { __real_feat_supported(cache, feature) }
}

fn main() -> ExitCode {
    let mut arguments = env::args().skip(1);
    let object = fs::read(arguments.next().expect("an object is given")).expect("the object can be read");
    let missing = arguments.map(|number| number.parse().expect("features are numbers")).collect();
    MISSING.set(missing).expect("it is set once");
    // SAFETY: the bytes outlive the object, which is never closed.
    let fd = unsafe {
        sys::libbpf_set_print(None);
        let opened = sys::bpf_object__open_mem(object.as_ptr().cast(), object.len() as _, ptr::null());
        if opened.is_null() || sys::bpf_object__prepare(opened) != 0 {
            eprintln!("libbpf does not prepare it: {}", std::io::Error::last_os_error());
            return ExitCode::FAILURE;
        }
        BorrowedFd::borrow_raw(sys::bpf_object__btf_fd(opened))
    };
    let fd: OwnedFd = fd.try_clone_to_owned().expect("a descriptor can be cloned");
    let bytes = LoadedBtf::try_from(fd).and_then(|loaded| loaded.bytes()).expect("it is BTF");
    std::io::stdout().write_all(&bytes).expect("standard output can be written to");
    ExitCode::SUCCESS
}

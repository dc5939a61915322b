//! Exact counters of the steps and allocations of a program on all of its threads.
//! `cargo xtask amplification` compiles this to one object file and links it to the
//! harness and to the `btf` command.
//!
//! * A step is a basic block of Rust, reported by LLVM's sanitizer coverage each
//!   time that it runs, or 32 bytes that the C library copies, clears or compares.
//! * The linker redirects calls of the C library's allocator to the `__wrap_`
//!   functions here.
//!
//! The standard library is not recompiled, so only its generic and inlined code
//! counts.

#![no_std]
#![allow(unsafe_op_in_unsafe_fn)]

use core::{
    ffi::{c_char, c_int, c_void},
    sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed},
};

static STEPS: AtomicU64 = AtomicU64::new(0);
static STEPS_LIMIT: AtomicU64 = AtomicU64::new(u64::MAX);
static ALLOCATED: AtomicU64 = AtomicU64::new(0);
static LIVE: AtomicI64 = AtomicI64::new(0);
static PEAK: AtomicI64 = AtomicI64::new(0);
static LIVE_LIMIT: AtomicI64 = AtomicI64::new(i64::MAX);

/// Number of bytes that count as one step of the C library.
const BYTES: usize = 32;
/// Number of bytes that are compared at once, and so may be counted in excess.
const COMPARED: usize = 8 * BYTES;

/// Exit code of a process that took more steps than allowed.
const TOO_MANY_STEPS: c_int = 90;
/// Exit code of a process that held more memory than allowed.
const TOO_MUCH_MEMORY: c_int = 91;

/// Counts, in the layout that `btf-amplification` reads.
#[repr(C)]
pub struct Counted {
    steps: u64,
    allocated: u64,
    peak: u64,
}

unsafe extern "C" {
    fn __real_memcpy(to: *mut c_void, from: *const c_void, len: usize) -> *mut c_void;
    fn __real_memmove(to: *mut c_void, from: *const c_void, len: usize) -> *mut c_void;
    fn __real_memset(to: *mut c_void, byte: c_int, len: usize) -> *mut c_void;
    fn __real_memcmp(a: *const c_void, b: *const c_void, len: usize) -> c_int;
    fn __real_malloc(len: usize) -> *mut c_void;
    fn __real_calloc(count: usize, len: usize) -> *mut c_void;
    fn __real_realloc(old: *mut c_void, len: usize) -> *mut c_void;
    fn __real_posix_memalign(new: *mut *mut c_void, align: usize, len: usize) -> c_int;
    fn __real_free(old: *mut c_void);
    fn malloc_usable_size(of: *mut c_void) -> usize;
    fn getenv(name: *const c_char) -> *const c_char;
    fn open(path: *const c_char, flags: c_int, mode: c_int) -> c_int;
    fn write(to: c_int, bytes: *const c_void, len: usize) -> isize;
    fn close(of: c_int) -> c_int;
    fn _exit(code: c_int) -> !;
}

/// Resets the counters, and makes the process exit when it exceeds these limits.
#[unsafe(no_mangle)]
pub extern "C" fn btf_count_from_here(steps_limit: u64, live_limit: u64) {
    STEPS.store(0, Relaxed);
    ALLOCATED.store(0, Relaxed);
    LIVE.store(0, Relaxed);
    PEAK.store(0, Relaxed);
    STEPS_LIMIT.store(steps_limit, Relaxed);
    LIVE_LIMIT.store(live_limit as i64, Relaxed);
}

/// Returns the counts since the last reset.
#[unsafe(no_mangle)]
pub extern "C" fn btf_counted() -> Counted {
    Counted {
        steps: STEPS.load(Relaxed),
        allocated: ALLOCATED.load(Relaxed),
        peak: PEAK.load(Relaxed) as u64,
    }
}

/// Counts a step. LLVM inserts a call into each basic block.
#[unsafe(no_mangle)]
pub extern "C" fn __sanitizer_cov_trace_pc() {
    stepped(1);
}

fn stepped(steps: u64) {
    let before = STEPS.fetch_add(steps, Relaxed);
    if before > STEPS_LIMIT.load(Relaxed) {
        end(TOO_MANY_STEPS);
    }
}

fn grown(len: usize, held: usize) {
    ALLOCATED.fetch_add(len as u64, Relaxed);
    let live = LIVE.fetch_add(held as i64, Relaxed) + held as i64;
    PEAK.fetch_max(live, Relaxed);
    if live > LIVE_LIMIT.load(Relaxed) {
        end(TOO_MUCH_MEMORY);
    }
}

unsafe fn held(at: *mut c_void) -> usize {
    if at.is_null() { 0 } else { malloc_usable_size(at) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn __wrap_memcpy(to: *mut c_void, from: *const c_void, len: usize) -> *mut c_void {
    stepped((len / BYTES) as u64);
    __real_memcpy(to, from, len)
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn __wrap_memmove(to: *mut c_void, from: *const c_void, len: usize) -> *mut c_void {
    stepped((len / BYTES) as u64);
    __real_memmove(to, from, len)
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn __wrap_memset(to: *mut c_void, byte: c_int, len: usize) -> *mut c_void {
    stepped((len / BYTES) as u64);
    __real_memset(to, byte, len)
}

/// Compares in parts, so that bytes after the first difference are not counted.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn __wrap_memcmp(a: *const c_void, b: *const c_void, len: usize) -> c_int {
    let mut at = 0;
    while at < len {
        let part = if len - at < COMPARED { len - at } else { COMPARED };
        stepped((part / BYTES) as u64);
        let order = __real_memcmp(a.byte_add(at), b.byte_add(at), part);
        if order != 0 {
            return order;
        }
        at += part;
    }
    0
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn __wrap_bcmp(a: *const c_void, b: *const c_void, len: usize) -> c_int {
    __wrap_memcmp(a, b, len)
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn __wrap_malloc(len: usize) -> *mut c_void {
    let new = __real_malloc(len);
    grown(len, held(new));
    new
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn __wrap_calloc(count: usize, len: usize) -> *mut c_void {
    let new = __real_calloc(count, len);
    grown(count.saturating_mul(len), held(new));
    new
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn __wrap_realloc(old: *mut c_void, len: usize) -> *mut c_void {
    LIVE.fetch_sub(held(old) as i64, Relaxed);
    let new = __real_realloc(old, len);
    grown(len, held(new));
    new
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn __wrap_posix_memalign(new: *mut *mut c_void, align: usize, len: usize) -> c_int {
    let result = __real_posix_memalign(new, align, len);
    grown(len, if result == 0 { held(*new) } else { 0 });
    result
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn __wrap_free(old: *mut c_void) {
    LIVE.fetch_sub(held(old) as i64, Relaxed);
    __real_free(old);
}

/// Constructor for programs that do not call these functions. If `BTF_COUNTED` names a
/// file, the program is limited, and writes its counts to the file on exit.
#[used]
#[unsafe(link_section = ".init_array")]
static BEGIN: extern "C" fn() = begin;

#[used]
#[unsafe(link_section = ".fini_array")]
static FINISH: extern "C" fn() = finish;

/// Limits of a command.
const COMMAND_STEPS: u64 = 3_000_000_000;
const COMMAND_LIVE: u64 = 400 << 20;

extern "C" fn begin() {
    // SAFETY: the name ends with a NUL.
    if unsafe { !getenv(c"BTF_COUNTED".as_ptr()).is_null() } {
        btf_count_from_here(COMMAND_STEPS, COMMAND_LIVE);
    }
}

extern "C" fn finish() {
    let counted = btf_counted();
    // SAFETY: names end with a NUL, and exactly the bytes of the struct are written.
    unsafe {
        let path = getenv(c"BTF_COUNTED".as_ptr());
        if !path.is_null() {
            // O_WRONLY | O_CREAT | O_TRUNC
            let file = open(path, 0o1 | 0o100 | 0o1000, 0o600);
            write(file, (&raw const counted).cast(), size_of::<Counted>());
            close(file);
        }
    }
}

fn end(code: c_int) -> ! {
    // SAFETY: skipping exit handlers is harmless, as the process has failed.
    unsafe { _exit(code) }
}
